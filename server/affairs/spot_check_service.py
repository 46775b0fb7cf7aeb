"""Use cases of the district's spot check: commit, draw, report."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import plans, spot_check, store
from server.affairs.enrolment import EnrolmentEvent
from server.affairs.models import SpotCheckRow
from server.affairs.roster_service import change_enrolment
from server.db.act import Act
from server.errors import NotFound, Refusal, Refused
from server.law.pack import Pack
from server.law.workdays import day_start


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """A plan's spot check. `secret`, `nonce`, `seed` are hex and None until drawn: then anyone can redraw."""

    plan: str
    commitment: str
    secret: str | None
    nonce: str | None
    seed: str | None
    drawn: tuple[str, ...]
    unqualified: tuple[str, ...]
    drawn_at: datetime | None
    reported_at: datetime | None


async def spot_check_of(session: AsyncSession, plan: str) -> SpotCheck:
    """Return the spot check of a plan; NotFound before its commitment."""
    row = await session.get(SpotCheckRow, plan)
    if row is None:
        raise NotFound("spot-check-unknown", plan=plan)
    return _fact(row)


async def commit_spot_check(act: Act, plan: str) -> SpotCheck:
    """Make the officer's secret and publish its hash, before the draw; refused a second time."""
    await store.plan_row(act.session, plan)
    if await act.session.get(SpotCheckRow, plan) is not None:
        raise Refused(Refusal("spot-check-committed-already", "BJ-E:13", {"plan": plan}))
    secret = secrets.token_bytes(32)
    row = SpotCheckRow(
        plan=plan,
        commitment=spot_check.commitment(secret),
        secret=secret,
        drawn="[]",
        unqualified="[]",
        committed_by=act.actor,
        committed_at=act.now,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record("affairs:spot-check:committed", {"plan": plan, "commitment": row.commitment.hex()})
    return _fact(row)


async def draw_spot_check(act: Act, pack: Pack, plan: str) -> SpotCheck:
    """Draw the candidates to be checked, once the candidates are confirmed.

    The nonce is the hash of the organisation's confirmed list when the commitment is older than the list;
    else a second officer's random 32 bytes, so that nobody alone chooses the seed.
    """
    row = await act.session.get(SpotCheckRow, plan)
    if row is None:
        raise Refused(Refusal("spot-check-not-committed", "BJ-E:13", {"plan": plan}))
    if row.drawn_at is not None:
        raise Refused(Refusal("spot-check-drawn-already", "BJ-E:13", {"plan": plan}))
    facts = await store.plan(act.session, plan)
    if facts.candidates_confirmed_at is None:
        raise Refused(Refusal("spot-check-before-confirmation", "BJ-E:12", {"plan": plan}))
    candidates = [candidate.id for candidate in await store.candidates(act.session, plan)]
    if row.committed_at < facts.candidates_confirmed_at:
        nonce = spot_check.list_hash(candidates)
    elif act.actor != row.committed_by:
        nonce = secrets.token_bytes(32)
    else:
        raise Refused(Refusal("spot-check-needs-second-officer", "BJ-E:13", {"plan": plan}))
    row.nonce = nonce
    row.seed = spot_check.seed(row.secret, nonce, candidates)
    drawn = spot_check.drawn(pack, row.seed, candidates)
    row.drawn = msgspec.json.encode(drawn).decode()
    row.drawn_at = act.now
    await act.session.flush()
    await act.record("affairs:spot-check:drawn", {"plan": plan, "seed": row.seed.hex(), "drawn": list(drawn)})
    return _fact(row)


async def report_spot_check(act: Act, plan: str, unqualified: Sequence[str], reason: str) -> SpotCheck:
    """Report the result, before the first exam day; candidates found unqualified lose their enrolment."""
    row = await act.session.get(SpotCheckRow, plan)
    if row is None or row.drawn_at is None:
        raise Refused(Refusal("spot-check-not-drawn", "BJ-E:13", {"plan": plan}))
    if row.reported_at is not None:
        raise Refused(Refusal("spot-check-reported-already", "BJ-E:13", {"plan": plan}))
    first = plans.first_day(await store.slots(act.session, plan))
    if act.now >= day_start(first):
        raise Refused(Refusal("spot-check-late", "BJ-E:13", {"first_day": first.isoformat()}))
    strange = sorted(set(unqualified) - set(_fact(row).drawn))
    if strange:
        raise Refused(Refusal("spot-check-not-of-the-draw", "BJ-E:13", {"candidate": strange[0]}))
    for candidate in unqualified:
        await change_enrolment(act, candidate, EnrolmentEvent.REFUSE, reason)
    row.unqualified = msgspec.json.encode(list(unqualified)).decode()
    row.reported_at = act.now
    await act.session.flush()
    await act.record("affairs:spot-check:reported", {"plan": plan, "unqualified": list(unqualified)})
    return _fact(row)


def _fact(row: SpotCheckRow) -> SpotCheck:
    drawn = row.drawn_at is not None
    return SpotCheck(
        plan=row.plan,
        commitment=row.commitment.hex(),
        secret=row.secret.hex() if drawn else None,
        nonce=row.nonce.hex() if row.nonce is not None else None,
        seed=row.seed.hex() if row.seed is not None else None,
        drawn=msgspec.json.decode(row.drawn, type=tuple[str, ...]),
        unqualified=msgspec.json.decode(row.unqualified, type=tuple[str, ...]),
        drawn_at=row.drawn_at,
        reported_at=row.reported_at,
    )
