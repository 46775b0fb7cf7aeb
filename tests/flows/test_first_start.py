"""The very first start of a server, at a terminal and as a service."""

import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


def _config(folder: Path) -> Path:
    config = folder / "centre.toml"
    config.write_text('role = "centre"\ndata = "centre"\n[listen]\nport = 0\n', encoding="utf-8")
    return config


def _administrators(folder: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(folder / "centre" / "gongyuan.db") as connection:
        return connection.execute("SELECT username, roles FROM accounts_account").fetchall()


def test_a_first_start_at_a_terminal_asks_for_the_administrators_password(tmp_path: Path) -> None:
    """Typing a password twice makes the account `admin`, and the server then binds its port."""
    command = [sys.executable, "-m", "server", "serve", "--config", str(_config(tmp_path))]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(command[0], command)
    said, typed = b"", 0
    address = tmp_path / "centre" / "address.json"
    try:
        while not address.exists():
            if select.select([terminal], [], [], 0.5)[0]:
                try:
                    said += os.read(terminal, 4096)
                except OSError as ended:
                    raise AssertionError(said.decode(errors="replace")) from ended
            prompts = said.count(b"password: ") + said.count(b"once more: ")
            if prompts > typed:
                os.write(terminal, PASSWORD.encode() + b"\n")
                typed += 1
        assert _administrators(tmp_path) == [("admin", "administrator")]
        assert PASSWORD.encode() not in said
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def test_without_a_terminal_the_way_is_said_and_nothing_is_asked(tmp_path: Path) -> None:
    """As a service the server starts without an administrator and names the command that makes one."""
    config = _config(tmp_path)
    server = subprocess.Popen(
        [sys.executable, "-m", "server", "serve", "--config", str(config)],
        cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stderr is not None
        assert "create-administrator" in server.stderr.readline()
        assert _administrators(tmp_path) == []
    finally:
        server.kill()
        server.wait()
