"""Import at the desk: a file comes into memory, its columns are named, every row is reported, then it is stored."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template

from server.errors import BadInput, GongyuanError, NotFound
from server.itembank import mapping_service, review_service, service
from server.itembank.interchange.cells import quoted
from server.itembank.interchange.files import ENCODINGS, FORMATS, FileRead, Format, format_of, read_table
from server.itembank.interchange.guessing import Guess, guess_table, samples
from server.itembank.interchange.mapping import FIELDS, ColumnMapping, SavedMapping, columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, Remark, RowOutcome, RowStatus, SourceTable
from server.itembank.interchange.sanitising import plain_of, sanitised
from server.itembank.items import LABELS
from server.itembank.merging import counted
from server.protocol.paper import ItemType
from server.web.catalogue import Language, language_of, say
from server.web.desk.items import TYPES
from server.web.desk.scope import WRITERS, Desk, Form, Http, login_of, opened
from server.web.desk.workplace import Upload
from server.web.pages import page
from server.web.sheets import csv_file
from server.web.site import Site

Here = NamedDependency[Site]
LARGEST_UPLOAD = 32 << 20
"""Bytes of one uploaded file."""
ROWS_A_PAGE = 50
_WITH_COLUMNS: tuple[Format, ...] = ("xlsx", "csv", "json")
OPTION = "option-"


@get("/desk/import", guards=[WRITERS, opened])
async def import_page(request: Http, site: Here, desk: Desk) -> Template:
    """Show the form for a file, and the files of this person that are not stored yet."""
    uploads = desk.uploads(login_of(request).username)
    return page(
        request,
        "desk/import.html",
        uploads=uploads,
        formats=FORMATS,
        encodings=ENCODINGS,
        largest=LARGEST_UPLOAD >> 20,
    )


@post("/desk/import", guards=[WRITERS, opened], request_max_body_size=LARGEST_UPLOAD + 65536)
async def upload_file(request: Http, site: Here, desk: Desk) -> Redirect:
    """Take a file into the memory of this process; it is never written to a disk."""
    form = await request.form()
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise BadInput("file-missing")
    data = await file.read()
    if len(data) > LARGEST_UPLOAD:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST_UPLOAD)
    name = file.filename
    chosen, encoding = str(form.get("format") or ""), str(form.get("encoding") or "")
    if (chosen and chosen not in FORMATS) or (encoding and encoding not in ENCODINGS):
        raise BadInput("bad-input", reason="format, encoding")
    found = chosen or await asyncio.to_thread(format_of, name, data)
    upload = desk.keep(name, data, login_of(request).username, site.clock.legal())
    upload.form, upload.encoding = found, encoding or None
    return Redirect(f"/desk/import/{upload.id}", status_code=303)


async def _table(upload: Upload, saved: SavedMapping | None) -> SourceTable:
    form = cast(Format, upload.form)
    if saved is not None and form not in _WITH_COLUMNS:
        saved = SavedMapping(None, saved.defaults)
    return await asyncio.to_thread(read_table, upload.data, form, saved, upload.encoding)


@get("/desk/import/{upload:str}", guards=[WRITERS, opened])
async def mapping_page(upload: FromPath[str], request: Http, site: Here, desk: Desk) -> Template:
    """Show what each column would be taken for, with samples; `?mapping=` takes a saved mapping instead of guessing."""
    found = desk.upload(upload, login_of(request).username)
    bank = desk.bank()
    name = request.query_params.get("mapping", "")
    async with site.db.reading() as session:
        names = await mapping_service.saved_names(session, bank.id)
        saved = await mapping_service.saved_mapping(session, bank.id, name) if name else None
    table = await _table(found, saved)
    if saved is not None and found.form in _WITH_COLUMNS and saved.columns is not None:
        guess = Guess(columns_of(table.columns, saved), frozenset())
    else:
        guess = await asyncio.to_thread(guess_table, table, saved.defaults if saved else None)
    return page(
        request,
        "desk/mapping.html",
        upload=found,
        columns=_columns(table, guess),
        with_columns=found.form in _WITH_COLUMNS,
        rows=len(table.rows),
        remarks=_sentences(language_of(request), table.remarks),
        mapping=guess.mapping,
        fields=_choices(len(table.columns)),
        types=TYPES,
        names=names,
        chosen=name,
    )


def _choices(columns: int) -> list[str]:
    letters = [f"{OPTION}{letter}" for letter in LABELS[: max(6, min(columns, 12))]]
    return [*FIELDS[:4], *letters, *FIELDS[4:], "ignore"]


def _columns(table: SourceTable, guess: Guess) -> list[dict[str, Any]]:
    """Return each column with its samples, the field it is taken for, and whether its contents told so."""
    by_column = {column: field for field, column in guess.mapping.fields.items()}
    for letter, column in zip(LABELS, guess.mapping.option_columns, strict=False):
        by_column[column] = f"{OPTION}{letter}"
    for column in guess.mapping.ignored:
        by_column.setdefault(column, "ignore")
    seen = samples(table)
    return [
        {
            "name": column,
            "samples": seen[column],
            "field": by_column.get(column, ""),
            "guessed": by_column.get(column, "").replace(OPTION, "options:").split(":")[0]
            in guess.by_contents,
        }
        for column in table.columns
    ]


@post("/desk/import/{upload:str}/read", guards=[WRITERS, opened])
async def read_upload(upload: FromPath[str], request: Http, data: Form, site: Here, desk: Desk) -> Redirect:
    """Read every row under the named columns and place it against the bank; stores no item (a dry run)."""
    login, bank = login_of(request), desk.bank()
    found = desk.upload(upload, login.username)
    async with found.busy:
        table = await _table(found, None)
        name = data.get("mapping", "")
        async with site.db.reading() as session:
            saved = await mapping_service.saved_mapping(session, bank.id, name) if name else None
        if saved is not None:
            table = await _table(found, saved)
        mapping = _mapping_of(table, data, saved, found.form in _WITH_COLUMNS)
        if not mapping.usable:
            raise BadInput("mapping-without-stem")
        reading = await asyncio.to_thread(read_rows, table, mapping, sanitised, Picture(None))
        digest = hashlib.sha256(found.data).digest()
        found.read = FileRead(cast(Format, found.form), digest, mapping, reading)
        async with site.db.reading() as session:
            found.placed = await service.plan_import(session, bank.id, bank.key, reading)
        if save_as := data.get("save_as", "").strip():
            async with site.acting(login) as act:
                await mapping_service.save_mapping(act, bank.id, save_as, mapping, login.username)
    return Redirect(f"/desk/import/{upload}/report", status_code=303)


def _mapping_of(
    table: SourceTable, data: Mapping[str, str], saved: SavedMapping | None, with_columns: bool
) -> ColumnMapping:
    """Read the mapping page's form; word tables come from the saved mapping it started from."""
    base = saved.defaults if saved is not None else ColumnMapping({}, ())
    defaults = {
        "default_type": _type(data.get("default_type", "")),
        "default_point": data.get("default_point", "").strip()[:200],
        "default_difficulty": _number(data.get("default_difficulty", ""), base.default_difficulty, 0.0, 1.0),
        "default_score": _number(data.get("default_score", ""), base.default_score, 0.01, 1000.0),
        "types": base.types,
        "difficulties": base.difficulties,
        "points": base.points,
        "placeholders": base.placeholders,
    }
    if not with_columns:
        guessed = columns_of(table.columns, None)
        return ColumnMapping(
            guessed.fields,
            guessed.option_columns,
            guessed.ignored,
            **defaults,  # type: ignore[arg-type]
        )
    fields: dict[str, str] = {}
    options: dict[str, str] = {}
    ignored: set[str] = set()
    for place, column in enumerate(table.columns):
        field = data.get(f"column-{place}", "")
        if field == "ignore":
            ignored.add(column)
        elif field.startswith(OPTION):
            options.setdefault(field, column)
        elif field in FIELDS:
            if field in fields:
                raise BadInput("mapping-field-twice", field=field, first=fields[field], second=column)
            fields[field] = column
    ordered = tuple(options[name] for name in sorted(options))
    return ColumnMapping(fields, ordered, frozenset(ignored), **defaults)  # type: ignore[arg-type]


def _type(text: str) -> ItemType | None:
    return text if text in TYPES else None


def _number(text: str, default: float, least: float, most: float) -> float:
    if not text.strip():
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise BadInput("mapping-invalid", reason=text[:40]) from error
    if not least <= value <= most:
        raise BadInput("mapping-invalid", reason=f"{least:g} … {most:g}: {text[:40]}")
    return value


def _outcomes(upload: Upload) -> tuple[RowOutcome, ...]:
    if upload.read is None:
        raise NotFound("upload-not-read")
    return tuple(one.outcome for one in upload.placed)


def _sentences(language: Language, remarks: tuple[Remark, ...]) -> list[dict[str, Any]]:
    return [
        {"text": say(language, one.code, one.facts), "doubt": one.doubt, "code": one.code, "place": one.place}
        for one in remarks
    ]


@get("/desk/import/{upload:str}/report", guards=[WRITERS, opened])
async def report_page(upload: FromPath[str], request: Http, site: Here, desk: Desk) -> Template:
    """Show what becomes of every row: by status with `?status=`, by reason with `?code=`, so many a page."""
    found = desk.upload(upload, login_of(request).username)
    outcomes = _outcomes(found)
    assert found.read is not None
    status, code = request.query_params.get("status", ""), request.query_params.get("code", "")
    examples = {remark.code: remark for one in reversed(outcomes) for remark in one.remarks}
    codes = Counter(code for one in outcomes for code in {remark.code for remark in one.remarks})
    chosen = [
        one
        for one in outcomes
        if (not status or one.status.value == status)
        and (not code or any(remark.code == code for remark in one.remarks))
    ]
    pages = max(1, -(-len(chosen) // ROWS_A_PAGE))
    asked = request.query_params.get("page", "1")
    number = min(max(1, int(asked) if asked.isdecimal() and len(asked) < 8 else 1), pages)
    language = language_of(request)
    return page(
        request,
        "desk/report.html",
        upload=found,
        rows=[
            {
                "place": one.place,
                "label": one.label,
                "status": one.status.value,
                "text": plain_of(one.content.stem)[:100] if one.content is not None else "",
                "remarks": _sentences(language, one.remarks),
            }
            for one in chosen[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE]
        ],
        counts=dict(counted(outcomes)),
        statuses=[one.value for one in RowStatus],
        codes=[
            (known, number, say(language, known, examples[known].facts)[:60])
            for known, number in codes.most_common()
        ],
        status=status,
        code=code,
        count=len(chosen),
        total=len(outcomes),
        number=number,
        pages=pages,
        unread=found.read.reading.unread_columns,
        remarks=_sentences(language, found.read.reading.remarks),
        new=sum(one.version > 0 for one in found.placed),
    )


@get("/desk/import/{upload:str}/report.csv", guards=[WRITERS, opened])
async def report_file(upload: FromPath[str], request: Http, site: Here, desk: Desk) -> Response[bytes]:
    """Give the whole report as CSV that Excel opens: place, label, status, reasons; no text of an item but its
    label."""
    found = desk.upload(upload, login_of(request).username)
    language = language_of(request)
    rows = (
        (
            one.place,
            one.label,
            one.status.value,
            "；".join(say(language, r.code, r.facts) for r in one.remarks),
        )
        for one in _outcomes(found)
    )
    header = ("place", "label", "status", "remarks")
    return csv_file("import-report.csv", header, ([quoted(text) for text in row] for row in rows))


@post("/desk/import/{upload:str}/store", guards=[WRITERS, opened], status_code=200)
async def store_upload(upload: FromPath[str], request: Http, data: Form, site: Here, desk: Desk) -> Template:
    """Store what the report named, as drafts of this person; with `submit` those without doubt go to review at once."""
    login, bank = login_of(request), desk.bank()
    found = desk.upload(upload, login.username)
    async with found.busy:
        _outcomes(found)
        read = found.read
        assert read is not None
        reading: Reading = read.reading
        report = await service.import_items(
            site.db,
            site.journal,
            site.clock,
            f"staff:{login.username}",
            bank.id,
            bank.key,
            reading,
            service.Source(found.name, read.sha256),
            writer=login.username,
        )
        desk.drop(upload)
    submitted, refused = 0, ""
    if data.get("submit") and report.batch is not None:
        try:
            submitted = await _submit_batch(site, request, bank.id, report)
        except GongyuanError as error:
            refused = say(language_of(request), error.code, error.facts)
    return page(
        request, "desk/stored.html", report=report, submitted=submitted, refused=refused, name=found.name
    )


async def _submit_batch(site: Site, request: Http, bank_id: str, report: service.ImportReport) -> int:
    login = login_of(request)
    count = 0
    places = list(report.sure)
    for start in range(0, len(places), review_service.MOST_AT_ONCE):
        async with site.acting(login) as act:
            count += await review_service.submit(
                act, bank_id, places[start : start + review_service.MOST_AT_ONCE], login.username
            )
    return count


@post("/desk/import/{upload:str}/discard", guards=[WRITERS, opened])
async def discard_upload(upload: FromPath[str], request: Http, site: Here, desk: Desk) -> Redirect:
    """Forget an uploaded file."""
    desk.upload(upload, login_of(request).username)
    desk.drop(upload)
    return Redirect("/desk/import", status_code=303)


ROUTES = [
    import_page,
    upload_file,
    mapping_page,
    read_upload,
    report_page,
    report_file,
    store_upload,
    discard_upload,
]
