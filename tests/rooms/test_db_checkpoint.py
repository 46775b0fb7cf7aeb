"""SQLite's log is folded beside those who commit."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from server.db.checkpoint import ITEMS, Checkpointer, fold
from server.db.engine import SHIPPING_MARKER, WRITER_CHECKPOINT_PAGES, Database
from tests.support.sqlite_files import locks, opened_beside_sqlite


def _log_begins_anew(file: Path) -> bool:
    """Tell whether the next commit overwrites the log from its beginning."""
    wal = file.with_name(f"{file.name}-wal")
    before = wal.stat().st_size
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("insert into a values ('one more')")
        connection.commit()
        return wal.stat().st_size == before


async def test_a_log_is_folded_while_its_writer_stays(tmp_path: Path) -> None:
    """What a writer's connection leaves in the log, a fold puts into the file, and the log begins anew; SQLite's
    locks stay with the writer."""
    db = Database(f"sqlite:///{tmp_path / 'a.db'}")
    engine = db.sync_engine(checkpoint_pages=WRITER_CHECKPOINT_PAGES)
    with engine.connect() as connection:
        with connection.begin():
            connection.execute(text("create table a (b text)"))
        for _ in range(50):
            with connection.begin():
                connection.execute(text("insert into a values (:b)"), {"b": "x" * 3000})
        assert not _log_begins_anew(tmp_path / "a.db")
        with opened_beside_sqlite(tmp_path / "a.db") as opened:
            assert await asyncio.to_thread(fold, tmp_path / "a.db")
        assert opened == [] and locks(tmp_path / "a.db") == (True, True, False)
        assert _log_begins_anew(tmp_path / "a.db")
    engine.dispose()
    await db.close()


async def test_a_shipped_log_is_left_alone(tmp_path: Path) -> None:
    """Where a standby's shipper folds the log the checkpointer does nothing."""
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table a (b text)")
        connection.commit()
        (tmp_path / SHIPPING_MARKER).touch()
        looks, looked = 0, asyncio.Event()
        loop = asyncio.get_running_loop()

        def stored() -> int:
            nonlocal looks
            looks += 1
            if looks == 4:
                loop.call_soon_threadsafe(looked.set)
            return ITEMS * looks

        checkpointer = Checkpointer(Database(f"sqlite:///{file}"), stored)
        checkpointer.start()
        await looked.wait()
        await checkpointer.stop()
        assert not _log_begins_anew(file)
