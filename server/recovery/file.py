"""The seals of a recovery file: signed by the centre, encrypted to its recovery code."""

import hashlib
from datetime import datetime
from typing import TypeVar

import msgspec

from server.errors import BadInput, GongyuanError, Tampered
from server.keys.identity import Identity, PublicIdentity
from server.keys.recovery import recovery_private
from server.keys.sealing import hpke_open, hpke_seal, receiving_public
from server.keys.signing import verify
from server.recovery.contents import (
    CentreBody,
    Header,
    PapersBody,
    Parts,
    body_info,
    header_bytes,
    join,
    signed_bytes,
    split,
)

Body = TypeVar("Body", CentreBody, PapersBody)


def sealed(
    identity: Identity,
    recovery: bytes,
    body: CentreBody | PapersBody,
    written_at: datetime,
    *,
    number: int = 0,
    set_id: str = "",
) -> tuple[bytes, str]:
    """Return a recovery file's bytes and the SHA-256 of its body, for the recovery code's public key."""
    keys = identity.public
    closed = hpke_seal(recovery, msgspec.msgpack.encode(body), body_info(keys.signing, recovery))
    digest = hashlib.sha256(closed).hexdigest()
    header = header_bytes(
        Header(
            kind="centre" if isinstance(body, CentreBody) else "papers",
            signing=keys.signing.hex(),
            receiving=keys.receiving.hex(),
            recovery=recovery.hex(),
            number=number,
            written_at=written_at,
            set_id=set_id,
            body=digest,
        )
    )
    return join(header, identity.signing.sign(signed_bytes(header)), closed), digest


def signed_parts(data: bytes) -> Parts:
    """Take a file apart and check its signature and hash; Tampered `recovery-file-changed`."""
    parts = split(data)
    try:
        signing = bytes.fromhex(parts.header.signing)
        verify(signing, parts.signature, signed_bytes(parts.header_bytes))
    except GongyuanError as error:
        raise Tampered("recovery-file-changed") from error
    if hashlib.sha256(parts.body).hexdigest() != parts.header.body:
        raise Tampered("recovery-file-changed")
    return parts


def node_of(header: Header) -> PublicIdentity:
    """Return the public keys of the centre that wrote a file."""
    return PublicIdentity(bytes.fromhex(header.signing), bytes.fromhex(header.receiving))


def private_of(header: Header, first: str, second: str) -> bytes:
    """Return the private key that both halves give for this file; Tampered `recovery-halves-wrong`."""
    private = recovery_private(first, second, node_of(header).fingerprint)
    if receiving_public(private).hex() != header.recovery:
        raise Tampered("recovery-halves-wrong")
    return private


def opened(parts: Parts, private: bytes, kind: type[Body]) -> Body:
    """Return a checked file's body; Tampered `seal-broken`, BadInput `recovery-file-form`."""
    info = body_info(bytes.fromhex(parts.header.signing), bytes.fromhex(parts.header.recovery))
    try:
        return msgspec.msgpack.decode(hpke_open(private, parts.body, info), type=kind)
    except msgspec.DecodeError as error:
        raise BadInput("recovery-file-form", reason=str(error)) from error
