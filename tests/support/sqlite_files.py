"""Whether this process keeps its hands off SQLite's files: whoever opens one beside SQLite and closes it ends all locks
that the process's connections hold on it (POSIX)."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_LOCKS = """
import fcntl, sqlite3, sys
held = []
for name, start, length in (("", 0x40000002, 510), ("-shm", 128, 1)):
    with open(sys.argv[1] + name, "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
            held.append(False)
        except OSError:
            held.append(True)
disk = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
try:
    disk.execute("begin immediate")
    held.append(False)
except sqlite3.OperationalError:
    held.append(True)
disk.close()
print(*held)
"""
_watched: list[tuple[frozenset[str], list[str]]] = []


def locks(database: Path) -> tuple[bool, ...]:
    """Ask in another process whether somebody holds the shared lock on a database file, the one on its index, and the
    write lock. That process then leaves the database, and deletes its log if it believes to be the last."""
    words = [sys.executable, "-c", _LOCKS, str(database)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return tuple(word == "True" for word in told.split())


@contextmanager
def opened_beside_sqlite(database: Path) -> Iterator[list[str]]:
    """Give the list of openings of a database's three files by Python code of this process, in any thread; SQLite's own
    are not among them."""
    _hook()
    found: list[str] = []
    watch = (frozenset(f"{database}{end}" for end in ("", "-shm", "-wal")), found)
    _watched.append(watch)
    try:
        yield found
    finally:
        _watched.remove(watch)


@cache
def _hook() -> None:
    sys.addaudithook(_heard)  # it stays for the life of the process


def _heard(event: str, words: tuple[object, ...]) -> None:
    if event == "open" and _watched:
        for names, found in list(_watched):
            if str(words[0]) in names:
                found.append(str(words[0]))
