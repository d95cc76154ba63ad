"""Integrated gradients: the gradient averaged along the straight path from a baseline, times the way walked.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks" (ICML 2017), eq. 1:

    IG_i(x) = (x_i - x'_i) * integral over a in [0, 1] of dF(x' + a (x - x')) / dx_i

so that values add up to F(x) - F(x'). The integral is taken at Gauss-Legendre points: exact for polynomials up to degree
2 * steps - 1, where the right Riemann sum of many texts is off by (g(1) - g(0)) / (2 steps). An even number of steps keeps
a point away from the middle, where kinks of ReLU networks like to sit.

Several baselines (`"background"`, `"noise"`, `Together(("zeros", "blur"))`) are averaged; the standard error over them says how
far the answer would move with other baselines of that kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.method import Card, GradientMethod, Parts, check_positive
from pellucid.core.scalar import Differentiable, pieces
from pellucid.methods.gradient.averaging import averaged

_CELLS = 2**22  # numbers of path points held at once, whatever the number of steps


@dataclass(frozen=True)
class IntegratedGradients(GradientMethod):
    """`steps` points on the path. `baseline` is where it starts: "zeros", a number, a tuple (one per feature), "mean", "blur",
    "background", "noise" or `Noise(...)`, several as `Together((...))`; None is the background if given, else zeros."""

    steps: int = 50
    baseline: BaselineLike = None

    card: ClassVar[Card] = Card(
        question="What did each cell contribute, compared with a baseline?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per cell, adding up to score - baseline score",
        cost="`steps` forward and backward rows per baseline",
        strengths="adds up; blind neither to saturation nor to how the network is written; deterministic",
        weaknesses="the answer depends on the baseline, and cells equal to the baseline get nothing; noisy on deep networks; "
        "on 20 photographs no better than a random order on insertion (docs/evidence/gradient.md)",
        paper="Sundararajan, Taly & Yan 2017",
        rows=100,
        complete=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "steps")
        check_baseline(self.baseline)

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        starts = references(self.baseline, x, background, channels=f.channels, schema=f.schema)
        values, stderr = averaged((x - start) * self._mean_gradient(f, x, start) for start in starts)
        base = np.mean([f(start) for start in starts], axis=0)
        return Parts(values, base_values=base, stderr=stderr)

    def _mean_gradient(self, f: Differentiable, x: np.ndarray, start: np.ndarray) -> np.ndarray:
        """x, start (n, *features) -> the gradient averaged over the path (n, *features)"""
        nodes, weights = np.polynomial.legendre.leggauss(self.steps)
        along, total = (nodes + 1) / 2, np.zeros(x.shape)
        for part in pieces(self.steps, max(1, _CELLS // x.size)):
            t = along[part].reshape(-1, *[1] * x.ndim)
            # no name for the points (steps, n, *features): they are gone before the next ones are made
            total += np.tensordot(weights[part] / 2, f.grad((start + t * (x - start)).astype(x.dtype)), axes=1)
        return total
