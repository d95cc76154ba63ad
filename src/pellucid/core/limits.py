"""Constraints bound to the rows of a question: where each cell may end, and whether a changed row keeps to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.binding import Binding
from pellucid.core.constraints import Rule
from pellucid.core.schema import Column, of_kind


@dataclass(frozen=True, eq=False)
class Limits:
    """Constraints bound to n rows x (n, p): for each cell where it may end, and the relations between columns.

    `low`, `high` (n, p) are closed ends; `frozen` (n, p) is True where nothing may change; `step` (p,) is 0 where a column moves
    freely; `allowed` holds the values that a column may end at; `A` (q, p), `ops`, `b` (q,) are linear relations; `groups` one-hot
    blocks. Codes of levels count as numbers only where the levels have an order.
    """

    x: np.ndarray
    columns: tuple[Column, ...]
    low: np.ndarray
    high: np.ndarray
    frozen: np.ndarray
    still: np.ndarray  # (n, p) of the frozen cells, those that may not even follow
    step: np.ndarray
    allowed: dict[int, np.ndarray]
    A: np.ndarray
    ops: tuple[str, ...]
    b: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, rules: Sequence[Rule], x: np.ndarray, columns: tuple[Column, ...]) -> Limits:
        """rules bound to rows x (n, p), codes where columns have levels"""
        binding = Binding(x, columns)
        for rule in rules:
            binding.add(rule)
        linear = binding.linear
        A = np.array([weights for weights, _, _ in linear]).reshape(-1, x.shape[1])
        return cls(
            x=x,
            columns=columns,
            low=binding.low,
            high=binding.high,
            frozen=binding.frozen,
            still=binding.still,
            step=binding.step,
            allowed=binding.allowed,
            A=A,
            ops=tuple(op for _, op, _ in linear),
            b=np.array([bound for _, _, bound in linear]),
            groups=tuple(binding.groups),
            rules=tuple(rules),
        )

    def take(self, rows: np.ndarray) -> Limits:
        """The limits of some of the rows."""
        return replace(
            self,
            x=self.x[rows],
            low=self.low[rows],
            high=self.high[rows],
            frozen=self.frozen[rows],
            still=self.still[rows],
        )

    def with_frozen(self, frozen: np.ndarray) -> Limits:
        """The same limits with other cells held fast, (n, p)."""
        return replace(self, frozen=frozen)

    @property
    def coded(self) -> np.ndarray:
        """(p,) True where a column holds codes of levels."""
        return of_kind(self.columns, "level")

    @property
    def whole(self) -> np.ndarray:
        """(p,) True where a column holds whole numbers."""
        return of_kind(self.columns, "integer")

    def holds(self, rows: np.ndarray, z: np.ndarray, follows: np.ndarray | None = None) -> np.ndarray:
        """z (m, p), changed rows (m,) -> (m,) whether every constraint holds; `follows (m, p)`: cells that nobody acted upon"""
        return np.asarray(self.cells(rows, z, follows).all(axis=1) & self.related(z).all(axis=1))

    def cells(self, rows: np.ndarray, z: np.ndarray, follows: np.ndarray | None = None) -> np.ndarray:
        """z (m, p) -> (m, p) whether each cell by itself may be what it is; what only follows need not keep to steps"""
        if follows is not None:
            return self._cells(rows, z, self.still, np.zeros(len(self.step)))
        return self._cells(rows, z, self.frozen, self.step)

    def _cells(self, rows: np.ndarray, z: np.ndarray, frozen: np.ndarray, step: np.ndarray) -> np.ndarray:
        x, same = self.x[rows], _same(z, self.x[rows])
        good: np.ndarray = np.isnan(z) | ((z >= self.low[rows]) & (z <= self.high[rows]))
        good &= ~np.isnan(z) | np.isnan(x)  # nothing becomes missing
        good &= same | ~frozen[rows]
        good[:, self.whole] &= (z == np.rint(z))[:, self.whole] | same[:, self.whole]
        stepped = step > 0
        if stepped.any():
            moves = (z - x)[:, stepped] / step[stepped]
            good[:, stepped] &= np.isclose(moves, np.rint(moves), rtol=0, atol=1e-6) | same[:, stepped]
        for j, values in self.allowed.items():
            good[:, j] &= np.isin(z[:, j], values)
        for group in self.groups:
            block = z[:, list(group)]
            good[:, list(group)] &= (np.isin(block, (0, 1)).all(axis=1) & (block.sum(axis=1) == 1))[:, None]
        return good

    def related(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> (m, q) whether each relation between columns holds; a missing value breaks those that read it"""
        if not len(self.b):
            return np.ones((len(z), 0), dtype=bool)
        sums = np.stack([_sum(weights, z) for weights in self.A], axis=1)
        held = [_compare(sums[:, k], op, self.b[k]) for k, op in enumerate(self.ops)]
        return np.stack(held, axis=1)


def _sum(weights: np.ndarray, z: np.ndarray) -> np.ndarray:
    """sum of weight * column over the columns that a relation reads, in a fixed order"""
    read = np.flatnonzero(weights)
    total = np.zeros(len(z))
    for j in read:
        total = total + weights[j] * z[:, j]
    return total


def _compare(sums: np.ndarray, op: str, bound: float) -> np.ndarray:
    close = 1e-9 * (1 + abs(bound))
    match op:
        case "<=":
            return np.asarray(sums <= bound)
        case "<":
            return np.asarray(sums < bound)
        case ">=":
            return np.asarray(sums >= bound)
        case ">":
            return np.asarray(sums > bound)
        case "==":
            return np.asarray(np.abs(sums - bound) <= close)
    return np.asarray(np.abs(sums - bound) > close)


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
