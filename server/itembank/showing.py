"""What an item looks like to a candidate: the one way from content to what stands on a paper.

The drawn paper and the editor's preview both come from `shown`, so that a writer sees what a candidate sees.
"""

from collections.abc import Sequence

from server.itembank.items import LABELS, ItemContent, SubItem, hundredths
from server.protocol.paper import Option, PaperItem

JUDGE_OPTIONS = (Option("T", "正确"), Option("F", "错误"))


def shown(
    content: ItemContent, number: int = 1, order: Sequence[int] | None = None, score: float | None = None
) -> tuple[PaperItem, ...]:
    """Return the entries of an item from `number` on: one, or one for each sub-item of a case.

    `order` says which option stands first, second, … (indexes from 0; None: as in the bank); a case has the orders of
    its sub-items in it, one after the other. `score` is what the item is worth on this paper
    (None: as in the bank).
    """
    worth = content.score if score is None else score
    if content.type != "case":
        return (_entry(number, content, range(len(content.options)) if order is None else order, worth),)
    scores = shares(worth, [part.score for part in content.parts])
    orders = orders_of_parts(content, order)
    return tuple(
        _entry(
            number + place,
            part,
            orders[place],
            score,
            part=place + 1,
            parts=len(content.parts),
            material="" if place else content.stem,
        )
        for place, (part, score) in enumerate(zip(content.parts, scores, strict=True))
    )


def orders_of_parts(content: ItemContent, order: Sequence[int] | None) -> tuple[tuple[int, ...], ...]:
    """Return the order of options of each sub-item of a case; an empty one or None leaves all as in the bank."""
    orders: list[tuple[int, ...]] = []
    at = 0
    for part in content.parts:
        count = len(part.options)
        orders.append(tuple(order[at : at + count]) if order else tuple(range(count)))
        at += count
    return tuple(orders)


def _entry(
    number: int,
    content: ItemContent | SubItem,
    order: Sequence[int],
    score: float,
    part: int = 0,
    parts: int = 0,
    material: str = "",
) -> PaperItem:
    options: tuple[Option, ...] = JUDGE_OPTIONS
    if content.type != "judge":
        texts = content.options
        options = tuple(Option(LABELS[place], texts[option]) for place, option in enumerate(order))
    blanks = len(content.accepted)
    return PaperItem(number, content.type, content.stem, score, options, blanks, part, parts, material)


def shares(total: float, weights: Sequence[float]) -> list[float]:
    """Return `total` points parted in proportion to the weights, in whole hundredths that make up the total.

    Weights that make up the total are returned as they are; what rounding leaves goes to the largest remainders,
    the first of equal ones first.
    """
    whole = hundredths((total,))
    parted = [hundredths((weight,)) for weight in weights]
    if not parted or sum(parted) == whole:
        return [float(weight) for weight in weights]
    exact = [divmod(whole * weight, sum(parted)) for weight in parted]
    given = [floor for floor, _ in exact]
    order = sorted(range(len(exact)), key=lambda place: (-exact[place][1], place))
    for place in order[: whole - sum(given)]:
        given[place] += 1
    return [one / 100 for one in given]
