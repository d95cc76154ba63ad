"""How a local surrogate is made of samples: which count how much, which features are kept, under which loss.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), eq. 1: argmin over g of L(f, g, pi) + Omega(g), whatever the
samples are. Tables hand in neighbours of a row (`lime.py`), games 0/1 masks of players (`lime_masks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.methods.removal.lime_fit import Surrogate, varying, weighted_ridge
from pellucid.methods.removal.lime_kernel import (
    check_distance,
    default_width,
    distances,
    proximity,
    shapley_kernel,
)
from pellucid.methods.removal.lime_logistic import logistic_ridge
from pellucid.methods.removal.lime_select import Selection

Loss = Literal["squared", "logistic"]
LOSSES: tuple[str, ...] = get_args(Loss)


@dataclass(frozen=True)
class Local:
    """`kernel_width` None follows the distance and the number of features; `selection` None keeps them all."""

    kernel_width: float | None = None
    distance: str = "euclidean"
    loss: str = "squared"
    selection: Selection | None = None
    penalty: float = 1.0

    def __post_init__(self) -> None:
        check_distance("LIME", self.distance)
        if self.loss not in LOSSES:
            raise MethodError(f"LIME(loss={self.loss!r}): choose one of {', '.join(LOSSES)}.")
        if self.selection is not None and not isinstance(self.selection, Selection):
            raise MethodError(
                f"LIME(selection={self.selection!r}): give HighestWeights(), ForwardSelection(), LassoPath() or None."
            )
        if self.distance == "shapley" and (self.loss, self.selection, self.kernel_width) != ("squared", None, None):
            raise MethodError(
                "LIME(distance='shapley') has no width, keeps all features and takes the squared loss: leave the others out."
            )

    def weigh(self, features: np.ndarray, at: np.ndarray) -> np.ndarray:
        """features (m, p), the instance's own `at` (p,) -> weights (m,)"""
        if self.distance == "shapley":
            return shapley_kernel(features)
        width = self.kernel_width or default_width(self.distance, features.shape[1])
        return proximity(distances(features, at, self.distance), width)

    def fit(self, features: np.ndarray, weights: np.ndarray, y: np.ndarray, complete: bool = False) -> Surrogate:
        """features (m, p), weights (m,), y (m, k) -> k surrogates; `complete`: these are all samples there are."""
        solve = weighted_ridge if self.loss == "squared" else logistic_ridge
        if self.selection is None:
            return solve(features, weights, y, self.penalty, complete)
        kept = self._kept(features, weights, y, self.selection)  # (k, p)
        patterns, which = np.unique(kept, axis=0, return_inverse=True)
        whole = _empty(*kept.shape)
        effective = np.inf
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == number)
            part = solve(features[:, pattern], weights, y[:, rows], self.penalty, complete)
            whole.coefficients[np.ix_(rows, pattern)] = part.coefficients
            whole.stderr[np.ix_(rows, pattern)] = part.stderr
            whole.intercept[rows], whole.r2[rows], effective = part.intercept, part.r2, part.effective
        return replace(whole, effective=effective)

    def _kept(self, features: np.ndarray, weights: np.ndarray, y: np.ndarray, selection: Selection) -> np.ndarray:
        """(k, p) whether each surrogate keeps a feature; chosen under the squared loss, whatever the fit's own."""
        varies = np.flatnonzero(varying(features, weights))
        z = (features - weights @ features / weights.sum())[:, varies]
        pulled = (z * weights[:, None]).T  # (q, m)
        gram, cross = pulled @ z, pulled @ (y - weights @ y / weights.sum())
        kept = np.zeros((y.shape[1], features.shape[1]), bool)
        for k in range(y.shape[1]):
            kept[k, varies[selection.choose(gram, cross[:, k], self.penalty)]] = True
        return kept


def _empty(k: int, p: int) -> Surrogate:
    return Surrogate(np.zeros((k, p)), np.zeros(k), np.ones(k), np.full((k, p), np.nan), np.inf)
