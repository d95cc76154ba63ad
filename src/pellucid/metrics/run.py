"""The engine of every evaluation: a record and a model become a case, metrics read it, readings become a scorecard.

The scalar function is rebuilt from what the record holds (its data, schema, resolved target and scale), so records of other
libraries are judged by the same code as our own. What is given to `evaluate` beyond that only matters to metrics that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pellucid.core import frames
from pellucid.core.budget import Meter, Receipt, receipt
from pellucid.core.errors import InputError, MethodError, SpellingError
from pellucid.core.influence import Influence
from pellucid.core.inputs import plain_array
from pellucid.core.masking import Masker
from pellucid.core.method import GameMethod, Method, SurrogateMethod
from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Curve, Scorecard
from pellucid.core.target import Predicted, Target
from pellucid.methods.run import as_masker, as_method, explain
from pellucid.metrics import of_influence
from pellucid.metrics.base import Again, Case, Judge, Metric, refusal
from pellucid.metrics.beside import beside
from pellucid.metrics.chosen import all_of, as_metrics, check_used, names_of
from pellucid.metrics.completeness import Completeness
from pellucid.metrics.deletion import Deletion
from pellucid.metrics.insertion import Insertion
from pellucid.metrics.memo import Memo
from pellucid.metrics.of_influence import InfluenceMetric
from pellucid.metrics.stability import Stability
from pellucid.metrics.verdict import line
from pellucid.models.prepare import Prepared, prepare

_REPEAT = 0.01  # an explanation that differs by more than this share of its largest value is another explanation
DEFAULTS = (Deletion(), Insertion(), Stability(), Completeness())


def evaluate(
    model: Any,
    record: Attribution | Influence,
    metrics: Sequence[Judge | str] | Judge | str,
    *,
    method: Method | str | None = None,
    again: Again | None = None,
    truth: Any = None,
    train: tuple[Any, Any] | None = None,
    retrain: Callable[[Any, Any], Any] | None = None,
    background: Any = None,
    masker: Masker | str | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scorecard:
    """See `pellucid.api.evaluate`."""
    chosen = as_metrics(metrics)
    check_used(chosen, {"truth": truth, "train": train, "retrain": retrain})
    if isinstance(record, Influence):
        judges = all_of(chosen, InfluenceMetric, "an Influence")
        return of_influence.evaluate(model, record, judges, truth, train, retrain, progress)
    ways = _Ways(method, again, truth, background, as_masker(masker), extra, train, retrain, progress)
    return _evaluate(model, record, all_of(chosen, Metric, "an Attribution"), ways, fresh=False)


def compare(
    model: Any,
    x: Any,
    methods: Sequence[Method | str],
    *,
    metrics: Sequence[Metric | str] | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """See `pellucid.api.compare`. A metric that does not apply to a method's record is left out, which its receipt says.

    What a metric asks alike of all methods (random orders) is asked once: the first method's receipt has its cost, and the others'
    say so.
    """
    chosen = list(dict.fromkeys(as_method(method) for method in methods))
    if not chosen:
        raise InputError("compare needs at least one method, and got none.")
    judges = all_of(as_metrics(DEFAULTS if metrics is None else metrics), Metric, "an Attribution")
    ways = _Ways(None, None, None, background, as_masker(masker), extra, progress=progress)
    records: list[Attribution] = []
    for method in chosen:
        records.append(_Anew(ways, target, None if names is None else tuple(names))(model, x, method))
        target = target if records[0].target is None else records[0].target
    memos = {metric: Memo() for metric in judges}
    cards = [_evaluate(model, record, judges, replace(ways, memos=memos), fresh=True) for record in records]
    called = names_of(chosen)
    return beside(dict(zip(called, records, strict=True)), dict(zip(called, cards, strict=True)))


def explained_and_judged(
    model: Any,
    x: Any,
    method: Method,
    metrics: tuple[Metric, ...],
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Attribution, Scorecard]:
    """One method on fresh rows, and its scorecard by the metrics that apply; `progress` is told of every model call."""
    ways = _Ways(None, None, None, background, masker, extra, progress=progress)
    record = _Anew(ways, target, None if names is None else tuple(names))(model, x, method)
    return record, _evaluate(model, record, metrics, ways, fresh=True)


@dataclass(frozen=True, eq=False)
class _Ways:
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

    def take(self, done: np.ndarray) -> _Ways:
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
class _Anew:
    """`explain` with everything fixed but model, rows and method."""

    ways: _Ways
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

    def of(self, rows: np.ndarray) -> _Anew:
        """The same for a selection of the rows, which may repeat."""
        target = self.target.take(rows) if isinstance(self.target, Target) else self.target
        extra = {name: plain_array(value)[rows] for name, value in (self.ways.extra or {}).items()}
        masker = None if self.ways.masker is None else self.ways.masker.of(rows)
        return replace(self, target=target, ways=replace(self.ways, extra=extra or None, masker=masker))


@dataclass(frozen=True, eq=False)
class _Repeat:
    """A record's own method once more, of any model: what `Repeat` promises."""

    anew: _Anew
    method: Method

    def __call__(self, model: Any, x: Any) -> Attribution:
        return self.anew(model, x, self.method)

    def of(self, rows: np.ndarray) -> _Repeat:
        return replace(self, anew=self.anew.of(rows))

    def elsewhere(self) -> _Repeat:
        target = self.anew.target
        per_row = isinstance(getattr(target, "label", None), tuple)
        return replace(self, anew=replace(self.anew, target=Predicted(scale=target.scale))) if per_row else self

    def seeded(self, seed: int) -> _Repeat | None:
        known = getattr(self.method, "seed", None)
        return None if known is None else replace(self, method=replace(self.method, seed=seed))  # type: ignore[type-var]


def _evaluate(model: Any, record: Attribution, metrics: tuple[Metric, ...], ways: _Ways, *, fresh: bool) -> Scorecard:
    """A scorecard. Of a record that is fresh from the same ways, metrics that do not apply are left out and named."""
    done = _checked(record)
    record, ways = record[done], ways.take(done)
    ready = prepare(model, given(record), background=ways.background, names=_names(record), extra=ways.extra)
    meter = Meter(on_rows=ways.progress)
    with ready.adapter.session():
        case = _case(model, record, ready, ways, meter)
    refused = {metric: why for metric in metrics if (why := refusal(metric, case)) is not None}
    if refused and not fresh:
        raise MethodError(next(iter(refused.values())))
    judges = tuple(metric for metric in metrics if metric not in refused)
    warnings = list(refused.values()) if fresh else _doubts(case, judges)
    named = zip(judges, names_of(judges), strict=True)
    curves = [
        _curve(metric, replace(case, memo=ways.memos.get(metric)), name, done, Meter(on_rows=ways.progress))
        for metric, name in named
    ]
    for curve in curves:
        meter.absorb(curve.receipt)
    if not done.all():
        warnings.append(f"{int((~done).sum())} of {len(done)} rows are not done and were not judged")
    return Scorecard(
        lines=tuple(line(curve, metric.card) for curve, metric in zip(curves, judges, strict=True)),
        curves=tuple(curves),
        method=record.receipt.method,
        receipt=_receipt(judges, case, meter, warnings),
    )


def _checked(record: Any) -> np.ndarray:
    """(n,) which rows can be judged; refuses what is no finite explanation."""
    if not isinstance(record, Attribution):
        raise InputError(
            f"evaluate judges an Attribution, and got a {type(record).__name__}: "
            "Attribution.from_arrays(values, data=, target=) makes one of arrays."
        )
    if not record.done.any():
        raise InputError("no row of this record is done, so there is nothing to judge: explain with a larger budget.")
    bad = ~np.isfinite(record.values[record.done])
    if bad.any():
        raise InputError(
            f"the record's values are NaN or infinite in {int(bad.sum())} places: there is no map to judge."
        )
    if record.texts is None and record.data.ndim == 2 and record.players is not None and record.players.own is not None:
        raise InputError(
            "this record explains the cells of a sparse matrix, and metrics judge whole rows: explain x.toarray(), or a part of it."
        )
    if record.target is None and (record.receipt.target or "").startswith("Custom("):
        raise InputError(
            f"this record's target was a function, {record.receipt.target}, which no file keeps: "
            "put it back with dataclasses.replace(record, target=Custom(function))."
        )
    return record.done


def given(record: Attribution) -> Any:
    """The record's data as the user's own kind: a frame where it came as one, texts where it explains texts."""
    if record.texts is not None:
        return list(record.texts)
    return record.data if record.schema is None else frames.build(record.schema, record.data)


def _names(record: Attribution) -> tuple[str, ...] | None:
    return record.feature_names if record.data.ndim == 2 and record.schema is None else None


def _case(model: Any, record: Attribution, ready: Prepared, ways: _Ways, meter: Meter) -> Case:
    f, scores = ready.bind(record.target, meter)
    anew = _Anew(ways, f.pick.target, _names(record))
    again = _again(record, ways, anew)
    case = Case(record, f, scores, model, anew, again, ways.truth, ways.train, ways.retrain)
    _ = case.places  # refuses values that do not fit the data, whatever the metric
    return case


def _again(record: Attribution, ways: _Ways, anew: _Anew) -> Again | None:
    """How the record's own explanation is repeated: the user's function, else by method and masker as the receipt says."""
    if ways.again is not None:
        return ways.again
    method = ways.method if ways.method is not None else record.method
    if method is None:
        return None
    value = as_method(method)
    repeat = anew if ways.masker is not None else replace(anew, ways=replace(ways, masker=_own_masker(record)))
    return _Repeat(repeat, value)


def _own_masker(record: Attribution) -> Masker | None:
    try:
        return as_masker(record.receipt.masker)
    except SpellingError:  # a masker of the user's own
        return None


def _doubts(case: Case, metrics: tuple[Metric, ...]) -> list[str]:
    """Whether model, record and the way to explain anew belong together."""
    record, found = case.record, []
    known = np.isfinite(record.scores)
    off = np.abs(record.scores[known] - case.scores[known])
    if (off > 1e-3 * np.maximum(np.abs(case.scores[known]), 1)).any():
        found.append(
            f"the record's scores differ from this model's by up to {off.max():.3g}: another model, target, scale or data?"
        )
    if any("again" in metric.card.needs for metric in metrics):
        size = np.abs(record.values).max()
        apart = np.abs(case.explained(case.x) - record.values).max()
        if apart > _REPEAT * size:
            found.append(
                f"explaining the same rows again gives other values (by up to {apart:.3g}, the largest value being "
                f"{size:.3g}): give evaluate the background=, masker= and extra= that the record was made with."
            )
    return found


def _curve(metric: Metric, case: Case, name: str, done: np.ndarray, meter: Meter) -> Curve:
    """One metric on its own meter, back on all rows of the record.

    The model is frozen and in evaluation mode meanwhile, except where the caller's own code trains another one.
    """
    own = replace(case, f=replace(case.f, meter=meter))
    spared = 0 if case.memo is None else case.memo.spared
    with nullcontext() if "retrain" in metric.card.needs else case.f.adapter.session():
        reading = metric.measure(own)
    spared = 0 if case.memo is None else case.memo.spared - spared
    return Curve(
        metric=name,
        higher_is_better=metric.card.direction == "higher",
        value=_spread(reading.value, done),
        chance=_spread(reading.chance, done),
        reverse=_spread(reading.reverse, done),
        x=reading.x,
        curves=_spread(reading.curves, done),
        chance_curves=_spread(reading.chance_curves, done),
        reverse_curves=_spread(reading.reverse_curves, done),
        detail={key: _spread(value, done) for key, value in reading.detail.items()},
        labels=reading.labels,
        degenerate=_spread(case.degenerate, done),
        receipt=_receipt(metric, own, meter, reading.warnings, _spared(spared)),
    )


def _spared(rows: int) -> tuple[str, ...]:
    return (f"{rows:,} more model rows were asked for another method of the comparison already",) if rows else ()


def _spread(values: Any, done: np.ndarray) -> Any:
    """(done rows, ...) -> (n, ...), NaN (False) elsewhere."""
    if values is None or done.all():
        return values
    whole = np.full((len(done), *values.shape[1:]), False if values.dtype == bool else np.nan)
    whole[done] = values
    return whole


def _receipt(what: Any, case: Case, meter: Meter, warnings: Sequence[str], notes: tuple[str, ...] = ()) -> Receipt:
    return receipt(
        what,
        meter,
        packages=case.f.adapter.packages,
        target=repr(case.f.pick.target),
        scale=case.f.scale,
        warnings=tuple(warnings),
        notes=notes,
    )
