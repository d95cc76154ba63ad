"""Recourse without a search: by programs where the margin is a sum over columns, by asking every combination where there are
few."""

from __future__ import annotations

import numpy as np

from pellucid.methods.counterfactual.actions import Grid, Program
from pellucid.methods.counterfactual.base import Outcome
from pellucid.methods.counterfactual.problem import Problem, Spent


def programmed(problem: Problem, grids: list[Grid], k: int, outcome: Outcome) -> np.ndarray:
    """Up to k answers for every row by mixed-integer programs; -> the rows that a program could not decide"""
    own, gains = _gains(problem, grids)
    undecided = []
    for grid, base, gain in zip(grids, own, gains, strict=True):
        if problem.f.meter.spent:  # programs take time and no model rows
            raise Spent
        costs = _costs(problem, grid)
        program = Program(problem, grid, gain, costs, base, problem.distance.norm == "linf")
        cut: list[np.ndarray] = []
        for place in range(k):
            choice, none = _solved(problem, program, cut)
            if choice is None:
                if place == 0 and none:
                    outcome.proven.add(grid.row)
                    outcome.reasons[grid.row] = (
                        f"no combination of the {_actions(grid):,} actions that the constraints leave gives the wanted answer: "
                        "proven by a mixed-integer program"
                    )
                elif place == 0:
                    undecided.append(grid.row)
                break
            cut.append(choice > 0)
    return np.array(undecided, dtype=np.int64)


def _actions(grid: Grid) -> int:
    """How many changes of single columns there are."""
    return sum(map(len, grid.options)) - len(grid.options)


def _solved(problem: Problem, program: Program, cut: list[np.ndarray]) -> tuple[np.ndarray | None, bool]:
    """A choice that the model itself agrees with."""
    assert problem.additive is not None
    low, high = problem.additive.ends
    hair = 1e-9 * (1 + abs(program.own) + float(np.abs(program.gains).max(initial=0.0)))
    for attempt, inward in enumerate((-hair, hair, 100 * hair, 1e4 * hair)):  # the first too wide: no answer is a proof
        choice, none = program.solve(low + inward, high - inward, cut)
        if choice is None:
            return None, none and attempt == 0
        z = program.grid.rows(problem.x[program.grid.row], choice[None])
        if len(problem.try_(np.array([program.grid.row]), z)):
            return choice, False
    return None, False


def _gains(problem: Problem, grids: list[Grid]) -> tuple[np.ndarray, list[np.ndarray]]:
    """What every option of every row adds to the additive margin: own margins (rows,), gains per row (sum of q,)"""
    assert problem.additive is not None
    alone = [grid.alone(problem.x[grid.row]) for grid in grids]
    counts = [len(z) for z in alone]
    rows = np.repeat([grid.row for grid in grids], counts)
    here = np.array([grid.row for grid in grids])
    asked = problem.additive(np.concatenate([here, rows]), np.concatenate([problem.x[here], *alone]))
    own = asked[: len(grids)]
    parts = np.split(asked[len(grids) :], np.cumsum(counts)[:-1])
    return own, [part - base for part, base in zip(parts, own, strict=True)]


def _costs(problem: Problem, grid: Grid) -> np.ndarray:
    """(sum of q,) the cost of every option alone"""
    alone = grid.alone(problem.x[grid.row])
    return problem.cost(np.full(len(alone), grid.row), alone)


def enumerated(problem: Problem, grids: list[Grid], outcome: Outcome) -> None:
    """Ask every combination; where none has the wanted answer, that is a proof."""
    for grid in grids:
        z = grid.rows(problem.x[grid.row], grid.every())
        before = int(problem.asked[grid.row])
        found = problem.try_(np.full(len(z), grid.row), z)
        if not len(found) and not problem.over and before + len(z) <= problem.most:
            outcome.proven.add(grid.row)
            outcome.reasons[grid.row] = (
                f"none of the {len(z):,} combinations of actions that the constraints leave gives the wanted answer: all were asked"
            )
