"""What every act on a sitting shares: the topics it announces, its rule asked, its journal entry."""

import uuid
from collections.abc import Mapping
from typing import Any

from server.db.act import Act
from server.db.signals import announce
from server.delivery import store
from server.delivery.facts import Extent
from server.delivery.models import SittingRow
from server.delivery.sitting import Event, State, step
from server.errors import NotFound, Refusal, Refused

SITTING, SLOT, OPENED = "delivery.sitting", "delivery.slot", "delivery.opened"
"""Topics of this room's signals: a sitting id, a slot id (bell, pause, allowance), a slot id (papers
opened).
"""
LINE = "delivery.line"
"""Topic with a sitting id: its line came or was lost."""
COMMAND, HEARD = "delivery.command", "delivery.heard"
"""Topics with a command's id: it was given, a kiosk said how far it came."""


async def checked(act: Act, extent: Extent) -> None:
    """NotFound when the extent names no prepared slot, or a sitting of another."""
    await store.slot_row(act.session, extent.slot)
    if extent.sitting is not None:
        row = await store.sitting_row(act.session, extent.sitting)
        if row.slot != extent.slot:
            raise NotFound("sitting-unknown", sitting=extent.sitting)


def stepped(row: SittingRow, event: Event) -> State:
    """Return the state after the event; Refused when the state does not allow it."""
    after = step(State(row.state), event)
    if isinstance(after, Refusal):
        raise Refused(after)
    return after


def reached(extent: Extent) -> dict[str, Any]:
    """Return an extent as journal entries name it."""
    return {"slot": extent.slot, "room": extent.room, "sitting": extent.sitting}


def new_id() -> str:
    """Return a fresh id of 36 characters."""
    return str(uuid.uuid4())


async def note(act: Act, row: SittingRow, kind: str, facts: Mapping[str, Any]) -> None:
    """Journal an act on a sitting and announce it."""
    await act.record(kind, {"sitting": row.id, **facts})
    await announce(act.session, SITTING, row.id)
