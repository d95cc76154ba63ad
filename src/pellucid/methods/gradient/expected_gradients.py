"""Expected gradients: integrated gradients averaged over a data set of baselines, by sampling.

Erion et al., "Improving performance of deep learning models with axiomatic attribution priors and expected gradients"
(Nature Machine Intelligence 2021), eq. 4:

    phi_i(x) = E over x' ~ D, a ~ U(0, 1) of (x_i - x'_i) dF(x' + a (x - x')) / dx_i

Draws go through the background in rounds, every row once a round with a point of its own on the path, so only the point is left to
chance and a linear model comes out exactly. The standard error is that of the points, the background being what it is; with fewer
samples than two rounds, rows are drawn too and the error covers both. Values add up to F(x) - mean F(x') up to that error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.method import Card, GradientMethod, Parts, check_positive
from pellucid.core.scalar import Differentiable, pieces

_CELLS = 2**20  # numbers of path points held at once


@dataclass(frozen=True)
class ExpectedGradients(GradientMethod):
    """`samples` points in all, rounded down to whole rounds of the background."""

    samples: int = 200
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="What did each cell contribute, compared with typical data?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal"),
        output="a contribution per cell, adding up to score - mean background score",
        cost="`samples` forward and backward rows, plus the background once",
        strengths="no single baseline to choose; comes with an error bar; close to Shapley values of smooth models",
        weaknesses="sampled; the background is a choice; features are taken as independent",
        paper="Erion et al. 2021",
        rows=100,
        complete=True,
        sampled=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "samples")

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        if background is None:
            raise InputError(
                "ExpectedGradients needs background rows: pass background=, for example 100 training rows."
            )
        rounds = self.samples // len(background)
        strata = len(background) if rounds > 1 else 1
        draws = rounds * strata if rounds > 1 else self.samples
        total, squares, count = np.zeros((strata, *x.shape)), np.zeros((strata, *x.shape)), np.zeros(strata)
        for part in pieces(draws, max(1, _CELLS // x.size)):
            if count.min() > 1 and f.meter.spent:
                break
            index = np.arange(draws)[part]
            stratum = index % strata
            rows = stratum if strata > 1 else rng.integers(len(background), size=len(index))
            values = _at_points(f, x, background[rows], rng.random(len(index)))
            np.add.at(total, stratum, values)
            np.add.at(squares, stratum, values**2)
            np.add.at(count, stratum, 1)
        return _parts(f, x, background, total, squares, count)


def _at_points(f: Differentiable, x: np.ndarray, starts: np.ndarray, along: np.ndarray) -> np.ndarray:
    """x (n, *features), starts (s, *features), along (s,) -> (x - x') * gradient at the point, (s, n, *features)"""
    way = x - starts[:, None]
    points = starts[:, None] + along.reshape(-1, *[1] * x.ndim) * way
    return np.asarray(way * f.grad(points.astype(x.dtype)))


def _parts(
    f: Differentiable, x: np.ndarray, background: np.ndarray, total: np.ndarray, squares: np.ndarray, count: np.ndarray
) -> Parts:
    """Sums per stratum (strata, n, *features) -> the mean over strata and its standard error"""
    c = count.reshape(-1, *[1] * x.ndim)
    mean = total / c
    variance = np.maximum(squares / c - mean**2, 0) / np.maximum(c - 1, 1)  # of each stratum's mean
    base = f(np.broadcast_to(background[:, None], (len(background), *x.shape))).mean(axis=0)
    return Parts(mean.mean(axis=0), base_values=base, stderr=np.sqrt(variance.sum(axis=0)) / len(count))
