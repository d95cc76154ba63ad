"""What a counterfactual is to reach, where a class does not say it: a number within limits, or any other class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.errors import TargetError
from pellucid.core.target import Class, Label, Pick, Target, as_target


@dataclass(frozen=True)
class Between(Target):
    """A score from `low` to `high`, both included; of output column or class `label` where there are several."""

    low: float
    high: float
    label: Label | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise TargetError(f"{self!r} holds no number: give (low, high), the smaller end first.")

    def named(self, classes: Sequence[Any] | None) -> Between:
        if self.label is None:
            return self
        return replace(self, label=Class(self.label).named(classes).label)

    def bind(self, outputs: np.ndarray) -> Pick:
        k = outputs.shape[1]
        if self.label is None and k > 2:
            raise TargetError(
                f"the model has {k} outputs: say whose score is meant, Between({self.low:g}, {self.high:g}, label=...)."
            )
        pick = Class(k - 1 if self.label is None else self.label).bind(outputs)
        assert isinstance(pick.target, Class)
        return replace(pick, target=replace(self, label=pick.target.label))

    def take(self, rows: np.ndarray) -> Between:
        if not isinstance(self.label, tuple):
            return self
        return replace(self, label=tuple(self.label[i] for i in np.arange(len(self.label))[rows]))


@dataclass(frozen=True)
class AnyOther(Target):
    """Any class but the one that the model gives to the row; of a single number, the other side of `limit` (0 without one)."""

    scale: str | None = None
    limit: float | None = None

    def bind(self, outputs: np.ndarray) -> Pick:
        if outputs.shape[1] == 1:
            return Pick(self, np.zeros(len(outputs), np.int64))
        return Pick(self, outputs.argmax(axis=1))


def as_wanted(target: Any) -> Target:
    """Coerce what a user may want: None (any other class), a class or one a row, an interval `(low, high)`."""
    if isinstance(target, tuple) and len(target) == 2 and all(_is_number(end) for end in target):
        return Between(float(target[0]), float(target[1]))
    if callable(target) and not isinstance(target, Target):
        raise TargetError("a function of the outputs says no limits: give a class, or an interval (low, high).")
    return as_target(target, default=AnyOther())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
