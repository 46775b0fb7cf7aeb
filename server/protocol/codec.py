"""Frames to messages and back, for both ends of the kiosk protocol.

A frame is one UTF-8 JSON text. What does not decode as a closed message of the right direction is BadInput
with code `message-unreadable` (or `message-too-long`), never anything else: the fuzz tests rest on it.
"""

import msgspec

from server.errors import BadInput
from server.protocol.exam import Captured, FromKiosk, ToKiosk

MOST_FROM_KIOSK = 128 * 1024
"""Longest frame, in bytes, that the server reads from a kiosk."""
MOST_TO_KIOSK = 4 * 1024 * 1024
"""Longest frame, in bytes, that a kiosk reads: a sealed paper with pictures."""

_from_kiosk: msgspec.json.Decoder[FromKiosk] = msgspec.json.Decoder(FromKiosk)
_to_kiosk: msgspec.json.Decoder[ToKiosk] = msgspec.json.Decoder(ToKiosk)
_captured: msgspec.json.Decoder[Captured] = msgspec.json.Decoder(Captured)
_encoder = msgspec.json.Encoder()


def encode(message: FromKiosk | ToKiosk) -> bytes:
    """Return the frame of a message; fields in the order of their definition, no spaces."""
    return _encoder.encode(message)


def from_kiosk(frame: bytes | str) -> FromKiosk:
    """Read a frame that a kiosk sent."""
    _short_enough(frame, MOST_FROM_KIOSK)
    try:
        return _from_kiosk.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInput("message-unreadable", reason=str(error)) from error


def to_kiosk(frame: bytes | str) -> ToKiosk:
    """Read a frame that the server sent."""
    _short_enough(frame, MOST_TO_KIOSK)
    try:
        return _to_kiosk.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInput("message-unreadable", reason=str(error)) from error


def captured(data: bytes) -> Captured:
    """Read an opened entry of a local journal; BadInput `journal-entry-form` when it holds no answer."""
    try:
        return _captured.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInput("journal-entry-form", reason=str(error)) from error


def _short_enough(frame: bytes | str, most: int) -> None:
    if len(frame) > most:
        raise BadInput("message-too-long", length=len(frame), most=most)
