"""Counterfactuals of many rows, summed up: which few changes flip most rows, and whether recourse is alike between groups.

Rawal & Lakkaraju, "Beyond individualized recourse" (NeurIPS 2020), ask for recourse of subgroups; Ustun, Spangher & Liu (2019)
compare
its feasibility and cost between groups that are otherwise alike. Here nothing is searched anew: answers are sorted by the
set of columns that they change, with direction for numbers and the new value for levels,

    share(c) = rows whose answer is c / rows that needed a change

and the `k` commonest are listed; per group of `by`, how many rows needed a change, how many have none, and the quartiles of
what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.change_summary import ChangeSummary, GroupRecourse
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Card, Method

_SMALL = 30  # rows that needed a change, below which groups are not compared


@dataclass(frozen=True)
class CounterfactualSummary(Method):
    """`k` is how many changes are listed; `by` a column whose values are the groups (numbers are cut at their median)."""

    k: int = 5
    by: str | None = None

    card: ClassVar[Card] = Card(
        question="Which changes flip most rows, and for whom is there none?",
        scope="global",
        access="black box",
        inputs=("table",),
        output="the commonest changes with their share, and the cost of recourse by group",
        cost="no model rows: it reads counterfactuals",
        strengths="shows at a glance what a model wants; fairness of recourse by group",
        weaknesses="as good as the counterfactuals; groups differ in more than the column they are split by",
        paper="Rawal & Lakkaraju 2020",
        rows=0,
        verb="summarize",
    )

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise MethodError(f"CounterfactualSummary(k={self.k!r}): expected a whole number from 1 on.")

    def read(self, record: Counterfactuals) -> ChangeSummary:
        """The summary of a record of counterfactuals."""
        if record.original.ndim != 2:
            raise InputError("a summary is of tables: these counterfactuals are of pictures or texts.")
        needed = ~record.valid | (record.sparsity > 0)
        flipped = np.flatnonzero(record.valid & (record.sparsity > 0))
        if not needed.any():
            raise InputError("no row of these counterfactuals needed a change: ask about rows with the other answer.")
        kinds = _kinds(record, flipped)
        listed = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))[: self.k]
        shares = np.array([len(rows) / needed.sum() for _, rows in listed])
        up, down = _directions(record, flipped)
        return ChangeSummary(
            indices=np.array([rows[int(record.cost[rows].argmin())] for _, rows in listed], dtype=np.int64),
            weights=shares,
            curve=shares.cumsum(),
            changes=tuple(words for words, _ in listed),
            importance=record.changed[flipped].mean(axis=0) if len(flipped) else np.zeros(record.changed.shape[1]),
            names=record.feature_names,
            up=up,
            down=down,
            groups=_groups(record, needed, self.by),
            by=self.by,
            method=self,
            receipt=receipt(self, Meter(), warnings=(*record.receipt.warnings, *_warnings(record, needed, self.by))),
        )


def _kinds(record: Counterfactuals, rows: np.ndarray) -> dict[str, list[int]]:
    """What changes, in words -> the rows whose answer it is"""
    found: dict[str, list[int]] = {}
    for row in rows.tolist():
        words = " and ".join(_way(name, *change) for name, change in record.changes(row).items())
        found.setdefault(words, []).append(row)
    return found


def _way(name: str, before: Any, after: Any) -> str:
    if _number(before) and _number(after):
        return f"more {name}" if after > before else f"less {name}"
    return f"{name} to {after}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _directions(record: Counterfactuals, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(p,) the share of answers that raise a column, and that lower it; NaN where it holds levels"""
    p = record.changed.shape[1]
    up, down = np.full(p, np.nan), np.full(p, np.nan)
    for j in range(p):
        pairs = list(zip(record.original[rows, j].tolist(), record.values[rows, j].tolist(), strict=True))
        if pairs and all(_number(a) and _number(b) for a, b in pairs):
            up[j] = np.mean([b > a for a, b in pairs])
            down[j] = np.mean([b < a for a, b in pairs])
    return up, down


def _groups(record: Counterfactuals, needed: np.ndarray, by: str | None) -> tuple[GroupRecourse, ...]:
    whole = np.ones(len(record), dtype=bool)
    made = [_group("all", record, needed, whole)]
    for name, mine in _split(record, by).items():
        made.append(_group(name, record, needed, mine))
    return tuple(made)


def _split(record: Counterfactuals, by: str | None) -> dict[str, np.ndarray]:
    """Group name -> which rows (n,)"""
    if by is None:
        return {}
    names = record.feature_names or ()
    if by not in names:
        raise InputError(
            f"CounterfactualSummary(by={by!r}): there is no such column; the columns are {', '.join(names[:20])}."
        )
    values = record.original[:, names.index(by)]
    kinds = list(dict.fromkeys(values.tolist()))
    if len(kinds) > 10 and all(_number(value) for value in kinds):
        cut = float(np.median(values.astype(float)))
        low = values.astype(float) <= cut
        return {f"{by} <= {cut:g}": low, f"{by} > {cut:g}": ~low}
    return {f"{by} = {kind}": np.array([value == kind for value in values.tolist()]) for kind in sorted(kinds, key=str)}


def _group(name: str, record: Counterfactuals, needed: np.ndarray, mine: np.ndarray) -> GroupRecourse:
    asked, found = needed & mine, needed & mine & record.valid
    without = asked & ~record.valid
    low, median, high = np.quantile(record.cost[found], (0.25, 0.5, 0.75)).tolist() if found.any() else (np.nan,) * 3
    proven = int((without & record.proof).sum())
    return GroupRecourse(name, int(mine.sum()), int(asked.sum()), int(without.sum()), proven, (low, median, high))


def _warnings(record: Counterfactuals, needed: np.ndarray, by: str | None) -> tuple[str, ...]:
    small = [name for name, mine in _split(record, by).items() if (needed & mine).sum() < _SMALL]
    if not small:
        return ()
    named = ", ".join(small[:3])
    return (
        f"{len(small)} groups have fewer than {_SMALL} rows that needed a change ({named}): differences may be chance",
    )
