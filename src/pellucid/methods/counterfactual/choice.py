"""Which of all answers found are handed back: the cheapest, then cheap ones that differ from those already chosen."""

from __future__ import annotations

import numpy as np

from pellucid.methods.counterfactual.problem import Answers, Problem

_LOOK = 400  # the cheapest answers of a row that further ones are chosen from
_APART = 0.1  # of its price: what an answer has to differ by at least


def diverse(problem: Problem, found: Answers, k: int, diversity: float) -> Answers:
    """For each row its cheapest answer and up to k - 1 more, each of the lowest price less `diversity` times its distance from the
    nearest one chosen; answers that only go further along the same columns, the same way, are taken where there are no others."""
    chosen = Answers.none(problem.x.shape[1])
    for row in np.unique(found.own):
        mine = found.take(np.flatnonzero(found.own == row))
        mine = mine.take(np.argsort(mine.price, kind="stable")[: 1 if k == 1 else _LOOK])
        chosen = chosen + mine.take(np.array(_pick(problem, mine, k, diversity)))
    return chosen


def _pick(problem: Problem, mine: Answers, k: int, diversity: float) -> list[int]:
    picked, open_ = [0], np.ones(len(mine), dtype=bool)
    apart = np.full(len(mine), np.inf)
    way = np.sign(np.nan_to_num(mine.z - problem.x[mine.own]))  # how each column moves
    coded = problem.space.limits.coded
    way[:, coded] = np.where(problem.moved(mine.own, mine.z)[:, coded], mine.z[:, coded] + 1, 0.0)
    while len(picked) < k:
        last = picked[-1]
        far = problem.distance.total(problem.distance.parts(np.repeat(mine.z[[last]], len(mine), axis=0), mine.z))
        apart = np.minimum(apart, far)
        open_ &= ~_covers(way, way[last])
        left = open_ if open_.any() else apart > _APART * mine.price
        if not left.any():
            break
        worth = np.where(left, mine.price - diversity * apart, np.inf)
        picked.append(int(worth.argmin()))
    return picked


def _covers(way: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(m,) whether an answer moves every column that another one moves, and the same way"""
    return np.asarray(((way == one) | (one == 0)).all(axis=1))
