"""The local certificate authority: a root with name constraints, made at the first start, and the server's
own certificate, which uvicorn serves.

`<data>/tls/`: ca.pem (give it to every kiosk and browser), ca.key (0600), server.pem (leaf, then root),
server.key (0600). Certificate dates are of the machine's own clock, because by that clock the clients judge
them.
"""

import hashlib
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server.clock import SystemClock
from server.errors import BadInput

ROOT_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)
"""Longer lives are refused by some browsers."""
RENEW_BEFORE = timedelta(days=30)
_ALWAYS = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificates stand, and the pin of the server's key."""

    ca: Path
    certificate: Path
    key: Path
    spki: str
    """SHA-256 of the server key's SubjectPublicKeyInfo, hex: what a peer pins."""


def ensure_tls(folder: Path, names: Sequence[str], now: datetime | None = None) -> TlsFiles:
    """Make what is missing in `folder` (`<data>/tls`) and renew the server certificate 30 days before its
    end.

    `names` are DNS names and addresses; 127.0.0.1 and localhost are always added. The server key is kept at a
    renewal, so that pins stay; a change of names makes a new root, since the old one does not allow them.
    """
    moment = now or SystemClock().legal()
    tls = folder
    tls.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = tuple(sorted({*names, *_ALWAYS}))
    ca_path, ca_key_path = tls / "ca.pem", tls / "ca.key"
    root_key = _key(ca_key_path)
    root = _read(ca_path)
    if root is None or _permitted(root) != set(wanted) or root.not_valid_after_utc - SERVER_LIFE < moment:
        root = _make_root(root_key, wanted, moment)
        _write(ca_path, _pem(root), 0o644)
    server_key = _key(tls / "server.key")
    server = _read(tls / "server.pem")
    if (
        server is None
        or server.not_valid_after_utc - RENEW_BEFORE < moment
        or server.issuer != root.subject
        or not _signed_by(server, root)
        or _alternatives(server) != set(wanted)
    ):
        server = _make_server(server_key, root, root_key, wanted, moment)
        _write(tls / "server.pem", _pem(server) + _pem(root), 0o644)
    return TlsFiles(ca_path, tls / "server.pem", tls / "server.key", spki_of(server))


def spki_of(certificate: x509.Certificate) -> str:
    """Return the pin of a certificate: SHA-256 of its SubjectPublicKeyInfo, hex."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).hexdigest()


def served_spki(folder: Path) -> str | None:
    """Return the pin of the server certificate in `folder` (`<data>/tls`), None before the first start."""
    certificate = _read(folder / "server.pem")
    return None if certificate is None else spki_of(certificate)


def spki_of_der(certificate: bytes) -> str:
    """Return the pin of a certificate as the TLS layer hands it over (DER)."""
    return spki_of(x509.load_der_x509_certificate(certificate))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constraint(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _alternatives(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _permitted(root: x509.Certificate) -> set[str]:
    trees = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return {str(tree.value).removesuffix("/32").removesuffix("/128") for tree in trees}


def _signed_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except Exception:  # the library raises several kinds; each means no
        return False
    return True


def _make_root(key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> x509.Certificate:
    # a serial part in the name keeps an old and a new root apart in a client's store
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"gongyuan local CA {serial % 10**8:08d}")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints([_constraint(name) for name in names], None), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_server(
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime,
) -> x509.Certificate:
    dns = next((name for name in names if not name[0].isdigit() and ":" not in name), "gongyuan")
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns)]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )


def _usage(certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadInput("tls-key-form", path=str(path))
        return key
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, pem, 0o600)
    return key


def _read(path: Path) -> x509.Certificate | None:
    return x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    os.replace(temporary, path)  # noqa: PTH105
