"""May a certificate be made, what is its number, and what does it say? The states of a certificate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from server.affairs.facts import Scope, Standing
from server.affairs.standing import ActKind, may
from server.errors import Refusal
from server.law.citing import cites
from server.law.pack import Pack
from server.publicity.notice import Outcome, passed


class CertificateState(StrEnum):
    """Where a certificate stands: numbered by the body, filed by the city (issued), held, or revoked
    for good.
    """

    NUMBERED = "numbered"
    HELD = "held"
    ISSUED = "issued"
    REVOKED = "revoked"


class CertificateEvent(StrEnum):
    """What is done to a certificate."""

    ISSUE = "issue"
    HOLD = "hold"
    RELEASE = "release"
    REVOKE = "revoke"


TRANSITIONS: Mapping[tuple[CertificateState, CertificateEvent], CertificateState] = MappingProxyType(
    {
        (CertificateState.NUMBERED, CertificateEvent.ISSUE): CertificateState.ISSUED,
        (CertificateState.NUMBERED, CertificateEvent.HOLD): CertificateState.HELD,
        (CertificateState.HELD, CertificateEvent.RELEASE): CertificateState.NUMBERED,
        (CertificateState.NUMBERED, CertificateEvent.REVOKE): CertificateState.REVOKED,
        (CertificateState.HELD, CertificateEvent.REVOKE): CertificateState.REVOKED,
        (CertificateState.ISSUED, CertificateEvent.REVOKE): CertificateState.REVOKED,
    }
)


@cites("BJ-E:26", "BJ-F:4.4.2", "BJ-F:4.4.3")
def step(state: CertificateState, event: CertificateEvent) -> CertificateState | Refusal:
    """Return the state after the event, or why not.

    An issued certificate is never held again: it stays valid until it is revoked.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        facts = {"state": str(state), "event": str(event)}
        return Refusal("certificate-step-out-of-order", "BJ-E:26", facts)
    return following


@dataclass(frozen=True, slots=True)
class BodyCode:
    """The parts of a number that the authorities give to a body: 1 letter, 4, 2 and 6 digits."""

    kind: str
    ministry: str
    province: str
    body: str


@cites("BJ-E:26")
def number(pack: Pack, body: BodyCode, day: date, level: int, serial: int) -> str | Refusal:
    """Return the certificate's number by the pattern in force on `day`; serials run from 1."""
    pattern = pack.certificate_on(day)
    if serial > pattern.serial_limit:
        return Refusal("certificate-serials-used-up", pattern.article, {"limit": pattern.serial_limit})
    return pattern.compose(
        {
            "kind": body.kind,
            "ministry": body.ministry,
            "province": body.province,
            "body": body.body,
            "year": f"{day:%y}",
            "level": str(level),
            "serial": f"{serial:0{pattern.parts[-1].length}d}",
        }
    )


def passed_all(outcome: Outcome, subjects: Sequence[str], marks: Mapping[str, float]) -> bool:
    """Tell whether a result is a pass in every subject that the plan examines."""
    return outcome.result == "pass" and passed(outcome, subjects, marks)


@cites("BJ-E:2", "BJ-F:4.2.3-3", "BJ-F:4.2.3-7")
def may_number(
    outcome: Outcome,
    subjects: Sequence[str],
    marks: Mapping[str, float],
    scope: Scope,
    occupation: tuple[str, int],
) -> Refusal | None:
    """Refuse a number for anyone who did not pass every subject of the plan, or outside the filed scope.

    `subjects` are those the plan examines: a candidate who took only some gets no certificate from it.
    """
    facts = {"ticket": outcome.ticket}
    if not passed_all(outcome, subjects, marks):
        return Refusal("certificate-not-passed", "BJ-E:25", facts)
    if occupation not in scope.occupations:
        return Refusal("certificate-outside-scope", "BJ-F:4.2.3-3", facts)
    return None


@cites("BJ-F:4.3.2-1")
def first_state(standing: Standing) -> CertificateState:
    """Return the state a new number starts in: held while the organisation's standing holds certificates."""
    held = may(ActKind.CERTIFICATE, standing) is not None
    return CertificateState.HELD if held else CertificateState.NUMBERED


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate with its trail: plan, candidate and notice."""

    number: str
    plan: str
    candidate: str
    notice: int
    name: str
    id_digest: str
    occupation: str
    occupation_code: str
    level: int
    organisation: str
    organisation_name: str
    theory: float | None
    practical: float | None
    review: float | None
    state: CertificateState
    numbered_at: datetime
    issued_at: datetime | None
    reason: str
    corrects: str = ""
    """SHA-256 (hex) of the signed form that this one replaces; empty for the first."""

    def document(self, registry: str, registry_name: str) -> dict[str, object]:
        """Return what is signed, closed and in plain JSON types; `registry` is the signing key, hex.

        `id` is SHA-256(number ‖ ":" ‖ identity number), so that the holder can prove it and nobody can
        read it.
        """
        former = {"corrects": self.corrects} if self.corrects else {}
        return {
            "form": "gongyuan/certificate/1",
            "number": self.number,
            "name": self.name,
            "id": self.id_digest,
            "occupation": self.occupation,
            "occupation_code": self.occupation_code,
            "level": self.level,
            "organisation": self.organisation_name,
            "scores": {
                subject: score
                for subject, score in (
                    ("theory", self.theory),
                    ("practical", self.practical),
                    ("review", self.review),
                )
                if score is not None
            },
            "plan": self.plan,
            "issued_at": self.issued_at.isoformat() if self.issued_at else None,
            "authority": registry_name,
            "key": registry,
            **former,
        }
