"""Reads packs and calendars from their TOML files, once per process.

A pack is the folder `packs/<jurisdiction>/`; its files may divide the sections of `Pack` as they like:
lists of one section found in several files are joined in order of file name. A folder more is a
jurisdiction more: no code knows their names.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from server.errors import BadInput, NotFound
from server.law.closed import Closed, Text
from server.law.enforcement_entries import Violation
from server.law.naming import article_name
from server.law.pack import Pack
from server.law.references import faults
from server.law.workdays import Calendar, YearNotice, calendar_of

_HERE = Path(__file__).parent
PACKS = _HERE / "packs"
CALENDARS = _HERE / "calendars"
CLAUSES = _HERE / "clauses.toml"

_CODE = re.compile(r"[a-z][a-z0-9-]*")
_LISTS = tuple(
    field.name for field in msgspec.structs.fields(Pack) if field.name not in ("header", "certificate")
)

# One file of a pack: every section of Pack, each of them optional, and nothing else.
_PackFile = msgspec.defstruct(
    "PackFile",
    [
        (field.name, field.type, ())
        if field.name in _LISTS
        else (field.name, field.type | msgspec.UnsetType, msgspec.UNSET)
        for field in msgspec.structs.fields(Pack)
    ],
    forbid_unknown_fields=True,
    frozen=True,
    kw_only=True,
)


class _Holiday(Closed, frozen=True):
    name: Text
    first: date
    last: date
    make_up: tuple[date, ...] = ()


class _CalendarFile(Closed, frozen=True):
    year: int
    number: str
    issued: date
    holidays: tuple[_Holiday, ...]


class Clause(Closed, frozen=True):
    """One clause of a regulation: whether software must carry it out."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in ("computable", "recorded", "out of scope"):
            raise ValueError(f"no kind of clause: {self.kind}")


class _ClauseFile(Closed, frozen=True):
    clauses: dict[str, Clause]


def jurisdictions(folder: Path = PACKS) -> tuple[str, ...]:
    """Return the codes of all packs there are, sorted."""
    return tuple(sorted(entry.name for entry in folder.iterdir() if any(entry.glob("*.toml"))))


@cache
def load_pack(jurisdiction: str, folder: Path = PACKS) -> Pack:
    """Return a jurisdiction's pack; the same object at each call.

    NotFound when there is none; BadInput, naming file and place, when a file is not of the form, holds an
    unknown key, or when the pack names something that it does not have.
    """
    home = folder / jurisdiction
    files = sorted(home.glob("*.toml")) if _CODE.fullmatch(jurisdiction) else []
    if not files:
        raise NotFound("law-pack-unknown", jurisdiction=jurisdiction)
    sections: dict[str, Any] = {}
    for path in files:
        page = _decode(path, _PackFile)
        for name in _LISTS:
            sections[name] = (*sections.get(name, ()), *getattr(page, name))
        for name in ("header", "certificate"):
            value = getattr(page, name)
            if value is not msgspec.UNSET:
                if name in sections:
                    raise _faulty(path, f"`{name}` stands in an earlier file of this pack too")
                sections[name] = value
    missing = [name for name in ("header", "certificate") if name not in sections]
    if missing:
        raise _faulty(home, f"no file has the section `{missing[0]}`")
    pack = _with_tier_consequences(Pack(**sections))
    found = faults(pack)
    if pack.jurisdiction != jurisdiction:
        found = (f"the header says {pack.jurisdiction!r}, the folder {jurisdiction!r}", *found)
    if found:
        raise _faulty(home, "; ".join(found))
    return pack


@cache
def article_title(article: str) -> Text:
    """Return how people call an article of any pack's documents, such as 《…》第八条; the bare id if no pack has it.

    BadInput when the text is no article id.
    """
    for jurisdiction in jurisdictions():
        name = article_name(load_pack(jurisdiction), article)
        if name is not None:
            return name
    return Text(zh=article, en=article)


def load_calendar(
    years: Iterable[int] | None = None, folder: Path = CALENDARS, added: Path | None = None
) -> Calendar:
    """Return the calendar of the named years, or of every year there is a file for.

    `added` is a further folder, where an installation puts the notices issued after this version; it may
    add years and never replace one. YearUnknown when a named year has no file; BadInput, naming file and
    place, when a file is not of the form or a year stands in both folders.
    """
    return _load_calendar(None if years is None else tuple(sorted(set(years))), folder, added)


@cache
def _load_calendar(years: tuple[int, ...] | None, folder: Path, added: Path | None) -> Calendar:
    folders = [folder] if added is None else [folder, added]
    paths = [path for home in folders for path in sorted(home.glob("*.toml"))]
    calendar = calendar_of(_notice(path) for path in paths)
    if years is None:
        return calendar
    return calendar_of(calendar.notice(year) for year in years)


def _notice(path: Path) -> YearNotice:
    page: _CalendarFile = _decode(path, _CalendarFile)
    if str(page.year) != path.stem:
        raise _faulty(path, f"the file is of {page.year}")
    off = [
        holiday.first + timedelta(days=k)
        for holiday in page.holidays
        for k in range((holiday.last - holiday.first).days + 1)
    ]
    make_up = [day for holiday in page.holidays for day in holiday.make_up]
    return YearNotice(page.year, page.number, page.issued, frozenset(off), frozenset(make_up))


@cache
def load_clauses(path: Path = CLAUSES) -> dict[str, Clause]:
    """Return every listed clause, id → kind and content.

    BadInput, naming the place, when the list is not sound.
    """
    page: _ClauseFile = _decode(path, _ClauseFile)
    return page.clauses


def _decode(path: Path, type: type[Any]) -> Any:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _faulty(path, str(error)) from error


def _faulty(path: Path, fault: str) -> BadInput:
    return BadInput("law-pack-faulty", place="/".join(path.parts[-2:]), fault=fault)


def _with_tier_consequences(pack: Pack) -> Pack:
    """Give each violation without consequences of its own those of its tier."""
    tiers = {tier.code: tier for tier in pack.tiers}

    def filled(violation: Violation) -> Violation:
        if violation.consequences or violation.tier not in tiers:
            return violation
        return msgspec.structs.replace(violation, consequences=tiers[violation.tier].consequences)

    return msgspec.structs.replace(pack, violations=tuple(filled(v) for v in pack.violations))
