"""Run migrations on the connection that `server.db.migrate` gives."""

from typing import Any, Literal

from alembic import context

from server.db.metadata import Base


def _render_item(kind: str, value: Any, autogen: Any) -> str | Literal[False]:
    if kind == "type" and type(value).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=_render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
