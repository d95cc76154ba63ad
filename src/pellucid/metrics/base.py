"""What a metric is: one question about an explanation, asked of the record, its data and the model behind it.

A metric is a frozen dataclass of hyper-parameters with a card and one hole, `measure(case) -> Reading`. The `Case`
(`case.py`) holds what may be asked: the record, the scalar function that it explains (the record's own resolved target and scale,
on the record's own data, whoever computed the values), and the ways to explain anew. What a metric needs beyond values, data
and target stands on its card and is checked before it runs, so that every refusal names the need and its remedy.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.metrics.case import FLAT, Again, Case, Explain, Repeat, places

__all__ = [
    "FLAT",
    "Again",
    "Case",
    "Explain",
    "Judge",
    "Metric",
    "MetricCard",
    "Need",
    "Reading",
    "Repeat",
    "check_counts",
    "places",
]

Need = Literal["again", "base values", "network", "truth", "train", "retrain", "error bars", "lessons"]


@dataclass(frozen=True)
class MetricCard:
    """What a reader must know of a metric before believing it; the documentation's tables come from here."""

    question: str
    direction: Literal["higher", "lower", "closer to 0"]  # which values are good
    range: tuple[float, float]
    chance: str  # what an explanation gets that knows nothing
    cost: str
    weaknesses: str
    paper: str
    needs: tuple[Need, ...] = ()
    takes: tuple[str, ...] = ()  # arguments of `evaluate` that this metric reads if given
    bar: float | None = None  # the mean passes beyond it; a convention, said to be one
    texts: bool = False  # whether it can judge explanations of texts
    blind: tuple[str, ...] = ()  # of `checked.py`: corruptions, or a whole world, that it does not tell from the truth
    strata: str = ""  # a detail of zeros and ones: the mean is the macro average over both groups of rows
    counts: bool = False  # a row is a hit or a miss: intervals are of a proportion, and stay between 0 and 1
    ranks: bool = True  # judges an order or pattern, so a constant map says nothing and is left out of the mean


@dataclass(frozen=True, eq=False)
class Reading:
    """What `measure` returns, row by row; the words and shapes are those of the record `Curve`."""

    value: np.ndarray  # (n,)
    chance: np.ndarray | None = None  # (n,)
    reverse: np.ndarray | None = None  # (n,)
    x: np.ndarray | None = None  # (s,)
    curves: np.ndarray | None = None  # (n, s)
    chance_curves: np.ndarray | None = None  # (n, s)
    reverse_curves: np.ndarray | None = None  # (n, s)
    detail: dict[str, np.ndarray] = field(default_factory=dict)  # (n, ...)
    labels: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Judge(ABC):
    """The root of all that judges a record: its card. What kind of record, the class says that it is derived from."""

    card: ClassVar[MetricCard]


class Metric(Judge):
    """Judges an Attribution: one hole."""

    @abstractmethod
    def measure(self, case: Case) -> Reading:
        """One number per row, whatever the other rows are."""

    def streams(self, case: Case) -> list[np.random.Generator]:
        """One stream of randomness per row, made of (seed, metric, the row's own data).

        A row's draws then depend on nothing but the row, and differ between rows: the intervals over rows need that, because
        an unlucky draw that all rows share would move them together and leave no trace in their spread.
        """
        own = (getattr(self, "seed", 0), zlib.crc32(type(self).__name__.encode()))
        return [np.random.default_rng((*own, _fingerprint(row))) for row in case.record.data]


def _fingerprint(row: np.ndarray) -> int:
    """A number that the values of a row make, whatever their dtype."""
    text = repr(row.tolist()).encode() if row.dtype == object else np.ascontiguousarray(row, dtype=float).tobytes()
    return zlib.crc32(text)


def check_counts(value: Any, *names: str) -> None:
    """Refuse hyper-parameters that are no positive whole numbers, when the metric is made."""
    for name in names:
        given = getattr(value, name)
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise MethodError(f"{type(value).__name__}({name}={given!r}): expected a whole number of at least 1.")
