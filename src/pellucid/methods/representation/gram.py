"""Gram matrices of many layers, summed over bands of rows, so that none is ever held whole.

With D = sum_ij K_ij L_ij, the row sums k_i and l_i, R = sum_i k_i l_i, and the totals S and T, over n inputs,

    tr(K H L H)       = D - 2 R / n + S T / n^2                               (biased HSIC, times (n - 1)^2)
    n (n - 3) HSIC_1  = D - 2 R / (n - 2) + S T / ((n - 1) (n - 2))           (unbiased, Song et al. 2012; diagonals set to 0)

Linear kernels x.y are taken about the mean, which changes neither and keeps digits. The radial one is exp(-|x - y|^2 / (2 s^2)),
with s^2 = fraction^2 times the median of |x - y|^2 over all pairs, a row with itself included (of at most 2,048 rows,
spread evenly), as in the reference implementation of Kornblith et al. (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid.core.scalar import pieces
from pellucid.methods.representation.base import Side, is_still

_BAND = 2**26  # bytes of all layers' Gram matrices that are held at a time
_MEDIAN = 2048  # rows whose distances the median is taken of

Band = Callable[[slice], np.ndarray]  # rows -> (r, n) of a Gram matrix


@dataclass(frozen=True, eq=False)
class Products:
    """HSIC, up to a factor that cancels: `cross (a, b)`, `own (a,)` and `(b,)`; `traces` of the centred Gram matrices."""

    cross: np.ndarray
    own: tuple[np.ndarray, np.ndarray]
    traces: tuple[np.ndarray, np.ndarray]
    still: tuple[np.ndarray, np.ndarray]  # whether a layer does not vary


def products(a: Side, b: Side, kernel: Callable[[np.ndarray], Band], unbiased: bool) -> Products:
    """HSIC of all pairs; each layer (n, p)"""
    n, sides = len(a[0]), [a] if b is a else [a, b]
    centred = [[x - x.mean(axis=0) for x in side] for side in sides]
    still = [_still(side, about) for side, about in zip(sides, centred, strict=True)]
    bands = [[kernel(x) for x in side] for side in centred]
    found = _Sums(tuple(len(side) for side in (a, b)))
    step = max(1, _BAND // (8 * n * sum(map(len, sides))))
    for rows in pieces(n, step):
        grams = [np.stack([band(rows) for band in side]) for side in bands]  # (k, r, n)
        found.add(grams[0], grams[-1], rows, unbiased)
    cross, own = found.hsic(n, unbiased)
    return Products(cross, own, found.traces(n), (still[0], still[-1]))


def linear(x: np.ndarray) -> Band:
    """x (n, p) about its mean"""
    return lambda rows: x[rows] @ x.T


def radial(fraction: float) -> Callable[[np.ndarray], Band]:
    """The width is a fraction of the root of the median squared distance."""

    def kernel(x: np.ndarray) -> Band:
        lengths = np.einsum("np,np->n", x, x)
        few = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MEDIAN)).astype(int))
        middle = np.median(_distances(x[few], x[few], lengths[few], lengths[few]))
        if not middle > 0:  # most pairs are alike: no width is
            return lambda rows: np.full((rows.stop - rows.start, len(x)), np.nan)
        return lambda rows: np.exp(_distances(x[rows], x, lengths[rows], lengths) / (-2 * fraction**2 * middle))

    return kernel


def _distances(x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """x (r, p), y (n, p) -> squared distances (r, n)"""
    return np.asarray(np.maximum(xx[:, None] + yy - 2 * x @ y.T, 0))


def _still(side: Side, centred: Side) -> np.ndarray:
    variation = np.array([np.einsum("np,np->", x, x) for x in centred])
    return is_still(variation, np.array([np.einsum("np,np->", x, x) for x in side]))


class _Sums:
    """D, R, the totals and the diagonals of all Gram matrices, band by band."""

    def __init__(self, counts: tuple[int, ...]) -> None:
        a, b = counts
        self.products, self.rows = np.zeros((a, b)), np.zeros((a, b))
        self.own = [np.zeros((2, k)) for k in counts]  # of each layer with itself: D and R
        self.total, self.diagonal = [np.zeros(k) for k in counts], [np.zeros(k) for k in counts]

    def add(self, a: np.ndarray, b: np.ndarray, rows: slice, hollow: bool) -> None:
        """a (k, r, n), b (l, r, n): these rows of the Gram matrices"""
        place = np.arange(rows.start, rows.stop)
        for side, gram in enumerate((a, b)):
            self.diagonal[side] += gram[:, place - rows.start, place].sum(axis=1)
        if hollow:
            for gram in [a] if b is a else [a, b]:
                gram[:, place - rows.start, place] = 0
        sums = [gram.sum(axis=2) for gram in (a, b)]
        flat = [gram.reshape(len(gram), -1) for gram in (a, b)]
        self.products += flat[0] @ flat[1].T
        self.rows += sums[0] @ sums[1].T
        for side in (0, 1):
            self.own[side] += (
                np.einsum("kj,kj->k", flat[side], flat[side]),
                np.einsum("kj,kj->k", sums[side], sums[side]),
            )
            self.total[side] += sums[side].sum(axis=1)

    def hsic(self, n: int, unbiased: bool) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """(a, b) between layers, (a,) and (b,) within"""
        row, both = (2 / (n - 2), 1 / ((n - 1) * (n - 2))) if unbiased else (2 / n, 1 / n**2)
        cross = self.products - row * self.rows + both * np.outer(*self.total)
        first, second = (own[0] - row * own[1] + both * t**2 for own, t in zip(self.own, self.total, strict=True))
        return cross, (first, second)

    def traces(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """of centred Gram matrices whose diagonal was not left out"""
        first, second = (diagonal - total / n for diagonal, total in zip(self.diagonal, self.total, strict=True))
        return first, second
