"""How far a changed row is from the original: a norm over columns, each in a unit of its own.

    d(x, z) = || (|z_j - x_j| / s_j)_j ||_1, _2 or _inf,        and 1 in place of the quotient for a column of levels that changed

Wachter, Mittelstadt & Russell (2017) take the 1-norm with the median absolute deviation, s_j = median_b |b_j - median(b_j)|.
A column whose median absolute deviation is zero (most rows alike) is measured by its standard deviation instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.core.errors import InputError, MethodError

Norm = Literal["l1", "l2", "linf"]
_FAR, _TINY = 1e30, 1e-60  # room without an end; slopes that are none
_UNITS = ("mad", "std", "range")


def parse(name: str) -> tuple[Norm, str | None]:
    """ "l1-mad" -> ("l1", "mad"); "l2" -> ("l2", None), the columns' own units."""
    norm, _, unit = {"mad": "l1-mad"}.get(name, name).partition("-")
    if norm not in ("l1", "l2", "linf") or (unit and unit not in _UNITS) or name.endswith("-"):
        raise MethodError(
            f"distance={name!r}: expected 'l1', 'l2' or 'linf', alone or with a unit, 'l1-mad', 'l2-std', 'l1-range'."
        )
    return norm, unit or None  # type: ignore[return-value]


def units(unit: str | None, background: np.ndarray | None, coded: np.ndarray) -> np.ndarray:
    """(p,) what one step in each column is measured by"""
    p = len(coded)
    if unit is None:
        return np.ones(p)
    if background is None:
        raise InputError(
            f"the distance is measured in the background's {unit}: pass background=, for example 1,000 rows of the training data, "
            "or take distance='l2', which needs none."
        )
    made = np.ones(p)
    for j in np.flatnonzero(~coded):
        known = background[~np.isnan(background[:, j]), j].astype(float)
        if len(known):
            made[j] = _unit(unit, known)
    return made


def _unit(unit: str, values: np.ndarray) -> float:
    by = {
        "mad": float(np.median(np.abs(values - np.median(values)))),
        "std": float(values.std()),
        "range": float(np.ptp(values)),
    }
    return by[unit] or by["std"] or 1.0


@dataclass(frozen=True, eq=False)
class Distance:
    """A norm and the columns' units (p,)."""

    norm: Norm
    unit: np.ndarray
    coded: np.ndarray  # (p,) columns of levels

    def parts(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """x, z (m, p) -> (m, p) what each column adds"""
        moved = np.where(self.coded, z != x, np.abs(z - x) / self.unit)
        lost = np.isnan(x) | np.isnan(z)
        return np.where(lost, np.isnan(x) != np.isnan(z), moved).astype(float)

    def column(self, j: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """What column j adds between values a and b, which are broadcast"""
        moved = (a != b).astype(float) if self.coded[j] else np.abs(a - b) / self.unit[j]
        return np.where(np.isnan(moved) | np.isnan(a) | np.isnan(b), np.isnan(a) != np.isnan(b), moved).astype(float)

    def between(self, z: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """z (m, p), rows (b, p) -> (m, b)"""
        made = np.zeros((len(z), len(rows)))
        for j in range(z.shape[1]):
            part = self.column(j, z[:, j, None], rows[None, :, j])
            if self.norm == "l1":
                made += part
            else:
                made = made + part**2 if self.norm == "l2" else np.maximum(made, part)
        return np.sqrt(made) if self.norm == "l2" else made

    def total(self, parts: np.ndarray) -> np.ndarray:
        """(m, p) -> (m,)"""
        if self.norm == "l1":
            return np.asarray(parts.sum(axis=1))
        return np.asarray(np.sqrt((parts**2).sum(axis=1)) if self.norm == "l2" else parts.max(axis=1, initial=0.0))

    def nearest_on_plane(
        self, slope: np.ndarray, need: np.ndarray, room: np.ndarray, free: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The shortest step d with slope . d = need (m,), |d_j| <= room (m, p), only in free columns: (m, p), and whether
        there is one.

        1-norm: columns in the order of |slope_j| s_j, each to its end; 2-norm: d_j = t slope_j s_j^2, clipped; max-norm: d_j =
        t s_j.
        """
        gain = np.where(
            free & (np.abs(slope) * self.unit > _TINY), np.abs(slope) * self.unit, 0.0
        )  # what one unit of distance in a column brings
        limit = np.where(free, np.minimum(np.nan_to_num(room, posinf=_FAR), _FAR) / self.unit, 0.0)
        reach = np.where(gain > 0, gain * limit, 0.0).sum(axis=1)
        if self.norm == "l1":
            units = _fill(gain, limit, need)
        else:
            weight = gain if self.norm == "l2" else (gain > 0).astype(float)
            units = _level(gain, weight, limit, need)
        return np.sign(slope) * units * self.unit, (reach >= need) & (need >= 0)


def _fill(gain: np.ndarray, limit: np.ndarray, need: np.ndarray) -> np.ndarray:
    """Units (m, p) that bring `need`, best columns first, each up to its limit."""
    order = np.argsort(-gain, axis=1, kind="stable")
    best, most = np.take_along_axis(gain, order, 1), np.take_along_axis(limit, order, 1)
    brings = best * most
    before = brings.cumsum(axis=1) - brings
    wanted = np.clip(need[:, None] - before, 0.0, brings)
    units = np.divide(wanted, best, out=np.zeros_like(wanted), where=best > 0)
    made = np.zeros_like(units)
    np.put_along_axis(made, order, units, axis=1)
    return made


def _level(gain: np.ndarray, weight: np.ndarray, limit: np.ndarray, need: np.ndarray) -> np.ndarray:
    """Units min(t weight_j, limit_j) (m, p) with the t that brings `need`, found by going through the limits in order."""
    meets = np.divide(
        limit, weight, out=np.full_like(limit, np.inf), where=weight > _TINY
    )  # the t at which a column is full
    t = np.zeros(len(need))
    full = np.zeros_like(gain, dtype=bool)
    for _ in range(gain.shape[1] + 1):
        fixed = (gain * np.where(full, limit, 0.0)).sum(axis=1)
        rate = (gain * np.where(full, 0.0, weight)).sum(axis=1)
        t = np.divide(need - fixed, rate, out=np.full_like(need, np.inf), where=rate > 0)
        now = full | (meets < t[:, None])
        if (now == full).all():
            break
        full = now
    return np.asarray(np.where(full, limit, np.minimum(t, _FAR)[:, None] * weight))
