"""Tests and intervals for answers that come in bundles: items of one participant are not independent.

- Randomisation test (Fisher 1935; Pitman 1937): who got which condition was drawn, so it can be drawn again. Under the sharp null
  hypothesis that the condition changes nobody's answers, the p-value is exact, whatever goes on within participants. Between
  participants their condition labels are exchanged, within participants the signs of their differences. Shares
  lie on a grid, so all arrangements are counted by their sums (Pagano & Tritchler 1983); of other values many are drawn.
- Proportions: the exact interval of Clopper & Pearson 1934 at the effective number of answers, as Korn & Graubard 1998 do for
  clustered surveys. With n answers of which participant i gave n_i and r_i right, the share p = sum r_i / n has the variance

      v = m / (m - 1) * sum (r_i - p n_i)^2 / n^2,       n_eff = n for one answer each, else p (1 - p) / v * (t_n-1 / t_m-1)^2

  with Student's t at 97.5 %, at most n, and m where all are right or none is. One answer each: the interval of Clopper & Pearson.
- Difference of two proportions: Newcombe 1998, method 10: the two Wilson limits, here at n_eff, squared and added.
- Other means: Student's t over participants; Welch's between two groups of them.
- Guessing: if nobody knows anything, all answers are independent, and the number of right ones is a sum of coins whose distribution
  is computed exactly (the binomial, where all questions have equally many options).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

_EXACT = 20_000  # arrangements that are still listed one by one
_DRAWS = 9_999  # and otherwise drawn
_FINEST, _MOST = 120, 400  # steps of a grid, and participants, up to which sums are counted
_SLACK = 1e-9  # rounding must not make an equally large difference a smaller one

Interval = tuple[float, float]


def randomisation(values: np.ndarray, treated: np.ndarray, rng: np.random.Generator) -> float:
    """values (m,) one a participant, treated (m,) bool -> two-sided p of the difference of the groups' means."""
    m, k, seen = len(values), int(treated.sum()), float(values[treated].sum())
    if k in (0, m):
        return np.nan
    sums, weights = _group_sums(values, k, seen, rng)
    far = np.abs(np.append(sums, seen) / k - (values.sum() - np.append(sums, seen)) / (m - k))
    return float(weights[far[:-1] >= far[-1] - _SLACK].sum() / weights.sum())


def _group_sums(values: np.ndarray, k: int, seen: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The sums that k of the values can have, and how many choices give each; or drawn sums, the seen one among them."""
    m, grid = len(values), _on_grid(values)
    if grid is not None:
        low, steps, step = grid
        ways = np.zeros((k + 1, int(np.sort(steps)[-k:].sum()) + 1))
        ways[0, 0] = 1
        for way in steps.tolist():
            here = ways.shape[1] - way
            if here > 0:
                ways[1:, way:] += ways[:-1, :here].copy()
        return k * low + step * np.arange(ways.shape[1]), ways[k]
    if math.comb(m, k) <= _EXACT:
        sums = values[np.array(list(itertools.combinations(range(m), k)))].sum(axis=1)
    else:
        drawn = values[rng.random((_DRAWS, m)).argpartition(k, axis=1)[:, :k]].sum(axis=1)
        sums = np.append(drawn, seen)
    return sums, np.ones(len(sums))


def sign_flips(differences: np.ndarray, rng: np.random.Generator) -> float:
    """differences (m,) one a participant -> two-sided p of their mean."""
    if len(differences) == 0:
        return np.nan
    seen = float(differences.sum())
    sums, weights = _flipped_sums(np.abs(differences), seen, rng)
    return float(weights[np.abs(sums) >= abs(seen) - _SLACK].sum() / weights.sum())


def _flipped_sums(sizes: np.ndarray, seen: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The sums that these sizes can have with any signs, and how often each comes up; or drawn ones, as above."""
    m, grid = len(sizes), _on_grid(np.append(sizes, 0.0))
    if grid is not None:
        _, steps, step = grid
        ways = np.ones(1)
        for way in steps.tolist():
            ways = (np.pad(ways, (2 * way, 0)) + np.pad(ways, (0, 2 * way))) / 2
        return step * (np.arange(len(ways)) - len(ways) // 2), ways
    if 2**m <= _EXACT:
        sums = np.array(list(itertools.product((-1.0, 1.0), repeat=m))) @ sizes
    else:
        sums = np.append(rng.choice((-1.0, 1.0), (_DRAWS, m)) @ sizes, seen)
    return sums, np.ones(len(sums))


def _on_grid(values: np.ndarray) -> tuple[float, np.ndarray, float] | None:
    """Values that are multiples of some 1 / q -> the least one, how many steps each lies above it, and the step; else None."""
    if len(values) > _MOST:
        return None
    low = float(values.min())
    for q in range(1, _FINEST + 1):
        steps = (values - low) * q
        if np.abs(steps - steps.round()).max() < _SLACK * q and steps.max() <= _FINEST:
            return low, steps.round().astype(int), 1 / q
    return None


def guessing(right: int, chances: Sequence[float]) -> float:
    """How often somebody who guesses gets at least so many right: one-sided, exact; `chances` one an answer."""
    spread = np.ones(1)
    for chance in chances:
        spread = np.convolve(spread, (1 - chance, chance))
    return float(min(1.0, spread[right:].sum()))


def effective(right: np.ndarray, answers: np.ndarray) -> float:
    """right, answers (m,) of each participant -> the number of independent answers that say as much."""
    n, m, p = answers.sum(), len(answers), right.sum() / answers.sum()
    if (answers == 1).all() or m < 2 or p in (0, 1):
        return float(n) if (answers == 1).all() else float(m)
    variance = m / (m - 1) * ((right - p * answers) ** 2).sum() / n**2
    if variance == 0:  # everybody got equally many right: at most as much as is there
        return float(n)
    freer = (stdtrit(n - 1, 0.975) / stdtrit(m - 1, 0.975)) ** 2
    return float(min(n, p * (1 - p) / variance * freer))


def clopper_pearson(share: float, n: float, level: float = 0.95) -> Interval:
    """The exact interval of a proportion; n need not be whole."""
    tail, hits = (1 - level) / 2, share * n
    low = 0.0 if hits <= 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits >= n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def wilson(share: float, n: float, level: float = 0.95) -> Interval:
    """The score interval of a proportion; n need not be whole."""
    z = float(ndtri(0.5 + level / 2))
    middle = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float((middle - half) / (1 + z**2 / n)), float((middle + half) / (1 + z**2 / n))


def newcombe(first: tuple[float, float], second: tuple[float, float], level: float = 0.95) -> Interval:
    """(share, n) each -> the interval of second less first."""
    (p, n), (q, m) = first, second
    (low_p, high_p), (low_q, high_q) = wilson(p, n, level), wilson(q, m, level)
    down = np.hypot(q - low_q, high_p - p)
    up = np.hypot(high_q - q, p - low_p)
    return float(q - p - down), float(q - p + up)


def student(values: np.ndarray, level: float = 0.95) -> Interval:
    """values (m,) -> the t interval of their mean; NaN of fewer than two."""
    m = len(values)
    if m < 2:
        return np.nan, np.nan
    half = float(stdtrit(m - 1, 0.5 + level / 2) * values.std(ddof=1) / np.sqrt(m))
    return float(values.mean() - half), float(values.mean() + half)


def welch(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Interval:
    """The interval of second's mean less first's, with unequal variances; NaN where a group has fewer than two."""
    if min(len(first), len(second)) < 2:
        return np.nan, np.nan
    a, b = (group.var(ddof=1) / len(group) for group in (first, second))
    away = float(second.mean() - first.mean())
    if a + b == 0:
        return away, away
    freedom = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    half = float(stdtrit(freedom, 0.5 + level / 2) * np.sqrt(a + b))
    return away - half, away + half


def holm(p: np.ndarray) -> np.ndarray:
    """p (k,) -> p-values of k tests of which not one may be wrong (Holm 1979); NaN stays, and counts for none."""
    made, known = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    made[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return made
