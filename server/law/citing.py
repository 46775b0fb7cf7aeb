"""Which rule rests on which article: `@cites` names articles, `@reads` names entries of a pack.

Two honest ways for a function to rest on the law, both recorded when its module is imported:

- `@cites("BJ-E:25")` when the rule itself states what the article says, whatever the jurisdiction;
- `@reads("numbers.plan_filing_days")` when the rule applies an entry that each jurisdiction's pack holds
  with its own article: then every article which the packs hold under that path counts as cited by that
  function. A path is a section of `Pack`, or `section.code` for one entry. An article that stands in a pack
  and is read by no function is not cited: data alone enforces nothing.

A decorator changes nothing about the function. An id of the wrong form is an error at import.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from server.errors import BadInput

_ARTICLE = re.compile(r"([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*):A?\d+(?:\.n?\d+)*(?:-\d+(?:\.\d+)*)?(?:#\d+)?")
_PATH = re.compile(r"[a-z_]+(?:\.[A-Za-z0-9_-]+)?")

_cited: dict[str, set[str]] = {}
_read: dict[str, set[str]] = {}

Rule = TypeVar("Rule", bound=Callable[..., object])


def is_article(text: str) -> bool:
    """Say whether a text has the form of an article id, such as BJ-E:8, BJ-F:4.2.2-1 or BJ-E:A1.n6."""
    return _ARTICLE.fullmatch(text) is not None


def article_document(article: str) -> str:
    """Return the document part of an article id: BJ-E for BJ-E:8; BadInput when it is not of the form."""
    match = _ARTICLE.fullmatch(article)
    if match is None:
        raise BadInput("law-article-form", article=article)
    return match.group(1)


def cites(*articles: str) -> Callable[[Rule], Rule]:
    """Record that the decorated function or class carries out these articles."""
    for article in articles:
        article_document(article)

    def record(rule: Rule) -> Rule:
        for article in articles:
            _cited.setdefault(article, set()).add(_name(rule))
        return rule

    return record


def reads(*paths: str) -> Callable[[Rule], Rule]:
    """Record that the decorated function or class applies the entries at these paths of a pack."""
    for path in paths:
        if _PATH.fullmatch(path) is None:
            raise BadInput("law-path-form", path=path)

    def record(rule: Rule) -> Rule:
        for path in paths:
            _read.setdefault(path, set()).add(_name(rule))
        return rule

    return record


def cited() -> dict[str, tuple[str, ...]]:
    """Return article → names (module.function, sorted) of the functions imported so far that cite it."""
    return {article: tuple(sorted(names)) for article, names in sorted(_cited.items())}


def read_paths() -> dict[str, tuple[str, ...]]:
    """Return pack path → names (module.function, sorted) of the functions imported so far that read it."""
    return {path: tuple(sorted(names)) for path, names in sorted(_read.items())}


def _name(rule: Callable[..., object]) -> str:
    return f"{rule.__module__}.{rule.__qualname__}"
