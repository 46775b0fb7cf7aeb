"""`python -m server …` and the installed command `gongyuan`."""

import sys


def main() -> int:
    """Run the command line."""
    from server.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
