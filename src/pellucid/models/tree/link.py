"""What stands between sums of leaves and a model's outputs: a logistic function, a softmax, an exponential, a loss.

Behind such a link a leaf has no share of its own. What is done (Lundberg et al. 2020, section "Explaining the loss";
Chen, Lundberg & Lee 2021, "Explaining a series of models by propagating Shapley values") is this: against one
background row b, the Shapley values phi^m(x, b) of each sum m are carried through the link g by its mean slope on the
straight line from b's sums to x's,

    phi_i(x, b) = sum_m phi_i^m(x, b) * integral over s in [0, 1] of dg/dm at m_b + s (m_x - m_b),

and averaged over background rows. For one sum that is the change of g over the change of the sum; for several (a softmax) it is
the Aumann-Shapley price of each. Values add up to g(x) - mean g(b). They are not the Shapley values of the game on
g itself, which takes 2^p evaluations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from pellucid.core.target import Pick

EPSILON = float(np.finfo(float).eps)  # the smallest probability of a log loss, as scikit-learn has it
_NODES, _SHARES = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True, eq=False)
class Link:
    """outputs: sums (..., m) -> (..., k). pull: sums (..., m), c (..., k) -> the derivative of c . outputs (..., m)."""

    outputs: Callable[[np.ndarray], np.ndarray]
    pull: Callable[[np.ndarray, np.ndarray], np.ndarray]
    why: str  # in words, what it does to the sums


def linear(readout: np.ndarray) -> Link:
    """readout (k, m): outputs that are sums of leaves themselves."""
    return Link(lambda s: s @ readout.T, lambda s, c: c @ readout, "sums")


def logistic(sharpness: float = 1.0) -> Link:
    """One sum -> the probabilities of two classes."""
    sides = sharpness * np.array([-1.0, 1.0])

    def pull(s: np.ndarray, c: np.ndarray) -> np.ndarray:
        slope = expit(sharpness * s) * expit(-sharpness * s)
        return slope * (c @ sides)[..., None]

    return Link(
        lambda s: expit(s * sides), pull, "a boosted classifier's probability is a logistic function of its margin"
    )


def normalised() -> Link:
    """One sum a class -> probabilities."""

    def pull(s: np.ndarray, c: np.ndarray) -> np.ndarray:
        likely = softmax(s, axis=-1)
        return likely * (c - (likely * c).sum(-1, keepdims=True))

    return Link(lambda s: softmax(s, axis=-1), pull, "probabilities of several classes are a softmax of their margins")


def exponential(why: str) -> Link:
    """Each output is the exponential of its sum."""
    return Link(np.exp, lambda s, c: c * np.exp(s), why)


def sigmoid(why: str) -> Link:
    """Each output is a logistic function of its sum."""
    return Link(expit, lambda s, c: c * expit(s) * expit(-s), why)


def isolation(offset: float) -> Link:
    """The mean depth of an isolation forest -> its decision function, minus 2^-depth less an offset."""
    return Link(
        lambda s: -np.exp2(-s) - offset,
        lambda s, c: c * np.log(2) * np.exp2(-s),
        "an isolation forest's score is an exponential of the mean depth",
    )


def log_loss(inner: Link) -> Link:
    """Probabilities -> minus their logarithms, clipped as scikit-learn does."""

    def pull(s: np.ndarray, c: np.ndarray) -> np.ndarray:
        likely = inner.outputs(s)
        return inner.pull(s, np.where(likely > EPSILON, -c / np.maximum(likely, EPSILON), 0.0))

    return Link(
        lambda s: -np.log(np.maximum(inner.outputs(s), EPSILON)), pull, "a log loss is a logarithm of a probability"
    )


@dataclass(frozen=True, eq=False)
class Number:
    """The one number of n rows that a target picks, as a function of the forest's sums."""

    link: Link
    pick: Pick

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """(n, ..., m) -> (n, ...)"""
        return np.asarray(self._shown(self._picked(sums)))

    def slopes(self, x: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Sums x (n, m), b (references, m) -> the mean slope between each pair (n, references, m)."""
        way = x[:, None] - b  # (n, references, m)
        mean = np.zeros(way.shape)
        for node, share in zip((_NODES + 1) / 2, _SHARES / 2, strict=True):
            mean += share * self._slope(b + node * way)
        change = self(x[:, None]) - self(np.broadcast_to(b, way.shape))
        way = np.where(mean != 0, way, 0.0)  # sums that do not matter get no share
        length = (way**2).sum(-1)
        missed = np.where(
            length > 1e-10, change - (mean * way).sum(-1), 0.0
        )  # what the points of the integral leave over
        return mean + (missed / np.maximum(length, 1e-10))[..., None] * way

    def _slope(self, sums: np.ndarray) -> np.ndarray:
        """(n, references, m) -> (n, references, m)"""
        c = np.zeros((*sums.shape[:2], self.link.outputs(sums[:1, :1]).shape[-1]))
        here = np.arange(len(sums))
        c[here, :, self.pick.columns] = 1.0
        if self.pick.minus is not None:
            c[here, :, self.pick.minus] -= 1.0
        slope = self.link.pull(sums, c)
        if self.pick.truth is None:
            return slope
        return slope * (2 * (self._picked(sums) - self.pick.truth[:, None]))[..., None]

    def _picked(self, sums: np.ndarray) -> np.ndarray:
        outputs, here = self.link.outputs(sums), np.arange(len(sums))
        picked = outputs[here, ..., self.pick.columns]
        return picked if self.pick.minus is None else picked - outputs[here, ..., self.pick.minus]

    def _shown(self, picked: np.ndarray) -> np.ndarray:
        if self.pick.truth is None:
            return picked
        return (picked - self.pick.truth.reshape(-1, *[1] * (picked.ndim - 1))) ** 2
