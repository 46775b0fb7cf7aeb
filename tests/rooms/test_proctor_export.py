"""Recordings leave a centre by two people and a reason, are erased at the end of their term, and are checked."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import msgspec
import numpy as np
import pytest
from sqlalchemy import delete, select, update

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.cli.main import main
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.db.migrate import upgrade
from server.keys.identity import Identity
from server.keys.passwords import prepared_password
from server.law.loader import load_pack
from server.proctor import recording_store
from server.proctor.clips import Clips
from server.proctor.course import FIRST_CHAIN, chained
from server.proctor.erasing import Erasers, erasable, erase
from server.proctor.evidence_store import EvidenceStore
from server.proctor.models import AlertRow, AnomalyRow, CameraHealthRow, SeatStateRow
from server.proctor.recording_models import SegmentRow
from server.proctor.remux import Form, Muxer, Piece
from server.proctor.segment_file import RUN_AAD, SegmentHeader, SegmentWriter, read_segment
from server.protocol.recording import CaptionText
from server.tables import load_models

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
CAPTION = CaptionText(point="朝阳考点", method="机考", room="考场 1", layout="共 2 座")
KEY = bytes(range(32))
BY = Erasers("li", "wang", "期满")


async def nowhere(session: object, room: str, moment: datetime) -> frozenset[str]:
    """No slot used a room."""
    return frozenset()


async def _centre(folder: Path) -> Database:
    """A centre's data folder with two pieces of five seconds, in the index under one chain."""
    data = folder / "data"
    (folder / "centre.toml").write_text('role = "centre"\ndata = "data"\n')
    load_models()
    db = Database(f"sqlite:///{data / 'gongyuan.db'}")
    data.mkdir()
    upgrade(db)
    identity = Identity.open_or_create(data)
    before = FIRST_CHAIN
    async with db.writing() as session:
        for number in range(2):
            start, end = START + timedelta(seconds=5 * number), START + timedelta(seconds=5 * number + 5)
            header = SegmentHeader(
                segment=f"s{number}", camera="c1", wrapped=identity.storage_wrap(KEY, RUN_AAD)
            )
            writer = SegmentWriter(data / "recordings" / f"s{number}.gyseg", header, KEY)
            muxer = Muxer(writer, Form("mjpeg", 320, 180), CAPTION, start)
            for second in range(5):
                picture = cv2.imencode(".jpg", np.full((180, 320, 3), 90, np.uint8))[1].tobytes()
                muxer.put(Piece(Form("mjpeg", 320, 180), picture, float(second), float(second), True))
            muxer.close()
            written = writer.close()
            before = chained(before, f"s{number}", start, end, written.sha256)
            session.add(
                SegmentRow(
                    id=f"s{number}",
                    camera="c1",
                    room="1",
                    slot=f"slot{number}",
                    path=f"s{number}.gyseg",
                    started_at=start,
                    ended_at=end,
                    number=number + 1,
                    size=written.size,
                    sha256=written.sha256,
                    chain=before,
                    codec="mjpeg",
                    complete=True,
                    caption=msgspec.json.encode(CAPTION).decode(),
                )
            )
    return db


def _export(folder: Path, monkeypatch: pytest.MonkeyPatch, second: str, *more: str) -> int:
    lines = "li:a long pass word 1\nwang:a long pass word 1\nzhao:a long pass word 1\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    words = ["--from", "2026-03-14T09:00:02", "--to", "2026-03-14T09:00:08", "--by", "li", "--second", second]
    places = ["--config", str(folder / "centre.toml"), str(folder / "out")]
    return main(["proctor", "export", "--camera", "c1", *words, "--passwords-stdin", *more, *places])


async def test_two_people_export_and_a_changed_piece_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chief and quality supervisor export a film of six pictures, journalled with reason and hash before and after;
    the same person twice, an invigilator and an empty reason are refused; the check finds a piece with one byte
    changed and nothing else."""
    db = await _centre(tmp_path)
    hashed = await prepared_password("a long pass word 1", "nobody")
    async with db.writing() as session:
        act = Act(session, Journal("setup"), START, "setup")
        for name, role in (("li", Role.CHIEF), ("wang", Role.QUALITY), ("zhao", Role.INVIGILATOR)):
            await create_account(act, name, name, hashed, {role})
    await db.close()

    async def run(second: str, *more: str) -> int:
        return await asyncio.to_thread(_export, tmp_path, monkeypatch, second, *more)

    assert await run("li", "--reason", "复核") == 1
    assert await run("zhao", "--reason", "复核") == 1
    assert await run("wang", "--reason", " ") == 1
    assert not (tmp_path / "out").exists()
    assert await run("wang", "--reason", "复核") == 0
    with av.open(str(tmp_path / "out")) as video:
        pictures = [f.to_ndarray(format="bgr24") for f in video.decode(video.streams.video[0])]
    assert len(pictures) == 6
    assert all(int(picture[:24].max()) > 200 for picture in pictures)
    with db.sync_engine().connect() as connection:
        rows = connection.execute(JournalRecord.__table__.select()).all()
    told = [(row.kind, json.loads(row.body)) for row in rows if "export" in row.kind]
    assert [kind for kind, _ in told] == ["proctor:recording:export-intended", "proctor:recording:exported"]
    assert {body["reason"] for _, body in told} == {"复核"}
    assert len(told[1][1]["sha256"]) == 64
    capsys.readouterr()

    async def check() -> int:
        words = ["proctor", "recordings", "--check", "--config", str(tmp_path / "centre.toml")]
        return await asyncio.to_thread(main, words)

    assert await check() == 0
    path = tmp_path / "data" / "recordings" / "s1.gyseg"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    assert await check() == 1
    faults = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAULT")]
    assert [line.split("\t")[2:] for line in faults] == [["2", "s1", "recording-changed"]]


async def test_recordings_are_erased_after_their_term_unless_held(tmp_path: Path) -> None:
    """On the last day of five years nothing may be erased; the day after only what no open matter holds, and its row,
    hash and chain stay."""
    db = await _centre(tmp_path)
    pack = load_pack("beijing")

    async def held(session: object, slot: str | None) -> tuple[str, ...]:
        return ("objection",) if slot == "slot1" else ()

    last = datetime(2031, 3, 14, 15, 59, tzinfo=UTC)
    async with db.writing() as session:
        early = await erasable(session, pack, tmp_path / "data", last, held, nowhere)
        assert (early.segments, early.held, early.next_day) == ((), 0, last.date())
        late = await erasable(session, pack, tmp_path / "data", last + timedelta(minutes=1), held, nowhere)
        assert ([one.id for one in late.segments], late.held) == (["s0"], 1)
        await erase(
            Act(session, Journal("t"), last + timedelta(minutes=1), "t"), pack, tmp_path / "data", late, BY
        )
    assert [one.name for one in (tmp_path / "data" / "recordings").iterdir()] == ["s1.gyseg"]
    async with db.reading() as session:
        rows = await recording_store.chain(session, "c1")
    assert [(one.erased_at is None, bool(one.chain)) for one in rows] == [(False, True), (True, True)]
    await db.close()


async def _two_findings(db: Database, data: Path) -> None:
    """A finding of c1 in room 1 with a picture at START, and another a day later: at neither is anything recorded."""
    identity = Identity.open_or_create(data)
    evidence = EvidenceStore(data / "evidence", identity.storage_wrap, identity.storage_unwrap)
    about = {"room": "1", "kind": "empty_seat", "score": 1.0}
    async with db.writing() as session:
        alert = {"about": "1", "opened_at": START, "last_at": START, "rings": True, "state": "open"}
        session.add(AlertRow(key="a", **about, **alert))
        await session.flush()
        for number in range(2):
            session.add(
                AnomalyRow(
                    key=f"f{number}",
                    alert="a",
                    rule_version=1,
                    camera="c1",
                    seat="1",
                    started_at=START - timedelta(hours=1),
                    found_at=START + timedelta(days=number, hours=-1),
                    facts="{}",
                    picture_sha256=evidence.put(f"picture {number}".encode()),
                    **about,
                )
            )


async def test_evidence_is_erased_once(tmp_path: Path) -> None:
    """A picture that was erased is not found again a day later: it neither stands in the journal a second time nor
    takes the place of another among the 200 of a call."""
    db = await _centre(tmp_path)
    data, pack = tmp_path / "data", load_pack("beijing")
    await _two_findings(db, data)

    async def nothing(session: object, slot: str | None) -> tuple[str, ...]:
        return ()

    erased = []
    async with db.writing() as session:
        for now in (datetime(2031, 3, 14, 16, 0, tzinfo=UTC), datetime(2031, 3, 15, 16, 0, tzinfo=UTC)):
            found = await erasable(session, pack, data, now, nothing, nowhere)
            await erase(Act(session, Journal("t"), now, "t"), pack, data, found, BY)
            erased.append(len(found.evidence))
    assert erased == [1, 1]
    assert list((data / "evidence").iterdir()) == []
    await db.close()


async def test_evidence_without_a_recording_is_held_by_the_exam_in_its_room(tmp_path: Path) -> None:
    """A picture past its term of which nothing was recorded stays while an objection is open about an exam that used
    its room then, and may be erased when none did."""
    db = await _centre(tmp_path)
    data, pack = tmp_path / "data", load_pack("beijing")
    await _two_findings(db, data)
    now = datetime(2031, 3, 16, 0, 0, tzinfo=UTC)

    async def objected(session: object, slot: str) -> tuple[str, ...]:
        return ("objection",) if slot == "slot9" else ()

    async def first_day(session: object, room: str, moment: datetime) -> frozenset[str]:
        return frozenset({"slot9"} if room == "1" and moment < START else ())

    async with db.reading() as session:
        found = await erasable(session, pack, data, now, objected, first_day)
        free = await erasable(session, pack, data, now, objected, nowhere)
    assert (len(found.evidence), found.held, len(free.evidence)) == (1, 1, 2)
    await db.close()


async def test_changes_of_seats_are_erased_by_whole_hours_unless_held(tmp_path: Path) -> None:
    """The day after five years the changes of a room's seats and of its camera's health are gone but for those of an
    hour that an open matter holds, by what was recorded then or by who used the room; later days and held hours stay,
    and the journal tells room, hour and number."""
    db = await _centre(tmp_path)
    data, pack = tmp_path / "data", load_pack("beijing")
    moments = {"1": (0, 1, 24 * 60), "2": (5, 59, 61), "3": (-1, 59)}
    async with db.writing() as session:
        for room, minutes in moments.items():
            for minute in minutes:
                since = START + timedelta(minutes=minute)
                session.add(SeatStateRow(room=room, camera="c", seat="1", state="empty", since=since))
                session.add(CameraHealthRow(room=room, camera="c", at=since, faults="[]", measures="{}"))

    async def objected(session: object, slot: str) -> tuple[str, ...]:
        return ("objection",) if slot in ("slot0", "slot9") else ()

    async def used(session: object, room: str, moment: datetime) -> frozenset[str]:
        return frozenset({"slot9"} if room == "3" and moment > START else ())

    last = datetime(2031, 3, 14, 15, 59, tzinfo=UTC)
    async with db.writing() as session:
        early = await erasable(session, pack, data, last, objected, used)
        assert (early.seat_hours, early.health_hours) == ((), ())
        now = last + timedelta(minutes=1)
        found = await erasable(session, pack, data, now, objected, used)
        await erase(Act(session, Journal("t"), now, "t"), pack, data, found, BY)
    async with db.reading() as session:
        columns = (SeatStateRow.room, SeatStateRow.since), (CameraHealthRow.room, CameraHealthRow.at)
        left = [await session.execute(select(*both)) for both in columns]
        kept, kept_health = (
            sorted((room, round((at - START) / timedelta(minutes=1))) for room, at in rows) for rows in left
        )
        erased = JournalRecord.kind == "proctor:recording:erased"
        (told,) = await session.scalars(select(JournalRecord.body).where(erased))
    assert kept == kept_health == [("1", 0), ("1", 1), ("1", 24 * 60), ("3", 59)]
    for what in ("seat_changes", "camera_health"):
        hours = [(one["room"], one["hour"][11:16], one["changes"]) for one in json.loads(told)[what]]
        assert hours == [("2", "01:00", 2), ("2", "02:00", 1), ("3", "00:00", 1)]
    await db.close()


async def test_one_person_erases_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its term a recording is erased by a chief and another person with a reason, both named in the journal; by
    the chief alone, by him twice or without a reason nothing is."""
    db = await _centre(tmp_path)
    hashed = await prepared_password("a long pass word 1", "nobody")
    async with db.writing() as session:
        act = Act(session, Journal("setup"), START, "setup")
        for name, role in (("li", Role.CHIEF), ("wang", Role.QUALITY)):
            await create_account(act, name, name, hashed, {role})
        long_ago = datetime(2016, 3, 14, tzinfo=UTC)
        await session.execute(
            update(SegmentRow).values(started_at=long_ago, ended_at=long_ago + timedelta(1), slot=None)
        )
    await db.close()

    async def run(*more: str) -> int:
        lines = "li:a long pass word 1\nwang:a long pass word 1\n"
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        words = ["proctor", "erase", "--yes", "--passwords-stdin", "--config", str(tmp_path / "centre.toml")]
        return await asyncio.to_thread(main, [*words, *more])

    pieces = tmp_path / "data" / "recordings"
    for wrong in ((), ("--by", "li", "--second", "li"), ("--by", "li", "--second", "wang", "--reason", " ")):
        assert await run("--reason", "期满", *wrong) == 1
        assert len(list(pieces.iterdir())) == 2
    assert await run("--by", "li", "--second", "wang", "--reason", "期满") == 0
    assert list(pieces.iterdir()) == []
    with db.sync_engine().connect() as connection:
        rows = connection.execute(JournalRecord.__table__.select()).all()
    (told,) = [json.loads(row.body) for row in rows if row.kind == "proctor:recording:erased"]
    assert (told["by"], told["second"], told["reason"], len(told["segments"])) == ("li", "wang", "期满", 2)


async def test_a_new_findings_clip_waits_for_none_that_cannot_be_cut(tmp_path: Path) -> None:
    """With eight older findings of which nothing can be read, the clip of a new one is cut in the third turn."""
    db = await _centre(tmp_path)
    data = tmp_path / "data"
    await _two_findings(db, data)
    identity = Identity.open_or_create(data)
    async with db.writing() as session:
        await session.execute(delete(AnomalyRow))
        for number in range(9):
            camera = "c1" if number == 8 else "gone"
            found = START + timedelta(seconds=number / 4)
            row = {"alert": "a", "rule_version": 1, "facts": "{}", "room": "1", "kind": "empty_seat"}
            row |= {
                "key": f"n{number}",
                "camera": camera,
                "started_at": found,
                "found_at": found,
                "score": 1.0,
            }
            session.add(AnomalyRow(**row))

    def read(segment: recording_store.Segment) -> bytes:
        return read_segment(data / "recordings" / segment.path, identity.storage_unwrap)[0]

    evidence = EvidenceStore(data / "evidence", identity.storage_wrap, identity.storage_unwrap)
    clips = Clips(db, Journal("t"), evidence, read)
    now = START + timedelta(minutes=1)
    kept = [await clips.keep(now) for _ in range(3)]
    assert kept == [0, 0, 1]
    async with db.reading() as session:
        names = dict((await session.execute(select(AnomalyRow.key, AnomalyRow.clip_sha256))).tuples().all())
    assert [key for key, name in names.items() if name] == ["n8"]
    await db.close()
