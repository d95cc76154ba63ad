"""When a changed row has the wanted answer, as one number: its margin, above zero where it has.

| the target is | the margin of outputs o is |
|---|---|
| a class c | o_c less the largest other output |
| any other class than the row's own, c | the largest other output less o_c; of a single number, how far it is beyond the limit |
| an interval (low, high) of a score s | the smaller of s - low and high - s |

A single output without classes counts as class 1 above zero and as class 0 below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import TargetError
from pellucid.core.inputs import plain_array
from pellucid.core.relations import spelled
from pellucid.core.target import Class, Margin, Output, Pick, Target
from pellucid.core.wanted import AnyOther, Between, as_wanted
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Goal:
    """The wanted answer of n rows; it stands where a `Pick` does, and turns outputs into margins instead of scores."""

    target: Target
    columns: np.ndarray  # (n,)
    sign: np.ndarray  # (n,) 1: this class, or above zero; -1: not this class, or below
    low: float | None = None
    high: float | None = None
    slack: float = 0.0  # margins have to exceed what rounding may do to them
    rivals: int = 1  # outputs that a wanted class has to exceed
    rank: int = 0  # 1: the margin to the second largest rival
    limit: float = 0.0  # of a single number: where its two classes meet

    def __call__(self, outputs: Any, rows: np.ndarray) -> Any:
        """outputs (b, k), rows (b,) -> margins (b,), of arrays or tensors"""
        columns, here = self.columns[rows], np.arange(len(rows))
        own = outputs[here, columns]
        if self.low is not None and self.high is not None:
            return _smaller(own - self.low, self.high - own)
        sign = self.sign[rows]
        sign = own.new_tensor(sign) if hasattr(own, "new_tensor") else sign
        if outputs.shape[1] == 1:
            return (own - self.limit) * sign
        return (own - _other(outputs, here, columns, self.rank)) * sign

    def met(self, margins: np.ndarray) -> np.ndarray:
        """margins (m,) -> whether the wanted answer is there"""
        return margins >= self.slack if self.low is not None else margins > self.slack

    def take(self, rows: slice | np.ndarray) -> Goal:
        return replace(self, columns=self.columns[rows], sign=self.sign[rows])

    @property
    def shared(self) -> bool:
        """Whether all rows want the same."""
        return len(set(zip(self.columns.tolist(), self.sign.tolist(), strict=True))) == 1

    def words(self, row: int, classes: Sequence[Any] | None) -> str:
        """The wanted answer of a row."""
        if self.low is not None and self.high is not None:
            if np.isinf(self.high):
                return f"at least {spelled(self.low)}"
            if np.isinf(self.low):
                return f"at most {spelled(self.high)}"
            return f"between {spelled(self.low)} and {spelled(self.high)}"
        column, sign = int(self.columns[row]), self.sign[row]
        if isinstance(self.target, AnyOther) and self.target.limit is not None:
            return f"{'above' if sign > 0 else 'at most'} {spelled(self.limit)}"
        if classes is None:
            name = str(column)
        else:
            if sign < 0 and len(classes) == 2:
                column, sign = 1 - column, 1
            name = str(classes[column])
        return name if sign > 0 else f"not {name}"


def goal(ready: Prepared, target: Any, meter: Meter) -> tuple[BlackBox, Goal, np.ndarray]:
    """The margin as a scalar function, the goal, and the outputs on x (n, k); call inside a session."""
    adapter, inputs = ready.adapter, ready.inputs
    wanted = as_wanted(target).named(adapter.classes)
    if isinstance(wanted, Between) and wanted.scale is None and "probability" in adapter.scales and adapter.classes:
        wanted = replace(wanted, scale="probability")
    scale = adapter.scale_of(wanted)
    outputs = adapter.outputs(inputs.x, scale, inputs.extra, meter, inputs.batch_size)
    if outputs.ndim != 2:
        raise TargetError(
            f"the model's output has shape {outputs.shape}, not (n, k): wrap it so that it has one row each."
        )
    made = replace(_bound(wanted.at(scale), outputs, adapter.classes), slack=_slack(adapter, outputs))
    if isinstance(wanted, Between) and adapter.kind != "torch":
        made = replace(made, slack=0.0)  # both ends are included
    f = adapter.scalar(made, scale, inputs, meter, [])  # type: ignore[arg-type]
    return f, made, outputs


def _bound(wanted: Target, outputs: np.ndarray, classes: Sequence[Any] | None) -> Goal:
    n, k = outputs.shape
    ones = np.ones(n)
    if isinstance(wanted, Class) and k == 1:
        return _sided(wanted, n)
    if not isinstance(wanted, Between | AnyOther | Class):
        kind = type(wanted).__name__
        if isinstance(wanted, Output | Margin) or hasattr(wanted, "y"):
            raise TargetError(f"{kind} names a number and no limits for it: give an interval, target=(low, high).")
        raise TargetError(f"{kind} says no wanted answer: give a class, or an interval (low, high).")
    pick = wanted.bind(outputs)
    assert isinstance(pick, Pick)
    if isinstance(wanted, Between):
        return Goal(pick.target, pick.columns, ones, wanted.low, wanted.high)
    if isinstance(wanted, Class):
        return Goal(pick.target, pick.columns, ones, rivals=k - 1)
    if k == 1:
        limit = getattr(wanted, "limit", None)
        if limit is None and classes is None and outputs.min() >= 0:
            raise TargetError(
                f"the model has one output ({outputs.min():.4g} to {outputs.max():.4g} here): say what it should become, "
                "target=(low, high), with inf for an open end."
            )
        edge = limit or 0.0
        return Goal(pick.target, pick.columns, np.where(outputs[:, 0] > edge, -1.0, 1.0), limit=edge)
    return Goal(pick.target, pick.columns, -ones)


def _sided(wanted: Class, n: int) -> Goal:
    """A class of a single output: 1 above zero, 0 below."""
    labels = np.asarray(wanted.label)
    if labels.ndim and len(labels) != n:
        raise TargetError(f"{len(labels)} targets for {n} rows: give one, or one a row.")
    labels = np.broadcast_to(labels, (n,))
    if not np.isin(labels, (0, 1)).all():
        raise TargetError(
            f"target {labels[~np.isin(labels, (0, 1))][0]} is out of range: a single output is class 1 above zero and class 0 "
            "below; give those, or an interval (low, high)."
        )
    return Goal(wanted, np.zeros(n, np.int64), np.where(labels == 1, 1.0, -1.0))


def _slack(adapter: Any, outputs: np.ndarray) -> float:
    """What rounding may do to a margin: 16 units of the model's precision."""
    digits = str(getattr(adapter, "dtype", None))
    unit = {"torch.float32": 2.0**-23, "torch.float16": 2.0**-10, "torch.bfloat16": 2.0**-7}.get(digits, 2.0**-50)
    return float(16 * unit * (1 + np.abs(outputs).max(initial=0.0)))


def _other(outputs: Any, here: np.ndarray, columns: np.ndarray, rank: int) -> Any:
    """The largest (rank 0) or second largest of the other outputs, (b,)"""
    others: Any = outputs.clone() if hasattr(outputs, "clone") else np.array(outputs, dtype=float)
    others[here, columns] = -np.inf
    if hasattr(outputs, "clone"):
        return others.topk(rank + 1, dim=1).values[:, rank]
    return np.partition(others, -1 - rank, axis=1)[:, -1 - rank]


def _smaller(a: Any, b: Any) -> Any:
    return a.minimum(b) if hasattr(a, "minimum") else np.minimum(a, b)


def scores(made: Goal, outputs: np.ndarray) -> np.ndarray:
    """outputs (n, k) of the rows -> the watched number (n,)"""
    return np.asarray(plain_array(outputs)[np.arange(len(outputs)), made.columns], dtype=float)
