"""How a seat's websocket opens: what is plain goes the short way, and everything else is judged as before."""

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.protocol import codec, exam
from server.protocol.ids import SUBPROTOCOL
from server.web.seat_handshake import plain_key
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import prepare_scene
from tests.support.delivery_server import served

KEY = b"AAAAAAAAAAAAAAAAAAAAAA=="
PLAIN = (
    (b"host", b"centre:8443"),
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", KEY),
    (b"sec-websocket-version", b"13"),
)


@pytest.mark.parametrize(
    ("headers", "plain"),
    [
        (PLAIN, True),
        ((*PLAIN, (b"origin", b"https://centre:8443")), True),
        ((*PLAIN, (b"origin", b"https://elsewhere")), False),
        ((*PLAIN, (b"origin", b"null")), False),
        ((*PLAIN, (b"content-length", b"3")), False),
        ((*PLAIN, (b"sec-websocket-key", KEY)), False),
        (PLAIN[1:], False),
        ((*PLAIN[:3], (b"sec-websocket-key", b"short"), PLAIN[4]), False),
        ((*PLAIN[:4], (b"sec-websocket-version", b"8")), False),
    ],
)
def test_only_what_is_plain_goes_the_short_way(headers: tuple[tuple[bytes, bytes], ...], plain: bool) -> None:
    """An upgrade with anything doubled, missing, malformed or of another address is not taken by the short way."""
    assert (plain_key(headers) == KEY) is plain


async def test_a_seat_is_heard_however_its_frames_are_cut(tmp_path: Path, clock: FakeClock) -> None:
    """On a line opened the short way the subprotocol is agreed, a ping is answered, a hello in fragments is judged,
    and the close code of an unproved seat arrives."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        async with served(scene, clock, tmp_path) as address:
            url = f"{address}/ws/candidate"
            async with connect(url, subprotocols=[SUBPROTOCOL], compression=None) as socket:  # type: ignore[list-item]
                assert socket.subprotocol == SUBPROTOCOL
                assert isinstance(codec.to_kiosk(await socket.recv()), exam.Challenge)
                async with asyncio.timeout(60):
                    await (await socket.ping())
                hello = codec.encode(exam.Hello(seat="nobody", signature="0" * 128)).decode()
                await socket.send([hello[:9], hello[9:40], hello[40:]])
                refused = codec.to_kiosk(await socket.recv())
                assert isinstance(refused, exam.Refused) and refused.code == "seat-not-proved"
                await socket.wait_closed()
                assert socket.close_code == 4401


async def test_a_page_of_another_address_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """A socket with the Origin of a foreign page is not opened, on the short way no more than on the long one."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        async with served(scene, clock, tmp_path) as address:
            url = f"{address}/ws/candidate"
            with pytest.raises(InvalidStatus):
                await connect(url, origin="https://elsewhere")  # type: ignore[arg-type]
