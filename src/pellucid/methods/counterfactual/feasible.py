"""Whether the constraints leave a row anywhere to go, and the nearest such place: a small mixed-integer program per row.

    minimise sum_j |z_j - x_j| / s_j    over z within its limits, whole or stepped where a column is, with A z (op) b

Solved exactly by HiGHS (`scipy.optimize.milp`). If it finds the program infeasible, that is a proof: the constraints contradict
each other for this row. Inequalities are closed here; `Limits.holds` looks at the open ones and at `!=` again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from pellucid.core.constraints import written
from pellucid.core.limits import Limits

_FAR = 1e9  # a solver wants finite numbers


def contradiction(limits: Limits, row: int) -> str | None:
    """Why no changed row can keep to the constraints, cell by cell; None if none is to be seen."""
    x, columns = limits.x[row], limits.columns
    for j, column in enumerate(columns):
        low, high = limits.low[row, j], limits.high[row, j]
        if limits.frozen[row, j]:
            if not np.isnan(x[j]) and not (low <= x[j] <= high and _listed(limits, j, x[j])):
                return f"{column.name!r} must not change, and what it is breaks {_about(limits, column.name)}"
        elif low > high or not _some(limits, row, j):
            return f"no value of {column.name!r} keeps to {_about(limits, column.name)}"
    if limits.frozen[row].all():
        return "nothing may change: every column is immutable"
    return None


def _listed(limits: Limits, j: int, value: float) -> bool:
    return j not in limits.allowed or bool(np.isin(value, limits.allowed[j]))


def _some(limits: Limits, row: int, j: int) -> bool:
    """Whether there is a value for one cell."""
    low, high, x = limits.low[row, j], limits.high[row, j], limits.x[row, j]
    if np.isnan(x):
        return True
    if j in limits.allowed:
        values = limits.allowed[j][(limits.allowed[j] >= low) & (limits.allowed[j] <= high)]
        if limits.step[j] > 0:
            moves = (values - x) / limits.step[j]
            values = values[np.isclose(moves, np.rint(moves), rtol=0, atol=1e-6)]
        return len(values) > 0
    if limits.step[j] > 0:
        return bool(np.floor((high - x) / limits.step[j] + 1e-9) >= np.ceil((low - x) / limits.step[j] - 1e-9))
    if limits.whole[j]:
        return bool(np.floor(high) >= np.ceil(low) or low <= x <= high)
    return True


def _about(limits: Limits, name: str) -> str:
    said = dict.fromkeys(written(rule) for rule in limits.rules if name in rule.names)
    return " and ".join(said) or "its limits"


def nearest(limits: Limits, row: int, unit: np.ndarray) -> np.ndarray | None:
    """The row (p,) nearest to row `row` that keeps to the constraints; None if it is proven that there is none."""
    numbers = np.flatnonzero(~limits.coded & ~np.isnan(limits.x[row]))
    program = _Program(limits, row, numbers, unit)
    found = program.solve()
    if found is None:
        return None
    z = limits.x[row].copy()
    z[numbers] = found
    return z


class _Program:
    """The program of one row. Variables: the moves d (k,), their sizes t (k,), and whole counts where a column moves in steps."""

    def __init__(self, limits: Limits, row: int, numbers: np.ndarray, unit: np.ndarray) -> None:
        self.x = limits.x[row, numbers]
        self.k = len(numbers)
        low, high = limits.low[row, numbers] - self.x, limits.high[row, numbers] - self.x
        still = limits.frozen[row, numbers]
        low, high = np.where(still, 0.0, low), np.where(still, 0.0, high)
        size = np.where(limits.step[numbers] > 0, limits.step[numbers], np.where(limits.whole[numbers], 1.0, 0.0))
        self.counted = np.flatnonzero(size)
        self.size = size[self.counted]
        self.cost = np.concatenate([np.zeros(self.k), 1 / unit[numbers], np.zeros(len(self.counted))])
        self.low = np.concatenate([np.maximum(low, -_FAR), np.zeros(self.k), np.full(len(self.counted), -_FAR)])
        self.high = np.concatenate(
            [np.minimum(high, _FAR), np.full(self.k, 2 * _FAR), np.full(len(self.counted), _FAR)]
        )
        self.rows: list[tuple[np.ndarray, float, float]] = []
        self._sizes()
        self._relations(limits, numbers)
        self._groups(limits, numbers)

    def _sizes(self) -> None:
        for i in range(self.k):  # t_i >= |d_i|
            for sign in (1.0, -1.0):
                line = np.zeros(len(self.cost))
                line[i], line[self.k + i] = sign, -1.0
                self.rows.append((line, -np.inf, 0.0))
        for place, (k, size) in enumerate(
            zip(self.counted.tolist(), self.size.tolist(), strict=True)
        ):  # d_i = size * whole number
            line = np.zeros(len(self.cost))
            line[k], line[2 * self.k + place] = 1.0, -size
            self.rows.append((line, 0.0, 0.0))

    def _relations(self, limits: Limits, numbers: np.ndarray) -> None:
        for weights, op, bound in zip(limits.A, limits.ops, limits.b, strict=True):
            w = weights[numbers]
            if op == "!=" or np.count_nonzero(w) < np.count_nonzero(weights):
                continue
            line, rest = np.zeros(len(self.cost)), bound - w @ self.x
            line[: self.k] = w
            hair = 1e-7 * (1 + abs(bound))
            ends = {
                "<=": (-np.inf, rest),
                "<": (-np.inf, rest - hair),
                ">=": (rest, np.inf),
                ">": (rest + hair, np.inf),
                "==": (rest, rest),
            }
            self.rows.append((line, *ends[op]))

    def _groups(self, limits: Limits, numbers: np.ndarray) -> None:
        for group in limits.groups:
            line = np.zeros(len(self.cost))
            places = np.flatnonzero(np.isin(numbers, group))
            line[places] = 1.0
            rest = 1.0 - self.x[places].sum()
            self.rows.append((line, rest, rest))

    def solve(self) -> np.ndarray | None:
        lines = csr_array(np.array([line for line, _, _ in self.rows]))
        low, high = np.array([a for _, a, _ in self.rows]), np.array([b for _, _, b in self.rows])
        whole = np.zeros(len(self.cost))
        whole[2 * self.k :] = 1
        found: Any = milp(
            self.cost,
            integrality=whole,
            bounds=Bounds(self.low, self.high),
            constraints=LinearConstraint(lines, low, high),
            options={"time_limit": 10.0},
        )
        if found.status == 2:  # infeasible: a proof
            return None
        return np.asarray(self.x if found.x is None else self.x + found.x[: self.k])
