"""Where LIME looks: points around a table's rows, and what a linear surrogate is told of them.

One matrix of standard normal noise (m, p) serves all rows. In row i and column j, noise e makes

                    sampling="around"                          sampling="training"
    number          z = x + sd * e                             z = mean + sd * e        told as (z - x) / sd
    whole number    the nearest value that the background or x has (ordered levels too) told as (z - x) / sd
    level           kept where e < 0, else another level       drawn from the background told as 1 where x's own
    missing number  as a level                                 as a level               told as 1 where missing
    in `bins`       as without                                 drawn from the background told as 1 where in x's bin

sd and mean are the background's, missing values left out; bins have equally many background rows each, and missing is a
bin of its own. Around a row, a level is kept in half of the points whatever its frequency, so that a rare one can be told
from the others as well as a common one. A column of which the background knows no other value stays as it is.

Ribeiro, Singh & Guestrin (KDD 2016) leave the sampler open. The lime package's default is training with four bins; within a
bin it draws a truncated normal, here a value that the background has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import ndtr

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Neighbourhood
from pellucid.core.schema import Schema

Sampling = Literal["around", "training"]


def check_sampling(sampling: str, bins: int | None) -> None:
    """Refuse what cannot be drawn, when the method is made."""
    if sampling not in get_args(Sampling):
        raise MethodError(f"LIME(sampling={sampling!r}): choose one of {', '.join(get_args(Sampling))}.")
    if bins is not None and bins < 2:
        raise MethodError(f"LIME(bins={bins!r}): a column has at least 2 bins; None tells numbers as they are.")


@dataclass(frozen=True, eq=False)
class Seen:
    """Noise (m, p), and what it draws of the training data for all rows alike: values and their bins (m, p)."""

    noise: np.ndarray
    drawn: np.ndarray | None = None
    bins: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Around:
    """n rows, and how far and whereto their neighbours move."""

    x: np.ndarray  # (n, p)
    background: np.ndarray  # (b, p)
    scale: np.ndarray  # (p,) standard deviations, 0 where a column does not move
    mean: np.ndarray  # (p,)
    whole: np.ndarray  # (p,) integers and ordered levels
    swaps: np.ndarray  # (n, p) kept or replaced
    still: np.ndarray  # (n, p) without any other value
    binned: np.ndarray  # (n, p) told by their bin
    edges: tuple[np.ndarray, ...]  # per column the bins' upper ends, without the last; empty without bins
    training: bool
    dtype: np.dtype

    @classmethod
    def of(cls, x: np.ndarray, neighbourhood: Neighbourhood, training: bool = False, bins: int | None = None) -> Around:
        """x (n, p) and what is known of the data around it."""
        background, schema = neighbourhood.background, neighbourhood.schema
        if x.ndim != 2:
            raise MethodError(
                f"neighbours are drawn around the rows of a table (n, p), and x has shape {x.shape}: give a masker."
            )
        counts = x.dtype.kind in "iub" and background.dtype.kind in "iub"
        levels, whole = _kinds(schema, x.shape[1], counts)
        rows, known = x.astype(float), background.astype(float)
        scale, mean = _moments(known)
        scale = np.where(levels, 0.0, scale)
        swaps = levels | np.isnan(rows)
        edges = tuple(_edges(known[:, j], bins) for j in range(x.shape[1])) if bins else ()
        binned = ~levels & (scale > 0) & (~swaps | training) if bins else np.zeros(x.shape, bool)
        still = np.where(swaps, ~_others(rows, known, swaps), scale == 0)
        still = np.where(binned, _one_bin(rows, known, edges), still)
        if still.all():
            raise InputError(
                f"no column of the {len(known)} background rows varies, so there are no neighbours: "
                "give more and different rows, for example 100 of the training data."
            )
        dtype = x.dtype if counts or x.dtype.kind == "f" else np.dtype(float)
        return cls(rows, known, scale, mean, whole, swaps & ~binned, still, binned, edges, training, dtype)

    def points(self, noise: np.ndarray) -> np.ndarray:
        """noise (m, p) -> what the model is asked (m, n, p)"""
        centre = np.where(np.isnan(self.x), np.nan, self.mean) if self.training else self.x
        z = centre + self.scale * noise[:, None]
        swaps = self.swaps & ~self.still
        for j in _places(self.whole & (self.scale > 0)):
            z[:, :, j] = self._snap(j, z[:, :, j], self.x[:, j])
        for j in _places(swaps.any(axis=0)):
            for own, rows in _alike(self.x[:, j], swaps[:, j]):
                z[:, rows, j] = self._swapped(j, own, noise[:, j])[:, None]
        if self.training:
            for j in _places(self.binned.any(axis=0)):
                z[:, self.binned[:, j], j] = self._drawn(j, noise[:, j])[:, None]
        for j in _places(self.still.any(axis=0)):
            z[:, self.still[:, j], j] = self.x[self.still[:, j], j]
        return np.asarray(z.astype(self.dtype, copy=False))

    def seen(self, noise: np.ndarray) -> Seen:
        """noise (m, p), with whatever all rows' surrogates are told of it"""
        if not self.training:
            return Seen(noise)
        drawn, bins = np.zeros(noise.shape), np.zeros(noise.shape, int)
        for j in _places((self.swaps | self.binned).any(axis=0)):
            drawn[:, j] = self._drawn(j, noise[:, j])
            if self.binned[:, j].any():
                bins[:, j] = self._bin(j, drawn[:, j])
        return Seen(noise, drawn, bins)

    def features(self, row: int, seen: Seen) -> np.ndarray:
        """-> what the surrogate of this row is told (m, p)"""
        own, still, noise = self.x[row], self.still[row], seen.noise
        moved = np.where(self.scale > 0, self.scale, 1)
        told = np.array(noise, order="F")  # by columns, as they are filled and looked at
        if self.training:
            told += np.where(np.isnan(own), 0, self.mean - own) / moved
        told[:, still] = self.at(row)[still]
        for j in _places((self.swaps[row] | self.binned[row] | self.whole) & ~still):
            told[:, j] = self._told(row, j, seen)
        return told

    def _told(self, row: int, j: int, seen: Seen) -> np.ndarray:
        """(m,) of a column that is no plain number"""
        own = self.x[row, j]
        if self.swaps[row, j]:
            if seen.drawn is None:
                return np.asarray(seen.noise[:, j] < 0)
            return np.isnan(seen.drawn[:, j]) if np.isnan(own) else seen.drawn[:, j] == own
        if self.binned[row, j] and seen.bins is not None:
            return np.asarray(seen.bins[:, j] == self._bin(j, own))
        z = (self.mean[j] if self.training else own) + self.scale[j] * seen.noise[:, j]
        z = self._snap(j, z, own) if self.whole[j] else z
        return self._bin(j, z) == self._bin(j, own) if self.binned[row, j] else (z - own) / self.scale[j]

    def at(self, row: int) -> np.ndarray:
        """(p,) the row itself, told in the same way."""
        return (self.swaps[row] | self.binned[row]).astype(float)

    def origin(self, row: int) -> np.ndarray:
        """(p,) what to add so that told numbers count from the background's mean: where angles are measured from."""
        away = (self.x[row] - self.mean) / np.where(self.scale > 0, self.scale, 1)
        return np.where(self.swaps[row] | self.binned[row] | (self.scale == 0), 0.0, away)

    def alike(self) -> list[np.ndarray]:
        """Rows whose surrogates are told the same of every point, and can be fitted together."""
        own = np.where(np.isnan(self.x), np.inf, self.x)
        if self.training:
            bins = [self._bin(j, self.x[:, j]) if self.edges else own[:, j] for j in range(own.shape[1])]
            seen = np.where(self.binned, np.column_stack(bins), own)
        else:
            seen = np.where(self.binned | (self.whole & ~self.swaps), own, 0)
        told = [self.swaps, self.still, self.binned, seen]
        _, group = np.unique(np.concatenate(told, axis=1), axis=0, return_inverse=True)
        return [np.flatnonzero(group.ravel() == g) for g in range(group.max() + 1)]

    def _snap(self, j: int, z: np.ndarray, own: np.ndarray | float) -> np.ndarray:
        """z (...) -> the nearest value that the background's column j, or the row itself, has"""
        values, between = self._known[j]
        near = values[np.searchsorted(between, z)]
        return np.where(np.abs(z - own) <= np.abs(z - near), own, near)

    @cached_property
    def _known(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """The values of each column of whole numbers that moves, and the middles between them."""
        found = {}
        for j in _places(self.whole & (self.scale > 0)):
            values = np.unique(self.background[:, j])
            values = values[~np.isnan(values)]
            found[j] = values, (values[1:] + values[:-1]) / 2
        return found

    def _swapped(self, j: int, own: float, noise: np.ndarray) -> np.ndarray:
        """(m,) `own` where noise is negative, else another value of the background's column j; or any value of it"""
        if self.training:
            return self._drawn(j, noise)
        others = _unlike(self.background[:, j], own)
        draw = ((2 * ndtr(noise) - 1).clip(0) * len(others)).astype(int)  # uniform where noise > 0
        return np.where(noise < 0, own, others[np.minimum(draw, len(others) - 1)])

    def _drawn(self, j: int, noise: np.ndarray) -> np.ndarray:
        """(m,) values of the background's column j, each row as likely; sorted, so that order does not depend on codes"""
        values = self.background[:, j] if j in self._coded else np.sort(self.background[:, j])
        return np.asarray(values[np.minimum((ndtr(noise) * len(values)).astype(int), len(values) - 1)])

    @cached_property
    def _coded(self) -> set[int]:
        """Columns of levels: their codes depend on what other rows hold, so they are drawn in the background's order."""
        return set(_places(self.scale == 0))

    def _bin(self, j: int, z: np.ndarray | float) -> np.ndarray:
        """z (...) -> the number of its bin, -1 for missing"""
        return np.where(np.isnan(z), -1, np.searchsorted(self.edges[j], z))


def _kinds(schema: Schema | None, p: int, counts: bool) -> tuple[np.ndarray, np.ndarray]:
    """(p,) columns of levels without an order, and columns that take whole steps: integers and ordered levels."""
    if schema is None:
        return np.zeros(p, bool), np.full(p, counts)
    ordered = np.array([column.kind == "level" and column.ordered for column in schema.columns])
    return schema.coded & ~ordered, schema.whole | ordered


def _moments(background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(b, p) -> standard deviations (p,), 0 where constant or all missing, and means, without missing values"""
    if np.isinf(background).any():
        j = int(np.argwhere(np.isinf(background))[0, 1])
        raise InputError(f"the background holds infinity (feature {j}): drop or replace those rows.")
    missing = np.isnan(background)
    count = np.maximum((~missing).sum(axis=0), 1)
    mean = np.where(missing, 0, background).sum(axis=0) / count
    off = np.where(missing, 0, background - mean)
    low, high = np.where(missing, np.inf, background).min(axis=0), np.where(missing, -np.inf, background).max(axis=0)
    return np.where(high > low, np.sqrt((off**2).sum(axis=0) / count), 0.0), mean


def _edges(column: np.ndarray, bins: int) -> np.ndarray:
    """(b,) -> upper ends of so many bins with equally many rows, fewer where values repeat"""
    values = column[~np.isnan(column)]
    if not len(values):
        return np.empty(0)
    return np.unique(np.quantile(values, np.arange(1, bins) / bins))


def _one_bin(x: np.ndarray, background: np.ndarray, edges: tuple[np.ndarray, ...]) -> np.ndarray:
    """(n, p) whether the whole background lies in the bin that x lies in"""
    same = np.zeros(x.shape, bool)
    for j, ends in enumerate(edges):
        own, there = (np.where(np.isnan(z), -1, np.searchsorted(ends, z)) for z in (x[:, j], background[:, j]))
        same[:, j] = np.isin(own, there) & (len(np.unique(there)) == 1)
    return same


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
