"""Where an answer stands: the target of networks that select a span of a context (extractive question answering).

Such a network gives every token i of question and context two logits, s_i that the answer starts there and e_i that it ends there.
The number of an answer that stands at the tokens from i to j is

    raw               s_i + e_j                        the number by which these networks rank spans
    log probability   log softmax(s)_i + log softmax(e)_j        over the tokens of the row, padding left out

Raw is the default: it is the sum of two outputs, which methods that run backwards conserve. Only differences of logits were
trained, so what raises *all* of them raises the raw number too; the log probability, and `LogOdds(a, b, tokens="all")` of two
answers (in which the normalisation cancels, so that it is the same on both scales), are free of that.

The answer keeps its place: where a coalition hides it, the number is read at what stands in its stead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.errors import TargetError
from pellucid.core.language import of_rows
from pellucid.core.pairs import parted
from pellucid.core.target import Pick, Target
from pellucid.core.words import places

Ints = int | tuple[int, ...]


@dataclass(frozen=True)
class Span(Target):
    """The answer as it stands in the context, `Span("Ann")`, or its characters there, `Span(12, 15)`; a tuple has one a row.

    `Span()` is the network's own best answer of at most `longest` tokens, fixed at x.
    """

    answer: str | tuple[str, ...] | Ints | None = None
    stop: Ints | None = None
    longest: int = 30
    scale: str | None = None

    def __post_init__(self) -> None:
        first = self.answer[0] if isinstance(self.answer, tuple) and self.answer else self.answer
        by_number = isinstance(first, int | np.integer) and not isinstance(first, bool)
        if not (first is None or isinstance(first, str) or by_number) or by_number != (self.stop is not None):
            raise TargetError(
                f"{self!r}: give the answer as it stands in the context, Span('Ann'), its characters there, Span(12, 15), or "
                "nothing for the network's own answer."
            )
        if not (isinstance(self.longest, int) and self.longest > 0):
            raise TargetError(f"Span(longest={self.longest!r}): expected a positive number of tokens.")

    @property
    def known(self) -> bool:
        """Whether it says where the answer stands."""
        return self.answer is not None

    def bind(self, outputs: np.ndarray) -> Pick:
        """outputs (n, 1): the number of each row's answer"""
        return Pick(self, np.zeros(len(outputs), np.int64))

    def take(self, rows: np.ndarray) -> Span:
        return replace(self, answer=of_rows(self.answer, rows), stop=of_rows(self.stop, rows))

    def named(self, classes: Any) -> Target:
        raise TargetError(
            f"{self!r} asks where an answer stands, and this model says no such thing: give TextModel(network, tokenizer) of a "
            "network for question answering, and rows (question, context)."
        )

    def places(self, texts: list[str]) -> np.ndarray:
        """Where the answers stand in n pairs, as characters of the whole rows: (n, 2)"""
        for given in (self.answer, self.stop):
            if isinstance(given, tuple) and len(given) != len(texts):
                raise TargetError(f"{len(given)} answers for {len(texts)} rows: give one, or one a row.")
        return np.array([self._place(text, row) for row, text in enumerate(texts)])

    def _place(self, text: str, row: int) -> tuple[int, int]:
        question, context = parted(text)
        start, stop = (given[row] if isinstance(given, tuple) else given for given in (self.answer, self.stop))
        if isinstance(start, str):
            start, stop = _only(start, context, row)
        assert isinstance(start, int | np.integer) and isinstance(stop, int | np.integer)
        if not 0 <= start < stop <= len(context):
            raise TargetError(
                f"characters {start} to {stop} are no part of the context of row {row}, which has {len(context)}: they count from "
                "its first, and the last is not included."
            )
        before = len(question) + 1
        return before + int(start), before + int(stop)


def _only(answer: str, context: str, row: int) -> tuple[int, int]:
    """The one place where an answer stands as whole words."""
    found = places(context, [answer])
    if not found:
        raise TargetError(
            f"{answer!r} does not stand in the context of row {row}, as whole words: this network selects answers, it writes none."
        )
    if len(found) > 1:
        listed = ", ".join(f"Span({a}, {b})" for a, b in found)
        raise TargetError(f"{answer!r} stands {len(found)} times in the context of row {row}: say which, {listed}.")
    return found[0]
