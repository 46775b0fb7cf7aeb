"""A receipt code on a page: what it proves, for the chief and the exam office."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from server.accounts.roles import Role
from server.delivery.receipts import ReceiptCheck, SignedReceipt, check_code
from server.errors import BadInput, NotFound
from server.web.catalogue import language_of, say
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

Http = Request[Any, Any, Any]
_READERS = requires(Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.SUPERVISOR)


class ReceiptView(msgspec.Struct, frozen=True):
    """A receipt as it may be filed, whose it is, its anchor, and every fault in words."""

    receipt: SignedReceipt
    name: str
    ticket: str
    anchor: str | None
    faults: tuple[str, ...]


async def _checked(site: Site, code: str) -> ReceiptCheck:
    public = site.identity.public.signing
    async with site.db.reading() as session:
        return await session.run_sync(lambda held: check_code(held.connection(), code, public))


@get("/api/hall/receipts/{code:str}", guards=[_READERS])
async def receipt(code: FromPath[str], site: NamedDependency[Site], request: Http) -> ReceiptView:
    """Check a receipt by its code; `receipt` is what `gongyuan receipt verify` takes as a file."""
    found = await _checked(site, code)
    language = language_of(request)
    return ReceiptView(
        found.receipt,
        found.name,
        found.ticket,
        None if found.anchor is None else f"{found.anchor[0]} {found.anchor[1]}",
        tuple(say(language, fault) for fault in found.faults),
    )


@get("/hall/receipt", guards=[_READERS])
async def receipt_page(site: NamedDependency[Site], request: Http) -> Template:
    """Ask for a code (`?code=`) and say what it proves."""
    code = request.query_params.get("code", "").strip()
    found: ReceiptCheck | None = None
    problem = ""
    if code:
        try:
            found = await _checked(site, code)
        except (BadInput, NotFound) as error:
            problem = error.code
    return page(request, "hall/receipt.html", code=code, found=found, problem=problem)


ROUTES = [receipt, receipt_page]
