"""What may anybody learn of a certificate, and of an organisation?"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from server.law.citing import cites
from server.registry.certificates import Certificate, CertificateState


@dataclass(frozen=True, slots=True)
class PublicCertificate:
    """A certificate as shown to whoever knows its number and its holder's name; never the identity number."""

    number: str
    name: str
    occupation: str
    occupation_code: str
    level: int
    organisation: str
    theory: float | None
    practical: float | None
    review: float | None
    state: str
    issued_at: datetime | None
    reason: str


def same_name(given: str, held: str) -> bool:
    """Tell whether two spellings name the same person: width, case and spaces do not matter."""

    def plain(text: str) -> str:
        return "".join(unicodedata.normalize("NFKC", text).split()).casefold()

    return plain(given) == plain(held)


@cites("BJ-E:3", "BJ-F:4.4.2")
def public_certificate(certificate: Certificate, name: str) -> PublicCertificate | None:
    """Return what may be shown, or None: another name, or a certificate that was never issued.

    A revoked one that had been issued stays findable as revoked, with the reason.
    """
    if not same_name(name, certificate.name) or certificate.issued_at is None:
        return None
    if certificate.state not in (CertificateState.ISSUED, CertificateState.REVOKED):
        return None
    return PublicCertificate(
        certificate.number,
        certificate.name,
        certificate.occupation,
        certificate.occupation_code,
        certificate.level,
        certificate.organisation_name,
        certificate.theory,
        certificate.practical,
        certificate.review,
        certificate.state,
        certificate.issued_at,
        certificate.reason,
    )
