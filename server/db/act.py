"""One act of one person: the transaction it runs in, the journal it is written to, the legal time and the actor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from server.db.journal import Head, Journal


@dataclass(frozen=True, slots=True)
class Act:
    """Given to every use case that writes. `now` is aware UTC; `actor` is `kind:name`, e.g. `staff:wang`."""

    session: AsyncSession
    journal: Journal
    now: datetime
    actor: str

    async def record(self, kind: str, facts: Mapping[str, Any]) -> Head:
        """Append to the journal in this act's transaction; kind has the grammar `source:subject:action`."""
        return await self.journal.append(self.session, self.now, kind, self.actor, facts)
