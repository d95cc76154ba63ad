"""How the nearest answers are searched: from many places to the border, cleaned of idle changes, polished, and elsewhere again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.limits import Limits
from pellucid.methods.counterfactual.base import Outcome
from pellucid.methods.counterfactual.choice import diverse
from pellucid.methods.counterfactual.polish import inside, polish, reach
from pellucid.methods.counterfactual.problem import Answers, Problem, Spent, cheapest, signature
from pellucid.methods.counterfactual.search import draw_in, undo
from pellucid.methods.counterfactual.starts import begin

if TYPE_CHECKING:
    from pellucid.methods.counterfactual.wachter import Wachter

_FINE = 7  # rounds of eighths in drawing in: 2^-21 of the way
_POLISHED = 3  # answers a row that are polished, beyond those that are wanted
_STEPS = 25  # linearised steps of polishing at most


def find(method: Wachter, problem: Problem) -> Outcome:
    """The answers of each row, the cheapest first."""
    limits = problem.space.limits
    try:
        _search(method, problem, np.arange(len(problem.x)))
        for _ in range(1, method.answers):
            if not _elsewhere(method, problem, limits):
                break
        problem.space.limits = limits
        if method.answers > 1:
            _tidied(method, problem)
    except Spent:
        pass  # what was found by then stands
    problem.space.limits = limits
    return Outcome(_chosen(method, problem))


def _search(method: Wachter, problem: Problem, rows: np.ndarray) -> None:
    first = begin(problem, method.points, 4 * method.starts)
    walk = rows if hasattr(problem.f, "grad") else rows[~np.isin(rows, first.own)]
    walked = reach(problem, walk)
    first = first + walked
    chosen = cheapest(first, method.starts + method.answers, signature(problem, first))
    near = draw_in(problem, undo(problem, chosen), _FINE)
    near = undo(problem, near)
    best = cheapest(near, _POLISHED + method.answers, signature(problem, near))
    best = best + cheapest(walked, 1)
    done = polish(problem, best, _STEPS)
    polish(problem, inside(problem, done, method.probes), _STEPS)


def _elsewhere(method: Wachter, problem: Problem, limits: Limits) -> bool:
    """Search once more for rows that have too few answers, with what each answer mostly rests on held fast."""
    chosen = _chosen(method, problem)
    count = np.bincount(chosen.own, minlength=len(problem.x))
    short = np.flatnonzero((count > 0) & (count < method.answers))
    fast = np.ones(limits.frozen.shape, dtype=bool)  # the other rows are through
    fast[short] = limits.frozen[short]
    parts = problem.distance.parts(problem.x[chosen.own], chosen.z)
    fast[chosen.own, parts.argmax(axis=1)] = True
    short = short[~fast[short].all(axis=1)]
    before = len(problem.found)
    problem.space.limits = replace(limits, frozen=fast)
    if len(short):
        _search(method, problem, short)
    return len(problem.found) > before


def _tidied(method: Wachter, problem: Problem) -> None:
    """Take back changes of the chosen answers that are not needed; what is found so is there to be chosen instead."""
    for _ in range(2):
        before = len(problem.found)
        undo(problem, _chosen(method, problem))
        if len(problem.found) == before:
            return


def _chosen(method: Wachter, problem: Problem) -> Answers:
    return diverse(problem, problem.found, method.answers, method.diversity)
