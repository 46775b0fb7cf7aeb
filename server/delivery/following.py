"""What changes while devices are on the line: signals followed, phases passed, keys released, endings
told.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from server.clock import Clock
from server.db.engine import Database
from server.db.journal import Journal
from server.db.reader import Reader
from server.delivery import acts, late_journals, replacing, service, store
from server.delivery import conversation as talk
from server.delivery.admission import Admission, Proved
from server.delivery.arrivals import Arrival, arrivals, sittings_of, standing_of
from server.delivery.collector import Collector
from server.delivery.commanding import Commanding
from server.delivery.facts import Ending, Seat, Sitting, SlotTimes
from server.delivery.gathering import Gathered
from server.delivery.lines import Line, Lines, Live
from server.delivery.seating import SEATS
from server.delivery.sitting import State
from server.delivery.timing import NEVER, Phase, PhaseKind, continues_at, hand_in_window, phase_of
from server.keys.identity import Identity
from server.keys.sealing import paper_key
from server.protocol import codec, exam

EFFECTS = (acts.SLOT, acts.SITTING, acts.COMMAND)
"""Topics that are followed, in the order of one batch: what an act changes goes out before the act is named."""

DEVICES_TOGETHER = 50
"""Devices whose sittings are read at once: their sealed papers are held meanwhile."""
OPENED_TOGETHER = 1_000
"""Papers recorded as opened in one transaction, some ten milliseconds."""
OPENED_FIRST = 200
"""The same of the first transaction: nobody's key goes out while it runs."""
SITTINGS_TOGETHER = 500
FRAMES_TOGETHER = 50
"""Frames made in one turn of the event loop, one or two milliseconds: at the bell a transaction's trips to the
database's thread each wait for such a turn."""

log = logging.getLogger(__name__)


class Following:
    """Keeps every line told of what the database says; reads it again after each signal."""

    def __init__(
        self,
        db: Database,
        reader: Reader,
        clock: Clock,
        journal: Journal,
        identity: Identity,
        lines: Lines,
        admission: Admission,
        collector: Collector,
        record_opened: Callable[[str, tuple[str, ...]], Awaitable[frozenset[str] | None]],
        note_lost: Callable[[Line], None],
        go_on: Callable[[Line, str], Awaitable[None]],
    ) -> None:
        self._db = db
        self._reader = reader
        self._clock = clock
        self._journal = journal
        self._identity = identity
        self._lines = lines
        self._admission = admission
        self._collector = collector
        self._record_opened = record_opened
        self._note_lost = note_lost
        self._go_on = go_on
        self.commanding = Commanding(db, clock, journal, lines)
        self._start_keys: dict[str, bytes] = {}
        self._journal_keys: dict[str, bytes] = {}
        self._no_journal_key: set[str] = set()
        """Slots that had none when last looked; looked at again with their times."""
        self._times: dict[str, SlotTimes] = {}
        self._times_forgotten: Counter[str] = Counter()
        """How often a slot's times were forgotten: what was read before the last time is not remembered."""
        self.arrivals: Gathered[tuple[str, str], Arrival] = Gathered(self._arrivals, DEVICES_TOGETHER)
        """Sittings with what stands of them on disk, by sitting and the sealed paper that the device has."""
        self._heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._next_end = NEVER
        """No phase that a line holds ends earlier: to look through a whole hall each second costs milliseconds."""

    async def hold(self, line: Line, arrival: Arrival, receipt_key: bytes) -> None:
        """Hold a sitting's facts on a line."""
        sitting = arrival.sitting
        times = (await self.times(sitting.slot)).of(sitting.id, sitting.time_room)
        phase = self._mind(phase_of(times, self._clock.legal()))
        line.live = Live(sitting, times, phase, receipt_key, arrival.paper)

    async def _arrivals(self, asked: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Arrival]:
        told = self.commanding.told
        return await self._reader.read(lambda connection: arrivals(connection, asked, told))

    async def journal_key(self, slot: str) -> bytes | None:
        """Return the public half of a slot's journal recovery key, or None."""
        known = self._journal_keys.get(slot)
        if known is None and slot not in self._no_journal_key:
            async with self._db.reading() as session:
                known = await late_journals.recovery_key(session, slot)
            if known is not None:
                self._journal_keys[slot] = known
            else:
                self._no_journal_key.add(slot)
        return known

    async def times(self, slot: str) -> SlotTimes:
        """Return a slot's times as last read; a signal or the timer reads them again."""
        known = self._times.get(slot)
        if known is None:
            forgotten = self._times_forgotten[slot]
            async with self._db.reading() as session:
                known = await store.slot_times(session, slot)
            if forgotten == self._times_forgotten[slot]:
                self._times[slot] = known
        return known

    def _mind(self, phase: Phase) -> Phase:
        """Return a phase that a line shall hold, after noting when it ends."""
        self._next_end = min(self._next_end, phase.end or NEVER)
        return phase

    def phase(self, live: Live) -> exam.PhaseNow:
        now = self._clock.legal()
        live.phase = self._mind(phase_of(live.times, now))
        window = hand_in_window(live.times)
        slot = self._times.get(live.sitting.slot)
        end = live.phase.end
        if slot is not None and live.times.bell is None:
            end = slot.terms.starts_at + live.times.delay
        return exam.PhaseNow(
            kind=live.phase.kind.value,
            now=now,
            rate=self._clock.rate(),
            start=live.phase.start,
            end=end,
            hand_in_opens=None if window is None else window.opens,
            hand_in_closes=None if window is None else window.closes,
            resumes_at=continues_at(live.times),
            away=slot is not None and live.sitting.id in slot.away,
        )

    async def tell_expected(self, line: Line, proved: Proved | None = None) -> None:
        """Tell a device whether a candidate is checked in there, when it has not heard so; `proved` is what was read
        when its seat was proved."""
        if proved is not None and proved.told == self._admission.told:
            expected = proved.expecting
        else:
            expected = await self._admission.expects(seat_of(line))
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

    async def release(self, lines: Iterable[Line], *, with_phase: bool = False) -> None:
        """Send the paper keys of those whose time has come, after recording that their papers are opened."""
        due = [line for line in lines if self._may_open(line)]
        # Whose paper was recorded as opened needs no transaction: most of those who come back.
        again = [line for line in due if _opened(live_of(line))]
        await self._send_keys(again, with_phase)
        waiting: dict[str, list[Line]] = {}
        for line in due:
            live = live_of(line)
            if not _opened(live):
                waiting.setdefault(live.sitting.slot, []).append(line)
        parts: list[tuple[str, Sequence[Line]]] = []
        for slot, some in waiting.items():
            parts.append((slot, some[:OPENED_FIRST]))
            parts += [(slot, rest) for rest in batched(some[OPENED_FIRST:], OPENED_TOGETHER)]
        if parts:
            await self._release_hall(parts, with_phase)

    async def _release_hall(self, parts: Sequence[tuple[str, Sequence[Line]]], with_phase: bool) -> None:
        """Record part after part, and send the keys of one while the next is being recorded. What could not be
        recorded now is tried again by `look_again`."""
        recording = self._recording(*parts[0])
        try:
            for n, (_, some) in enumerate(parts):
                opened = await recording or frozenset()
                if n + 1 < len(parts):
                    recording = self._recording(*parts[n + 1])
                ready = [line for line in some if line.conversation.sitting in opened]
                await self._send_keys(ready, with_phase)
        finally:
            await asyncio.gather(recording, return_exceptions=True)

    def _recording(self, slot: str, lines: Sequence[Line]) -> asyncio.Task[frozenset[str] | None]:
        sittings = tuple(line.conversation.sitting for line in lines)
        return asyncio.ensure_future(self._record_opened(slot, sittings))

    async def _send_keys(self, lines: Iterable[Line], with_phase: bool) -> None:
        for some in batched(list(lines), FRAMES_TOGETHER):
            phases: dict[tuple[int, bool], bytes] = {}
            """By the times, as one object for a room: the same words for most of a hall in one turn."""
            for line in some:
                live = line.live
                # Looked at again: it may have gone, or got the key, while the transaction ran.
                if live is None or live.paper is None or not self._may_open(line):
                    continue
                slot = live.sitting.slot
                key = self._start_keys.get(slot) or await self._start_key(slot)
                if key is None:
                    continue
                frame = codec.encode(exam.PaperKey(paper=live.paper, key=paper_key(key, live.paper).hex()))
                if with_phase:
                    times = self._times.get(slot)
                    same = id(live.times), times is not None and live.sitting.id in times.away
                    phase = phases.get(same) or phases.setdefault(same, codec.encode(self.phase(live)))
                    line.send_frames((phase, frame))
                else:
                    line.send_frame(frame)
                live.key_sent = live.opened = True
            # Let them go out, and answers come in, before the next ones are made.
            await asyncio.sleep(0)

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
        if topic in (acts.SITTING, acts.SLOT, SEATS):
            self._admission.told += 1
        if topic in (acts.SITTING, acts.SLOT, acts.OPENED):
            self._collector.look_again()

    async def follow_signals(self) -> None:
        while True:
            heard = {await self._heard.get()}
            while not self._heard.empty():
                heard.add(self._heard.get_nowait())
            sittings = sorted(key for topic, key in heard if topic == acts.SITTING)
            rest = {one for one in heard if one[0] != acts.SITTING}
            for topic, keys in [
                *((topic, [key]) for topic, key in sorted(rest) if topic == acts.SLOT),
                *((acts.SITTING, list(some)) for some in batched(sittings, SITTINGS_TOGETHER)),
                *((topic, [key]) for topic, key in sorted(rest) if topic != acts.SLOT),
            ]:
                try:
                    await self._refresh(topic, keys)
                except Exception:
                    log.exception("could not follow %s %s", topic, keys)

    async def _refresh(self, topic: str, keys: Sequence[str]) -> None:
        if topic == acts.SLOT:
            await self.refresh_slot(keys[0])
        elif topic == acts.SITTING:
            await self._refresh_sittings(keys)
        else:
            await self.commanding.tell(keys[0])

    async def refresh_slot(self, slot: str) -> None:
        """Read a slot's times again, tell each of its devices its phase, and open the papers whose time has
        come.
        """
        self._times.pop(slot, None)
        self._times_forgotten[slot] += 1
        self._no_journal_key.discard(slot)
        lines = self._lines.of_slot(slot)
        if not lines:
            return
        times = await self.times(slot)
        common = times.common()
        now = self._clock.legal()
        phases: dict[int, Phase] = {}
        named = times.named
        for line in lines:
            live = live_of(line)
            room = live.sitting.time_room
            own = live.sitting.id in named
            if own:
                live.times = times.of(live.sitting.id, room)
                live.phase = self._mind(phase_of(live.times, now))
            else:
                live.times = common(room)
                known = phases.get(id(live.times))
                live.phase = known or phases.setdefault(id(live.times), self._mind(phase_of(live.times, now)))
        # Who gets a key gets it at once behind the phase: at the bell a whole hall waits for both.
        locked = {line for line in lines if not live_of(line).key_sent}
        await self.release(lines, with_phase=True)
        rest = [line for line in lines if line not in locked or not live_of(line).key_sent]
        for some in batched(rest, FRAMES_TOGETHER):
            for line in some:
                if line.live is not None:
                    line.send(self.phase(line.live))
            await asyncio.sleep(0)

    async def _refresh_sittings(self, sittings: Sequence[str]) -> None:
        async with self._db.reading() as session:
            found = await sittings_of(session, sittings)
        for one in found.values():
            await self._refresh_sitting(one)

    async def _refresh_sitting(self, found: Sitting) -> None:
        line = self._lines.by_sitting.get(found.id)
        if line is None or line.live is None:
            await self._tell_place(found)
            return
        live = line.live
        times = (await self.times(found.slot)).of(found.id, found.time_room)
        live.sitting, live.times = found, times
        if found.state in (State.HANDED_IN, State.COLLECTED, State.VOIDED):
            await self.tell_end(line, found)
        elif found.lease > line.conversation.lease and await self.goes_on(line, found):
            await self._go_on(line, found.id)
        elif found.lease > line.conversation.lease and line.conversation.stage is talk.Stage.SEATED:
            line.conversation = talk.flushing(line.conversation, found.id, line.conversation.lease)
            self.tell_replaced(line, found)
            del self._lines.by_sitting[found.id]
            self._note_lost(line)
            await self.tell_expected(line)

        if (found.room, found.seat) != (seat_of(line).room, seat_of(line).number):
            await self._tell_place(found)

    async def goes_on(self, line: Line, sitting: Sitting) -> bool:
        """Tell whether this device goes on by itself under the newest lease: its paper was replaced."""
        seat = seat_of(line)
        if sitting.paper is None or (sitting.room, sitting.seat) != (seat.room, seat.number):
            return False
        async with self._db.reading() as session:
            return await replacing.takes_up(session, sitting.id, sitting.lease, seat.id)

    async def _tell_place(self, sitting: Sitting) -> None:
        line = self._lines.by_place.get((sitting.room, sitting.seat))
        if line is not None:
            await self.tell_expected(line)

    async def pass_boundaries(self) -> None:
        """Tell each device whose phase has ended its new one, and open papers whose own start has come."""
        now = self._clock.legal()
        if now < self._next_end:
            return
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
        held = (line.live.phase.end for line in self._lines.by_sitting.values() if line.live is not None)
        self._next_end = min((end for end in held if end is not None and end > now), default=NEVER)
        await self.release(passed)

    async def look_again(self) -> None:
        """Read again what signals would have told: a lost signal delays, and changes nothing else."""
        self._no_journal_key.clear()
        self._collector.look_again()
        for slot in {
            line.live.sitting.slot for line in self._lines.by_sitting.values() if line.live is not None
        }:
            async with self._db.reading() as session:
                times = await store.slot_times(session, slot)
            if times != self._times.get(slot):
                await self.refresh_slot(slot)
            for some in batched(self._lines.of_slot(slot), SITTINGS_TOGETHER):
                await self.release(some)
                async with self._db.reading() as session:
                    standing = await standing_of(session, [line.conversation.sitting for line in some])
                moved = [
                    line.conversation.sitting
                    for line in some
                    if _moved_on(line, *standing.get(line.conversation.sitting, (0, State.PREPARED)))
                ]
                if moved:
                    await self._refresh_sittings(moved)


def _opened(live: Live) -> bool:
    return live.opened or live.sitting.state is State.OPENED


def _moved_on(line: Line, lease: int, state: State) -> bool:
    """Tell whether a sitting was ended, or given to another device, without this line being told."""
    if line.conversation.stage is not talk.Stage.SEATED:
        return False
    return lease > line.conversation.lease or state in (State.HANDED_IN, State.COLLECTED, State.VOIDED)


Some = TypeVar("Some")


def batched(many: Sequence[Some], most: int) -> Iterator[Sequence[Some]]:
    """Give a list in parts of so many."""
    for at in range(0, len(many), most):
        yield many[at : at + most]


def seat_of(line: Line) -> Seat:
    if line.seat is None:
        raise AssertionError("the conversation admits no sitting before the seat's proof")
    return line.seat


def live_of(line: Line) -> Live:
    if line.live is None:
        raise AssertionError("the conversation admits no answer before a sitting is loaded")
    return line.live
