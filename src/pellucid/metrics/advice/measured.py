"""Candidates tried on the user's own model and rows, within a budget that is hard, and the front of those worth having.

Every candidate explains the same rows and is judged by deletion and insertion against random orders (faithfulness), and by noise
(stability); its cost are the model rows of an explained row, which do not depend on how busy the machine is. A method is on the
front when no other is at least as good in all three and better in one. Each candidate may use an equal share of what is left of the
budget: one row tells what a row costs, and as many rows are judged as fit (the fewer are among the more, so candidates share
rows). Whatever that foretold, a candidate is stopped at the first model call that reaches its share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.advice import Trial
from pellucid.core.budget import Budget, Meter
from pellucid.core.errors import PellucidError
from pellucid.core.masking import Masker
from pellucid.core.records import Attribution
from pellucid.core.registry import resolve
from pellucid.core.scores import Scorecard
from pellucid.metrics.deletion import Deletion
from pellucid.metrics.insertion import Insertion
from pellucid.metrics.run import explained_and_judged
from pellucid.metrics.stability import Stability
from pellucid.metrics.verdict import ROUNDING, interval

JUDGES = (Deletion(), Insertion(), Stability())


class _Spent(Exception):
    """A candidate's share of the budget is used up."""


@dataclass(frozen=True, eq=False)
class Case:
    """What the candidates are asked about: the arguments of `explain`."""

    model: Any
    x: Any
    target: Any
    background: Any
    masker: Masker | None
    names: Any
    extra: Any
    take: Callable[[Case, int], Case]  # every so manieth row

    def __len__(self) -> int:
        return int(self.x.shape[0]) if hasattr(self.x, "shape") else len(self.x)


@dataclass(frozen=True)
class Tried:
    """What came of the candidates: `unfit` are those that this model or these rows are not for."""

    trials: tuple[Trial, ...]
    cards: tuple[Scorecard, ...]
    unfit: tuple[tuple[str, str], ...]
    untried: tuple[tuple[str, str], ...]


def tried(case: Case, names: Sequence[str], meter: Meter) -> Tried:
    """Each candidate in its turn, while the budget lasts."""
    trials, cards, unfit, untried = [], [], [], []
    for place, name in enumerate(names):
        if (limit := meter.limit()) is not None:
            untried.append((name, f"not tried: the budget of {limit} was spent"))
            continue
        try:
            trial, card = _try(case, name, _Watch.of(meter, len(names) - place))
        except _Spent as stop:
            untried.append((name, f"not tried to the end: {stop}"))
        except PellucidError as error:
            unfit.append((name, str(error)))
        else:
            trials.append(trial)
            cards.append(card)
    return Tried(on_front(trials), tuple(cards), tuple(unfit), tuple(untried))


@dataclass(frozen=True, eq=False)
class _Watch:
    """Counts model rows on the whole run's meter, and stops a candidate at its share."""

    whole: Meter
    share: Meter

    @classmethod
    def of(cls, whole: Meter, left: int) -> _Watch:
        """An equal share of what is left, for one of the candidates that are left."""
        b, used = whole.budget, whole.rows_forward + whole.rows_backward
        seconds = None if b.seconds is None else max(1e-9, (b.seconds - whole.seconds) / left)
        rows = None if b.rows is None else max(1, int((b.rows - used) / left))
        return cls(whole, Meter(Budget(seconds=seconds, rows=rows, bytes=b.bytes, clock=b.clock)))

    def __call__(self, rows: int) -> None:
        self.whole.add(rows)
        self.share.add(rows)
        if self.share.spent:
            raise _Spent(f"its share of the budget, {_share(self)}, was used up")

    def room(self, before: tuple[float, float]) -> float:
        """How many more times what was spent since `before` fits into the share."""
        b, s = self.share.budget, self.share
        seconds = np.inf if b.seconds is None else (b.seconds - s.seconds) / max(s.seconds - before[0], 1e-9)
        return min(seconds, s.rows_left() / max(s.rows_forward - before[1], 1))


def _try(case: Case, name: str, watch: _Watch) -> tuple[Trial, Scorecard]:
    few = case if watch.share.budget == Budget() else _fitting(case, name, watch)
    record, card = _judged(few, name, watch)
    faithful = _faithfulness(card)
    steady = [line for line in card.lines if line.metric == "Stability"]
    stable = (steady[0].mean, steady[0].low, steady[0].high) if steady else (np.nan, np.nan, np.nan)
    rows = (record.receipt.rows_forward + record.receipt.rows_backward) / len(record)
    return Trial(name, *faithful, *stable, rows, record.receipt.seconds / len(record), len(record)), card


def _fitting(case: Case, name: str, watch: _Watch) -> Case:
    """As many rows as fit the share, at what one row costs; a second look where the first, which compiles and loads, says no."""
    n = len(case)
    for _ in range(2):
        before = (watch.share.seconds, watch.share.rows_forward)
        _judged(case.take(case, n), name, watch)
        if (room := watch.room(before)) >= min(2, n):
            break
    step = next((step for step in (1, 2, 4, 8) if -(-n // step) <= room), n)
    few = case.take(case, step)
    if len(few) < min(2, n):
        raise _Spent(f"its share of the budget, {_share(watch)}, is not enough for two rows")
    return few


def _share(watch: _Watch) -> str:
    b = watch.share.budget
    parts = [] if b.seconds is None else [f"{b.seconds:.2g} seconds"]
    return " and ".join([*parts, *([] if b.rows is None else [f"{b.rows:,} model rows"])])


def _judged(case: Case, name: str, watch: _Watch) -> tuple[Attribution, Scorecard]:
    """The method with its defaults, and what the judges say."""
    return explained_and_judged(
        case.model,
        case.x,
        resolve(name)(),
        JUDGES,
        target=case.target,
        background=case.background,
        masker=case.masker,
        names=case.names,
        extra=case.extra,
        progress=watch,
    )


def _faithfulness(card: Scorecard) -> tuple[float, float, float]:
    """The mean advantage over a random order in deletion and insertion, with its interval over rows that have a pattern."""
    curves = [curve for curve in card.curves if curve.chance is not None]
    if not curves:
        return np.nan, np.nan, np.nan
    each = np.mean([curve.advantage for curve in curves], axis=0)
    flat = np.zeros(len(each), bool) if curves[0].degenerate is None else curves[0].degenerate
    return interval(each[np.isfinite(each) & ~flat])


def on_front(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials with those marked that no other dominates; a number that is missing counts as the worst."""
    table = np.array([(t.faithfulness, t.stability, -t.rows) for t in trials]).reshape(-1, 3)
    table = np.where(np.isnan(table), -np.inf, table)
    unit = ROUNDING * np.abs(np.where(np.isfinite(table), table, 0)).max(axis=0, initial=0)
    table = np.where(
        unit > 0, np.round(table / np.where(unit > 0, unit, 1)), table
    )  # the arithmetic's own noise is no difference
    as_good, better = (op(table[:, None], table[None]) for op in (np.greater_equal, np.greater))
    dominated = (as_good.all(axis=2) & better.any(axis=2)).any(axis=0)
    return tuple(replace(trial, front=not beaten) for trial, beaten in zip(trials, dominated, strict=True))
