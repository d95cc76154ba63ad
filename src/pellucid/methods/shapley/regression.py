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
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.core.scalar import pieces
from pellucid.methods.shapley.design import Level, kernel_share, pairs_at
from pellucid.methods.shapley.estimate import Estimate, widened
from pellucid.methods.shapley.thirds import MOST_PAIRS, kernel, line_prior, shapley_of_kernel, shapley_variance

_RIDGES = (3e-3, 3e-2, 0.3, 3.0, 30.0, 300.0, 3e3, 3e4)  # l
_TINY = 1e-12
_ROWS = 1024  # solved together


def solve(levels: Sequence[Level], odd: Sequence[np.ndarray], change: np.ndarray) -> Estimate:
    """Levels with odd parts (n, asked) each, change (n,) = v(all) - v(empty) -> values that add up to change"""
    y = np.concatenate([_centered(level, u, change) for level, u in zip(levels, odd, strict=True)], axis=1)
    p = levels[0].z.shape[1]
    if all(level.complete for level in levels):
        b = y @ np.concatenate([level.coefficients for level in levels])
        return Estimate(_efficient(b, change), np.zeros(b.shape))
    basis, maps = Basis([level for level in levels if level.asked], _unasked(levels)), dict[float, Map]()
    b, stderr = np.empty((len(y), p)), np.empty((len(y), p))
    for part in pieces(len(y), _ROWS):
        chosen = basis.choose(y[part])
        for ridge in np.unique(chosen):
            rows = part.start + np.flatnonzero(chosen == ridge)
            b[rows], stderr[rows] = maps.setdefault(ridge, Map(basis, float(ridge)))(y[rows])
    return Estimate(_efficient(b, change), stderr)


def _centered(level: Level, u: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Odd parts (n, m) less the even division of change, which efficiency already fixes."""
    return u - (level.size / level.z.shape[1] - 0.5) * change[:, None]


def _efficient(b: np.ndarray, change: np.ndarray) -> np.ndarray:
    return b + (change / b.shape[1] - b.mean(1))[:, None]


def _unasked(levels: Sequence[Level]) -> float:
    """The sum of c^2 z^2 over levels of which nothing was asked, for any one player."""
    p = levels[0].z.shape[1]
    empty = [level for level in levels if not level.asked]
    return sum(level.share**2 / level.pairs * level.size * (p - level.size) / p**2 for level in empty)


class Basis:
    """What the answers do not change: the asked pairs, and K = U diag(e) U' over them, outside the lines q if those are free."""

    def __init__(self, levels: Sequence[Level], unasked: float) -> None:
        self.levels, self.unasked = levels, unasked
        self.z = np.concatenate([level.centered for level in levels])  # (m, p)
        self.c = np.concatenate([level.coefficients for level in levels])  # (m, p): c z
        self.fraction = np.concatenate([np.full(level.asked, level.asked / level.pairs) for level in levels])
        signs = 2.0 * np.concatenate([level.z for level in levels]) - 1
        self.lines, self.q, self.start = line_prior(signs)
        self.k, cubic = kernel(signs, self.lines)
        self.u, self.e = self.k.factorised(self.q)
        self.b = self.z * shapley_of_kernel(signs, self.lines, cubic)  # B (m, p)
        self.prior = shapley_variance(self.players, self.lines, cubic)

    @property
    def players(self) -> int:
        return int(self.z.shape[1])

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
        trace = shrunk.sum() + (len(self.z) - self.q.shape[1] - len(self.e)) / ridge
        return np.asarray(((turned * shrunk) ** 2).sum(1) + rest / ridge**2) / trace**2


@dataclass(frozen=True, eq=False)
class Map:
    """The linear map of one ridge: values b = y M, and the weights of squared residuals in their variances."""

    basis: Basis
    ridge: float

    def __call__(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y (n, m) -> b (n, p), stderr (n, p)"""
        squares = (self.basis.inverse(self.ridge, y.T) ** 2 / self.basis.diagonal(self.ridge, 2)[:, None]).T
        return y @ self.m, widened(squares @ self.weights * self._calibration, self._freedom + 0.5)

    @cached_property
    def m(self) -> np.ndarray:
        """M (m, p)"""
        basis = self.basis
        wanted = basis.b + self.ridge * basis.c / basis.fraction[:, None]
        m = basis.start + basis.inverse(self.ridge, wanted - basis.k @ basis.start - self.ridge * basis.start)
        return np.asarray(m - m.mean(1, keepdims=True))

    @cached_property
    def weights(self) -> np.ndarray:
        """(m, p): what an asked pair's e^2 adds to each variance, for itself and for the unasked pairs it stands for"""
        basis = self.basis
        stands_for = (1 / basis.fraction - 1)[:, None]
        return np.asarray((self.m - basis.c) ** 2 + stands_for * basis.c**2 + basis.unasked / len(basis.c))

    @cached_property
    def _calibration(self) -> float:
        """Variance of the error under functions drawn from K + l I, over what the sandwich expects of them; at least 1."""
        basis, m = self.basis, self.m
        ratio = basis.diagonal(self.ridge, 1) / basis.diagonal(self.ridge, 2)
        true = (
            basis.prior
            + self.ridge * _all_weights(basis.players)
            + (m * (basis.k @ m + self.ridge * m - 2 * (basis.b + self.ridge * basis.c))).sum()
        )
        return max(1.0, float(true / (ratio @ self.weights).sum()))

    @cached_property
    def _freedom(self) -> np.ndarray:
        """(p,) degrees of freedom of each variance: (sum of w)^2 / (w' R w), R the squared correlations of the residuals"""
        basis, w = self.basis, self.weights
        if len(w) > MOST_PAIRS:
            return np.asarray(w.sum(0) ** 2 / (w**2).sum(0))  # so many residuals are hardly correlated
        change = (self.ridge / (basis.e + self.ridge)) ** 2 - 1
        square = np.eye(len(w)) - basis.q @ basis.q.T + (basis.u * change) @ basis.u.T  # G^2 times l^2
        scale = np.sqrt(np.maximum(np.diag(square), np.finfo(float).tiny))
        correlation = (square / scale / scale[:, None]) ** 2
        return np.asarray(w.sum(0) ** 2 / np.maximum((w * (correlation @ w)).sum(0), np.finfo(float).tiny))


def _all_weights(p: int) -> float:
    """The sum of c^2 z^2 over all pairs and players."""
    sizes = range(1, p // 2 + 1)
    return sum(kernel_share(p, s) ** 2 / pairs_at(p, s) * s * (p - s) / p for s in sizes)
