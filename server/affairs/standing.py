"""May this organisation act? The one gate for suspension and termination; every act asks it."""

from enum import StrEnum

from server.affairs.facts import Standing, StandingStatus
from server.errors import Refusal
from server.law.citing import cites


class ActKind(StrEnum):
    """What an organisation may be stopped from, and what goes on whatever its standing."""

    ENROLMENT = "enrolment"
    PLAN = "plan"
    EXAM_PACKAGE = "exam_package"
    START = "start"
    """The start opening of a slot whose bell has not rung."""
    CERTIFICATE = "certificate"
    PUBLICITY = "publicity"
    RECRUITING = "recruiting"
    FILING = "filing"
    RUNNING = "running"
    """Anything in an exam after its bell: never stopped."""
    NOTICE = "notice"
    RESULT = "result"


_INVESTIGATED = frozenset({ActKind.ENROLMENT, ActKind.PLAN, ActKind.EXAM_PACKAGE, ActKind.START})
STOPS: dict[StandingStatus, frozenset[ActKind]] = {
    StandingStatus.GOOD: frozenset(),
    StandingStatus.SUSPENDED: _INVESTIGATED | {ActKind.CERTIFICATE},
    StandingStatus.TERMINATED: _INVESTIGATED
    | {ActKind.CERTIFICATE, ActKind.PUBLICITY, ActKind.RECRUITING, ActKind.FILING},
}


@cites("BJ-F:4.1", "BJ-F:4.3.2-1")
def may(act_kind: ActKind | str, standing: Standing) -> Refusal | None:
    """Return None when the act may be done, else why not.

    Suspended: no enrolment, plan, exam package, start; certificates are held; an exam past its bell
    goes on and
    its notice and results are accepted and recorded. Terminated: also no publicity, recruiting or filing.
    """
    if ActKind(act_kind) not in STOPS[standing.status]:
        return None
    suspended = standing.status is StandingStatus.SUSPENDED
    return Refusal(
        "organisation-suspended" if suspended else "organisation-terminated",
        "BJ-F:4.3.2-1" if suspended else "BJ-F:4.1",
        {
            "act": str(act_kind),
            "case": standing.case,
            "serial": standing.serial,
            "as_of": standing.as_of.isoformat(),
        },
    )
