"""Word's formulas (Office Math) as MathML: the structures that people use; anything else is named, never guessed."""

import html
import re
from collections.abc import Callable, Mapping

from server.itembank.interchange.formulas import fence
from server.itembank.interchange.xml_tree import Element

_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)|(?P<words>[\u2e80-\u9fff\uf900-\ufaff\uff01-\uff60、。，；：]+)|(?P<space>\s+)|"
    r"(?P<letters>[^\W\d_]+)|(?P<other>.)",
    re.DOTALL,
)
_PASSED = frozenset(
    {"ctrlPr", "rPr", "bookmarkStart", "bookmarkEnd", "proofErr", "del", "moveFrom", "lastRenderedPageBreak"}
)
_THROUGH = frozenset(
    {"oMath", "e", "num", "den", "sup", "sub", "deg", "lim", "fName", "ins", "box", "sdt", "sdtContent"}
)
_APPLY = "\u2061"
_ABOVE = {
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "‾",
    "\u0305": "‾",
    "\u0307": "˙",
    "\u0308": "¨",
    "\u20d7": "→",
}


def mathml_of(element: Element) -> tuple[str, tuple[str, ...]]:
    """Return (MathML of an `oMath` or `oMathPara`, names of the structures that it does not hold whole)."""
    writer = _Writer()
    if element.name == "oMathPara":
        formulas = element.elements("oMath")
        return "".join(
            f'<math display="block">{writer.within(one)}</math>' for one in formulas
        ), writer.unknown()
    return f"<math>{writer.within(element)}</math>", writer.unknown()


class _Writer:
    def __init__(self) -> None:
        self._unknown: dict[str, None] = {}
        self._known: Mapping[str, Callable[[Element], str]] = {
            "r": _run,
            "f": self._fraction,
            "rad": self._radical,
            "d": self._delimited,
            "nary": self._big,
            "func": self._function,
            "acc": self._accent,
            "bar": self._bar,
            "groupChr": self._group,
            "m": self._matrix,
            "eqArr": self._lines,
            "sSup": lambda one: self._scripted("msup", one, "e", "sup"),
            "sSub": lambda one: self._scripted("msub", one, "e", "sub"),
            "sSubSup": lambda one: self._scripted("msubsup", one, "e", "sub", "sup"),
            "limLow": lambda one: self._scripted("munder", one, "e", "lim"),
            "limUpp": lambda one: self._scripted("mover", one, "e", "lim"),
            "sPre": self._before,
        }

    def unknown(self) -> tuple[str, ...]:
        return tuple(self._unknown)

    def within(self, element: Element | None) -> str:
        return "".join(self._shown(one) for one in element.elements()) if element is not None else ""

    def _shown(self, element: Element) -> str:
        if element.name in _PASSED or element.name.endswith("Pr"):
            return ""
        if element.name in _THROUGH:
            return self.within(element)
        known = self._known.get(element.name)
        if known is not None:
            return known(element)
        self._unknown.setdefault(element.name)
        text = element.text()
        return f"<mtext>{html.escape(text, quote=False)}</mtext>" if text.strip() else ""

    def _row(self, element: Element, name: str) -> str:
        return f"<mrow>{self.within(element.first(name))}</mrow>"

    def _scripted(self, tag: str, element: Element, *names: str) -> str:
        return f"<{tag}>{''.join(self._row(element, name) for name in names)}</{tag}>"

    def _before(self, element: Element) -> str:
        base, low, high = (self._row(element, name) for name in ("e", "sub", "sup"))
        return f"<mmultiscripts>{base}<mprescripts></mprescripts>{low}{high}</mmultiscripts>"

    def _fraction(self, element: Element) -> str:
        kind = _value(element, "fPr", "type")
        above, below = self._row(element, "num"), self._row(element, "den")
        if kind == "lin":
            return f"<mrow>{above}<mo>/</mo>{below}</mrow>"
        line = ' linethickness="0"' if kind == "noBar" else ""
        return f"<mfrac{line}>{above}{below}</mfrac>"

    def _radical(self, element: Element) -> str:
        degree = element.first("deg")
        if _on(element, "radPr", "degHide") or degree is None or not degree.text().strip():
            return f"<msqrt>{self.within(element.first('e'))}</msqrt>"
        return f"<mroot>{self._row(element, 'e')}{self._row(element, 'deg')}</mroot>"

    def _delimited(self, element: Element) -> str:
        mark = _operator(_value(element, "dPr", "sepChr", "|"))
        inner = mark.join(f"<mrow>{self.within(one)}</mrow>" for one in element.elements("e"))
        return fence(_value(element, "dPr", "begChr", "("), inner, _value(element, "dPr", "endChr", ")"))

    def _big(self, element: Element) -> str:
        sign = _value(element, "naryPr", "chr", "∫")
        around = _value(element, "naryPr", "limLoc") or ("subSup" if sign in "∫∬∭∮∯∰" else "undOvr")
        low = "" if _on(element, "naryPr", "subHide") else self._row(element, "sub")
        high = "" if _on(element, "naryPr", "supHide") else self._row(element, "sup")
        tags = ("munder", "mover", "munderover") if around == "undOvr" else ("msub", "msup", "msubsup")
        big = f'<mo largeop="true" movablelimits="false">{html.escape(sign, quote=False)}</mo>'
        if low and high:
            big = f"<{tags[2]}>{big}{low}{high}</{tags[2]}>"
        elif low or high:
            tag = tags[0] if low else tags[1]
            big = f"<{tag}>{big}{low or high}</{tag}>"
        return f"<mrow>{big}{self._row(element, 'e')}</mrow>"

    def _function(self, element: Element) -> str:
        return f"<mrow>{self._row(element, 'fName')}<mo>{_APPLY}</mo>{self._row(element, 'e')}</mrow>"

    def _accent(self, element: Element) -> str:
        mark = _value(element, "accPr", "chr", "\u0302")
        return f'<mover accent="true">{self._row(element, "e")}{_operator(_ABOVE.get(mark, mark))}</mover>'

    def _bar(self, element: Element) -> str:
        tag, mark = ("mover", "‾") if _value(element, "barPr", "pos") == "top" else ("munder", "_")
        return f'<{tag}>{self._row(element, "e")}<mo stretchy="true">{mark}</mo></{tag}>'

    def _group(self, element: Element) -> str:
        tag = "mover" if _value(element, "groupChrPr", "pos") == "top" else "munder"
        mark = html.escape(_value(element, "groupChrPr", "chr", "⏟"), quote=False)
        return f'<{tag}>{self._row(element, "e")}<mo stretchy="true">{mark}</mo></{tag}>'

    def _matrix(self, element: Element) -> str:
        rows = (
            "".join(f"<mtd>{self.within(cell)}</mtd>" for cell in row.elements("e"))
            for row in element.elements("mr")
        )
        return f"<mtable>{''.join(f'<mtr>{row}</mtr>' for row in rows)}</mtable>"

    def _lines(self, element: Element) -> str:
        rows = (f"<mtr><mtd>{self.within(one)}</mtd></mtr>" for one in element.elements("e"))
        return f'<mtable columnalign="left">{"".join(rows)}</mtable>'


def _run(element: Element) -> str:
    text = "".join(one.text() for one in element.elements("t"))
    style = element.first("rPr")
    upright = style is not None and (
        style.first("nor") is not None or any(_of(one) == "p" for one in style.elements("sty"))
    )
    return "".join(_token(one, upright) for one in _TOKEN.finditer(text.replace("&", "")))


def _token(found: re.Match[str], upright: bool) -> str:
    text = html.escape(found[0], quote=False)
    if found["number"]:
        return f"<mn>{text}</mn>"
    if found["words"]:
        return f"<mtext>{text}</mtext>"
    if found["space"]:
        return '<mspace width="0.3em"></mspace>' if upright else ""
    if found["letters"]:
        if upright:
            return f'<mi mathvariant="normal">{text}</mi>' if len(text) == 1 else f"<mi>{text}</mi>"
        return "".join(f"<mi>{letter}</mi>" for letter in found[0])
    return _operator(found[0])


def _operator(mark: str) -> str:
    return f"<mo>{html.escape('−' if mark == '-' else mark, quote=False)}</mo>" if mark else ""


def _of(element: Element) -> str:
    return element.attributes.get("val", "")


def _value(element: Element, properties: str, name: str, default: str = "") -> str:
    """Return a property's value; the default when the property is not there, empty when it says nothing."""
    held = element.first(properties)
    found = held.first(name) if held is not None else None
    return default if found is None else _of(found)


def _on(element: Element, properties: str, name: str) -> bool:
    held = element.first(properties)
    found = held.first(name) if held is not None else None
    return found is not None and _of(found) not in ("0", "off", "false")
