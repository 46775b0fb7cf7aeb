"""What a seat asks over HTTP: to be enrolled with its one-time code, and the token of a socket in Safe Exam Browser.
The page's shell stands in `page`.
"""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from server.delivery.seating import enrol_seat
from server.delivery.seb_keys import SEB
from server.errors import BadInput
from server.protocol.health import SignedReport
from server.web.candidate.socket import candidate_socket
from server.web.site import Site


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One-time code as printed (case and separators do not matter), raw Ed25519 public key in hex, kind of
    seat; the launcher's key for health reports, or nothing.
    """

    code: str
    public_key: str
    kind: str = "page"
    report_key: str = ""


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
async def enrol(
    request: Request[Any, Any, Any], data: JSONBody[Enrolment], site: NamedDependency[Site]
) -> Response[Enrolled]:
    """Bind a machine's key to a seat; 403 `seat-code-wrong` for a code that is unknown, used or voided.

    The kind seb needs Safe Exam Browser's headers at once, and the seat's cookie asks for them ever after.
    """
    if data.kind == SEB:
        await site.seb.require(request.scope, "", claimed=True)
    try:
        public_key = bytes.fromhex(data.public_key)
        report_key = bytes.fromhex(data.report_key) or None
    except ValueError as error:
        raise BadInput("public-key-form") from error
    async with site.acting("kiosk:enrolment") as act:
        seat = await enrol_seat(act, data.code, public_key, data.kind, report_key)
    enrolled = Enrolled(
        seat=seat.id,
        room=seat.room,
        number=seat.number,
        centre=site.settings.name,
        fingerprint=site.identity.fingerprint,
    )
    answer = Response(enrolled)
    if site.seb_door is not None:
        if seat.kind == SEB:
            answer.set_cookie(_cookie(site, seat.id))
        elif request.cookies.get(site.seb.cookie_name):
            answer.delete_cookie(site.seb.cookie_name)
    return answer


class SocketToken(msgspec.Struct, frozen=True):
    """Opens the one websocket that the challenge came from."""

    token: str


@get("/api/seats/token")
async def socket_token(
    request: Request[Any, Any, Any], site: NamedDependency[Site], seat: FromQuery[str], nonce: FromQuery[str]
) -> Response[SocketToken]:
    """Give a seat in Safe Exam Browser the token for its websocket's challenge (`nonce`, hex); 403 without the
    browser's headers for this very address."""
    try:
        challenge = bytes.fromhex(nonce)
    except ValueError as error:
        raise BadInput("nonce-form") from error
    if len(challenge) != 32 or len(seat) > 36:
        raise BadInput("nonce-form")
    await site.seb.require(request.scope, seat, claimed=True)
    return Response(SocketToken(site.seb.token(seat, challenge)), cookies=[_cookie(site, seat)])


@post("/api/seats/health", status_code=204)
async def health(data: JSONBody[SignedReport], site: NamedDependency[Site]) -> None:
    """Take a machine's health report; 403 `kiosk-unknown` unless an enrolled machine's launcher signed it, 409
    `health-repeated` with the `newest` number when it is not above that."""
    await site.health.take(data)


def _cookie(site: Site, seat: str) -> Cookie:
    return Cookie(
        key=site.seb.cookie_name,
        value=site.seb.cookie(seat),
        max_age=400 * 24 * 3600,
        httponly=True,
        secure=site.settings.secure_cookies,
        samesite="strict",
    )


ROUTES: list[Any] = [enrol, socket_token, health, candidate_socket]
