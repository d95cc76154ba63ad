"""How a generator of counterfactuals is trained on a question, and what becomes of its proposals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.constraints import Decreasing, Increasing
from pellucid.core.errors import MethodError
from pellucid.methods.counterfactual.base import Outcome
from pellucid.methods.counterfactual.choice import diverse
from pellucid.methods.counterfactual.problem import Answers, Problem, Spent, cheapest, signature
from pellucid.methods.counterfactual.search import draw_in, undo
from pellucid.methods.counterfactual.structure import Mechanism
from pellucid.methods.counterfactual.variational import VariationalCounterfactual
from pellucid.models.variational import Coding, Generator

_STEP = 0.02  # of a column's unit: where a mechanism's slope is taken
_FINE = 7  # rounds of eighths in drawing in
_TIDIED = 4  # proposals a row that are tidied, beyond those that are wanted


def generated(method: VariationalCounterfactual, problem: Problem) -> Outcome:
    """The answers of each row, the cheapest first."""
    if not hasattr(problem.f, "grad") or problem.space.limits.coded.any() or problem.space.dtype.kind != "f":
        raise MethodError(
            "VariationalCounterfactual needs gradients: give a torch network on numbers, or take Wachter(), which only asks."
        )
    if problem.wanted is None:
        raise MethodError(
            "VariationalCounterfactual is trained on background rows, which have no extra inputs of their own: leave extra= out."
        )
    outcome = Outcome(Answers.none(problem.x.shape[1]))
    taken = 0
    try:
        for rows in _kinds(problem):
            generator, steps = _trained(method, problem, rows)
            taken += steps
            _propose(method, problem, generator, rows)
    except Spent:
        pass  # what was found by then stands
    outcome.answers = diverse(problem, problem.found, method.answers, method.diversity)
    outcome.notes = (f"the generators were trained in {taken:,} steps on {len(_complete(problem)):,} background rows",)
    return outcome


def _kinds(problem: Problem) -> list[np.ndarray]:
    """Rows that want the same."""
    both = np.stack([problem.goal.columns, problem.goal.sign], axis=1)
    kinds, which = np.unique(both, axis=0, return_inverse=True)
    return [np.flatnonzero(which.ravel() == kind) for kind in range(len(kinds))]


def _complete(problem: Problem) -> np.ndarray:
    """Background rows without missing values, (b, p)"""
    assert problem.background is not None
    return problem.background[~np.isnan(problem.background).any(axis=1)]


def _trained(method: VariationalCounterfactual, problem: Problem, rows: np.ndarray) -> tuple[Generator, int]:
    data = _complete(problem)
    if len(data) < 2:
        raise MethodError(
            f"VariationalCounterfactual is trained on complete background rows, and there are {len(data)}: pass more."
        )
    generator = Generator(_coding(problem, data), method.latent, method.hidden, method.seed)
    pull = Pull.of(method, problem, int(rows[0]), data)
    kept = len(rows) * (method.draws + 1)  # model rows that are left for the proposals
    taken, steps = 0, generator.learn(
        data, pull, batches=method.batches, size=method.size, rate=method.rate, divergence=method.divergence
    )  # fmt: skip
    while not problem.f.meter.spent and problem.f.meter.rows_left() >= kept + 3 * method.size:
        if next(steps, None) is None:
            break
        taken += 1
    return generator, taken


def _coding(problem: Problem, data: np.ndarray) -> Coding:
    """What the generator has to know of the columns."""
    limits, space = problem.space.limits, problem.space
    spread = data.std(axis=0)
    grouped = {j for group in limits.groups for j in group}
    switches = tuple(j for j, listed in space.values.items() if j not in grouped and set(listed) <= {0.0, 1.0})
    centre, spread = data.mean(axis=0), np.where(spread > 0, spread, 1.0)
    follows = np.zeros(len(spread), dtype=bool)
    follows[[one.column for one in space.structure.mechanisms] if space.structure is not None else []] = True
    held = limits.still.all(axis=0) | (limits.frozen.all(axis=0) & ~follows)
    return Coding(centre, spread, switches, limits.groups, held)


def _propose(method: VariationalCounterfactual, problem: Problem, generator: Generator, rows: np.ndarray) -> None:
    """Ask the model about what the generator makes of some rows."""
    x = problem.x[rows]
    made = generator.draw(x, method.draws).reshape(-1, x.shape[1])
    own = np.repeat(rows, method.draws)
    if problem.space.structure is not None:
        made = problem.space.structure.acts(problem.x[own], made)
    found = problem.try_(own, made)
    if method.tidy:
        some = cheapest(found, _TIDIED + method.answers, signature(problem, found))
        undo(problem, draw_in(problem, undo(problem, some), _FINE))


@dataclass(frozen=True, eq=False)
class Pull:
    """What x' is to be like, as slopes of the loss by x'; `of` binds it to one of the rows that want this answer."""

    method: VariationalCounterfactual
    problem: Problem
    row: int
    spread: float  # of the margin over the data

    @classmethod
    def of(cls, method: VariationalCounterfactual, problem: Problem, row: int, data: np.ndarray) -> Pull:
        some = data[: method.size * 4]
        margins = problem.f.take(np.full(len(some), row))(some.astype(problem.space.dtype))
        return cls(method, problem, row, float(np.std(margins)) or 1.0)

    def __call__(self, x: np.ndarray, made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """x, x' (m, p), y' (m,) -> (m, p)"""
        return self.near(x, made) + self.has_answer(made, wanted) + self.lawful(x, made)

    def near(self, x: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Of d(x, x')"""
        unit, structure = self.problem.distance.unit, self.problem.space.structure
        expected, follows = x.copy(), []
        for one in () if structure is None else structure.mechanisms:
            moved, rises = _slopes(one, x, made, unit)
            expected[:, one.column] += moved
            follows.append((one.column, rises))
        way = np.sign(made - expected) / unit
        slope = way.copy()
        for j, rises in follows:
            slope -= way[:, [j]] * rises
        return slope / x.shape[1]

    def has_answer(self, made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Of validity * max(0, margin - m_y'(x'))"""
        problem, sign = self.problem, np.where(wanted > 0, 1.0, -1.0)
        given = made.astype(problem.space.dtype)
        margins = sign * problem.f.take(np.full(len(made), self.row))(given) / self.spread
        lacks = np.flatnonzero(margins < self.method.margin)
        slope = np.zeros(made.shape)
        if len(lacks):
            f: Any = problem.f.take(np.full(len(lacks), self.row))
            rises = f.grad(given[lacks])
            slope[lacks] = -self.method.validity * sign[lacks, None] * rises / self.spread
        return slope

    def lawful(self, x: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Of lawful * broken(x')"""
        limits, unit = self.problem.space.limits, self.problem.distance.unit
        slope = np.zeros(made.shape)
        place = {column.name: j for j, column in enumerate(limits.columns)}
        for rule in limits.rules:
            if isinstance(rule, Increasing | Decreasing):
                way = 1.0 if isinstance(rule, Increasing) else -1.0
                for j in (place[name] for name in rule.names):
                    slope[:, j] -= way * (way * (made[:, j] - x[:, j]) < 0) / unit[j]
        held = limits.related(made)
        for k, (weights, op) in enumerate(zip(limits.A, limits.ops, strict=True)):
            if op != "!=":
                way = np.sign(made @ weights - limits.b[k]) * ~held[:, k]
                slope += way[:, None] * weights / np.linalg.norm(weights * unit)
        return self.method.lawful * slope


def _slopes(one: Mechanism, x: np.ndarray, made: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x, x' (m, p) -> F(x') - F(x) (m,), and the slopes of F at x' (m, p) by differences, all in one call"""
    parents, m = sorted(one.parents), len(x)
    places = np.tile(made, (2 * len(parents) + 1, 1, 1))
    for i, k in enumerate(parents):
        places[2 * i + 1, :, k] += _STEP * unit[k]
        places[2 * i + 2, :, k] -= _STEP * unit[k]
    moved = one.moved(np.tile(x, (len(places), 1)), places.reshape(-1, x.shape[1])).reshape(-1, m)
    slopes = np.zeros(x.shape)
    for i, k in enumerate(parents):
        slopes[:, k] = (moved[2 * i + 1] - moved[2 * i + 2]) / (2 * _STEP * unit[k])
    return moved[0], slopes
