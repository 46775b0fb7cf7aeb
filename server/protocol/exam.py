"""Messages between a kiosk and the centre on the websocket `/ws/candidate`: one JSON object a frame.

Every message is tagged by `type` and closed: an unknown field or tag is an error. Times are ISO 8601 in UTC;
keys, hashes and signatures are lower-case hexadecimal; the bytes inside a sealed paper are standard base64.

How a sitting goes (→ server to kiosk, ← kiosk to server):

    → challenge                     at once after the socket opens
    ← hello                         the seat signs `envelope.seat_proof(nonce, seat)` with its Ed25519 key
    → welcome, → beacon             or → refused and the socket is closed (code 4401)
    → expecting                     whether a candidate is checked in here
    ← sign_in                       or, from a device that holds a lease, ← resume
    → seated                        candidate, lease, token, answers so far; or → refused (one wording)
    → phase                         at once and after each change; the kiosk only counts down from it
    → sealed_paper                  before the bell when possible: ciphertext only; not again to who has it
    → paper_key                     after the bell: 32 bytes
    ← opened                        the paper opened and its hash matched
    ← answer …  → acknowledged …    a lease's seq counts from 1 over `answer` and `hand_in`
    ← hand_in   → handed_in         or → refused with `about` "hand_in", which names when it opens
    → collected                     at the own end when nothing was handed in

A kiosk keeps each answer until `acknowledged` names its lease and seq, shows "saved" only then, and after a
reconnect sends what is not acknowledged again, in order, under its old lease and seq: repeating is harmless.
Refused with code `retry` (server busy) or `answer-not-stored` means: send again after a second; nothing was
stored. `replaced` and `moved` mean that another device has, or will have, the sitting: send what is not
acknowledged, then forget everything of this candidate. Each answer is also an entry of the sealed local journal
(`protocol/journal`) before it is sent; a journal with entries that were never acknowledged is offered by
`late_journal` after the welcome, whoever sits there then, and answered by `journal_kept`.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from server.protocol.ids import (
    VERSION,
    AnswerPart,
    Hex32,
    Hex44,
    Hex64,
    Id,
    ItemNumber,
    Milliseconds,
    Sequence,
)
from server.protocol.journal import ENTRIES_A_FRAME, JournalEntry, JournalHead
from server.protocol.paper import SealedPaper

Value = Annotated[tuple[AnswerPart, ...], msgspec.Meta(max_length=40)]
"""Displayed labels in ascending order, ("T",) or ("F",), or one text a blank; () clears the answer."""

PhaseKind = Literal["waiting", "running", "paused", "halted", "grace", "ended"]
CommandKind = Literal[
    "extra",
    "delay",
    "credit",
    "pause",
    "resume",
    "halt",
    "plan",
    "continue",
    "message",
    "reseat",
    "collect",
    "void",
    "absent",
    "leave",
    "return",
    "undo",
]
CallReason = Literal["help", "item", "machine", "leave"]
ItemFault = Literal["wording", "picture", "options", "other"]
Outcome = Literal["counted", "superseded", "late"]


# Server to kiosk.


class Beacon(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="beacon"
):
    """The centre's legal time, signed; sent after welcome and then every 10 legal seconds.

    The kiosk takes legal time as `now` + `rate` × monotonic time since it received this, puts the newest
    beacon unchanged into each answer, and never reads its own clock. `signature` is Ed25519 by the node's
    signing key over `envelope.beacon_bytes(now, rate, node, epoch)`. `epoch` is left out while it is 1; a promoted
    standby has a higher one, and who has heard it takes nothing from a lower one any more.
    """

    now: datetime
    rate: float
    node: str
    signature: Hex64
    epoch: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1


class Challenge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="challenge"):
    """First message on every socket: 32 fresh random bytes to sign, and the server's protocol version."""

    nonce: Hex32
    version: int = VERSION


class Welcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="welcome"):
    """The seat has proved itself; shown: room, seat number and the centre's name."""

    seat: Id
    room: str
    number: int
    centre: str


class Expecting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expecting"):
    """Whether a candidate is checked in at this seat: the page shows the sign-in form, or asks to wait for the
    invigilator. Sent after welcome and whenever it changes; says nothing of who it is."""

    on: bool


class SavedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item's answer as it stands on the server's disk."""

    number: ItemNumber
    value: Value
    lease: int
    seq: int


class Seated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="seated"):
    """The candidate checked in here has signed in: the device holds `lease` and answers with it.

    `next_seq` is the lowest seq of this lease that the server has not seen (1 for a new lease). `paper` is
    the id of the sealed paper that follows. `token` takes the sitting up again on this seat without signing
    in. `answers` are all that stand; `marks` the item numbers marked for review. `early` and `late` are the
    slot's minutes without hand-in, after the bell and before the own end.
    """

    sitting: Id
    lease: Sequence
    token: Hex32
    next_seq: Sequence
    candidate: str
    ticket: str
    plan: str
    title: str
    minutes: int
    planned_start: datetime
    paper: Id | None
    answers: tuple[SavedAnswer, ...] = ()
    marks: tuple[int, ...] = ()
    journal_key: Hex32 | None = None
    early: int = 30
    late: int = 15


class PhaseNow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="phase"):
    """The answer of the server's deadline function for this sitting, at legal time `now`.

    Half-open: the phase holds from `start` to before `end`. `waiting`: before the own start (end is the own
    start: as planned, and delayed, until the bell has rung). `running`: end is the own end. `paused`: end is null
    while the pause is open.
    `halted`: for a disaster, and everybody leaves; `resumes_at` is when the chief plans to continue it, the paper
    stays closed until then. `away`: the candidate is out of the room with an escort, and the paper is covered.
    `grace`: answers already on their way are taken. Hand-in is allowed from `hand_in_opens` to before
    `hand_in_closes` while running; both are null before the bell and while the end is unknown.
    """

    kind: PhaseKind
    now: datetime
    rate: float
    start: datetime | None = None
    end: datetime | None = None
    hand_in_opens: datetime | None = None
    hand_in_closes: datetime | None = None
    resumes_at: datetime | None = None
    away: bool = False


class PaperSealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sealed_paper"):
    """The paper's ciphertext; replaces an earlier one (a spare given for a spoiled paper)."""

    paper: SealedPaper


class PaperKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="paper_key"):
    """After the bell: the 32 bytes that open the sealed paper of this id."""

    paper: Id
    key: Hex32


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Proof that an answer is on disk: receipt number (from 1 per sitting), chained hash, HMAC-SHA-256."""

    number: int
    hash: Hex32
    mac: Hex32


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="acknowledged"):
    """The answer (lease, seq) is committed to disk.

    `counted`: it is the item's answer now. `superseded`: stored, but a newer (lease, seq) stands. `late`:
    stored in the late journal, which only two named people can merge; the page shows it as not counted.
    """

    lease: Sequence
    seq: Sequence
    number: ItemNumber
    outcome: Outcome
    receipt: Receipt


class Refused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="refused"):
    """Why not: a text code, the article it rests on, facts for the text, what it is about and, for an answer,
    its seq.

    Facts of a hand-in refused for its time: `opens` and `closes` as HH:MM:SS in Asia/Shanghai, `wait_s` in
    seconds until it opens.
    """

    about: Literal[
        "frame", "hello", "sign_in", "resume", "opened", "answer", "mark", "hand_in", "call", "journal"
    ]
    code: str
    article: str | None = None
    facts: dict[str, str | int | float | bool | None] = {}
    seq: int | None = None


class Ping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ping"):
    """Are you there? Every 20 monotonic seconds; answer with `pong` of the same n."""

    n: int


class HandedIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="handed_in"):
    """The paper is handed in: nothing of this sitting can change. Forget keys, paper and answers; show the
    code.

    `signature` is Ed25519 by the node's key over `envelope.hand_in_bytes`; `head` names the newest journal
    head as chain:seq:hash; `code` is read aloud (13 base32 characters and a check character).
    """

    at: datetime
    count: int
    digest: Hex32
    head: str
    code: str
    signature: Hex64


class Collected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="collected"):
    """The end came, or the chief collected: what was acknowledged is the paper. Fields as in `handed_in`."""

    at: datetime
    count: int
    digest: Hex32
    head: str
    code: str
    signature: Hex64


class Voided(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="voided"):
    """The sitting was cancelled by the chief; forget everything of this candidate and show that an
    invigilator comes.
    """

    at: datetime


class Moved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="moved"):
    """The candidate is reseated: show room and seat, send what is not acknowledged, then forget."""

    room: str
    number: int


class Replaced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="replaced"):
    """Another device has taken the sitting: send what is not acknowledged under the old lease, then
    forget.
    """

    lease: Sequence


class Halted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="halted"):
    """The exam is halted for a disaster: send what is not acknowledged, then forget; to continue, the candidate is
    checked in and signs in again, here or elsewhere."""

    at: datetime


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="command"):
    """An act of a person that reaches this sitting; sent after the message that carries its effect.

    Answer `heard` with step "seen" at once, and with "done" once what it says holds on the screen: a message was
    put away by the candidate, a paper forgotten, a phase shown. Repeating is harmless, and the server sends it
    again until it is done.
    """

    id: Id
    kind: CommandKind
    at: datetime


class Notice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="message"):
    """Words from the chief or invigilator to this candidate, room or hall, shown until put away."""

    id: Id
    at: datetime
    text: str


class Called(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="called"):
    """The candidate's call is on the invigilators' board."""

    id: Id


class JournalKept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="journal_kept"):
    """So many entries of this journal, from its first one on, are on the centre's disk: kept for two named
    people, not counted."""

    sitting: Id
    lease: Sequence
    count: Annotated[int, msgspec.Meta(ge=0)]


# Kiosk to server.


class Hello(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hello"):
    """Which seat this is, proved by its key. `agent` is the kiosk's name and version, for the technician's
    page.
    """

    seat: Id
    signature: Hex64
    version: int = VERSION
    agent: Annotated[str, msgspec.Meta(max_length=200)] = ""
    token: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of a seat enrolled in Safe Exam Browser: what a request of that browser was given for this challenge."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sign_in"):
    """Admission ticket and identity number; right only for the candidate just checked in at this seat."""

    ticket: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    id_number: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class Resume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="resume"):
    """Take up a sitting whose lease this device holds (after a reconnect or a reload).

    `paper` is `envelope.holding` of the sealed paper that the device has: where it is the sitting's own, `sealed_paper`
    is not sent again. Null from a device that has none."""

    sitting: Id
    lease: Sequence
    token: Hex32
    paper: Hex44 | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="opened"):
    """The paper was opened with its key and its hash matched; `items` is how many items it has (for the
    board). A paper that does not open is reported by `call` with reason "machine"."""

    paper: Id
    items: Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="answer"):
    """One answer. `beacon` is the newest beacon heard when the answer was given, unchanged, `elapsed_ms` the
    monotonic milliseconds from hearing it to the answer. Both are evidence, used only to judge an answer that
    arrives late."""

    lease: Sequence
    seq: Sequence
    number: ItemNumber
    value: Value
    beacon: Beacon | None = None
    elapsed_ms: Milliseconds = 0


class Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="mark"):
    """Mark an item for review, or take the mark away. Not acknowledged: it is a convenience, not an
    answer.
    """

    number: ItemNumber
    on: bool


class HandIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hand_in"):
    """Hand in. `count` and `digest` are `envelope.answered_count` and `answers_digest` of the answers the
    candidate sees: when they differ from what is on disk, it is refused with `hand-in-differs` and the kiosk
    sends again."""

    lease: Sequence
    seq: Sequence
    count: Annotated[int, msgspec.Meta(ge=0, le=1_000)]
    digest: Hex32


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="call"):
    """Call an invigilator: for help, about an item (with what is wrong with it), about the machine, or to leave the
    seat."""

    reason: CallReason
    fault: ItemFault | None = None
    number: ItemNumber | None = None
    text: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Captured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an entry of the local journal holds in clear: an answer and its capture evidence, as in `answer`.

    A journal's first entry also tells when its device opened the paper: the newest beacon then, unchanged, and the
    monotonic milliseconds from hearing it. By it a centre that lost its records checks the bell that people type."""

    number: ItemNumber
    value: Value
    beacon: Beacon | None = None
    elapsed_ms: Milliseconds = 0
    opened: Beacon | None = None
    opened_ms: Milliseconds = 0


class LateJournal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="late_journal"):
    """A journal that this seat still holds of a sitting that is no longer its own, or over: entries from place
    `first` (from 0) on, sealed and signed as `protocol/journal` says. Repeating is harmless. Refused with
    `about` "journal" for good (facts name `sitting` and `lease`), unless the code is `journal-gap`, which names how
    many are `kept`."""

    head: JournalHead
    first: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    entries: Annotated[tuple[JournalEntry, ...], msgspec.Meta(max_length=ENTRIES_A_FRAME)]


class Pong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pong"):
    """I am here; `waiting` answers are not acknowledged yet."""

    n: int
    waiting: Annotated[int, msgspec.Meta(ge=0)] = 0


class Heard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="heard"):
    """A command was received (`seen`) or holds now (`done`, which says seen too)."""

    id: Id
    step: Literal["seen", "done"]


FromKiosk = Hello | SignIn | Resume | Opened | Answer | Mark | HandIn | Call | Heard | LateJournal | Pong
ToKiosk = (
    Challenge
    | Welcome
    | Beacon
    | Expecting
    | Seated
    | PhaseNow
    | PaperSealed
    | PaperKey
    | Acknowledged
    | Refused
    | Ping
    | HandedIn
    | Collected
    | Voided
    | Moved
    | Replaced
    | Halted
    | Command
    | Notice
    | Called
    | JournalKept
)
