"""What may be said of a draw without naming a text: counts, exposure, what neighbours have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.papers.bounds import neighbours_of
from server.papers.drawing import SPARE, Draw, DrawItem


@dataclass(frozen=True, slots=True)
class DrawFigures:
    """What can be said of a draw without naming an item: counts, exposure and neighbours' common items."""

    papers: int
    spares: int
    items: int
    used: int
    exposure: int
    """Papers on which the most used item stands."""
    overlap: int
    """Most common items of two papers at neighbouring seats."""


def figures_of(draws: Sequence[Draw], seat_rows: int = 0) -> DrawFigures:
    """Count papers, spares, items a paper, items used, the largest exposure in this draw, and the largest overlap
    of neighbours (`bounds.neighbours_of`)."""
    exposure: dict[int, int] = {}
    for one in draws:
        for item in one.items:
            exposure[item] = exposure.get(item, 0) + 1
    beside = neighbours_of([(one.place.room, one.place.seat) for one in draws], seat_rows)
    held = [set(one.items) for one in draws]
    overlap = max(
        (len(held[one] & held[other]) for one, those in enumerate(beside) for other in those if other > one),
        default=0,
    )
    spares = sum(one.place.sitting == SPARE for one in draws)
    return DrawFigures(
        papers=len(draws) - spares,
        spares=spares,
        items=len(draws[0].items) if draws else 0,
        used=len(exposure),
        exposure=max(exposure.values(), default=0),
        overlap=overlap,
    )


def exposure_of(draws: Sequence[Draw], bank: Sequence[DrawItem]) -> tuple[tuple[str, int, int], ...]:
    """Return (item, version, papers of this draw on which it stands), ascending, spares counted."""
    counts: dict[int, int] = {}
    for one in draws:
        for item in one.items:
            counts[item] = counts.get(item, 0) + 1
    return tuple((bank[index].item, bank[index].version, counts[index]) for index in sorted(counts))


def figures_as_facts(figures: DrawFigures) -> Mapping[str, int]:
    """Return the figures as facts for journal and report."""
    return {
        "papers": figures.papers,
        "spares": figures.spares,
        "items": figures.items,
        "used": figures.used,
        "exposure": figures.exposure,
        "overlap": figures.overlap,
    }
