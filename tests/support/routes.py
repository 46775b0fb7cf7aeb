"""Every route of both roles with who may call it, and the routes that need no login with their reason.

A new route or socket needs its line here (tests/flows/test_every_route.py).
"""

from collections.abc import Mapping

from server.accounts.roles import CENTRE_ROLES, REGISTRY_ROLES, Role
from tests.support.web import Route

R = Role
EVERYBODY = frozenset(Role)
OFFICE = frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CITY_OFFICER, R.SUPERVISOR})
SENDERS = OFFICE - {R.SUPERVISOR}
ADMINISTRATOR = frozenset({R.ADMINISTRATOR})
CHIEF = frozenset({R.CHIEF})
LEAD = CHIEF | {R.DEPUTY}
FLOOR = LEAD | {R.INVIGILATOR}
VIEWERS = FLOOR | {R.EXAM_OFFICE, R.TECHNICIAN, R.QUALITY, R.SUPERVISOR}
RESULT_READERS = frozenset({R.EXAM_OFFICE, R.CHIEF, R.QUALITY, R.SUPERVISOR})
RESULT_OFFICE = frozenset({R.EXAM_OFFICE, R.CHIEF})
MARK_READERS = RESULT_READERS | {R.DEPUTY}
SEEING = LEAD | {R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN, R.SUPERVISOR}
OPENERS = LEAD | {R.EXAM_OFFICE, R.CUSTODIAN}
DRAW = frozenset({R.CHIEF, R.CUSTODIAN, R.EXAM_OFFICE})
TECHNICIAN = frozenset({R.TECHNICIAN, R.CHIEF})
CALIBRATORS = FLOOR | {R.TECHNICIAN}
REMOTE = LEAD | {R.QUALITY, R.SUPERVISOR, R.REMOTE_OFFICER}
DESK = frozenset({R.ITEM_WRITER, R.ITEM_REVIEWER, R.EXAM_OFFICE, R.CUSTODIAN, R.CHIEF, R.SUPERVISOR})
"""The state of the banks, without text; the items themselves are another process's (test_desk_routes)."""
ORGANISATION = frozenset({R.ORGANISATION})
CITY = frozenset({R.CITY_OFFICER})
DISTRICT = frozenset({R.DISTRICT_OFFICER})
EITHER = CITY | DISTRICT
OFFICERS = EITHER | {R.SUPERVISOR}
STAFF = ORGANISATION | OFFICERS

OPEN: Mapping[Route, str] = {
    ("GET", "/"): "the front page says which pages there are, and for whom",
    ("GET", "/api/time"): "kiosks and pages ask for the time before anybody signs in",
    ("GET", "/api/node"): "people compare the node's public keys with the letter",
    ("GET", "/static/{file_path:path}"): "styles, scripts and fonts of the sign-in page too",
    ("HEAD", "/static/{file_path:path}"): "the same without the bodies",
    ("GET", "/login"): "the sign-in form",
    ("POST", "/login"): "signing in",
    ("POST", "/api/login"): "signing in",
    ("POST", "/logout"): "a login that has ended may be ended again",
    ("POST", "/api/logout"): "a login that has ended may be ended again",
    ("POST", "/api/packages"): "the package's own signature counts, not the caller",
    ("GET", "/exam"): "the candidate's page; a candidate has no account",
    ("GET", "/exam/texts"): "its sentences",
    ("POST", "/api/seats/enrol"): "a one-time code proves the machine",
    ("POST", "/api/seats/health"): "the signature of an enrolled machine's launcher proves it",
    ("GET", "/api/seats/token"): "Safe Exam Browser's headers prove it",
    ("GET", "/public"): "for the public",
    ("GET", "/public/certificate"): "for the public",
    ("GET", "/public/notices/{plan:str}"): "for the public",
    ("GET", "/public/yearly/{organisation:str}"): "for the public",
    ("POST", "/public/notices/{plan:str}"): "anybody may object",
    ("GET", "/api/directory"): "for the public",
    ("GET", "/api/notices"): "for the public",
    ("GET", "/api/notices/{plan:str}"): "for the public",
    ("POST", "/api/notices/{plan:str}/objections"): "anybody may object",
    ("GET", "/api/certificates/check"): "for the public, limited by address",
    ("GET", "/api/certificates/paper"): "for the public, limited by address",
}
"""Routes that need no login, each with its reason."""

WITHOUT_CSRF = {("POST", "/api/packages"), ("POST", "/api/seats/enrol"), ("POST", "/api/seats/health")}
"""Acts of nodes and kiosks that hold no cookie."""

SHARED: Mapping[Route, frozenset[Role]] = {
    ("GET", "/api/me"): EVERYBODY,
    ("POST", "/api/me/password"): EVERYBODY,
    ("GET", "/password"): EVERYBODY,
    ("POST", "/password"): EVERYBODY,
    ("GET", "/api/accounts"): ADMINISTRATOR,
    ("POST", "/api/accounts"): ADMINISTRATOR,
    ("POST", "/api/accounts/{username:str}/close"): ADMINISTRATOR,
    ("GET", "/api/peers"): OFFICE,
    ("POST", "/api/peers"): SENDERS,
    ("GET", "/api/packages/outgoing"): OFFICE,
    ("GET", "/api/packages/outgoing/{package:str}"): OFFICE,
    ("POST", "/api/packages/send"): SENDERS,
    ("GET", "/api/schema"): EVERYBODY,
    ("GET", "/api/schema/openapi.json"): EVERYBODY,
    ("GET", "/api/schema/{path:str}"): EVERYBODY,
}
_SLOT = "/api/hall/slots/{slot:str}"
_SITTING = "/api/hall/sittings/{sitting:str}"
CENTRE: Mapping[Route, frozenset[Role]] = {
    **SHARED,
    ("GET", "/hall"): VIEWERS,
    ("GET", "/hall/texts"): VIEWERS,
    ("GET", "/api/hall/slots"): VIEWERS | {R.CUSTODIAN, R.EXAMINER, R.MARKER},
    ("GET", _SLOT): VIEWERS,
    ("GET", f"{_SLOT}/calls"): VIEWERS,
    ("GET", f"{_SLOT}/gaps"): VIEWERS,
    ("GET", f"{_SLOT}/records"): VIEWERS,
    ("GET", f"{_SLOT}/rooms/{{room:str}}/record"): VIEWERS,
    ("POST", f"{_SLOT}/rooms/{{room:str}}/record"): FLOOR,
    ("POST", f"{_SLOT}/prepare"): LEAD | {R.TECHNICIAN},
    ("POST", f"{_SLOT}/seals"): CHIEF,
    ("POST", f"{_SLOT}/bell"): CHIEF,
    ("POST", f"{_SLOT}/cancel"): CHIEF,
    ("POST", f"{_SLOT}/close"): CHIEF,
    ("POST", f"{_SLOT}/time"): LEAD,
    ("POST", f"{_SLOT}/pause"): LEAD,
    ("POST", f"{_SLOT}/resume"): LEAD,
    ("POST", f"{_SLOT}/message"): FLOOR,
    ("POST", f"{_SLOT}/halt"): CHIEF,
    ("POST", f"{_SLOT}/continuation"): CHIEF,
    ("POST", f"{_SLOT}/continue"): CHIEF,
    ("POST", f"{_SLOT}/collect"): CHIEF,
    ("GET", f"{_SLOT}/lost-time"): VIEWERS,
    ("POST", "/api/hall/acts/{act_id:str}/undo"): FLOOR,
    ("POST", f"{_SITTING}/leave"): FLOOR,
    ("POST", f"{_SITTING}/return"): FLOOR,
    ("POST", f"{_SLOT}/steps/{{code:str}}"): FLOOR,
    ("POST", f"{_SLOT}/incidents"): FLOOR,
    ("DELETE", f"{_SLOT}/calls/{{call:str}}"): FLOOR,
    ("POST", f"{_SITTING}/check-in"): FLOOR,
    ("POST", f"{_SITTING}/check-in/undo"): FLOOR,
    ("POST", f"{_SITTING}/absent"): FLOOR,
    ("POST", f"{_SITTING}/collect"): LEAD,
    ("POST", f"{_SITTING}/reseat"): LEAD,
    ("POST", f"{_SITTING}/void"): CHIEF,
    ("POST", "/api/hall/incidents/{incident:str}/settle"): FLOOR,
    ("POST", "/api/hall/incidents/{incident:str}/report"): LEAD,
    ("POST", "/api/hall/records/{record:str}/sign"): FLOOR,
    ("GET", "/api/hall/alerts/{key:str}"): VIEWERS,
    ("POST", "/api/hall/alerts/{key:str}"): FLOOR,
    ("GET", "/cameras"): REMOTE,
    ("GET", "/api/remote/cameras/{camera:str}/live"): REMOTE,
    ("GET", "/api/remote/cameras/{camera:str}/recorded"): REMOTE,
    ("GET", "/api/hall/alerts/{key:str}/clip"): FLOOR | {R.QUALITY, R.SUPERVISOR},
    ("GET", "/technician/recordings"): TECHNICIAN,
    ("GET", "/api/hall/alerts/{key:str}/picture"): FLOOR | {R.QUALITY, R.SUPERVISOR},
    ("GET", "/api/practical/{slot:str}"): RESULT_READERS | {R.EXAMINER},
    ("POST", "/api/practical/{slot:str}/form"): RESULT_OFFICE,
    ("POST", "/api/practical/{slot:str}/reopen"): CHIEF,
    ("POST", "/api/practical/{slot:str}/{candidate:str}"): frozenset({R.EXAMINER}),
    ("GET", "/api/plans/{plan:str}/counts"): RESULT_READERS,
    ("GET", "/api/plans/{plan:str}/results"): RESULT_READERS,
    ("POST", "/api/plans/{plan:str}/notice"): RESULT_OFFICE,
    ("POST", "/api/plans/{plan:str}/result"): RESULT_OFFICE,
    ("GET", "/api/slots/{slot:str}/statistics"): MARK_READERS,
    ("GET", "/api/slots/{slot:str}/decisions"): MARK_READERS,
    ("POST", "/api/slots/{slot:str}/decisions"): CHIEF,
    ("POST", "/api/decisions/{decision:str}"): MARK_READERS - {R.SUPERVISOR},
    ("POST", "/api/slots/{slot:str}/rescore"): CHIEF,
    ("POST", "/api/slots/{slot:str}/marks/reopen"): CHIEF,
    ("GET", "/results"): MARK_READERS,
    ("GET", "/results/{slot:str}"): MARK_READERS,
    ("GET", "/api/slots/{slot:str}/similarity"): frozenset({R.QUALITY, R.SUPERVISOR}),
    ("GET", "/api/slots/{slot:str}/marking"): MARK_READERS,
    ("GET", "/api/slots/{slot:str}/marking.csv"): MARK_READERS,
    ("POST", "/api/slots/{slot:str}/markers"): RESULT_OFFICE,
    ("POST", "/api/slots/{slot:str}/spread"): CHIEF,
    ("POST", "/api/slots/{slot:str}/review"): CHIEF,
    ("GET", "/api/slots/{slot:str}/statistics.csv"): MARK_READERS,
    ("GET", "/api/banks/{bank:str}/statistics"): MARK_READERS,
    ("GET", "/api/banks/{bank:str}/statistics.csv"): MARK_READERS,
    ("POST", "/api/plans/{plan:str}/commitment"): DRAW,
    ("GET", "/api/banks"): DRAW,
    ("POST", "/api/banks/{bank:str}/blueprint-check"): DRAW,
    ("GET", "/api/custodians"): SEEING,
    ("POST", "/api/ceremony"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("POST", "/api/custody/changes"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("POST", "/api/custody/drill"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("POST", "/api/custody/passphrase"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("GET", "/api/openings"): SEEING,
    ("POST", "/api/openings"): OPENERS,
    ("GET", "/hall/late/{slot:str}"): VIEWERS,
    ("GET", "/api/hall/slots/{slot:str}/late"): VIEWERS,
    ("POST", "/api/hall/journals"): LEAD | {R.TECHNICIAN},
    ("POST", "/api/hall/sittings/{sitting:str}/late/proposal"): LEAD,
    ("POST", "/api/hall/sittings/{sitting:str}/late/return"): FLOOR,
    ("POST", "/api/hall/sittings/{sitting:str}/late/confirm"): FLOOR,
    ("POST", "/api/hall/sittings/{sitting:str}/spare"): CHIEF,
    ("GET", "/hall/receipt"): LEAD | {R.EXAM_OFFICE, R.SUPERVISOR},
    ("GET", "/api/hall/receipts/{code:str}"): LEAD | {R.EXAM_OFFICE, R.SUPERVISOR},
    ("GET", "/api/openings/{opening:str}"): SEEING,
    ("GET", "/api/openings/{opening:str}/offer"): SEEING,
    ("POST", "/api/openings/{opening:str}/passphrases"): EVERYBODY,
    ("POST", "/api/openings/{opening:str}/abort"): OPENERS,
    ("GET", "/custody"): SEEING,
    ("GET", "/custody/openings/{opening:str}"): SEEING,
    ("POST", "/api/seats/codes"): TECHNICIAN,
    ("GET", "/api/technician/health"): TECHNICIAN | ADMINISTRATOR,
    ("GET", "/api/technician/slots/{slot:str}/seats"): TECHNICIAN,
    ("GET", "/hall/wall"): VIEWERS,
    ("GET", "/hall/cameras"): VIEWERS,
    ("GET", "/hall/cameras/texts"): VIEWERS,
    ("GET", "/api/hall/cameras/plots"): VIEWERS,
    ("GET", "/technician/cameras"): CALIBRATORS,
    ("GET", "/technician/cameras/{camera:str}"): CALIBRATORS,
    ("POST", "/technician/cameras/discover"): TECHNICIAN,
    ("GET", "/api/cameras"): CALIBRATORS,
    ("GET", "/api/cameras/{camera:str}/setup"): CALIBRATORS,
    ("POST", "/api/cameras/{camera:str}/setup"): CALIBRATORS,
    ("GET", "/api/cameras/{camera:str}/picture"): CALIBRATORS,
    ("GET", "/api/cameras/{camera:str}/seats.toml"): CALIBRATORS,
    ("POST", "/api/cameras/{camera:str}/proposal"): CALIBRATORS,
    ("POST", "/api/cameras/{camera:str}/reference"): CALIBRATORS,
    ("GET", "/technician"): TECHNICIAN,
    ("POST", "/technician/codes"): TECHNICIAN,
    ("GET", "/bank"): DESK,
    ("GET", "/bank/{bank:str}"): DESK,
}
PLAN_ROUTE = "/api/plans/{plan:str}"
_FILING = "/api/filings/{filing:str}"
REGISTRY: Mapping[Route, frozenset[Role]] = {
    **SHARED,
    ("GET", "/api/filings"): STAFF,
    ("POST", "/api/filings"): ORGANISATION,
    ("POST", f"{_FILING}/withdraw"): ORGANISATION,
    ("POST", f"{_FILING}/recommend"): DISTRICT,
    ("POST", f"{_FILING}/evaluate"): CITY,
    ("POST", f"{_FILING}/notice"): CITY,
    ("POST", f"{_FILING}/letter"): CITY,
    ("POST", f"{_FILING}/publish"): CITY,
    ("POST", f"{_FILING}/refuse"): EITHER,
    ("GET", "/regulator/plans/{plan:str}/remote-view"): OFFICERS,
    ("POST", "/regulator/plans/{plan:str}/remote-view"): OFFICERS,
    ("POST", "/api/plans/{plan:str}/remote-view"): OFFICERS,
    ("GET", "/api/plans"): STAFF,
    ("POST", "/api/plans"): ORGANISATION,
    ("GET", PLAN_ROUTE): STAFF,
    ("POST", f"{PLAN_ROUTE}/file"): ORGANISATION,
    ("POST", f"{PLAN_ROUTE}/confirm"): ORGANISATION,
    ("POST", f"{PLAN_ROUTE}/withdraw"): ORGANISATION,
    ("GET", f"{PLAN_ROUTE}/candidates"): STAFF,
    ("POST", f"{PLAN_ROUTE}/candidates"): ORGANISATION,
    ("POST", f"{PLAN_ROUTE}/candidates/confirm"): ORGANISATION,
    ("POST", f"{PLAN_ROUTE}/arrangement"): ORGANISATION,
    ("GET", f"{PLAN_ROUTE}/seating"): STAFF,
    ("POST", f"{PLAN_ROUTE}/commitment"): ORGANISATION,
    ("POST", "/api/organisations/{organisation:str}/bank-root"): ORGANISATION,
    ("GET", f"{PLAN_ROUTE}/package"): ORGANISATION | CITY,
    ("POST", f"{PLAN_ROUTE}/package"): ORGANISATION | CITY,
    ("GET", f"{PLAN_ROUTE}/changes"): STAFF,
    ("POST", f"{PLAN_ROUTE}/changes"): ORGANISATION,
    ("GET", f"{PLAN_ROUTE}/counts"): STAFF,
    ("GET", f"{PLAN_ROUTE}/certificates"): STAFF,
    ("POST", f"{PLAN_ROUTE}/certificates"): ORGANISATION,
    ("GET", f"{PLAN_ROUTE}/objections"): STAFF,
    ("POST", "/api/objections/{objection:str}/answer"): ORGANISATION,
    ("POST", "/api/cases/{case:str}/defence"): ORGANISATION,
    ("GET", "/organisation"): ORGANISATION,
    ("POST", "/organisation/bank-root"): ORGANISATION,
    ("GET", "/organisation/plans/{plan:str}"): ORGANISATION | CITY | {R.SUPERVISOR},
    ("POST", "/organisation/plans/{plan:str}/{step:str}"): ORGANISATION,
    ("GET", "/api/procedures"): ORGANISATION,
    ("POST", "/api/procedures"): ORGANISATION,
    ("GET", f"{PLAN_ROUTE}/corrections"): STAFF,
    ("POST", f"{PLAN_ROUTE}/corrections"): ORGANISATION | CITY,
    ("POST", "/api/corrections/{correction:str}/approve"): ORGANISATION | CITY,
    ("POST", "/api/corrections/{correction:str}/refuse"): ORGANISATION | CITY,
    ("GET", "/api/organisations/{organisation:str}/yearly"): STAFF,
    ("POST", "/api/organisations/{organisation:str}/yearly"): ORGANISATION,
    ("GET", "/organisation/yearly"): ORGANISATION,
    ("POST", "/organisation/yearly"): ORGANISATION,
    ("GET", "/organisation/procedure"): ORGANISATION,
    ("POST", "/organisation/procedure"): ORGANISATION,
    ("GET", "/organisation/plans/{plan:str}/corrections"): STAFF,
    ("POST", "/organisation/plans/{plan:str}/corrections"): ORGANISATION | CITY,
    ("POST", "/organisation/corrections/{correction:str}/{answer:str}"): ORGANISATION | CITY,
    ("POST", f"{PLAN_ROUTE}/accept"): CITY,
    ("POST", f"{PLAN_ROUTE}/return"): CITY,
    ("POST", f"{PLAN_ROUTE}/stop"): CITY,
    ("POST", "/api/changes/{change:str}/file"): CITY,
    ("POST", "/api/changes/{change:str}/refuse"): CITY,
    ("GET", f"{PLAN_ROUTE}/spot-check"): OFFICERS,
    ("POST", f"{PLAN_ROUTE}/spot-check/commitment"): EITHER,
    ("POST", f"{PLAN_ROUTE}/spot-check/draw"): EITHER,
    ("POST", f"{PLAN_ROUTE}/spot-check/report"): EITHER,
    ("POST", f"{PLAN_ROUTE}/certificates/issue"): CITY,
    ("POST", "/api/certificates/{number:str}/revoke"): CITY,
    ("GET", "/api/violations"): OFFICERS,
    ("GET", "/api/cases"): OFFICERS,
    ("POST", "/api/cases"): EITHER,
    ("GET", "/api/leads"): OFFICERS,
    ("POST", "/api/cases/{case:str}/finding"): CITY,
    ("POST", "/api/cases/{case:str}/decision"): CITY,
    ("GET", "/regulator"): OFFICERS,
    ("GET", "/regulator/cases"): OFFICERS,
    ("POST", "/regulator/plans/{plan:str}/accept"): CITY,
    ("POST", "/regulator/filings/{which:str}/{step:str}"): EITHER,
}
GUARDED = {"centre": CENTRE, "registry": REGISTRY}
SOCKETS: Mapping[str, frozenset[Role] | None] = {
    "/ws/candidate": None,
    "/ws/hall": VIEWERS,
    "/ws/wall": VIEWERS,
}
"""Websockets with their roles; None: the seat's key proves itself inside."""
OF_SIDE = {"centre": CENTRE_ROLES, "registry": REGISTRY_ROLES}
