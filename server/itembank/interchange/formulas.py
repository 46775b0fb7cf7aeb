"""Formulas as MathML that a browser draws by itself: what MathML Core does not know is written in its terms.

Works on the text that the sanitiser has cleaned: every element is closed, and no attribute holds `<` or `>`.
"""

import html
import re

from server.errors import BadInput
from server.itembank.interchange.xml_tree import Element, parsed

_MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
_FENCED = "<mfenced"
_SEPARATORS = re.compile(r"\s")


def in_core(text: str) -> str:
    """Return HTML in which no formula holds <mfenced>: fences and separators are written out as operators."""
    if _FENCED not in text:
        return text
    return _MATH.sub(lambda found: _rewritten(found[0]), text)


def _rewritten(formula: str) -> str:
    if _FENCED not in formula:
        return formula
    try:
        return written(parsed(formula.replace("&nbsp;", "\u00a0").encode(), "formula"))
    except BadInput:  # HTML within a formula that is no XML: left as the sanitiser has it
        return formula


def written(element: Element) -> str:
    """Return an element as markup, with fences written out."""
    inner = [
        html.escape(one, quote=False) if isinstance(one, str) else written(one) for one in element.children
    ]
    if element.name == "mfenced":
        return _fenced(element, [one for one in inner if one.strip()])
    attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in element.attributes.items())
    if element.name in ("br", "hr", "img"):
        return f"<{element.name}{attributes}>"
    return f"<{element.name}{attributes}>{''.join(inner)}</{element.name}>"


def _fenced(element: Element, inner: list[str]) -> str:
    marks = _SEPARATORS.sub("", element.attributes.get("separators", ","))
    pieces: list[str] = []
    for place, one in enumerate(inner):
        if place and marks:
            pieces.append(f"<mo>{html.escape(marks[min(place - 1, len(marks) - 1)], quote=False)}</mo>")
        pieces.append(one)
    return fence(element.attributes.get("open", "("), "".join(pieces), element.attributes.get("close", ")"))


def fence(opening: str, inner: str, closing: str) -> str:
    """Return a formula between two fences that grow with it; an empty text is no fence."""
    left, right = (
        f'<mo stretchy="true" fence="true">{html.escape(mark, quote=False)}</mo>' if mark else ""
        for mark in (opening, closing)
    )
    return f"<mrow>{left}<mrow>{inner}</mrow>{right}</mrow>"
