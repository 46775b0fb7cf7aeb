"""A candidate's page as tests meet it from outside: its line, and what its machine's disk and the centre have of it."""

from typing import Any

from server.delivery import store
from server.protocol.link import CLOSE_SLOW
from tests.support.browser import Centre

CUT_TRIES, SEEN_MS = 10, 4000
ENTRIES = """(count) => new Promise((done) => { const open = indexedDB.open("gongyuan-seat");
  open.onsuccess = () => { const all = open.result.transaction("entries").objectStore("entries").getAll();
    all.onsuccess = () => { open.result.close(); done(all.result.length === count); }; }; })"""
"""Whether this machine's disk has so many answers, and with them the place they were given at."""


def cut(page: Any, centre: Centre, seat: tuple[str, int] | None = None) -> None:
    """Pull the cable of the hall, or of the machine at one seat alone (room and number), which shows this page."""
    from playwright.sync_api import TimeoutError

    def lines() -> list[Any]:
        # A line that has not said yet whose it is may become this seat's.
        return [
            line
            for line in tuple(centre.site.hall._lines)
            if seat is None or line.seat is None or (line.seat.room, line.seat.number) == seat
        ]

    async def close() -> None:
        for line in lines():
            line.close(CLOSE_SLOW, at_once=True)

    async def another() -> bool:
        return any(line.close_code is None for line in lines())

    # The browser's own switch holds back what comes on an open socket, its end included: the line ends first, and
    # where a new one has come up before the switch took hold, once more.
    for _ in range(CUT_TRIES):
        page.context.set_offline(False)
        centre.run(close())
        page.context.set_offline(True)
        try:
            page.wait_for_selector(".saved.warn", timeout=SEEN_MS)
        except TimeoutError:
            continue
        if not centre.run(another()):
            return
    raise AssertionError("the page does not say that its line is cut: " + page.inner_text("body"))


def wait_for_entries(page: Any, count: int) -> None:
    """Wait until this machine's disk has so many answers, and with them the place they were given at."""
    page.wait_for_function(ENTRIES, arg=count)


def wait_for_place(page: Any, number: int) -> None:
    """Wait until this machine's disk says that the candidate is at this question."""
    page.wait_for_function(
        """(number) => new Promise((done) => { const open = indexedDB.open("gongyuan-seat");
             open.onsuccess = () => { const act = open.result.transaction(["seat", "sitting"]);
               const key = act.objectStore("seat").get("sitting-key");
               const kept = act.objectStore("sitting").get("sitting");
               act.oncomplete = async () => { open.result.close();
                 const { iv, data } = kept.result;
                 const clear = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key.result, data);
                 done(JSON.parse(new TextDecoder().decode(clear)).position === number); }; }; })""",
        arg=number,
    )


def wait_for_mark(page: Any, centre: Centre, number: int) -> None:
    """Wait until the server has the mark of a question on disk."""

    async def marks() -> tuple[int, ...]:
        async with centre.site.db.reading() as session:
            return await store.marks(session, "sitting-0")

    while number not in centre.run(marks()):
        page.wait_for_timeout(20)
