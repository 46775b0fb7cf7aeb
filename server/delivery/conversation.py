"""What a kiosk may say when, and what is to be done about it: pure, one value per socket.

`next_act` takes where the conversation stands and one message, and answers with what to do or why not. Doing
it (to check a signature, to ask the database, to write) is the business of `runtime`, which moves the
conversation on with the functions below.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.errors import Refusal
from server.protocol import exam
from server.protocol.ids import VERSION


class Stage(StrEnum):
    """How far a socket has come."""

    CHALLENGED = "challenged"
    """The challenge is out; nothing is proved."""
    PROVED = "proved"
    """The seat has proved itself; nobody is signed in."""
    SEATED = "seated"
    """The device holds the newest lease of a sitting."""
    FLUSHING = "flushing"
    """The device held a lease that another has replaced: it may send what is left of it, and nothing else."""
    FINISHED = "finished"
    """The sitting is handed in, collected or cancelled; late answers of its lease are kept, nothing
    changes.
    """


@dataclass(frozen=True, slots=True)
class Conversation:
    """One socket's conversation; ids are empty and the lease 0 until known."""

    stage: Stage = Stage.CHALLENGED
    seat: str = ""
    sitting: str = ""
    lease: int = 0


@dataclass(frozen=True, slots=True)
class ProveSeat:
    """Check the signature over this socket's challenge with the key that the seat enrolled."""

    hello: exam.Hello


@dataclass(frozen=True, slots=True)
class FindCandidate:
    """Look whether the candidate just checked in at this seat has these numbers, and give a new lease."""

    sign_in: exam.SignIn


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Check the token and take the sitting up under the lease that the device holds."""

    resume: exam.Resume


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """Judge the answer's time and give it to the writer."""

    answer: exam.Answer


@dataclass(frozen=True, slots=True)
class StoreMark:
    """Keep a mark for review."""

    mark: exam.Mark


@dataclass(frozen=True, slots=True)
class NoteOpened:
    """Keep how many items the opened paper has."""

    opened: exam.Opened


@dataclass(frozen=True, slots=True)
class EndPaper:
    """Judge the hand-in's time and give it to the writer."""

    hand_in: exam.HandIn


@dataclass(frozen=True, slots=True)
class BringHelp:
    """Put the call on the board."""

    call: exam.Call


@dataclass(frozen=True, slots=True)
class KeepJournal:
    """Keep a sealed journal that this seat still holds, for two named people."""

    late: exam.LateJournal


@dataclass(frozen=True, slots=True)
class NoteCommand:
    """Note how far a command came."""

    heard: exam.Heard


@dataclass(frozen=True, slots=True)
class NoteHeard:
    """The kiosk is there."""

    pong: exam.Pong


KioskAct = (
    ProveSeat
    | FindCandidate
    | TakeUp
    | StoreAnswer
    | StoreMark
    | NoteOpened
    | EndPaper
    | BringHelp
    | KeepJournal
    | NoteCommand
    | NoteHeard
)


def next_act(conversation: Conversation, message: exam.FromKiosk) -> KioskAct | Refusal:
    """Return what the message asks for, or why it has no place here."""
    stage = conversation.stage
    match message:
        case exam.Pong():
            return NoteHeard(message)
        case exam.Hello():
            if stage is not Stage.CHALLENGED:
                return Refusal("hello-twice")
            if message.version != VERSION:
                return Refusal("version-other", facts={"asked": message.version, "spoken": VERSION})
            return ProveSeat(message)
    if stage is Stage.CHALLENGED:
        return Refusal("seat-not-proved")
    match message:
        case exam.LateJournal():
            return KeepJournal(message)
        case exam.SignIn():
            return FindCandidate(message) if stage is not Stage.SEATED else Refusal("seated-already")
        case exam.Resume():
            return TakeUp(message) if stage is not Stage.SEATED else Refusal("seated-already")
        case exam.Answer():
            if stage is Stage.PROVED:
                return Refusal("not-seated")
            if message.lease != conversation.lease:
                return Refusal("lease-other", facts={"lease": message.lease, "held": conversation.lease})
            return StoreAnswer(message)
        case exam.Heard():
            return NoteCommand(message) if stage is not Stage.PROVED else Refusal("not-seated")
        case exam.HandIn():
            if stage is Stage.FINISHED:
                return Refusal("hand-in-already")
            if stage is Stage.FLUSHING:
                return Refusal("lease-superseded", facts={"lease": conversation.lease})
            if stage is Stage.PROVED:
                return Refusal("not-seated")
            if message.lease != conversation.lease:
                return Refusal("lease-other", facts={"lease": message.lease, "held": conversation.lease})
            return EndPaper(message)
    if stage is not Stage.SEATED:
        return Refusal("not-seated")
    match message:
        case exam.Mark():
            return StoreMark(message)
        case exam.Opened():
            return NoteOpened(message)
        case exam.Call():
            return BringHelp(message)


def proved(conversation: Conversation, seat: str) -> Conversation:
    """The seat's signature was right."""
    return replace(conversation, stage=Stage.PROVED, seat=seat)


def seated(conversation: Conversation, sitting: str, lease: int) -> Conversation:
    """The device holds the newest lease."""
    return replace(conversation, stage=Stage.SEATED, sitting=sitting, lease=lease)


def flushing(conversation: Conversation, sitting: str, lease: int) -> Conversation:
    """The device's lease was replaced; it may send what is left of it."""
    return replace(conversation, stage=Stage.FLUSHING, sitting=sitting, lease=lease)


def finished(conversation: Conversation) -> Conversation:
    """The sitting is over."""
    return replace(conversation, stage=Stage.FINISHED)


def about(message: exam.FromKiosk) -> str:
    """Return the `about` of a refusal of this message."""
    match message:
        case exam.Hello():
            return "hello"
        case exam.SignIn():
            return "sign_in"
        case exam.Resume():
            return "resume"
        case exam.Opened():
            return "opened"
        case exam.Answer():
            return "answer"
        case exam.Mark():
            return "mark"
        case exam.HandIn():
            return "hand_in"
        case exam.Call():
            return "call"
        case exam.LateJournal():
            return "journal"
        case exam.Pong() | exam.Heard():
            return "frame"


def refused(message: exam.FromKiosk, refusal: Refusal) -> exam.Refused:
    """Return the refusal of a message as the kiosk is told it."""
    seq = message.seq if isinstance(message, exam.Answer | exam.HandIn) else None
    return exam.Refused(
        about=about(message),  # type: ignore[arg-type]
        code=refusal.code,
        article=refusal.article,
        facts=dict(refusal.facts),
        seq=seq,
    )
