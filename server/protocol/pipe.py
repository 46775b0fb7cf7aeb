"""Frames of the pipes between a centre and its children: four bytes of length (big-endian, without themselves), then
MessagePack of one closed, tagged message.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

LENGTH_BYTES = 4
_encoder = msgspec.msgpack.Encoder()
Either = TypeVar("Either")


def framed(message: msgspec.Struct, most: int) -> bytes:
    """Return the message with its length before it. ValueError when it is longer than `most` bytes."""
    body = _encoder.encode(message)
    if len(body) > most:
        raise ValueError(f"a frame of {len(body)} bytes is too long")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Frames(Generic[Either]):
    """Takes bytes as they come and gives whole messages of one kind of union; it does no reading itself."""

    def __init__(self, kind: object, most: int) -> None:
        """`most`: longest message in bytes, without its length."""
        self._held = bytearray()
        self._most = most
        self._decoder: msgspec.msgpack.Decoder[Either] = msgspec.msgpack.Decoder(kind)

    def receive(self, data: bytes) -> Iterator[Either]:
        """Give the messages completed by `data`, in order.

        ValueError where a longer message is announced, msgspec.DecodeError where a body is none of the kind; after
        either the pipe cannot be trusted any more.
        """
        self._held += data
        while len(self._held) >= LENGTH_BYTES:
            length = int.from_bytes(self._held[:LENGTH_BYTES], "big")
            if length > self._most:
                raise ValueError(f"a frame of {length} bytes is announced")
            if len(self._held) < LENGTH_BYTES + length:
                return
            body = bytes(self._held[LENGTH_BYTES : LENGTH_BYTES + length])
            del self._held[: LENGTH_BYTES + length]
            yield self._decoder.decode(body)
