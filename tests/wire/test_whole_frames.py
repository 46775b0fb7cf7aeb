"""The short way for whole text frames, beside the library's: the same messages, whatever way the bytes are cut."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from server.keys.authority import ensure_tls
from server.web.whole_frames import EXTENSION, WAITING_MOST, WholeFramesProtocol

LARGEST = 1 << 20


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Echo text twice: by the short way, and by ASGI's."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    write = scope["extensions"][EXTENSION]["write"]
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            return
        text = event.get("text")
        if text is None:
            await send({"type": "websocket.send", "bytes": event["bytes"]})
        elif not write([text.encode(), b"short"]):
            await send({"type": "websocket.send", "text": text})
            await send({"type": "websocket.send", "text": "short"})


@asynccontextmanager
async def _served(folder: Path | None = None, app: Any = _echo) -> AsyncIterator[int]:
    files = None if folder is None else ensure_tls(folder / "tls", ("127.0.0.1",))
    config = uvicorn.Config(
        app,
        port=0,
        ws=WholeFramesProtocol,
        ws_per_message_deflate=False,
        ws_max_size=LARGEST,
        lifespan="off",
        log_level="critical",
        timeout_graceful_shutdown=1,
        ssl_certfile=None if files is None else str(files.certificate),
        ssl_keyfile=None if files is None else str(files.key),
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def _upgraded(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _next(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(2)
    length = head[1] & 0x7F
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    return head[0], await reader.readexactly(length)


async def test_frames_cut_anywhere_are_the_same_messages() -> None:
    """Whole, fragmented and control frames of all lengths, cut at random places, come back in order and unchanged."""
    rng = random.Random(5)
    texts = ["", "甲" * 41, "x" * 125, "y" * 126, "z" * 70_000] + [
        "a" * rng.randrange(400) for _ in range(60)
    ]
    sent = bytearray()
    for n, text in enumerate(texts):
        data = text.encode()
        if n % 4 == 3:
            cut = rng.randrange(len(data) + 1)
            sent += Frame(Opcode.TEXT, data[:cut], fin=False).serialize(mask=True)
            sent += Frame(Opcode.PING, b"ping").serialize(mask=True)
            sent += Frame(Opcode.CONT, data[cut:]).serialize(mask=True)
        else:
            sent += Frame(Opcode.TEXT, data).serialize(mask=True)
    async with _served() as port:
        reader, writer = await _upgraded(port)
        at = 0
        heard: list[str] = []
        pongs = 0

        async def hear() -> None:
            nonlocal pongs
            while len(heard) < 2 * len(texts):
                head, body = await _next(reader)
                if head == 0x81:
                    heard.append(body.decode())
                else:
                    assert (head, body) == (0x8A, b"ping")
                    pongs += 1

        hearing = asyncio.create_task(hear())
        while at < len(sent):
            size = rng.choice((1, 2, 3, 7, 50, 900, 9000))
            writer.write(bytes(sent[at : at + size]))
            at += size
            await writer.drain()
            await asyncio.sleep(0)
        await asyncio.wait_for(hearing, 60)
        writer.close()
    assert heard[::2] == texts
    assert set(heard[1::2]) == {"short"}
    assert pongs == sum(n % 4 == 3 for n in range(len(texts)))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"plain").serialize(mask=False), 1002),
        (b"\xc1" + Frame(Opcode.TEXT, b"rsv").serialize(mask=True)[1:], 1002),
        (b"\x83" + Frame(Opcode.TEXT, b"opcode").serialize(mask=True)[1:], 1002),
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (b"\x81\xff" + (LARGEST + 1).to_bytes(8, "big") + bytes(4), 1009),
    ],
    ids=["unmasked", "reserved", "opcode", "utf-8", "too large"],
)
async def test_what_is_malformed_closes_the_line_with_its_code(frame: bytes, code: int) -> None:
    """An unmasked, reserved or unknown frame closes with 1002, broken UTF-8 with 1007, a frame above the limit with
    1009 before its body came."""
    async with _served() as port:
        reader, writer = await _upgraded(port)
        writer.write(frame)
        head, body = await asyncio.wait_for(_next(reader), 30)
        assert (head, int.from_bytes(body[:2], "big")) == (0x88, code)
        writer.close()


async def test_a_taker_is_offered_frames_only_while_the_application_waits() -> None:
    """A taker gets the frames that it takes in their turn, and nothing while the application is at an earlier one."""
    heard: list[str] = []
    waits, at_it, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def taker(frame: bytes) -> bool:
        heard.append(f"offered {frame.decode()}")
        return frame.startswith(b"short")

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        _scope["extensions"][EXTENSION]["take"](taker)
        waits.set()
        while (event := await receive())["type"] == "websocket.receive":
            heard.append(event["text"])
            at_it.set()
            await go_on.wait()
            await send({"type": "websocket.send", "text": event["text"]})

    async with _served(app=app) as port:
        reader, writer = await _upgraded(port)
        await waits.wait()
        for texts in (("short 1", "short 2", "long", "short 3"), ("short 4",)):
            writer.write(b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=True) for text in texts))
            # Answered in its turn: what came before it has arrived.
            writer.write(Frame(Opcode.PING, b"there").serialize(mask=True))
            assert await asyncio.wait_for(_next(reader), 30) == (0x8A, b"there")
            await asyncio.wait_for(at_it.wait(), 30)
        go_on.set()
        for text in ("long", "short 3", "short 4"):
            assert await asyncio.wait_for(_next(reader), 30) == (0x81, text.encode())
        writer.close()
    waited = ["offered short 1", "offered short 2", "offered long", "long", "short 3", "short 4"]
    assert heard == waited


async def test_large_frames_pass_tls_in_pieces(tmp_path: Path) -> None:
    """Over TLS a text of 200 KB, and more messages at once than may wait, come back whole and in order."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with _served(tmp_path) as port:
        context.load_verify_locations(cafile=str(tmp_path / "tls" / "ca.pem"))
        async with connect(f"wss://127.0.0.1:{port}/", ssl=context, compression=None) as socket:
            texts = ["题" * 70_000, *(str(n) for n in range(4 * WAITING_MOST))]
            for text in texts:
                await socket.send(text)
            heard = [await asyncio.wait_for(socket.recv(), 30) for _ in range(2 * len(texts))]
            await socket.send(b"bytes")
            assert await socket.recv() == b"bytes"
            assert heard[::2] == texts
            await socket.close()
            with pytest.raises(ConnectionClosed):
                await socket.recv()
