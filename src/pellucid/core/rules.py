"""Rules: what is enough for an answer, one rule per row, in words and with what it is known to hold for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_data
from pellucid.core.records import Layout, Record, per_row
from pellucid.core.schema import Schema
from pellucid.core.target import Target

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = "always"  # the words of a rule without conditions


@dataclass(frozen=True)
class Condition:
    """One thing that a rule asks of one feature: a number above `low` and at most `high`, one of `values`, or a missing value.

    In pictures and texts, where a feature is a part that may be hidden, it asks that the part is there.
    """

    feature: str
    column: int
    words: str
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()
    missing: bool = False

    def __str__(self) -> str:
        return self.words

    def holds(self, column: np.ndarray) -> np.ndarray:
        """readable values (m,) -> (m,) bool"""
        absent = np.array([value is None or value != value for value in column.tolist()], dtype=bool)
        if self.missing:
            return absent
        if self.values:
            known = set(self.values)
            return np.array([value in known for value in column.tolist()], dtype=bool) & ~absent
        numbers = np.where(absent, np.nan, column).astype(float)
        low, high = (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)
        return (numbers > low) & (numbers <= high)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rules(Record):
    """What is enough? One rule per row: where it applies, the model gives the same answer as for that row.

    `precision (n,)` is the share of perturbed rows under the rule that keep the answer, as sampled, `low` and `high` bounds
    that hold together for everything the search looked at, at the level of its method; `reached` says whether `low` comes
    up to the threshold less its tolerance: where it does not, the most precise rule found stands there. `coverage (n,)` is
    the share of the background that the rule applies to, `covered` their number (None where there is no background, and
    coverage is the share of perturbed inputs). `samples (n,)` is what the precision rests on.
    """

    rules: tuple[tuple[Condition, ...], ...] = per_row()
    answers: tuple[str, ...] = per_row()
    precision: np.ndarray = per_row()
    low: np.ndarray = per_row()
    high: np.ndarray = per_row()
    coverage: np.ndarray = per_row()
    covered: np.ndarray | None = per_row(None)
    samples: np.ndarray = per_row()
    reached: np.ndarray = per_row()
    data: np.ndarray = per_row()
    done: np.ndarray = per_row()
    labels: np.ndarray | None = per_row(None)  # (n, *space) the part of each place, where parts are places
    background_rows: int | None = None
    feature_names: tuple[str, ...] | None = None
    schema: Schema | None = None
    layout: Layout = "table"
    target: Target | None = None
    method: Any = None

    def __len__(self) -> int:
        return len(self.rules)

    def words(self, row: int = 0) -> str:
        """The rule of one row: "Education <= High School and Hours <= 40"."""
        return " and ".join(str(condition) for condition in self.rules[row]) or ALWAYS

    def sentence(self, row: int = 0) -> str:
        """The rule of one row with what is known of it."""
        held = f"{self.precision[row]:.0%} of {self.samples[row]:,} perturbed rows ({self.low[row]:.0%} to {self.high[row]:.0%})"
        found = "" if self.reached[row] else "; no rule reached the threshold, this is the most precise one found"
        whole = "perturbed inputs" if self.covered is None else f"{self.background_rows:,} background rows"
        where = "whatever the row" if not self.rules[row] else f"if {self.words(row)}"
        return f"{where}, then {self.answers[row]}: {held}, applies to {self.coverage[row]:.1%} of {whole}{found}"

    def applies(self, X: Any) -> np.ndarray:
        """Which rows of X (m rows, like those explained) each rule applies to: (n, m) bool; texts that hold the words."""
        if self.layout == "tokens" and self.data.ndim == 1:
            return np.array([[_holds(rule, str(text)) for text in X] for rule in self.rules], dtype=bool)
        if self.layout != "table":
            raise InputError("rules on parts of a picture or a text speak of that one input: they apply to no other.")
        cells, _, names = plain_data(X)
        if cells.ndim != 2 or (names is None and cells.shape[1] != self.data.shape[1]):
            raise InputError(f"X has shape {cells.shape}; these rules are for tables of {self.data.shape[1]} columns.")
        held = np.ones((len(self), len(cells)), dtype=bool)
        for i, rule in enumerate(self.rules):
            for condition in rule:
                held[i] &= condition.holds(cells[:, _place(condition, names)])
        return held

    def to_frame(self) -> pd.DataFrame:
        """One line per rule."""
        import pandas as pd

        columns = {
            "row": np.arange(len(self)),
            "rule": [self.words(row) for row in range(len(self))],
            "answer": self.answers,
            "precision": self.precision,
            "low": self.low,
            "high": self.high,
            "coverage": self.coverage,
            "samples": self.samples,
            "reached": self.reached,
        }
        if self.covered is not None:
            columns["covered"] = self.covered
        return pd.DataFrame(columns)


def _holds(rule: tuple[Condition, ...], text: str) -> bool:
    """Whether a text holds the parts that a rule asks for, each as often as it does."""
    from pellucid.core.words import words

    there = Counter(text[slice(*span)] for span in words(text))
    asked = Counter(condition.feature for condition in rule)
    return all(there[part] >= times or (" " in part and part in text) for part, times in asked.items())


def _place(condition: Condition, names: tuple[str, ...] | None) -> int:
    if names is None:
        return condition.column
    if condition.feature not in names:
        raise InputError(
            f"the frame has no column {condition.feature!r}, which a rule asks for; it has {', '.join(names[:20])}."
        )
    return names.index(condition.feature)
