"""Sums of local effects, centred: the linear part of accumulated local effects, from bins' means to curves and surfaces.

Apley & Zhu, "Visualizing the effects of predictor variables in black box supervised learning models" (JRSS B 2020), eq. 15
to 20, with the constant of their package ALEPlot: between two edges the curve is a straight line, so the mean over the data
takes each bin at its middle. Everything here is linear in the bins' means, which also gives the standard error:
Var(curve) = sum over bins of weight^2 * variance of the local effects / their number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def bin_means(effects: np.ndarray, place: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """effects (n,), the bin of each (n,) -> mean, population variance and number per bin (bins,); NaN where none is."""
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(place, effects, bins) / count
        variance = np.bincount(place, (effects - mean[place]) ** 2, bins) / count
    return mean, variance, count


def curve(mean: np.ndarray, count: np.ndarray) -> np.ndarray:
    """means (..., K), rows per bin (K,) -> the centred curve at the edges (..., K + 1)"""
    edges = _from_zero(mean, -1)
    middle = (edges[..., :-1] + edges[..., 1:]) / 2
    return np.asarray(edges - (middle @ count / count.sum())[..., None])


def surface(mean: np.ndarray, count: np.ndarray) -> np.ndarray:
    """means (..., K, M), rows per cell (K, M) -> what two columns do beyond their own curves, at the corners (..., K + 1, M + 1)"""
    corners = _from_zero(_from_zero(mean, -1), -2)
    for axis in (-2, -1):
        corners = corners - _own(corners, count, axis)
    near = (corners[..., :-1, :] + corners[..., 1:, :]) / 2
    middle = (near[..., :-1] + near[..., 1:]) / 2
    return np.asarray(corners - (middle * count).sum((-2, -1), keepdims=True) / count.sum())


def _own(corners: np.ndarray, count: np.ndarray, axis: int) -> np.ndarray:
    """The curve of one of the two columns alone, along `axis`, ready to subtract."""
    turned = np.moveaxis(corners, axis, -2)  # (..., K + 1, M + 1)
    weights = np.moveaxis(count, axis, -2)
    steps = np.diff(turned, axis=-2)
    along = (steps[..., :-1] + steps[..., 1:]) / 2  # each cell at its middle
    own = (along * weights).sum(-1) / np.maximum(weights.sum(-1), 1)
    return np.asarray(np.moveaxis(_from_zero(own, -1)[..., None], -2, axis))


def _from_zero(steps: np.ndarray, axis: int) -> np.ndarray:
    """Cumulative sums that begin with 0."""
    total = np.cumsum(steps, axis=axis)
    return np.concatenate([np.zeros_like(np.take(total, [0], axis=axis)), total], axis=axis)


def stderr(linear: Callable[[np.ndarray], np.ndarray], variance: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Of a linear function of bins' means, from the variance and number of the effects in each bin (any shape).

    A bin with a single row says nothing of its own spread: it takes the mean spread of the others.
    """
    known = count > 1
    spread = np.where(known, variance * count / np.maximum(count - 1, 1), np.nan)
    typical = np.nanmean(spread) if known.any() else np.nan
    of_mean = np.where(known, spread, typical) / np.maximum(count, 1)
    units = np.eye(count.size).reshape(count.size, *count.shape)
    weights = linear(units)  # (bins, *edges)
    return np.asarray(np.sqrt(np.tensordot(of_mean.ravel(), weights**2, axes=1)))


def filled(mean: np.ndarray) -> np.ndarray:
    """(K, M) with cells that hold no rows given the mean of the nearest cell that does, as in ALEPlot."""
    empty = np.isnan(mean)
    if not empty.any():
        return mean
    from scipy.ndimage import distance_transform_edt

    where = distance_transform_edt(
        empty, sampling=[1 / side for side in mean.shape], return_distances=False, return_indices=True
    )
    return np.asarray(mean[tuple(where)])
