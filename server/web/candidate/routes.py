"""What a seat asks over HTTP: to be enrolled with its one-time code. The page's shell stands in `page`."""

from typing import Any

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from server.delivery.seating import enrol_seat
from server.errors import BadInput
from server.web.candidate.socket import candidate_socket
from server.web.site import Site


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One-time code as printed (case and separators do not matter), raw Ed25519 public key in hex, kind of
    seat.
    """

    code: str
    public_key: str
    kind: str = "page"


class Enrolled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seat's id, which it names in every hello; where it stands; whose centre it is, with its
    fingerprint.
    """

    seat: str
    room: str
    number: int
    centre: str
    fingerprint: str


@post("/api/seats/enrol", status_code=201)
async def enrol(data: JSONBody[Enrolment], site: NamedDependency[Site]) -> Enrolled:
    """Bind a machine's key to a seat; 403 `seat-code-wrong` for a code that is unknown, used or voided."""
    try:
        public_key = bytes.fromhex(data.public_key)
    except ValueError as error:
        raise BadInput("public-key-form") from error
    async with site.acting("kiosk:enrolment") as act:
        seat = await enrol_seat(act, data.code, public_key, data.kind)
    return Enrolled(
        seat=seat.id,
        room=seat.room,
        number=seat.number,
        centre=site.settings.name,
        fingerprint=site.identity.fingerprint,
    )


ROUTES: list[Any] = [enrol, candidate_socket]
