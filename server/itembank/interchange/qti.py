"""QTI 2.1, 2.2 and 3.0: one assessment item becomes one row.

Taken: choice and inline choice with one or several right choices; text entries (as blanks); extended text (marked
by people: its right response or what scorers are told is the model answer). Several of these in one item make a
case, with the body as its material. Every other interaction and a templated item are rows of a kind that is not
held, by name. Both vocabularies are read: `choiceInteraction` and `qti-choice-interaction`.
"""

import re
from collections.abc import Callable, Mapping

from server.errors import BadInput, Fact
from server.itembank.interchange.answers import words
from server.itembank.interchange.qti_html import Body
from server.itembank.interchange.rows import Cell, Remark, SourceRow
from server.itembank.interchange.xml_tree import Element
from server.itembank.items import LABELS

COLUMNS = ("label", "type", "stem", "options", "answer", "score")
_TEMPLATES = ("match_correct", "map_response", "cc2_match", "cc2_map_response")
# Names that a scoring by the key or by the mapping is made of; anything else scores by rules of its own.
_PLAIN_SCORING = words(
    "responseprocessing responsecondition responseif responseelse responseelseif match variable correct "
    "setoutcomevalue basevalue mapresponse isnull not and sum exitresponse"
)
_HELD = frozenset(
    {"choiceinteraction", "inlinechoiceinteraction", "textentryinteraction", "extendedtextinteraction"}
)
_TEMPLATED = frozenset({"templatedeclaration", "templateprocessing"})


def word(name: str) -> str:
    """Return an element's or attribute's name in the one spelling that both vocabularies share."""
    return name.removeprefix("qti-").replace("-", "").lower()


def attribute(element: Element, name: str) -> str:
    """Return an attribute by its shared spelling, or an empty text."""
    return next((value for key, value in element.attributes.items() if word(key) == name), "").strip()


def is_item(root: Element) -> bool:
    """Say whether a document is an assessment item."""
    return word(root.name) == "assessmentitem"


Stimulus = Callable[[str], tuple[str, tuple[tuple[str, Mapping[str, Fact]], ...]]]
"""From what an item names to the stimulus's HTML and doubts; raises BadInput when there is none."""


def item_row(
    root: Element, place: str, picture: Callable[[str], str] | None, stimulus: Stimulus | None = None
) -> SourceRow:
    """Return the row of an assessment item; `picture` fetches a picture as HTML and raises BadInput."""
    return _Item(root, place, picture, stimulus).row()


class _Item:
    def __init__(
        self, root: Element, place: str, picture: Callable[[str], str] | None, stimulus: Stimulus | None
    ) -> None:
        self.root, self.place, self.picture, self.stimulus = root, place, picture, stimulus
        self.subs: tuple[SourceRow, ...] = ()
        self.remarks: list[Remark] = []
        self.parts: dict[str, list[Element]] = {}
        for one in root.walk():
            self.parts.setdefault(word(one.name), []).append(one)
        self.declared = {
            attribute(one, "identifier"): one for one in self.parts.get("responsedeclaration", [])
        }
        self.cells: dict[str, Cell] = {"label": attribute(root, "identifier")}

    def row(self) -> SourceRow:
        body = next(iter(self.parts.get("itembody", [])), None)
        interactions = [one for one in self.root.walk() if word(one.name).endswith("interaction")]
        kinds = {word(one.name) for one in interactions}
        not_held = self._refused(interactions)
        if body is None or not_held:
            self.cells["stem"] = body.text().strip()[:2000] if body is not None else ""
            return self._row(not_held or "item without a body")
        if kinds == {"textentryinteraction"}:
            self._text_entry(body, interactions)
        elif len(interactions) > 1:
            self._case(body, interactions)
        else:
            self.cells |= self._asked(interactions[0])
            self.cells["stem"] = self._html(body, self.cells["type"] == "short")
        self._score()
        self._own_rules()
        self._stimuli()
        self._told_afterwards()
        return self._row("")

    def _told_afterwards(self) -> None:
        """Name what is told after the answer and has no place in an item; it is no part of the question."""
        for one in self.parts.get("modalfeedback", []):
            text = " ".join(one.text().split())
            if text:
                facts: Mapping[str, Fact] = {"part": one.name, "text": text[:60]}
                self.remarks.append(Remark("part-left-out", self.place, False, facts))

    def _stimuli(self) -> None:
        for one in self.parts.get("assessmentstimulusref", []):
            href = attribute(one, "href")
            try:
                if self.stimulus is None:
                    raise BadInput("attachment-left-out", attachment=href[:120])
                text, doubts = self.stimulus(href)
            except BadInput as error:
                self.remarks.append(
                    Remark("attachment-left-out", self.place, True, {"attachment": href[:120]})
                )
                if error.code != "attachment-left-out":
                    self.remarks.append(Remark(error.code, self.place, True, error.facts))
                continue
            self.cells["stem"] = f"{text}{self.cells['stem']}"
            self.remarks += [Remark(code, self.place, True, facts) for code, facts in doubts]

    def _case(self, body: Element, interactions: list[Element]) -> None:
        """Make a case: the body is its material, with a number where each question stands."""
        self.cells["type"] = "case"
        numbers = {id(one): number for number, one in enumerate(interactions, start=1)}
        rows: list[SourceRow] = []
        for number, one in enumerate(interactions, start=1):
            cells = self._asked(one)
            prompt = next((inner for inner in one.elements() if word(inner.name) == "prompt"), None)
            stem = self._html(prompt) if prompt is not None else ""
            gap = " ____" if cells["type"] == "fill" else ""
            cells["stem"] = f"{stem or f'（{number}）'}{gap}"
            rows.append(SourceRow(f"{self.place}/{number}", cells))
        self.subs = tuple(rows)
        self.cells["stem"] = self._html(body, any(one.cells["type"] == "short" for one in rows), numbers)

    def _asked(self, interaction: Element) -> dict[str, Cell]:
        """Return type, options and key of one interaction."""
        kind = word(interaction.name)
        if kind in ("choiceinteraction", "inlinechoiceinteraction"):
            return self._choice(interaction)
        right = [text for text in self._right(self._declaration(interaction)) if text]
        if kind == "textentryinteraction":
            return {"type": "fill", "answer": (" / ".join(right),) if right else ""}
        told = "\n".join(right) or "".join(
            Body(self.picture).html(one)
            for one in self.parts.get("rubricblock", [])
            if "scorer" in attribute(one, "view")
        )
        return {"type": "short", "answer": told}

    def _row(self, not_held: str) -> SourceRow:
        return SourceRow(
            self.place, self.cells, remarks=tuple(self.remarks), not_held=not_held, parts=self.subs
        )

    def _doubt(self, code: str, **facts: str) -> None:
        self.remarks.append(Remark(code, self.place, True, facts))

    def _refused(self, interactions: list[Element]) -> str:
        """Return the name of what the bank does not hold in this item, or an empty text."""
        if not interactions:
            return "item without interaction"
        for one in interactions:
            if word(one.name) not in _HELD:
                return one.name
        if _TEMPLATED & self.parts.keys():
            return "templated item"
        if attribute(self.root, "adaptive") in ("true", "1"):
            return "adaptive item"
        for one in interactions:
            declared = self._declaration(one)
            if declared is not None and attribute(declared, "cardinality") in ("ordered", "record"):
                return f"{one.name} ({attribute(declared, 'cardinality')})"
        return ""

    def _declaration(self, interaction: Element) -> Element | None:
        return self.declared.get(attribute(interaction, "responseidentifier"))

    def _choice(self, interaction: Element) -> dict[str, Cell]:
        choices = [
            one for one in interaction.elements() if word(one.name) in ("simplechoice", "inlinechoice")
        ]
        names = [attribute(one, "identifier") for one in choices]
        declared = self._declaration(interaction)
        right = self._right(declared)
        several = declared is not None and attribute(declared, "cardinality") == "multiple"
        places = [names.index(one) for one in right if one in names]
        if len(places) != len(right):
            self._doubt("item-key-outside-options", key=", ".join(right)[:60])
        return {
            "type": "multiple" if several else "single",
            "answer": "".join(LABELS[place] for place in sorted(set(places)) if place < len(LABELS)),
            "options": tuple(self._html(one) for one in choices),
        }

    def _text_entry(self, body: Element, interactions: list[Element]) -> None:
        accepted: list[str] = []
        for one in interactions:
            texts = [text for text in self._right(self._declaration(one)) if text]
            accepted.append(" / ".join(texts))
        self.cells["type"] = "fill"
        self.cells["answer"] = tuple(accepted) if all(accepted) else ""
        self.cells["stem"] = self._html(body)

    def _right(self, declared: Element | None) -> list[str]:
        """Return the right values: of the correct response, and for texts of the mapping too."""
        if declared is None:
            return []
        correct = [
            value.text().strip()
            for held in declared.elements()
            if word(held.name) == "correctresponse"
            for value in held.elements()
            if word(value.name) == "value"
        ]
        shares = _mapped(declared)
        mapped = [key for key, share in shares.items() if share > 0]
        if len({shares[key] for key in mapped}) > 1 and attribute(declared, "cardinality") == "single":
            best = max(shares.values())
            mapped = [key for key in mapped if shares[key] == best]
            self._doubt("key-weights-uneven")
        elif len({shares[key] for key in mapped}) > 1:
            self._doubt("key-weights-uneven")
        if not correct:
            return mapped
        if mapped and set(mapped) != set(correct):
            if attribute(declared, "basetype") == "identifier":
                facts = {"key": ", ".join(correct)[:60], "mapped": ", ".join(mapped)[:60]}
                self._doubt("key-differs-from-mapping", **facts)
            else:  # a mapping of texts lists the variants
                return list(dict.fromkeys([*correct, *mapped]))
        return list(dict.fromkeys(correct))

    def _html(self, element: Element, scored: bool = False, numbers: Mapping[int, int] | None = None) -> str:
        """Return an element as HTML; `scored`: what scorers are told stands elsewhere; `numbers` as in `Body`."""
        body = Body(self.picture, scored, numbers or {})
        text = body.html(element)
        for code, facts in body.doubts:
            self.remarks.append(Remark(code, self.place, True, facts))
        return text

    def _score(self) -> None:
        for one in self.parts.get("outcomedeclaration", []):
            name = attribute(one, "identifier")
            default = re.sub(r"\s+", "", one.text())
            if name == "MAXSCORE" and _number(default) > 0:
                self.cells["score"] = default

    def _own_rules(self) -> None:
        """Doubt an item that is scored by rules of its own: its declared key may not be the whole truth."""
        for one in self.parts.get("responseprocessing", []):
            template = attribute(one, "template") or attribute(one, "templatelocation")
            known = template.rsplit("/", 1)[-1].removesuffix(".xml") in _TEMPLATES if template else True
            names = {word(inner.name) for inner in one.walk()}
            if not known or names - _PLAIN_SCORING:
                self._doubt(
                    "scored-by-own-rules", rules=", ".join(sorted(names - _PLAIN_SCORING))[:80] or template
                )


def _mapped(declared: Element) -> dict[str, float]:
    return {
        attribute(entry, "mapkey"): _number(attribute(entry, "mappedvalue"))
        for held in declared.elements()
        if word(held.name) == "mapping"
        for entry in held.elements()
        if word(entry.name) == "mapentry"
    }


def _number(text: str) -> float:
    try:
        value = float(text) if len(text) < 30 else 0.0
    except ValueError:
        return 0.0
    return value if -1e6 < value < 1e6 else 0.0


def refuse_other(root: Element) -> BadInput:
    """Return the refusal of a document that holds no item itself (a test, a manifest, anything else)."""
    return BadInput("qti-without-items", root=root.name[:60])
