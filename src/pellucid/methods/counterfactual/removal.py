"""The search for the parts of one input without which the answer is another: growing sets, then the smallest of the subsets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pellucid.core.masking import Game
from pellucid.methods.counterfactual.sedc import SEDC

Short = Literal["budget", "queries"]


@dataclass(frozen=True, eq=False)
class Removed:
    """`hidden (p,)` the parts that have to go, None where no such set was found; `minimal`: all its proper subsets were asked.

    `proven`: there is no such set; `short`: what the search of this row ended at before its time. `put`: what stands in the
    place of each of the p parts once it is hidden, where something does.
    """

    hidden: np.ndarray | None
    asked: int
    minimal: bool = False
    proven: bool = False
    short: Short | None = None
    put: tuple[str, ...] | None = None


class OutOf(Exception):
    """What is to be asked next cannot be paid for."""

    def __init__(self, of: Short) -> None:
        self.of: Short = of


@dataclass(eq=False)
class Removal:
    """One input with its parts; the game's number is the margin of the wanted answer."""

    game: Game
    met: Callable[[np.ndarray], np.ndarray]
    method: SEDC
    asked: int = field(default=0, init=False)

    def search(self) -> Removed:
        try:
            found = self._grown()
            if found is None and self.game.players <= self.method.exhaustive:
                found = self._first(_subsets(np.ones(self.game.players, bool), self._most + 1))
                if found is None:
                    return Removed(None, self.asked, proven=True)
        except OutOf as short:
            return Removed(None, self.asked, short=short.of)
        return Removed(None, self.asked) if found is None else self._pruned(found)

    @property
    def _most(self) -> int:
        """How many parts may be hidden."""
        return min(self.game.players, self.method.max_size or self.game.players)

    def ask(self, hidden: np.ndarray) -> np.ndarray:
        """hidden (m, p) -> margins (m,)"""
        meter = self.game.f.meter
        if meter.spent or len(hidden) > meter.rows_left():
            raise OutOf("budget")
        if len(hidden) > self.method.queries - self.asked:
            raise OutOf("queries")
        self.asked += len(hidden)
        return self.game(~hidden)[0]

    def _grown(self) -> np.ndarray | None:
        """The best set of the smallest size at which a grown set flips, (p,)."""
        sets = np.zeros((1, self.game.players), bool)
        for _ in range(self._most):
            sets = _one_more(sets)
            margins = self.ask(sets)
            if self.met(margins).any():
                return np.asarray(sets[margins.argmax()])
            sets = sets[np.argsort(-margins, kind="stable")[: self.method.beam]]
        return None

    def _first(self, sets: list[np.ndarray]) -> np.ndarray | None:
        """The best of the smallest sets that flip; sets: those of one size each, the smallest first."""
        for some in sets:
            margins = self.ask(some)
            if self.met(margins).any():
                return np.asarray(some[margins.argmax()])
        return None

    def _pruned(self, hidden: np.ndarray) -> Removed:
        """A set that flips, until no subset is known to."""
        try:
            while hidden.sum() > self.method.exhaustive:
                fewer = self._first([_one_less(hidden)])
                if fewer is None:
                    return Removed(hidden, self.asked)
                hidden = fewer
            fewer = self._first(_subsets(hidden, int(hidden.sum())))
        except OutOf as short:
            return Removed(hidden, self.asked, short=short.of)
        return Removed(hidden if fewer is None else fewer, self.asked, minimal=True)


def _one_more(sets: np.ndarray) -> np.ndarray:
    """sets (m, p) -> all sets that have one part more than one of them, each once."""
    kept, added = np.nonzero(~sets)
    grown = sets[kept]
    grown[np.arange(len(grown)), added] = True
    first = np.unique(grown, axis=0, return_index=True)[1]
    return np.asarray(grown[np.sort(first)])


def _one_less(hidden: np.ndarray) -> np.ndarray:
    """hidden (p,) -> (k, p), each without one of its k parts"""
    parts = np.flatnonzero(hidden)
    fewer = np.repeat(hidden[None], len(parts), axis=0)
    fewer[np.arange(len(parts)), parts] = False
    return fewer


def _subsets(hidden: np.ndarray, below: int) -> list[np.ndarray]:
    """hidden (p,) -> its subsets of each size from 1 on, fewer parts than `below`."""
    parts = np.flatnonzero(hidden)
    made = []
    for size in range(1, below):
        chosen = np.array(list(itertools.combinations(parts, size)), dtype=int).reshape(-1, size)
        some = np.zeros((len(chosen), len(hidden)), bool)
        some[np.arange(len(chosen))[:, None], chosen] = True
        made.append(some)
    return made
