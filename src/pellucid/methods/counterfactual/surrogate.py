"""A local linear stand-in for a model that is no sum over columns: fitted around a row, solved exactly, checked on the model,
tightened.

    m(z) ~ b + sum_j w_j (z_j - x_j) / s_j + sum_levels w_l [z_j = l],      weights exp(-(moved columns / columns)^2 / 0.25)

fitted by ridge regression to combinations of actions drawn at random, the same draws for every row (Ribeiro, Singh & Guestrin
2016). The margin that the program has to reach grows by what its last answer fell short of.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from pellucid.methods.counterfactual.actions import Grid, Program
from pellucid.methods.counterfactual.problem import Answers, Problem

_ROUNDS = 6
_RIDGE = 1e-3
_CELLS = 600  # options of a program at most: beyond, it would take seconds


def tightened(problem: Problem, grids: list[Grid], samples: int) -> Answers:
    """Answers of the surrogates' programs that the model agrees with"""
    grids = [grid for grid in grids if 0 < sum(map(len, grid.options)) <= _CELLS]
    found = Answers.none(problem.x.shape[1])
    if not grids:
        return found
    drawn = [_drawn(grid, samples) for grid in grids]
    seen = [_asked(problem, grid, choice) for grid, choice in zip(grids, drawn, strict=True)]
    need, open_ = dict.fromkeys(range(len(grids)), 0.0), list(range(len(grids)))
    for _ in range(_ROUNDS):
        tries = {i: choice for i in open_ if (choice := _answer(problem, grids[i], *seen[i], need[i])) is not None}
        if not tries:
            break
        z = np.concatenate([grids[i].rows(problem.x[grids[i].row], choice[None]) for i, choice in tries.items()])
        rows = np.array([grids[i].row for i in tries])
        found = found + problem.try_(rows, z)
        margins = problem.margins(rows, z)
        open_ = [i for i, margin in zip(tries, margins.tolist(), strict=True) if np.isfinite(margin)]
        for (i, choice), margin in zip(tries.items(), margins.tolist(), strict=True):
            seen[i] = (np.concatenate([seen[i][0], choice[None]]), np.append(seen[i][1], margin))
            need[i] -= (1.2 if margin < 0 else 0.7) * _straight(problem, margin) - 1e-6 * (margin < 0)
    return found


def _straight(problem: Problem, margin: Any) -> Any:
    """Margins of probabilities as differences of logits: the same sign, and nearer to a sum."""
    if problem.f.scale != "probability" or problem.goal.low is not None:
        return margin
    return np.arctanh(np.clip(margin, -1 + 1e-9, 1 - 1e-9))


def _asked(problem: Problem, grid: Grid, choice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choices (m, blocks) that keep to the relations, and the model's margins of them"""
    z = grid.rows(problem.x[grid.row], choice)
    rows = np.full(len(z), grid.row)
    good = problem.space.limits.related(problem.settle(rows, z)).all(axis=1)
    return choice[good], problem.margins(rows[good], z[good])


def _drawn(grid: Grid, samples: int) -> np.ndarray:
    """Combinations (samples, blocks): few blocks move in some, many in others"""
    rng = np.random.default_rng((0, zlib.crc32(b"Recourse")))
    moved = rng.random((samples, len(grid.options))) < rng.uniform(0.05, 0.6, (samples, 1))
    share = rng.random((samples, len(grid.options)))
    pick = np.stack([(share[:, k] * len(values)).astype(int) for k, values in enumerate(grid.options)], axis=1)
    return np.where(moved, pick, 0)


def _answer(problem: Problem, grid: Grid, choice: np.ndarray, margins: np.ndarray, need: float) -> np.ndarray | None:
    """The program's choice on the surrogate that fits what was seen, with a margin of `need`"""
    known = np.isfinite(margins)
    if known.sum() < 3:
        return None
    tables = [_features(problem, grid, k) for k in range(len(grid.options))]
    D = np.concatenate([table[choice[known, k]] for k, table in enumerate(tables)], axis=1)
    far = (choice[known] > 0).mean(axis=1)
    weight = np.sqrt(np.exp(-(far**2) / 0.25))
    own = float(_straight(problem, problem.own[grid.row]))
    A = D * weight[:, None]
    w = np.linalg.solve(
        A.T @ A + _RIDGE * np.eye(D.shape[1]), A.T @ ((_straight(problem, margins[known]) - own) * weight)
    )
    ends = np.cumsum([0, *(table.shape[1] for table in tables)])
    gains = np.concatenate([table @ w[a:b] for table, a, b in zip(tables, ends[:-1], ends[1:], strict=True)])
    alone = grid.alone(problem.x[grid.row])
    costs = problem.cost(np.full(len(alone), grid.row), alone)
    program = Program(problem, grid, gains, costs, own, problem.distance.norm == "linf")
    return program.solve(problem.goal.slack + need, np.inf, [])[0]


def _features(problem: Problem, grid: Grid, k: int) -> np.ndarray:
    """What the options of block k are to the surrogate: moves in units of the column, or which one it is: (q, d)"""
    block, values = grid.columns[k], grid.options[k]
    j = block[0]
    if len(block) == 1 and problem.space.ranked[j]:
        return (values - values[:1]) / problem.distance.unit[j]
    return np.eye(len(values))[:, 1:]
