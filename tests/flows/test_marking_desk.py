"""The markers' desk: its own application, for markers alone, with nothing of candidates or hall."""

from pathlib import Path

from server.app import create_app, create_marking_app
from server.settings import Settings
from tests.support.clock import FakeClock
from tests.support.web import filled, routes_of, visiting

OPEN = {
    ("GET", "/api/time"),
    ("GET", "/static/{file_path:path}"),
    ("HEAD", "/static/{file_path:path}"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/api/login"),
    ("POST", "/logout"),
    ("POST", "/api/logout"),
}
_QUESTION = "{slot:str}/{item:str}/{version:int}/{part:int}"
MARKERS = {
    ("GET", "/marking"),
    ("GET", "/marking/texts"),
    ("GET", f"/marking/{_QUESTION}"),
    ("GET", f"/api/marking/{_QUESTION}/next"),
    ("POST", "/api/marking/answers/{code:str}"),
}


async def test_the_markers_desk_is_for_markers_and_stands_alone(tmp_path: Path, clock: FakeClock) -> None:
    """It has sign-in and the markers' routes only, each closed to a stranger, and the process that serves
    candidates has none of them.
    """
    (tmp_path / "data").mkdir()
    settings = Settings(role="centre", data=str(tmp_path / "data"))
    app = create_marking_app(settings, clock)
    found = set(routes_of(app))
    assert found >= MARKERS
    rest = {path for _, path in found - OPEN - MARKERS}
    assert {path for path in rest if not path.startswith("/api/schema")} == {"/", "/api/me"}
    serving = set(routes_of(create_app(settings, clock, lambda *_words: ("false",))))
    assert not serving & MARKERS
    async with visiting(app) as browser:
        for method, path in sorted(MARKERS):
            address = filled(path, {"version": "1", "part": "0"})
            answer = await browser.request(method, address, headers={"accept": "application/json"})
            assert answer.status_code in (401, 403), (method, path)
