"""What stands twice: in one file, or in a file and the bank."""

from collections.abc import Sequence
from dataclasses import replace

from server.itembank.interchange import answers
from server.itembank.interchange.rows import Remark, RowOutcome, RowStatus
from server.itembank.items import LABELS, ItemContent


def marked_twice(outcomes: Sequence[RowOutcome]) -> tuple[RowOutcome, ...]:
    """Mark what stands twice in one file: the same item (skipped), the same label, the same stem, another
    key."""
    labels: dict[str, str] = {}
    stems: dict[str, RowOutcome] = {}
    marked: list[RowOutcome] = []
    for outcome in outcomes:
        content = outcome.content
        if content is None:
            marked.append(outcome)
            continue
        doubts: list[Remark] = []
        stem = answers.folded(content.stem)
        earlier = stems.setdefault(stem, outcome)
        if earlier is not outcome and earlier.content is not None:
            code = _sameness(earlier.content, content)
            if code == "item-twice-in-file":
                remark = Remark(code, outcome.place, False, {"first": earlier.place})
                marked.append(
                    replace(
                        outcome, status=RowStatus.SKIPPED, content=None, remarks=(*outcome.remarks, remark)
                    )
                )
                continue
            doubts.append(Remark(code, outcome.place, True, {"first": earlier.place}))
        if content.label:
            first = labels.setdefault(content.label, outcome.place)
            if first != outcome.place:
                doubts.append(
                    Remark(
                        "label-twice-in-file", outcome.place, True, {"label": content.label, "first": first}
                    )
                )
        if doubts:
            outcome = replace(outcome, status=RowStatus.DOUBTFUL, remarks=(*outcome.remarks, *doubts))
        marked.append(outcome)
    return tuple(marked)


def right_texts(content: ItemContent) -> frozenset[str]:
    """Return what is right in words, so that two orders of the same options compare equal."""
    if content.type in ("single", "multiple"):
        return frozenset(answers.folded(content.options[LABELS.index(label)]) for label in content.key)
    if content.type == "fill":
        return frozenset("\n".join(texts) for texts in content.accepted)
    if content.type == "short":
        return frozenset(
            {answers.folded(content.model), *(answers.folded(one.text) for one in content.rubric)}
        )
    if content.type == "case":
        return frozenset(
            "\n".join((answers.folded(part.stem), *part.key, part.model, *map("/".join, part.accepted)))
            for part in content.parts
        )
    return frozenset(content.key)


def same_options(left: ItemContent, right: ItemContent) -> bool:
    """Say whether two items offer the same options, in whatever order."""
    return sorted(map(answers.folded, left.options)) == sorted(map(answers.folded, right.options))


def _sameness(earlier: ItemContent, later: ItemContent) -> str:
    if earlier.type == later.type and same_options(earlier, later):
        same = right_texts(earlier) == right_texts(later)
        return "item-twice-in-file" if same else "key-disagrees-with-copy"
    return "stem-twice-in-file"
