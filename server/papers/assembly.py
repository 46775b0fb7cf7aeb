"""Assembly: hands that meet every bound where exchanges of single items do not, by integer programming (HiGHS).

A few papers that break bounds, and others beside them, are chosen anew together: cells exact, enemies apart,
neighbours within the overlap, worth within the band, no item above its cap. The solver runs with one thread, a fixed
seed, whole-number costs and limits of gap and nodes, never of time, so that the same release on the same machine
answers the same. Another release may choose another of equally good answers; therefore the answer is part of the
draw's record and is checked, not computed, when a draw is verified.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from server.papers.bounds import breaches
from server.papers.drawing import Problem, Solution, Solver
from server.papers.stream import Stream

VARIABLES = 24_000
"""Most choices (paper × item) in one question to the solver."""
QUESTIONS = 400
IDLE = 3
"""Questions in a row that lessen no breach, after which more papers are chosen anew together."""
FREE, FREE_A_PLACE = 60, 8
"""Items beside those in hand that a cell offers: so many, or so many for each place."""
NODES = 20_000
GAP = 0.05


def recorded(solution: Solution) -> Solver:
    """Return a solver that gives the recorded answer; the draw checks it against every bound."""
    return lambda _: solution


def assemble(problem: Problem) -> Solution:
    """Return new hands for the papers that break a bound, and for those changed with them; empty when some bound
    cannot be met within the limits of the search."""
    hands = [list(hand) for hand in problem.hands]
    stream = Stream(problem.seed, "assembly")
    changed: set[int] = set()
    beside, idle, least = 3, 0, len(hands) * len(hands)
    for _ in range(QUESTIONS):
        left = breaches(hands, problem.bounds)
        if not left:
            return {paper: tuple(hands[paper]) for paper in sorted(changed)}
        idle = 0 if len(left) < least else idle + 1
        least = min(least, len(left))
        block, whole = _block(problem, [one.paper for one in left], stream, beside)
        found = _Question(problem, hands, block, stream).answer() if idle < IDLE else None
        if found is None:
            if whole:
                return {}
            beside, idle = beside * 3, 0
            continue
        for paper, hand in zip(block, found, strict=True):
            if hand != hands[paper]:
                changed.add(paper)
                hands[paper] = hand
    return {}


def _block(problem: Problem, broken: Sequence[int], stream: Stream, beside: int) -> tuple[list[int], bool]:
    """Return the papers to be chosen anew, and whether no larger choice is left to ask for."""
    papers = len(problem.hands)
    each = sum(
        min(len(pool), FREE + (FREE_A_PLACE + 4) * (stop - start))
        for pool, (start, stop) in zip(problem.pools, problem.bounds.spans, strict=True)
    )
    most = min(papers, max(4, VARIABLES // max(1, each)))
    first = list(dict.fromkeys(broken))[: max(1, most // 2)]
    held = set(first)
    others = [paper for paper in stream.order(papers) if paper not in held]
    block = sorted(first + others[: min(most - len(first), beside * len(first))])
    return block, len(block) >= most


class _Question:
    """One integer programme: the block's hands anew, all other hands as they are."""

    def __init__(self, problem: Problem, hands: list[list[int]], block: list[int], stream: Stream) -> None:
        self._problem, self._hands, self._block = problem, hands, block
        inside = set(block)
        outside: dict[int, int] = {}
        for paper, hand in enumerate(hands):
            if paper not in inside:
                for item in hand:
                    outside[item] = outside.get(item, 0) + 1
        self._room = {item: cap - outside.get(item, 0) for item, cap in problem.caps.items()}
        self._pools = [self._pool(cell, stream) for cell in range(len(problem.pools))]
        self._column: dict[tuple[int, int], int] = {}
        self._costs: list[int] = []
        self._rows: list[tuple[float, float, list[int], list[float]]] = []
        used = {item for paper in block for item in hands[paper]}
        for paper in block:
            mine = set(hands[paper])
            drawn = stream.numbers(9, sum(map(len, self._pools)))
            for item, one in zip((item for pool in self._pools for item in pool), drawn, strict=True):
                self._column[paper, item] = len(self._costs)
                self._costs.append(0 if item in mine else 1 + one + (0 if item in used else 20))

    def _pool(self, cell: int, stream: Stream) -> list[int]:
        """Return the items that may be chosen for a cell: all, or in a large bank those in hand and some more."""
        start, stop = self._problem.bounds.spans[cell]
        held = {item for paper in self._block for item in self._hands[paper][start:stop]}
        free = [item for item in self._problem.pools[cell] if item not in held and self._room[item] > 0]
        most = max(FREE_A_PLACE * (stop - start), FREE)
        if len(free) > most:
            free = [free[place] for place in stream.order(len(free))[:most]]
        return sorted(held) + sorted(free)

    def answer(self) -> list[list[int]] | None:
        """Return the block's hands in the order of the block, or None when there is none within the limits."""
        for paper in self._block:
            self._cells(paper)
            self._enemies(paper)
            self._overlaps(paper)
            self._band(paper)
        for item in sorted({item for _, item in self._column}):
            columns = [self._column[paper, item] for paper in self._block]
            if self._room[item] < len(columns):
                self._row(0, self._room[item], columns)
        chosen = _solved(self._costs, self._rows)
        if chosen is None:
            return None
        return [
            [item for pool in self._pools for item in pool if chosen[self._column[paper, item]]]
            for paper in self._block
        ]

    def _row(
        self, low: float, high: float, columns: list[int], values: Sequence[float] | None = None
    ) -> None:
        self._rows.append((low, high, columns, list(values) if values is not None else [1.0] * len(columns)))

    def _cells(self, paper: int) -> None:
        for pool, (start, stop) in zip(self._pools, self._problem.bounds.spans, strict=True):
            self._row(stop - start, stop - start, [self._column[paper, item] for item in pool])

    def _enemies(self, paper: int) -> None:
        enemies: Mapping[int, frozenset[int]] = self._problem.bounds.enemies
        for pool in self._pools:
            for item in pool:
                for other in sorted(enemies.get(item, ())):
                    if other > item and (paper, other) in self._column:
                        self._row(0, 1, [self._column[paper, item], self._column[paper, other]])

    def _overlaps(self, paper: int) -> None:
        bounds = self._problem.bounds
        if bounds.overlap is None:
            return
        inside = set(self._block)
        for other in bounds.neighbours[paper]:
            if other not in inside:
                common = [
                    self._column[paper, item] for item in self._hands[other] if (paper, item) in self._column
                ]
                self._row(0, bounds.overlap, common)
            elif other > paper:
                both: list[int] = []
                for pool in self._pools:
                    for item in pool:
                        together = len(self._costs)
                        self._costs.append(0)
                        columns = [self._column[paper, item], self._column[other, item], together]
                        self._row(-1, 1, columns, [1.0, 1.0, -1.0])
                        both.append(together)
                self._row(0, bounds.overlap, both)

    def _band(self, paper: int) -> None:
        bounds = self._problem.bounds
        if bounds.low is None or bounds.high is None:
            return
        items = [item for pool in self._pools for item in pool]
        # In points, not millionths: the solver works with tolerances of 10⁻⁶; the draw checks in whole numbers.
        self._row(
            bounds.low / 1e6,
            bounds.high / 1e6,
            [self._column[paper, item] for item in items],
            [bounds.worth[item] / 1e6 for item in items],
        )


def _solved(
    costs: Sequence[int], rows: Sequence[tuple[float, float, list[int], list[float]]]
) -> list[bool] | None:
    import highspy  # a third of a second, spent only where exchanges do not suffice

    lp = highspy.HighsLp()
    count = len(costs)
    lp.num_col_, lp.num_row_ = count, len(rows)
    lp.col_cost_ = np.array(costs, dtype=np.double)
    lp.col_lower_, lp.col_upper_ = np.zeros(count), np.ones(count)
    lp.row_lower_ = np.array([row[0] for row in rows], dtype=np.double)
    lp.row_upper_ = np.array([row[1] for row in rows], dtype=np.double)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * count
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.cumsum([0, *(len(row[2]) for row in rows)]).astype(np.int32)
    lp.a_matrix_.index_ = np.array([column for row in rows for column in row[2]], dtype=np.int32)
    lp.a_matrix_.value_ = np.array([value for row in rows for value in row[3]], dtype=np.double)
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("random_seed", 1),
        ("mip_rel_gap", GAP),
        ("mip_max_nodes", NODES),
    ):
        solver.setOptionValue(name, value)
    solver.passModel(lp)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    return [value > 0.5 for value in solver.getSolution().col_value]
