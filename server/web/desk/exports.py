"""Export at the desk: items in clear leave the bank as a file, journalled with its hash before it is given."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.response import Template

from server.errors import BadInput
from server.itembank.export_service import export_items
from server.itembank.interchange.exporting import EXPORT_FORMS
from server.web.desk.scope import EXPORTERS, Desk, Form, Http, login_of, opened
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
_SUFFIX = {"xlsx": "xlsx", "csv": "csv", "json": "json", "gift": "gift", "moodle": "xml"}


@get("/desk/export", guards=[EXPORTERS, opened])
async def export_page(request: Http, site: Here, desk: Desk) -> Template:
    """Show which files the bank can be written to."""
    return page(request, "desk/export.html", forms=EXPORT_FORMS, bank=desk.bank().id)


@post("/desk/export", guards=[EXPORTERS, opened], status_code=200)
async def export_file(request: Http, data: Form, site: Here, desk: Desk) -> Response[bytes]:
    """Give the approved items, with `drafts` the newest versions, as a file; retired items stay inside."""
    form = data.get("format", "")
    if form not in EXPORT_FORMS:
        raise BadInput("bad-input", reason="format")
    bank = desk.bank()
    out = await export_items(
        site.db,
        site.journal,
        site.clock,
        f"staff:{login_of(request).username}",
        bank.id,
        bank.key,
        form,
        bool(data.get("drafts")),
    )
    name = f"items.{_SUFFIX.get(form, form)}"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "x-items-written": str(out.written),
        "x-items-left-out": str(len(out.left_out)),
    }
    return Response(out.data, media_type="application/octet-stream", headers=headers)


ROUTES = [export_page, export_file]
