"""Seats proposed from how a room filled: every seat where it is, under its own number, with honest sureness."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from server.proctor.gathering import Gathering
from server.proctor.proposals import Basis, Change, Numbering, Track, numberings, propose
from server.proctor.simulation import COLUMNS, HEIGHT, WIDTH, place

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
SIZE = (WIDTH, HEIGHT)
NAMES = tuple(str(n) for n in range(1, 31))


def filled_room(
    numbering: Numbering, absent: set[str], seed: int, walkers: int = 0, spread_s: int = 40
) -> tuple[dict[str, datetime], tuple[Track, ...], dict[str, tuple[float, float, float]]]:
    """Return check-ins, tracks and true places of the drawn hall, its seats numbered in another way."""
    dice = random.Random(seed)
    truth = {}
    for index, seat in enumerate(NAMES):
        column, row = numbering.cell(index, 30)
        truth[seat] = place(row * COLUMNS + column + 1)
    arriving = [seat for seat in NAMES if seat not in absent]
    dice.shuffle(arriving)
    seated, tracks = {}, []
    for n, seat in enumerate(arriving):
        at = START + timedelta(seconds=spread_s * n)
        seated[seat] = at
        x, y, head = truth[seat]
        came = at + timedelta(seconds=dice.uniform(-60, 120))
        tracks.append(
            Track(
                x + dice.gauss(0, 0.15) * head,
                y + dice.gauss(0, 0.12) * head,
                head * dice.uniform(0.9, 1.1),
                came,
                START + timedelta(minutes=30),
                dice.randint(8, 200),
            )
        )
    for _ in range(walkers):
        x, y, head = place(dice.randint(1, 30))
        at = START + timedelta(seconds=dice.randint(0, 900))
        tracks.append(Track(x + 2 * head, y - head, head, at, at + timedelta(minutes=3), 6))
    return seated, tuple(tracks), truth


def off_by(region_head: tuple[float, float], true: tuple[float, float, float]) -> float:
    """Return how far a head point is from the true one, in face heights."""
    return float(((region_head[0] - true[0]) ** 2 + (region_head[1] - true[1]) ** 2) ** 0.5 / true[2])


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(numberings(30, 6)),
    st.sets(st.sampled_from(NAMES), max_size=5),
    st.integers(0, 10_000),
    st.integers(0, 2),
)
def test_every_seat_is_found_under_its_own_number(
    numbering: Numbering, absent: set[str], seed: int, walkers: int
) -> None:
    """However seats are numbered and whoever is absent, each seat of which the proposal is sure is in its place."""
    seated, tracks, truth = filled_room(numbering, absent, seed, walkers)
    made = propose(SIZE, NAMES, seated, tracks, known=numberings(30, 6))
    sure = [one for one in made.seats if one.region.sureness >= 0.5]
    assert all(off_by(one.region.head, truth[one.region.seat]) <= 0.8 for one in sure)
    assert len(sure) >= 0.8 * len(seated)


def test_columns_need_not_be_told() -> None:
    """From times and places alone a room of five rows of six is recognised among all widths."""
    seated, tracks, truth = filled_room(Numbering(6), {"3", "17"}, 5)
    made = propose(SIZE, NAMES, seated, tracks)
    assert made.numbering == Numbering(6)
    assert made.order_sureness == 1.0
    assert len(made.seats) == 30
    assert all(off_by(one.region.head, truth[one.region.seat]) <= 0.8 for one in made.seats)


def test_an_absent_candidates_seat_is_inferred_and_less_sure() -> None:
    """A seat that nobody took stands where the rows put it, and is less sure than every seat that was taken."""
    seated, tracks, truth = filled_room(Numbering(6), {"9"}, 3)
    made = propose(SIZE, NAMES, seated, tracks, known=(Numbering(6),))
    inferred = next(one for one in made.seats if one.region.seat == "9")
    assert inferred.basis is Basis.INFERRED
    assert off_by(inferred.region.head, truth["9"]) < 0.5
    assert all(one.region.sureness > inferred.region.sureness for one in made.seats if one is not inferred)


def test_a_head_that_stays_down_is_known_by_the_change_of_the_picture() -> None:
    """A candidate whose face never shows makes his seat surer when its part of the picture changed as he came."""
    seated, tracks, truth = filled_room(Numbering(6), set(), 4)
    x, y, head = truth["9"]
    others = tuple(track for track in tracks if off_by((track.x, track.y), truth["9"]) > 1)
    cells = [(x + dx * head, y + dy * head) for dx in (-0.6, -0.2, 0.2, 0.6) for dy in (-0.4, 0, 0.4, 0.8)]
    changes = [Change(cx, cy, seated["9"]) for cx, cy in cells]
    blind = propose(SIZE, NAMES, seated, others, known=(Numbering(6),))
    told = propose(SIZE, NAMES, seated, others, changes, known=(Numbering(6),))
    before, after = (next(o for o in made.seats if o.region.seat == "9") for made in (blind, told))
    assert (before.basis, after.basis) == (Basis.INFERRED, Basis.CHANGED)
    assert after.region.sureness > before.region.sureness


def test_all_checked_in_at_once_leaves_the_order_unsure() -> None:
    """Where times tell nothing, mirrored numberings fit alike, and the proposal says that it is not sure."""
    _, tracks, _ = filled_room(Numbering(6), set(), 1)
    seated = dict.fromkeys(NAMES, START)
    made = propose(SIZE, NAMES, seated, tuple(tracks), known=numberings(30, 6))
    assert made.order_sureness < 0.2


def test_too_few_people_are_no_proposal() -> None:
    """Three people in a room propose nothing: every seat stays unplaced."""
    seated, tracks, _ = filled_room(Numbering(6), set(NAMES[3:]), 1)
    made = propose(SIZE, NAMES, seated, tracks)
    assert made.seats == ()
    assert made.unplaced == NAMES


def test_who_walks_by_is_no_place() -> None:
    """A face that moves through the room leaves no place where somebody stayed; one that sits leaves exactly one."""
    gathering = Gathering()
    for n in range(40):
        at = START + timedelta(seconds=3 * n)
        walking = (40.0 + 60 * n, 100.0, 70.0 + 60 * n, 140.0, 0.9)
        wobble = 4.0 * (n % 3)
        gathering.add(SIZE, at, [(600.0 + wobble, 300.0, 636.0 + wobble, 345.0, 0.8), walking])
    stayed = [track for track in gathering.tracks() if track.stayed]
    assert len(stayed) == 1
    assert abs(stayed[0].x - 622) < 5
    assert stayed[0].sightings == 40


def test_a_gathering_takes_no_picture_twice_and_starts_anew_with_the_size() -> None:
    """Pictures less than two seconds apart count once, and another picture size forgets what was gathered."""
    gathering = Gathering()
    face = [(10.0, 10.0, 40.0, 50.0, 0.9)]
    for ms in (0, 500, 1000, 2000, 1500):
        gathering.add(SIZE, START + timedelta(milliseconds=ms), face)
    assert gathering.pictures == 2
    gathering.add((640, 360), START + timedelta(seconds=9), face)
    assert (gathering.pictures, gathering.tracks()[0].sightings) == (1, 1)
