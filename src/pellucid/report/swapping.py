"""Pictures of a class beside pictures of others, and what the model says when they exchange a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid.core.scalar import pieces
from pellucid.report.subject import Subject, lead
from pellucid.report.windows import window
from pellucid.report.words import Box

_SEARCH, _JUDGE, _REUSE = 8, 40, 4  # pairs to search with, pairs to judge with, uses of one picture
_CELLS = 2**22  # numbers of pasted pictures held at once


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pictures of a class beside pictures of others, and what the model says of both."""

    ask: Callable[[np.ndarray], np.ndarray]
    donors: np.ndarray  # (m, *features)
    others: np.ndarray  # (m, *features)
    column: int
    axes: tuple[int, int]  # the spatial axes

    def leads(self, x: np.ndarray) -> np.ndarray:
        return lead(self.ask(x), self.column)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """(m,) the leads of donors and of others, untouched"""
        return self.leads(self.donors), self.leads(self.others)

    def swapped(self, boxes: list[Box]) -> tuple[np.ndarray, np.ndarray]:
        """(w, m) the leads of others with the donors' window, and of donors with the others' window"""
        block = max(1, _CELLS // (2 * self.donors.size))
        both = [self._swapped(boxes[part]) for part in pieces(len(boxes), block)]
        pasted, removed = np.concatenate(both, axis=1)
        return pasted, removed

    def _swapped(self, boxes: list[Box]) -> np.ndarray:
        """(2, w, m)"""
        mixed = np.stack([np.stack([self.others, self.donors])] * len(boxes), axis=1)  # (2, w, m, *features)
        for at, box in enumerate(boxes):
            where = window(box, self.donors.ndim, self.axes)
            mixed[0, at][where], mixed[1, at][where] = self.donors[where], self.others[where]
        leads = self.leads(mixed.reshape(-1, *self.donors.shape[1:]))
        return leads.reshape(2, len(boxes), -1)


def split(subject: Subject, column: int, rng: np.random.Generator) -> tuple[Pairs, Pairs]:
    """Pairs to search with and pairs to judge with, of different pictures."""
    ours, others = (rng.permutation(np.flatnonzero(mask)) for mask in sides(subject, column))
    half = len(ours) // 2, len(others) // 2
    axes = subject.wide[0], subject.wide[1]

    def pairs(donors: np.ndarray, rest: np.ndarray, most: int) -> Pairs:
        m = min(most, _REUSE * len(donors), _REUSE * len(rest))
        return Pairs(subject.ask, subject.x[np.resize(donors, m)], subject.x[np.resize(rest, m)], column, axes)

    return pairs(ours[: half[0]], others[: half[1]], _SEARCH), pairs(ours[half[0] :], others[half[1] :], _JUDGE)


def sides(subject: Subject, column: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) masks of the pictures called this class, and of the others"""
    ours = subject.predicted == column
    return ours, ~ours


def shares_of(pairs: Pairs, boxes: list[Box]) -> np.ndarray:
    """(w,) the share of each window"""
    whole, nothing = pairs.ends()
    pasted, removed = pairs.swapped(boxes)
    return gain(pasted, removed, whole, nothing).mean(axis=1) / (whole - nothing).mean()


def gain(pasted: np.ndarray, removed: np.ndarray, whole: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """The window's Shapley value in the game of two players"""
    return np.asarray((pasted - nothing + whole - removed) / 2)
