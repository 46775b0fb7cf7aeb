"""The recovery file of a small centre: written, opened with both halves, refused when touched."""

from pathlib import Path

import pytest

from server.cli.rebuild import _unlocked
from server.delivery import late_journals
from server.errors import BadInput, Refused, Tampered
from server.keys.ceremony import create_custodians
from server.keys.recovery import make_code, new_half
from server.keys.ring import KeyKind, create_key
from server.keys.sealing import generate_receiving
from server.recovery.contents import CENTRE_FILE, papers_file
from server.recovery.keeping import write
from server.recovery.rebuilding import read
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import SLOT, prepare_scene
from tests.support.sqlite_files import opened_beside_sqlite

WORDS = {"chen": "first long passphrase", "sun": "second long passphrase"}


async def test_both_halves_open_the_file_and_two_custodians_the_key_that_it_lacks(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Without a code nothing is written; a changed byte, one wrong half and a half typed twice are refused; a journal
    key made before the code opens with two custodians' shares in the file; SQLite's files are read through SQLite."""
    place = tmp_path / "second"
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        with pytest.raises(Refused, match="recovery-code-missing"):
            await write(db, scene.identity, clock, tmp_path, place)
        private, public = generate_receiving()
        async with scene.acting() as act:
            await create_custodians(act, [(name, name, word) for name, word in WORDS.items()])
            await create_key(act, KeyKind.JOURNAL, SLOT, private)
            await late_journals.keep_recovery_key(act, SLOT, public)
            halves = await make_code(act, scene.identity.fingerprint)
        with opened_beside_sqlite(tmp_path / "test.db") as beside:
            assert await write(db, scene.identity, clock, tmp_path, place) == 1
            assert await write(db, scene.identity, clock, tmp_path, place) == 2
        assert beside == []
    second = read(place, *halves)
    assert len(second.rows("delivery_sitting")) == 4 and len(second.rows("delivery_seat")) == 6
    assert [len(body.tables["papers_paper"].rows) for body in second.papers] == [4]
    assert all(row["receipt_key"] for row in second.rows("delivery_slot"))
    assert second.journal_key(SLOT) is None
    wanted = [(KeyKind.JOURNAL, SLOT)]
    opened = await _unlocked(second, list(WORDS), lambda name, _: WORDS[name.split(":")[0]], wanted)
    assert opened == {(KeyKind.JOURNAL, SLOT): private}
    with pytest.raises(Tampered, match="recovery-halves-wrong"):
        read(place, halves[0], new_half())
    file = place / CENTRE_FILE
    good = file.read_bytes()
    for at in (len(good) // 2, len(good) - 1, 200):
        file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises((Tampered, BadInput)):
            read(place, *halves)


async def test_damaged_files_at_the_second_place_are_written_anew(tmp_path: Path, clock: FakeClock) -> None:
    """When both files at the second place are damaged, the next writing leaves files that open with both halves."""
    place = tmp_path / "second"
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        async with scene.acting() as act:
            halves = await make_code(act, scene.identity.fingerprint)
        await write(db, scene.identity, clock, tmp_path, place)
        (place / CENTRE_FILE).write_bytes(b"")
        papers = place / papers_file("set-1")
        papers.write_bytes(papers.read_bytes()[:-1])
        await write(db, scene.identity, clock, tmp_path, place)
    assert [len(body.tables["papers_paper"].rows) for body in read(place, *halves).papers] == [4]


async def test_two_centres_do_not_share_a_second_place(tmp_path: Path, clock: FakeClock) -> None:
    """A centre refuses to write over the recovery file of another one, which then opens as before."""
    place = tmp_path / "second"
    halves = []
    for name in ("one", "two"):
        async with database(f"sqlite:///{tmp_path / name}.db") as db:
            scene = await prepare_scene(db, clock, tmp_path / name)
            async with scene.acting() as act:
                halves.append(await make_code(act, scene.identity.fingerprint))
            if name == "one":
                await write(db, scene.identity, clock, tmp_path / name, place)
                continue
            with pytest.raises(Refused, match="recovery-place-other"):
                await write(db, scene.identity, clock, tmp_path / name, place)
    assert read(place, *halves[0]).header.number == 1
