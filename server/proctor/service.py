"""Use cases that people start: cameras are registered, alerts confirmed, dismissed and noted."""

from __future__ import annotations

from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, required
from server.proctor import alerts, store
from server.proctor.alerts import Alert, AlertAct
from server.proctor.seats import CameraLayout

MOST_NOTE = 2000
"""Longest note on an alert, in characters."""


async def register_camera(act: Act, camera: store.Camera, layout: CameraLayout | None) -> None:
    """Stores a camera with its seats, in place of an older set-up of the same id, and journals it."""
    await store.put_camera(act.session, camera, layout, act.now)
    seats = 0 if layout is None else len(layout.seats)
    await act.record(
        "proctor:camera:registered",
        {"camera": camera.id, "room": camera.room, "kind": camera.kind, "seats": seats},
    )


async def decide_alert(act: Act, key: str, what: AlertAct, text: str = "") -> Alert:
    """Confirms, dismisses or notes an alert in the actor's name; the caller shows it to boards after the
    commit.

    A finding on a candidate is confirmed only by a second person. Nothing happens to a candidate by it: what
    a person records is an incident, elsewhere.

    Raises:
        NotFound: no alert has the key (`alert-unknown`).
        BadInput: a note without words (`alert-note-empty`), or too long (`alert-note-long`).
        Refused: `alert-decided` or `alert-second-person`, see `alerts.decide`.
    """
    text = text.strip()
    if what is AlertAct.NOTE and not text:
        raise BadInput("alert-note-empty")
    if len(text) > MOST_NOTE:
        raise BadInput("alert-note-long", most=MOST_NOTE)
    before = await store.alert(act.session, key)
    if before is None:
        raise NotFound("alert-unknown", alert=key)
    after = alerts.decide(before, what, act.actor)
    if isinstance(after, Refusal):
        required(after)
        raise AssertionError("a refusal was let through")
    await store.put_alert(act.session, after)
    await store.add_note(act.session, key, store.AlertNote(act.now, act.actor, what, text))
    await act.record(f"proctor:alert:{what.value}", {"alert": key, "state": after.state.value})
    return after
