"""One question as a search sees it: rows, where they may go, what a move costs, and what the model says of it.

Every answer of the model is counted, for the run and for each row. Rows that a row has no more queries for are not asked; when
the run's
budget is spent, what was asked by then still counts, and the next call raises `Spent`: what the search has found stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.core.scalar import pieces
from pellucid.methods.counterfactual.additive import Additive
from pellucid.methods.counterfactual.density import Penalty
from pellucid.methods.counterfactual.distance import Distance
from pellucid.methods.counterfactual.goal import Goal
from pellucid.methods.counterfactual.space import Space
from pellucid.models.adapter import BlackBox

_BLOCK = 2**14  # rows asked between two looks at the budget


class Spent(Exception):
    """The budget of the run is spent."""


@dataclass(eq=False)
class Answers:
    """Changed rows z (m, p) of rows `own (m,)`, each with the wanted answer, and what they cost (m,)."""

    own: np.ndarray
    z: np.ndarray
    price: np.ndarray

    @classmethod
    def none(cls, p: int) -> Answers:
        return cls(np.zeros(0, np.int64), np.zeros((0, p)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.own)

    def take(self, which: np.ndarray) -> Answers:
        return Answers(self.own[which], self.z[which], self.price[which])

    def __add__(self, other: Answers) -> Answers:
        return Answers(
            np.concatenate([self.own, other.own]),
            np.concatenate([self.z, other.z]),
            np.concatenate([self.price, other.price]),
        )


@dataclass(eq=False)
class Problem:
    """The margin f of n rows under a goal, the space of moves and the distance; `most` queries a row."""

    f: BlackBox
    goal: Goal
    space: Space
    distance: Distance
    background: np.ndarray | None
    own: np.ndarray  # (n,) the margins of x itself
    most: int
    wanted: np.ndarray | None = None  # (n, b) background rows that have a row's wanted answer
    additive: Additive | None = None  # the same question of a number that is a sum over columns
    sparsity: float = 0.0
    plausible: float = 0.0
    penalty: Penalty | None = None
    found: Answers = field(default_factory=lambda: Answers.none(0))
    anchors: dict[int, np.ndarray] = field(default_factory=dict)  # row -> the nearest place that keeps to the relations
    asked: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    over: bool = False  # the budget ended in the middle of a call
    best: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (n,) the largest margin met
    worst: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (n,) the smallest

    def __post_init__(self) -> None:
        n, p = self.x.shape
        self.found = Answers.none(p)
        self.asked = np.zeros(n, np.int64)
        self.best, self.worst = np.full(n, -np.inf), np.full(n, np.inf)

    @property
    def x(self) -> np.ndarray:
        return self.space.x

    def settle(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """z (m, p) as the world then is; where columns follow from others, they do."""
        return self.space.settle(rows, z)

    def fit(self, rows: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Moves (m, p) as they can be made, and which of them keep to everything (m,)"""
        return self.space.fit(rows, z)

    def margins(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The model's margins of z (m, p); -inf for rows without queries left, and from where the budget ends: the next call
        says so"""
        if self.over:
            raise Spent
        made = np.full(len(rows), -np.inf)
        left = np.flatnonzero(self.asked[rows] + _count_before(rows) < self.most)
        for piece in pieces(len(left), _BLOCK):
            room = 0 if self.f.meter.spent else self.f.meter.rows_left()
            which = left[piece][: int(min(room, _BLOCK))]
            self.over |= len(which) < len(left[piece])
            if len(which):
                self._ask(rows[which], z[which], made, which)
            if self.over:
                break
        return made

    def _ask(self, rows: np.ndarray, z: np.ndarray, made: np.ndarray, which: np.ndarray) -> None:
        """Margins of z (m, p) into the places `which` of `made`, and what is kept of them."""
        made[which] = self.f.take(rows)(self.settle(rows, z).astype(self.space.dtype))
        np.add.at(self.asked, rows, 1)
        np.maximum.at(self.best, rows, made[which])
        np.minimum.at(self.worst, rows, made[which])

    def price(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Moves (m, p) -> (m,): distance, the price of each change, and of looking unlike the data"""
        return self.cost(rows, z) + self.extras(rows, z)

    def cost(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Moves (m, p) -> (m,) the distance alone"""
        return self.distance.total(self.distance.parts(self.x[rows], z))

    def extras(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        made = np.zeros(len(rows))
        if self.sparsity:
            made = made + self.sparsity * self.moved(rows, z).sum(axis=1)
        if self.penalty is not None and self.plausible and len(rows):
            made = made + self.plausible * self.penalty(self.settle(rows, z))
        return made

    def moved(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(m, p) True where a cell is not what it was"""
        x = self.x[rows]
        return ~((z == x) | (np.isnan(z) & np.isnan(x)))

    def try_(self, rows: np.ndarray, z: np.ndarray, below: np.ndarray | None = None) -> Answers:
        """Ask about moves (m, p): those with the wanted answer, also kept in `found`. `below (m,)`: only moves that cost less."""
        z, good = self.fit(rows, z)
        good &= self.moved(rows, z).any(axis=1) | ~np.isfinite(self.best[rows])
        which = np.flatnonzero(good)
        price = self.price(rows[which], z[which])
        if below is not None:
            kept = price < below[which] * (1 - 1e-12)
            which, price = which[kept], price[kept]
        margins = self.margins(rows[which], z[which])
        met = self.goal.met(margins)
        self.index = which[met]  # the places, among those given, of the answers that are returned
        made = Answers(rows[which[met]], z[which[met]], price[met])
        self.found = self.found + made
        return made


def _count_before(rows: np.ndarray) -> np.ndarray:
    """(m,) how often the same row stands before in the list"""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(rows) else np.zeros(0, bool)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0)) if len(rows) else np.zeros(0, np.int64)
    made = np.empty(len(rows), np.int64)
    made[order] = np.arange(len(rows)) - starts
    return made


def cheapest(answers: Answers, k: int, kind: np.ndarray | None = None) -> Answers:
    """For each row its k cheapest answers; with `kind (m,)`, only the cheapest of each kind."""
    order = np.lexsort((answers.price, answers.own))
    if kind is not None:
        seen: set[tuple[int, int]] = set()
        fresh = np.zeros(len(order), dtype=bool)
        for place, i in enumerate(order.tolist()):
            key = (int(answers.own[i]), int(kind[i]))
            fresh[place] = key not in seen
            seen.add(key)
        order = order[fresh]
    rank = _count_before(answers.own[order])
    return answers.take(order[rank < k])


def signature(problem: Problem, answers: Answers) -> np.ndarray:
    """(m,) a number for each set of changed columns, so that starts differ"""
    if not len(answers):
        return np.zeros(0, np.int64)
    moved = np.packbits(problem.moved(answers.own, answers.z), axis=1)
    return np.unique(moved, axis=0, return_inverse=True)[1].ravel()
