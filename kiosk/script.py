"""What the headless kiosks of one process shall do: a closed JSON file.

Minutes are legal minutes after the sitting's own start, as the centre's clock says. A kiosk without a person
is a spare seat. `knowledge` maps the text of a stem to its right answers (option texts, T or F, or one text a
blank); texts are compared by letters and digits alone.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from server.errors import BadInput

Minute = Annotated[float, msgspec.Meta(ge=0)]


class AnswerItems(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="answer"):
    """Answer a share of the items, evenly between two minutes; `share` is of all items, in their order."""

    begin: Minute = 1.0
    until: Minute = 60.0
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


class HandInAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="hand_in"):
    """Try to hand in at this minute; a refusal is an event and the plan goes on."""

    at: Minute


class DropAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="drop"):
    """Lose the line at this minute for so many legal minutes, answering on meanwhile."""

    at: Minute
    minutes: Minute


class CallAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="call"):
    """Call an invigilator at this minute."""

    at: Minute
    text: str = ""


Step = AnswerItems | HandInAt | DropAt | CallAt


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A candidate: numbers, and how likely an item of the knowledge is answered right."""

    ticket: str
    id_number: str
    ability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.7
    absent: bool = False
    plan: tuple[Step, ...] = (AnswerItems(),)


class KioskScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One seat: its one-time enrolment code, and who comes to it."""

    code: str
    person: Person | None = None


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All kiosks of one process; `seed` makes what they choose repeatable."""

    kiosks: tuple[KioskScript, ...]
    seed: int = 0
    knowledge: dict[str, tuple[str, ...]] = {}


def load_script(path: Path) -> Script:
    """Read and check a script; BadInput names the place of a fault."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Script)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput("script-unreadable", path=str(path), reason=str(error)) from error
