"""The invigilator board: its shell, its texts, and the findings behind a camera alert."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from server.errors import NotFound
from server.proctor import store as proctor
from server.proctor.precision import ENOUGH
from server.web.candidate.page import shell
from server.web.catalogue import language_of, texts
from server.web.guards import requires
from server.web.hall.board import VIEWERS
from server.web.hall.scope import login_of, require_people
from server.web.site import Site

_TEXT_FILES = ("board", "conduct", "general", "hall", "proctor")


class FindingView(msgspec.Struct, frozen=True):
    """One machine finding of an alert with the numbers it was judged by; `score` from 0 to 1."""

    kind: str
    rule_version: int
    score: float
    camera: str
    started_at: datetime
    ended_at: datetime | None
    facts: dict[str, float | str]


class NoteView(msgspec.Struct, frozen=True):
    """What a person did with an alert, and the words."""

    at: datetime
    person: str
    act: str
    text: str


class CheckedView(msgspec.Struct, frozen=True):
    """How often people found something behind alerts of one rule in one room: `confirmed` of `decided`."""

    confirmed: int
    decided: int


class EvidenceView(msgspec.Struct, frozen=True):
    """What stands behind an alert: findings and people's acts, oldest first. `checked` is of the alert's rule and room,
    None while people decided fewer than five."""

    key: str
    checked: CheckedView | None
    findings: tuple[FindingView, ...]
    notes: tuple[NoteView, ...]


@get("/hall", guards=[requires(*VIEWERS)], sync_to_thread=False)
def hall_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Give the board's shell; `?slot=` names the slot, else the board asks or takes the one of the day."""
    return shell(request, "hall", "board-title", theme="hall")


@get("/hall/texts", guards=[requires(*VIEWERS)], sync_to_thread=False)
def hall_texts(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Give the board's sentences, those of the cameras and of conduct's refusals among them."""
    return dict(texts(language_of(request), _TEXT_FILES))


@get("/api/hall/alerts/{key:str}", guards=[requires(*VIEWERS)])
async def alert_evidence(
    key: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> EvidenceView:
    """Return the findings behind an alert and what people made of it, to those who see people in its room."""
    async with site.db.reading() as session:
        alert = await proctor.alert(session, key)
        if alert is None:
            raise NotFound("alert-unknown", alert=key)
        require_people(login_of(request), alert.room_id)
        kept = await proctor.anomalies(session, key)
        notes = await proctor.notes(session, key)
        confirmed, decided = await proctor.decided(session, alert.kind, alert.room_id)
    return EvidenceView(
        key=key,
        checked=CheckedView(confirmed, decided) if decided >= ENOUGH else None,
        findings=tuple(
            FindingView(
                kind=one.anomaly.kind.value,
                rule_version=one.anomaly.rule_version,
                score=one.anomaly.score,
                camera=one.anomaly.camera_id,
                started_at=one.anomaly.started_at,
                ended_at=one.ended_at,
                facts=dict(one.anomaly.facts),
            )
            for one in kept
        ),
        notes=tuple(NoteView(n.at, n.person, n.act.value, n.text) for n in notes),
    )


ROUTES = [hall_page, hall_texts, alert_evidence]
