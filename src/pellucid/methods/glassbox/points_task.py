"""What a scoring system costs: the mean logistic loss of whole points, and a price for each term.

Everything is asked of distinct rows: those that are alike in all terms are one, with the weights of both classes. The
last "term" holds for every row: its points are the intercept, which costs nothing and need not be whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

_STEPS = 60  # of Newton's method for an intercept


@dataclass(eq=False)
class Task:
    """Terms (u, d + 1) of distinct rows, weights (u, 2) of the other class and of the one that points speak for, summing to 1.

    `unit` is what a point adds to the log-odds, `penalty` the price of a term, `most` the largest points, `terms_allowed` how many
    terms may have any.
    """

    terms: np.ndarray
    weights: np.ndarray
    unit: float
    penalty: float
    most: int
    terms_allowed: int

    @classmethod
    def of(
        cls, held: np.ndarray, by_class: np.ndarray, unit: float, penalty: float, most: int, terms_allowed: int
    ) -> Task:
        """held (d, n) bool, by_class (n, 2) -> the task on distinct rows"""
        packed = np.ascontiguousarray(np.packbits(held, axis=0).T)
        keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        weights = np.stack([np.bincount(group, w, len(first)) for w in by_class.T], axis=1)
        terms = np.column_stack([held[:, first].T, np.ones(len(first))]).astype(float)
        return cls(terms, weights / by_class.sum(), unit, penalty, most, terms_allowed)

    @cached_property
    def reach(self) -> np.ndarray:
        """(d + 1,) the largest points of each term; the intercept can undo all others, and the share of the classes."""
        zero, one = np.maximum(self.weights.sum(axis=0), 1e-12)
        whole = self.most * self.terms_allowed + np.ceil(abs(np.log(one / zero)) / self.unit)
        return np.append(np.full(self.terms.shape[1] - 1, self.most), whole).astype(int)

    @cached_property
    def whole(self) -> np.ndarray:
        """(u,) the weight of both classes"""
        return np.asarray(self.weights.sum(axis=1))

    def loss(self, points: np.ndarray) -> float:
        """points (d + 1,), whole or not -> the mean logistic loss"""
        z = self.unit * (self.terms @ points)
        return float(self.weights[:, 0] @ np.logaddexp(0, z) + self.weights[:, 1] @ np.logaddexp(0, -z))

    def slope(self, points: np.ndarray) -> np.ndarray:
        """(d + 1,) of the loss by the points."""
        rate = expit(self.unit * (self.terms @ points))
        return np.asarray(self.unit * ((self.whole * rate - self.weights[:, 1]) @ self.terms))

    def objective(self, points: np.ndarray) -> float:
        """Loss and the price of the terms."""
        return self.loss(points) + self.penalty * int((points[:-1] != 0).sum())

    def centred(self, points: np.ndarray) -> np.ndarray:
        """The same points (d + 1,) with the best intercept, by Newton's method between ends that close in on it."""
        totals = self.unit * (self.terms[:, :-1] @ points[:-1])
        low, high = -self.unit * self.reach[-1], self.unit * self.reach[-1] + 0.0
        at = min(max(self.unit * points[-1], low), high)
        for _ in range(_STEPS):
            rate = expit(totals + at)
            slope = float(self.whole @ rate - self.weights[:, 1].sum())
            low, high = (at, high) if slope < 0 else (low, at)
            step = at - slope / max(float(self.whole @ (rate * (1 - rate))), 1e-300)
            step = step if low < step < high else (low + high) / 2
            if abs(step - at) < 1e-10:
                break
            at = step
        return np.append(points[:-1], at / self.unit)

    def prices(self, points: np.ndarray) -> np.ndarray:
        """(d, 2 most + 1) objectives with the points of one term changed to -most, ..., most, nearly.

        The intercept is moved by one step of Newton's method, by its second order: loss - slope^2 / (2 curvature).
        """
        totals = np.rint(self.terms[:, :-1] @ points[:-1]).astype(int)
        low = int(totals.min())
        spots = self.unit * (low + np.arange(int(totals.max()) - low + 1) + points[-1])
        every = _moments(spots[None], np.stack([np.bincount(totals - low, w) for w in self.weights.T]))  # (3, 1)
        kept, values = int((points[:-1] != 0).sum()), np.arange(-self.most, self.most + 1)
        made = np.empty((len(points) - 1, len(values)))
        for j, now in enumerate(points[:-1].astype(int).tolist()):
            on = self.terms[:, j] > 0
            counts = np.stack([np.bincount(totals[on] - low, w, len(spots)) for w in self.weights[on].T])  # (2, totals)
            moved = _moments(spots + self.unit * (values - now)[:, None], counts)  # (3, values)
            loss, slope, curve = every - moved[:, [self.most + now]] + moved
            terms = kept - (now != 0) + (values != 0)
            prices = loss - slope**2 / np.maximum(2 * curve, 1e-12) + self.penalty * terms
            made[j] = np.where(terms <= self.terms_allowed, prices, np.inf)
        return made


def _moments(z: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """z (v, t), counts (2, t) -> loss, its slope and its curvature by an intercept (3, v)"""
    rate, whole = expit(z), counts.sum(axis=0)
    loss = np.logaddexp(0, z) @ whole - z @ counts[1]
    return np.stack([loss, rate @ whole - counts[1].sum(), (rate * (1 - rate)) @ whole])
