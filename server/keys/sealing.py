"""Symmetric sealing, key derivation and sealing to a receiver: the only symmetric cryptography of the
server."""

import hmac
import os
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.errors import BadInput, Refusal, Refused, Tampered

KEY_BYTES = 32
NONCE_BYTES = 12
Bytes = bytes | bytearray
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
"""RFC 9180 base mode. Output: 32 bytes encapsulated key ‖ ciphertext ‖ 16 bytes tag."""


def random_key() -> bytearray:
    """Return 32 fresh random bytes, in a form that can be wiped."""
    return bytearray(os.urandom(KEY_BYTES))


def wipe(secret: bytearray) -> None:
    """Overwrite a secret with zeros. Copies that libraries made stay until their memory is used again."""
    secret[:] = bytes(len(secret))


def canonical(obj: Any) -> bytes:
    """Return the canonical JSON bytes (RFC 8785); BadInput when the object cannot be written so."""
    try:
        return rfc8785.dumps(obj)
    except rfc8785.CanonicalizationError as error:
        raise BadInput("not-canonical", reason=str(error)) from error


def seal(key: Bytes, plaintext: Bytes, aad: bytes) -> tuple[bytes, bytes]:
    """Encrypt with AES-256-GCM under a fresh nonce; return (nonce of 12 bytes, ciphertext with tag).

    Refused `key-forgotten` for a wiped key: who waited for the database while an opening ended would seal under
    zeros, which anybody has.
    """
    if not any(key):
        raise Refused(Refusal("key-forgotten"))
    nonce = os.urandom(NONCE_BYTES)
    return nonce, AESGCM(key).encrypt(nonce, plaintext, aad)


def unseal(key: Bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    """Decrypt what `seal` made; Tampered `seal-broken` when key, nonce, ciphertext or associated data differ.

    Refused `key-forgotten` for a wiped key: nothing was changed, the opening is over.
    """
    if not any(key):
        raise Refused(Refusal("key-forgotten"))
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except (InvalidTag, ValueError) as error:
        raise Tampered("seal-broken") from error


def hmac_sha256(key: Bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-256, 32 bytes."""
    return hmac.digest(key, data, "sha256")


def derive(key: Bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """Return `length` bytes of HKDF-SHA-256 without salt."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(bytes(key))


def paper_key(start_key: Bytes, paper_id: str) -> bytes:
    """Return the 32-byte key of one paper of the slot that this start key belongs to."""
    return hmac_sha256(start_key, b"gongyuan/paper/1" + paper_id.encode())


def generate_receiving() -> tuple[bytes, bytes]:
    """Make an X25519 pair; return (private raw 32 bytes, public raw 32 bytes)."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def receiving_public(private: Bytes) -> bytes:
    """Return the public half, raw 32 bytes, of a raw X25519 private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def hpke_seal(public: bytes, plaintext: Bytes, info: bytes) -> bytes:
    """Encrypt to a raw X25519 public key (RFC 9180 base); BadInput `public-key-form` when it is not one."""
    try:
        return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info)
    except ValueError as error:
        raise BadInput("public-key-form") from error


def hpke_open(private: Bytes, sealed: bytes, info: bytes) -> bytes:
    """Decrypt what `hpke_seal` made for this raw private key and info; Tampered `seal-broken` otherwise."""
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private), info)
    except (InvalidTag, ValueError) as error:
        raise Tampered("seal-broken") from error
