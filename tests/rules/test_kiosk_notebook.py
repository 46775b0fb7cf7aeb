"""The headless kiosk's journal on its disk."""

from datetime import UTC, datetime
from pathlib import Path

from kiosk.__main__ import main
from kiosk.notebook import Notebook
from kiosk.vault import SeatKey
from server.keys.sealing import generate_receiving
from server.protocol.exam import Answer, Seated
from server.protocol.journal import read_file

SEATED = Seated(
    sitting="s1",
    lease=1,
    token="ab" * 32,
    next_seq=1,
    candidate="name",
    ticket="T1",
    plan="plan",
    title="title",
    minutes=90,
    planned_start=datetime(2026, 3, 14, 0, 30, tzinfo=UTC),
    paper="p1",
    journal_key=generate_receiving()[1].hex(),
)


def answer(seq: int) -> Answer:
    return Answer(lease=1, seq=seq, number=seq, value=("A",))


def test_what_was_not_settled_is_left_after_a_power_cut(tmp_path: Path) -> None:
    """A kiosk started anew offers the journal with an unsettled entry, without the line that was half-written."""
    key, folder = SeatKey.generate(), tmp_path / "journals"
    first = Notebook(folder, key, "seat-1")
    for seq in (1, 2):
        first.keep(SEATED, answer(seq))
    first.settle("s1", 1, 1)
    assert first.left() == []
    file = folder / "s1-1.journal"
    with file.open("ab") as out:
        out.write(b'{"seq":3,"iv":"AAAA')
    again = Notebook(folder, key, "seat-1")
    (journal,) = again.left()
    assert [entry.seq for entry in journal.entries] == [1, 2]
    assert main(["journal", "--folder", str(folder), "--out", str(tmp_path / "out.json")]) == 0
    assert read_file((tmp_path / "out.json").read_bytes()).journals == (journal,)


def test_a_journal_is_read_though_a_mark_was_written_behind_a_half_line(tmp_path: Path) -> None:
    """What the kiosk appends after a power cut stands in a line of its own, and a file whose head was cut off stops
    neither the kiosk nor the journals that are carried away."""
    key = SeatKey.generate()
    Notebook(tmp_path, key, "seat-1").keep(SEATED, answer(1))
    with (tmp_path / "s1-1.journal").open("ab") as out:
        out.write(b'{"seq":2,"iv":"AAAA')
    (tmp_path / "s0-1.journal").write_bytes(b'{"sitting":"s0","lea')
    again = Notebook(tmp_path, key, "seat-1")
    assert [one.head.sitting for one in again.left()] == ["s1"]
    again.settle("s1", 1, 0)
    assert Notebook(tmp_path, key, "seat-1").left() == []
    carried = tmp_path / "out.json"
    assert main(["journal", "--folder", str(tmp_path), "--out", str(carried)]) == 0
    assert [one.head.sitting for one in read_file(carried.read_bytes()).journals] == ["s1"]


def test_a_settled_journal_is_not_offered(tmp_path: Path) -> None:
    """A journal whose every entry is settled, one by one or as a whole, is left alone."""
    key = SeatKey.generate()
    book = Notebook(tmp_path, key, "seat-1")
    for seq in (1, 2):
        book.keep(SEATED, answer(seq))
    book.settle("s1", 1, 1)
    assert len(Notebook(tmp_path, key, "seat-1").left()) == 1
    book.settle("s1", 1, 0)
    assert Notebook(tmp_path, key, "seat-1").left() == []
