"""How an article is called before people: document and place in words instead of the short id."""

import re

from server.law.citing import article_document
from server.law.closed import Text
from server.law.pack import Document, Pack

_NUMERALS = "零一二三四五六七八九十"
_PLACE = re.compile(
    r"(?P<annex>A\d+)?\.?(?P<main>(?:n\d+|\d+(?:\.\d+)*)?)(?:-(?P<item>\d+(?:\.\d+)*))?(?:#(?P<paragraph>\d+))?"
)


def article_name(pack: Pack, article: str) -> Text | None:
    """Return document title and place of an article of the pack's documents, None for another document's.

    BadInput when the text is no article id.
    """
    wanted = article_document(article)
    for document in pack.header.documents:
        if document.id == wanted:
            place = _place(document, article.partition(":")[2])
            return Text(zh=f"《{document.title.zh}》{place.zh}", en=f"{document.title.en}, {place.en}")
    return None


def _place(document: Document, clause: str) -> Text:
    match = _PLACE.fullmatch(clause)
    if match is None:
        return Text(zh=clause, en=clause)
    zh, en = [], []
    if match["annex"]:
        zh.append(f"附件{match['annex'][1:]}")
        en.append(f"annex {match['annex'][1:]}")
    main = match["main"]
    if main == "0":
        zh.append("前言")
        en.append("preamble")
    elif main.startswith("n"):
        zh.append(f"填表说明{main[1:]}")
        en.append(f"note {main[1:]}")
    elif main and match["annex"]:
        zh.append(_outline(main))
        en.append(f"part {main}")
    elif main:
        place = _main(document, main)
        zh.append(place.zh)
        en.append(place.en)
    if match["item"]:
        zh.append(f"第{match['item']}项")
        en.append(f"item {match['item']}")
    if match["paragraph"]:
        zh.append(f"第{match['paragraph']}款")
        en.append(f"paragraph {match['paragraph']}")
    return Text(zh="".join(zh), en=", ".join(en))


def _outline(main: str) -> str:
    """2.5.4 as the outline of official letters: 二（五）4."""
    numbers = [int(number) for number in main.split(".")]
    forms = ("{}", "（{}）")
    words = [form.format(_numeral(number)) for form, number in zip(forms, numbers, strict=False)]
    return "".join([*words, *(str(number) for number in numbers[2:])])


def _main(document: Document, main: str) -> Text:
    """The numbered place itself; a number with fewer or more parts than the document's way has is an outline."""
    parts = [int(part) for part in main.split(".")]
    match document.numbering, parts:
        case "articles", [article]:
            return Text(zh=f"第{_numeral(article)}条", en=f"article {article}")
        case "chapters", [chapter, article]:
            return Text(
                zh=f"第{_numeral(chapter)}章第{_numeral(article)}条",
                en=f"chapter {chapter}, article {article}",
            )
        case _:
            return Text(zh=_outline(main), en=f"section {main}")


def _numeral(number: int) -> str:
    """0 to 99 in Chinese numerals, beyond that in digits."""
    if number > 99:
        return str(number)
    tens, ones = divmod(number, 10)
    if not tens:
        return _NUMERALS[ones]
    head = "十" if tens == 1 else f"{_NUMERALS[tens]}十"
    return head + (_NUMERALS[ones] if ones else "")
