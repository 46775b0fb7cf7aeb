"""What the candidate answered and the centre has not acknowledged yet, in the order in which it was given."""

from collections import OrderedDict
from dataclasses import dataclass

from server.protocol.exam import Answer


@dataclass(slots=True)
class Entry:
    """One answer on its way; `again_at` is the monotonic time from which it is sent again (None: it is
    out).
    """

    answer: Answer
    again_at: float | None = 0.0


class Outbox:
    """Entries by (lease, seq); nothing leaves it but by an acknowledgement or a final refusal."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[int, int], Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, answer: Answer) -> None:
        """Keep an answer to be sent."""
        self._entries[(answer.lease, answer.seq)] = Entry(answer)

    def settle(self, lease: int, seq: int) -> Answer | None:
        """Take an entry out: it is acknowledged, or will never be taken; return it, None when it is not
        here.
        """
        entry = self._entries.pop((lease, seq), None)
        return None if entry is None else entry.answer

    def again(self, lease: int, seq: int, at: float) -> None:
        """Send an entry again from a monotonic time on: the centre was busy."""
        entry = self._entries.get((lease, seq))
        if entry is not None:
            entry.again_at = at

    def all_again(self) -> None:
        """Send everything again: the line was lost, and with it perhaps what was out."""
        for entry in self._entries.values():
            entry.again_at = 0.0

    def due(self, now: float) -> list[Answer]:
        """Return what is to be sent now, in order; it counts as out then."""
        due = [
            entry for entry in self._entries.values() if entry.again_at is not None and entry.again_at <= now
        ]
        for entry in due:
            entry.again_at = None
        return [entry.answer for entry in due]

    def values(self) -> dict[int, tuple[str, ...]]:
        """Return the newest value on its way by item number."""
        return {entry.answer.number: entry.answer.value for entry in self._entries.values()}

    def take_all(self) -> list[Answer]:
        """Take everything out, in order, to be given again under a new lease."""
        answers = [entry.answer for entry in self._entries.values()]
        self._entries.clear()
        return answers
