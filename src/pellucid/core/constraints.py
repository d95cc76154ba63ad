"""What a counterfactual may change: `[Immutable("sex"), Increasing("age"), Range("hours", 0, 60), Step("income", 500), "debt
<= income"]`.

Constraints are values like methods are: literals in, no data. `Limits.of` (`core/limits.py`) binds them to the rows of a
question, and `Limits.holds` is the one place that says whether a changed row keeps to all of them. A constraint speaks of the
changed row as a whole: a row that breaks one before the change has to be brought inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.core import spelling
from pellucid.core.errors import MethodError
from pellucid.core.relations import Relation, relations

Names = str | tuple[str, ...]


class Constraint:
    """The root of what may be said of a column by a value."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it is about."""
        given: Names = getattr(self, "column", "") or getattr(self, "columns", ())
        return (given,) if isinstance(given, str) else tuple(given)


@dataclass(frozen=True)
class Immutable(Constraint):
    """These columns stay as they are."""

    column: Names


@dataclass(frozen=True)
class Actionable(Constraint):
    """Only these columns may change."""

    columns: Names


@dataclass(frozen=True)
class Increasing(Constraint):
    """These columns never fall: an age, an education."""

    column: Names


@dataclass(frozen=True)
class Decreasing(Constraint):
    """These columns never rise."""

    column: Names


@dataclass(frozen=True)
class Range(Constraint):
    """The column ends between `low` and `high`, both included; None leaves a side open."""

    column: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise MethodError(f"{self!r} holds no number: give the smaller end first.")


@dataclass(frozen=True)
class Step(Constraint):
    """The column moves by whole multiples of `size`."""

    column: str
    size: float

    def __post_init__(self) -> None:
        if not self.size > 0:
            raise MethodError(f"{self!r}: a step is a positive number.")


@dataclass(frozen=True)
class Allowed(Constraint):
    """The column ends at one of these values."""

    column: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True)
class OneHot(Constraint):
    """Of these 0/1 columns exactly one is 1."""

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        if len(self.columns) < 2:
            raise MethodError(f"{self!r}: a one-hot block has at least two columns.")


Rule = Constraint | Relation


def as_constraints(given: Any) -> tuple[Rule, ...]:
    """Constraints of what a user may give: values, their spellings, relations as text, or one of these alone."""
    if given is None:
        return ()
    items = [given] if isinstance(given, str | Constraint | Relation) else list(given)
    made: list[Rule] = []
    for item in items:
        if isinstance(item, Constraint | Relation):
            made.append(item)
        elif isinstance(item, str):
            made += _read(item)
        else:
            raise MethodError(
                f"{item!r} is no constraint: give Immutable('sex'), Range('hours', 0, 60) or a text such as 'debt <= income'."
            )
    return tuple(made)


def _read(written: str) -> list[Rule]:
    name = written.partition("(")[0].strip()
    if name in KINDS and "(" in written:
        value = spelling.parse(written)
        assert isinstance(value, Constraint)
        return [value]
    return list(relations(written))


def written(rule: Rule) -> str:
    """A constraint as a reader knows it."""
    return rule.written if isinstance(rule, Relation) else repr(rule)


KINDS = ("Immutable", "Actionable", "Increasing", "Decreasing", "Range", "Step", "Allowed", "OneHot")
