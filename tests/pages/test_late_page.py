"""The page of late answers in a real Chromium: a carried journal, one who proposes, another who confirms."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from kiosk.vault import JournalBook, SeatKey
from server.accounts.roles import Role
from server.cli.main import main
from server.delivery import acts, late_journals, store
from server.delivery.models import LeaseRow, SeatRow, SittingRow
from server.delivery.sitting import State
from server.keys.sealing import generate_receiving
from server.protocol.exam import Answer
from server.protocol.journal import JournalFile
from tests.pages.test_candidate_page import answers_on_disk
from tests.support.browser import PASSWORD, Centre, grave_issues
from tests.support.hall import BELL
from tests.support.papers import SLOT

RECOVERY = generate_receiving()
SITTING = "sitting-0"


async def offline_sitting(centre: Centre) -> JournalBook:
    """Leave one collected paper with an acknowledged answer, and the journal of what came too late."""
    day, key = centre.day, SeatKey.generate()
    await day.check_in(0)
    await day.ring()
    await day.open(0)
    await day.answer(SITTING, {1: ("A",)})
    async with centre.site.db.writing() as session:
        seat = SeatRow(id="seat-x", room="01", number=1, kind="page", public_key=key.public, enrolled_at=BELL)
        session.add(seat)
        session.add(LeaseRow(sitting=SITTING, lease=1, seat="seat-x", taken_at=BELL))
        row = await session.get(SittingRow, SITTING)
        assert row is not None
        row.lease = 1
    async with day.act() as act:
        await late_journals.keep_recovery_key(act, SLOT, RECOVERY[1])
    centre.clock.set(BELL + timedelta(minutes=40))
    beacon = centre.site.hall._beacons.make()
    book = JournalBook(key, "seat-x", SITTING, 1, RECOVERY[1])
    for seq, number, value in ((5, 1, "B"), (6, 2, "C")):
        book.write(Answer(lease=1, seq=seq, number=number, value=(value,), beacon=beacon, elapsed_ms=5000))
    book.write(Answer(lease=1, seq=7, number=3, value=("D",), beacon=beacon, elapsed_ms=4_000_000))
    # The centre's own collector brings the paper in: two that collect it at once would be in each other's way.
    centre.clock.set(BELL + timedelta(minutes=91))
    centre.site.signals.tell(acts.SLOT, SLOT)
    while await state(centre) is not State.COLLECTED:
        await asyncio.sleep(0.02)
    return book


async def state(centre: Centre) -> State:
    """Return the state of the sitting on disk."""
    async with centre.site.db.reading() as session:
        return (await store.sitting(session, SITTING)).state


async def opened(centre: Centre) -> None:
    """Open the kept journals, as the opening's child does."""
    identity = centre.site.identity
    node = "".join(identity.fingerprint.split())
    async with centre.day.act("opening") as act:
        for one in await late_journals.journals(act.session, SLOT):
            await late_journals.open_journal(act, one.id, RECOVERY[0], node, identity.public.signing)


def sign_in(page: Any, centre: Centre, username: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{centre.url}/login?next=/hall/late/{SLOT}")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("#journals")


def test_late_answers_are_judged_by_two_people_on_a_page(page: Any, centre: Centre, tmp_path: Path) -> None:
    """A file is taken, its items shown with their evidence, and what one proposed counts once another confirmed;
    the technician is shown how many answers came, and none of them."""
    book = centre.run(offline_sitting(centre))
    file = tmp_path / "journal.json"
    file.write_bytes(msgspec.json.encode(JournalFile(journals=(book.copy(),))))
    changed = tmp_path / "changed.json"
    changed.write_bytes(file.read_bytes().replace(b'"lease":1', b'"lease":2'))
    centre.account("chief", "主考", Role.CHIEF)
    centre.account("deputy", "副主考", Role.DEPUTY)
    sign_in(page, centre, "chief")
    page.set_input_files("input[type=file]", changed)
    page.click("#carry-form button")
    page.wait_for_selector("text=没有以登录次序 2 作答过本场考试")
    page.set_input_files("input[type=file]", file)
    page.click("#carry-form button")
    page.wait_for_selector("text=由两名保密员启封")
    assert "手工文件" in page.inner_text("main")
    centre.run(opened(centre))
    page.reload()
    row = page.locator("tr[data-number='1']").inner_text()
    assert "A" in row and "B" in row and "09:10:" in row
    assert "不能合并" in page.locator("tr[data-number='3']").inner_text()
    assert grave_issues(page) == []
    page.check("tr[data-number='1'] input[value=yes]")
    page.check("tr[data-number='2'] input[value=no]")
    page.fill("tr[data-number='1'] input[name=reason]", "断线期间作答")
    page.fill("tr[data-number='2'] input[name=reason]", "机器被移动过")
    page.click("form.judge button")
    page.wait_for_selector("text=须由另一人确认")
    told = f"async () => (await fetch('/api/hall/slots/{SLOT}/late')).text()"
    shown = page.evaluate(told)
    assert '"value"' in shown and "断线期间作答" in shown
    centre.account("tech", "技术员", Role.TECHNICIAN)
    sign_in(page, centre, "tech")
    page.wait_for_selector("text=迟到的作答 3 条，其中 2 条待核对")
    assert page.locator("tr[data-number]").count() == 0
    shown = page.evaluate(told)
    assert '"value"' not in shown and "断线期间作答" not in shown
    sign_in(page, centre, "chief")
    assert page.locator("button[value=confirm]").is_disabled()
    assert answers_on_disk(centre) == {1: ("A",)}
    sign_in(page, centre, "deputy")
    page.click("button[value=confirm]")
    notice = page.wait_for_selector("text=chief 与 deputy 核对：接受第 1 题，不接受第 2 题").inner_text()
    assert answers_on_disk(centre) == {1: ("B",)}
    code = notice.rsplit(" ", 1)[1].strip("。")
    page.goto(f"{centre.url}/hall/receipt?code={code}")
    page.wait_for_selector("text=一致：作答、签名、回执链与考务日志相符。")
    assert "迟到作答合并之后" in page.inner_text("main")
    config = tmp_path / "centre.toml"
    config.write_text(f'role = "centre"\ndata = "{centre.site.settings.folder}"\n', encoding="utf-8")
    assert main(["receipt", "verify", code, "--answers", "--config", str(config)]) == 0
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert main(["receipt", "verify", wrong, "--config", str(config)]) == 1
