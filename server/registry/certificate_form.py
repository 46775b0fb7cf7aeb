"""The machine-checkable form of a certificate: signed canonical JSON, and the code that a phone can scan.

Signed bytes: `gongyuan/certificate/1` LF, then the certificate in canonical JSON (RFC 8785). The code is
`GYC1:` followed by the Base45 text (RFC 9285) of the deflated signed JSON, so it needs only the alphanumeric
mode of a QR code and can be verified without any network.
"""

import io
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import segno

from server.errors import BadInput, Tampered
from server.keys.sealing import canonical
from server.keys.signing import SigningKey, verify

PURPOSE = b"gongyuan/certificate/1\n"
CODE_PREFIX = "GYC1:"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_LONGEST = 16_384


class SignedCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate and its Ed25519 signature (hex)."""

    certificate: dict[str, Any]
    signature: str


def signed(key: SigningKey, document: Mapping[str, Any]) -> bytes:
    """Return the signed certificate as JSON bytes."""
    signature = key.sign(PURPOSE + canonical(dict(document)))
    return msgspec.json.encode(SignedCertificate(dict(document), signature.hex()))


def verified(data: bytes, registry_key: bytes) -> dict[str, Any]:
    """Return the certificate when the registry's key (32 bytes) signed exactly this content.

    `data` is the JSON form or the text of the code. Tampered `certificate-signature-wrong` otherwise,
    BadInput `certificate-form` when it is neither form.
    """
    text = data.strip()
    if text.startswith(CODE_PREFIX.encode()):
        text = _inflated(_from_base45(text[len(CODE_PREFIX) :].decode("ascii", "replace")))
    try:
        form = msgspec.json.decode(text, type=SignedCertificate)
        signature = bytes.fromhex(form.signature)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput("certificate-form", reason=str(error)) from error
    try:
        verify(registry_key, signature, PURPOSE + canonical(form.certificate))
    except Tampered as error:
        raise Tampered("certificate-signature-wrong", number=str(form.certificate.get("number"))) from error
    return form.certificate


def code(document: bytes) -> str:
    """Return the text of the code for a signed certificate's JSON bytes."""
    return CODE_PREFIX + _to_base45(zlib.compress(document, 9))


def qr_svg(document: bytes) -> bytes:
    """Return the QR code as SVG, error correction M, with its quiet zone."""
    out = io.BytesIO()
    segno.make(code(document), error="m", micro=False).save(
        out, kind="svg", border=4, dark="#000", light="#fff"
    )
    return out.getvalue()


def _inflated(data: bytes) -> bytes:
    # A bound on the output: whoever prints a code must not be able to fill the memory of whoever scans it.
    machine = zlib.decompressobj()
    try:
        out = machine.decompress(data, _LONGEST)
    except zlib.error as error:
        raise BadInput("certificate-form", reason=str(error)) from error
    if machine.unconsumed_tail or not machine.eof:
        raise BadInput("certificate-form", reason="length")
    return out


def _to_base45(data: bytes) -> str:
    out = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            out.append(_ALPHABET[digit])
    return "".join(out)


def _from_base45(text: str) -> bytes:
    out = bytearray()
    for at in range(0, len(text), 3):
        digits = [_ALPHABET.find(character) for character in text[at : at + 3]]
        size = len(digits) - 1
        value = sum(digit * 45**place for place, digit in enumerate(digits))
        if min(digits) < 0 or size == 0 or value >= 256**size:
            raise BadInput("certificate-form", reason="base45")
        out += value.to_bytes(size, "big")
    return bytes(out)
