"""What headless candidates answer, type by type."""

from random import Random

import pytest

from kiosk.choice import choose, plain_knowledge
from server.protocol.paper import ItemType, Option, PaperItem

OPTIONS = tuple(Option(label, f"option {label}") for label in "ABCD")


def entry(kind: ItemType) -> PaperItem:
    """Return an entry of a type as it stands on a paper."""
    options = OPTIONS if kind in ("single", "multiple") else ()
    return PaperItem(1, kind, "<p>Why?</p>", 2.0, options, 2 if kind == "fill" else 0)


@pytest.mark.parametrize(
    ("kind", "known", "answer"),
    [
        ("single", ("option B",), ("B",)),
        ("multiple", ("option C", "option A"), ("A", "C")),
        ("fill", ("one", "two"), ("one", "two")),
        ("short", ("because of this",), ("because of this",)),
    ],
)
def test_who_knows_answers_rightly(kind: ItemType, known: tuple[str, ...], answer: tuple[str, ...]) -> None:
    """A candidate of full ability gives what is known of the stem, in displayed labels."""
    assert choose(entry(kind), plain_knowledge({"Why?": known}), 1.0, Random(1)) == answer


@pytest.mark.parametrize("kind", ["single", "multiple", "judge", "fill", "short"])
def test_who_guesses_gives_an_answer_of_the_right_form(kind: ItemType) -> None:
    """Without knowledge an answer is one label, several in order, a text a blank, or words."""
    for seed in range(20):
        answer = choose(entry(kind), {}, 0.5, Random(seed))
        assert all(answer)
        assert list(answer) == sorted(answer) or kind == "fill"
        assert len(answer) == {"single": 1, "judge": 1, "fill": 2, "short": 1}.get(kind, len(answer))
