"""The best rule list over a pool of conjunctions: beam search and hill climbing for a good one, branch and bound for the
proof.

Angelino, Larus-Stone, Alabi, Seltzer & Rudin, "Learning certifiably optimal rule lists for categorical data" (2018), for any loss of the
class counts that a rule decides about:

    R(list) = sum_j loss(counts captured by rule j) + loss(counts of the rest) + penalty * rules

A prefix is extended only if its bound, loss so far + penalty * rules + the loss that no rules of the pool can avoid among the rows that
are left (rows that every rule treats alike), is below the best list found. Prefixes that leave the same rows are one: theirs is the
permutation bound, and more, since it also holds for different rules. Best-first by bound, so what is at the front of the queue
when a limit ends the search is what no list beats.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from pellucid.methods.glassbox.list_climb import climb
from pellucid.methods.glassbox.list_task import Task

@dataclass(frozen=True)
class Prefix:
    """The beginning of a list: its rules and what they cost."""

    rules: tuple[int, ...]
    cost: float


@dataclass(eq=False)
class Search:
    """Looks for the best list; `go(nodes)` says whether it may go on."""

    task: Task
    go: Callable[[int], bool]
    best: tuple[int, ...] = ()
    objective: float = np.inf
    bound: float = -np.inf
    nodes: int = 0

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
        """Best-first branch and bound. Entries are (bound, order, cost, rules, unavoidable loss among the rows left or None)."""
        task, tiny = self.task, self.task.tiny
        each = task.held @ task.unavoidable  # (m,) at most what a rule takes out of the unavoidable loss
        queue: list[tuple[float, int, float, tuple[int, ...], bool]] = [(0.0, 0, 0.0, (), False)]
        shortest: dict[bytes, int] = {}
        order = 0
        while queue and queue[0][0] < self.objective - tiny:
            bound, _, cost, rules, exact = queue[0]
            if not self.go(self.nodes):
                self.bound = bound
                return
            heapq.heappop(queue)
            left = task.left(rules)
            floor = float(task.unavoidable @ task.rows(left))
            if not exact:  # its bound was a guess from its parent's
                order += 1
                bound = cost + floor + task.penalty
                if bound < self.objective - tiny:
                    heapq.heappush(queue, (bound, order, cost, rules, True))
                continue
            key = _key(left)
            if shortest.get(key, task.most + 1) <= len(rules) or len(rules) >= task.most:
                continue
            shortest[key] = len(rules)
            self.bound = max(self.bound, bound)
            followers, costs, _ = self._children(Prefix(rules, cost), left)
            bounds = costs + np.maximum(floor - each[followers], 0) + task.penalty
            for i in np.flatnonzero(bounds < self.objective - tiny).tolist():
                order += 1
                heapq.heappush(queue, (float(bounds[i]), order, float(costs[i]), (*rules, int(followers[i])), False))
        self.bound = self.objective


def _key(left: np.ndarray) -> bytes:
    return blake2b(left.tobytes(), digest_size=16).digest()
