"""Sealed papers for devices that come in, read in the reading thread (`db/reader.py`)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from server.db.reader import Listing
from server.protocol.envelope import holding
from server.protocol.paper import SealedPaper


@dataclass(frozen=True, slots=True)
class Named:
    """A sealed paper of a current set without its bytes; `holding` is what a device names that has it already."""

    id: str
    holding: str


_CURRENT = "from papers_paper p join papers_set t on t.id = p.set_id where t.state = 'current'"
_NAMED = ("p.hash", "p.nonce")
_DRAWN = Listing(
    ("p.sitting", "p.id", *_NAMED),
    f"{_CURRENT} and p.sitting <> 'spare' and p.sitting in {{keys}}",
    blobs=frozenset(_NAMED),
)
_GIVEN = Listing(
    ("p.id", *_NAMED),
    f"{_CURRENT} and p.id in {{keys}}",
    blobs=frozenset(_NAMED),
)
_BYTES = (*_NAMED, "p.aad", "p.ciphertext")
_SEALED = Listing(
    ("p.id", "p.sitting", "t.plan", "t.slot", "p.policy", *_BYTES),
    f"{_CURRENT} and p.id in {{keys}}",
    blobs=frozenset(_BYTES),
)


def named(connection: Connection, spares: Mapping[str, str | None]) -> Mapping[str, Named]:
    """Return, by sitting, which sealed paper is its own: the spare of that id where one is named, else the drawn
    one; sittings without one are left out."""
    drawn = [sitting for sitting, spare in spares.items() if spare is None]
    found = {row[0]: Named(row[1], holding(*row[2:])) for row in _DRAWN.read(connection, drawn)}
    given = {spare: sitting for sitting, spare in spares.items() if spare is not None}
    return found | {
        given[row[0]]: Named(row[0], holding(*row[1:])) for row in _GIVEN.read(connection, list(given))
    }


def sealed(connection: Connection, papers: Collection[str]) -> Mapping[str, SealedPaper]:
    """Return sealed papers of current sets by id."""
    return {row[0]: SealedPaper(*row) for row in _SEALED.read(connection, list(papers))}
