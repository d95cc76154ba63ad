"""Which features a sparse surrogate keeps: K-LASSO and its two plainer relatives.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), algorithm 1: choose K features, then fit those alone. All
three only look at the weighted moments Z' W Z and Z' W y, so that one pass over the samples serves every choice.
The lime package multiplies weights by the instance's own values in its `highest_weights`; here features are standardised,
and the weights compare as they are.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import MethodError


@dataclass(frozen=True)
class Selection(ABC):
    """`features`: how many are kept at most."""

    features: int = 6

    def __post_init__(self) -> None:
        if not isinstance(self.features, int) or isinstance(self.features, bool) or self.features < 1:
            raise MethodError(
                f"{type(self).__name__}(features={self.features!r}): expected a whole number, at least 1."
            )

    @abstractmethod
    def choose(self, gram: np.ndarray, cross: np.ndarray, penalty: float) -> np.ndarray:
        """Z' W Z (q, q), Z' W y (q,) of features that vary, the ridge's penalty -> the kept ones' numbers, in order"""


@dataclass(frozen=True)
class HighestWeights(Selection):
    """The features with the largest coefficients of the ridge on all."""

    def choose(self, gram: np.ndarray, cross: np.ndarray, penalty: float) -> np.ndarray:
        b = np.linalg.lstsq(gram + penalty * np.eye(len(gram)), cross, rcond=None)[0]
        return np.sort(np.argsort(-np.abs(b), kind="stable")[: self.features])


@dataclass(frozen=True)
class ForwardSelection(Selection):
    """One feature after the other, each the one that lowers the ridge's objective most."""

    def choose(self, gram: np.ndarray, cross: np.ndarray, penalty: float) -> np.ndarray:
        """Sweeping a chosen column out of the moments leaves c_j^2 / G_jj as what each other one would gain."""
        left, c = gram + penalty * np.eye(len(gram)), cross.astype(float)
        enough = 1e-10 * np.diag(left)  # a column that the chosen ones already make up has nothing left
        chosen: list[int] = []
        for _ in range(min(self.features, len(c))):
            own = np.diag(left)
            gain = np.where(own > enough, c**2 / np.where(own > enough, own, 1), -1.0)
            gain[chosen] = -1.0
            j = int(gain.argmax())
            if gain[j] < 0:
                break
            chosen.append(j)
            share = left[:, j] / own[j]
            c, left = c - share * c[j], left - np.outer(share, left[j])
        return np.sort(np.array(chosen, dtype=int))


@dataclass(frozen=True)
class LassoPath(Selection):
    """K-LASSO: what is in the lasso's path where it last has so many features."""

    def choose(self, gram: np.ndarray, cross: np.ndarray, penalty: float) -> np.ndarray:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import lars_path_gram

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # columns that say the same: one of them is dropped
            _, _, path = lars_path_gram(Xy=cross, Gram=gram, n_samples=1, method="lasso")
        few = np.flatnonzero((path != 0).sum(axis=0) <= self.features)
        return np.flatnonzero(path[:, few[-1]])
