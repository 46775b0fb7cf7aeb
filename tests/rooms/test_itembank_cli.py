"""The item and paper commands against a centre's data folder, with real custodians."""

import asyncio
import io
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from server.cli import main as command_line
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import service as delivery
from server.keys import ring
from server.keys.identity import Identity
from server.papers.models import SealedPaperRow
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.papers import BANK as BANK_ID
from tests.support.papers import BANK_KEY, SLOT, START_KEY, drawn, filed_plan, filled_bank

Command = Callable[..., int]
PASSPHRASES = {"ann": "a long passphrase one", "bo": "a long passphrase two", "cy": "a long passphrase six"}
BANK = """编号,题型,题干,选项A,选项B,答案,知识点,难度
L1,单选题,题一,甲,乙,A,1.1 基础,0.6
L2,单选题,题二,甲,乙,E,1.1 基础,0.6
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a centre's settings and a file of two items, one of them bad."""
    (tmp_path / "centre.toml").write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    (tmp_path / "bank.csv").write_text(BANK, encoding="utf-8-sig")
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run one command with passphrases of the named custodians on standard input."""

    def command(*words: str, by: tuple[str, ...] = ()) -> int:
        lines = "".join(f"{name}:{PASSPHRASES[name]}\n" for name in by)
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        arguments = [*words, "--config", str(folder / "centre.toml")]
        return command_line._run(arguments, ("keys", "items", "paper"), None)

    return command


@pytest.fixture(scope="module")
def after_ceremony(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three custodians and the key of bank b1, made once: each hash takes a third of a second."""
    folder = tmp_path_factory.mktemp("ceremony")
    (folder / "centre.toml").write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    people = [word for name in PASSPHRASES for word in ("--custodian", name)]
    words = ["keys", "ceremony", *people, "--bank", "b1", "--passphrases-stdin"]
    lines = "".join(f"{name}:{text}\n" for name, text in PASSPHRASES.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(lines))
        assert command_line._run([*words, "--config", str(folder / "centre.toml")], ("keys",), None) == 0
    return folder / "data"


@pytest.fixture
def ceremony(after_ceremony: Path, folder: Path) -> None:
    """Put three custodians and the key of bank b1 into the folder."""
    shutil.copytree(after_ceremony, folder / "data")


@pytest.mark.usefixtures("ceremony")
def test_an_import_by_two_custodians_reports_every_row(
    run: Command, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two custodians import a file; the report has both rows, and the approved item counts in the coverage."""
    words = ("items", "import", str(folder / "bank.csv"), "--bank", "b1", "--passphrases-stdin")
    review = ("--approve", "--writer", "zhang", "--reviewer", "li", "--report", str(folder / "report.json"))
    assert run(*words, *review, by=("ann", "cy")) == 0
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert [(row["place"], row["status"]) for row in report["rows"]] == [
        ("row 2", "imported"),
        ("row 3", "doubtful"),
    ]
    assert "stored 1, of these approved 1" in capsys.readouterr().out
    assert run("items", "coverage", "--bank", "b1") == 0
    assert "1.1\tsingle\tmedium\t1" in capsys.readouterr().out


@pytest.mark.parametrize("by", [("ann",), ()])
@pytest.mark.usefixtures("ceremony")
def test_one_custodian_alone_imports_nothing(
    run: Command, folder: Path, by: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """An import by fewer than two custodians ends with status 1, says why, and stores nothing."""
    words = ("items", "import", str(folder / "bank.csv"), "--bank", "b1", "--passphrases-stdin")
    assert run(*words, by=by) == 1
    assert "2" in capsys.readouterr().err
    assert run("items", "list") == 0
    assert capsys.readouterr().out == ""


def test_a_dry_run_opens_and_stores_nothing(
    run: Command, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run needs no custodian, makes no database, and writes the report all the same."""
    assert run("items", "import", str(folder / "bank.csv"), "--bank", "b1", "--dry-run", "--report",
               str(folder / "report.csv")) == 0  # fmt: skip
    assert "imported 1  doubtful 1  skipped 0  unchanged 0" in capsys.readouterr().out
    assert not (folder / "data").exists()
    lines = (folder / "report.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[2] for line in lines] == ["status", "imported", "doubtful"]


@pytest.mark.usefixtures("ceremony")
def test_a_commitment_is_printed_and_stays(run: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked twice for a plan's commitment the command prints the same 64 hex digits."""
    capsys.readouterr()
    assert run("paper", "commitment", "plan-1") == 0
    first = capsys.readouterr().out.strip()
    assert run("paper", "commitment", "plan-1") == 0
    assert capsys.readouterr().out.strip() == first
    assert len(bytes.fromhex(first)) == 32


@pytest.mark.usefixtures("ceremony")
def test_verify_of_a_slot_that_is_not_drawn_is_refused(
    run: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to verify before a draw: status 1 and the reason."""
    assert run("paper", "verify", "slot-1", "--passphrases-stdin", by=("ann", "bo")) == 1
    assert "not drawn" in capsys.readouterr().err


def test_verify_checks_what_the_bell_opened_and_names_what_it_could_not(
    run: Command, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the bell the auditor reads that papers and tags wait for the start key; after it every paper is opened and
    every tag checked, and of a changed tag the paper and the number are named with status 1."""
    people = [word for name in PASSPHRASES for word in ("--custodian", name)]
    assert run("keys", "ceremony", *people, "--passphrases-stdin", by=("ann", "bo", "cy")) == 0
    identity = Identity.open_or_create(folder / "data")
    journal, clock = Journal("test"), FakeClock()

    def on_disk(work: Callable[[Database], Awaitable[None]]) -> None:
        async def whole() -> None:
            db = Database(f"sqlite:///{folder / 'data' / 'gongyuan.db'}")
            try:
                await work(db)
            finally:
                await db.close()

        asyncio.run(whole())

    def verified() -> tuple[int, list[str]]:
        capsys.readouterr()
        status = run("paper", "verify", SLOT, "--passphrases-stdin", by=("ann", "cy"))
        return status, capsys.readouterr().out.splitlines()

    async def draw(db: Database) -> None:
        async with act_on(db, journal=journal) as act:
            await ring.create_key(act, ring.KeyKind.BANK, BANK_ID, BANK_KEY)
        await filed_plan(db, journal, identity, await filled_bank(db, journal, clock))
        await drawn(db, journal, clock, identity)

    async def strike(db: Database) -> None:
        wrapped = identity.storage_wrap(START_KEY, delivery.start_key_aad(SLOT))
        async with act_on(db, journal=journal) as act:
            await delivery.prepare(act, SLOT)
            await delivery.ring(act, SLOT, ("01",), wrapped, clock.legal())

    async def change(db: Database) -> None:
        async with db.writing() as session:
            row = (await session.scalars(select(SealedPaperRow).limit(1))).one()
            row.tags = row.tags[:8] + bytes(8) + row.tags[16:]

    on_disk(draw)
    status, lines = verified()
    assert (status, lines[0]) == (0, "10 papers drawn again, 0 faults")
    assert lines[1] == "0 of them opened with the start key, 10 with the right item tags"
    assert [line.split("  ")[0] for line in lines[2:]] == ["NOT CHECKED"] * 3
    assert all(line.endswith("the bell was not struck, and the start key stays closed until then")
               for line in lines[3:])  # fmt: skip
    on_disk(strike)
    status, lines = verified()
    assert (status, len(lines)) == (0, 3)
    assert lines[1] == "10 of them opened with the start key, 10 with the right item tags"
    on_disk(change)
    status, lines = verified()
    assert (status, len(lines)) == (1, 4)
    assert lines[0].startswith("FAULT  ") and lines[0].endswith("tags not of their questions: numbers 2")


@pytest.mark.parametrize("name", ["out.xlsx", "out.csv", "out.json", "out.gift", "out.xml"])
@pytest.mark.usefixtures("ceremony")
def test_an_export_by_two_custodians_imports_again_unchanged(
    run: Command, folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two custodians write the approved items to a file for its owner alone; imported again nothing changes."""
    words = ("--bank", "b1", "--passphrases-stdin")
    review = ("--approve", "--writer", "zhang", "--reviewer", "li")
    assert run("items", "import", str(folder / "bank.csv"), *words, *review, by=("ann", "bo")) == 0
    out = folder / name
    assert run("items", "export", str(out), *words, by=("ann",)) == 1
    assert not out.exists()
    assert run("items", "export", str(out), *words, by=("bo", "cy")) == 0
    assert (out.stat().st_mode & 0o777, b"\xe9\xa2\x98\xe4\xb8\x80" in out.read_bytes()) == (
        0o600, name != "out.xlsx"
    )  # fmt: skip
    capsys.readouterr()
    assert run("items", "import", str(out), *words, by=("ann", "cy")) == 0
    assert "imported 0  doubtful 0  skipped 0  unchanged 1" in capsys.readouterr().out
    assert run("items", "export", str(out), *words, by=("bo", "cy")) == 1
    assert "the file exists" in capsys.readouterr().err
