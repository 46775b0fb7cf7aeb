"""What a headless candidate answers: by his knowledge with a certain chance, else by guessing among what is
shown.
"""

import html
import random
import re
from collections.abc import Mapping

from server.protocol.paper import AnswerValue, PaperItem

_TAG = re.compile(r"<[^>]*>")
_PHRASES = ("先检查设备状态。", "再按规程操作。", "记录结果并复核。", "发现异常立即报告。")
_NOT_WORDS = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """Return the letters and digits of a text or HTML fragment, in lower case."""
    return _NOT_WORDS.sub("", html.unescape(_TAG.sub("", text))).lower()


def plain_knowledge(knowledge: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return knowledge by plain stem."""
    return {plain(stem): answers for stem, answers in knowledge.items()}


def choose(
    item: PaperItem, knowledge: Mapping[str, tuple[str, ...]], ability: float, rng: random.Random
) -> AnswerValue:
    """Return an answer; `knowledge` is by plain stem."""
    known = knowledge.get(plain(item.stem))
    if known is not None and rng.random() < ability:
        right = _right(item, known)
        if right:
            return right
    return _guess(item, rng)


def _right(item: PaperItem, known: tuple[str, ...]) -> AnswerValue:
    if item.type == "fill":
        return known[: item.blanks] if len(known) >= item.blanks else ()
    if item.type == "short":
        return known[:1]
    wanted = {plain(text) for text in known}
    by_text = tuple(sorted(option.label for option in item.options if plain(option.html) in wanted))
    if item.type == "judge":
        labels = {option.label for option in item.options}
        return tuple(text for text in known if text in labels) or by_text
    return by_text


def _guess(item: PaperItem, rng: random.Random) -> AnswerValue:
    labels = [option.label for option in item.options]
    if item.type == "fill":
        return tuple(str(rng.randint(1, 500)) for _ in range(max(1, item.blanks)))
    if item.type == "short":
        return ("\n".join(rng.sample(_PHRASES, rng.randint(1, len(_PHRASES)))),)
    if item.type == "multiple":
        return tuple(sorted(rng.sample(labels, rng.randint(2, max(2, len(labels) - 1)))))
    return (rng.choice(labels or ["T", "F"]),)
