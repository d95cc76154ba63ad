"""To the nearest point of a smooth border: the margin is linearised where the answer stands, and the step to that plane solved
exactly.

    minimise d(x, x + s)   subject to   m(z) + grad m(z) . (x + s - z) >= 0

is in closed form for every distance (`Distance.nearest_on_plane`): for a linear model the first step is the answer, the
projection on the
hyperplane for the 2-norm, the single best feature for a weighted 1-norm. Otherwise steps are shortened until the model itself
agrees,
and repeated from there, as DeepFool does outside of a border (Moosavi-Dezfooli, Fawzi & Frossard 2016). Gradients come from the
network where there is one, from differences of the model's answers otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from scipy.stats.qmc import Halton

from pellucid.methods.counterfactual.distance import Distance, Norm
from pellucid.methods.counterfactual.problem import Answers, Problem, cheapest
from pellucid.methods.counterfactual.search import squeeze

_SHARES = (1.0, 0.5, 0.2, 0.05, 0.01)  # of the way to the linearised answer
_OVER = (1.0 + 1e-6, 1.05, 2.0)  # how far back over the border, in steps of the linearised margin
_RADII = (0.4, 0.6, 0.8, 0.95)  # of the way to the best answer so far
_TERNARY = 25
_STEPS = 14  # of eighths: 2^-42 of the way
_REACH = 20  # steps towards the border from outside


def slopes(problem: Problem, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
    """z (m, p) -> the margin's derivatives in the columns that move freely, 0 elsewhere: (m, p)"""
    free = problem.space.smooth & ~np.isnan(z).any(axis=0)
    if hasattr(problem.f, "grad") and problem.space.structure is None and problem.space.dtype.kind == "f":
        return np.where(free, problem.f.take(rows).grad(z.astype(problem.space.dtype)), 0.0)
    made = np.zeros(z.shape)
    step = np.cbrt(np.finfo(problem.space.dtype).eps) * np.maximum(problem.space.unit, 1e-3 * np.abs(z))
    for j in np.flatnonzero(free):
        up, down = z.copy(), z.copy()
        up[:, j] += step[:, j]
        down[:, j] -= step[:, j]
        ends = problem.margins(np.tile(rows, 2), np.concatenate([up, down])).reshape(2, -1)
        known = np.isfinite(ends).all(axis=0)
        made[known, j] = (ends[0, known] - ends[1, known]) / (2 * step[known, j])
    return made


def polish(problem: Problem, answers: Answers, rounds: int) -> Answers:
    """The same answers, or nearer ones where the margin is smooth: step after step, each as long as its own steps gain anything."""
    own, z, price = answers.own, answers.z.copy(), answers.price.copy()
    active = np.arange(len(own)) if problem.space.smooth.any() else np.zeros(0, np.int64)
    for _ in range(rounds):
        if not len(active):
            break
        rows = own[active]
        step, slope, some = _ideal(problem, rows, z[active])
        active, step, rows = active[some], step[some], rows[some]
        better = _towards(problem, Answers(rows, z[active], price[active]), step, slope[some])
        gained = better.price < price[active] * (1 - 1e-6)
        z[active], price[active] = better.z, np.minimum(better.price, price[active])
        active = active[gained]
    return Answers(own, z, price)


def _ideal(problem: Problem, rows: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The answers (m, p) of the linearised question, columns that do not move freely as in z, its slopes, and where there is
    one (m,).

    Where two rivals are near, both margins are linearised. The shortest step over two planes is the longest of the shortest
    steps over a mixture of them (duality), so the mixture is searched for.
    """
    plane = _Plane.of(problem, rows, z)
    if problem.goal.rivals > 1:
        plane = _mixed(problem, plane, _to_second(problem, rows, z))
    step, some = plane.step(problem)
    there = some & np.isfinite(plane.need) & (plane.slope != 0).any(axis=1) & np.isfinite(step).all(axis=1)
    return plane.x + step, plane.slope, there


def _towards(problem: Problem, answers: Answers, ideal: np.ndarray, slope: np.ndarray) -> Answers:
    """Better answers on the way to the ideal ones: part of the way, then back over the border along the slope (m, p), where that is
    curved, and in along the straight way from x."""
    own, z, price = answers.own, answers.z.copy(), answers.price.copy()
    free = problem.space.smooth & ~problem.space.limits.frozen[own]
    x = np.where(free, problem.x[own], z)
    count = len(_SHARES)
    rows = np.repeat(own, count)
    part = (z[:, None] + np.array(_SHARES)[:, None] * (ideal - z)[:, None]).reshape(-1, z.shape[1])
    part, _ = problem.fit(rows, part)
    margin = problem.margins(rows, part)
    uphill = np.repeat(np.where(free, slope * problem.space.unit**2, 0.0), count, axis=0)
    gain = np.maximum((uphill * np.repeat(slope, count, axis=0)).sum(axis=1), 1e-300)
    lack = np.where(np.isfinite(margin), problem.goal.slack - margin, 0.0)
    tried = [part] + [part + (over * np.maximum(lack, 0.0) / gain)[:, None] * uphill for over in _OVER]
    places = np.tile(np.repeat(np.arange(len(own)), count), len(tried))
    made = problem.try_(own[places], np.concatenate(tried), price[places])
    for i in np.argsort(-made.price, kind="stable").tolist():
        place = places[problem.index[i]]
        z[place], price[place] = made.z[i], min(made.price[i], price[place])
    return squeeze(problem, Answers(own, z, price), x, _STEPS)


@dataclass(eq=False)
class _Plane:
    """Linearised margins of m rows about z: from x (m, p), a step s has to fulfil slope . s >= need (m,)."""

    x: np.ndarray
    slope: np.ndarray
    need: np.ndarray
    room: tuple[np.ndarray, np.ndarray]
    free: np.ndarray

    @classmethod
    def of(cls, problem: Problem, rows: np.ndarray, z: np.ndarray) -> _Plane:
        slope = slopes(problem, rows, z)
        margin = problem.margins(rows, z) - problem.goal.slack
        limits = problem.space.limits
        free = problem.space.smooth & ~limits.frozen[rows]
        x = np.where(free, problem.x[rows], z)
        need = -(margin + (slope * (x - z)).sum(axis=1))
        return cls(x, slope, need, (x - limits.low[rows], limits.high[rows] - x), free)

    def step(self, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
        """The shortest step (m, p) over the plane, and where there is one (m,)"""
        room = np.where(self.slope > 0, self.room[1], self.room[0])
        need = np.maximum(np.nan_to_num(self.need, posinf=-1.0), 0.0)
        return problem.distance.nearest_on_plane(self.slope, need, np.maximum(room, 0.0), self.free)

    def mixed(self, other: _Plane, share: np.ndarray) -> _Plane:
        """(1 - share) of this plane and share (m,) of the other."""
        slope = (1 - share)[:, None] * self.slope + share[:, None] * other.slope
        return replace(self, slope=slope, need=(1 - share) * self.need + share * other.need)


def _to_second(problem: Problem, rows: np.ndarray, z: np.ndarray) -> _Plane:
    """The plane of the margin to the second largest rival."""
    first = problem.f, problem.best.copy(), problem.worst.copy()
    problem.f = replace(problem.f, pick=replace(problem.goal, rank=1))  # type: ignore[arg-type]
    try:
        return _Plane.of(problem, rows, z)
    finally:
        problem.f, problem.best, problem.worst = first


def _mixed(problem: Problem, first: _Plane, second: _Plane) -> _Plane:
    """The mixture over which the shortest step is longest, by ternary search: the length is quasiconcave in the share."""

    def length(share: np.ndarray) -> np.ndarray:
        step, some = first.mixed(second, share).step(problem)
        return np.where(some, problem.distance.total(np.abs(step) / problem.distance.unit), np.inf)

    low, high = np.zeros(len(first.need)), np.ones(len(first.need))
    for _ in range(_TERNARY):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        rising = length(a) < length(b)
        low, high = np.where(rising, a, low), np.where(rising, high, b)
    share = (low + high) / 2
    better = length(share) > length(np.zeros(len(share)))
    return first.mixed(second, np.where(better & np.isfinite(second.need), share, 0.0))


def reach(problem: Problem, rows: np.ndarray) -> Answers:
    """Answers found by walking from the rows themselves to the border of the linearised margin, and over it, by the steps of
    each norm."""
    found = Answers.none(problem.x.shape[1])
    norms: tuple[Norm, ...] = ("l2", "linf", "l1")
    for one in norms:
        found = found + _walk(problem, rows, replace(problem.distance, norm=one))
    return found


def inside(problem: Problem, answers: Answers, count: int) -> Answers:
    """Answers nearer than the best ones so far, in `count` directions spread evenly over the columns that move freely: a
    border that bends
    may come nearer elsewhere."""
    best = cheapest(answers, 1)
    free = np.flatnonzero(problem.space.smooth)
    if not len(best) or len(free) < 2 or not count:
        return Answers.none(problem.x.shape[1])
    ways = np.zeros((count, problem.x.shape[1]))
    spread = Halton(len(free), scramble=False).random(count + 1)[1:]  # its first point is a corner
    ways[:, free] = norm.ppf(spread) * problem.distance.unit[free]
    length = problem.distance.total(np.abs(ways) / problem.distance.unit)
    ways = ways / np.where(length > 0, length, 1.0)[:, None]
    steps = (best.price[:, None, None, None] * np.array(_RADII)[:, None, None]) * ways  # (rows, radii, count, p)
    z = problem.x[best.own][:, None, None] + steps
    each = len(_RADII) * count
    found = problem.try_(np.repeat(best.own, each), z.reshape(-1, problem.x.shape[1]), np.repeat(best.price, each))
    return cheapest(found, 2)


def _walk(problem: Problem, rows: np.ndarray, distance: Distance) -> Answers:
    """One such walk by the steps of one distance."""
    rows = rows[(~problem.space.limits.frozen[rows] & problem.space.smooth).any(axis=1)]
    z, found = problem.x[rows].copy(), Answers.none(problem.x.shape[1])
    for _ in range(_REACH):
        if not len(rows):
            break
        margin, slope = problem.margins(rows, z), slopes(problem, rows, z)
        free = problem.space.smooth & ~problem.space.limits.frozen[rows]
        limits = problem.space.limits
        room = np.where(slope > 0, limits.high[rows] - z, z - limits.low[rows])
        need = 1.05 * (problem.goal.slack - margin) + 1e-9
        step, some = distance.nearest_on_plane(
            slope, np.where(np.isfinite(need), need, -1.0), np.maximum(room, 0.0), free
        )
        rows, moved = rows[some], (z + step)[some]
        made = problem.try_(rows, moved)
        found = found + made
        left = np.ones(len(rows), dtype=bool)
        left[problem.index] = False
        z, good = problem.fit(rows[left], moved[left])
        rows, z = rows[left][good], z[good]
    return found
