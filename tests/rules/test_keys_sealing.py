"""Sealing, signing, fingerprints, the identity file and the certificate authority."""

import hashlib
import hmac
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from server.errors import BadInput, Refused, Tampered
from server.keys.authority import RENEW_BEFORE, SERVER_LIFE, ensure_tls, served_spki, spki_of_der
from server.keys.identity import Identity
from server.keys.sealing import (
    canonical,
    derive,
    generate_receiving,
    hpke_open,
    hpke_seal,
    paper_key,
    random_key,
    seal,
    unseal,
    wipe,
)
from server.keys.signing import SigningKey, fingerprint, plain_fingerprint, verify


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]


def test_any_changed_byte_of_a_sealed_thing_is_refused() -> None:
    """Unsealing fails for a change of any byte of nonce, ciphertext, tag or associated data, and for another
    key."""
    key, aad = random_key(), b"item-1/2"
    nonce, ciphertext = seal(key, b"stem and key", aad)
    assert unseal(key, nonce, ciphertext, aad) == b"stem and key"
    for place in range(len(ciphertext)):
        with pytest.raises(Tampered, match="seal-broken"):
            unseal(key, nonce, flipped(ciphertext, place), aad)
    for place in range(len(nonce)):
        with pytest.raises(Tampered):
            unseal(key, flipped(nonce, place), ciphertext, aad)
    with pytest.raises(Tampered):
        unseal(key, nonce, ciphertext, b"item-1/3")
    with pytest.raises(Tampered):
        unseal(random_key(), nonce, ciphertext, aad)


def test_two_seals_of_one_text_differ() -> None:
    """Sealing the same text twice gives different nonces and ciphertexts."""
    key = random_key()
    assert seal(key, b"x", b"") != seal(key, b"x", b"")


def test_hpke_opens_for_its_receiver_and_info_alone() -> None:
    """What is encrypted to a receiver opens with his key and the same info, and with nothing else."""
    private, public = generate_receiving()
    sealed = hpke_seal(public, b"passphrase", b"gongyuan/opening/1")
    assert hpke_open(private, sealed, b"gongyuan/opening/1") == b"passphrase"
    for wrong in (
        (private, sealed, b"gongyuan/opening/2"),
        (generate_receiving()[0], sealed, b"gongyuan/opening/1"),
    ):
        with pytest.raises(Tampered):
            hpke_open(*wrong)
    for place in (0, 31, 32, len(sealed) - 1):
        with pytest.raises(Tampered):
            hpke_open(private, flipped(sealed, place), b"gongyuan/opening/1")
    with pytest.raises(Tampered):
        hpke_open(private, b"", b"gongyuan/opening/1")
    with pytest.raises(BadInput, match="public-key-form"):
        hpke_seal(b"short", b"x", b"")


def test_paper_keys_are_those_of_the_sealed_paper_format() -> None:
    """A paper's key is HMAC-SHA256 of its purpose and id under the start key, as protocol/paper states."""
    key = bytes(range(32))
    expected = hmac.new(key, b"gongyuan/paper/1" + b"p1", hashlib.sha256).digest()
    assert paper_key(key, "p1") == expected
    assert paper_key(key, "p1") == paper_key(bytearray(key), "p1")
    assert paper_key(key, "p1") != paper_key(key, "p2")
    assert paper_key(key, "p1") != paper_key(bytes(32), "p1")


def test_derive_separates_purposes() -> None:
    """Two purposes give unrelated keys of the asked length."""
    assert derive(bytes(32), b"a") != derive(bytes(32), b"b")
    assert len(derive(bytes(32), b"a", 48)) == 48


def test_wipe_leaves_zeros() -> None:
    """A wiped secret is all zeros at its old length."""
    key = random_key()
    wipe(key)
    assert key == bytearray(32)


def test_a_wiped_key_seals_and_opens_nothing() -> None:
    """A key that was forgotten while somebody still held it is refused instead of sealing under zeros, and what it
    sealed is not called changed."""
    nonce, text = seal(key := random_key(), b"stem and key", b"item-1/2")
    wipe(key)
    with pytest.raises(Refused, match="key-forgotten"):
        seal(key, b"stem and key", b"item-1/2")
    with pytest.raises(Refused, match="key-forgotten"):
        unseal(key, nonce, text, b"item-1/2")


def test_canonical_json_refuses_what_it_cannot_write() -> None:
    """Integers beyond 2^53 are refused instead of being rounded."""
    assert canonical({"b": 1, "a": "贡"}) == '{"a":"贡","b":1}'.encode()
    with pytest.raises(BadInput, match="not-canonical"):
        canonical({"n": 2**60})


def test_a_signature_covers_every_byte() -> None:
    """A signature is refused for other data, for another key, and when changed itself."""
    key = SigningKey.generate()
    signature = key.sign(b"data")
    verify(key.public, signature, b"data")
    for wrong in (
        (key.public, signature, b"Data"),
        (SigningKey.generate().public, signature, b"data"),
        (key.public, flipped(signature, 3), b"data"),
        (key.public, b"", b"data"),
    ):
        with pytest.raises(Tampered, match="signature-wrong"):
            verify(*wrong)
    with pytest.raises(BadInput):
        verify(b"no key", signature, b"data")
    assert SigningKey.load(key.raw()).public == key.public


def test_a_fingerprint_survives_being_read_aloud() -> None:
    """A fingerprint typed in small letters, without spaces, or with hyphens or colons is the written one."""
    written = fingerprint(bytes(32))
    assert len(written) == 79
    assert plain_fingerprint(written.lower().replace(" ", "")) == written
    assert plain_fingerprint(written.replace(" ", "-")) == written
    assert plain_fingerprint(" " + written.replace(" ", ":") + "\n") == written
    for wrong in ("", written[:-1], written[:-1] + "G", written + "0"):
        with pytest.raises(BadInput, match="fingerprint-form"):
            plain_fingerprint(wrong)


def test_an_identity_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """The second start reads the first start's keys, and nobody but the owner may read the file."""
    made = Identity.open_or_create(tmp_path)
    again = Identity.open_or_create(tmp_path)
    assert again.fingerprint == made.fingerprint
    assert again.storage_unwrap(made.storage_wrap(b"start key", b"slot-1"), b"slot-1") == b"start key"
    with pytest.raises(Tampered):
        again.storage_unwrap(made.storage_wrap(b"start key", b"slot-1"), b"slot-2")
    path = tmp_path / "keys" / "node.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_damaged_identity_is_never_replaced(tmp_path: Path) -> None:
    """A damaged identity file stops the start and stays as it is."""
    Identity.open_or_create(tmp_path)
    path = tmp_path / "keys" / "node.json"
    damaged = path.read_bytes()[:-5]
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match="identity-unreadable"):
        Identity.open_or_create(tmp_path)
    assert path.read_bytes() == damaged


def test_a_recovery_bundle_restores_the_node_and_only_with_its_passphrase(tmp_path: Path) -> None:
    """A bundle restores the identity into an empty folder with the right passphrase, and in no other case."""
    made = Identity.open_or_create(tmp_path / "old")
    bundle = made.recovery_bundle("correct horse battery")
    assert made.signing.raw() not in bundle
    with pytest.raises(Tampered, match="recovery-wrong"):
        Identity.restore(tmp_path / "new", bundle, "wrong horse battery")
    assert Identity.restore(tmp_path / "new", bundle, "correct horse battery").fingerprint == made.fingerprint
    with pytest.raises(Refused, match="identity-exists"):
        Identity.restore(tmp_path / "new", bundle, "correct horse battery")
    with pytest.raises(Refused, match="password-short"):
        made.recovery_bundle("short")


def test_the_certificate_names_what_was_asked_for_and_loopback(tmp_path: Path) -> None:
    """The server certificate is made out for the configured names, 127.0.0.1 and localhost, under a
    constrained root."""
    files = ensure_tls(tmp_path, ["hall.lan", "10.1.2.3"])
    leaf, root = x509.load_pem_x509_certificates(files.certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"hall.lan", "10.1.2.3", "127.0.0.1", "localhost"}
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert {str(tree.value) for tree in constraints.value.permitted_subtrees or []} == {
        "hall.lan",
        "localhost",
        "10.1.2.3/32",
        "127.0.0.1/32",
    }
    leaf.verify_directly_issued_by(root)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert served_spki(tmp_path) == files.spki
    der = ssl.PEM_cert_to_DER_cert(
        files.certificate.read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n"
    )
    assert spki_of_der(der) == files.spki


def test_the_certificate_is_renewed_with_the_same_key(tmp_path: Path) -> None:
    """30 days before its end the certificate is renewed under the same key, so that pins stay; before that it
    stays."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    first = ensure_tls(tmp_path, [], now)
    pem = first.certificate.read_bytes()
    assert ensure_tls(tmp_path, [], now + SERVER_LIFE - RENEW_BEFORE).certificate.read_bytes() == pem
    later = ensure_tls(tmp_path, [], now + SERVER_LIFE - RENEW_BEFORE + timedelta(seconds=1))
    assert later.certificate.read_bytes() != pem
    assert later.spki == first.spki


def test_new_names_give_a_new_root_and_the_same_pin(tmp_path: Path) -> None:
    """A name that the old root does not allow makes a new root; the server's key, and so its pin, stays."""
    first = ensure_tls(tmp_path, ["a.lan"])
    root = first.ca.read_bytes()
    second = ensure_tls(tmp_path, ["a.lan", "b.lan"])
    assert second.ca.read_bytes() != root
    assert second.spki == first.spki
    assert ensure_tls(tmp_path, ["b.lan", "a.lan"]).ca.read_bytes() == second.ca.read_bytes()
