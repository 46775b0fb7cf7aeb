"""Which answers count, and what a kiosk may say when."""

from datetime import UTC, datetime, timedelta

import pytest

from server.delivery import conversation as talk
from server.delivery.answers import Capture, Standing, Timeliness, counts, newer, storable, timeliness
from server.delivery.sitting import State
from server.delivery.timing import Pause, Policy, Times
from server.errors import Refusal
from server.protocol import exam

BELL = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
END = BELL + timedelta(minutes=90)
TIMES = Times(Policy(90, 30, 15), BELL)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def capture(beacon: datetime, elapsed_s: float, rate: float = 1.0) -> Capture:
    return Capture(beacon, round(elapsed_s * 1000), rate)


@pytest.mark.parametrize(
    ("received", "captured", "expected"),
    [
        (END - s(0.001), None, Timeliness.IN_TIME),
        (END, capture(END - s(5), 4.999), Timeliness.IN_TIME),
        (END, capture(END - s(5), 5.0), Timeliness.LATE),
        (END + s(29.999), capture(END - s(29.999), 1), Timeliness.IN_TIME),
        (END + s(30), capture(END - s(5), 1), Timeliness.LATE),
        (END + s(1), capture(END - s(30), 1), Timeliness.LATE),
        (END + s(1), None, Timeliness.LATE),
        (END + s(1), capture(END + s(0.5), 0), Timeliness.LATE),
    ],
)
def test_grace(received: datetime, captured: Capture | None, expected: Timeliness) -> None:
    """After the end an answer counts only within 30 s, with a beacon younger than 30 s at the end and a
    capture before it."""
    assert timeliness(TIMES, received, captured) is expected


def test_capture_follows_the_rate() -> None:
    """Legal elapsed time is rate × monotonic elapsed time."""
    assert capture(BELL, 2.0, rate=60.0).at == BELL + s(120)


def test_before_the_bell_is_refused() -> None:
    """An answer before the start is refused, not kept for later."""
    refusal = timeliness(TIMES, BELL - s(0.001), None)
    assert isinstance(refusal, Refusal) and refusal.code == "answer-before-start"


def test_answer_in_a_pause_is_in_time() -> None:
    """An answer that arrives while the exam is paused was on its way, and counts."""
    paused = Times(Policy(90), BELL, pauses=(Pause(BELL + s(60), None),))
    assert timeliness(paused, BELL + s(61), None) is Timeliness.IN_TIME


@pytest.mark.parametrize(
    ("mine", "standing", "expected"),
    [
        ((1, 1), None, True),
        ((1, 2), (1, 1), True),
        ((1, 1), (1, 1), False),
        ((1, 1), (1, 2), False),
        ((2, 1), (1, 99), True),
        ((1, 99), (2, 1), False),
    ],
)
def test_order_is_lease_then_seq(
    mine: tuple[int, int], standing: tuple[int, int] | None, expected: bool
) -> None:
    """A newer device goes before a later number, and nothing goes before itself."""
    assert newer(*mine, None if standing is None else Standing(*standing)) is expected


@pytest.mark.parametrize("state", list(State))
def test_what_a_state_keeps(state: State) -> None:
    """Answers are kept once a paper was opened and not cancelled, and count only while it is open, or was halted
    with answers on their way.
    """
    kept = storable(state, 1, 1) is None
    assert kept == (state in (State.OPENED, State.HALTED, State.HANDED_IN, State.COLLECTED))
    assert counts(state, Timeliness.IN_TIME) == (state in (State.OPENED, State.HALTED))
    assert not counts(state, Timeliness.LATE)


def test_unknown_lease_is_refused() -> None:
    """A lease that was never given is refused."""
    refusal = storable(State.OPENED, 3, 2)
    assert refusal is not None and refusal.code == "lease-unknown"


HELLO = exam.Hello(seat="s", signature="0" * 128)
SIGN_IN = exam.SignIn(ticket="T", id_number="1")
RESUME = exam.Resume(sitting="x", lease=1, token="0" * 64)
ANSWER = exam.Answer(lease=2, seq=1, number=1, value=("A",))
OLD_ANSWER = exam.Answer(lease=1, seq=1, number=1, value=("A",))
HAND_IN = exam.HandIn(lease=2, seq=2, count=0, digest="0" * 64)
MARK = exam.Mark(number=1, on=True)
CALL = exam.Call(reason="help")
OPENED = exam.Opened(paper="p", items=1)

START = talk.Conversation()
PROVED = talk.proved(START, "seat")
SEATED = talk.seated(PROVED, "sitting", 2)
FLUSHING = talk.flushing(PROVED, "sitting", 2)
FINISHED = talk.finished(SEATED)


@pytest.mark.parametrize(
    ("conversation", "message", "expected"),
    [
        (START, HELLO, talk.ProveSeat),
        (PROVED, HELLO, "hello-twice"),
        (START, exam.Hello(seat="s", signature="0" * 128, version=9), "version-other"),
        *[(START, m, "seat-not-proved") for m in (SIGN_IN, RESUME, ANSWER, HAND_IN, MARK, CALL, OPENED)],
        (PROVED, SIGN_IN, talk.FindCandidate),
        (PROVED, RESUME, talk.TakeUp),
        *[(PROVED, m, "not-seated") for m in (ANSWER, HAND_IN, MARK, CALL, OPENED)],
        (SEATED, SIGN_IN, "seated-already"),
        (SEATED, RESUME, "seated-already"),
        (SEATED, ANSWER, talk.StoreAnswer),
        (SEATED, OLD_ANSWER, "lease-other"),
        (SEATED, HAND_IN, talk.EndPaper),
        (SEATED, MARK, talk.StoreMark),
        (SEATED, CALL, talk.BringHelp),
        (SEATED, OPENED, talk.NoteOpened),
        (FLUSHING, ANSWER, talk.StoreAnswer),
        (FLUSHING, HAND_IN, "lease-superseded"),
        (FLUSHING, MARK, "not-seated"),
        (FINISHED, ANSWER, talk.StoreAnswer),
        (FINISHED, HAND_IN, "hand-in-already"),
        (FINISHED, CALL, "not-seated"),
        (FINISHED, SIGN_IN, talk.FindCandidate),
        (START, exam.Pong(n=1), talk.NoteHeard),
    ],
)
def test_what_may_be_said_when(
    conversation: talk.Conversation, message: exam.FromKiosk, expected: type | str
) -> None:
    """Each message is taken in its stages and refused with its reason in all others."""
    act = talk.next_act(conversation, message)
    if isinstance(expected, str):
        assert isinstance(act, Refusal)
        assert act.code == expected
    else:
        assert isinstance(act, expected)


def test_refusal_names_the_seq() -> None:
    """The refusal of an answer says which answer it is about."""
    told = talk.refused(ANSWER, Refusal("retry"))
    assert (told.about, told.seq, told.code) == ("answer", 1, "retry")
