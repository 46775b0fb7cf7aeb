"""The centre's side of a draw before the exam package comes: its commitment, and the root of its banks."""

from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.errors import BadInput, required
from server.itembank import store as itembank
from server.papers import draw_service
from server.papers.trial import BlueprintCheck
from server.papers.trial_process import check_apart
from server.web.catalogue import language_of, say
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


class CommitmentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bank and the blueprint (TOML text) of the draws that are committed to, and for how many candidates."""

    bank: str
    blueprint: Annotated[str, msgspec.Meta(max_length=200_000)]
    papers: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 30


@post(
    "/api/plans/{plan:str}/commitment",
    status_code=200,
    guards=[requires(Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE)],
)
async def commit(
    plan: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> CommitmentMade:
    """Commit to the draw of a plan; asked again, it gives the same commitment. A body that names bank and blueprint
    (`CommitmentBody`) has them checked first: refused when the bank cannot fill the blueprint."""
    body = await request.body()
    if body not in (b"", b"{}"):
        try:
            asked = msgspec.json.decode(body, type=CommitmentBody)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput("bad-input", reason=str(error)) from error
        required((await tried(site, asked.bank, asked.blueprint, asked.papers)).refusal)
    async with site.acting(request.user) as act:
        return CommitmentMade(plan=plan, commitment=await draw_service.commit(act, site.identity, plan))


async def tried(
    site: Site, bank: str, blueprint: str, papers: int, slot: str | None = None
) -> BlueprintCheck:
    """Check a blueprint (TOML text) beside this process, which serves candidates; raises as `check_apart`."""
    return await check_apart(site.trials, site.db, site.settings.database_url, bank, blueprint, papers, slot)


@get("/api/banks", guards=[requires(Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE)])
async def banks(site: NamedDependency[Site]) -> list[BankRoot]:
    """List the banks of this centre with their roots, for filing and the exam package."""
    async with site.db.reading() as session:
        return [
            BankRoot(id=bank.id, name=bank.name, root=(await itembank.bank_root(session, bank.id)).hex())
            for bank in await itembank.banks(session)
        ]


class CheckBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A blueprint as TOML text, and for how many candidates; with a slot, for those who are seated in it."""

    blueprint: Annotated[str, msgspec.Meta(max_length=200_000)]
    papers: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 30
    slot: str | None = None


class ShortView(msgspec.Struct, frozen=True):
    """A short cell: `cause` is items, enemies or exposure; `missing` items are needed at least."""

    point: str
    type: str
    band: str
    cause: str
    have: int
    need: int
    missing: int


class CheckView(msgspec.Struct, frozen=True):
    """Whether the bank can fill the blueprint; `reason` says in words why not. `solved`: papers that only the
    solver could fill in a trial draw."""

    bank: str
    root: str
    items: int
    papers: int
    fillable: bool
    short: tuple[ShortView, ...]
    reason: str
    solved: int


@post(
    "/api/banks/{bank:str}/blueprint-check",
    status_code=200,
    guards=[requires(Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE)],
)
async def check(
    bank: FromPath[str],
    data: JSONBody[CheckBody],
    site: NamedDependency[Site],
    request: Request[Any, Any, Any],
) -> CheckView:
    """Say which cells of a blueprint the bank cannot fill and by how many, from public columns, and try a draw."""
    found = await tried(site, bank, data.blueprint, data.papers, data.slot)
    refusal = found.refusal
    return CheckView(
        bank=bank,
        root=found.root.hex(),
        items=found.items,
        papers=found.papers,
        fillable=refusal is None,
        short=tuple(
            ShortView(one.key.point, one.key.type, one.key.band, one.cause, one.have, one.need, one.missing)
            for one in found.short
        ),
        reason="" if refusal is None else say(language_of(request), refusal.code, refusal.facts),
        solved=found.solved,
    )


ROUTES = [commit, banks, check]
