"""A decision set by local search over a submodular objective.

Lakkaraju, Bach & Leskovec, "Interpretable decision sets" (2016), equation (2): over subsets R of the candidate rules S,
with N the rows,

    f(R) = sum_i l_i f_i(R)
    f1 = |S| - |R|                             few rules
    f2 = L |S| - sum_r length(r)               short ones (L: the longest)
    f3 = N |S|^2 - sum over pairs of the same class of overlap(r, r')
    f4 = N |S|^2 - sum over pairs of different classes of overlap(r, r')
    f5 = number of classes with a rule
    f6 = N |S| - sum_r rows that r is wrong about
    f7 = rows that some rule is right about

It is not negative and submodular; so it is with the smaller constants that stand here in place of |S|, L |S|, N |S| and
N |S|^2, what all rules together would cost, and the promise is a stronger one. The paper maximises it by smooth local
search (2/5 of the optimum in expectation); this is the deterministic search of the same source (Feige, Mirrokni &
Vondrak 2011, theorem 3.4): a set R that no addition and no deletion makes better, or its complement, has at least 1/3
of the optimum. Here l_i are shares of the rows, so l1, l2 and l5 are multiplied by N, and pairs of overlapping rows are
divided by |S|: a rule may overlap with many others as little as it may be wrong about many rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(eq=False)
class Task:
    """Candidates: rows held (m, n), the class (m,) each says, its length (m,); by_class (n, k) weights; seven prices."""

    held: np.ndarray
    says: np.ndarray
    length: np.ndarray
    by_class: np.ndarray
    prices: tuple[float, ...]

    @cached_property
    def weights(self) -> np.ndarray:
        return np.asarray(self.by_class.sum(axis=1))

    @cached_property
    def right(self) -> np.ndarray:
        """(m, n) rows that each rule is right about"""
        return self.held & (self.by_class.T > 0)[self.says]

    @cached_property
    def alone(self) -> np.ndarray:
        """(m,) what each rule costs whatever the others are: itself, its length, its errors"""
        few, short, _, _, _, sound, _ = self.prices
        whole = self.weights.sum()
        wrong = (self.held & ~self.right) @ self.weights
        return np.asarray(few * whole + short * whole * self.length + sound * wrong)

    @cached_property
    def overlaps(self) -> np.ndarray:
        """(m, m) what two rules cost that hold for the same rows; nothing on the diagonal"""
        _, _, same, other, _, _, _ = self.prices
        shared = (self.held * self.weights) @ self.held.T.astype(float)
        cost = np.where(self.says[:, None] == self.says, same, other) * shared / len(self.says)
        np.fill_diagonal(cost, 0)
        return np.asarray(cost)

    @cached_property
    def most(self) -> float:
        """The constant that keeps the objective from being negative: what all rules together cost."""
        return float(self.alone.sum() + self.overlaps.sum() / 2)

    def objective(self, chosen: np.ndarray) -> float:
        """chosen (m,) bool -> f"""
        classes = self.prices[4] * self.weights.sum() * len(np.unique(self.says[chosen]))
        covered = self.prices[6] * self.weights[self.right[chosen].any(axis=0)].sum()
        pairs = self.overlaps[np.ix_(chosen, chosen)].sum() / 2
        return float(self.most - self.alone[chosen].sum() - pairs + classes + covered)

    def gains(self, chosen: np.ndarray) -> np.ndarray:
        """(m,) how f changes if each rule is added, or taken out where it is chosen"""
        times = self.right[chosen].sum(axis=0)  # (n,) rules that are right about each row
        class_rules = np.bincount(self.says[chosen], minlength=self.by_class.shape[1])
        whole, cover = self.weights.sum(), self.prices[6]
        pairs = self.overlaps @ chosen
        fresh = self.right @ (self.weights * (times == 0))
        only = self.right @ (self.weights * (times == 1))
        new = self.prices[4] * whole * (class_rules[self.says] == 0)
        last = self.prices[4] * whole * (class_rules[self.says] == 1)
        added = -self.alone - pairs + new + cover * fresh
        removed = self.alone + pairs - last - cover * only
        return np.asarray(np.where(chosen, removed, added))


def search(task: Task, go: Callable[[int], bool]) -> tuple[np.ndarray, float, bool]:
    """The chosen rules (m,), f, and whether no addition, deletion or exchange makes it better."""
    m = len(task.says)
    chosen, steps = np.zeros(m, dtype=bool), 0
    tiny = 1e-9 * max(task.weights.sum(), task.most)
    while go(steps):
        steps += 1
        gains = task.gains(chosen)
        best = int(np.argmax(gains))
        if gains[best] <= tiny:
            swap = _exchange(task, chosen, tiny)
            if swap is None:
                return *_better_half(task, chosen), True
            chosen[list(swap)] = ~chosen[list(swap)]
            continue
        chosen[best] = ~chosen[best]
    return *_better_half(task, chosen), False


def _exchange(task: Task, chosen: np.ndarray, tiny: float) -> tuple[int, int] | None:
    """The best exchange of a chosen rule for another one, if there is one that helps."""
    found, most = None, tiny
    for out in np.flatnonzero(chosen).tolist():
        without = chosen.copy()
        loss = task.gains(chosen)[out]
        without[out] = False
        gains = np.where(without, -np.inf, task.gains(without))
        gains[out] = -np.inf
        if loss + gains.max() > most:
            found, most = (out, int(np.argmax(gains))), float(loss + gains.max())
    return found


def _better_half(task: Task, chosen: np.ndarray) -> tuple[np.ndarray, float]:
    """The set or its complement: one of them has the promised third."""
    return max(((half, task.objective(half)) for half in (chosen, ~chosen)), key=lambda pair: pair[1])
