"""Moodle's category paths: they carry the knowledge point. A slash within a name is written twice."""

import re

_ROOT = re.compile(r"^\$[a-z0-9]+\$$")


def point_in(path: str) -> str:
    """Return a category's path without Moodle's own roots."""
    parts = [part.replace("\0", "/").strip() for part in path.replace("//", "\0").split("/")]
    if len(parts) > 1 and _ROOT.match(parts[0]):
        parts = parts[1:]
    if len(parts) > 1 and parts[0] == "top":
        parts = parts[1:]
    return "/".join(part for part in parts if part)


def path_of(point: str) -> str:
    """Return the category path that carries a knowledge point."""
    return f"$course$/top/{point.replace('/', '//')}"
