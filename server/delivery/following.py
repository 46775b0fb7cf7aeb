"""What changes while devices are on the line: signals followed, phases passed, keys released, endings
told.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import acts, late_journals, service, store
from server.delivery import conversation as talk
from server.delivery.admission import Admission
from server.delivery.collector import Collector
from server.delivery.commanding import Commanding
from server.delivery.facts import Ending, Seat, Sitting, SlotTimes
from server.delivery.lines import Line, Lines, Live
from server.delivery.seating import SEATS
from server.delivery.sitting import State
from server.delivery.timing import PhaseKind, continues_at, hand_in_window, phase_of
from server.keys.identity import Identity
from server.keys.sealing import paper_key
from server.papers import store as papers
from server.protocol import exam
from server.protocol.paper import SealedPaper

EFFECTS = (acts.SLOT, acts.SITTING, acts.COMMAND)
"""Topics that are followed, in the order of one batch: what an act changes goes out before the act is named."""

log = logging.getLogger(__name__)


class Following:
    """Keeps every line told of what the database says; reads it again after each signal."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        journal: Journal,
        identity: Identity,
        lines: Lines,
        admission: Admission,
        collector: Collector,
        note_lost: Callable[[Line], None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal
        self._identity = identity
        self._lines = lines
        self._admission = admission
        self._collector = collector
        self._note_lost = note_lost
        self.commanding = Commanding(db, clock, journal, lines)
        self._start_keys: dict[str, bytes] = {}
        self._journal_keys: dict[str, bytes] = {}
        self._times: dict[str, SlotTimes] = {}
        self._heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def load(
        self, session: AsyncSession, line: Line, sitting: Sitting, receipt_key: bytes
    ) -> SealedPaper | None:
        """Hold the sitting's facts on the line; return its sealed paper."""
        times = (await self.times(session, sitting.slot)).of(sitting.id, sitting.time_room)
        if sitting.paper is not None:
            sealed = await papers.paper(session, sitting.paper)
        else:
            sealed = await papers.sealed_paper(session, sitting.id)
        phase = phase_of(times, self._clock.legal())
        line.live = Live(sitting, times, phase, receipt_key, None if sealed is None else sealed.id)
        return sealed

    async def journal_key(self, session: AsyncSession, slot: str) -> bytes | None:
        """Return the public half of a slot's journal recovery key, or None."""
        known = self._journal_keys.get(slot) or await late_journals.recovery_key(session, slot)
        if known is not None:
            self._journal_keys[slot] = known
        return known

    async def times(self, session: AsyncSession, slot: str) -> SlotTimes:
        """Return a slot's times as last read; a signal or the timer reads them again."""
        known = self._times.get(slot)
        if known is None:
            known = self._times[slot] = await store.slot_times(session, slot)
        return known

    def phase(self, live: Live) -> exam.PhaseNow:
        now = self._clock.legal()
        live.phase = phase_of(live.times, now)
        window = hand_in_window(live.times)
        slot = self._times.get(live.sitting.slot)
        return exam.PhaseNow(
            kind=live.phase.kind.value,
            now=now,
            rate=self._clock.rate(),
            start=live.phase.start,
            end=live.phase.end,
            hand_in_opens=None if window is None else window.opens,
            hand_in_closes=None if window is None else window.closes,
            resumes_at=continues_at(live.times),
            away=slot is not None and live.sitting.id in slot.away,
        )

    async def tell_expected(self, line: Line) -> None:
        seat = seat_of(line)
        async with self._db.reading() as session:
            expected = bool(await store.active_at(session, seat.room, seat.number))
        if expected is not line.expecting:
            line.expecting = expected
            line.send(exam.Expecting(on=expected))

    def finish(self, line: Line, ending: Ending) -> None:
        if line.conversation.stage is talk.Stage.FINISHED:
            return
        line.conversation = talk.finished(line.conversation)
        kind = exam.HandedIn if ending.how == State.HANDED_IN.value else exam.Collected
        line.send(
            kind(
                at=ending.at,
                count=ending.count,
                digest=ending.digest,
                head=ending.head,
                code=ending.code,
                signature=ending.signature.hex(),
            )
        )

    async def tell_end(self, line: Line, sitting: Sitting) -> None:
        if line.conversation.stage is talk.Stage.FINISHED:
            return
        if sitting.state is State.VOIDED:
            line.conversation = talk.finished(line.conversation)
            line.send(exam.Voided(at=sitting.ended_at or self._clock.legal()))
            return
        async with self._db.reading() as session:
            ending = await store.ending(session, sitting.id)
        if ending is not None:
            self.finish(line, ending)

    def tell_replaced(self, line: Line, sitting: Sitting) -> None:
        seat = seat_of(line)
        if sitting.state is State.HALTED:
            line.send(exam.Halted(at=self._clock.legal()))
            return
        if (sitting.room, sitting.seat) != (seat.room, seat.number):
            line.send(exam.Moved(room=sitting.room, number=sitting.seat))
        else:
            line.send(exam.Replaced(lease=line.conversation.lease))

    async def release(self, lines: Iterable[Line]) -> None:
        """Send the paper keys of those whose time has come, after recording that their papers are opened."""
        due = [line for line in lines if self._may_open(line)]
        if not due:
            return
        async with self._db.writing() as session:
            act = Act(session, self._journal, self._clock.legal(), "centre:hall")
            opened = set(await service.open_papers(act, [line.conversation.sitting for line in due]))
        for line in due:
            live = line.live
            if live is None or live.paper is None or line.conversation.sitting not in opened:
                continue
            key = await self._start_key(live.sitting.slot)
            if key is not None:
                live.key_sent = True
                line.send(exam.PaperKey(paper=live.paper, key=paper_key(key, live.paper).hex()))

    def _may_open(self, line: Line) -> bool:
        live = line.live
        return (
            live is not None
            and not live.key_sent
            and live.paper is not None
            and line.conversation.stage is talk.Stage.SEATED
            and live.phase.kind in (PhaseKind.RUNNING, PhaseKind.PAUSED)
        )

    async def _start_key(self, slot: str) -> bytes | None:
        known = self._start_keys.get(slot)
        if known is None:
            async with self._db.reading() as session:
                wrapped = await store.wrapped_start_key(session, slot)
            if wrapped is None:
                return None
            known = self._identity.storage_unwrap(wrapped, service.start_key_aad(slot))
            self._start_keys[slot] = known
        return known

    def on_signal(self, topic: str, key: str) -> None:
        if topic in EFFECTS:
            self._heard.put_nowait((topic, key))
        if topic == SEATS:
            self._admission.forget_seats()
        if topic in (acts.SITTING, acts.SLOT, acts.OPENED):
            self._collector.look_again()

    async def follow_signals(self) -> None:
        while True:
            heard = {await self._heard.get()}
            while not self._heard.empty():
                heard.add(self._heard.get_nowait())
            for topic, key in sorted(heard, key=lambda one: (EFFECTS.index(one[0]), one[1])):
                try:
                    await self._refresh(topic, key)
                except Exception:
                    log.exception("could not follow %s %s", topic, key)

    async def _refresh(self, topic: str, key: str) -> None:
        if topic == acts.SLOT:
            await self.refresh_slot(key)
        elif topic == acts.SITTING:
            await self._refresh_sitting(key)
        else:
            await self.commanding.tell(key)

    async def refresh_slot(self, slot: str) -> None:
        """Read a slot's times again, tell each of its devices its phase, and open the papers whose time has
        come.
        """
        self._times.pop(slot, None)
        lines = self._lines.of_slot(slot)
        if not lines:
            return
        async with self._db.reading() as session:
            times = self._times[slot] = await store.slot_times(session, slot)
        for line in lines:
            live = live_of(line)
            live.times = times.of(live.sitting.id, live.sitting.time_room)
            line.send(self.phase(live))
        await self.release(lines)

    async def _refresh_sitting(self, sitting: str) -> None:
        line = self._lines.by_sitting.get(sitting)
        async with self._db.reading() as session:
            found = await store.sitting(session, sitting)
            if line is None or line.live is None:
                await self._tell_place(found)
                return
            times = await self.times(session, found.slot)
        live = line.live
        live.sitting, live.times = found, times.of(found.id, found.time_room)
        if found.state in (State.HANDED_IN, State.COLLECTED, State.VOIDED):
            await self.tell_end(line, found)
        elif found.lease > line.conversation.lease and line.conversation.stage is talk.Stage.SEATED:
            line.conversation = talk.flushing(line.conversation, sitting, line.conversation.lease)
            self.tell_replaced(line, found)
            del self._lines.by_sitting[sitting]
            self._note_lost(line)

        if (found.room, found.seat) != (seat_of(line).room, seat_of(line).number):
            await self._tell_place(found)

    async def _tell_place(self, sitting: Sitting) -> None:
        line = self._lines.by_place.get((sitting.room, sitting.seat))
        if line is not None:
            await self.tell_expected(line)

    async def pass_boundaries(self) -> None:
        """Tell each device whose phase has ended its new one, and open papers whose own start has come."""
        now = self._clock.legal()
        passed = [
            line
            for line in self._lines.by_sitting.values()
            if line.live is not None
            and line.live.phase.end is not None
            and line.live.phase.end <= now
            and line.conversation.stage is talk.Stage.SEATED
        ]
        for line in passed:
            line.send(self.phase(live_of(line)))
        await self.release(passed)

    async def look_again(self) -> None:
        """Read again what signals would have told: a lost signal delays, and changes nothing else."""
        self._admission.forget_seats()
        self._collector.look_again()
        for slot in {
            line.live.sitting.slot for line in self._lines.by_sitting.values() if line.live is not None
        }:
            async with self._db.reading() as session:
                times = await store.slot_times(session, slot)
                found = {one.id: one for one in await store.sittings(session, slot)}
            if times != self._times.get(slot):
                await self.refresh_slot(slot)
            for line in self._lines.of_slot(slot):
                now = found.get(line.conversation.sitting)
                if now is not None and _moved_on(line, now):
                    await self._refresh_sitting(now.id)


def _moved_on(line: Line, now: Sitting) -> bool:
    """Tell whether a sitting was ended, or given to another device, without this line being told."""
    if line.conversation.stage is not talk.Stage.SEATED:
        return False
    return now.lease > line.conversation.lease or now.state in (
        State.HANDED_IN,
        State.COLLECTED,
        State.VOIDED,
    )


def seat_of(line: Line) -> Seat:
    if line.seat is None:
        raise AssertionError("the conversation admits no sitting before the seat's proof")
    return line.seat


def live_of(line: Line) -> Live:
    if line.live is None:
        raise AssertionError("the conversation admits no answer before a sitting is loaded")
    return line.live
