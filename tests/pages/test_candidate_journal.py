"""The page's local journal in a real Chromium: sealed, offered, carried, never an overwrite."""

import contextlib
import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select as query

from server.delivery import late_journals, late_service, store
from server.delivery.models import HeartbeatRow
from server.delivery.timing import own_end
from server.keys.sealing import generate_receiving, hpke_open, unseal
from server.keys.signing import verify
from server.protocol import codec
from server.protocol.journal import (
    entry_aad,
    entry_bytes,
    head_bytes,
    read_file,
    settled_bytes,
    wrap_info,
)
from tests.pages.test_candidate_page import (
    NUMBER,
    TICKET,
    answers_on_disk,
    enrol,
    seconds_left,
    sign_in,
)
from tests.support.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, Centre
from tests.support.papers import SLOT
from tests.support.seat_page import cut, wait_for_entries

RECOVERY = generate_receiving()
SITTING = "sitting-0"


def at_work(page: Any, centre: Centre) -> None:
    """Bring one candidate to the opened paper, on a slot with a journal recovery key."""

    async def key() -> None:
        async with centre.day.act() as act:
            await late_journals.keep_recovery_key(act, SLOT, RECOVERY[1])

    centre.run(key())
    enrol(page, centre)
    centre.run(centre.day.check_in(0))
    sign_in(page)
    page.wait_for_selector(".countdown")
    centre.run(centre.day.ring())
    page.wait_for_selector(".stem")
    centre.at(1)


def wait_past_the_loss(page: Any, centre: Centre) -> None:
    """Wait until the centre has noted when the line was lost, and the page's own legal time is past it: its time
    comes from the last beacon and lags by what that was on its way."""

    async def seconds() -> float | None:
        async with centre.site.db.reading() as session:
            beats = query(HeartbeatRow).where(HeartbeatRow.sitting == SITTING)
            newest = (await session.scalars(beats.order_by(HeartbeatRow.id.desc()))).first()
            end = own_end((await store.slot_times(session, SLOT)).of(SITTING, "01"))
        assert newest is not None and end is not None
        return (end - newest.at).total_seconds() if newest.kind == "lost" else None

    while (left := centre.run(seconds())) is None or seconds_left(page) >= left:
        page.wait_for_timeout(20)


def late_items(centre: Centre) -> tuple[late_service.LateItem, ...]:
    async def read() -> tuple[late_service.LateItem, ...]:
        async with centre.site.db.reading() as session:
            return await late_service.items(session, SITTING)

    return centre.run(read())


def collected(centre: Centre, page: Any) -> None:
    """Wait until the offline paper is collected from what is acknowledged."""

    async def state() -> str:
        async with centre.site.db.reading() as session:
            return (await store.sitting(session, SITTING)).state.value

    while centre.run(state()) != "collected":
        page.wait_for_timeout(20)


def seat_public(centre: Centre) -> bytes:
    """Return the public key of the one enrolled page."""

    async def read() -> bytes:
        async with centre.site.db.reading() as session:
            return next(one.public_key for one in await store.seats(session) if one.kind == "page")

    return bytes(centre.run(read()))


def exported(page: Any, folder: Path, act: str = "导出文件") -> bytes:
    """Export the machine's journals by the technician's key."""
    page.keyboard.press("Control+Alt+j")
    page.wait_for_selector("text=导出本机作答记录")
    with page.expect_download() as download:
        page.click(f"text={act}")
    download.value.save_as(folder / "journal.json")
    page.wait_for_selector("text=已导出 1 份记录")
    page.click("text=返回")
    return (folder / "journal.json").read_bytes()


def test_page_signs_the_same_bytes_as_python(page: Any, centre: Centre) -> None:
    """The page's wrapping info, head, entry and associated data are the server's, byte for byte."""
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector("#code")  # nothing is left on its way when the server ends
    found = page.evaluate(
        """async () => {
             const j = await import("/static/candidate/journal.mjs"), bytes = (n) => new Uint8Array(n).fill(7);
             return [j.wrapInfo("s1", 2, "k"), j.headBytes("s1", 2, "k", "ab"), j.entryAad("s1", 2, 9),
                     await j.entryBytes(bytes(32), 9, bytes(12), bytes(20))].map((part) => [...part]); }"""
    )
    seven = bytes([7])
    assert [bytes(part) for part in found] == [
        wrap_info("s1", 2, "k"),
        head_bytes("s1", 2, "k", "ab"),
        entry_aad("s1", 2, 9),
        entry_bytes(seven * 32, 9, seven * 12, seven * 20),
    ]


def test_a_place_on_its_way_to_the_disk_is_forgotten_with_the_candidate(page: Any, centre: Centre) -> None:
    """Of two places given at once the later one stays, one given as the candidate goes is not left behind, and an
    answer that cannot be written stops nothing that comes after it."""
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector("#code")
    kept, left, refused, after = page.evaluate(
        """async () => {
             const { Vault } = await import("/static/candidate/vault.mjs"), vault = await Vault.open();
             await Promise.all([vault.keepSitting({ position: 1 }), vault.keepSitting({ position: 2 })]);
             const kept = await vault.sitting(), last = vault.keepSitting({ position: 3 });
             await vault.forgetCandidate();
             await last;
             const left = await vault.sitting();      // the journal is gone, too: no answer has a place
             const refused = vault.keepAnswer({ seq: 1, number: 1, value: "A" }).then(() => false, () => true);
             await vault.keepSitting({ position: 4 });
             return [kept, left, await refused, await vault.sitting()]; }"""
    )
    assert (kept, left) == ({"position": 2}, None)
    assert (refused, after) == (True, {"position": 4})


def test_offline_past_the_end_is_collected_then_offered_and_carried(
    page: Any, centre: Centre, tmp_path: Path
) -> None:
    """Offline past the end: the acknowledged paper is collected; the rest is kept as late, by file and by line; the
    whole export proves what was acknowledged, and says when the paper opened."""
    at_work(page, centre)
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    cut(page, centre)
    wait_past_the_loss(page, centre)
    page.keyboard.press("B")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("C")
    page.wait_for_selector("text=2 题作答存于本机")
    data = exported(page, tmp_path)
    assert b'"C"' not in data and TICKET.encode() not in data
    whole = read_file(exported(page, tmp_path, "导出全部")).journals[0]
    (told,) = whole.receipts
    named = (told.seq, told.outcome, told.number, told.hash, told.mac)
    signed = settled_bytes(SITTING, 1, *named)
    verify(seat_public(centre), bytes.fromhex(told.signature), signed)
    assert (told.seq, told.outcome, told.number) == (1, "counted", 1)
    info = wrap_info(SITTING, 1, whole.head.seat)
    key = hpke_open(RECOVERY[0], bytes.fromhex(whole.head.wrapped), info)
    first = whole.entries[0]
    clear = codec.captured(unseal(key, first.iv, first.data, entry_aad(SITTING, 1, first.seq)))
    assert clear.opened is not None and clear.opened.node == clear.beacon.node
    centre.at(92)
    collected(centre, page)
    copy = read_file(data).journals[0]

    async def carry() -> int:
        async with centre.day.act("staff:technician") as act:
            kept = await late_journals.keep(act, copy.head, 0, copy.entries, "file")
            node = centre.site.identity
            for journal in await late_journals.journals(act.session, SLOT):
                await late_journals.open_journal(
                    act, journal.id, RECOVERY[0], "".join(node.fingerprint.split()), node.public.signing
                )
            return kept

    assert centre.run(carry()) == 3
    found = late_items(centre)
    assert [(i.late.number, i.late.value, i.refusal) for i in found] == [(1, ("B",), None), (2, ("C",), None)]
    assert all(i.absence is not None for i in found)
    assert answers_on_disk(centre) == {1: ("A",)}
    page.context.set_offline(False)
    page.wait_for_selector("text=2 条作答在结束后才到达")
    assert "共收到 1 题作答" in page.inner_text("main")
    assert answers_on_disk(centre) == {1: ("A",)}


def test_the_next_candidate_can_neither_read_nor_send_what_was_left(
    page: Any, centre: Centre, tmp_path: Path
) -> None:
    """What a candidate left unsent is sealed for the next one, and reaches the centre by itself, not counted."""
    at_work(page, centre)
    cut(page, centre)
    page.keyboard.press("C")
    page.wait_for_selector("text=1 题作答存于本机")
    wait_for_entries(page, 1)
    centre.run(centre.day.enrol_seat("02", 6))

    async def move_and_seat_another() -> None:
        from server.conduct import service as conduct
        from server.delivery.models import SittingRow

        async with centre.day.act() as act:
            await conduct.reseat(act, SITTING, "02", 6, "keyboard")
        async with centre.site.db.writing() as session:
            row = await store.sitting_row(session, "sitting-1")
            row.seat = 1
            assert isinstance(row, SittingRow)
        await centre.day.check_in(1)

    centre.run(move_and_seat_another())
    # The disk comes back under the next candidate: nothing of the first one's token is left.
    page.evaluate(
        """() => new Promise((done) => { const open = indexedDB.open("gongyuan-seat");
             open.onsuccess = () => { const act = open.result.transaction("sitting", "readwrite");
               act.objectStore("sitting").clear(); act.oncomplete = () => { open.result.close(); done(); }; }; })"""
    )
    # The machine was off meanwhile: an open page would say what it holds, as a replaced device may.
    page.goto("about:blank")
    page.context.set_offline(False)
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector("#ticket")
    sign_in(page, "T0001", "P0000001")
    page.wait_for_selector(".stem")
    left = page.evaluate(
        """() => new Promise((done) => { const open = indexedDB.open("gongyuan-seat");
             open.onsuccess = () => { const all = open.result.transaction("journals").objectStore("journals").getAll();
               const told = (rows) => rows.map((row) => [row.sitting, row.key === null]);
               all.onsuccess = () => { open.result.close(); done(told(all.result)); }; }; })"""
    )
    assert sorted(left) == [["sitting-0", True], ["sitting-1", False]]
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    page.reload()
    page.wait_for_selector(".stem")

    async def kept() -> list[int]:
        async with centre.site.db.reading() as session:
            return [one.entries for one in await late_journals.journals(session, SLOT)]

    while not centre.run(kept()):
        page.wait_for_timeout(20)
    assert centre.run(kept()) == [1]
    assert answers_on_disk(centre) == {}
    assert json.dumps(left).count("sitting-0") == 1 and NUMBER


def test_a_spare_paper_given_at_the_board_replaces_the_one_on_the_screen(page: Any, centre: Centre) -> None:
    """The chief gives a spare at the board: the kiosk shows it at once, empty, and answers go to it alone."""
    from server.accounts.roles import Role
    from tests.pages.test_board_page import open_board, seat

    at_work(page, centre)
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    page.click(".pal button >> nth=1")
    centre.account("chief", "主考", Role.CHIEF)
    board = page.context.browser.new_context().new_page()
    open_board(board, centre)
    seat(board, 1, 1).click()
    board.click("text=换备用卷")
    board.fill("dialog textarea, dialog input[maxlength]", "第 2 题图片缺失")
    board.click("dialog form button.primary, dialog form button[type=submit], dialog form button >> nth=-1")
    page.wait_for_selector("text=尚无作答")
    assert page.inner_text("#number") == "第 1 题"
    assert page.locator(".pal .a").count() == 0
    page.keyboard.press("B")
    page.wait_for_selector(".itemstate.ok")
    assert answers_on_disk(centre) == {1: ("B",)}
    page.reload()
    page.wait_for_selector(".stem")
    assert page.locator(".opt.on kbd").inner_text() == "B"
    board.context.close()


def machine(chromium: Any, folder: Path) -> Any:
    """Start a browser with a disk of its own."""
    started = chromium.browser_type.launch_persistent_context(
        folder, executable_path=CHROMIUM, args=list(ARGUMENTS), locale="zh-CN", timeout=2 * PATIENCE_MS
    )
    started.set_default_timeout(PATIENCE_MS)
    return started


def power_cut(folder: Path) -> None:
    """Kill every process of the browser that has this disk, and return when none is left."""

    def living() -> Iterator[int]:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(folder).encode() in (process / "cmdline").read_bytes():
                    yield int(process.name)

    while killed := list(living()):
        for process in killed:
            with contextlib.suppress(ProcessLookupError):
                ending = os.pidfd_open(process)
                try:
                    signal.pidfd_send_signal(ending, signal.SIGKILL)
                    select.select([ending], [], [])
                finally:
                    os.close(ending)


def test_a_power_cut_resumes_at_the_same_question(chromium: Any, centre: Centre, tmp_path: Path) -> None:
    """A browser killed while offline comes back to the same question and brings what it had not sent."""
    disk = tmp_path / "disk"
    before = machine(chromium, disk)
    page = before.pages[0]
    at_work(page, centre)
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    cut(page, centre)
    page.click(".pal button >> nth=2")
    page.keyboard.press("C")
    wait_for_entries(page, 2)
    power_cut(disk)
    after = machine(chromium, disk)
    page = after.pages[0]
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector(".stem")
    assert page.inner_text("#number") == "第 3 题"
    page.wait_for_selector("text=2 题作答已保存到考场服务器")
    assert answers_on_disk(centre) == {1: ("A",), 3: ("C",)}
    after.close()
