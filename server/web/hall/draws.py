"""The centre's side of a draw before the exam package comes: its commitment, and the root of its banks."""

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from server.accounts.roles import Role
from server.itembank import store as itembank
from server.papers import draw_service
from server.web.guards import requires
from server.web.site import Site


class CommitmentMade(msgspec.Struct, frozen=True):
    """The centre's commitment to its draw secret of a plan: hex SHA-256."""

    plan: str
    commitment: str


class BankRoot(msgspec.Struct, frozen=True):
    """A bank of this centre and the Merkle root of what may be drawn from it, hex; no text."""

    id: str
    name: str
    root: str


@post(
    "/api/plans/{plan:str}/commitment",
    status_code=200,
    guards=[requires(Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE)],
)
async def commit(
    plan: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> CommitmentMade:
    """Commit to the draw of a plan; asked again, it gives the same commitment."""
    async with site.acting(request.user) as act:
        return CommitmentMade(plan=plan, commitment=await draw_service.commit(act, site.identity, plan))


@get("/api/banks", guards=[requires(Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE)])
async def banks(site: NamedDependency[Site]) -> list[BankRoot]:
    """List the banks of this centre with their roots, for filing and the exam package."""
    async with site.db.reading() as session:
        return [
            BankRoot(id=bank.id, name=bank.name, root=(await itembank.bank_root(session, bank.id)).hex())
            for bank in await itembank.banks(session)
        ]


ROUTES = [commit, banks]
