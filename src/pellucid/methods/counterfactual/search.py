"""From a first answer to a near one, for all rows in step: undo changes, then draw the remaining ones in.

`undo`: of all single changes that can be taken back with the wanted answer kept, take back the one that lowers the price most;
again,
until none is left. `draw_in`: a number (or a level with an order) goes as near to where it was as the answer allows, by dividing
the way in eight, over and over; the dearest column first.
"""

from __future__ import annotations

import numpy as np

from pellucid.methods.counterfactual.problem import Answers, Problem

_PARTS = 8


def undo(problem: Problem, answers: Answers) -> Answers:
    """The same answers with all changes taken back that are not needed."""
    own, z, price = answers.own.copy(), answers.z.copy(), answers.price.copy()
    active = np.arange(len(own))
    while len(active):
        start, column = np.nonzero(problem.moved(own[active], z[active]))
        start = active[start]
        less = z[start].copy()
        for j in np.unique(column):
            block, here = problem.space.block(int(j)), column == j
            less[np.ix_(here, block)] = problem.x[own[start[here]]][:, block]
        made = problem.try_(own[start], less, below=price[start])
        if not len(made):
            break
        changed = start[problem.index]
        order = np.lexsort((made.price, changed))
        first = order[np.concatenate([[True], changed[order][1:] != changed[order][:-1]])]
        z[changed[first]], price[changed[first]] = made.z[first], made.price[first]
        active = changed[first]
    return Answers(own, z, price)


def draw_in(problem: Problem, answers: Answers, rounds: int) -> Answers:
    """The same answers with every remaining change as small as the answer allows."""
    if not len(answers):
        return answers
    own, z, price = answers.own, answers.z.copy(), answers.price.copy()
    parts = problem.distance.parts(problem.x[own], z)
    parts = np.where(problem.space.ranked & problem.moved(own, z), parts, 0.0)
    order = np.argsort(-parts, axis=1, kind="stable")
    for rank in range(int((parts > 0).sum(axis=1).max(initial=0))):
        column = order[:, rank]
        here = np.flatnonzero(parts[np.arange(len(own)), column] > 0)
        inner = z[here].copy()
        inner[np.arange(len(here)), column[here]] = problem.x[own[here], column[here]]
        made = squeeze(problem, Answers(own[here], z[here], price[here]), inner, rounds)
        z[here], price[here] = made.z, made.price
    return Answers(own, z, price)


def squeeze(problem: Problem, answers: Answers, inner: np.ndarray, rounds: int) -> Answers:
    """Answers moved toward `inner` (m, p) as far as the wanted answer holds along the straight way."""
    own, z, price = answers.own, answers.z.copy(), answers.price.copy()
    outer, inner = answers.z.copy(), inner.copy()
    active = np.arange(len(own))
    for _ in range(rounds):
        if not len(active):
            break
        share = np.arange(1, _PARTS) / _PARTS  # from the inner end outwards
        way = inner[active][:, None] + share[:, None] * (outer[active] - inner[active])[:, None]
        tried = problem.try_(
            np.repeat(own[active], len(share)), way.reshape(-1, z.shape[1]), np.repeat(price[active], len(share))
        )
        place, step = np.divmod(problem.index, len(share))
        best = np.full(len(active), len(share))
        np.minimum.at(best, place, step)  # the innermost part that holds
        first = {(int(a), int(s)): i for i, (a, s) in enumerate(zip(place, step, strict=True))}
        for a in np.flatnonzero(best < len(share)).tolist():
            i = first[a, int(best[a])]
            z[active[a]], price[active[a]] = tried.z[i], tried.price[i]
        span = outer[active] - inner[active]
        start = inner[active]
        inner[active] = start + (best / _PARTS)[:, None] * span
        outer[active] = start + ((best + 1) / _PARTS)[:, None] * span
        active = active[_wide(problem, inner[active], outer[active])]
    return Answers(own, z, price)


def _wide(problem: Problem, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(m,) whether there is anything between two ends that the model could tell apart"""
    limits = problem.space.limits
    unit = np.where(limits.step > 0, limits.step, np.where(limits.whole | limits.coded, 1.0, 0.0))
    size = np.maximum(np.abs(inner), np.abs(outer))
    kind = problem.space.dtype
    least = np.maximum(0.5 * unit, 2 * size * np.finfo(kind if kind.kind == "f" else float).eps)
    return np.asarray((np.abs(outer - inner) > least).any(axis=1))
