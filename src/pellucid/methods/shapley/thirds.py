"""The functions by which asked pairs predict unasked ones: lines and third-order interactions, and their Shapley values.

Over the signs x = 2 1_S - 1 of a coalition, with k_d the mean over sets of d players of the product of their x_i x'_i,

    K(S, S') = T k1 + k3.

The sum of products of d of p signs depends on their total only: (t^2 - p) / 2 for d = 2 and (t^3 - (3 p - 2) t) / 6 for d = 3.
A product of d signs, d odd, goes from -1 (nobody) to 1 (everybody), so each of its d players is worth 2 / d.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

MOST_PAIRS = 2048  # a matrix of pairs may be so large; more pairs need features
_MOST_FEATURES = 1024
_MOST_CELLS = 2**25  # of a matrix of features
THIN = 32  # third-order terms per pair beyond which there is nothing to learn of them
_LINES = 1e3  # T, where lines are shrunk at all
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Prior:
    """The functions that predict the answers of m asked pairs, and the k wanted numbers of these functions."""

    free: np.ndarray  # (m, f) orthonormal directions that are fitted without shrinking
    start: np.ndarray  # (m, k) the map of their least squares
    kernel: Kernel  # K of the others
    b: np.ndarray  # (m, k) the wanted numbers of the functions K(., S)
    variance: np.ndarray  # (k,) of the wanted numbers under functions drawn from K


def odd_prior(signs: np.ndarray) -> Prior:
    """signs (m, p) -> how lines and third-order interactions predict odd parts, and the players' values of them"""
    p = signs.shape[1]
    lines, free, start = line_prior(signs)
    k, cubic = kernel(signs, lines)
    b = (signs - signs.mean(1, keepdims=True)) / 2 * shapley_of_kernel(signs, lines, cubic)
    return Prior(free, start, k, b, np.full(p, shapley_variance(p, lines, cubic) / p))


def line_prior(signs: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """signs (m, p) -> T in K, the orthonormal directions of free lines q (m, p), and the map b of their least squares (m, p)

    With pairs enough, lines are free: fitted without shrinking, and no part of K. With fewer they are in K, shrunk a little.
    """
    m, p = signs.shape
    left, size, right = np.linalg.svd(signs, full_matrices=False)
    if m < 2 * p or size[-1] < size[0] * 1e-9:
        return _LINES, np.empty((m, 0)), np.zeros((m, p))
    return 0.0, left, (left / size) @ right @ (2 * np.eye(p) - 2 / p)


@dataclass(frozen=True, eq=False)
class Kernel:
    """K (m, m), given whole or by features (m, f) with K = features features'."""

    given: np.ndarray
    whole: bool

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self.given @ y if self.whole else self.given @ (self.given.T @ y))

    def factorised(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """-> U (m, r), e (r,) with U diag(e) U' = P K P, P = 1 - q q'"""
        half = self.given - q @ (q.T @ self.given)
        if self.whole:
            e, u = np.linalg.eigh(half - (half @ q) @ q.T)
        else:
            outer, r = np.linalg.qr(half)
            turn, root, _ = np.linalg.svd(r)
            e, u = root**2, outer @ turn
        kept = e > 1e-12 * max(e.max(initial=0), _TINY)  # the others span what P took away
        return u[:, kept], e[kept]


def kernel(signs: np.ndarray, lines: float) -> tuple[Kernel, bool]:
    """signs (m, p) -> K, and whether it holds third-order terms"""
    m, p = signs.shape
    triples, scaled = comb(p, 3), signs * np.sqrt(lines / p)
    if p + triples <= min(m, _MOST_FEATURES, _MOST_CELLS // m):
        i, j, k = np.array(list(combinations(range(p), 3))).reshape(-1, 3).T
        third = signs[:, i] * signs[:, j] * signs[:, k] / np.sqrt(max(triples, 1))
        return Kernel(np.concatenate([scaled, third], axis=1), False), True
    if m > MOST_PAIRS or triples > THIN * m:
        return Kernel(scaled, False), False
    agree = signs @ signs.T
    return Kernel(lines * agree / p + _third(agree, p) / max(triples, 1), True), True


def _third(total: np.ndarray, p: int) -> np.ndarray:
    """The sum of the products of three of p signs whose sum is `total`."""
    return np.asarray((total**3 - (3 * p - 2) * total) / 6)


def _second(total: np.ndarray, p: int) -> np.ndarray:
    return np.asarray((total**2 - p) / 2)


def shapley_of_kernel(signs: np.ndarray, lines: float, cubic: bool) -> np.ndarray:
    """signs (m, p) -> (m, 1): the factor f with b of the function K(., S) = f z(S)

    A sign x_i is worth 2 to player i, and K holds T x'_i / p of it. A product of three is worth 2/3 to each, and K holds of
    those with player i x'_i times the products of two other x'. Both take one value inside S and one outside.
    """
    p, total = signs.shape[1], signs.sum(1, keepdims=True)
    both_sides = _second(total - 1, p - 1) + _second(total + 1, p - 1)
    return np.asarray(4 * lines / p + cubic * 2 / 3 * both_sides / max(comb(p, 3), 1))


def shapley_variance(p: int, lines: float, cubic: bool) -> float:
    """Over functions drawn from K: the variance of b, summed over players."""
    return 4 * lines * (1 - 1 / p) + cubic * 4 / 3 * max(1 - 3 / p, 0)
