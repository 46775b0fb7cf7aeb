"""`gongyuan proctor recordings|export|erase`: a centre's recordings at the terminal."""

import argparse
import asyncio
import getpass
import hashlib
import sys
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.accounts.service import SignInFailures, verified
from server.cli.common import add_config, clock_from, settings_from
from server.cli.desk import terminal_actor
from server.clock import SHANGHAI, Clock
from server.conduct.holds import holds, slots_in_room
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, GongyuanError, Refusal, Refused
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.proctor import recording_store, store
from server.proctor.course import FIRST_CHAIN, chained
from server.proctor.erasing import Erasers, erasable, erase
from server.proctor.evidence import Picture
from server.proctor.evidence_view import faces_in
from server.proctor.masking import masked
from server.proctor.playback import clip, film
from server.proctor.segment_file import read_segment
from server.publicity.holding import plans_with_objections
from server.settings import Settings

MOST_MINUTES = 240
_MAY = frozenset({Role.CHIEF, Role.DEPUTY, Role.QUALITY, Role.SUPERVISOR})
_LEAD = frozenset({Role.CHIEF, Role.DEPUTY})


class _Centre:
    """A centre's database and keys for one command."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.settings: Settings = settings_from(args, "centre")
        self.clock: Clock = clock_from(args)
        self.db = Database(self.settings.database_url)
        self.journal = Journal("terminal")
        self.identity = Identity.open_or_create(self.settings.folder)
        self.folder = self.settings.folder / "recordings"

    def read(self, segment: recording_store.Segment) -> bytes:
        path = self.folder / segment.path
        return read_segment(path, self.identity.storage_unwrap, segment.sha256)[0]

    def act(self, session: AsyncSession, actor: str) -> Act:
        return Act(session, self.journal, self.clock.legal(), actor)


def add(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the acts of the group."""
    listed = acts.add_parser(
        "recordings", help="list a centre's recordings and check them; status 1 at a fault"
    )
    listed.add_argument("--check", action="store_true", help="read every piece and count its chain again")
    add_config(listed)
    listed.set_defaults(run=lambda args: asyncio.run(_recordings(args)))
    out = acts.add_parser("export", help="write a part of a recording to a file, by two people with a reason")
    out.add_argument("--camera", required=True, metavar="ID")
    out.add_argument(
        "--from",
        dest="start",
        required=True,
        type=datetime.fromisoformat,
        metavar="TIME",
        help="ISO; Beijing time",
    )
    out.add_argument(
        "--to", dest="end", required=True, type=datetime.fromisoformat, metavar="TIME", help="exclusive"
    )
    _add_two(out, required=True)
    out.add_argument(
        "--seat", metavar="SEAT", help='mask everybody but this seat (with "": those at no seat)'
    )
    out.add_argument(
        "--original",
        action="store_true",
        help="without re-encoding, as Matroska with a caption track, nobody masked; default: MP4, caption drawn",
    )
    out.add_argument("out", type=Path, metavar="FILE")
    add_config(out)
    out.set_defaults(run=lambda args: asyncio.run(_export(args)))
    gone = acts.add_parser("erase", help="erase what is past its term; without --yes only say what that is")
    gone.add_argument("--yes", action="store_true", help="erase it: takes --by, --second and --reason")
    _add_two(gone, required=False)
    add_config(gone)
    gone.set_defaults(run=lambda args: asyncio.run(_erase(args)))


def _add_two(act: argparse.ArgumentParser, *, required: bool) -> None:
    """Name the two people of an act and its reason."""
    act.add_argument("--reason", required=required, default="", help="why, for the journal")
    act.add_argument("--by", required=required, default="", metavar="USERNAME", help="chief or deputy")
    act.add_argument("--second", required=required, default="", metavar="USERNAME", help="another person")
    act.add_argument("--passwords-stdin", action="store_true", help="read lines username:password")


async def _recordings(args: argparse.Namespace) -> int:
    centre = _Centre(args)
    faults = 0
    async with centre.db.reading() as session:
        cameras = await recording_store.cameras_recorded(session)
        for camera in cameras:
            pieces = await recording_store.chain(session, camera)
            seconds = sum(
                ((one.ended_at or one.started_at) - one.started_at).total_seconds() for one in pieces
            )
            size = sum(one.size for one in pieces if one.erased_at is None)
            cut = sum(not one.complete for one in pieces)
            print(f"{camera}\t{len(pieces)} pieces\t{seconds / 60:.1f} min\t{size / 1e6:.1f} MB\t{cut} cut")
            if args.check:
                faults += _check(centre, pieces)
        for gap in await recording_store.gaps(session):
            end = "…" if gap.ended_at is None else f"{gap.ended_at.astimezone(SHANGHAI):%H:%M:%S}"
            start = gap.started_at.astimezone(SHANGHAI)
            print(f"gap\t{gap.camera}\t{start:%Y-%m-%d %H:%M:%S}–{end}\t{gap.code} {gap.reason}")
    await centre.db.close()
    return 1 if faults else 0


def _check(centre: _Centre, pieces: tuple[recording_store.Segment, ...]) -> int:
    faults, before = 0, FIRST_CHAIN
    for one in pieces:
        before = chained(before, one.id, one.started_at, one.ended_at or one.started_at, one.sha256 or "")
        fault = "" if before == one.chain else "chain"
        before = one.chain or before
        if not fault and one.erased_at is None and one.sha256:
            try:
                centre.read(one)
            except GongyuanError as error:
                fault = error.code
        if fault:
            faults += 1
            print(f"FAULT\t{one.camera}\t{one.number}\t{one.id}\t{fault}")
    return faults


async def _two(centre: _Centre, args: argparse.Namespace) -> None:
    """Check the reason, and both people's passwords and roles: the first leads the centre, the second may look at
    recordings."""
    if not args.reason.strip():
        raise BadInput("recording-reason")
    if not args.by or not args.second or args.by == args.second:
        raise BadInput("recording-second")
    given: dict[str, str] = {}
    if args.passwords_stdin:
        lines = (line.partition(":") for line in sys.stdin.read().splitlines() if line)
        given = {name.strip(): password for name, _colon, password in lines}
    failures = SignInFailures()
    async with centre.db.reading() as session:
        for username, roles in ((args.by, _LEAD), (args.second, _MAY)):
            password = (
                given.get(username, "")
                if args.passwords_stdin
                else getpass.getpass(f"password of {username}: ")
            )
            account = await verified(
                session, failures, username, password, "terminal", centre.clock.monotonic()
            )
            if account.closed or not account.roles & roles:
                raise Refused(Refusal("recording-role", facts={"username": username}))


async def _export(args: argparse.Namespace) -> int:
    centre = _Centre(args)
    start, end = (one if one.tzinfo else one.replace(tzinfo=SHANGHAI) for one in (args.start, args.end))
    if not timedelta(0) < end - start <= timedelta(minutes=MOST_MINUTES):
        raise BadInput("export-times", most=MOST_MINUTES)
    await _two(centre, args)
    facts = {
        "camera": args.camera,
        "from": start.isoformat(),
        "to": end.isoformat(),
        "by": args.by,
        "second": args.second,
        "reason": args.reason.strip(),
        "original": args.original,
        "seat": args.seat,
    }
    async with centre.db.writing() as session:
        await centre.act(session, terminal_actor()).record("proctor:recording:export-intended", facts)
    async with centre.db.reading() as session:
        pieces = await recording_store.segments(session, args.camera, start, end)
        layout = await store.layout(session, args.camera)

    def mask(picture: Picture) -> Picture:
        return masked(picture, layout, args.seat or "", faces_in(picture))

    if args.original:
        args.out.write_bytes(clip(pieces, start, end, centre.read))
    else:
        with args.out.open("wb") as out:
            film(pieces, start, end, centre.read, out, layout, None if args.seat is None else mask)
    with args.out.open("rb") as made:
        sha256 = hashlib.file_digest(made, "sha256").hexdigest()
    async with centre.db.writing() as session:
        await centre.act(session, terminal_actor()).record(
            "proctor:recording:exported", {**facts, "sha256": sha256, "bytes": args.out.stat().st_size}
        )
    await centre.db.close()
    print(f"{args.out}  SHA-256 {sha256}")
    return 0


async def _erase(args: argparse.Namespace) -> int:
    centre = _Centre(args)
    if args.yes:
        await _two(centre, args)
    pack = load_pack(centre.settings.jurisdiction)
    async with centre.db.reading() as session:
        objections = await plans_with_objections(session)

        async def held(session: AsyncSession, slot: str) -> tuple[str, ...]:
            return await holds(session, slot, objections)

        found = await erasable(
            session, pack, centre.settings.folder, centre.clock.legal(), held, slots_in_room
        )
    if args.yes:
        async with centre.db.writing() as session:
            by = Erasers(args.by, args.second, args.reason.strip())
            await erase(centre.act(session, terminal_actor()), pack, centre.settings.folder, found, by)
    await centre.db.close()
    verb = "erased" if args.yes else "may be erased (--yes)"
    print(
        f"{verb}: {len(found.segments)} pieces, {found.size / 1e6:.1f} MB, {len(found.evidence)} pictures and clips, "
        f"{found.changes} changes of seats, {found.health_changes} of cameras' health"
    )
    print(f"past their term and held by something open: {found.held}")
    if found.next_day is not None:
        print(f"the next pieces are kept until {found.next_day} (inclusive)")
    return 0
