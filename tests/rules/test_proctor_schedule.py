"""Where a camera's pictures are searched for faces: doubts first, quiet places seldom, none forgotten."""

from hypothesis import given, settings
from hypothesis import strategies as st

from server.proctor.schedule import RULE, Look, Need, Place, plan, urgency

SIZE = (1280, 720)


def seat(key: str, x: float, y: float, tall: float = 30.0) -> Place:
    return Place(key, (x - 1.75 * tall, y - 1.45 * tall, x + 1.75 * tall, y + 0.9 * tall), tall)


ROOM = tuple(
    seat(f"{row} {column}", 640 + (column - 2.5) * 4 * tall, y, tall)
    for row, (y, tall) in enumerate(
        ((118.0, 26.0), (200.0, 30.0), (296.0, 35.0), (406.0, 41.0), (535.0, 48.0))
    )
    for column in range(6)
)


def looks_at(needs: dict[str, Need]) -> tuple[Look, ...]:
    return plan(ROOM, needs, SIZE, 10.0, 1.0)


def pixels(looks: tuple[Look, ...]) -> int:
    return sum(look.net[0] * look.net[1] for look in looks)


def test_doubt_comes_first_and_larger() -> None:
    """A seat in doubt is in the first window, enlarged more than the same seat at its turn, whatever waits longer."""
    old = {place.key: Need(11.0) for place in ROOM}
    (first, *_) = looks_at(old | {"0 3": Need(1.0, doubt=True)})
    (turn, *_) = looks_at({place.key: Need(1.0) for place in ROOM} | {"0 3": Need(11.0)})
    assert "0 3" in (first.keys or ())
    assert "0 3" in (turn.keys or ())

    def scale(look: Look) -> float:
        return look.net[0] / (look.window[2] - look.window[0])

    assert scale(first) > 1.2 * scale(turn)


def test_what_moved_comes_before_what_is_still() -> None:
    """After six seconds a place that moved is looked at and a still one is not."""
    assert looks_at({place.key: Need(6.0) for place in ROOM}) == ()
    (look,) = looks_at({place.key: Need(6.0, moved=place.key == "4 5") for place in ROOM})
    assert "4 5" in (look.keys or ())


def test_whole_pictures_are_seldom() -> None:
    """The whole is looked at at first, after a minute, and wherever pictures come seldom; otherwise windows are."""
    needs = {place.key: Need(5.0, moved=True) for place in ROOM}
    for since_whole_s, interval_s in ((float("inf"), 1.0), (60.0, 1.0), (10.0, 30.0)):
        (look,) = plan(ROOM, needs, SIZE, since_whole_s, interval_s)
        assert (look.keys, look.net) == (None, SIZE)
    assert 0 < pixels(looks_at(needs)) < SIZE[0] * SIZE[1] / 10


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(20, 1260), st.floats(20, 700), st.floats(12, 90)), min_size=1, max_size=60),
    st.sets(st.integers(0, 59)),
    st.sets(st.integers(0, 59)),
)
def test_no_seat_is_forgotten(
    spots: list[tuple[float, float, float]], doubted: set[int], moving: set[int]
) -> None:
    """However seats lie, and whichever are in doubt or move without end, none waits longer than the bound and a
    second, and no picture gets more windows than allowed, each inside the picture."""
    places = [seat(str(n), *spot) for n, spot in enumerate(spots)]
    seen, whole_at = {place.key: 0 for place in places}, 0
    for second in range(1, 30):
        needs = {
            p.key: Need(second - seen[p.key], doubt=n in doubted, moved=n in moving)
            for n, p in enumerate(places)
        }
        looks = plan(places, needs, SIZE, second - whole_at, 1.0)
        assert len(looks) <= RULE.most_windows
        for look in looks:
            x1, y1, x2, y2 = look.window
            assert 0 <= x1 < x2 <= SIZE[0]
            assert 0 <= y1 < y2 <= SIZE[1]
            if look.keys is None:
                whole_at = second
            for key in seen if look.keys is None else look.keys:
                seen[key] = second
        assert max(second - at for at in seen.values()) <= RULE.oldest_s + 1


def test_a_doubt_is_not_looked_at_twice_in_a_moment() -> None:
    """A place in doubt wants no look before the rule's pause is over, and the most urgent of all after it."""
    assert urgency(ROOM[0], Need(0.5, doubt=True)) == 0
    assert urgency(ROOM[0], Need(1.0, doubt=True)) > urgency(ROOM[0], Need(1000.0))
