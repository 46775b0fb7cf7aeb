"""The live hall of one process: which devices are on a line, what each is told, and what they say.

What is decided stands in the pure files; what is stored goes through the answer writer or `service`. The hall
holds only what can be read again from the database: a kill at any moment loses nothing that was acknowledged.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from server.clock import Clock
from server.db.act import Act
from server.db.checkpoint import Checkpointer
from server.db.engine import WRITER_CHECKPOINT_PAGES, Database
from server.db.journal import Journal
from server.db.reader import Reader
from server.db.signals import Signals
from server.db.writer import Writer
from server.delivery import acts, contact_service, late_journals, works
from server.delivery import conversation as talk
from server.delivery.acts import LINE
from server.delivery.admission import Admission
from server.delivery.answers import timeliness
from server.delivery.arrivals import Arrival
from server.delivery.beacons import Beacons
from server.delivery.broadcasts import Broadcasts
from server.delivery.collector import Collector
from server.delivery.facts import Ending
from server.delivery.following import Following, live_of, seat_of
from server.delivery.handin import time_refusal
from server.delivery.ledger import Ledger
from server.delivery.lines import Line, Lines, Presence
from server.delivery.sitting import State
from server.delivery.works import Work, Written
from server.errors import BadInput, Fact, GongyuanError, Refusal
from server.keys.identity import Identity
from server.protocol import codec, exam, link
from server.protocol.envelope import receipt_mac, resume_token

LOOK_AGAIN_S = 10.0
"""Monotonic seconds after which the hall reads again what a lost signal would have told it."""
ANSWER = b'{"type":"answer",'
"""How an answer's frame begins as our kiosks and pages write it; another order of fields only costs more."""

log = logging.getLogger(__name__)


def answer_writer(
    db: Database,
    clock: Clock,
    identity: Identity,
    *,
    gap_s: float = 0.005,
    limit: int = 20_000,
    committed: Callable[[], None] | None = None,
) -> Writer[Work, Written]:
    """Make the answer writer of a process: its own connection, its own journal chain. `committed` as in `Writer`."""
    ledger = Ledger(Journal("answer-writer"), clock, identity.signing.sign)
    engine = db.sync_engine(checkpoint_pages=WRITER_CHECKPOINT_PAGES)
    return Writer(engine, ledger.store, clock, gap_s=gap_s, limit=limit, committed=committed)


class Hall:
    """Made by `app.create_app` on a centre; `start` and `stop` with the application."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        journal: Journal,
        writer: Writer[Work, Written],
        signals: Signals,
        identity: Identity,
        centre: str = "gongyuan",
        epoch: int = 1,
    ) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal
        self._writer = writer
        self._signals = signals
        self._identity = identity
        self._centre = centre
        self._reader = Reader(db)
        self._admission = Admission(db, self._reader, clock, writer, identity)
        self._beacons = Beacons(clock, identity, epoch)
        self._collector = Collector(db, clock, journal, identity.signing.sign)
        self._checkpointer = Checkpointer(db, lambda: writer.figures().stored)
        self._lines = Lines()
        self._broadcasts = Broadcasts(clock, self._beacons, self._lines)
        self._following = Following(
            db,
            self._reader,
            clock,
            journal,
            identity,
            self._lines,
            self._admission,
            self._collector,
            self._record_opened,
            lambda line: self._note_line(line, here=False),
            self._go_on,
        )
        self._commanding = self._following.commanding
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe = _nothing

    async def start(self) -> None:
        """Start the writer, listen to signals, and start the timers."""
        self._writer.start()
        self._checkpointer.start()
        self._unsubscribe = self._signals.subscribe(self._following.on_signal)
        self._collector.start()
        self._tasks = [
            asyncio.create_task(task, name=name)
            for name, task in (
                ("hall-signals", self._following.follow_signals()),
                ("hall-beacons", self._broadcasts.keep_sending_beacons()),
                ("hall-phases", self._watch_phases()),
                ("hall-commands", self._commanding.keep_writing()),
                ("hall-pings", self._broadcasts.keep_pinging()),
                ("hall-look-again", self._keep_looking()),
            )
        ]

    async def stop(self) -> None:
        """Close every line, end the timers, and write what the writer still holds."""
        self._unsubscribe()
        for line in tuple(self._lines.all):
            line.close(link.CLOSE_STOPPING)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._collector.stop()
        await self._reader.close()
        await self._writer.stop()
        await self._checkpointer.stop()

    # Lines.

    def attach(self) -> Line:
        """Take a new socket in and challenge it."""
        line = Line(self._clock.monotonic())
        self._lines.all.add(line)
        line.send(exam.Challenge(nonce=line.nonce.hex()))
        return line

    def detach(self, line: Line) -> None:
        """Let a closed socket go; the heartbeat ledger notes that the sitting's line was lost."""
        self._lines.drop(line)
        sitting = line.conversation.sitting
        if self._lines.by_sitting.get(sitting) is line:
            del self._lines.by_sitting[sitting]
            self._note_line(line, here=False)

    def presence(self) -> Mapping[str, Presence]:
        """Return the devices on a line of this process, by sitting."""
        now = self._clock.monotonic()
        return {
            sitting: Presence(True, now - line.heard_at, line.waiting)
            for sitting, line in self._lines.by_sitting.items()
        }

    def seats_online(self) -> Mapping[str, float]:
        """Return the enrolled seats on a line of this process, with seconds since each was heard."""
        now = self._clock.monotonic()
        return {seat: now - line.heard_at for seat, line in self._lines.by_seat.items()}

    def take(self, line: Line, frame: bytes) -> bool:
        """Take an answer in the turn in which it came; False, with nothing done, for every other frame and whatever is
        wrong with one: `receive` takes those."""
        if line.close_code is not None or not frame.startswith(ANSWER):
            return False
        try:
            message = codec.from_kiosk(frame)
        except BadInput:
            return False
        act = talk.next_act(line.conversation, message)
        if not isinstance(act, talk.StoreAnswer):
            return False
        line.heard_at = self._clock.monotonic()
        refusal = self._store_answer(line, act.answer)
        if refusal is not None:
            line.send(talk.refused(message, refusal))
        return True

    async def receive(self, line: Line, frame: bytes | str) -> None:
        """Take one frame from a kiosk: answer it, or queue it for the writer, or say why not. Never raises
        for what a kiosk sent."""
        line.heard_at = self._clock.monotonic()
        try:
            message = codec.from_kiosk(frame)
        except BadInput as error:
            line.send(
                exam.Refused(about="frame", code=error.code, facts={"reason": str(error.facts.get("reason"))})
            )
            if line.seat is None:
                line.close(link.CLOSE_REFUSED)
            return
        act = talk.next_act(line.conversation, message)
        refusal: Refusal | None = None
        match act:
            case Refusal():
                refusal = act
                if act.code == "version-other":
                    line.send(talk.refused(message, act))
                    line.close(link.CLOSE_REFUSED)
                    return
            case talk.StoreAnswer():
                refusal = self._store_answer(line, act.answer)
            case talk.NoteCommand():
                self._commanding.heard(line, act.heard)
            case talk.NoteHeard():
                line.waiting = act.pong.waiting
            case talk.ProveSeat():
                refusal = await self._prove(line, act.hello)
            case talk.FindCandidate():
                refusal = await self._sign_in(line, act.sign_in)
            case talk.TakeUp():
                refusal = await self._resume(line, act.resume)
            case talk.EndPaper():
                refusal = self._hand_in(line, act.hand_in)
            case talk.StoreMark():
                mark = act.mark
                self._writer.offer(works.MarkWork(line.conversation.sitting, mark.number, mark.on), _forget)
            case talk.NoteOpened():
                self._writer.offer(works.OpenedWork(line.conversation.sitting, act.opened.items), _forget)
            case talk.BringHelp():
                refusal = await self._call(line, act.call)
            case talk.KeepJournal():
                refusal = await self._keep_journal(line, act.late)
        if refusal is not None:
            line.send(talk.refused(message, refusal))
            if isinstance(message, exam.Hello):
                proved = refusal.code == "seb-token-needed"
                line.close(link.CLOSE_REFUSED if proved else link.CLOSE_NOT_PROVED)

    # Coming in.

    async def _prove(self, line: Line, hello: exam.Hello) -> Refusal | None:
        proved = await self._admission.prove(line.nonce, hello)
        if isinstance(proved, Refusal):
            return proved
        seat = proved.seat
        older = self._lines.by_seat.get(seat.id)
        if older is not None:
            older.close(link.CLOSE_OTHER_SOCKET)
            self.detach(older)
        self._lines.prove(line, seat)
        line.conversation = talk.proved(line.conversation, seat.id)
        line.held = True
        try:
            line.send(exam.Welcome(seat=seat.id, room=seat.room, number=seat.number, centre=self._centre))
            line.send(self._beacons.fresh())
            await self._following.tell_expected(line, proved)
        finally:
            line.let_go()
        return None

    async def _sign_in(self, line: Line, sign_in: exam.SignIn) -> Refusal | None:
        seat = seat_of(line)
        hold = await self._admission.sign_in(seat, sign_in)
        if isinstance(hold, Refusal):
            return hold
        arrival = await self._following.arrivals.get((hold.sitting, ""))
        return (
            Refusal("sign-in-refused") if arrival is None else await self._take_up(line, arrival, hold.lease)
        )

    async def _resume(self, line: Line, resume: exam.Resume) -> Refusal | None:
        arrival = await self._following.arrivals.get((resume.sitting, resume.paper or ""))
        if arrival is None or not await self._admission.holds(arrival.sitting, resume):
            return Refusal("resume-refused")
        return await self._take_up(line, arrival, resume.lease)

    async def _take_up(self, line: Line, arrival: Arrival, lease: int) -> Refusal | None:
        """Tell a device that holds a lease of a sitting what has become of it."""
        sitting, seat = arrival.sitting, seat_of(line)
        await self._following.hold(line, arrival, await self._admission.receipt_key(sitting.slot))
        if sitting.state in (State.HANDED_IN, State.COLLECTED, State.VOIDED):
            line.conversation = talk.seated(line.conversation, sitting.id, lease)
            await self._following.tell_end(line, sitting)
        elif lease < sitting.lease and await self._following.goes_on(line, sitting):
            await self._seat(line, arrival)
        elif lease < sitting.lease:
            line.conversation = talk.flushing(line.conversation, sitting.id, lease)
            self._following.tell_replaced(line, sitting)
        elif (sitting.room, sitting.seat) == (seat.room, seat.number) and sitting.state in (
            State.CHECKED_IN,
            State.OPENED,
        ):
            await self._seat(line, arrival)
        else:
            return Refusal("resume-refused")
        return None

    async def _go_on(self, line: Line, sitting: str) -> None:
        """Bring a device to the newest lease of its sitting: it was given another paper."""
        arrival = await self._following.arrivals.get((sitting, ""))
        if arrival is not None:
            await self._take_up(line, arrival, arrival.sitting.lease)

    async def _seat(self, line: Line, arrival: Arrival) -> None:
        """Tell a device that holds the newest lease all it needs, the key too when it is time."""
        sitting, live = arrival.sitting, live_of(line)
        terms = (await self._following.times(sitting.slot)).terms
        journal_key = await self._following.journal_key(sitting.slot)
        older = self._lines.by_sitting.get(sitting.id)
        if older is not None and older is not line:
            older.conversation = talk.flushing(older.conversation, sitting.id, older.conversation.lease)
            older.send(exam.Replaced(lease=older.conversation.lease))
        line.conversation = talk.seated(line.conversation, sitting.id, sitting.lease)
        self._lines.by_sitting[sitting.id] = line
        line.held = True
        line.send(
            exam.Seated(
                sitting=sitting.id,
                lease=sitting.lease,
                token=resume_token(live.receipt_key, sitting.id, sitting.lease),
                next_seq=arrival.next_seq,
                candidate=sitting.name,
                ticket=sitting.ticket,
                plan=terms.plan_name,
                title=terms.title,
                minutes=terms.policy.minutes,
                planned_start=terms.starts_at,
                paper=live.paper,
                answers=arrival.answers,
                marks=arrival.marks,
                journal_key=None if journal_key is None else journal_key.hex(),
                early=terms.policy.early,
                late=terms.policy.late,
            )
        )
        line.send(self._following.phase(live))
        if arrival.sealed is not None:
            line.send(exam.PaperSealed(paper=arrival.sealed))
        self._note_line(line, here=True)
        if sitting.state is not State.OPENED:
            # The key waits for a transaction; what is there goes out now.
            line.let_go()
        try:
            await self._following.release([line])
        finally:
            line.let_go()
        await self._commanding.tell_outstanding(line, arrival)

    async def _record_opened(self, slot: str, sittings: tuple[str, ...]) -> frozenset[str] | None:
        """Record that papers are opened; return those whose state allows it, None when it could not be stored now."""
        written = await self._writer.write(works.ReleaseWork(slot, sittings, self._clock.legal()))
        if not isinstance(written, works.Released):
            return None
        self._tell(acts.OPENED, slot)
        return written.sittings

    # Answers and hand-in.

    def _store_answer(self, line: Line, answer: exam.Answer) -> Refusal | None:
        live = live_of(line)
        now = self._clock.legal()
        capture = self._beacons.capture(answer)
        timely = timeliness(live.times, now, capture)
        if isinstance(timely, Refusal):
            return timely
        sitting = live.sitting.id
        captured_at = None if capture is None else capture.at
        work = works.AnswerWork(
            sitting, answer.lease, answer.seq, answer.number, answer.value, now, captured_at, timely
        )

        def done(written: Written | None) -> None:
            if isinstance(written, works.Stored):
                mac = receipt_mac(
                    live.receipt_key,
                    sitting,
                    answer.lease,
                    answer.seq,
                    written.outcome,
                    written.receipt,
                    written.digest,
                )
                receipt = exam.Receipt(number=written.receipt, hash=written.digest.hex(), mac=mac)
                line.send(
                    exam.Acknowledged(
                        lease=answer.lease,
                        seq=answer.seq,
                        number=answer.number,
                        outcome=written.outcome,
                        receipt=receipt,
                    )
                )
            else:
                refusal = written if isinstance(written, Refusal) else Refusal("answer-not-stored")
                line.send(talk.refused(answer, refusal))

        return None if self._writer.offer(work, done) else Refusal("retry")

    def _hand_in(self, line: Line, hand_in: exam.HandIn) -> Refusal | None:
        live = live_of(line)
        now = self._clock.legal()
        refusal = time_refusal(live.times, now)
        if refusal is not None:
            return refusal
        sitting = live.sitting.id
        work = works.HandInWork(sitting, hand_in.lease, hand_in.seq, hand_in.count, hand_in.digest, now)

        def done(written: Written | None) -> None:
            if isinstance(written, Ending):
                self._following.finish(line, written)
                self._tell(acts.SITTING, sitting)
            else:
                refusal = written if isinstance(written, Refusal) else Refusal("answer-not-stored")
                line.send(talk.refused(hand_in, refusal))

        return None if self._writer.offer(work, done) else Refusal("retry")

    async def _call(self, line: Line, call: exam.Call) -> Refusal | None:
        sitting = line.conversation.sitting
        try:
            async with self._db.writing() as session:
                act = Act(session, self._journal, self._clock.legal(), f"sitting:{sitting}")
                made = await contact_service.call(
                    act, sitting, call.reason, call.number, call.text, call.fault
                )
        except SQLAlchemyError as error:
            log.error("a call was not stored: %s", error)
            return Refusal("retry")
        line.send(exam.Called(id=made))
        return None

    async def _keep_journal(self, line: Line, late: exam.LateJournal) -> Refusal | None:
        seat = seat_of(line)
        try:
            async with self._db.writing() as session:
                act = Act(session, self._journal, self._clock.legal(), f"seat:{seat.room}-{seat.number}")
                kept = await late_journals.keep(act, late.head, late.first, late.entries, "line", seat.id)
        except GongyuanError as error:
            named: dict[str, Fact] = {"sitting": late.head.sitting, "lease": late.head.lease}
            return Refusal(error.code, error.article, {**error.facts, **named})
        line.send(exam.JournalKept(sitting=late.head.sitting, lease=late.head.lease, count=kept))
        return None

    def _note_line(self, line: Line, *, here: bool) -> None:
        sitting = line.conversation.sitting
        if line.seat is None or not sitting:
            return

        def done(_: Written | None) -> None:
            self._tell(LINE, sitting)

        self._writer.offer(works.LineWork(sitting, line.seat.id, self._clock.legal(), here), done)

    def _tell(self, topic: str, key: str) -> None:
        """Tell this process of what the writer stored; on PostgreSQL the writer's transaction tells all."""
        if self._db.is_sqlite:
            self._signals.tell(topic, key)

    # What changes while devices are on the line.

    async def refresh_slot(self, slot: str) -> None:
        """Tell the slot's devices now what a signal would have told them."""
        await self._following.refresh_slot(slot)

    # Timers.

    def send_beacon(self) -> None:
        """Send one fresh beacon to every proved seat now."""
        self._broadcasts.send_beacon(self._lines.by_seat.values())

    async def _watch_phases(self) -> None:
        while True:
            rate = max(self._clock.rate(), 1e-6)
            await asyncio.sleep(min(1.0, max(0.05, 0.5 / rate)))
            with contextlib.suppress(Exception):
                await self._following.pass_boundaries()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            with contextlib.suppress(Exception):
                await self._following.look_again()


def _nothing() -> None:
    return None


def _forget(_: object) -> None:
    return None
