"""The serving process's memory before, during and after the openings: it never holds what it must not."""

import asyncio
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyshamir
import pytest
from playwright.async_api import Page, Playwright, async_playwright
from sqlalchemy import select

from server.keys import ring
from server.keys.identity import Identity
from server.keys.models import KeyRow, ShareRow
from server.keys.sealing import hpke_open
from server.packages.contents import (
    CandidateContent,
    ExamContent,
    RoomContent,
    SeatingContent,
    SlotContent,
    StandingContent,
)
from server.packages.outbox import pack
from server.packages.peers import register_peer
from tests.conftest import missing_tool
from tests.support.browser import ARGUMENTS
from tests.support.centre import LONG_S, PASSPHRASES, PASSWORD, ROOT, Centre, centre, demo_command
from tests.support.clock import START
from tests.support.database import act_on, database
from tests.support.memory import found_in_memory

BANK_FILE = ROOT / "server" / "demo" / "bank" / "electrician-4.xlsx"
BLUEPRINT = ROOT / "server" / "demo" / "bank" / "blueprint.toml"
PLANNED = START + timedelta(hours=1)


async def import_items(centre: Centre) -> str:
    """Import the demo's bank at the desk, in a command of its own; return the bank's root."""
    words = ["items", "import", str(BANK_FILE), "--bank", "bank-1", "--bank-name", "电工四级题库"]
    words += ["--approve", "--writer", "秦", "--reviewer", "许", "--passphrases-stdin"]
    process = await asyncio.create_subprocess_exec(
        *demo_command(centre.clock, *words, "--config", str(centre.config)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    lines = "".join(f"{name}:{passphrase}\n" for name, passphrase in PASSPHRASES.items())
    said, _ = await process.communicate(lines.encode())
    assert process.returncode == 0, said.decode()
    (bank,) = (await centre.http.get("/api/banks")).json()
    return str(bank["root"])


async def send_exam(centre: Centre, base: Path, commitment: str, root: str) -> None:
    """Let the registry send an exam of two candidates in one room."""
    people = [
        CandidateContent(
            id=f"c{n}",
            ticket=f"t{n}",
            name="考生",
            id_kind="resident",
            id_number=f"{n}",
            subjects=("theory",),
        )
        for n in (1, 2)
    ]
    slot = SlotContent(
        id="slot-1",
        subject="theory",
        method="computer",
        starts_at=PLANNED,
        minutes=90,
        hand_in_early=30,
        hand_in_late=15,
        pass_mark=60.0,
        total=100.0,
        place="示范考点",
        policy=1,
    )
    content = ExamContent(
        plan="plan-1",
        name="20260314电工",
        organisation="org-1",
        organisation_name="示范评价机构",
        occupation="电工",
        occupation_code="6-31-01-03",
        level=4,
        jurisdiction="beijing",
        slots=(slot,),
        rooms=(RoomContent(number="1", name="一考场", seats=30),),
        candidates=tuple(people),
        seating=tuple(
            SeatingContent(sitting=f"s{n}", slot="slot-1", candidate=f"c{n}", room="1", seat=n)
            for n in (1, 2)
        ),
        staff=(),
        commitment=commitment,
        nonce="5a" * 32,
        bank_root=root,
        standing=StandingContent(organisation="org-1", status="good", serial=1, as_of=START),
    )
    registry = Identity.open_or_create(base / "registry")
    here = Identity.open_or_create(base / "data")
    async with database(f"sqlite:///{base / 'registry.db'}") as db, act_on(db) as act:
        keys = here.public
        await register_peer(act, "centre", "org-1", keys.signing, keys.receiving, None, ("a", "b"))
        data = (await pack(act, registry, "org-1", "exam", "plan-1", content)).bytes
    await centre.post("/api/packages", content=data)


async def secrets_of(centre: Centre) -> dict[str, bytes]:
    """Open everything in this test's own process: keys, shares, private halves and passphrases by name."""
    known = {f"passphrase of {name}": text.encode() for name, text in PASSPHRASES.items()}
    privates: dict[str, bytearray] = {}
    async with centre.db.reading() as session:
        for name, passphrase in PASSPHRASES.items():
            wrapped = await ring.wrapped_custodian(session, name)
            private = await asyncio.to_thread(ring.unwrap, wrapped, passphrase)
            privates[wrapped.custodian.id] = private
            known[f"private half of {name}"] = bytes(private)
        for key in await ring.keys(session):
            if key.retired:
                continue
            known[f"{key.kind.value} key"] = bytes(
                await ring.recover(session, key.kind, key.subject, privates)
            )
        rows = await session.execute(
            select(ShareRow.custodian, ShareRow.sealed, KeyRow.id, KeyRow.kind, KeyRow.subject).join(
                KeyRow, KeyRow.id == ShareRow.key
            )
        )
        shares: dict[str, list[bytearray]] = {}
        for custodian, sealed, key_id, kind, subject in rows:
            info = ring.share_info(key_id, kind, subject, custodian)
            share = hpke_open(privates[custodian], sealed, info)
            known[f"share of the {kind} key of {custodian}"] = share[:-1]  # its last byte is only its place
            shares.setdefault(kind, []).append(bytearray(share))
    for kind, two in shares.items():
        known[f"wrapping secret of the {kind} key"] = bytes(pyshamir.combine(two))
    return known


async def signed_in(driver: Playwright, here: Centre, chromium: str) -> Page:
    """Sign in at the centre in a real browser."""
    browser = await driver.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
    page = await (await browser.new_context(ignore_https_errors=True, locale="zh-CN")).new_page()
    page.set_default_timeout(LONG_S * 1000)
    await page.goto(f"{here.url}/login?next=/custody")
    await page.fill("input[name=username]", "everyone")
    await page.fill("input[name=password]", PASSWORD)
    await page.click("main button")
    await page.wait_for_url("**/custody")
    return page


async def open_in_page(page: Page, here: Centre, kind: str) -> None:
    """Begin an opening on the custody page and type both passphrases there, until the page says that it is done."""
    await page.goto(f"{here.url}/custody")
    form = page.locator(f"form[data-kind={kind}]")
    if kind == "draw":
        await form.locator("input[name=blueprint]").set_input_files(BLUEPRINT)
    await form.locator("button").click()
    await page.wait_for_url("**/custody/openings/*")
    # What is typed before the page's script has the offer goes nowhere.
    entry = page.locator("#passphrase-form:not([inert])")
    await entry.wait_for()
    for place, (name, passphrase) in enumerate(PASSPHRASES.items(), start=1):
        await entry.locator("select").select_option(label=name)
        await entry.locator("input[name=passphrase]").fill(passphrase)
        await entry.locator("button").click()
        if place < len(PASSPHRASES):
            await entry.locator("[role=status]").get_by_text(name).wait_for()
    await page.locator("#passphrase-form[data-over]").wait_for()
    assert await page.locator("#passphrase-form [role=status].ok").count() == 1


@pytest.mark.pages
@pytest.mark.timeout(1200)  # all of a process's memory is read three times
async def test_the_serving_process_never_holds_what_two_custodians_open(tmp_path: Path) -> None:
    """With draw, start and marking typed into the custody page, the serving process's writable memory never holds the
    bank, marking or journal key, any wrapping secret, share, private half or passphrase; it holds the start key from
    its opening to the bell."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing_tool("Chromium")
    assert chromium is not None
    async with centre(tmp_path) as here, async_playwright() as driver:
        people = [{"username": name, "name": name} for name in PASSPHRASES]
        await here.open(await here.post("/api/ceremony", {"custodians": people, "bank": "bank-1"}))
        root = await import_items(here)
        commitment = (await here.post("/api/plans/plan-1/commitment"))["commitment"]
        await send_exam(here, tmp_path, commitment, root)
        page = await signed_in(driver, here, chromium)
        await open_in_page(page, here, "draw")
        secrets = await secrets_of(here)
        kinds = {kind.value for kind in ring.KeyKind}
        assert {f"{kind} key" for kind in kinds} <= set(secrets)
        # of each kind the key, its wrapping secret and two shares; two private halves and two passphrases
        assert len(secrets) == 4 * len(kinds) + 2 + 2
        forbidden = {name: secret for name, secret in secrets.items() if name != "start key"}
        assert found_in_memory(here.pid, secrets) == set()

        await here.post("/api/hall/slots/slot-1/prepare")
        await here.post("/api/hall/slots/slot-1/seals")
        here.go_to(PLANNED - timedelta(minutes=9))
        await open_in_page(page, here, "start")
        assert found_in_memory(here.pid, secrets) == {"start key"}
        here.go_to(PLANNED)
        await here.post("/api/hall/slots/slot-1/bell", {"rooms": []})
        for sitting in ("s1", "s2"):
            await here.post(f"/api/hall/sittings/{sitting}/absent", {"reason": "缺考"})
        here.go_to(PLANNED + timedelta(minutes=95))
        await here.post("/api/hall/slots/slot-1/close")
        await open_in_page(page, here, "marking")
        assert found_in_memory(here.pid, forbidden) == set()


def test_the_search_itself_finds_what_is_there() -> None:
    """The search finds a secret that another process holds, raw or as hex, and does not find one that it never had."""
    code = "import sys; a = bytes.fromhex(sys.stdin.readline()); b = a.hex().upper(); print(1, flush=True); input()"
    secret, absent = os.urandom(32), os.urandom(32)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(secret.hex() + "\n")
    process.stdin.flush()
    process.stdout.readline()
    try:
        assert found_in_memory(process.pid, {"there": secret, "not there": absent}) == {"there"}
    finally:
        process.kill()
        process.wait()
