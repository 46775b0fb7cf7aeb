"""Messages of the officers' interface: what is sent in. Closed: an unknown field is an error."""

from datetime import date
from typing import Annotated, Literal

import msgspec

Part = Annotated[str, msgspec.Meta(max_length=20)]
Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class LetterBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filing letter. Keys are those of the organisation's centre, hex; `second` is the person who compared
    the fingerprints together with the officer. Kind, ministry, province and body are the certificate number's
    first parts."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    kind: Part
    ministry: Part
    province: Part
    body: Part
    second: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    centre_signing: Key
    centre_receiving: Key
    centre_tls: str | None = None
    valid_until: date | None = None


class CaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new case: the ground of the catalogue and what the suspicion rests on."""

    organisation: str
    violation: str
    suspicion: Annotated[str, msgspec.Meta(min_length=1, max_length=20000)]
    lead: str | None = None


class FindingBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The written finding and the legal day on which the organisation received it."""

    finding: Annotated[str, msgspec.Meta(min_length=1, max_length=20000)]
    received_on: date


class DecisionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The final decision of a case."""

    outcome: Literal["uphold", "dismiss"]
    decision: Annotated[str, msgspec.Meta(min_length=1, max_length=20000)]


class RevocationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a certificate is revoked, and by which clause."""

    article: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class SpotCheckBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of a spot check: candidates found unqualified, with the reason told to them."""

    unqualified: tuple[str, ...] = ()
    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""
