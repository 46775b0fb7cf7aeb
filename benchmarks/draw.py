"""Draw and seal papers; print each figure and its ratio to a plain AES-256-GCM pass over the same bytes.

`python -m benchmarks.draw [--quick]`: 5,000 papers of 100 items from 5,000 items (quick: 500 papers), first as dealt,
then within bounds: 1,000 pairs of enemies, an exposure limit, neighbours beside and behind each other with at most
five common items, and sums of difficulty within a band of one point. One JSON line a figure: figure, value, unit,
floor, ratio, conditions.
"""

import argparse
import random
import time
from collections import Counter
from dataclasses import replace

from benchmarks.measure import machine, print_figure
from server.itembank.blueprint import Band, Blueprint, Cell, CellKey, key_of
from server.itembank.items import ItemContent
from server.keys.sealing import paper_key, seal
from server.papers.assembly import assemble
from server.papers.drawing import DrawItem, Given, Place, draw_solved, places_of
from server.papers.figures import figures_of
from server.papers.sealed import Composer, associated_data, paper_hash
from server.protocol.paper import ItemType

ITEMS = 5000
SEATS_A_ROOM = 30
ENEMIES = 1000


def made_bank() -> tuple[list[DrawItem], list[ItemContent]]:
    """Return 5,000 items of about 600 bytes each, from a fixed seed."""
    source = random.Random(20260314)
    syllables = "职业技能评价考试安全操作电路设备检测标准规范流程数据分析质量管理方法"
    bank: list[DrawItem] = []
    contents: list[ItemContent] = []
    types: tuple[ItemType, ...] = ("single", "single", "multiple", "judge")
    for number in range(ITEMS):
        kind = types[number % 4]
        stem = "".join(source.choices(syllables, k=60))
        options: tuple[str, ...] = ()
        key: tuple[str, ...] = ("T",)
        if kind != "judge":
            options = tuple("".join(source.choices(syllables, k=24)) + str(place) for place in range(4))
            key = ("A",) if kind == "single" else ("A", "C")
        point = f"{number % 5 + 1}"
        facility = source.randrange(500, 700) / 1000
        bank.append(
            DrawItem(f"{number:08d}", 1, number.to_bytes(32, "big"), kind, point, facility, len(options))
        )
        contents.append(ItemContent(f"{number}", kind, stem, options, key, (), point, facility, 1.0))
    return bank, contents


def made_blueprint(bank: list[DrawItem]) -> Blueprint:
    """Return a blueprint of 100 items over every point and type of the bank."""
    band: Band = "medium"
    keys = sorted({(item.point, item.type) for item in bank})
    each, over = divmod(100, len(keys))
    cells = tuple(
        Cell(CellKey(point, kind, band), each + (place < over), 1.0)
        for place, (point, kind) in enumerate(keys)
    )
    return Blueprint("基准", "基准", "4", 90, 60.0, cells, True, True, True, "exact", "exact", 0)


def within_bounds(bank: list[DrawItem], blueprint: Blueprint, papers: int) -> tuple[Blueprint, Given]:
    """Return the blueprint with bounds, and the enemies of the bank, from a fixed seed."""
    source = random.Random(20260315)
    pairs = {tuple(sorted(source.sample(range(ITEMS), 2))) for _ in range(ENEMIES)}
    named = tuple((bank[one].item, bank[other].item) for one, other in sorted(pairs))
    held = Counter(key_of(item.point, item.type, item.difficulty) for item in bank)
    most = max(-(-papers * cell.count // held[cell.key]) for cell in blueprint.cells)
    return (
        replace(blueprint, exposure_limit=most, overlap_limit=5, seat_rows=6, difficulty_spread=1.0),
        Given(named),
    )


def timed_draw(papers: int, *, bounded: bool) -> None:
    """Draw, compose, hash, seal; then only encrypt the same bytes again."""
    bank, contents = made_bank()
    blueprint, given = made_blueprint(bank), Given()
    if bounded:
        blueprint, given = within_bounds(bank, blueprint, papers)
    seats = [
        Place(f"sitting-{number}", f"{number // SEATS_A_ROOM:04d}", number % SEATS_A_ROOM + 1)
        for number in range(papers)
    ]
    places = places_of(seats, 0)
    start_key, seed = bytes(range(32)), bytes(32)
    composer = Composer("plan", "slot", "基准", blueprint, bank, contents)

    begin = time.process_time()
    draws, solution = draw_solved(seed, bank, blueprint, places, given, assemble)
    drawn_at = time.process_time()
    total = 0
    for one in draws:
        data = composer.paper_data(one)
        digest = paper_hash(data)
        aad = associated_data(one.paper, "plan", one.place.sitting, digest, 1)
        seal(paper_key(start_key, one.paper), data, aad)
        total += len(data)
    sealed_at = time.process_time()
    sheets = 0
    for one in draws:
        sheets += len(composer.sheet_data(one))
    sheeted_at = time.process_time()

    data = composer.paper_data(draws[0])
    key = paper_key(start_key, "floor")
    floor_begin = time.process_time()
    for _ in range(papers):
        seal(key, data, b"")
    floor = time.process_time() - floor_begin

    figures = figures_of(draws, blueprint.seat_rows)
    sums = [sum(bank[item].difficulty for item in one.items) for one in draws]
    conditions = machine() | {
        "papers": papers,
        "items": figures.items,
        "bank": ITEMS,
        "paper_bytes": total // papers,
        "exposure": figures.exposure,
        "overlap": figures.overlap,
        "difficulty_spread": round(max(sums) - min(sums), 3),
        "solved": len(solution),
        "time": "CPU, one core",
    }
    prefix = "bounded_" if bounded else ""
    for name, value in (
        ("draw_s", drawn_at - begin),
        ("compose_hash_seal_s", sealed_at - drawn_at),
        ("draw_and_seal_s", sealed_at - begin),
        ("marking_sheets_s", sheeted_at - sealed_at),
    ):
        print_figure(prefix + name, value, "s", floor, conditions)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 papers in place of 5,000")
    arguments = parser.parse_args()
    for bounded in (False, True):
        timed_draw(500 if arguments.quick else 5000, bounded=bounded)


if __name__ == "__main__":
    main()
