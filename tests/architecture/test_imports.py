"""The floors of the house, held by import-linter and by reading the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]

PURE = {
    "protocol": (
        "ids",
        "envelope",
        "exam",
        "proctoring",
        "wall",
        "paper",
        "codec",
        "link",
        "pipe",
        "schema",
        "board",
        "journal",
        "recording",
        "seb",
        "health",
    ),
    "law": ("pack", "workdays", "citing"),
    "keys": ("openings", "changes"),
    "accounts": ("roles", "lockout"),
    "packages": ("envelope", "manifest", "contents"),
    "itembank": ("items", "blueprint", "feasibility", "showing", "statistics"),
    "affairs": ("standing", "plans", "enrolment", "seating", "staffing", "corrections", "yearly"),
    "papers": ("drawing", "dealing", "bounds", "figures", "tracing", "sealed", "marking_sheet"),
    "delivery": ("timing", "sitting", "handin", "answers", "conversation", "halting", "lost_time", "merging"),
    "proctor": (
        "evidence",
        "seats",
        "occupancy",
        "anomalies",
        "alerts",
        "proposals",
        "gathering",
        "advice",
        "screen",
        "precision",
        "schedule",
        "captions",
        "course",
    ),
    "conduct": ("bell", "runsheet", "incidents", "record", "counts", "entry"),
    "scoring": (
        "marking",
        "statistics",
        "similarity",
        "decisions",
        "people",
        "points",
        "outcome",
        "practical",
    ),
    "recovery": ("contents", "bells"),
    "rehearsal": ("sheet",),
    "standby": ("wal",),
    "publicity": ("notice", "objections"),
    "registry": ("filing", "enforcement", "certificates", "results", "transparency"),
}
IMPURE_MODULES = {
    "sqlalchemy", "litestar", "websockets", "cv2", "asyncio", "socket", "time", "random", "os", "secrets", "uuid",
}  # fmt: skip


def _pure_files() -> list[Path]:
    files = [ROOT / "server" / room / f"{name}.py" for room, names in PURE.items() for name in names]
    return [
        *(file for file in files if file.exists()),
        *(ROOT / "kiosk" / f"{name}.py" for name in ("brain", "restarts", "policies")),
    ]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_import_contracts_hold() -> None:
    """import-linter finds no import against the floors and no room without a floor."""
    assert lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True) == 0


@pytest.mark.parametrize("path", _pure_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_file_reaches_no_outside(path: Path) -> None:
    """A starred file imports no clock, database, network, randomness or system module."""
    roots = {name.split(".")[0] for name in _imports(path)}
    assert roots.isdisjoint(IMPURE_MODULES)
    assert not any(name.startswith(("server.clock", "server.db")) for name in _imports(path))


def test_only_keys_and_the_vault_use_cryptography() -> None:
    """No file outside server/keys and kiosk/vault.py imports `cryptography`."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in _sources("server", "kiosk", "loadtests")
        if any(name.split(".")[0] == "cryptography" for name in _imports(path))
    ]
    assert [name for name in found if not name.startswith("server/keys/") and name != "kiosk/vault.py"] == []


def test_package_markers_are_empty() -> None:
    """Every __init__.py is empty."""
    assert [
        path
        for path in _sources("server", "kiosk", "loadtests")
        if path.name == "__init__.py" and path.stat().st_size
    ] == []


def test_files_stay_small() -> None:
    """No source file outside the migrations has more than 500 lines."""
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in _sources("server", "kiosk", "loadtests", "benchmarks")
        if "versions" not in path.parts
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_one_opencv_only() -> None:
    """The pinned set holds opencv-python and no second package that installs the same files."""
    pinned = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    names = {line.split("==")[0] for line in pinned.splitlines() if "==" in line and not line.startswith(" ")}
    assert {name for name in names if name.startswith("opencv")} == {"opencv-python"}


def test_no_index_address_in_any_pinned_file() -> None:
    """Requirement files hold names, versions and hashes, and no address."""
    for path in (ROOT / "requirements").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
