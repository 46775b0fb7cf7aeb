"""The client end of the kiosk protocol, without socket, clock or chance: frames and acts in, frames and
events out.

`receive` takes a frame and returns what happened; `data_to_send` returns the frames that are due. Monotonic
seconds are arguments. The brain outlives its sockets: after a loss call `line_lost`, then feed it the next
socket.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from kiosk.outbox import Outbox
from server.protocol import codec, exam
from server.protocol.envelope import answered_count, answers_digest, holding
from server.protocol.journal import ENTRIES_A_FRAME, JournalCopy, JournalEntry
from server.protocol.paper import SealedPaper

Opening = tuple[exam.Beacon, int]
"""The newest beacon when the paper opened, and the monotonic milliseconds since it was heard."""

AGAIN_AFTER_S = 1.0
"""Monotonic seconds after which a frame that the centre could not take is sent again."""
_OFFER_BYTES = 64 * 1024
_TAKEN_LATER = ("retry", "answer-not-stored")


class Stage(StrEnum):
    """How far this kiosk has come."""

    AWAY = "away"
    """No line, or a line that has not proved the seat yet."""
    WELCOME = "welcome"
    SEATED = "seated"
    LEFT = "left"
    """Another device has the sitting; the outbox may still be emptied."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Challenged:
    """Sign this nonce for the seat and call `prove`."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class PaperReady:
    """Ciphertext and key are both here: open the paper and call `opened`."""

    sealed: SealedPaper
    key: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """An answer is on the centre's disk."""

    answer: exam.Answer
    acknowledged: exam.Acknowledged


@dataclass(frozen=True, slots=True)
class Dropped:
    """An answer was refused for good."""

    answer: exam.Answer
    refused: exam.Refused


@dataclass(frozen=True, slots=True)
class Outdated:
    """This server's standby was promoted: leave the line, and come back at another address."""

    epoch: int


Event = Challenged | Outdated | PaperReady | Saved | Dropped | exam.ToKiosk
"""What `receive` tells: the kiosk's own events, or the centre's message as it came."""


class Brain:
    """One seat's end of the protocol."""

    def __init__(
        self,
        seat: str,
        agent: str = "gongyuan-kiosk/0.1",
        keep: Callable[[exam.Seated, exam.Answer, Opening | None], None] | None = None,
    ) -> None:
        """`keep` writes an answer to the local journal, with when the paper opened; it is called before the
        answer can be sent."""
        self.seat = seat
        self._keep = keep
        self._offers: dict[tuple[str, int], JournalCopy] = {}
        self.stage = Stage.AWAY
        self.seated: exam.Seated | None = None
        self.phase: exam.PhaseNow | None = None
        self.outbox = Outbox()
        self.answers: dict[int, tuple[str, ...]] = {}
        """What the candidate sees: acknowledged answers and those on their way."""
        self._agent = agent
        self._frames: list[bytes] = []
        self._seq = 0
        self._beacon: exam.Beacon | None = None
        self._beacon_at = 0.0
        self._sealed: SealedPaper | None = None
        self._key: exam.PaperKey | None = None
        self._opened = ""
        self._opening: Opening | None = None
        self._commands: list[exam.Command] = []
        """Commands seen whose effect waits for the outbox to be empty."""

    # What the kiosk does.

    def prove(self, signature: bytes) -> None:
        """Answer the challenge."""
        self._say(exam.Hello(seat=self.seat, signature=signature.hex(), agent=self._agent))

    def sign_in(self, ticket: str, id_number: str) -> None:
        """Give the candidate's numbers."""
        self._say(exam.SignIn(ticket=ticket, id_number=id_number))

    def opened(self, items: int, now: float | None = None) -> None:
        """The paper opened and its hash matched, at this monotonic time."""
        if self._sealed is not None:
            if self._beacon is not None and now is not None:
                self._opening = (self._beacon, max(0, round((now - self._beacon_at) * 1000)))
            self._opened = self._sealed.id
            self._say(exam.Opened(paper=self._sealed.id, items=items))

    def answer(self, number: int, value: tuple[str, ...], now: float) -> exam.Answer:
        """Keep an answer and send it as soon as the line is there; return it as kept."""
        seated = self._must_be_seated()
        self._seq += 1
        answer = exam.Answer(
            lease=seated.lease,
            seq=self._seq,
            number=number,
            value=value,
            beacon=self._beacon,
            elapsed_ms=max(0, round((now - self._beacon_at) * 1000)) if self._beacon is not None else 0,
        )
        if self._keep is not None:
            self._keep(seated, answer, self._opening)
        self.outbox.add(answer)
        self.answers[number] = value
        return answer

    def offer(self, journal: JournalCopy) -> None:
        """Offer a journal that this seat still holds: at once on a proved line, and after every welcome until
        the centre has all of it or refuses it."""
        self._offers[(journal.head.sitting, journal.head.lease)] = journal
        if self.stage is not Stage.AWAY:
            self._offer(journal, 0)

    def mark(self, number: int, on: bool) -> None:
        """Mark an item for review, or take the mark away."""
        self._say(exam.Mark(number=number, on=on))

    def call(self, reason: exam.CallReason, text: str = "") -> None:
        """Call an invigilator."""
        self._say(exam.Call(reason=reason, text=text))

    def hand_in(self) -> bool:
        """Ask to hand in; False while answers are on their way, since the centre must have all of them
        first.
        """
        seated = self._must_be_seated()
        if len(self.outbox):
            return False
        self._seq += 1
        self._say(
            exam.HandIn(
                lease=seated.lease,
                seq=self._seq,
                count=answered_count(self.answers),
                digest=answers_digest(self.answers),
            )
        )
        return True

    def put_away(self, message: str) -> None:
        """The candidate has read a message."""
        self._say(exam.Heard(id=message, step="done"))

    def forget(self) -> None:
        """Forget everything of this candidate; the seat stays proved."""
        self.seated = self.phase = self._sealed = self._key = None
        self.outbox = Outbox()
        self.answers = {}
        self._seq = 0
        self._opened = ""
        self._opening = None
        if self.stage is not Stage.AWAY:
            self.stage = Stage.WELCOME

    def offers(self, sitting: str, lease: int) -> bool:
        """Tell whether this journal is still on its way to the centre."""
        return (sitting, lease) in self._offers

    # The line.

    def line_lost(self) -> None:
        """The socket is gone: what was out may be lost, and the next socket begins with a challenge."""
        self._frames.clear()
        self.outbox.all_again()
        if self.stage in (Stage.WELCOME, Stage.SEATED):
            self.stage = Stage.AWAY

    def receive(self, frame: bytes | str, now: float) -> list[Event]:
        """Take a frame from the centre; BadInput when it is not of the protocol."""
        message = codec.to_kiosk(frame)
        match message:
            case exam.Challenge():
                return [Challenged(bytes.fromhex(message.nonce))]
            case exam.Welcome():
                if self.stage is Stage.AWAY:
                    self.stage = Stage.WELCOME
                for journal in self._offers.values():
                    self._offer(journal, 0)
                if self.seated is not None and (self.stage is not Stage.FINISHED or len(self.outbox)):
                    self._say(
                        exam.Resume(
                            sitting=self.seated.sitting,
                            lease=self.seated.lease,
                            token=self.seated.token,
                            paper=holding(self._sealed.hash, self._sealed.nonce) if self._sealed else None,
                        )
                    )
            case exam.Beacon():
                if self._beacon is not None and message.epoch < self._beacon.epoch:
                    return [Outdated(message.epoch)]
                self._beacon, self._beacon_at = message, now
            case exam.Seated():
                self._sit(message, now)
            case exam.PhaseNow():
                self.phase = message
            case exam.PaperSealed():
                self._sealed = message.paper
                return [message, *self._ready()]
            case exam.PaperKey():
                self._key = message
                return [message, *self._ready()]
            case exam.Acknowledged():
                answer = self.outbox.settle(message.lease, message.seq)
                return [] if answer is None else [Saved(answer, message)]
            case exam.Refused():
                return self._refused(message, now)
            case exam.Ping():
                self._say(exam.Pong(n=message.n, waiting=len(self.outbox)))
            case exam.Command():
                self._command(message)
            case exam.HandedIn() | exam.Collected() | exam.Voided():
                self.stage = Stage.FINISHED
                self._sealed = self._key = None
            case exam.Moved() | exam.Replaced() | exam.Halted():
                self.stage = Stage.LEFT
                self._sealed = self._key = None
                self.outbox.all_again()
            case exam.JournalKept():
                self._journal_kept(message)
            case exam.Notice() | exam.Called() | exam.Expecting():
                pass
        return [message]

    def data_to_send(self, now: float) -> list[bytes]:
        """Return the frames that are due, and count them as sent."""
        if self.stage in (Stage.SEATED, Stage.LEFT, Stage.FINISHED):
            for answer in self.outbox.due(now):
                self._say(answer)
        if self.stage is not Stage.LEFT or not len(self.outbox):
            # A collection is ordered for many papers first and reaches each a moment later.
            here = self.stage is Stage.SEATED
            waiting = [command for command in self._commands if here and command.kind == "collect"]
            for command in self._commands:
                if command not in waiting:
                    self._say(exam.Heard(id=command.id, step="done"))
            self._commands = waiting
        frames, self._frames = self._frames, []
        return frames

    def legal(self, now: float) -> datetime | None:
        """Return the legal time: newest beacon + rate × monotonic time since; None before the first
        beacon.
        """
        if self._beacon is None:
            return None
        return self._beacon.now + timedelta(seconds=(now - self._beacon_at) * self._beacon.rate)

    @property
    def rate(self) -> float:
        """Legal seconds per monotonic second, as the newest beacon says."""
        return 1.0 if self._beacon is None else self._beacon.rate

    def _command(self, command: exam.Command) -> None:
        # Seen as soon as it is here; done when it holds: a message when it was put away, a paper that goes when
        # nothing of it is left to send, everything else with the effect that came before this frame.
        self._say(exam.Heard(id=command.id, step="seen"))
        if command.kind != "message":
            self._commands.append(command)

    def _sit(self, seated: exam.Seated, now: float) -> None:
        before = self.seated
        if before is not None and before.sitting != seated.sitting:
            self.forget()
            before = None
        self.seated = seated
        self.stage = Stage.SEATED
        if before is not None and before.lease == seated.lease:
            self._seq = max(self._seq, seated.next_seq - 1)
        else:
            self._seq = seated.next_seq - 1
        standing = {saved.number: saved.value for saved in seated.answers}
        if before is not None and before.paper not in (None, seated.paper):
            # Another paper was given: what was answered on the one before has no place on it.
            self.outbox = Outbox()
            self.answers = standing
        elif before is not None and before.lease != seated.lease:
            # The device signed in anew: what was on its way is given again, as the newest, under the new
            # lease.
            waiting = self.outbox.take_all()
            self.answers = standing
            for answer in waiting:
                self.answer(answer.number, answer.value, now)
        else:
            self.outbox.all_again()
            self.answers = standing | self.outbox.values()

    def _refused(self, refused: exam.Refused, now: float) -> list[Event]:
        if refused.about == "journal":
            if refused.code != "journal-gap":
                self._offers.pop(
                    (str(refused.facts.get("sitting")), int(refused.facts.get("lease") or 0)), None
                )
            return [refused]
        if refused.about == "answer" and refused.seq is not None and self.seated is not None:
            lease = self.seated.lease
            if refused.code in _TAKEN_LATER:
                self.outbox.again(lease, refused.seq, now + AGAIN_AFTER_S)
                return []
            answer = self.outbox.settle(lease, refused.seq)
            return [refused] if answer is None else [Dropped(answer, refused)]
        if refused.about == "resume" and self.stage is Stage.WELCOME:
            # The sitting is no longer this seat's; what is in the outbox stays for people to look at.
            self.stage = Stage.LEFT
        return [refused]

    def _offer(self, journal: JournalCopy, first: int) -> None:
        entries: list[JournalEntry] = []
        length = 0
        for entry in journal.entries[first : first + ENTRIES_A_FRAME]:
            length += len(entry.data)
            if entries and length > _OFFER_BYTES:
                break
            entries.append(entry)
        self._say(exam.LateJournal(head=journal.head, first=first, entries=tuple(entries)))

    def _journal_kept(self, kept: exam.JournalKept) -> None:
        journal = self._offers.get((kept.sitting, kept.lease))
        if journal is None:
            return
        if kept.count < len(journal.entries):
            self._offer(journal, kept.count)
        else:
            del self._offers[(kept.sitting, kept.lease)]

    def _ready(self) -> list[Event]:
        if (
            self._sealed is None
            or self._key is None
            or self._key.paper != self._sealed.id
            or self._opened == self._sealed.id
        ):
            return []
        return [PaperReady(self._sealed, bytes.fromhex(self._key.key))]

    def _must_be_seated(self) -> exam.Seated:
        if self.seated is None:
            raise ValueError("nobody is seated here")
        return self.seated

    def _say(self, message: exam.FromKiosk) -> None:
        self._frames.append(codec.encode(message))
