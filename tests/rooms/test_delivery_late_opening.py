"""The journal opening in a real child process, from the draw's key to the opened entries."""

from pathlib import Path

import pytest

from kiosk.vault import JournalBook, SeatKey
from server.conduct.opening_facts import opening_facts
from server.db.journal import Journal
from server.delivery import late_journals, late_service
from server.delivery.models import LeaseRow, SeatRow, SittingRow
from server.delivery.sitting import State
from server.errors import Refused
from server.keys.ceremony import create_custodians
from server.keys.identity import Identity
from server.keys.openings_launcher import Launcher, child_command
from server.keys.openings_wire import opening_info
from server.keys.ring import create_key
from server.keys.sealing import generate_receiving, hpke_seal
from server.keys.start_keys import StartKeys
from server.protocol.exam import Answer
from tests.support.clock import FakeClock
from tests.support.database import act_on, database
from tests.support.hall import HallDay
from tests.support.papers import PLAN, SLOT

WORDS = {"chen": "first long passphrase", "sun": "second long passphrase"}


async def test_two_custodians_open_the_journals_that_wait(tmp_path: Path, clock: FakeClock) -> None:
    """Refused while none waits; then two passphrases open the entries in a child process."""
    config, folder = tmp_path / "centre.toml", tmp_path / "data"
    config.write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    folder.mkdir()
    identity = Identity.open_or_create(folder)
    async with database(f"sqlite:///{folder / 'gongyuan.db'}") as db:
        day = HallDay(db, clock, identity)
        await day.draw()
        await day.check_in(0)
        await day.ring()
        await day.open(0)
        private, public = generate_receiving()
        async with act_on(db) as act:
            await create_custodians(act, [(name, name, word) for name, word in WORDS.items()])
            await create_key(act, "journal", SLOT, private)
            await late_journals.keep_recovery_key(act, SLOT, public)
        launcher = Launcher(db, Journal("server"), clock, child_command(config, None), StartKeys())
        try:
            async with db.reading() as session:
                facts = await opening_facts(session, SLOT, "journal")
            with pytest.raises(Refused, match="journals-none-waiting"):
                await launcher.begin("journal", PLAN, SLOT, "staff:chief", facts)
            key = SeatKey.generate()
            async with act_on(db) as act:
                row = await act.session.get(SittingRow, "sitting-0")
                assert row is not None
                row.lease = 1
                act.session.add_all(
                    [
                        SeatRow(
                            id="seat-x",
                            room="01",
                            number=1,
                            kind="page",
                            public_key=key.public,
                            enrolled_at=act.now,
                        ),
                        LeaseRow(sitting="sitting-0", lease=1, seat="seat-x", taken_at=act.now),
                    ]
                )
                await act.session.flush()
                book = JournalBook(key, "seat-x", "sitting-0", 1, public)
                book.write(Answer(lease=1, seq=1, number=1, value=("B",)))
                other = JournalBook(key, "seat-x", "sitting-0", 1, generate_receiving()[1])
                assert await late_journals.keep(act, book.head, 0, book.entries, "line", "seat-x") == 1
                assert other.head.wrapped != book.head.wrapped
            await day.end(0, State.COLLECTED)
            async with db.reading() as session:
                facts = await opening_facts(session, SLOT, "journal")
            offer = await launcher.begin("journal", PLAN, SLOT, "staff:chief", facts)
            for name, word in WORDS.items():
                sealed = hpke_seal(offer.public_key, word.encode(), opening_info(offer.id))
                await launcher.passphrase(offer.id, name, sealed)
            progress = await launcher.finished(offer.id, 120.0)
            assert (progress.done, progress.outcome) == (True, {"journals": 1, "faults": 0})
        finally:
            await launcher.stop()
        async with db.reading() as session:
            (item,) = await late_service.items(session, "sitting-0")
            assert await late_journals.waiting(session, SLOT) == 0
        assert item.late.value == ("B",)
        assert item.refusal is not None and item.refusal.code == "late-without-evidence"
