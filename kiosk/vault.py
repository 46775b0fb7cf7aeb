"""The kiosk's cryptography: the seat's key, the sealed local journal, the opening of a sealed paper, and files
under a password as Safe Exam Browser reads them.
"""

import hashlib
import hmac
import os

import msgspec
import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke, padding, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.brain import Opening
from server.errors import BadInput, Tampered
from server.protocol.envelope import seat_proof
from server.protocol.exam import Acknowledged, Answer, Captured
from server.protocol.journal import (
    JournalCopy,
    JournalEntry,
    JournalHead,
    JournalReceipt,
    entry_aad,
    entry_bytes,
    head_bytes,
    link,
    settled_bytes,
    wrap_info,
)
from server.protocol.paper import Paper, SealedPaper

_WRAP = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


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

    def sign(self, data: bytes) -> bytes:
        """Sign an entry of the local journal; 64 bytes."""
        return self._private.sign(data)


class JournalBook:
    """The sealed journal of one lease of one sitting, as this seat writes it before it sends."""

    def __init__(self, key: SeatKey, seat: str, sitting: str, lease: int, recovery: bytes) -> None:
        """Begin a journal for the slot's journal recovery key (raw X25519 public half)."""
        self._seat_key = key
        self._data_key = AESGCM(data_key := os.urandom(32))
        info = wrap_info(sitting, lease, seat)
        wrapped = _WRAP.encrypt(data_key, X25519PublicKey.from_public_bytes(recovery), info).hex()
        signed = head_bytes(sitting, lease, seat, wrapped)
        self.head = JournalHead(
            sitting=sitting, lease=lease, seat=seat, wrapped=wrapped, signature=key.sign(signed).hex()
        )
        self.entries: list[JournalEntry] = []
        self._last = link(signed)

    def write(self, answer: Answer, opening: Opening | None = None) -> JournalEntry:
        """Seal and sign one answer as the journal's next entry; the first one bears when the paper opened."""
        opened, opened_ms = opening if opening is not None and not self.entries else (None, 0)
        clear = msgspec.json.encode(
            Captured(
                number=answer.number,
                value=answer.value,
                beacon=answer.beacon,
                elapsed_ms=answer.elapsed_ms,
                opened=opened,
                opened_ms=opened_ms,
            )
        )
        iv = os.urandom(12)
        data = self._data_key.encrypt(iv, clear, entry_aad(self.head.sitting, self.head.lease, answer.seq))
        signed = entry_bytes(self._last, answer.seq, iv, data)
        entry = JournalEntry(seq=answer.seq, iv=iv, data=data, signature=self._seat_key.sign(signed).hex())
        self._last = link(signed)
        self.entries.append(entry)
        return entry

    def settle(self, told: Acknowledged) -> JournalReceipt:
        """Sign an acknowledgement of this journal, to be kept beside its entry."""
        receipt, head = told.receipt, self.head
        named = (told.seq, told.outcome, receipt.number, receipt.hash, receipt.mac)
        signature = self._seat_key.sign(settled_bytes(head.sitting, head.lease, *named)).hex()
        return JournalReceipt(
            seq=told.seq,
            outcome=told.outcome,
            number=receipt.number,
            hash=receipt.hash,
            mac=receipt.mac,
            signature=signature,
        )

    def copy(self) -> JournalCopy:
        """Return the journal as it is carried or offered."""
        return JournalCopy(head=self.head, entries=tuple(self.entries))


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


def spki_of_der(certificate: bytes) -> str:
    """Return the pin of a certificate (DER): SHA-256 of its SubjectPublicKeyInfo, hex."""
    public = x509.load_der_x509_certificate(certificate).public_key()
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def password_sealed(data: bytes, password: str) -> bytes:
    """Encrypt under a password as Safe Exam Browser does (RNCryptor, format 3: AES-256-CBC, then HMAC-SHA256)."""
    key_salt, mac_salt, iv = os.urandom(8), os.urandom(8), os.urandom(16)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(data) + padder.finalize()
    encryptor = Cipher(algorithms.AES(_stretched(password, key_salt)), modes.CBC(iv)).encryptor()
    signed = b"\x03\x01" + key_salt + mac_salt + iv + encryptor.update(padded) + encryptor.finalize()
    return signed + hmac.digest(_stretched(password, mac_salt), signed, "sha256")


def password_opened(data: bytes, password: str) -> bytes:
    """Decrypt what `password_sealed` or an older Safe Exam Browser (format 2) made.

    BadInput `seb-file-form` for another form, Tampered `seb-password-wrong` for another password or content.
    """
    if len(data) < 2 + 16 + 16 + 16 + 32 or data[0] not in (2, 3) or data[1] != 1:
        raise BadInput("seb-file-form")
    signed, sent = data[:-32], data[-32:]
    key_salt, mac_salt, iv, body = signed[2:10], signed[10:18], signed[18:34], signed[34:]
    if not hmac.compare_digest(hmac.digest(_stretched(password, mac_salt), signed, "sha256"), sent):
        raise Tampered("seb-password-wrong")
    decryptor = Cipher(algorithms.AES(_stretched(password, key_salt)), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    try:
        return unpadder.update(decryptor.update(body) + decryptor.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise BadInput("seb-file-form") from error


def _stretched(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 10_000, 32)
