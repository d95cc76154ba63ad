"""The best scoring system over some terms: coordinate search for a good one, branch and cut for the proof.

Ustun & Rudin, "Learning optimized risk scores" (2019): the logistic loss is convex, so each of its tangents lies below it, and the
mixed-integer program

    min  L + penalty * sum_j z_j   with   L >= loss(p_k) + slope(p_k) (p - p_k) for some p_k,   |p_j| <= M z_j,   p whole

never exceeds the best objective. Its solution gets a tangent of its own, and so on until both meet. Their algorithm
adds tangents inside of one tree of branches; SciPy's HiGHS lets none in, so a new program is solved each time. It
begins with the tangents that the program without whole numbers asks for (Kelley 1960) and gets those of every point
that the coordinate search comes by.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from pellucid.methods.glassbox.points_task import Task

_ENOUGH = 1e-6  # of the objective: a gap that is closed
_TINY = 1e-12
_NEAR = 0.005  # of the best objective: what is so near to it may become better
_STRETCHES = (1.0, 0.7, 1.4)
_ROOT = 60  # tangents that the program without whole numbers may ask for


@dataclass(eq=False)
class Search:
    """Looks for the best points (d + 1,); `go(rounds)` says whether it may go on, and for how many seconds (None: for any)."""

    task: Task
    go: Callable[[int], tuple[bool, float | None]]
    nodes: int  # branches of one program
    best: np.ndarray = field(init=False)
    objective: float = np.inf
    bound: float = 0.0
    rounds: int = 0

    def run(self) -> None:
        """A good system first, then the proof that none is better, as far as it may go."""
        self.cuts: list[np.ndarray] = []
        nothing = np.zeros(self.task.terms.shape[1])
        self._polish(nothing)
        relaxed = self._root()
        for stretch in _STRETCHES:  # rounding is by no means the same at every size (Liu et al. 2022)
            self._polish(relaxed * stretch)
        self.prove()

    def prove(self) -> None:
        """Programs with more and more tangents."""
        while self.objective - self.bound > _ENOUGH * self.objective:
            on, seconds = self.go(self.rounds)
            if not on:
                return
            self.rounds += 1
            point = self._program(seconds)
            if point is None:
                return
            self._cut(point)
            self._cut((point + self.best) / 2)
            self._polish(point)

    def _root(self) -> np.ndarray:
        """Tangents where the linear program without whole numbers comes to rest, and where that is."""
        point = self.best
        for round_ in range(_ROOT):
            if not self.go(self.rounds)[0]:
                break
            parts = self._parts()
            made = linprog(parts.costs, parts.left, parts.right, bounds=np.column_stack([parts.low, parts.high]))
            if made.x is None:
                break
            self.bound = max(self.bound, min(float(made.fun), self.objective))
            point = made.x[: len(point)]
            short = self.task.loss(point) - made.x[-1]
            self._cut(point)
            if short < 1e-3 * self.objective and round_:
                break
        return point

    def _program(self, seconds: float | None) -> np.ndarray | None:
        """Solve the program with the tangents so far: raises the bound, and hands back its points (d + 1,)."""
        parts, size = self._parts(), len(self.task.reach)
        options = {"node_limit": self.nodes, "mip_rel_gap": 1e-7} | ({} if seconds is None else {"time_limit": seconds})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a limit was reached
            made = milp(
                parts.costs,
                integrality=np.concatenate([np.ones(size - 1), [0], np.ones(size - 1), [0]]),
                bounds=Bounds(parts.low, parts.high),
                constraints=LinearConstraint(parts.left, ub=parts.right),
                options=options,
            )
        if made.mip_dual_bound is not None and np.isfinite(made.mip_dual_bound):
            self.bound = max(self.bound, min(float(made.mip_dual_bound), self.objective))
        return None if made.x is None else np.append(np.rint(made.x[: size - 1]), made.x[size - 1])

    def _parts(self) -> Program:
        """The program on (points (d + 1), used (d), loss)."""
        task, size, cuts = self.task, len(self.task.reach), np.array(self.cuts)
        d, most = size - 1, float(task.most)
        below = np.column_stack([cuts[:, :size], np.zeros((len(cuts), d)), -np.ones(len(cuts))])
        tied = np.zeros((2 * d, 2 * size))
        tied[:d, :d], tied[d:, :d] = np.eye(d), -np.eye(d)
        tied[:d, size:-1] = tied[d:, size:-1] = -most * np.eye(d)
        few = np.concatenate([np.zeros(size), np.ones(d), [0.0]])
        return Program(
            costs=np.concatenate([np.zeros(size), np.full(d, task.penalty), [1.0]]),
            left=np.vstack([below, tied, few]),
            right=np.concatenate([-cuts[:, size], np.zeros(2 * d), [float(task.terms_allowed)]]),
            low=np.concatenate([-task.reach, np.zeros(size)]).astype(float),
            high=np.concatenate([task.reach, np.ones(d), [np.inf]]).astype(float),
        )

    def _cut(self, at: np.ndarray) -> None:
        """The tangent of the loss at some points (d + 1,): L >= slope . points + constant, kept as (slope, constant)."""
        slope = self.task.slope(at)
        self.cuts.append(np.append(slope, self.task.loss(at) - slope @ at))

    def _polish(self, points: np.ndarray) -> None:
        """Change the points of one term, or of two, as long as that helps; a tangent wherever it comes by."""
        points = allowed(points, self.task)
        objective = self.task.objective(points)
        while True:
            self._cut(points)
            found, price = best_move(self.task, points)
            if price >= objective - _TINY and objective < self.objective * (1 + _NEAR):  # worth a closer look
                found, price = _best_exchange(self.task, points)
            if price >= objective - _TINY:
                break
            points, objective = found, price
        if objective < self.objective - _TINY:
            self.best, self.objective = points, objective


@dataclass(frozen=True, eq=False)
class Program:
    """min costs . v with left v <= right and low <= v <= high."""

    costs: np.ndarray
    left: np.ndarray
    right: np.ndarray
    low: np.ndarray
    high: np.ndarray


def allowed(points: np.ndarray, task: Task) -> np.ndarray:
    """Whole points within their reach, of the terms that have most of them, with the best intercept."""
    made = np.clip(np.rint(points), -task.most, task.most)
    made[np.argsort(-np.abs(made[:-1]), kind="stable")[task.terms_allowed :]] = 0
    return task.centred(made + 0.0)


def best_move(task: Task, points: np.ndarray, tried: int = 4) -> tuple[np.ndarray, float]:
    """The best change of one term's points, with the intercept that suits it, of the few that promise most."""
    prices = task.prices(points)
    best, price = points, np.inf
    for place in np.argsort(prices, axis=None, kind="stable")[:tried].tolist():
        j, at = divmod(place, prices.shape[1])
        if at - task.most == points[j] or not np.isfinite(prices[j, at]):
            continue
        moved = points.copy()
        moved[j] = at - task.most
        moved = task.centred(moved)
        if (cost := task.objective(moved)) < price:
            best, price = moved, cost
    return best, price


def _best_exchange(task: Task, points: np.ndarray) -> tuple[np.ndarray, float]:
    """The best change of two terms' points, one of which is left out, or moves by one."""
    best, price = points, np.inf
    for j in np.flatnonzero(points[:-1]).tolist():
        for value in sorted({0.0, points[j] - 1, points[j] + 1}):
            if abs(value) > task.most:
                continue
            other = points.copy()
            other[j] = value
            found, cost = best_move(task, task.centred(other), tried=2)
            if cost < price:
                best, price = found, cost
    return best, price
