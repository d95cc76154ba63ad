"""Does the model go by other columns in one group of rows than in the rest? Shuffling inside each group, row by row.

With q the quality of an answer (1 for the right class, or the negative squared error) and q(x_i; j) the mean quality of row i's
answer when its value of column j is that of some other row of the same group,

    importance(g, j) = mean over the rows i of group g of  q(x_i) - q(x_i; j)

is permutation importance (Breiman 2001) within the group, whose differences row by row give it a standard error of rows. What is
told is how far it is from the importance in all other rows, with Welch's interval (1947), wide enough that all of them hold
together. Without true answers the model's own are used, so that it is of what the model says. A column that hardly varies in a
group cannot matter much there: a difference is one of the model *and* the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from pellucid.core.budget import Meter, receipt
from pellucid.core.scalar import pieces
from pellucid.report.columns import derangement, quality
from pellucid.report.groups import SMALL
from pellucid.report.record import GroupTest
from pellucid.report.subject import Subject

FEWEST = 10  # rows of a group that is looked at
_CELLS = 2**22  # numbers of shuffled rows held at once


@dataclass(frozen=True)
class GroupReasons:
    """Importance in each group, over `repeats` ways to pair its rows; `seed` draws them."""

    repeats: int = 5
    seed: int = 0


def applies(group_of: np.ndarray) -> str | None:
    """Why nothing is measured; None where it is."""
    if len(_large(group_of)) < 1 or len(np.unique(group_of)) < 2:
        return f"it needs two groups, one of them of {FEWEST} rows"
    return None


def _large(group_of: np.ndarray) -> list[str]:
    """Groups with rows enough, the largest first."""
    names, counts = np.unique(group_of, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [str(names[i]) for i in order if FEWEST <= counts[i] <= len(group_of) - FEWEST]


def search(subject: Subject, group_of: np.ndarray, method: GroupReasons = GroupReasons()) -> GroupTest:
    """subject of n rows, their groups (n,) -> what each column is worth in each group, and how far that is from the rest."""
    subject = replace(subject, meter=Meter())
    drops = _drops(subject, group_of, method)
    names, p = _large(group_of), subject.x.shape[1]
    level = 1 - 0.05 / max(1, len(names) * p)
    inside = [group_of == name for name in names]
    here = [_mean(drops[:, rows], level) for rows in inside]
    apart = [_welch(drops[:, rows], drops[:, ~rows], level) for rows in inside]
    return GroupTest(
        groups=tuple(names),
        names=subject.ready.inputs.form.names or tuple(f"x{j}" for j in range(p)),
        rows=np.array([rows.sum() for rows in inside], dtype=int),
        importance=np.array(here).reshape(-1, p, 3),
        difference=np.array(apart).reshape(-1, p, 3),
        small=np.array([rows.sum() < SMALL for rows in inside], dtype=bool),
        of_truth=subject.truth is not None,
        level=level,
        receipt=receipt(method, subject.meter, packages=subject.ready.adapter.packages, scale=subject.scale),
    )


def _drops(subject: Subject, group_of: np.ndarray, method: GroupReasons) -> np.ndarray:
    """(p, n) how much each row's answer loses when a column is exchanged within its group"""
    rng, (n, p) = np.random.default_rng(method.seed), subject.x.shape
    y = subject.predicted if subject.truth is None else subject.truth
    own, lost = quality(subject, subject.outputs, y), np.zeros((p, n))
    for _ in range(method.repeats):
        pair = np.arange(n)
        for name in np.unique(group_of):
            rows = np.flatnonzero(group_of == name)
            pair[rows] = rows[derangement(rng, len(rows))]
        for part in pieces(p, max(1, _CELLS // subject.x.size)):
            tested = np.arange(p)[part]
            mixed = np.repeat(subject.x[None], len(tested), axis=0)  # (columns, n, p)
            mixed[np.arange(len(tested)), :, tested] = subject.x[pair][:, tested].T
            said = np.split(subject.ask(mixed.reshape(-1, p)), len(tested))
            lost[tested] += [own - quality(subject, one, y) for one in said]
    return lost / method.repeats


def _mean(drops: np.ndarray, level: float) -> np.ndarray:
    """(p, rows) -> (p, 3) mean and the ends of its interval"""
    n = drops.shape[1]
    middle, half = drops.mean(axis=1), stdtrit(n - 1, 0.5 + level / 2) * _error(drops)
    return np.stack([middle, middle - half, middle + half], axis=1)


def _error(drops: np.ndarray) -> np.ndarray:
    """(p,) the standard error of the mean over rows"""
    return np.asarray(drops.std(axis=1, ddof=1) / np.sqrt(drops.shape[1]))


def _welch(ours: np.ndarray, others: np.ndarray, level: float) -> np.ndarray:
    """(p, n), (p, m) -> (p, 3) difference of the means and the ends of its interval"""
    a, b = _error(ours) ** 2, _error(others) ** 2
    spread = a + b
    floor = np.finfo(float).tiny
    freedom = spread**2 / np.maximum(a**2 / (ours.shape[1] - 1) + b**2 / (others.shape[1] - 1), floor)
    away = ours.mean(axis=1) - others.mean(axis=1)
    half = stdtrit(np.maximum(freedom, 1.0), 0.5 + level / 2) * np.sqrt(spread)
    return np.stack([away, away - half, away + half], axis=1)
