"""Use cases of the yearly texts of an organisation: lodge, read, and the notices that the city publishes."""

import hashlib
import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store, yearly
from server.affairs.models import YearlyRow
from server.affairs.standing import ActKind, may
from server.affairs.yearly import Lodged
from server.db.act import Act
from server.errors import required
from server.law.pack import Pack
from server.law.workdays import legal_day


async def lodge(act: Act, pack: Pack, organisation: str, code: str, year: int, text: str) -> Lodged:
    """Lodge a text for a year; a further one is its next version. A late one is kept and marked."""
    row_of = await store.organisation_row(act.session, organisation, lock=True)
    required(may(ActKind.PUBLICITY, store.standing_fact(row_of)))
    today = legal_day(act.now)
    required(yearly.may_lodge(pack, code, year, text, today))
    before = [one for one in await lodged(act.session, organisation) if (one.code, one.year) == (code, year)]
    row = YearlyRow(
        id=str(uuid.uuid4()),
        organisation=organisation,
        code=code,
        year=year,
        version=1 + max((one.version for one in before), default=0),
        text=text.strip(),
        sha256=hashlib.sha256(text.strip().encode()).digest(),
        late=yearly.is_late(pack, code, year, today),
        lodged_at=act.now,
        lodged_by=act.actor,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        "affairs:yearly:lodged",
        {
            "organisation": organisation,
            "code": code,
            "year": year,
            "late": row.late,
            "sha256": row.sha256.hex(),
        },
    )
    return _fact(row)


async def lodged(session: AsyncSession, organisation: str | None = None) -> tuple[Lodged, ...]:
    """Return what one organisation, or all, lodged: the newest year first, then the newest version."""
    query = select(YearlyRow).order_by(YearlyRow.year.desc(), YearlyRow.code, YearlyRow.version.desc())
    if organisation is not None:
        query = query.where(YearlyRow.organisation == organisation)
    return tuple(_fact(row) for row in await session.scalars(query))


async def notice_years(session: AsyncSession) -> dict[str, int]:
    """Return the newest year for which each organisation has a notice; reads no text, since anybody may ask."""
    rows = await session.execute(
        select(YearlyRow.organisation, func.max(YearlyRow.year))
        .where(YearlyRow.code == yearly.NOTICE)
        .group_by(YearlyRow.organisation)
    )
    return dict(rows.tuples().all())


async def newest_notice(session: AsyncSession, organisation: str) -> Lodged | None:
    """Return the newest version of an organisation's notice of its newest year, or None."""
    row = await session.scalar(
        select(YearlyRow)
        .where(YearlyRow.code == yearly.NOTICE, YearlyRow.organisation == organisation)
        .order_by(YearlyRow.year.desc(), YearlyRow.version.desc())
        .limit(1)
    )
    return None if row is None else _fact(row)


def _fact(row: YearlyRow) -> Lodged:
    return Lodged(
        row.organisation,
        row.code,
        row.year,
        row.version,
        row.text,
        row.sha256,
        row.late,
        row.lodged_at,
        row.lodged_by,
    )
