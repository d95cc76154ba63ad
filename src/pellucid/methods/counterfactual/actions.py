"""The grid of actions of one row, and the cheapest combination of them as a mixed-integer program.

Every column (or one-hot block) k has options, the first of which is to stay; u_ko in {0, 1} says that option o is taken:

    minimise sum_ko c_ko u_ko   (or the largest c_ko taken)
    subject to sum_o u_ko = 1 for every k,   low <= m(x) + sum_ko g_ko u_ko <= high,   A z (op) b with z = sum_ko v_ko u_ko

g_ko is what the option adds to the margin, exactly for a sum over columns. HiGHS solves it or proves that there is no solution.
Further answers change another set of columns: the sets found are cut off one by one (Ustun, Spangher & Liu 2019, the flipset).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from pellucid.methods.counterfactual.problem import Problem

_STEPS = 60  # the most steps of a stepped column that are on the grid
_SECONDS = 5.0  # for one program


@dataclass(frozen=True, eq=False)
class Grid:
    """Options of one row: `columns[k]` a tuple of columns, `options[k]` their values (q_k, columns), the first the row's own."""

    row: int
    columns: tuple[tuple[int, ...], ...]
    options: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, problem: Problem, row: int) -> Grid:
        seen: set[int] = set()
        columns, options = [], []
        for j in range(problem.x.shape[1]):
            block = tuple(problem.space.block(j))
            if j in seen:
                continue
            seen.update(block)
            values = _values(problem, row, block)
            if len(values) > 1 or not _fine(problem, row, block, values)[0]:
                columns.append(block)
                options.append(values)
        return cls(row, tuple(columns), tuple(options))

    @property
    def size(self) -> float:
        """How many combinations there are."""
        return float(np.prod([float(len(values)) for values in self.options]))

    def alone(self, x: np.ndarray) -> np.ndarray:
        """Every option taken alone: (sum of q, p), block after block"""
        made = np.tile(x, (sum(map(len, self.options)), 1))
        start = 0
        for block, values in zip(self.columns, self.options, strict=True):
            made[start : start + len(values), list(block)] = values
            start += len(values)
        return made

    def rows(self, x: np.ndarray, choice: np.ndarray) -> np.ndarray:
        """choice (m, blocks) of options -> rows (m, p)"""
        made = np.tile(x, (len(choice), 1))
        for k, (block, values) in enumerate(zip(self.columns, self.options, strict=True)):
            made[:, list(block)] = values[choice[:, k]]
        return made

    def every(self) -> np.ndarray:
        """All combinations, (size, blocks)"""
        counts = [len(values) for values in self.options]
        return (
            np.stack(np.unravel_index(np.arange(int(np.prod(counts))), counts), axis=1)
            if counts
            else np.zeros((1, 0), int)
        )


def _values(problem: Problem, row: int, block: tuple[int, ...]) -> np.ndarray:
    """The options of a block, its own values first: (q, columns)"""
    x, space, j = problem.x[row], problem.space, block[0]
    own = x[list(block)][None]
    limits = space.limits
    if limits.frozen[row, list(block)].any() or np.isnan(own).any():
        return own
    if len(block) > 1:
        made = np.eye(len(block))
    elif limits.step[j] > 0:
        made = _steps(problem, row, j)[:, None]
    elif j in space.values or j in limits.allowed:
        made = space.listed(j)[:, None]
    elif limits.coded[j]:
        made = np.arange(len(limits.columns[j].levels), dtype=float)[:, None]
    else:
        made = np.zeros((0, 1))
    made = made[(made != own).any(axis=1)]
    made = made[_fine(problem, row, block, made)] if len(made) else made
    return np.concatenate([own, space.rounded(made)])


def _steps(problem: Problem, row: int, j: int) -> np.ndarray:
    """Whole steps from the row's value within its limits and the data's range."""
    x, size = problem.x[row, j], problem.space.limits.step[j]
    known = problem.background[:, j] if problem.background is not None else problem.x[:, j]
    low = max(problem.space.limits.low[row, j], min(float(np.nanmin(known)), x))
    high = min(problem.space.limits.high[row, j], max(float(np.nanmax(known)), x))
    counts = np.arange(np.ceil((low - x) / size - 1e-9), np.floor((high - x) / size + 1e-9) + 1)
    return np.asarray(x + size * counts[:: max(1, -(-len(counts) // _STEPS))])


def _fine(problem: Problem, row: int, block: tuple[int, ...], values: np.ndarray) -> np.ndarray:
    """values (q, columns) -> which of them each cell may take (q,)"""
    z = np.tile(problem.x[row], (len(values), 1))
    z[:, list(block)] = values
    return np.asarray(problem.space.limits.cells(np.full(len(z), row), z)[:, list(block)].all(axis=1))


@dataclass(frozen=True, eq=False)
class Program:
    """One row's program: gains (sum of q,), costs (sum of q,), and the ends between which the margin has to come."""

    problem: Problem
    grid: Grid
    gains: np.ndarray
    costs: np.ndarray
    own: float
    largest: bool

    def solve(self, low: float, high: float, cut: list[np.ndarray]) -> tuple[np.ndarray | None, bool]:
        """The cheapest choice (blocks,) outside the sets that are cut off, and whether there is provably none."""
        counts = [len(values) for values in self.grid.options]
        lines = [*self._one_each(counts), *self._margin(low, high), *self._related(), *self._cuts(counts, cut)]
        n = len(self.gains)
        price = np.zeros(n + 1)
        price[-1] = 1.0 if self.largest else 0.0
        price[:n] = 1e-7 * self.costs if self.largest else self.costs  # among the equally large, the least in sum
        if self.largest:
            lines += [
                (np.append(np.where(np.arange(n) == o, c, 0.0), -1.0), -np.inf, 0.0)
                for o, c in enumerate(self.costs)
                if c
            ]
        found: Any = milp(
            price,
            integrality=np.append(np.ones(n), 0),
            bounds=Bounds(np.append(self._barred(counts), 0.0), np.append(self._open(counts), np.inf)),
            constraints=LinearConstraint(csr_array(np.array([w for w, _, _ in lines])), *self._ends(lines)),
            options={"time_limit": _SECONDS, "mip_rel_gap": 1e-9},
        )
        if found.x is None:
            return None, found.status == 2
        starts = np.cumsum([0, *counts])
        return np.array([found.x[a:b].argmax() for a, b in pairwise(starts)], dtype=int), False

    def _ends(self, lines: list[tuple[np.ndarray, float, float]]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([low for _, low, _ in lines]), np.array([high for _, _, high in lines])

    def _barred(self, counts: list[int]) -> np.ndarray:
        return np.zeros(sum(counts))

    def _open(self, counts: list[int]) -> np.ndarray:
        """Upper ends: staying is closed where the row's own value breaks a constraint."""
        made, start = np.ones(sum(counts)), 0
        for block, values in zip(self.grid.columns, self.grid.options, strict=True):
            made[start] = float(_fine(self.problem, self.grid.row, block, values[:1])[0])
            start += len(values)
        return made

    def _one_each(self, counts: list[int]) -> list[tuple[np.ndarray, float, float]]:
        made, start = [], 0
        for count in counts:
            line = np.zeros(sum(counts) + 1)
            line[start : start + count] = 1.0
            made.append((line, 1.0, 1.0))
            start += count
        return made

    def _margin(self, low: float, high: float) -> list[tuple[np.ndarray, float, float]]:
        return [(np.append(self.gains, 0.0), low - self.own, high - self.own)]

    def _related(self) -> list[tuple[np.ndarray, float, float]]:
        limits, x = self.problem.space.limits, self.problem.x[self.grid.row]
        made = []
        for weights, op, bound in zip(limits.A, limits.ops, limits.b, strict=True):
            if op == "!=":
                continue
            moved = np.concatenate(
                [
                    (values - values[:1]) @ weights[list(block)]
                    for block, values in zip(self.grid.columns, self.grid.options, strict=True)
                ]
            )
            read = weights != 0
            rest = bound - float(weights[read] @ x[read])
            hair = 1e-9 * (1 + abs(bound)) * (op in ("<", ">"))
            ends = {"<": (-np.inf, rest - hair), ">": (rest + hair, np.inf), "=": (rest, rest)}[op[0]]
            made.append((np.append(moved, 0.0), *ends))
        return made

    def _cuts(self, counts: list[int], cut: list[np.ndarray]) -> list[tuple[np.ndarray, float, float]]:
        """Not the same set of changed blocks again: some of them stay, or some other one moves."""
        made, starts = [], np.cumsum([0, *counts])[:-1]
        for moved in cut:
            line = np.zeros(sum(counts) + 1)
            line[starts] = np.where(moved, 1.0, -1.0)  # u of staying
            made.append((line, 1.0 - float((~moved).sum()), np.inf))
        return made
