"""Start keys opened and not yet rung: in the memory of this process only."""

from server.keys.sealing import wipe


class StartKeys:
    """Start keys by slot. Before the bell they are in clear here and nowhere else; after it they are wrapped
    in the database, and forgotten here."""

    def __init__(self) -> None:
        self._held: dict[str, bytearray] = {}

    def put(self, slot: str, key: bytearray) -> None:
        """Hold the start key of a slot; a key held before is wiped."""
        self.forget(slot)
        self._held[slot] = key

    def holds(self, slot: str) -> bool:
        """Tell whether the start key of a slot is open in this process."""
        return slot in self._held

    def take(self, slot: str) -> bytearray | None:
        """Return the start key of a slot, still held: the bell of each room needs it; None when it is not
        open."""
        return self._held.get(slot)

    def forget(self, slot: str) -> None:
        """Wipe the start key of a slot."""
        key = self._held.pop(slot, None)
        if key is not None:
            wipe(key)
