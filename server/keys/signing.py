"""Ed25519 signatures and the fingerprints by which people compare keys."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.errors import BadInput, Tampered

_GROUP = 4


class SigningKey:
    """One Ed25519 private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()
        """Raw public key, 32 bytes."""

    @staticmethod
    def generate() -> "SigningKey":
        """Make a fresh key."""
        return SigningKey(Ed25519PrivateKey.generate())

    @staticmethod
    def load(raw: bytes) -> "SigningKey":
        """Take a key from its 32 raw private bytes."""
        return SigningKey(Ed25519PrivateKey.from_private_bytes(raw))

    def raw(self) -> bytes:
        """Return the 32 raw private bytes, for the identity file."""
        return self._private.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes. Callers put a purpose in front of the data, so that no signature of
        one purpose serves another."""
        return self._private.sign(data)


def verify(public: bytes, signature: bytes, data: bytes) -> None:
    """Return silently when the signature is right; Tampered `signature-wrong` when not, BadInput for no
    key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
    except ValueError as error:
        raise BadInput("public-key-form") from error
    try:
        key.verify(signature, data)
    except InvalidSignature as error:
        raise Tampered("signature-wrong") from error


def fingerprint(public: bytes) -> str:
    """Return SHA-256 of a raw public key as 16 groups of 4 upper-case hex digits, for reading aloud."""
    digest = hashlib.sha256(public).hexdigest().upper()
    return " ".join(digest[start : start + _GROUP] for start in range(0, len(digest), _GROUP))


def plain_fingerprint(text: str) -> str:
    """Return a typed fingerprint in the written form; BadInput `fingerprint-form` when it is not 64 hex
    digits."""
    digits = "".join(text.split()).replace("-", "").replace(":", "").upper()
    if len(digits) != 64 or any(digit not in "0123456789ABCDEF" for digit in digits):
        raise BadInput("fingerprint-form")
    return " ".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))
