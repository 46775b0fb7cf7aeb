"""A change of the custodians, judged before anything is done. Pure: who is in office and the change in, a refusal
or nothing out.

In words a change is what people confirm, the child signs and the journal keeps: `+xu -chen !sun` adds xu, retires
chen and takes the place from sun, whose passphrase or device is lost. `rotate` changes nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.errors import BadInput, Refusal
from server.keys.openings import CUSTODIANS_NEEDED

MOST_CUSTODIANS = 20
LONGEST_WORDS = 255
_NOBODY = "rotate"


@dataclass(frozen=True, slots=True)
class Change:
    """Usernames to be added, retired, and taken out as lost. Someone lost may be added again, with a new pair."""

    added: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def words_of(change: Change) -> str:
    """Return a change in words; the same change gives the same words. BadInput `change-too-long` over 255
    characters."""
    named = (*change.added, *change.retired, *change.lost)
    if any(not name or any(sign.isspace() for sign in name) for name in named):
        raise BadInput("change-form")
    signs = (("+", change.added), ("-", change.retired), ("!", change.lost))
    words = " ".join(f"{sign}{name}" for sign, names in signs for name in sorted(names)) or _NOBODY
    if len(words) > LONGEST_WORDS:
        raise BadInput("change-too-long", most=LONGEST_WORDS)
    return words


def change_of(words: str) -> Change:
    """Return the change that stands in words; BadInput `change-form` for anything else."""
    parts = [] if words == _NOBODY else words.split(" ")
    if any(len(part) < 2 or part[0] not in "+-!" for part in parts):
        raise BadInput("change-form")
    found = {sign: tuple(part[1:] for part in parts if part[0] == sign) for sign in "+-!"}
    return Change(found["+"], found["-"], found["!"])


def change_refusal(in_office: Sequence[str], change: Change) -> Refusal | None:
    """Say whether this change may be made to these custodians (usernames).

    Refused before anything happens when fewer than two would remain, or when fewer than two are left whose
    passphrases are not lost: they are needed to open the keys for the new wrapping.
    """
    leaving = [*change.retired, *change.lost]
    if len(set(leaving)) != len(leaving) or len(set(change.added)) != len(change.added):
        return Refusal("custodian-twice")
    for name in leaving:
        if name not in in_office:
            return Refusal("custodian-unknown", facts={"custodian": name})
    for name in change.added:
        if name in in_office and name not in change.lost:
            return Refusal("custodian-exists", facts={"custodian": name})
    able = [name for name in in_office if name not in change.lost]
    if len(able) < CUSTODIANS_NEEDED:
        return Refusal("custodians-too-few-to-open", facts={"needed": CUSTODIANS_NEEDED, "left": len(able)})
    after = len(in_office) - len(leaving) + len(change.added)
    if after < CUSTODIANS_NEEDED:
        return Refusal("custodians-too-few", facts={"needed": CUSTODIANS_NEEDED, "left": after})
    if after > MOST_CUSTODIANS:
        return Refusal(
            "custodians-count",
            facts={"least": CUSTODIANS_NEEDED, "most": MOST_CUSTODIANS, "given": after},
        )
    return None
