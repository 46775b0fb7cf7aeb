"""Messages of the invigilator board on `/ws/hall`: a snapshot, then numbered changes.

The board opens the socket with its login cookie and sends one `watch`. It gets either a `snapshot` or,
when `since` is still known to this process, the changes after it. Applying every change to the snapshot
gives what a fresh snapshot would say (`applied`). A `tick` comes every 2 seconds of real time even when
nothing changes: a board that has had none for 6 seconds shows itself as not live. Acts go over HTTP
(`/api/hall/…`), never over this socket.

Each message is one JSON object, tagged by `type` and closed. Times are ISO 8601 in UTC. No message carries an
identity-document number, an answer, or any part of a paper.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from server.protocol.proctoring import AlertSeen, CameraHealth


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all messages share: immutable, closed, fields by name."""


# ---------------------------------------------------------------- what is shown


class SlotView(_Message, frozen=True):
    """The slot whose hall is shown; `ends_at` follows the bell once it has rung; `bell` as in
    `RoomView.bell`.
    """

    id: str
    plan: str
    plan_name: str
    occupation: str
    level: int
    subject: str
    place: str
    starts_at: datetime
    ends_at: datetime
    minutes: int
    early: int
    late: int
    seals_shown_at: datetime | None
    papers_sealed: int
    start_key_open: bool
    bell: str
    standing: str
    outcome: str | None
    """None while open, else `closed` or `cancelled`."""
    clock_off_s: int = 0
    """Seconds that the server's system clock has stepped away from the line by which this exam runs; 0: not."""
    standby_away: bool = False
    """A standby is configured, and answers are acknowledged without it now."""
    standby_behind: int = 0
    """Pages of the log that are committed here and not on the standby."""
    recovery_fault: str | None = None
    """Why the recovery file is not at its second place, as a text code; None when it is, or none is configured."""
    bell_from: datetime | None = None
    """From when the next bell may be struck: the planned start, moved by the delays granted; None: not told."""


class RoomView(_Message, frozen=True):
    """One room: `bell` is early, locked, ready, overdue or rung; hand-in is allowed in [opens, closes)."""

    number: str
    name: str
    seats: int
    bell: str
    bell_at: datetime | None
    ends_at: datetime | None
    hand_in_opens: datetime | None
    hand_in_closes: datetime | None
    paused: bool
    halted: bool
    """Halted for a disaster; `resumes_at` is the planned continuation, if one is planned."""
    resumes_at: datetime | None
    invigilators: tuple[str, ...]
    entry_closes: datetime | None = None
    """From then on nobody is checked in without the chief's reason; None: no such rule was filed."""


class CorrectedView(_Message, frozen=True):
    """A datum of the candidate that was corrected after the package: name, id_number, ticket or photo.

    `before` is empty for a photo and for an identity number, which the board never shows.
    """

    field: str
    before: str
    at: datetime


class SeatView(_Message, frozen=True):
    """One sitting on its seat. `state` is delivery's sitting state; `sign` is what the board draws.

    `sign`: waiting, checked_in, writing, done, absent, offline, paused, halted, away, voided. `away_since`: the
    candidate is out of the room with an escort. `camera` is the newest
    seat state of the cameras (occupied, empty, object, crowded, unknown) or None without a camera.
    `calls` counts open calls.
    """

    sitting: str
    candidate: str
    ticket: str
    name: str
    room: str
    seat: int
    state: str
    sign: str
    answered: int
    items: int
    online: bool
    last_heard: datetime | None
    ends_at: datetime | None
    camera: str | None
    calls: int
    away_since: datetime | None = None
    corrected: tuple[CorrectedView, ...] = ()
    """Newest last; the invigilator compares the candidate's documents with the data as corrected."""


class HallCounts(_Message, frozen=True):
    """Counts of the slot; every number is of `enrolled`. `saved` counts acknowledged answers on disk."""

    enrolled: int
    checked_in: int
    present: int
    absent: int
    writing: int
    handed_in: int
    collected: int
    voided: int
    online: int
    saved: int
    gaps: tuple[str, ...]


class StepView(_Message, frozen=True):
    """One line of the run sheet; `state` is ahead, due, late or done."""

    code: str
    at: datetime
    title: str
    title_en: str
    article: str
    per_room: bool
    two_names: bool
    state: str
    open_rooms: tuple[str, ...]
    done: int


class ActView(_Message, frozen=True):
    """An act of a person and how far it came: of `reached` sittings so many kiosks were sent it, have seen it, and
    hold it; `outstanding` names at most 12 seats (room-number) that have not. `undoes` and `undone_by` are ids of
    correcting acts; `undoable` says whether it can still be taken back.
    """

    id: str
    kind: str
    at: datetime
    by: str
    room: str | None
    sitting: str | None
    reason: str
    reached: int
    sent: int
    seen: int
    done: int
    outstanding: tuple[str, ...]
    undoes: str | None
    undone_by: str | None
    undoable: bool


class IncidentView(_Message, frozen=True):
    """What a person recorded; `state` is noted, proposed, confirmed or dismissed."""

    id: str
    kind: str
    state: str
    room: str | None
    sitting: str | None
    note: str
    recorded_at: datetime
    recorded_by: str
    report_to: str
    reported_at: datetime | None


# ---------------------------------------------------------------- board to server


class Watch(_Message, frozen=True, tag="watch"):
    """First and only message of the board: the slot, and the epoch and last id that it has applied, if
    any.
    """

    slot: str
    epoch: str | None = None
    since: int | None = None


# ---------------------------------------------------------------- server to board


class Snapshot(_Message, frozen=True, tag="snapshot"):
    """Everything, as of change `id` of `epoch` (ids of another epoch mean nothing). `now` is legal time,
    `rate` legal seconds per second.
    """

    id: int
    epoch: str
    now: datetime
    rate: float
    slot: SlotView
    rooms: tuple[RoomView, ...]
    seats: tuple[SeatView, ...]
    counts: HallCounts
    steps: tuple[StepView, ...]
    alerts: tuple[AlertSeen, ...]
    cameras: tuple[CameraHealth, ...]
    incidents: tuple[IncidentView, ...]
    acts: tuple[ActView, ...] = ()
    """The newest acts; a change names those that differ."""


class Change(_Message, frozen=True, tag="change"):
    """What is different since change `id` − 1: replace the named parts; lists hold the changed members
    only.
    """

    id: int
    now: datetime
    slot: SlotView | None = None
    rooms: tuple[RoomView, ...] = ()
    seats: tuple[SeatView, ...] = ()
    counts: HallCounts | None = None
    steps: tuple[StepView, ...] = ()
    alerts: tuple[AlertSeen, ...] = ()
    alerts_gone: tuple[str, ...] = ()
    cameras: tuple[CameraHealth, ...] = ()
    incidents: tuple[IncidentView, ...] = ()
    acts: tuple[ActView, ...] = ()


class Tick(_Message, frozen=True, tag="tick"):
    """Sign of life with the legal time; `id` is the newest change, so that a missed one is noticed."""

    id: int
    now: datetime
    rate: float


class Ended(_Message, frozen=True, tag="ended"):
    """The server closes the watch: `code` says why (not-signed-in, slot-unknown, …)."""

    code: str


ToBoard = Snapshot | Change | Tick | Ended

_encoder = msgspec.json.Encoder()
_watch = msgspec.json.Decoder(Watch)
_to_board: msgspec.json.Decoder[ToBoard] = msgspec.json.Decoder(ToBoard)


def encode(message: ToBoard | Watch) -> bytes:
    """Return the bytes of one message."""
    return _encoder.encode(message)


def decode_watch(data: bytes | str) -> Watch:
    """Read the board's first message; msgspec.DecodeError when it is not of the form."""
    return _watch.decode(data)


def decode_to_board(data: bytes | str) -> ToBoard:
    """Read a server's message; msgspec.DecodeError when it is not of the form."""
    return _to_board.decode(data)


# ---------------------------------------------------------------- the difference of two snapshots

View = TypeVar("View", RoomView, SeatView, StepView, AlertSeen, CameraHealth, IncidentView, ActView)


def _keys(views: Sequence[View], name: str) -> Mapping[str, View]:
    return {getattr(view, name): view for view in views}


def _changed(old: Sequence[View], new: Sequence[View], name: str) -> tuple[View, ...]:
    before = _keys(old, name)
    return tuple(view for view in new if before.get(getattr(view, name)) != view)


def change(old: Snapshot, new: Snapshot) -> Change | None:
    """Return what turns the old snapshot into the new one, numbered `old.id + 1`, or None when nothing
    shown differs.

    The clock alone is no change.
    """
    found = Change(
        id=old.id + 1,
        now=new.now,
        slot=None if old.slot == new.slot else new.slot,
        rooms=_changed(old.rooms, new.rooms, "number"),
        seats=_changed(old.seats, new.seats, "sitting"),
        counts=None if old.counts == new.counts else new.counts,
        steps=_changed(old.steps, new.steps, "code"),
        alerts=_changed(old.alerts, new.alerts, "key"),
        alerts_gone=tuple(sorted({a.key for a in old.alerts} - {a.key for a in new.alerts})),
        cameras=_changed(old.cameras, new.cameras, "camera"),
        incidents=_changed(old.incidents, new.incidents, "id"),
        acts=_changed(old.acts, new.acts, "id"),
    )
    return None if found == Change(id=old.id + 1, now=new.now) else found


def applied(snapshot: Snapshot, change: Change) -> Snapshot:
    """Return the snapshot after one change; ValueError when a change was missed."""
    if change.id != snapshot.id + 1:
        raise ValueError(f"change {change.id} does not follow {snapshot.id}")
    gone = set(change.alerts_gone)
    return Snapshot(
        id=change.id,
        epoch=snapshot.epoch,
        now=change.now,
        rate=snapshot.rate,
        slot=change.slot or snapshot.slot,
        rooms=_replaced(snapshot.rooms, change.rooms, "number"),
        seats=_replaced(snapshot.seats, change.seats, "sitting"),
        counts=change.counts or snapshot.counts,
        steps=_replaced(snapshot.steps, change.steps, "code"),
        alerts=tuple(a for a in _replaced(snapshot.alerts, change.alerts, "key") if a.key not in gone),
        cameras=_replaced(snapshot.cameras, change.cameras, "camera"),
        incidents=_replaced(snapshot.incidents, change.incidents, "id"),
        acts=_replaced(snapshot.acts, change.acts, "id"),
    )


def _replaced(old: Sequence[View], new: Sequence[View], name: str) -> tuple[View, ...]:
    by_key = {**_keys(old, name), **_keys(new, name)}
    return tuple(by_key.values())
