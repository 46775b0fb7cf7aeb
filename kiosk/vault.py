"""The kiosk's cryptography: the seat's key, and the opening of a sealed paper."""

import hashlib
import hmac

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import Tampered
from server.protocol.envelope import seat_proof
from server.protocol.paper import Paper, SealedPaper


class SeatKey:
    """The Ed25519 key by which an enrolled seat proves itself."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()
        """Raw public key, 32 bytes: what the centre enrols."""

    @staticmethod
    def generate() -> "SeatKey":
        """Make a fresh key."""
        return SeatKey(Ed25519PrivateKey.generate())

    @staticmethod
    def load(raw: bytes) -> "SeatKey":
        """Take a key from its 32 raw private bytes."""
        return SeatKey(Ed25519PrivateKey.from_private_bytes(raw))

    def raw(self) -> bytes:
        """Return the 32 raw private bytes, for the kiosk's own file."""
        return self._private.private_bytes_raw()

    def prove(self, nonce: bytes, seat: str) -> bytes:
        """Sign a socket's challenge for this seat; 64 bytes."""
        return self._private.sign(seat_proof(nonce, seat))


def open_paper(sealed: SealedPaper, key: bytes) -> Paper:
    """Open a sealed paper with the key that the bell released.

    Tampered `seal-broken` when key, nonce, ciphertext or associated data differ, `paper-hash-wrong` when the
    clear paper or its associated data is another than the seal names.
    """
    try:
        clear = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, sealed.aad)
    except (InvalidTag, ValueError) as error:
        raise Tampered("seal-broken") from error
    named = rfc8785.dumps(
        {
            "hash": sealed.hash.hex(),
            "paper": sealed.id,
            "plan": sealed.plan,
            "policy": sealed.policy,
            "sitting": sealed.sitting,
        }
    )
    if not hmac.compare_digest(hashlib.sha256(clear).digest(), sealed.hash) or named != sealed.aad:
        raise Tampered("paper-hash-wrong")
    try:
        return msgspec.json.decode(clear, type=Paper)
    except msgspec.DecodeError as error:
        raise Tampered("paper-form") from error


def signed_by(public: bytes, signature: bytes, data: bytes) -> bool:
    """Tell whether an Ed25519 signature of the centre is right (beacons, hand-in receipts)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
