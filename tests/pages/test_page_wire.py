"""The pages' half of the wire says what the server's half says: same bytes, same digests, same boards."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from server.protocol.board import HallCounts, SeatView, SlotView, Snapshot, applied, change, encode
from server.protocol.envelope import answered_count, answers_digest, seat_proof
from tests.support.browser import Centre

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def test_answers_digest_and_seat_proof_agree(page: Any, centre: Centre) -> None:
    """Page and server compute the same digest, count and proof bytes, with Chinese text, quotes and cleared items."""
    answers = {
        3: ("A",),
        1: ("B", "D"),
        12: ("三分之一", 'a"b\\c'),
        7: ("", ""),
        9: (),
        2: ("é\u2028", "\t"),
    }
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector("#code")  # nothing is left on its way when the server ends
    digest, count, proof = page.evaluate(
        """async ([rows, nonce, seat]) => {
             const wire = await import("/static/candidate/wire.mjs");
             const answers = new Map(rows);
             return [await wire.answersDigest(answers), wire.answeredCount(answers),
                     [...wire.seatProof(nonce, seat)]]; }""",
        [[[n, list(v)] for n, v in answers.items()], "0f" * 32, "seat-7"],
    )
    assert digest == answers_digest(answers)
    assert count == answered_count(answers)
    assert bytes(proof) == seat_proof(bytes.fromhex("0f" * 32), "seat-7")


def snapshot(seats: tuple[SeatView, ...], saved: int) -> Snapshot:
    """Return a board with these seats."""
    slot = SlotView(
        id="slot-1",
        plan="plan-1",
        plan_name="plan",
        occupation="occupation",
        level=4,
        subject="theory",
        place="hall",
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=90),
        minutes=90,
        early=30,
        late=15,
        seals_shown_at=None,
        papers_sealed=2,
        start_key_open=False,
        bell="early",
        standing="good",
        outcome=None,
    )
    counts = HallCounts(
        enrolled=2,
        checked_in=0,
        present=0,
        absent=0,
        writing=0,
        handed_in=0,
        collected=0,
        voided=0,
        online=0,
        saved=saved,
        gaps=(),
    )
    return Snapshot(
        id=4,
        epoch="e",
        now=NOW,
        rate=1.0,
        slot=slot,
        rooms=(),
        seats=seats,
        counts=counts,
        steps=(),
        alerts=(),
        cameras=(),
        incidents=(),
    )


def seat(number: int, answered: int, sign: str = "writing") -> SeatView:
    """Return one seat of room 1."""
    return SeatView(
        sitting=f"sitting-{number}",
        candidate=f"candidate-{number}",
        ticket=f"T{number}",
        name=f"name {number}",
        room="1",
        seat=number,
        state="opened",
        sign=sign,
        answered=answered,
        items=8,
        online=True,
        last_heard=NOW,
        ends_at=None,
        camera=None,
        calls=0,
    )


def test_board_applies_a_change_as_the_server_does(page: Any, centre: Centre) -> None:
    """The page's snapshot after a change is the server's; a change that does not follow is refused by both."""
    old = snapshot((seat(1, 2), seat(2, 5)), 7)
    new = snapshot((seat(1, 3), seat(2, 5, "offline")), 8)
    step = change(old, new)
    assert step is not None
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector("#code")  # nothing is left on its way when the server ends
    after, missed = page.evaluate(
        """async ([old, change]) => {
             const state = await import("/static/hall/state.mjs");
             return [state.applied(old, change), state.applied({ ...old, id: old.id + 1 }, change)]; }""",
        [json.loads(encode(old)), json.loads(encode(step))],
    )
    expected = json.loads(msgspec.json.encode(applied(old, step)))
    assert {**after, "now": None} == {**expected, "now": None}
    assert missed is None
