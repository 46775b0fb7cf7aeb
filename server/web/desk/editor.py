"""The editor: what was typed is shown at once as a candidate sees it, and stored as a new version, a draft."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template

from server.errors import BadInput
from server.itembank.editing_service import cleaned, store_version, typed_fault, typed_stem
from server.itembank.interchange.sanitising import picture_html
from server.itembank.items import ItemContent, MarkingPoint, SubItem
from server.itembank.searching import distinct_points
from server.itembank.showing import shown
from server.protocol.paper import ItemType, PaperItem
from server.web.candidate.page import IMPORT_MAP
from server.web.catalogue import language_of, say, texts
from server.web.desk.scope import WRITERS, Desk, Http, login_of, opened
from server.web.desk.workplace import Workplace
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
_Text = Annotated[str, msgspec.Meta(max_length=1_600_000)]
_Short = Annotated[str, msgspec.Meta(max_length=2_000)]
LARGEST_UPLOAD = 32 << 20
"""Bytes of an uploaded file that is looked at; a picture may have far less, and is told so."""
_Answers = Annotated[tuple[_Short, ...], msgspec.Meta(max_length=50)]


class PointBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One marking point."""

    text: _Text
    score: float


class PartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question as typed: an item that stands alone, or a sub-item of a case. Blanks stand as `[[1]]`."""

    type: ItemType
    stem: _Text = ""
    options: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=26)] = ()
    key: Annotated[tuple[_Short, ...], msgspec.Meta(max_length=26)] = ()
    accepted: Annotated[tuple[_Answers, ...], msgspec.Meta(max_length=50)] = ()
    score: float = 1.0
    explanation: _Text = ""
    policy: Literal["exact", "partial"] | None = None
    model: _Text = ""
    rubric: Annotated[tuple[PointBody, ...], msgspec.Meta(max_length=30)] = ()


class ItemBody(PartBody, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One item as typed."""

    label: _Short = ""
    point: _Short = ""
    difficulty: float = 0.6
    parts: Annotated[tuple[PartBody, ...], msgspec.Meta(max_length=20)] = ()


class StoreBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be stored; `item` and `version` name the version that was edited, None for a new item."""

    content: ItemBody
    item: str | None = None
    version: int | None = None


class PreviewView(msgspec.Struct, frozen=True):
    """The entries as on a paper, and why the item cannot be stored yet (None: it can)."""

    entries: tuple[PaperItem, ...]
    fault: str | None


class PictureView(msgspec.Struct, frozen=True):
    """A picture as it stands in a text."""

    html: str


class StoredView(msgspec.Struct, frozen=True):
    """The version that was made."""

    item: str
    version: int


def content_of(body: ItemBody) -> ItemContent:
    """Return typed content, not cleaned yet."""
    return ItemContent(
        body.label,
        body.type,
        body.stem,
        body.options,
        body.key,
        body.accepted,
        body.point,
        body.difficulty,
        body.score,
        body.explanation,
        body.policy,
        body.model,
        tuple(MarkingPoint(one.text, one.score) for one in body.rubric),
        tuple(_part_of(part) for part in body.parts),
    )


def _part_of(body: PartBody) -> SubItem:
    return SubItem(
        body.type,
        body.stem,
        body.options,
        body.key,
        body.accepted,
        body.score,
        body.explanation,
        body.policy,
        body.model,
        tuple(MarkingPoint(one.text, one.score) for one in body.rubric),
    )


def body_of(content: ItemContent) -> ItemBody:
    """Return stored content as the editor shows it."""
    return ItemBody(
        **_typed(content),
        label=content.label,
        point=content.point,
        difficulty=content.difficulty,
        parts=tuple(PartBody(**_typed(part)) for part in content.parts),
    )


def _typed(one: ItemContent | SubItem) -> dict[str, Any]:
    return {
        "type": one.type,
        "stem": typed_stem(one.stem),
        "options": one.options,
        "key": one.key,
        "accepted": one.accepted,
        "score": one.score,
        "explanation": one.explanation,
        "policy": one.policy,
        "model": one.model,
        "rubric": tuple(PointBody(point.text, point.score) for point in one.rubric),
    }


_NEW = ItemBody(type="single", options=("", "", "", ""))


async def _editor(
    request: Http, site: Site, desk: Workplace, body: ItemBody, item: str | None, version: int | None
) -> Template:
    bank = desk.bank()
    async with site.db.reading() as session:
        points = distinct_points(one.held for one in await bank.items(session))
    language = language_of(request)
    words = dict(texts(language, ("candidate", "desk", "general")))
    return page(
        request,
        "desk/editor.html",
        item=item,
        version=version,
        points=points,
        import_map=IMPORT_MAP,
        data=msgspec.json.encode({"content": body, "item": item, "version": version}).decode(),
        words=msgspec.json.encode(words).decode(),
    )


@get("/desk/new", guards=[WRITERS, opened])
async def new_item(request: Http, site: Here, desk: Desk) -> Template:
    """Show the editor for a new item."""
    return await _editor(request, site, desk, _NEW, None, None)


@get("/desk/items/{item:str}/edit", guards=[WRITERS, opened])
async def edit_item(item: FromPath[str], request: Http, site: Here, desk: Desk) -> Template:
    """Show the editor with the newest version of an item."""
    bank = desk.bank()
    async with site.db.reading() as session:
        held, full = (await bank.versions(session, item))[-1]
    async with site.acting(login_of(request)) as act:
        await act.record(
            "itembank:item:shown", {"bank": bank.id, "item": item, "version": held.public.version}
        )
    return await _editor(request, site, desk, body_of(full.content), item, held.public.version)


@post("/api/desk/preview", guards=[WRITERS, opened], status_code=200)
async def preview(request: Http, data: JSONBody[ItemBody]) -> PreviewView:
    """Clean what was typed and give it as it would stand on a paper, with what is still wrong; stores nothing."""
    content = cleaned(content_of(data))
    fault = typed_fault(content)
    said = say(language_of(request), fault.code, fault.facts) if fault is not None else None
    return PreviewView(shown(content) if _showable(content) else (), said)


@post(
    "/api/desk/pictures",
    guards=[WRITERS, opened],
    status_code=200,
    request_max_body_size=LARGEST_UPLOAD + 65536,
)
async def take_picture(request: Http) -> PictureView:
    """Give an uploaded picture as the HTML that stands in a text, under the bounds of the import; stores nothing.

    BadInput `file-missing`, `picture-too-large`, `picture-format-unknown`.
    """
    form = await request.form()
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise BadInput("file-missing")
    said = say(language_of(request), "desk-picture-alt")
    return PictureView(picture_html(await file.read(), said))


def _showable(content: ItemContent) -> bool:
    return content.type != "case" or bool(content.parts)


@post("/api/desk/items", guards=[WRITERS, opened])
async def store_item(request: Http, data: JSONBody[StoreBody], site: Here, desk: Desk) -> StoredView:
    """Store a new item, or a new version of `item` made from `version`; 409 when that is not the newest any more."""
    login = login_of(request)
    base = (data.item, data.version) if data.item is not None and data.version is not None else None
    async with site.acting(login) as act:
        item, version = await store_version(act, desk.bank(), content_of(data.content), login.username, base)
    return StoredView(item, version)


ROUTES = [new_item, edit_item, preview, take_picture, store_item]
