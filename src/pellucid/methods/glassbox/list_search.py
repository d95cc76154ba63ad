"""The best rule list over a pool of conjunctions: beam search and hill climbing for a good one, branch and bound for the
proof.

Angelino, Larus-Stone, Alabi, Seltzer & Rudin, "Learning certifiably optimal rule lists for categorical data" (2018),
for any loss of the class counts that a rule decides about:

    R(list) = sum_j loss(counts captured by rule j) + loss(counts of the rest) + penalty * rules

A prefix is extended only if its bound, loss so far + penalty * rules + the loss that no rules of the pool can avoid
among the rows that are left (rows that every rule treats alike), is below the best list found. Prefixes that leave the
same rows are one: theirs is the permutation bound, and more, since it also holds for different rules. Best-first by
bound, so what is at the front of the queue when a limit ends the search is what no list beats.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np

from pellucid.methods.glassbox.list_climb import climb
from pellucid.methods.glassbox.list_task import Task


@dataclass(frozen=True)
class Prefix:
    """The beginning of a list: its rules and what they cost."""

    rules: tuple[int, ...]
    cost: float


@dataclass(frozen=True, eq=False)
class Family:
    """What one prefix grows into: the rule (c,) that each adds, their costs and bounds (c,), the bounds rising."""

    rules: tuple[int, ...]
    followers: np.ndarray
    costs: np.ndarray
    bounds: np.ndarray


@dataclass(frozen=True, order=True)
class Entry:
    """One of a family, where it waits in the queue; `rules` once its bound is sharp."""

    bound: float
    order: int
    family: Family = field(compare=False)
    place: int = field(compare=False)
    rules: tuple[int, ...] | None = field(default=None, compare=False)


@dataclass(eq=False)
class Search:
    """Looks for the best list; `go(nodes)` says whether it may go on."""

    task: Task
    go: Callable[[int], bool]
    best: tuple[int, ...] = ()
    objective: float = np.inf
    bound: float = -np.inf
    nodes: int = 0
    _order: int = 0

    def run(self, beam: int) -> None:
        """A good list first, then the proof that none is better, as far as it may go."""
        total = self.task.by_class.sum(axis=0)
        self._offer((), float(self.task.loss(total)))
        for start in self._beam(beam):
            self._offer(*climb(self.task, *start, lambda: self.go(self.nodes)))
        self._prove()

    def _offer(self, rules: tuple[int, ...], objective: float) -> None:
        if objective < self.objective - self.task.tiny:
            self.best, self.objective = rules, objective

    def _children(self, prefix: Prefix, left: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rules (c,) that may follow, the cost (c,) of the prefixes that they make, and the objectives (c,) of these as lists."""
        task = self.task
        self.nodes += 1
        counts, total = task.captured(left)
        fit = np.flatnonzero((counts.sum(axis=1) >= task.least * (1 - 1e-12)) & (counts.sum(axis=1) > 0))
        costs = prefix.cost + task.loss(counts[fit]) + task.penalty
        ends = costs + task.loss(np.maximum(total - counts[fit], 0))
        if len(fit):
            first = int(np.argmin(ends))
            self._offer((*prefix.rules, int(fit[first])), float(ends[first]))
        return fit, costs, ends

    def _beam(self, width: int) -> list[tuple[tuple[int, ...], float]]:
        """The best list of each length, its `width` best grown by one rule each, until growing helps no more."""
        level, waiting, found = [Prefix((), 0.0)], 0, []
        while level and waiting < 2 and len(level[0].rules) < self.task.most and self.go(self.nodes):
            before, grown = self.objective, []
            for prefix in level:
                rules, costs, ends = self._children(prefix, self.task.left(prefix.rules))
                some = np.argsort(ends, kind="stable")[:width].tolist()
                grown += [(float(ends[i]), float(costs[i]), (*prefix.rules, int(rules[i]))) for i in some]
            level = self._distinct(sorted(grown), width)
            found.append((self.best, self.objective))
            waiting = 0 if self.objective < before else waiting + 1
        return found[-1:]

    def _distinct(self, grown: list[tuple[float, float, tuple[int, ...]]], width: int) -> list[Prefix]:
        """The best that leave different rows."""
        seen: set[bytes] = set()
        kept: list[Prefix] = []
        for _, cost, rules in grown:
            key = _key(self.task.left(rules))
            if key not in seen:
                seen.add(key)
                kept.append(Prefix(rules, cost))
            if len(kept) == width:
                break
        return kept

    def _prove(self) -> None:
        """Best-first branch and bound."""
        first = float(self.task.unavoidable.sum()) + self.task.penalty  # of any list but the empty one
        queue = [Entry(first, 0, Family((), np.zeros(1, int), np.zeros(1), np.zeros(1)), 0, rules=())]
        shortest: dict[bytes, int] = {}
        while queue and queue[0].bound < self.objective - self.task.tiny:
            self.bound = max(self.bound, queue[0].bound)
            if not self.go(self.nodes):
                return
            entry = heapq.heappop(queue)
            if entry.rules is None:  # its bound was a guess from its parent's
                self._push(queue, entry.family, entry.place + 1)
                entry = self._sharpened(entry)
                if entry.bound < self.objective - self.task.tiny:
                    heapq.heappush(queue, entry)
                continue
            left = self.task.left(entry.rules)
            key = _key(left)
            if shortest.get(key, self.task.most) > len(entry.rules):
                shortest[key] = len(entry.rules)
                self._push(queue, self._family(entry, left), 0)
        self.bound = self.objective

    @cached_property
    def _takes(self) -> np.ndarray:
        """(m,) the most that a rule takes out of the unavoidable loss"""
        return np.asarray(self.task.held @ self.task.unavoidable)

    def _family(self, entry: Entry, left: np.ndarray) -> Family:
        """The prefixes that a prefix grows into, the lowest bound first."""
        assert entry.rules is not None
        floor = float(self.task.unavoidable @ self.task.rows(left))
        cost = float(entry.family.costs[entry.place])
        followers, costs, _ = self._children(Prefix(entry.rules, cost), left)
        bounds = costs + np.maximum(floor - self._takes[followers], 0) + self.task.penalty
        order = np.argsort(bounds, kind="stable")
        order = order[bounds[order] < self.objective - self.task.tiny]
        return Family(entry.rules, followers[order], costs[order], bounds[order])

    def _push(self, queue: list[Entry], family: Family, place: int) -> None:
        """The next of a family; the others wait behind it."""
        if place < len(family.bounds):
            self._order += 1
            heapq.heappush(queue, Entry(float(family.bounds[place]), self._order, family, place))

    def _sharpened(self, entry: Entry) -> Entry:
        """The same with the unavoidable loss of the rows that it leaves."""
        family, place = entry.family, entry.place
        rules = (*family.rules, int(family.followers[place]))
        floor = float(self.task.unavoidable @ self.task.rows(self.task.left(rules)))
        self._order += 1
        return Entry(float(family.costs[place]) + floor + self.task.penalty, self._order, family, place, rules)


def _key(left: np.ndarray) -> bytes:
    return blake2b(left.tobytes(), digest_size=16).digest()
