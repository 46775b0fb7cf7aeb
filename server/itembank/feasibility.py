"""Whether a bank can fill a blueprint for so many papers, from what is public of its items: no opening is needed.

Three things make a cell short: too few items; enemies among them, so that too few may stand on one paper; an
exposure limit that leaves too few uses. Each shortage is in items: how many more the cell needs at least.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from server.errors import Fact, Refusal
from server.itembank.blueprint import Blueprint, CellKey

Cause = Literal["items", "enemies", "exposure"]


@dataclass(frozen=True, slots=True)
class Usable:
    """An item of a cell, and on how many papers of this draw it may stand."""

    item: str
    cap: int


@dataclass(frozen=True, slots=True)
class CellShortage:
    """A cell that the bank cannot fill: `missing` more items are needed at least.

    `have`, `need`: items that can be used on one paper and the cell's count; for the cause `exposure` the uses that
    are left and the uses that all papers need.
    """

    key: CellKey
    cause: Cause
    have: int
    need: int
    missing: int


def shortages_of(
    blueprint: Blueprint,
    pools: Sequence[Sequence[Usable]],
    enemies: Iterable[tuple[str, str]],
    papers: int,
) -> tuple[CellShortage, ...]:
    """Return the cells that cannot be filled, in the blueprint's order; `pools[i]` are the items of cell i.

    A shortage that is returned is certain. Bounds that tie several cells or papers together (enemies in different
    cells, overlap, difficulty) are only seen by a trial draw.
    """
    foes: dict[str, set[str]] = {}
    for one, other in enemies:
        foes.setdefault(one, set()).add(other)
        foes.setdefault(other, set()).add(one)
    found: list[CellShortage] = []
    for cell, pool in zip(blueprint.cells, pools, strict=True):
        if len(pool) < cell.count:
            missing = cell.count - len(pool)
            found.append(CellShortage(cell.key, "items", len(pool), cell.count, missing))
            continue
        usable = [one for one in pool if one.cap > 0]
        together = _most_together([one.item for one in usable], foes)
        uses = sum(min(one.cap, papers) for one in usable)
        lacking = cell.count * papers - uses
        if lacking > 0:
            fresh = papers if blueprint.exposure_limit is None else min(papers, blueprint.exposure_limit)
            missing = max(-(-lacking // fresh), cell.count - len(usable))
            found.append(CellShortage(cell.key, "exposure", uses, cell.count * papers, missing))
        elif together < cell.count:
            missing = cell.count - together
            found.append(CellShortage(cell.key, "enemies", together, cell.count, missing))
    return tuple(found)


def _most_together(items: Sequence[str], foes: Mapping[str, set[str]]) -> int:
    """Return a number of items above which no enemy-free choice goes: groups in which all are enemies of all give
    one each."""
    groups: list[set[str]] = []
    free = 0
    for item in items:
        those = foes.get(item)
        if not those:
            free += 1
            continue
        for group in groups:
            if group <= those:
                group.add(item)
                break
        else:
            groups.append({item})
    return free + len(groups)


def refusal_of(blueprint: Blueprint, short: Sequence[CellShortage]) -> Refusal | None:
    """Refuse a blueprint with short cells; the facts count cells and missing items and name each cell."""
    if not short:
        return None
    named = "; ".join(
        f"{one.key.point} / {one.key.type} / {one.key.band}: {one.have} < {one.need}"
        + ("" if one.cause == "items" else f" ({one.cause})")
        for one in short
    )
    facts: dict[str, Fact] = {
        "cells": len(short),
        "missing": sum(one.missing for one in short),
        "short": named,
    }
    return Refusal("blueprint-not-fillable", facts=facts)
