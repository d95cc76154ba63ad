"""Three ways to solve H v = g for a positive definite H, a Hessian plus a multiple of the identity.

`Exact` makes H and factors it; `ConjugateGradients` (Hestenes & Stiefel 1952) needs products with H alone, and solves for all
right-hand sides at once; `LiSSA` (Agarwal, Bullins & Hazan 2017) sums the series

    v_0 = g,   v_t = g + (1 - H_t / scale) v_{t-1},   H^-1 g = lim v_t / scale

with H_t the Hessian of a few examples drawn at random, and repeats it to know its own error. An H that is not positive
definite is refused, with the damping that would make it so: its inverse would say nothing of a minimum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import check_positive

if TYPE_CHECKING:
    from pellucid.models.training.gradients import Training

_LARGE = 10_000  # parameters whose Hessian, 0.8 GB, is still made
_UNSOLVED = 0.1  # of a query's gradient: what LiSSA may leave without a word
_POWER = 20  # steps of the power iteration that finds the largest eigenvalue

Product = Callable[[np.ndarray], np.ndarray]  # (P, k) -> (P, k)


@dataclass(frozen=True, eq=False)
class Solved:
    """`v (P, k)`, how far H v is from g relative to g `residual (k,)`, and the draws that v is the mean of, `(r, P, k)`."""

    v: np.ndarray
    residual: np.ndarray
    draws: np.ndarray | None = None
    solve: Product | None = None  # solves for more right-hand sides at little cost, where a solver can
    warnings: tuple[str, ...] = ()


class Solver(ABC):
    """A frozen value."""

    @abstractmethod
    def solve(self, training: Training, g: np.ndarray, ridge: float) -> Solved:
        """g (P, k) -> v with (H + ridge) v = g"""


@dataclass(frozen=True)
class Exact(Solver):
    """H is made and factored: P^2 numbers, P directions of curvature."""

    def solve(self, training: Training, g: np.ndarray, ridge: float) -> Solved:
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        size = training.size
        if size > _LARGE:
            raise InputError(
                f"the Hessian of {size:,} parameters is too large to be made (limit {_LARGE:,}): choose fewer, as in "
                "InfluenceFunctions(parameters=('head.*',)), or solve by ConjugateGradients()."
            )
        H = training.hessian() + ridge * np.eye(size)
        try:
            factor = cho_factor(H, lower=True)
        except LinAlgError:
            least = float(np.linalg.eigvalsh(H)[0])
            raise indefinite(least) from None
        v = cho_solve(factor, g)
        return Solved(v, _relative(H @ v - g, g), solve=lambda more: cho_solve(factor, more))


@dataclass(frozen=True)
class ConjugateGradients(Solver):
    """Until the residual is `tolerance` of g, or for `steps` steps."""

    tolerance: float = 1e-6
    steps: int = 200

    def __post_init__(self) -> None:
        check_positive(self, "tolerance", "steps")

    def solve(self, training: Training, g: np.ndarray, ridge: float) -> Solved:
        v, left = conjugate_gradients(
            lambda V: training.curvature(V) + ridge * V, g, tolerance=self.tolerance, steps=self.steps
        )
        open_ = int((left > self.tolerance).sum())
        said = f"conjugate gradients did not converge for {open_} of {g.shape[1]} queries in {self.steps} steps (see residual): "
        return Solved(v, left, warnings=(said + "allow more steps or more damping",) if open_ else ())


def conjugate_gradients(
    product: Product, g: np.ndarray, *, tolerance: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """g (P, k) -> v (P, k) and its relative residual (k,); columns that are done stand still"""
    v, r = np.zeros_like(g), g.copy()
    p, rr, goal = r.copy(), np.einsum("pk,pk->k", r, r), tolerance**2 * np.einsum("pk,pk->k", g, g)
    for _ in range(steps):
        active = np.flatnonzero(rr > goal)
        if not len(active):
            break
        Hp = product(p[:, active])
        bend = np.einsum("pk,pk->k", p[:, active], Hp)
        if (bend <= 0).any():
            raise indefinite(float((bend / np.einsum("pk,pk->k", p[:, active], p[:, active])).min()))
        step = rr[active] / bend
        v[:, active] += step * p[:, active]
        r[:, active] -= step * Hp
        new = np.einsum("pk,pk->k", r[:, active], r[:, active])
        p[:, active] = r[:, active] + (new / rr[active]) * p[:, active]
        rr[active] = new
    return v, _relative(r, g)


@dataclass(frozen=True)
class LiSSA(Solver):
    """`repeats` sums of `depth` terms, each with a Hessian of `batch` examples; None for `scale` finds one.

    `scale` has to be larger than every eigenvalue of the batches' Hessians: None takes twice the largest of the whole Hessian. The
    sum is cut off where (1 - smallest eigenvalue / scale)^depth is not small: look at the residual.
    """

    depth: int = 1000
    batch: int = 32
    repeats: int = 4
    scale: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(self, "depth", "batch", "repeats", *([] if self.scale is None else ["scale"]))

    def solve(self, training: Training, g: np.ndarray, ridge: float) -> Solved:
        scale = 2 * (largest(training) + ridge) if self.scale is None else self.scale
        rng = np.random.default_rng(self.seed)
        draws = np.stack([self._sum(training, g, ridge, scale, rng) for _ in range(self.repeats)])
        v = draws.mean(axis=0)
        left = _relative(training.curvature(v) + ridge * v - g, g)
        said = f"LiSSA left up to {left.max():.0%} of a query's gradient unsolved (see residual): allow a larger depth= or damping="
        return Solved(v, left, draws, warnings=(said,) if left.max() > _UNSOLVED else ())

    def _sum(
        self, training: Training, g: np.ndarray, ridge: float, scale: float, rng: np.random.Generator
    ) -> np.ndarray:
        v, size = g.copy(), min(self.batch, training.n)
        for _ in range(self.depth):
            rows = rng.choice(training.n, size, replace=False)
            v = g + v - (training.curvature(v, rows) + ridge * v) / scale
            if not np.abs(v).max() < 1e12 * max(np.abs(g).max(), 1e-300):
                raise MethodError(
                    f"LiSSA diverges with scale {scale:.3g}: give a larger scale=, a larger batch= or more damping."
                )
        return v / scale


def largest(training: Training) -> float:
    """The largest eigenvalue of the training loss's Hessian in size, by power iteration."""
    v, found = np.random.default_rng(0).normal(size=(training.size, 1)), 0.0
    for _ in range(_POWER):
        v /= np.linalg.norm(v) or 1.0
        v = training.curvature(v)
        found = float(np.linalg.norm(v))
    return found


def indefinite(least: float) -> MethodError:
    """What to say of a Hessian that is not positive definite; `least` is a negative curvature that it has."""
    return MethodError(
        f"the Hessian is not positive definite (it has a curvature of {least:.3g}): the parameters are no strict minimum of the "
        f"training loss. Add damping of at least {max(-1.1 * least, 1e-6):.1g}, as in InfluenceFunctions(damping=...), give the "
        "penalty that training had by l2=, choose fewer parameters, or train further."
    )


def _relative(left: np.ndarray, g: np.ndarray) -> np.ndarray:
    """(P, k), (P, k) -> (k,)"""
    size = np.linalg.norm(g, axis=0)
    return np.asarray(np.linalg.norm(left, axis=0) / np.where(size > 0, size, 1.0))
