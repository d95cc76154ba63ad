"""Ways to explain anew: `explain` with everything fixed but what a metric varies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, SpellingError
from pellucid.core.inputs import plain_array
from pellucid.core.masking import Masker
from pellucid.core.method import GameMethod, Method, SurrogateMethod
from pellucid.core.records import Attribution
from pellucid.core.target import Predicted, Target
from pellucid.methods.run import as_masker, as_method, explain
from pellucid.metrics.base import Again, Metric
from pellucid.metrics.memo import Memo


@dataclass(frozen=True, eq=False)
class Ways:
    """What a caller gives beyond model, record and metrics: ways to explain anew, and what is known."""

    method: Method | str | None
    again: Again | None
    truth: Any
    background: Any
    masker: Masker | None
    extra: dict[str, Any] | None
    train: tuple[Any, Any] | None = None
    retrain: Callable[[Any, Any], Any] | None = None
    progress: Callable[[int], None] | None = None
    memos: Mapping[Metric, Memo] = field(default_factory=dict)  # what other explanations of the same rows have asked

    def take(self, done: np.ndarray) -> Ways:
        """For the rows that are done."""
        if done.all():
            return self
        extra = {name: _some(value, done, f"extra input {name!r}") for name, value in (self.extra or {}).items()}
        return replace(self, truth=_some(self.truth, done, "truth"), extra=extra or None, memos={})


def _some(value: Any, done: np.ndarray, what: str) -> Any:
    """(n, ...) -> (done rows, ...)"""
    if value is None:
        return None
    rows = value if isinstance(value, Attribution) else plain_array(value)
    if len(rows) != len(done):
        raise InputError(f"{what} has {len(rows)} rows, the record has {len(done)}.")
    return rows[done]


@dataclass(frozen=True, eq=False)
class Anew:
    """`explain` with everything fixed but model, rows and method."""

    ways: Ways
    target: Any
    names: tuple[str, ...] | None = None

    def __call__(self, model: Any, x: Any, method: Method) -> Attribution:
        return explain(
            model,
            x,
            method,
            target=self.target,
            background=self.ways.background,
            masker=self.ways.masker if isinstance(method, GameMethod | SurrogateMethod) else None,
            names=self.names,
            extra=self.ways.extra,
            progress=self.ways.progress,
        )

    def of(self, rows: np.ndarray) -> Anew:
        """The same for a selection of the rows, which may repeat."""
        target = self.target.take(rows) if isinstance(self.target, Target) else self.target
        extra = {name: plain_array(value)[rows] for name, value in (self.ways.extra or {}).items()}
        masker = None if self.ways.masker is None else self.ways.masker.of(rows)
        return replace(self, target=target, ways=replace(self.ways, extra=extra or None, masker=masker))


@dataclass(frozen=True, eq=False)
class Repeated:
    """A record's own method once more, of any model: what `Repeat` promises."""

    anew: Anew
    method: Method

    def __call__(self, model: Any, x: Any) -> Attribution:
        return self.anew(model, x, self.method)

    def of(self, rows: np.ndarray) -> Repeated:
        return replace(self, anew=self.anew.of(rows))

    def elsewhere(self) -> Repeated:
        target = self.anew.target
        per_row = isinstance(getattr(target, "label", None), tuple)
        return replace(self, anew=replace(self.anew, target=Predicted(scale=target.scale))) if per_row else self

    def seeded(self, seed: int) -> Repeated | None:
        known = getattr(self.method, "seed", None)
        return None if known is None else replace(self, method=replace(self.method, seed=seed))  # type: ignore[type-var]


def repeating(record: Attribution, ways: Ways, anew: Anew) -> Again | None:
    """How the record's own explanation is repeated: the user's function, else by method and masker as the receipt says."""
    if ways.again is not None:
        return ways.again
    method = ways.method if ways.method is not None else record.method
    if method is None:
        return None
    value = as_method(method)
    repeat = anew if ways.masker is not None else replace(anew, ways=replace(ways, masker=_own_masker(record)))
    return Repeated(repeat, value)


def _own_masker(record: Attribution) -> Masker | None:
    try:
        return as_masker(record.receipt.masker)
    except SpellingError:  # a masker of the user's own
        return None
