"""Where changed rows may lie: cells are brought to values that their columns can take, then inside the relations between columns.

`Space.fit` is forgiving: it moves a row to the nearest place that it can find by itself, and says where it could not.
`Limits.holds` has the last word on every row that is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.core.limits import Limits
from pellucid.methods.counterfactual.structure import Structure

_ROUNDS = 8  # of bringing a row inside relations; each round rounds cells again


@dataclass(eq=False)
class Space:
    """Limits of n rows, the dtype that the model is fed, units (p,) that cells move by, and columns that take listed values
    only."""

    limits: Limits
    dtype: np.dtype
    unit: np.ndarray
    values: dict[int, np.ndarray] = field(default_factory=dict)
    structure: Structure | None = None  # how columns follow from those that are acted upon

    @property
    def x(self) -> np.ndarray:
        return self.limits.x

    @property
    def smooth(self) -> np.ndarray:
        """(p,) True where a column moves freely along the numbers."""
        listed = np.isin(np.arange(self.x.shape[1]), [*self.values, *self.limits.allowed, *self._grouped()])
        return ~(self.limits.coded | self.limits.whole | (self.limits.step > 0) | listed)

    @property
    def ranked(self) -> np.ndarray:
        """(p,) True where between two values there are others: numbers, and levels with an order."""
        order = np.array([column.ordered for column in self.limits.columns])
        return (~self.limits.coded | order) & ~np.isin(np.arange(self.x.shape[1]), self._grouped())

    def _grouped(self) -> list[int]:
        return [j for group in self.limits.groups for j in group]

    def block(self, j: int) -> list[int]:
        """The columns that change together with column j."""
        return next((list(group) for group in self.limits.groups if j in group), [j])

    def fit(self, rows: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z (m, p), changed rows (m,) -> rows as the model would see them, and which of them keep to everything (m,)"""
        z = self._cells(rows, z)
        if self.structure is not None:
            v, x = self.settle(rows, z), self.x[rows]
            return z, self.limits.holds(rows, v, follows=(z == x) | np.isnan(x))
        good = self.limits.holds(rows, z)
        if len(self.limits.b) and not good.all():
            bad = np.flatnonzero(~good)
            z[bad] = self._inside(rows[bad], z[bad])
            good[bad] = self.limits.holds(rows[bad], z[bad])
        return z, good

    def settle(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """z (m, p), x and acts upon it -> the rows as they then are"""
        return z if self.structure is None else self.rounded(self.structure.settle(self.x[rows], z))

    def _cells(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Each cell to the nearest value that it may take."""
        lim, x = self.limits, self.x[rows]
        z = np.where(np.isnan(z) | lim.frozen[rows], x, z)
        z = np.where(np.isnan(z), z, np.clip(z, lim.low[rows], lim.high[rows]))
        own = z == x
        for j in np.flatnonzero(lim.step > 0).tolist():
            z[:, j] = self._stepped(j, rows, z[:, j])
        whole = lim.whole & (lim.step == 0)
        if whole.any():
            low, high = np.ceil(lim.low[rows][:, whole]), np.floor(lim.high[rows][:, whole])
            z[:, whole] = np.where(own[:, whole], z[:, whole], np.clip(np.rint(z[:, whole]), low, high))
        for k in {**self.values, **lim.allowed}:
            keep = (own[:, k] & (k not in lim.allowed)) | np.isnan(z[:, k])
            z[:, k] = np.where(keep, z[:, k], _nearest(self.listed(k), z[:, k]))
        for group in lim.groups:
            block = z[:, list(group)]
            z[:, list(group)] = np.eye(len(group))[block.argmax(axis=1)]
        return self._held(rows, np.where(lim.frozen[rows], x, z))

    def _held(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """z as the model's dtype holds it; what is as it was, on a list or at an end stays exact, and the model rounds it by
        itself."""
        lim, x = self.limits, self.x[rows]
        made = np.clip(self.rounded(z), lim.low[rows], lim.high[rows])
        made[:, [*self.values, *lim.allowed]] = z[:, [*self.values, *lim.allowed]]
        return np.where((z == x) | np.isnan(z), z, made)

    def listed(self, j: int) -> np.ndarray:
        """The values that column j may take, where they are listed."""
        both = [made[j] for made in (self.values, self.limits.allowed) if j in made]
        return both[0] if len(both) == 1 else np.intersect1d(both[0], both[1])

    def rounded(self, z: np.ndarray) -> np.ndarray:
        """z as the model's dtype holds it."""
        if self.dtype.kind in "iub":
            return z
        with np.errstate(over="ignore"):
            return z.astype(self.dtype).astype(float)

    def _stepped(self, j: int, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        size, x = self.limits.step[j], self.x[rows, j]
        few, most = (
            np.ceil((self.limits.low[rows, j] - x) / size - 1e-9),
            np.floor((self.limits.high[rows, j] - x) / size + 1e-9),
        )
        return np.asarray(np.where(values == x, x, x + size * np.clip(np.rint((values - x) / size), few, most)))

    def _inside(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Rows moved into the relations: each broken one is mended by its free columns, over and over."""
        lim = self.limits
        free = ~lim.frozen[rows] & ~lim.coded
        for _ in range(_ROUNDS):
            held = lim.related(z)
            if held.all():
                break
            for k, op in enumerate(lim.ops):
                broken = np.flatnonzero(~lim.related(z)[:, k])
                if len(broken):
                    z[broken] = self._mended(rows[broken], z[broken], k, op, free[broken])
        return z

    def _mended(self, rows: np.ndarray, z: np.ndarray, k: int, op: str, free: np.ndarray) -> np.ndarray:
        """Rows that break relation k, moved to its border and a hair beyond."""
        lim, w = self.limits, self.limits.A[k]
        read = free & (w != 0)
        sums = np.nan_to_num(z * w).sum(axis=1)
        hair = 4 * np.finfo(self.dtype if self.dtype.kind == "f" else float).eps * (1 + np.abs(lim.b[k]) + np.abs(sums))
        sign = 0.0 if op == "==" else (1.0 if ">" in op or op == "!=" else -1.0)
        gap = lim.b[k] - sums + sign * hair
        weight = np.where(read, w * self.unit**2, 0.0)
        scale = (weight * w).sum(axis=1)
        move = np.divide(gap, scale, out=np.zeros_like(gap), where=scale > 0)[:, None] * weight
        unit = np.where(lim.step > 0, lim.step, np.where(lim.whole, 1.0, 0.0))
        steps = np.divide(np.abs(move), unit, out=np.zeros_like(move), where=unit > 0)
        outward = np.sign(move) * np.ceil(steps - 1e-9) * unit if op != "==" else move
        return self._cells(rows, z + np.where(unit > 0, outward, move))


def _nearest(listed: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The listed (sorted) value next to each one."""
    if not len(listed):
        return values
    place = np.clip(np.searchsorted(listed, values), 1, max(1, len(listed) - 1))
    low, high = listed[place - 1], listed[np.minimum(place, len(listed) - 1)]
    return np.asarray(np.where(np.abs(values - low) <= np.abs(high - values), low, high))
