"""Alembic, called by programme: bring a database to the newest schema, or write a new revision.

The migrations import no room; callers of `revision` have loaded all tables (`tables.load_models`).
"""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, pool

from server.db.engine import Database
from server.db.metadata import Base

_FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(db: Database) -> None:
    """Apply every missing migration in one go; safe to repeat."""
    config = _config()
    engine = db.sync_engine()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()


def revision(message: str) -> str:
    """Write a migration that brings the newest schema to today's tables; return the path of the file."""
    config = _config()
    engine = create_engine("sqlite://", poolclass=pool.StaticPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        script = command.revision(config, message=message, autogenerate=True)
    return str(script.path) if script is not None and not isinstance(script, list) else ""


def differences(connection: Connection) -> list[Any]:
    """Return what separates the connected database from today's tables (empty when nothing does)."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))
