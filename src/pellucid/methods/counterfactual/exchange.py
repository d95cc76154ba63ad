"""Better combinations of actions next to one that works: one change is taken back or made smaller, and another one made instead.

For every answer, all pairs (a change to take back, an action in another column) and all single actions that lower the price
are asked at once;
the cheapest that has the wanted answer takes its place, until there is none. Only moves that would be cheaper cost a query.
"""

from __future__ import annotations

import numpy as np

from pellucid.methods.counterfactual.actions import Grid
from pellucid.methods.counterfactual.problem import Answers, Problem

_ROUNDS = 6
_MOST = 400  # moves asked for one answer in a round, the cheapest first


def exchange(problem: Problem, grids: list[Grid], answers: Answers) -> Answers:
    """The same answers, or cheaper ones on the rows' grids"""
    own, z, price = answers.own, answers.z.copy(), answers.price.copy()
    active = np.arange(len(own))
    for _ in range(_ROUNDS):
        if not len(active):
            break
        rows, moves, place = [], [], []
        for i in active.tolist():
            made = _moves(problem, grids[int(own[i])], z[i], float(price[i]))
            rows.append(np.full(len(made), own[i]))
            moves.append(made)
            place.append(np.full(len(made), i))
        where = np.concatenate(place)
        better = problem.try_(np.concatenate(rows), np.concatenate(moves), below=price[where])
        found = where[problem.index]
        for k in np.argsort(-better.price, kind="stable").tolist():  # the cheapest is written last
            z[found[k]], price[found[k]] = better.z[k], better.price[k]
        active = np.unique(found)
    return Answers(own, z, price)


def _moves(problem: Problem, grid: Grid, z: np.ndarray, price: float) -> np.ndarray:
    """Cheaper rows next to z (p,): (m, p)"""
    x = problem.x[grid.row]
    bases = [z]
    for block in grid.columns:
        places = list(block)
        if not np.array_equal(z[places], x[places], equal_nan=True):
            less = z.copy()
            less[places] = x[places]
            bases.append(less)
    made = [z[None][:0]]
    for base in bases:
        for block, values in zip(grid.columns, grid.options, strict=True):
            moved = np.tile(base, (len(values), 1))
            moved[:, list(block)] = values
            made.append(moved)
    every = np.concatenate(made)
    cost = problem.cost(np.full(len(every), grid.row), every)
    cheap = np.flatnonzero(cost < price * (1 - 1e-9))
    return every[cheap[np.argsort(cost[cheap], kind="stable")[-_MOST:]]]
