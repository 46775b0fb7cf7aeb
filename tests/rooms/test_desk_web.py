"""The desk as browsers meet it: opening by two, pages only while open, edit, review, import, export."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete

from server.conduct.opening_facts import desk_facts
from server.errors import NotFound, Refused
from server.itembank import statistics_store
from server.itembank.interchange.sanitising import LARGEST_PICTURE
from server.keys import service as keys
from server.keys.desk_opening import DeskOpening, close_left
from server.keys.models import OpeningRow
from server.keys.openings import OpeningFacts, OpeningKind, OpeningState
from server.scoring.service import mark_slot
from server.web.desk.imports import LARGEST_UPLOAD
from server.web.desk.workplace import MOST_UPLOADS
from tests.support.clock import FakeClock
from tests.support.desk import PASSPHRASES, Desk, running_desk
from tests.support.hall import HallDay
from tests.support.papers import BANK, MARKING_KEY, SLOT

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
NEW = {
    "type": "single",
    "label": "N1",
    "point": "1.1",
    "difficulty": 0.6,
    "score": 1.0,
    "stem": "最大的行星是<script>alert(1)</script>",
    "options": ["木星", "土星"],
    "key": ["A"],
}


@pytest_asyncio.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    """A desk whose bank is closed."""
    async with running_desk(tmp_path / "data", clock) as running:
        yield running


async def page(browser: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await browser.get(path, headers={"accept": "text/html"})
    assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
    return answer.text


async def submit(browser: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    return await browser.post(path, data=fields, headers={"accept": "text/html"})


async def test_an_edit_is_written_by_one_and_approved_by_another(desk: Desk) -> None:
    """Every page of the desk shows; an item goes from its editor over review to approved, never by one person."""
    await desk.open()
    writer, reviewer = await desk.signed_in("item_writer"), await desk.signed_in("item_reviewer")
    shown = (await writer.post("/api/desk/preview", json=NEW)).json()
    assert shown["fault"] is None
    assert shown["entries"][0]["stem"] == "最大的行星是"
    assert (await writer.post("/api/desk/preview", json={**NEW, "key": []})).json()["fault"]
    made = (await writer.post("/api/desk/items", json={"content": NEW})).json()
    item = made["item"]
    again = {"content": {**NEW, "stem": "太阳系最大的行星是"}, "item": item, "version": 1}
    assert (await writer.post("/api/desk/items", json=again)).json() == {"item": item, "version": 2}
    assert (await writer.post("/api/desk/items", json=again)).json()["type"] == "item-edited-meanwhile"
    assert "<ins>太阳系</ins>" in await page(writer, f"/desk/items/{item}")
    assert "太阳系最大的行星是" in await page(writer, f"/desk/items/{item}/edit")
    assert (await submit(writer, f"/desk/items/{item}/submit", version=2)).status_code == 303
    assert item not in (await page(writer, "/desk/review")).split("我的草稿")[0]
    assert f"{item}/2" in await page(reviewer, "/desk/review")
    returned = await submit(reviewer, f"/desk/items/{item}/review", version=2, verdict="return", note="太易")
    assert returned.status_code == 303
    assert "太易" in await page(writer, f"/desk/items/{item}")
    await submit(writer, f"/desk/items/{item}/submit", version=2)
    assert (await submit(reviewer, "/desk/review", place=[f"{item}/2"])).status_code == 303
    assert "可以抽用" in await page(reviewer, f"/desk/items/{item}")
    assert (await submit(reviewer, f"/desk/items/{item}/enemies", enemies="S1\nS2\n")).status_code == 303
    assert "single stem 1" in await page(reviewer, f"/desk/items/{item}")
    assert (await submit(reviewer, f"/desk/items/{item}/retire", note="过时")).status_code == 303
    assert "N1" in await page(writer, "/desk/items?words=行星&state=retired")
    pages = ("/desk", "/desk/new", "/desk/import", "/desk/review", "/desk/items?type=fill&page=9", "/bank")
    for path in (*pages, f"/desk/items/{item}", f"/desk/items/{item}?version=1", f"/bank/{BANK}"):
        for language in ("zh", "en"):
            mark = "&" if "?" in path else "?"
            assert "desk-" not in _words(await page(writer, f"{path}{mark}lang={language}"))
    standing = await page(writer, f"/bank/{BANK}")
    assert "1.1" in standing and "由于" in standing


async def test_a_picture_is_taken_as_the_import_takes_it(desk: Desk) -> None:
    """An uploaded picture comes back as it stands in a text, and preview and stored version show that very text; what
    is no picture or above 512 KiB is refused."""
    await desk.open()
    writer = await desk.signed_in("item_writer")

    async def taken(data: bytes) -> httpx.Response:
        return await writer.post("/api/desk/pictures", files={"file": ("p.png", data, "image/png")})

    assert (await taken(b"no picture")).json()["type"] == "picture-format-unknown"
    assert (await taken(PNG + bytes(LARGEST_PICTURE))).json()["type"] == "picture-too-large"
    html = (await taken(PNG)).json()["html"]
    typed = {**NEW, "stem": f"看图{html}", "options": [html, "土星"]}
    entry = (await writer.post("/api/desk/preview", json=typed)).json()["entries"][0]
    assert (entry["stem"], entry["options"][0]["html"]) == (f"看图{html}", html)
    item = (await writer.post("/api/desk/items", json={"content": typed})).json()["item"]
    async with desk.site.db.reading() as session:
        content = (await desk.place.bank().versions(session, item))[-1][1].content
    assert (content.stem, content.options[0]) == (f"看图{html}", html)


def _words(text: str) -> str:
    """Return a page without addresses, data of its editor and class names."""
    return re.sub(
        r'<script.*?</script>|(?:data-\w+|href|src|id|class|action)="[^"]*"', "", text, flags=re.DOTALL
    )


async def test_a_file_is_imported_row_by_row(desk: Desk) -> None:
    """Columns without known headers are guessed by their contents, a dry run stores nothing, every row stands in the
    report, and what is without doubt is submitted at once; the mapping is saved and taken again."""
    await desk.open()
    writer = await desk.signed_in("item_writer")
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["编号", "Q", "P", "X", "Y", "Z", "K"])
    for number in range(12):
        options = [f"甲{number}", f"乙{number}", f"丙{number}"]
        table.writerow(
            [
                f"I{number}",
                f"第{number}道导入的单选题，请选出一项",
                "1.1 职业道德",
                *options,
                "ABC"[number % 3],
            ]
        )
    table.writerow(["I99", "这一道没有可用的答案，读不懂", "1.1 职业道德", "一", "二", "三", "Q"])
    data = out.getvalue().encode("utf-8-sig")
    taken = await writer.post(
        "/desk/import", files={"file": ("items.csv", data, "text/csv")}, data={"format": ""}
    )
    assert taken.status_code == 303, taken.text
    place = taken.headers["location"]
    shown = await page(writer, place)
    fields = {}
    for index, field in enumerate(("label", "stem", "point", "option-A", "option-B", "option-C", "answer")):
        start = shown.index(f'name="column-{index}"')
        block = shown[start : shown.index("</select>", start)]
        assert f'value="{field}" selected' in block, (index, block)
        fields[f"column-{index}"] = field
    read = await submit(writer, f"{place}/read", **fields, default_type="single", save_as="我们的表")
    assert read.status_code == 303, read.text
    report = await page(writer, f"{place}/report")
    assert "共 13 行，可存入 12 道题" in report
    assert "I99" in await page(writer, f"{place}/report?status=doubtful")
    assert "I99" not in await page(writer, f"{place}/report?status=imported")
    assert len(list(csv.reader(io.StringIO((await writer.get(f"{place}/report.csv")).text)))) == 14
    assert "找到 27 道" in await page(writer, "/desk/items")
    stored = await submit(writer, f"{place}/store", submit="1")
    assert "存入 12 道题，其中 12 道已送审" in stored.text, stored.text
    assert "找到 12 道，共 39 道" in await page(writer, "/desk/items?state=submitted")
    assert (await writer.get(f"{place}/report")).status_code == 404
    again = (await writer.post("/desk/import", files={"file": ("b.csv", data, "text/csv")})).headers[
        "location"
    ]
    assert 'value="point" selected' in await page(writer, f"{again}?mapping=我们的表")
    assert (await submit(writer, f"{again}/read", mapping="我们的表", **fields)).status_code == 303
    assert "可存入 0 道题" in await page(writer, f"{again}/report")
    other = await desk.signed_in("item_reviewer")
    assert (await other.get(again)).status_code == 403
    assert (await submit(writer, f"{again}/discard")).status_code == 303


async def test_only_the_exam_office_takes_items_out(desk: Desk) -> None:
    """An export gives the approved items as a file that no cache keeps, to the exam office alone."""
    await desk.open()
    writer, office = await desk.signed_in("item_writer"), await desk.signed_in("exam_office")
    assert (await submit(writer, "/desk/export", format="json")).status_code == 403
    out = await submit(office, "/desk/export", format="json")
    assert out.status_code == 200
    assert out.headers["cache-control"] == "no-store"
    assert len(json.loads(out.content)) >= 1 and "single stem 3" in out.text
    made = (await writer.post("/api/desk/items", json={"content": NEW})).json()
    await submit(writer, f"/desk/items/{made['item']}/submit", version=1)
    assert "行星" not in (await submit(office, "/desk/export", format="json")).text
    assert "行星" in (await submit(office, "/desk/export", format="json", drafts="1")).text


async def test_two_custodians_open_and_the_time_closes(desk: Desk, clock: FakeClock) -> None:
    """One custodian twice opens nothing, a wrong passphrase opens nothing; the stated time or check-in ends it all."""
    office = await desk.signed_in("exam_office")
    asked = await office.post("/api/desk", json={"bank": BANK, "minutes": 30})
    offer = asked.json()
    assert (await desk.give(office, offer, "chen", PASSPHRASES["chen"])).json()["state"] == "waiting"
    twice = await desk.give(office, offer, "chen", PASSPHRASES["chen"])
    wrong = await desk.give(office, offer, "sun", "something else here")
    assert (twice.json()["type"], wrong.json()["type"]) == ("two-custodians-needed", "passphrase-wrong")
    assert "口令" in await page(office, "/desk")
    assert (await desk.give(office, offer, "sun", PASSPHRASES["sun"])).json()["state"] == "open"
    assert (await office.post("/api/desk", json={"bank": BANK, "minutes": 30})).json()["type"] == "desk-state"
    writer = await desk.signed_in("item_writer")
    assert "single stem" in await page(writer, "/desk/items?words=single+stem")
    key = desk.place.bank().key
    clock.set(clock.legal() + timedelta(minutes=30))
    assert (await writer.get("/desk/items")).json()["type"] == "desk-closed"
    await desk.place.look(desk.site.db, clock)
    assert desk.ended == ["ended"]
    assert bytes(key) == bytes(32)
    assert (await office.get("/api/desk")).json()["state"] == "over"


async def test_a_close_that_cannot_be_recorded_ends_the_process_all_the_same(
    desk: Desk, clock: FakeClock
) -> None:
    """Where the database does not take the record of the close, the key is zeros and the process is told to end."""
    await desk.open()
    key = desk.place.bank().key
    async with desk.site.db.writing() as session:
        await session.execute(delete(OpeningRow))
    clock.set(clock.legal() + timedelta(hours=8))
    with pytest.raises(NotFound):
        await desk.place.look(desk.site.db, clock)
    assert (bytes(key), desk.ended) == (bytes(32), ["ended"])


async def test_check_in_closes_the_desk_and_keeps_it_closed(desk: Desk) -> None:
    """The first check-in of the day ends the opening, and until the last sitting is closed no other is begun."""
    site = desk.site
    day = HallDay(site.db, desk.clock, site.identity)
    await day.draw()
    await desk.open(480)
    await desk.place.look(site.db, desk.clock)
    assert desk.ended == []
    await day.check_in(0)
    await desk.place.look(site.db, desk.clock)
    assert desk.ended == ["ended"]
    async with site.db.reading() as session:
        [opening] = await keys.openings(session)
    assert opening.outcome == {"cause": "desk-during-exam"}
    again = DeskOpening(site.db, site.journal, desk.clock, site.identity, site.settings.folder)
    async with site.db.reading() as session:
        facts = await desk_facts(session, desk.clock.legal())
    with pytest.raises(Refused, match="desk-during-exam"):
        await again.begin(BANK, "staff:x", facts)


async def test_a_killed_desk_is_closed_and_journalled(desk: Desk) -> None:
    """An opening whose process is gone is closed as failed with its cause when anybody looks, one that is at work
    is not; one at a terminal waits for the end of its stated time."""
    site = desk.site
    folder = site.settings.folder
    await desk.open(60)
    assert await close_left(site.db, site.journal, desk.clock, folder) == 0
    desk.place.opening._release()  # as the system does with a process that is killed
    async with site.acting("terminal:root") as act:
        await keys.intend(act, OpeningKind.DESK, None, BANK, act.now + timedelta(hours=1))
    assert await close_left(site.db, site.journal, desk.clock, folder) == 1
    async with site.db.reading() as session:
        by = {one.actor: one for one in await keys.openings(session)}
    second = by.pop("terminal:root")
    [first] = by.values()
    assert (first.state, first.outcome) == (OpeningState.FAILED, {"cause": "process-ended"})
    assert first.closed_at is not None and second.state is OpeningState.INTENDED
    desk.clock.advance(hours=1)
    assert await close_left(site.db, site.journal, desk.clock, folder) == 1


async def test_one_bank_is_open_at_one_desk(desk: Desk) -> None:
    """While a bank is open at one desk another process may not open it; a desk that gave up lets it go."""
    site = desk.site
    other = DeskOpening(site.db, site.journal, desk.clock, site.identity, site.settings.folder)
    await desk.open()
    facts = OpeningFacts(check_in_began=False, sittings_open=0)
    with pytest.raises(Refused, match="opening-running"):
        await other.begin(BANK, "staff:x", facts)
    await desk.place.close("closed")
    await other.begin(BANK, "staff:x", facts)
    await other.close("given-up")
    async with site.db.reading() as session:
        assert sorted(one.state.value for one in await keys.openings(session)) == ["aborted", "done"]


async def test_an_items_figures_stand_beside_it(desk: Desk) -> None:
    """After a marked exam the state of the bank lists its items' figures without a word of them, and the open item
    says how often each option was chosen; labels are told only to those who may read items."""
    site = desk.site
    day = HallDay(site.db, desk.clock, site.identity, site.journal)
    await day.whole_day()
    desk.clock.set(desk.clock.legal() + timedelta(days=1))
    await mark_slot(site.db, site.journal, desk.clock, "staff:x", SLOT, MARKING_KEY, site.identity)
    await desk.open()
    reviewer = await desk.signed_in("item_reviewer")
    async with site.db.reading() as session:
        [exam] = await statistics_store.exams(session, BANK)
        figures = await statistics_store.bank_statistics(session, BANK)
    assert figures
    for path in (f"/bank/{BANK}", f"/bank/{BANK}?slot={exam.slot}"):
        standing = await page(reviewer, path)
        assert f"/desk/items/{figures[0].item}" in standing and "stem" not in standing
    async with site.db.reading() as session:
        labels = {one.full.item: one.full.content.label for one in await desk.place.bank().items(session)}
    label = f">{labels[figures[0].item]}<"
    assert label in standing
    assert label not in await page(await desk.signed_in("exam_office"), path)
    most = max(figures, key=lambda one: one.n)
    assert "实测难度" in await page(reviewer, f"/desk/items/{most.item}?version={most.version}")


async def test_an_upload_is_bounded(desk: Desk) -> None:
    """A file above the limit is refused, and so is one more than the desk keeps; what was given up makes room."""
    await desk.open()
    writer = await desk.signed_in("item_writer")
    large = b"x" * (LARGEST_UPLOAD + (1 << 20))
    refused = await writer.post("/desk/import", files={"file": ("large.csv", large)})
    assert (refused.status_code, refused.json()["type"]) == (413, "body-too-large")
    small = "题干,答案\n一,对\n".encode()
    kept = [await writer.post("/desk/import", files={"file": ("a.csv", small)}) for _ in range(MOST_UPLOADS)]
    assert {one.status_code for one in kept} == {303}
    more = await writer.post("/desk/import", files={"file": ("b.csv", small)})
    assert more.json()["type"] == "uploads-full"
    await submit(writer, f"{kept[0].headers['location']}/discard")
    assert (await writer.post("/desk/import", files={"file": ("b.csv", small)})).status_code == 303
