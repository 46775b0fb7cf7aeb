"""The body of a QTI item as HTML: text and markup, a gap for each text entry, pictures held in the text.

What only scorers or later steps see (rubrics, feedback) is left out; what cannot be held is a doubt.
"""

import html
from collections.abc import Callable, Mapping

from server.errors import BadInput, Fact
from server.itembank.interchange.xml_tree import Element

_MATHML = "http://www.w3.org/1998/Math/MathML"
_LEFT_OUT = frozenset({"rubricblock", "feedbackinline", "feedbackblock", "modalfeedback", "templateblock",
                       "templateinline", "stylesheet", "script", "infocontrol"})  # fmt: skip
_OTHER = frozenset({"object", "audio", "video", "iframe", "svg", "printedvariable"})
_VOID = frozenset({"br", "hr", "img"})


class Body:
    """Writes elements as HTML; collects doubts as (code, facts).

    `scored`: what only scorers read is used elsewhere and no doubt. `numbers`: by an interaction's id(), the number
    that stands in its place; its prompt and choices stand elsewhere then.
    """

    def __init__(
        self,
        picture: Callable[[str], str] | None,
        scored: bool = False,
        numbers: Mapping[int, int] | None = None,
    ) -> None:
        self.picture, self.scored, self.numbers = picture, scored, numbers or {}
        self.doubts: list[tuple[str, Mapping[str, Fact]]] = []

    def html(self, element: Element) -> str:
        """Return what stands within an element, with choices left out."""
        return self._within(element).strip()

    def _within(self, element: Element) -> str:
        return "".join(
            html.escape(one, quote=False) if isinstance(one, str) else self._shown(one)
            for one in element.children
        )

    def _shown(self, element: Element) -> str:
        name = element.name.removeprefix("qti-").replace("-", "").lower()
        if id(element) in self.numbers:
            return f"<b>（{self.numbers[id(element)]}）</b>"
        if name in ("simplechoice", "inlinechoice"):
            return ""
        if name == "inlinechoiceinteraction":
            return "（　）"
        if name == "textentryinteraction":
            return "____"
        if name in ("choiceinteraction", "extendedtextinteraction", "prompt"):
            return (
                f"<div>{self._within(element).strip()}</div>" if name == "prompt" else self._within(element)
            )
        if name in _LEFT_OUT:
            text = " ".join(element.text().split())
            if name == "rubricblock" and "candidate" in element.attributes.get("view", ""):
                return self._within(element)
            if text and not (self.scored and name == "rubricblock"):
                self.doubts.append(("part-left-out", {"part": element.name, "text": text[:60]}))
            return ""
        if name in _OTHER:
            source = element.attributes.get("data") or element.attributes.get("src") or element.name
            self.doubts.append(("attachment-left-out", {"attachment": source[:120]}))
            return ""
        if name == "img":
            return self._img(element)
        if name in _VOID:
            return f"<{name}>"
        attributes = "".join(
            f' {key}="{html.escape(value)}"'
            for key, value in element.attributes.items()
            if key.replace("-", "").isalnum() and key.isascii()
        )
        tag = element.name.lower() if element.name.replace("-", "").isalnum() else "span"
        if element.namespace == _MATHML or tag.isalnum():
            return f"<{tag}{attributes}>{self._within(element)}</{tag}>"
        return f"<div>{self._within(element)}</div>"  # an element of QTI itself around the text

    def _img(self, element: Element) -> str:
        source = element.attributes.get("src", "")
        if source.startswith("data:"):
            return f'<img src="{html.escape(source)}" alt="{html.escape(element.attributes.get("alt", ""))}">'
        try:
            if self.picture is None:
                raise BadInput("picture-missing", picture=source[:120])
            return self.picture(source)
        except BadInput as error:
            self.doubts.append((error.code, error.facts))
            return ""
