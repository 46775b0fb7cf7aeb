"""What the desk's process holds while a bank is open: the opened key, decrypted items, uploads not yet stored."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from server.clock import Clock
from server.conduct.opening_facts import desk_facts
from server.db.engine import Database
from server.errors import NotFound, Refusal, Refused
from server.itembank.interchange.files import FileRead
from server.itembank.interchange.mapping import SavedMapping
from server.itembank.merging import Placed
from server.itembank.open_bank import OpenBank
from server.keys.desk_opening import DeskOpening, DeskState
from server.keys.openings import desk_window

WATCH_S = 1.0
MOST_UPLOADS = 8
LARGEST_UPLOADS = 128 << 20
"""Bytes of all uploads together that the process keeps."""
_log = logging.getLogger("gongyuan.desk")


@dataclass(slots=True)
class Upload:
    """One file on its way into the bank; it lies in the memory of this process alone."""

    id: str
    name: str
    data: bytes
    by: str
    at: datetime
    form: str | None = None
    encoding: str | None = None
    saved: SavedMapping | None = None
    mapping_name: str = ""
    read: FileRead | None = None
    placed: tuple[Placed, ...] = ()
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class Workplace:
    """The desk of this process. `ended` is called when the opening is over: the process is to end."""

    def __init__(self, opening: DeskOpening, ended: Callable[[], None]) -> None:
        self.opening = opening
        self._ended = ended
        self._bank: OpenBank | None = None
        self._uploads: dict[str, Upload] = {}
        self._looking = asyncio.Lock()

    def bank(self) -> OpenBank:
        """Return the open bank; Refused `desk-closed` when none is open."""
        desk = self.opening.opened()
        if self._bank is None:
            self._bank = OpenBank(desk.bank, desk.key)
        return self._bank

    def keep(self, name: str, data: bytes, by: str, at: datetime) -> Upload:
        """Keep an uploaded file until it is stored or given up; Refused `uploads-full`."""
        if len(self._uploads) >= MOST_UPLOADS or self._bytes() + len(data) > LARGEST_UPLOADS:
            raise Refused(Refusal("uploads-full", facts={"uploads": len(self._uploads)}))
        upload = Upload(secrets.token_hex(8), name[:200], data, by, at)
        self._uploads[upload.id] = upload
        return upload

    def _bytes(self) -> int:
        return sum(len(one.data) for one in self._uploads.values())

    def upload(self, upload: str, by: str) -> Upload:
        """Return a person's own upload; NotFound `upload-unknown`."""
        found = self._uploads.get(upload)
        if found is None or found.by != by:
            raise NotFound("upload-unknown")
        return found

    def uploads(self, by: str) -> tuple[Upload, ...]:
        """Return a person's uploads, oldest first."""
        return tuple(one for one in self._uploads.values() if one.by == by)

    def drop(self, upload: str) -> None:
        """Forget an upload."""
        self._uploads.pop(upload, None)

    async def close(self, cause: str, actor: str | None = None) -> None:
        """Forget key, texts and uploads, record why, and let the process end if a bank was open."""
        was_open = self.opening.state is DeskState.OPEN
        self._bank = None
        self._uploads.clear()
        try:
            await self.opening.close(cause, actor)
        finally:  # the key is forgotten even where the database did not take the record
            if was_open:
                self._ended()

    async def watch(self, db: Database, clock: Clock) -> None:
        """Close the desk when its time is up, and as soon as check-in has begun at this centre."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self.look(db, clock)
            except Exception:
                _log.exception("the desk could not be looked at")

    async def look(self, db: Database, clock: Clock) -> None:
        """Close the desk if it may not stay open now."""
        async with self._looking:
            await self._look(db, clock)

    async def _look(self, db: Database, clock: Clock) -> None:
        if self.opening.state not in (DeskState.WAITING, DeskState.OPEN):
            return
        if self.opening.due():
            await self.close("time-up")
            return
        now = clock.legal()
        async with db.reading() as session:
            facts = await desk_facts(session, now)
        refusal = desk_window(facts, (self.opening.ends_at or now) - now)
        if refusal is not None:
            await self.close(refusal.code)
