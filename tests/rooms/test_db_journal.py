"""The journal on a real database."""

from sqlalchemy import text

from server.db.engine import Database
from server.db.journal import Journal, heads, verify
from tests.support.database import act_on


async def _write(db: Database, journal: Journal, *bodies: dict[str, str]) -> None:
    for body in bodies:
        async with act_on(db, journal=journal) as act:
            await act.record("test:record:written", body)


async def test_an_untouched_journal_verifies(db: Database) -> None:
    """Two incarnations with Chinese text verify without a fault."""
    await _write(db, Journal("first"), {"a": "一"}, {"b": "二"})
    await _write(db, Journal("second"), {"c": "三"})
    async with db.reading() as session:
        outcome = await session.run_sync(verify)
    assert outcome.chains == 2
    assert outcome.records == 5  # each chain opens with a record of the heads it found
    assert outcome.faults == ()


async def test_a_changed_record_is_found(db: Database) -> None:
    """Changing one character of a record's body makes verification name that record."""
    await _write(db, Journal("first"), {"a": "1"}, {"b": "2"}, {"c": "3"})
    async with db.writing() as session:
        await session.execute(text('UPDATE journal_record SET body = \'{"b":"9"}\' WHERE seq = 3'))
    async with db.reading() as session:
        outcome = await session.run_sync(verify)
    assert len(outcome.faults) == 1
    assert "record 3" in outcome.faults[0]


async def test_a_removed_last_record_is_found(db: Database) -> None:
    """Deleting the newest record is found by the head that still names it."""
    await _write(db, Journal("first"), {"a": "1"}, {"b": "2"})
    async with db.writing() as session:
        await session.execute(text("DELETE FROM journal_record WHERE seq = 3"))
    async with db.reading() as session:
        outcome = await session.run_sync(verify)
    assert any("head names record 3" in fault for fault in outcome.faults)


async def test_a_new_incarnation_names_the_heads_it_found(db: Database) -> None:
    """The first record of a new chain holds the head of the chain before it."""
    first = Journal("first")
    await _write(db, first, {"a": "1"})
    async with db.reading() as session:
        (head,) = await heads(session)
    await _write(db, Journal("second"), {"b": "2"})
    async with db.reading() as session:
        body = (
            await session.execute(
                text("SELECT body FROM journal_record WHERE chain <> :chain AND seq = 1"),
                {"chain": first.chain},
            )
        ).scalar_one()
    assert f"{head.seq}:{head.hash.hex()}" in body


async def test_a_failed_act_leaves_nothing(db: Database) -> None:
    """An exception inside an act leaves neither its record nor its chain behind."""
    try:
        async with act_on(db) as act:
            await act.record("test:record:written", {"a": "1"})
            raise RuntimeError("halfway")
    except RuntimeError:
        pass
    async with db.reading() as session:
        assert await heads(session) == ()
