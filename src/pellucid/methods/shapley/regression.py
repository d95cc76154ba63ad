"""From asked complement pairs to Shapley values and standard errors: one linear map, shared by all rows.

With efficiency substituted, the value of player i is D / p plus b_i = sum over all pairs of c z_i(S) y(S), where z = 1_S - s/p,
y(S) = (v(S) - v(not S)) / 2 - (s - p/2) D / p, D = v(all) - v(empty), and c is the Shapley kernel's weight of the pair.
Only some pairs are asked. KernelSHAP's least squares predicts the others by a line, y = z . w; here third-order
interactions join it, shrunk (pairs hold odd orders only), by ridge regression with the kernel K of `thirds.py`, G = (K + l I)^-1:

    b = sum over all pairs of c z yhat  +  sum over asked pairs of (c / fraction) z (y - yhat)  =  y M,
    M = G (B + l (c / fraction) z),   fraction = asked / pairs of the level,
    B = the values b of the functions K(., S), known in closed form.

The second sum keeps the estimate right whatever the prediction misses (Witter, Liu & Musco, "Regression-adjusted Monte
Carlo Estimators for Shapley Values and Probabilistic Values", 2025). Lines are not shrunk; l is chosen for each row by
generalised cross-validation (Golub, Heath & Wahba 1979), between plain least squares (l large) and interpolation (l small).
With every pair asked, M = c z: exact.

Standard error: what no prediction sees, e, is in error by (M - c z) e over asked and c z e over unasked pairs. The sandwich
sum of squares, with e^2 estimated from residuals without bias (HC2, MacKinnon & White 1985), is scaled to be right on
average over functions drawn from K + l I; Student's t with Bell & McCaffrey's (2002) degrees of freedom (and half a degree
more: simulated, the formula is a little cautious when there are few) widens it, so that value +- 1.96 standard errors covers
also with few samples.

`Basis` and `Map` are the same for any numbers that are linear in the answers of all pairs: `Wanted` says which (here values
of players, in `interaction.py` the interactions of pairs of players), and `Prior` by which functions they are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.core.scalar import pieces
from pellucid.methods.shapley.design import Level, kernel_share, pairs_at
from pellucid.methods.shapley.estimate import Estimate, widened
from pellucid.methods.shapley.thirds import MOST_PAIRS, Prior, odd_prior

_RIDGES = (3e-3, 3e-2, 0.3, 3.0, 30.0, 300.0, 3e3, 3e4)  # l
_TINY = 1e-12
_ROWS = 1024  # solved together


def solve(levels: Sequence[Level], odd: Sequence[np.ndarray], change: np.ndarray) -> Estimate:
    """Levels with odd parts (n, asked) each, change (n,) = v(all) - v(empty) -> values that add up to change"""
    y = np.concatenate([_centered(level, u, change) for level, u in zip(levels, odd, strict=True)], axis=1)
    if all(level.complete for level in levels):
        b = y @ np.concatenate([level.coefficients for level in levels])
        return Estimate(_efficient(b, change), np.zeros(b.shape))
    signs = 2.0 * np.concatenate([level.z for level in levels]) - 1
    b, stderr = Basis(shapley_values(levels), odd_prior(signs)).estimate(y)
    return Estimate(_efficient(b, change), stderr)


def _centered(level: Level, u: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Odd parts (n, m) less the even division of change, which efficiency already fixes."""
    return u - (level.size / level.z.shape[1] - 0.5) * change[:, None]


def _efficient(b: np.ndarray, change: np.ndarray) -> np.ndarray:
    return b + (change / b.shape[1] - b.mean(1))[:, None]


@dataclass(frozen=True, eq=False)
class Wanted:
    """k numbers that are linear in the answers of all pairs, y of m of which were asked."""

    c: np.ndarray  # (m, k) the coefficients of the asked pairs
    fraction: np.ndarray  # (m,) asked / pairs in each one's level
    unasked: np.ndarray  # (m, k) the sum of c^2 over unasked pairs, divided over the asked ones that tell of them
    total: np.ndarray  # (k,) the sum of c^2 over all pairs


def shapley_values(levels: Sequence[Level]) -> Wanted:
    """The values of the players, less an even division."""
    p = levels[0].z.shape[1]
    return wanted([(level, level.coefficients, _squares(p, level.size)) for level in levels], p)


def wanted(parts: Sequence[tuple[Level, np.ndarray, np.ndarray | float]], k: int) -> Wanted:
    """Levels, the coefficients c (asked, k) of their pairs, and the sums (k,) of c^2 over all pairs of each level."""
    fractions = [np.full(level.asked, level.asked / level.pairs) for level, _, _ in parts]
    missed = np.sum([np.zeros(k), *(total + np.zeros(k) for level, _, total in parts if not level.asked)], axis=0)
    m = sum(level.asked for level, _, _ in parts)
    left = [
        np.tile(
            np.maximum(total - (c**2).sum(0), 0) * (not level.complete) / level.asked + missed / m, (level.asked, 1)
        )
        for level, c, total in parts
        if level.asked
    ]
    whole = np.sum([np.broadcast_to(total, k) for _, _, total in parts], axis=0)
    return Wanted(np.concatenate([c for _, c, _ in parts]), np.concatenate(fractions), np.concatenate(left), whole)


def _squares(p: int, size: int) -> float:
    """The sum of c^2 z_i^2 over a level, for any one player i."""
    return kernel_share(p, size) ** 2 / pairs_at(p, size) * size * (p - size) / p**2


class Basis:
    """What the answers do not change: the asked pairs, and K = U diag(e) U' over them, outside the free functions q."""

    def __init__(self, what: Wanted, prior: Prior) -> None:
        self.what, self.prior = what, prior
        self.q = prior.free
        self.u, self.e = prior.kernel.factorised(prior.free)

    def estimate(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y (n, m) -> the k numbers and their standard errors (n, k)"""
        maps = dict[float, Map]()
        b, stderr = (np.empty((len(y), self.what.c.shape[1])) for _ in range(2))
        for part in pieces(len(y), _ROWS):
            chosen = self.choose(y[part])
            for ridge in np.unique(chosen):
                rows = part.start + np.flatnonzero(chosen == ridge)
                b[rows], stderr[rows] = maps.setdefault(ridge, Map(self, float(ridge)))(y[rows])
        return b, stderr

    def inverse(self, ridge: float, y: np.ndarray) -> np.ndarray:
        """G y, (m, k) -> (m, k)"""
        inside = (self.u.T @ y) * (self.e / (self.e + ridge))[:, None]
        return np.asarray((y - self.q @ (self.q.T @ y) - self.u @ inside) / ridge)

    def diagonal(self, ridge: float, power: int) -> np.ndarray:
        """(m,) the diagonal of G or of its square"""
        change = (ridge / (self.e + ridge)) ** power - 1
        return np.asarray(np.maximum(1 - (self.q**2).sum(1) + self.u**2 @ change, _TINY) / ridge**power)

    def choose(self, y: np.ndarray) -> np.ndarray:
        """y (n, m) -> (n,) the ridge of each row with the least generalised cross-validation score"""
        turned = y @ self.u  # (n, r)
        rest = np.maximum(((y - (y @ self.q) @ self.q.T) ** 2).sum(1) - (turned**2).sum(1), 0)
        scores = [self._score(turned, rest, ridge) for ridge in _RIDGES]
        return np.array(_RIDGES)[np.argmin(scores, axis=0)]

    def _score(self, turned: np.ndarray, rest: np.ndarray, ridge: float) -> np.ndarray:
        shrunk = 1 / (self.e + ridge)
        trace = shrunk.sum() + (len(self.q) - self.q.shape[1] - len(self.e)) / ridge
        return np.asarray(((turned * shrunk) ** 2).sum(1) + rest / ridge**2) / trace**2


@dataclass(frozen=True, eq=False)
class Map:
    """The linear map of one ridge: values b = y M, and the weights of squared residuals in their variances."""

    basis: Basis
    ridge: float

    def __call__(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y (n, m) -> b (n, k), stderr (n, k)"""
        squares = (self.basis.inverse(self.ridge, y.T) ** 2 / self.basis.diagonal(self.ridge, 2)[:, None]).T
        stderr = widened(squares @ self.weights * self._calibration, self._freedom + 0.5)
        return y @ self.m, stderr if self._heard.any() else np.full_like(stderr, np.nan)

    @cached_property
    def m(self) -> np.ndarray:
        """M (m, k)"""
        basis, what, prior = self.basis, self.basis.what, self.basis.prior
        goal = prior.b + self.ridge * what.c / what.fraction[:, None]
        return prior.start + basis.inverse(self.ridge, goal - prior.kernel @ prior.start - self.ridge * prior.start)

    @cached_property
    def weights(self) -> np.ndarray:
        """(m, k): what an asked pair's e^2 adds to each variance, for itself and for the unasked pairs it stands for"""
        return ((self.m - self.basis.what.c) ** 2 + self.basis.what.unasked) * self._heard[:, None]

    @cached_property
    def _heard(self) -> np.ndarray:
        """(m,) False where a pair is fitted exactly whatever it answers: its residual is 0 and tells nothing of e"""
        return self.basis.diagonal(self.ridge, 1) * self.ridge > 10 * _TINY

    @cached_property
    def _calibration(self) -> np.ndarray:
        """(k,) variance of the error under functions drawn from K + l I, over what the sandwich expects; at least 1."""
        basis, m, what, prior = self.basis, self.m, self.basis.what, self.basis.prior
        ratio = basis.diagonal(self.ridge, 1) / basis.diagonal(self.ridge, 2)
        same = prior.kernel @ m + self.ridge * m - 2 * (prior.b + self.ridge * what.c)
        true = prior.variance + self.ridge * what.total + (m * same).sum(0)
        expected = ratio @ self.weights
        return np.maximum(1.0, true / np.where(expected > _TINY * true, expected, np.inf))

    @cached_property
    def _freedom(self) -> np.ndarray:
        """(k,) degrees of freedom of each variance: (sum of w)^2 / (w' R w), R the squared correlations of the residuals"""
        basis, w = self.basis, self.weights
        if len(w) > MOST_PAIRS:
            return np.asarray(w.sum(0) ** 2 / (w**2).sum(0))  # so many residuals are hardly correlated
        change = (self.ridge / (basis.e + self.ridge)) ** 2 - 1
        square = np.eye(len(w)) - basis.q @ basis.q.T + (basis.u * change) @ basis.u.T  # G^2 times l^2
        scale = np.sqrt(np.maximum(np.diag(square), _TINY))
        correlation = (square / scale / scale[:, None]) ** 2
        return np.asarray(w.sum(0) ** 2 / np.maximum((w * (correlation @ w)).sum(0), np.finfo(float).tiny))
