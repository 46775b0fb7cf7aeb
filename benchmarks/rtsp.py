"""Cameras on loopback: `python -m benchmarks.rtsp COUNT [--size 1280x720] [--fps 25] [--gop 25] …` serves drawn
halls over real RTSP (H.264 in RTP, interleaved in TCP), and does what its standard input says.

Each camera plays one of some encoded rooms over and over, in real time and with times that never repeat. The
first line on standard output is the port; cameras are rtsp://127.0.0.1:PORT/0 and so on. Commands, one a line:
`freeze N` (nothing is sent any more, the connection stays), `kill N` (connections break and are refused) and
`run N`.
"""

import argparse
import asyncio
import base64
import contextlib
import random
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction

import av
import cv2
import numpy as np

from benchmarks.drawn import BEGIN, drawn_hall
from server.proctor.evidence import Picture

MTU = 1400
CLOCK_HZ = 90_000


@dataclass(frozen=True, slots=True)
class Clip:
    """An encoded room: NAL units of each picture, which pictures are key frames, and SPS and PPS."""

    pictures: tuple[tuple[bytes, ...], ...]
    keys: tuple[bool, ...]
    sets: tuple[bytes, ...]


def encode(pictures: Iterable[Picture], size: tuple[int, int], fps: int, gop: int, kbit: int) -> Clip:
    """Encode as a camera does: one key frame each `gop` pictures, no reordering."""
    coder = av.CodecContext.create("libx264", "w")
    if not isinstance(coder, av.VideoCodecContext):
        raise TypeError("libx264 encodes video")
    coder.width, coder.height, coder.pix_fmt = *size, "yuv420p"
    coder.framerate, coder.time_base, coder.gop_size = Fraction(fps), Fraction(1, fps), gop
    coder.bit_rate = kbit * 1000
    coder.options = {
        "preset": "superfast", "tune": "zerolatency", "sc_threshold": "0", "x264-params": "repeat-headers=1",
    }  # fmt: skip
    units, keys, sets = [], [], {}
    frames = (av.VideoFrame.from_ndarray(picture, format="bgr24") for picture in pictures)
    packets = [packet for frame in frames for packet in coder.encode(frame)]
    for packet in [*packets, *coder.encode(None)]:
        split = tuple(_units(bytes(packet)))
        units.append(split)
        keys.append(packet.is_keyframe)
        sets.update({unit[0] & 31: unit for unit in split if unit[0] & 31 in (7, 8)})
    return Clip(tuple(units), tuple(keys), tuple(sets[kind] for kind in (7, 8)))


def _units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B stream."""
    starts = []
    at = data.find(b"\x00\x00\x01")
    while at >= 0:
        starts.append(at + 3)
        at = data.find(b"\x00\x00\x01", at + 3)
    for start, end in zip(starts, [*(s - 3 for s in starts[1:]), len(data)], strict=True):
        yield data[start:end].rstrip(b"\x00")


def payloads(units: Sequence[bytes]) -> list[bytes]:
    """RTP payloads of one picture (RFC 6184): whole units, or fragments of long ones."""
    out = []
    for unit in units:
        if len(unit) <= MTU:
            out.append(unit)
            continue
        indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 31
        parts = [unit[i : i + MTU] for i in range(1, len(unit), MTU)]
        for number, part in enumerate(parts):
            mark = (0x80 if number == 0 else 0) | (0x40 if number == len(parts) - 1 else 0)
            out.append(bytes((indicator, mark | kind)) + part)
    return out


@dataclass(slots=True)
class Camera:
    """One camera: its clip, where it stands in it, who watches, and whether it runs."""

    clip: list[list[bytes]]
    keys: tuple[bool, ...]
    sets: tuple[bytes, ...]
    at: int
    state: str = "run"
    sequence: int = 0
    stamp: int = 0
    watching: dict[asyncio.StreamWriter, bool] = field(default_factory=dict)

    def tick(self, step: int) -> None:
        """Send the next picture to everybody; who is new waits for a key frame."""
        index = self.at % len(self.clip)
        self.at += 1
        self.stamp = (self.stamp + step) & 0xFFFFFFFF
        if self.state != "run" or not self.watching:
            return
        out = bytearray()
        parts = self.clip[index]
        for number, part in enumerate(parts):
            self.sequence = (self.sequence + 1) & 0xFFFF
            last = 0x80 if number == len(parts) - 1 else 0
            head = struct.pack("!BBHII", 0x80, 96 | last, self.sequence, self.stamp, 0x6E9A)
            out += b"$\x00" + struct.pack("!H", 12 + len(part)) + head + part
        for writer in list(self.watching):
            self.watching[writer] = self.watching[writer] or self.keys[index]
            buffered = writer.transport.get_write_buffer_size()
            if self.watching[writer] and buffered < 4 << 20:
                writer.write(bytes(out))


class Server:
    """All cameras on one port."""

    def __init__(self, cameras: list[Camera]) -> None:
        self.cameras = cameras

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        camera: Camera | None = None
        try:
            while True:
                first = await reader.readexactly(1)
                if first == b"$":
                    _, length = struct.unpack("!BH", await reader.readexactly(3))
                    await reader.readexactly(length)
                    continue
                lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, address = lines[0].split()[:2]
                fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
                camera = self.cameras[int(address.split("/")[3])]
                if camera.state == "kill" or method == "TEARDOWN":
                    return
                if camera.state == "freeze":
                    await asyncio.sleep(3600)
                writer.write(_answer(method, address, fields, camera.sets))
                if method == "PLAY":
                    camera.watching[writer] = False
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, IndexError):
            return
        finally:
            if camera is not None:
                camera.watching.pop(writer, None)
            writer.close()

    def command(self, line: str) -> None:
        """Obey one line of standard input."""
        word, _, number = line.strip().partition(" ")
        camera = self.cameras[int(number)]
        camera.state = word
        if word == "kill":
            for writer in list(camera.watching):
                writer.transport.abort()
        # Who was there before goes on with the next key frame.
        camera.watching = dict.fromkeys(camera.watching, False)


def _answer(method: str, address: str, fields: dict[str, str], sets: Sequence[bytes]) -> bytes:
    head = f"RTSP/1.0 200 OK\r\nCSeq: {fields.get('cseq', '0')}\r\nSession: 1;timeout=600\r\n"
    if method == "OPTIONS":
        head += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
    if method == "SETUP":
        head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    body = b""
    if method == "DESCRIBE":
        given = ",".join(base64.b64encode(unit).decode() for unit in sets)
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=hall\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\n"
            f"a=rtpmap:96 H264/{CLOCK_HZ}\r\na=control:{address}/video\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={given};profile-level-id={sets[0][1:4].hex()}\r\n"
        ).encode()
        head += (
            f"Content-Type: application/sdp\r\nContent-Base: {address}/\r\nContent-Length: {len(body)}\r\n"
        )
    return head.encode() + b"\r\n" + body


def room_pictures(room: int, size: tuple[int, int], seconds: int, fps: int) -> Iterator[Picture]:
    """A drawn room second by second, with the noise of a sensor from picture to picture."""
    hall = drawn_hall(room)
    dice = np.random.default_rng(room)
    grains = [dice.integers(0, 5, (size[1], size[0], 3), dtype=np.uint8) for _ in range(7)]
    for second in range(seconds):
        scene = hall.picture("1", BEGIN + timedelta(seconds=60 + second))
        if size != (scene.shape[1], scene.shape[0]):
            scene = np.asarray(cv2.resize(scene, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        for number in range(fps):
            yield np.asarray(cv2.add(scene, grains[(second * fps + number) % 7]), np.uint8)


async def serve(cameras: list[Camera], fps: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = Server(cameras)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)

    async def play() -> None:
        begin, ticks = loop.time(), 0
        slots = max(1, fps)
        while True:
            for camera in cameras:
                camera.tick(CLOCK_HZ // fps)
            ticks += 1
            # Late pictures are sent at once, so that the stream keeps real time on a busy machine.
            await asyncio.sleep(max(0.0, begin + ticks / slots - loop.time()))

    playing = asyncio.create_task(play())
    while line := await commands.readline():
        server.command(line.decode())
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing


def main() -> int:
    """Encode and serve; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rtsp", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--gop", type=int, default=25)
    parser.add_argument("--kbit", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rooms", type=int, default=3)
    given = parser.parse_args()
    width, height = (int(number) for number in given.size.split("x"))
    clips = []
    for room in range(given.rooms):
        shown = room_pictures(room, (width, height), given.seconds, given.fps)
        clip = encode(shown, (width, height), given.fps, given.gop, given.kbit)
        clips.append(([payloads(units) for units in clip.pictures], clip.keys, clip.sets))
    dice = random.Random(1)
    cameras = [
        Camera(*clips[number % len(clips)], at=dice.randrange(given.seconds * given.fps))
        for number in range(given.count)
    ]
    asyncio.run(serve(cameras, given.fps))
    return 0


if __name__ == "__main__":
    sys.exit(main())
