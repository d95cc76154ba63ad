"""Interactions of pairs of players from the same complement pairs of coalitions that give their values.

Half of the interaction of players i and j (Grabisch & Roubens 1999, see `exact.py`) is H_ij = sum over S of w_ij(S) v(S), and
w_ij(S) = w_ij(not S): interactions depend only on e(S) = (v(S) + v(not S)) / 2, as values depend only on the difference. What
is said of values in `regression.py` holds here with even orders for odd ones:

    H = sum over all pairs of c ehat  +  sum over asked pairs of (c / fraction) (e - ehat),    c = 2 w(S),

with e predicted by a constant, all products of two signs and, shrunk, of four (`fourths.py`). {empty, full} is a pair that is
always asked. The diagonal is what is left of a player's value, phi_i - sum over j of H_ij; its error is that of an odd and
of an even part, which do not tell of each other. The sum telescopes, to half of v(all) - v(all but i) - v(i) + v(empty): once
all coalitions of one player are asked it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.methods.shapley.answers import Answers
from pellucid.methods.shapley.design import Level, pairs_at
from pellucid.methods.shapley.estimate import Estimate
from pellucid.methods.shapley.exact import pair_weights, with_diagonal
from pellucid.methods.shapley.fourths import even_prior, with_sums
from pellucid.methods.shapley.regression import Basis, Wanted, solve, wanted


def interactions(asked: Answers, base: np.ndarray, change: np.ndarray) -> Estimate:
    """base, change (n,) -> values and standard errors (n, p, p)"""
    values = solve(asked.levels, asked.odd, change)
    n, p = values.values.shape
    levels = [Level(0, 1, np.zeros((1, p), dtype=bool)), *asked.levels]
    middle = (base + change / 2)[:, None]  # the even part of {empty, full}
    y = np.concatenate([np.zeros((n, 1)), *(e - middle for e in asked.even)], axis=1)  # (n, m)
    if all(level.complete for level in levels):
        h = y @ np.concatenate([with_sums(_coefficients(level), p) for level in levels])
        stderr = np.zeros(h.shape)
    else:
        signs = 2.0 * np.concatenate([level.z for level in levels]) - 1
        h, stderr = Basis(interaction_values(levels), even_prior(signs)).estimate(y)
    own = np.hypot(values.stderr, stderr[:, -p:])
    return Estimate(
        with_diagonal(_square(h[:, :-p], p), values.values), _square(stderr[:, :-p], p) + own[:, :, None] * np.eye(p)
    )


def alone(values: Estimate) -> Estimate:
    """What is known before anything is asked: values (n, p) on the diagonal, no interaction."""
    shape = (*values.values.shape, values.values.shape[1])
    return Estimate(
        with_diagonal(np.zeros(shape), values.values), np.broadcast_to(values.stderr[:, :, None], shape).copy()
    )


def interaction_values(levels: Sequence[Level]) -> Wanted:
    """Half of every pair's interaction, then their sums by player."""
    p = levels[0].z.shape[1]
    parts = [(level, with_sums(_coefficients(level), p), _squares(p, level.size)) for level in levels]
    return wanted(parts, p * (p + 1) // 2)


def _coefficients(level: Level) -> np.ndarray:
    """(m, p (p - 1) / 2) what each pair's even part adds to half of every interaction when all are asked."""
    m, p = level.z.shape
    return 2 * pair_weights(level.z).reshape(m, p, p)[:, *np.triu_indices(p, 1)]


def _squares(p: int, size: int) -> np.ndarray:
    """(p (p + 1) / 2,) the sums of c^2 over all pairs of a level: by symmetry, from one of them."""
    one = with_sums(_coefficients(Level(size, 1, (np.arange(p) < size)[None])), p)[0] ** 2 * pairs_at(p, size)
    return np.concatenate([np.full(p * (p - 1) // 2, one[:-p].mean() if p > 1 else 0.0), np.full(p, one[-p:].mean())])


def _square(pairs: np.ndarray, p: int) -> np.ndarray:
    """pairs (n, p (p - 1) / 2) -> (n, p, p) with an empty diagonal"""
    whole = np.zeros((len(pairs), p, p))
    first, second = np.triu_indices(p, 1)
    whole[:, first, second] = whole[:, second, first] = pairs
    return whole
