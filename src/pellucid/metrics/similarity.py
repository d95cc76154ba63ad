"""How alike two maps are, row by row: cosine, the cosine of centred maps, rank correlation, shared top places.

The plain cosine of two maps with a common offset tends to 1 whatever they show (two independent uniform maps: 3/4), and is
exactly 1 for constant ones; the centred cosine (Pearson's r) and the rank correlation (Spearman's) do not see the offset.
All keep signs. Where a map is constant they are undefined, NaN.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import kendalltau, rankdata


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a, b (n, p) -> (n,); NaN where one is all zeros."""
    a, b = unit_scale(a), unit_scale(b)
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), norms, out=np.full(len(a), np.nan), where=norms > 0)


def centred_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a, b (n, p) -> (n,); NaN where one is constant."""
    return np.where(constant(a) | constant(b), np.nan, cosine(_centred(a), _centred(b)))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a, b (n, p) -> (n,) of the signed values, ties sharing their mean rank; NaN where one is constant."""
    return np.where(constant(a) | constant(b), np.nan, centred_cosine(rankdata(a, axis=1), rankdata(b, axis=1)))


def kendall(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a, b (n, p) -> (n,) Kendall's tau-b of the signed values: pairs of places in the same order less pairs in the other.

    NaN where one is constant.
    """
    blank = constant(a) | constant(b)
    pairs = zip(a, b, blank, strict=True)
    return np.array([np.nan if none else kendalltau(one, other).statistic for one, other, none in pairs])


def still_alike(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """own, other (n, p) -> (n,) rank correlation; 0 where the other map has lost all pattern, NaN where the own had none."""
    return np.where(constant(own), np.nan, np.nan_to_num(rank_correlation(own, other)))


def top_overlap(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """a, b (n, p) -> (n,) the share of the k largest magnitudes that both have."""
    return np.asarray((_top(a, k) & _top(b, k)).sum(axis=1) / k)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a, b (n, p) -> (n,) Euclidean"""
    return np.sqrt(((a - b) ** 2).sum(axis=1))


def constant(maps: np.ndarray) -> np.ndarray:
    """(n, p) -> (n,) whether all values of a map are the same, to single precision."""
    return np.asarray(np.ptp(maps, axis=1) <= 1e-6 * np.abs(maps).max(axis=1))


def flat(maps: np.ndarray) -> np.ndarray:
    """(n, ...) -> (n, p)"""
    return maps.reshape(len(maps), -1)


def _centred(maps: np.ndarray) -> np.ndarray:
    return np.asarray(maps - maps.mean(axis=1, keepdims=True))


def unit_scale(maps: np.ndarray) -> np.ndarray:
    """Maps with a largest magnitude of 1, so that squares neither vanish nor overflow."""
    largest = np.abs(maps).max(axis=1, keepdims=True)
    return np.divide(maps, largest, out=np.zeros(maps.shape), where=largest > 0)


def _top(maps: np.ndarray, k: int) -> np.ndarray:
    """(n, p) -> (n, p) True at the k largest magnitudes, the earlier place first among equals."""
    order = np.argsort(-np.abs(maps), axis=1, kind="stable")[:, :k]
    chosen = np.zeros(maps.shape, dtype=bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def mean_known(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN; NaN where nothing is known."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
