"""The hash-chained journal: `python -m benchmarks.journal [--quick]`.

Records a second appended one to a transaction and a hundred to one, on SQLite with WAL and FULL, beside plain rows
of the same size written the same way; and records verified a second, beside SHA-256 over the same bytes.
"""

import argparse
import asyncio
import contextlib
import hashlib
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.measure import machine, print_figure
from server.db.engine import Database
from server.db.journal import Journal, verify
from server.db.migrate import upgrade

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
KIND, ACTOR = "benchmark:record:appended", "benchmark"


def append(engine: Engine, records: int, together: int) -> float:
    """Append records, so many to a transaction; return records a second."""
    journal = Journal("benchmark")
    begin = time.monotonic()
    with engine.connect() as connection:
        for start in range(0, records, together):
            with connection.begin():
                for number in range(start, start + together):
                    journal.append_sync(connection, AT, KIND, ACTOR, {"number": number, "text": "x" * 100})
    return records / (time.monotonic() - begin)


def plain(folder: Path, records: int, together: int) -> float:
    """Write plain rows of the same content, so many to a transaction; return rows a second."""
    with contextlib.closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as disk:
        disk.execute("pragma journal_mode=wal")
        disk.execute("pragma synchronous=full")
        disk.execute("create table if not exists a (id integer primary key, at, kind, actor, body, hash)")
        begin = time.monotonic()
        for start in range(0, records, together):
            disk.execute("begin immediate")
            for number in range(start, start + together):
                body = f'{{"number":{number},"text":"{"x" * 100}"}}'
                row = (AT.isoformat(), KIND, ACTOR, body, bytes(32))
                disk.execute("insert into a (at, kind, actor, body, hash) values (?, ?, ?, ?, ?)", row)
            disk.execute("commit")
        return records / (time.monotonic() - begin)


def hashing(records: int) -> float:
    """Return how many SHA-256 over a record's bytes fit into a second."""
    begin, digest = time.monotonic(), bytes(32)
    for number in range(records):
        digest = hashlib.sha256(digest + f"{number}".encode() + b"x" * 260).digest()
    return records / (time.monotonic() - begin)


def measure(folder: Path, records: int) -> None:
    """Measure and print."""
    db = Database(f"sqlite:///{folder / 'journal.db'}")
    upgrade(db)
    engine = db.sync_engine()
    conditions = machine() | {"records": records}
    one, hundred = append(engine, records // 10, 1), append(engine, records, 100)
    print_figure("journal_records_per_s", one, "1/s", plain(folder, records // 10, 1), conditions)
    floor = plain(folder, records, 100)
    print_figure("journal_records_per_s_by_hundred", hundred, "1/s", floor, conditions)
    with engine.connect() as connection:
        begin = time.monotonic()
        found = verify(connection)
        took = time.monotonic() - begin
    if found.faults:
        raise RuntimeError(f"the journal does not verify: {found.faults}")
    total = records + records // 10
    print_figure("journal_verified_per_s", total / took, "1/s", hashing(total), conditions)
    engine.dispose()
    asyncio.run(db.close())


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 records in place of 50,000")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        measure(Path(folder), 5_000 if arguments.quick else 50_000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
