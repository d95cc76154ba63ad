"""Which words could stand in a place, by the background texts; and a text whose hidden words are replaced."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest
from itertools import pairwise

import numpy as np

from pellucid.core.text_maskers import Spans
from pellucid.core.words import words

EDGE = ""  # what stands before the first word and after the last


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """How often each word stands in texts, and beside which others; `after[w]` counts the words that follow w, `before[w]` those
    that precede it."""

    counts: Counter[str]
    after: dict[str, Counter[str]]
    before: dict[str, Counter[str]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        counts: Counter[str] = Counter()
        after: dict[str, Counter[str]] = defaultdict(Counter)
        before: dict[str, Counter[str]] = defaultdict(Counter)
        for text in texts:
            told = [EDGE, *_words(str(text)), EDGE]
            counts.update(told[1:-1])
            for left, right in pairwise(told):
                after[left][right] += 1
                before[right][left] += 1
        return cls(counts, after, before)

    def fitting(self, left: str, word: str, right: str, k: int) -> list[str]:
        """Up to k words for the place between two others, the best first: those that stood beside both of them, then beside one,
        the commoner first; never the word itself."""
        follows, leads = self.after.get(left, Counter()), self.before.get(right, Counter())

        def rank(one: str) -> tuple[int, int, int, str]:
            return (-((one in follows) + (one in leads)), -follows[one] - leads[one], -self.counts[one], one)

        known = [one for one in self.counts if one != word and is_word(one)]
        return nsmallest(k, known, key=rank)


def is_word(part: str) -> bool:
    """Whether a part has letters or digits, and is no punctuation mark."""
    return any(sign.isalnum() for sign in part)


def in_case(word: str, like: str) -> str:
    """A word, written as another one is: all small, with a capital, or all in capitals."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def _words(text: str) -> list[str]:
    return [text[start:stop].casefold() for start, stop in words(text)]


@dataclass(frozen=True, eq=False)
class Swap:
    """One text; in each of its `places` (p,) another word may stand, `put` (p,): hidden here means replaced."""

    spans: Spans
    places: np.ndarray
    put: tuple[str, ...]
    draws: int = 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.spans.names[i] for i in self.places.tolist())

    @cached_property
    def labels(self) -> np.ndarray:
        """(characters,) the place of each character, -1 for none."""
        own = np.full(len(self.spans.names) + 1, -1)
        own[self.places] = np.arange(len(self.places))
        return np.asarray(own[self.spans.labels])

    def fill(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> texts (m, 1, 1)"""
        return np.fromiter(map(self._with, z), dtype=object, count=len(z))[:, None, None]

    def lift(self, values: np.ndarray) -> np.ndarray:
        """values (1, p) -> (1, t)"""
        whole = np.zeros((len(values), len(self.spans.names)))
        whole[:, self.places] = values
        return self.spans.lift(whole)

    def _with(self, shown: np.ndarray) -> str:
        said = list(self.spans.names)
        for place, word, there in zip(self.places.tolist(), self.put, shown.tolist(), strict=True):
            if not there:
                said[place] = word
        return self.spans.said(said)
