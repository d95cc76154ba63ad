"""Where the search for a row begins: single changes, a few of the best of them together, and rows of the data with the wanted
answer."""

from __future__ import annotations

import numpy as np

from pellucid.methods.counterfactual.problem import Answers, Problem

_LOOK = 1000  # background rows looked at for one row
_TOGETHER = 8  # the most single changes that are tried together


def singles(problem: Problem, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Every single change along each column's values: rows (m,) and moves (m, p)"""
    rows, moves = [], []
    for j in range(problem.x.shape[1]):
        if problem.space.limits.frozen[:, j].all():
            continue
        values = options(problem, j, points)  # (n, q)
        at, which = np.nonzero(~problem.space.limits.frozen[:, j][:, None] & (values != problem.x[:, [j]]))
        z = problem.x[at].copy()
        z[:, problem.space.block(j)] = np.where(len(problem.space.block(j)) > 1, 0.0, z[:, problem.space.block(j)])
        z[:, j] = values[at, which]
        rows.append(at)
        moves.append(z)
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, problem.x.shape[1]))
    return _apart(np.concatenate(rows), np.concatenate(moves))


def options(problem: Problem, j: int, points: int) -> np.ndarray:
    """Values that column j could take, for each row: (n, q)"""
    space, n = problem.space, len(problem.x)
    column = space.limits.columns[j]
    if j in space.limits.allowed or j in space.values:
        return np.tile(space.listed(j), (n, 1))
    if column.kind == "level":
        return np.tile(np.arange(len(column.levels), dtype=float), (n, 1))
    if any(j in group for group in space.limits.groups):
        return np.ones((n, 1))
    x = problem.x[:, [j]]
    if problem.background is None:
        far = np.maximum(np.abs(np.nan_to_num(x)), 1.0) * 2.0 ** np.arange(-3, 6)
        made = np.concatenate([x - far, x + far], axis=1)
    else:
        known = problem.background[~np.isnan(problem.background[:, j]), j]
        cuts = np.unique(np.quantile(known, np.linspace(0, 1, points), method="nearest")) if len(known) else np.zeros(0)
        made = np.tile(cuts, (n, 1))
    ends = np.stack([space.limits.low[:, j], space.limits.high[:, j]], axis=1)
    return np.concatenate([made, np.where(np.isfinite(ends), ends, x)], axis=1)


def _apart(rows: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each move once."""
    _, first = np.unique(np.column_stack([rows, z]), axis=0, return_index=True)
    first.sort()
    return rows[first], z[first]


def together(problem: Problem, rows: np.ndarray, z: np.ndarray, margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best change of each column, put together: the best two, three, ... of a row, by what they gain and by gain for the
    price."""
    n, p = problem.x.shape
    here = np.isfinite(margins)
    if not here.any():
        return np.zeros(0, np.int64), np.zeros((0, p))
    rows, z, margins = rows[here], z[here], margins[here]
    gain = margins - problem.own[rows]
    price = np.maximum(problem.cost(rows, z), 1e-12)
    column = problem.moved(rows, z).argmax(axis=1)
    made_rows, made = [], []
    for worth in (gain, gain / price):
        best = np.full((n, p), -1)
        order = np.argsort(worth, kind="stable")
        best[rows[order], column[order]] = order  # the last one written is the best
        value = np.where(best >= 0, worth[best], -np.inf)
        ranked = np.argsort(-value, axis=1, kind="stable")
        current = problem.x.copy()
        for t in range(min(p, _TOGETHER)):
            j = ranked[:, t]
            pick = best[np.arange(n), j]
            use = (pick >= 0) & (value[np.arange(n), j] > 0)
            for i in np.flatnonzero(use):
                block = problem.space.block(int(j[i]))
                current[i, block] = z[pick[i], block]
            if t:
                made_rows.append(np.flatnonzero(use))
                made.append(current[use].copy())
    if not made:
        return np.zeros(0, np.int64), np.zeros((0, p))
    return _apart(np.concatenate(made_rows), np.concatenate(made))


def neighbours(problem: Problem, count: int) -> tuple[np.ndarray, np.ndarray]:
    """For each row the nearest background rows that have its wanted answer, with what may not change put back: rows (m,),
    moves (m, p)"""
    n, background = len(problem.x), problem.background
    assert background is not None and problem.wanted is not None
    rows, moves = [], []
    for i in range(n):
        rows_of = np.flatnonzero(problem.wanted[i])[:_LOOK]
        if not len(rows_of):
            continue
        own = np.full(len(rows_of), i)
        z, good = problem.fit(own, background[rows_of].astype(float))
        price = np.where(good, problem.price(own, z), np.inf)
        near = np.argsort(price, kind="stable")[:count]
        near = near[np.isfinite(price[near])]
        rows.append(own[near])
        moves.append(z[near])
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, problem.x.shape[1]))
    return _apart(np.concatenate(rows), np.concatenate(moves))


def begin(problem: Problem, points: int, count: int) -> Answers:
    """All first guesses that have the wanted answer."""
    first = Answers.none(problem.x.shape[1])
    if problem.wanted is not None:
        first = first + problem.try_(*neighbours(problem, count))
    if problem.anchors:
        near = np.array(list(problem.anchors))
        first = first + problem.try_(near, np.array(list(problem.anchors.values())))
    rows, z = singles(problem, points)
    z, good = problem.fit(rows, z)
    rows, z = _apart(rows[good], z[good])
    margins = problem.margins(rows, z)
    met = problem.goal.met(margins)
    answers = Answers(rows[met], z[met], problem.price(rows[met], z[met]))
    problem.found = problem.found + answers
    return first + answers + problem.try_(*together(problem, rows, z, margins))
