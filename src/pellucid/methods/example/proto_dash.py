"""ProtoDash: prototypes with weights that say how much of the data each one stands for.

Gurumoorthy, Dhurandhar, Cecchi & Aggarwal, "Efficient Data Representation by Selecting Prototypes with Importance Weights"
(ICDM 2019). With the kernel matrix K of the rows and mu its row means, weights w >= 0 on at most m rows are to maximise

    l(w) = w' mu - w' K w / 2          so that  MMD^2 = mean K - 2 l(w)

Rows are added one by one, each where the gradient mu - K w is largest, and the weights of all rows picked are solved for anew: a
non-negative least-squares problem (SciPy). Weights need not add up to 1, as in the paper; other implementations
divide by their sum. The search ends early where no gradient is positive: more rows would get no weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import nnls

from pellucid.core.method import Card
from pellucid.methods.example.base import Found, Progress, PrototypeMethod, check_fields, check_room
from pellucid.methods.example.kernels import RBF, Bound, Kernel

_FLAT = 1e-10  # of the largest mean: a gradient this small is the arithmetic's


@dataclass(frozen=True)
class ProtoDash(PrototypeMethod):
    """`prototypes` is how many rows there are at most, with weights that are not negative.

    `kernel` is how alike two rows are, RBF(gamma=...) or Precomputed(); `per_class` makes only rows of one class alike.
    """

    prototypes: int = 10
    kernel: Kernel = RBF()
    per_class: bool = False

    card: ClassVar[Card] = Card(
        question="Which rows stand for the data, and for how much of it does each?",
        scope="global",
        access="training data",
        inputs=("table", "image", "volume", "signal"),
        output="prototypes with weights",
        cost="no model rows; n^2 kernel values once, n for each row picked",
        strengths="weights tell a typical row from one that stands for few; fewer rows than MMD-critic for the same discrepancy",
        weaknesses="as good as the kernel; no criticisms; a weight is no share of the rows",
        paper="Gurumoorthy, Dhurandhar, Cecchi & Aggarwal 2019",
        rows=0,
        verb="prototypes",
    )

    def __post_init__(self) -> None:
        check_fields(self, prototypes=(self.prototypes, 1))

    def find(self, kernel: Bound, progress: Progress | None = None) -> Found:
        check_room(self, kernel.n)
        means = kernel.means(progress)
        columns = np.empty((kernel.n, self.prototypes), order="F")  # (n, m)
        weights, gradient, curve = np.empty(0), means, []
        picked: list[int] = []
        for size in range(1, self.prototypes + 1):
            free = np.where(np.isin(np.arange(kernel.n), picked), -np.inf, gradient)
            best = int(free.argmax())
            if free[best] <= _FLAT * np.abs(means).max():
                break
            picked.append(best)
            columns[:, size - 1] = kernel.columns(np.array([best]))[:, 0]
            inside = columns[picked, :size]  # (size, size)
            weights = best_weights(inside, means[picked])
            gradient = means - columns[:, :size] @ weights
            curve.append(means.mean() - 2 * weights @ means[picked] + weights @ inside @ weights)
        return Found(np.array(picked), weights, np.array(curve), gradient, warnings=self._warnings(weights))

    def _warnings(self, weights: np.ndarray) -> tuple[str, ...]:
        if len(weights) == self.prototypes:
            return ()
        return (
            f"{len(weights)} prototypes say it all: a row more, of the {self.prototypes} asked for, would get no weight",
        )


def best_weights(inside: np.ndarray, means: np.ndarray) -> np.ndarray:
    """inside (m, m), means (m,) -> the w >= 0 that maximises w' means - w' inside w / 2"""
    values, vectors = np.linalg.eigh((inside + inside.T) / 2)
    root = np.sqrt(np.maximum(values, 1e-14 * values.max()))
    return np.asarray(nnls(root[:, None] * vectors.T, (vectors.T @ means) / root)[0])
