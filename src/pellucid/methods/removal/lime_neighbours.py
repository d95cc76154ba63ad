"""Where LIME looks: points around a table's rows, and what a linear surrogate is told of them.

One matrix of standard normal noise (m, p) serves all rows. In row i and column j, noise e makes

    number          z = x + sd * e, told as e                 (sd of the background, missing values left out)
    whole number    the nearest value that the background or x has, told as (z - x) / sd
    level           kept where e < 0, else another level, drawn from the background's frequencies; told as 1 where kept
    missing number  as a level: kept missing, or a value of the background

A level is kept in half of the points whatever its frequency, so that a rare one can be told from the others as well as
a common one. A column of which the background knows no other value stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Neighbourhood


@dataclass(frozen=True, eq=False)
class Around:
    """n rows, and how far and whereto their neighbours move."""

    x: np.ndarray  # (n, p)
    background: np.ndarray  # (b, p)
    scale: np.ndarray  # (p,) standard deviations, 0 where a column does not move
    whole: np.ndarray  # (p,) integers
    swaps: np.ndarray  # (n, p) kept or replaced
    still: np.ndarray  # (n, p) without any other value
    dtype: np.dtype

    @classmethod
    def of(cls, x: np.ndarray, neighbourhood: Neighbourhood) -> Around:
        """x (n, p) and what is known of the data around it."""
        background, schema = neighbourhood.background, neighbourhood.schema
        if x.ndim != 2:
            raise MethodError(
                f"LIME() is for tables (n, p), and x has shape {x.shape}: use Occlusion() or a gradient method."
            )
        coded = np.zeros(x.shape[1], bool) if schema is None else schema.coded
        counts = x.dtype.kind in "iub" and background.dtype.kind in "iub"
        whole = np.full(x.shape[1], counts) if schema is None else schema.whole
        rows, known = x.astype(float), background.astype(float)
        scale = np.where(coded, 0.0, _deviations(known))
        swaps = coded | np.isnan(rows)
        still = np.where(swaps, ~_others(rows, known, swaps), scale == 0)
        if still.all():
            raise InputError(
                f"no column of the {len(known)} background rows varies, so there are no neighbours: "
                "give more and different rows, for example 100 of the training data."
            )
        dtype = x.dtype if counts or x.dtype.kind == "f" else np.dtype(float)
        return cls(rows, known, scale, whole, swaps, still, dtype)

    def points(self, noise: np.ndarray) -> np.ndarray:
        """noise (m, p) -> what the model is asked (m, n, p)"""
        z = self.x + self.scale * noise[:, None]
        for j in _places(self.whole & (self.scale > 0)):
            z[:, :, j] = self._snap(j, z[:, :, j], self.x[:, j])
        for j in _places((self.swaps & ~self.still).any(axis=0)):
            for own, rows in _alike(self.x[:, j], self.swaps[:, j] & ~self.still[:, j]):
                z[:, rows, j] = self._swapped(j, own, noise[:, j])[:, None]
        return np.asarray(z.astype(self.dtype))

    def features(self, row: int, noise: np.ndarray) -> np.ndarray:
        """noise (m, p) -> what the surrogate of this row is told (m, p)"""
        told = np.where(self.swaps[row], noise < 0, noise)
        for j in _places(self.whole & ~self.swaps[row] & ~self.still[row]):
            own = self.x[row, j]
            told[:, j] = (self._snap(j, own + self.scale[j] * noise[:, j], own) - own) / self.scale[j]
        told[:, self.still[row]] = self.at(row)[self.still[row]]
        return told

    def at(self, row: int) -> np.ndarray:
        """(p,) the row itself, told in the same way."""
        return self.swaps[row].astype(float)

    def alike(self) -> list[np.ndarray]:
        """Rows whose surrogates are told the same of every point, and can be fitted together."""
        told = [self.swaps, self.still, np.where(self.whole & ~self.swaps, self.x, 0)]
        _, group = np.unique(np.concatenate(told, axis=1), axis=0, return_inverse=True)
        return [np.flatnonzero(group.ravel() == g) for g in range(group.max() + 1)]

    def _snap(self, j: int, z: np.ndarray, own: np.ndarray | float) -> np.ndarray:
        """z (...) -> the nearest value that the background's column j, or the row itself, has"""
        values = np.unique(self.background[:, j])
        values = values[~np.isnan(values)]
        near = values[np.searchsorted((values[1:] + values[:-1]) / 2, z)]
        return np.where(np.abs(z - own) <= np.abs(z - near), own, near)

    def _swapped(self, j: int, own: float, noise: np.ndarray) -> np.ndarray:
        """(m,) `own` where noise is negative, else another value of the background's column j"""
        others = _unlike(self.background[:, j], own)
        draw = ((2 * ndtr(noise) - 1).clip(0) * len(others)).astype(int)  # uniform where noise > 0
        return np.where(noise < 0, own, others[np.minimum(draw, len(others) - 1)])


def _deviations(background: np.ndarray) -> np.ndarray:
    """(b, p) -> (p,) standard deviations without missing values, 0 where constant or all missing"""
    if np.isinf(background).any():
        j = int(np.argwhere(np.isinf(background))[0, 1])
        raise InputError(f"the background holds infinity (feature {j}): drop or replace those rows.")
    missing = np.isnan(background)
    count = np.maximum((~missing).sum(axis=0), 1)
    values = np.where(missing, 0, background)
    off = np.where(missing, 0, background - values.sum(axis=0) / count)
    low, high = np.where(missing, np.inf, background).min(axis=0), np.where(missing, -np.inf, background).max(axis=0)
    return np.where(high > low, np.sqrt((off**2).sum(axis=0) / count), 0.0)


def _others(x: np.ndarray, background: np.ndarray, swaps: np.ndarray) -> np.ndarray:
    """(n, p) whether the background has another value than x's, looked up where x swaps"""
    found = np.zeros(x.shape, bool)
    for j in _places(swaps.any(axis=0)):
        for own, rows in _alike(x[:, j], swaps[:, j]):
            found[rows, j] = len(_unlike(background[:, j], own)) > 0
    return found


def _places(chosen: Any) -> list[int]:
    return [int(j) for j in np.flatnonzero(chosen)]


def _alike(column: np.ndarray, chosen: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Each value that the chosen rows of a column (n,) have, and those rows; missing is a value."""
    values, group = np.unique(column[chosen], return_inverse=True)
    return [(float(value), np.flatnonzero(chosen)[group == g]) for g, value in enumerate(values)]


def _unlike(column: np.ndarray, own: float) -> np.ndarray:
    """The entries of a column that are not `own`, in the background's order: codes depend on what other rows hold."""
    same = np.isnan(column) if np.isnan(own) else column == own
    return column[~same]
