"""The search for one row's anchor: a beam of rules, chosen by KL-LUCB, judged by their bounds.

It is written as a conversation: `Search.steps` yields the samples it wants (`Pull`) and is told how many kept the answer. So
the searches of many rows run in step, and each round of all of them is one call of the model (`run.py`).

With K rules at size number L, the bounds of look number l at each of them use exp(-beta) = delta / (2 K l(l+1) L(L+1)). Over
both sides, all rules, all looks and all sizes these add up to delta, so all bounds of a row hold together with probability
1 - delta, however the search moves on.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from pellucid.methods.anchor.anchors import Anchors
from pellucid.methods.anchor.bounds import lower, upper

Rule = tuple[Hashable, ...]
_FAIR = 4  # first batches after which a share below the threshold is believed


class Pull(NamedTuple):
    """Samples start .. stop of the perturbations under a rule, on the stream of one size of rules."""

    row: int
    level: int
    rule: Rule
    start: int
    stop: int


Turns = Generator[list[Pull], np.ndarray, None]


class Space(Protocol):
    """What rules may say of each row."""

    def grown(self, row: int, rule: Rule) -> list[Rule]:
        """The rule with one more condition, or a narrower one, in every way."""

    def widened(self, row: int, rule: Rule) -> list[Rule]:
        """The rule with one condition less, or a wider one, in every way."""

    def coverage(self, rule: Rule) -> float:
        """The share of cases that a rule applies to."""


class Anchor(NamedTuple):
    """A rule and what is known of it."""

    rule: Rule
    precision: float
    low: float
    high: float
    coverage: float
    samples: int


@dataclass(eq=False)
class Arms:
    """K rules of one size, and what their samples said so far."""

    row: int
    level: int
    rules: list[Rule]
    coverage: np.ndarray  # (K,)
    first: int
    delta: float

    def __post_init__(self) -> None:
        self.count, self.hits, self.looks = (np.zeros(len(self.rules), dtype=np.int64) for _ in range(3))

    def pull(self, which: np.ndarray) -> Turns:
        """Half as many samples again for some rules, `first` at least."""
        more = np.maximum(self.first, self.count[which] // 2)
        told = yield [
            Pull(self.row, self.level, self.rules[k], self.count[k], self.count[k] + size)
            for k, size in zip(which.tolist(), more.tolist(), strict=True)
        ]
        self.count[which] += more
        self.hits[which] += told
        self.looks[which] += 1

    @property
    def mean(self) -> np.ndarray:
        return self.hits / np.maximum(self.count, 1)

    def low(self, which: np.ndarray) -> np.ndarray:
        return lower(self.mean[which], self._beta(which))

    def high(self, which: np.ndarray) -> np.ndarray:
        return upper(self.mean[which], self._beta(which))

    def _beta(self, which: np.ndarray) -> np.ndarray:
        """beta / n of each rule at its present look."""
        looks, size = self.looks[which], self.level + 1
        parts = 2.0 * len(self.rules) * looks * (looks + 1) * size * (size + 1)
        return np.log(parts / self.delta) / self.count[which]

    def ahead(self, which: np.ndarray) -> np.ndarray:
        """Lower bounds to choose by, no promise."""
        return lower(self.mean[which], self._rate(which))

    def behind(self, which: np.ndarray) -> np.ndarray:
        """Upper bounds to choose by, no promise."""
        return upper(self.mean[which], self._rate(which))

    def _rate(self, which: np.ndarray) -> np.ndarray:
        """beta / n with the exploration rate log((1 + log n) / delta) of the bandits' experiments."""
        return np.log((1 + np.log(self.count[which])) / self.delta) / self.count[which]

    def anchor(self, k: int) -> Anchor:
        one = np.array([k])
        return Anchor(
            self.rules[k],
            float(self.mean[k]),
            float(self.low(one)[0]),
            float(self.high(one)[0]),
            float(self.coverage[k]),
            int(self.count[k]),
        )


@dataclass(eq=False)
class Search:
    """One row's search: `best` is the widest anchor so far, `nearest` the rule of the highest lower bound."""

    method: Anchors
    space: Space
    row: int
    best: Anchor | None = None
    nearest: Anchor | None = None
    seen: set[Rule] = field(default_factory=set)

    def steps(self) -> Turns:
        """The whole search: growing from the empty rule on, then widening what was found."""
        level = yield from self._grow()
        while self.best is not None:
            before = self.best
            rules = [r for r in self.space.widened(self.row, before.rule) if self.space.coverage(r) > self.reach]
            level += 1
            if rules:
                arms = self._arms(level, rules)
                yield from arms.pull(np.arange(len(rules)))
                yield from self._judge(arms)
            if self.best is before:
                return

    def _grow(self) -> Generator[list[Pull], np.ndarray, int]:
        """Size by size, until nothing more is to be gained; the number of the last size."""
        rules: list[Rule] = [()]
        level = -1
        while rules:
            level += 1
            arms = self._arms(level, rules)
            yield from arms.pull(np.arange(len(rules)))
            self._note(arms)
            yield from self._judge(arms)
            wide = self._fertile(arms)
            last = level == self.method.max_size
            beam = wide
            if len(wide) and not (last and self.best):
                beam = yield from self._select(arms, wide)
                yield from self._judge(arms)  # more samples may have shown more
            self._note(arms)
            rules = [] if last else self._grown([arms.rules[k] for k in beam])
        return level

    @property
    def reach(self) -> float:
        """Coverage that a rule has to exceed to be of interest."""
        return -1.0 if self.best is None else self.best.coverage

    def _arms(self, level: int, rules: list[Rule]) -> Arms:
        coverage = np.array([self.space.coverage(rule) for rule in rules])
        return Arms(self.row, level, rules, coverage, self.method.batch, self.method.delta)

    def _judge(self, arms: Arms) -> Turns:
        """The widest rule that proves to be an anchor; the next widest are sampled along."""
        m = self.method
        open_ = np.flatnonzero((arms.mean >= m.threshold) & (arms.coverage > self.reach))
        open_ = open_[np.argsort(-arms.coverage[open_], kind="stable")]
        while len(open_):
            front = open_[: m.beam_size]
            mean, low, high = arms.mean[front], arms.low(front), arms.high(front)
            safe = (mean >= m.threshold) & (low >= m.threshold - m.tau)
            if safe[0]:
                self.best = arms.anchor(int(front[0]))
                return
            fair = (arms.count[front] >= _FAIR * m.batch) | (high < m.threshold)
            lost = (mean < m.threshold) & fair
            if lost.any():
                open_ = np.setdiff1d(open_, front[lost], assume_unique=True)
                open_ = open_[np.argsort(-arms.coverage[open_], kind="stable")]
            else:  # the widest until it is decided, the next ones as far as a fair look
                early = arms.count[front] < _FAIR * m.batch
                early[0] = True
                yield from arms.pull(front[early & ~safe])

    def _select(self, arms: Arms, wide: np.ndarray) -> Generator[list[Pull], np.ndarray, np.ndarray]:
        """The `beam_size` most precise of some rules, up to `epsilon`: KL-LUCB.

        Each round samples the chosen rules whose lower bounds, and the others whose upper bounds, are in the way of stopping;
        the paper takes one of each, but a round costs a model call, and a call answers many rows at little more cost.
        """
        m = self.method
        while True:
            order = wide[np.argsort(-arms.mean[wide], kind="stable")]
            inside, outside = order[: m.beam_size], order[m.beam_size :]
            if not len(outside):
                return inside
            low, high = arms.ahead(inside), arms.behind(outside)
            if high.max() - low.min() <= m.epsilon:
                return inside
            # a bound within epsilon / 2 of its mean is never alone in the way
            weak = (low < high.max() - m.epsilon) & (arms.mean[inside] - low > m.epsilon / 2)
            rival = (high > low.min() + m.epsilon) & (high - arms.mean[outside] > m.epsilon / 2)
            first = np.argsort(-high[rival], kind="stable")[: 2 * m.beam_size]
            yield from arms.pull(np.concatenate([inside[weak], outside[rival][first]]))

    def _fertile(self, arms: Arms) -> np.ndarray:
        """Rules that may grow into one of more coverage than the best."""
        wide = np.flatnonzero(arms.coverage > self.reach)
        if self.best is None:
            return wide
        grown = [self.space.grown(self.row, arms.rules[k]) for k in wide]
        reach = [max((self.space.coverage(rule) for rule in rules), default=-1.0) for rules in grown]
        return wide[np.array(reach) > self.reach] if len(wide) else wide

    def _note(self, arms: Arms) -> None:
        """Remember the rule of the highest lower bound."""
        k = int(arms.low(np.arange(len(arms.rules))).argmax())
        found = arms.anchor(k)
        if self.nearest is None or found.low > self.nearest.low:
            self.nearest = found

    def _grown(self, beam: list[Rule]) -> list[Rule]:
        """All rules that one more condition makes of the beam, each once, if they are wide enough to matter."""
        grown = [rule for parent in beam for rule in self.space.grown(self.row, parent)]
        fresh = [rule for rule in dict.fromkeys(grown) if rule not in self.seen]
        self.seen.update(fresh)
        return [rule for rule in fresh if self.space.coverage(rule) > self.reach]
