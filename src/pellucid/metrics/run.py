"""The engine of every evaluation: a record and a model become a case, metrics read it, readings become a scorecard.

The scalar function is rebuilt from what the record holds (its data, schema, resolved target and scale), so records of other
libraries are judged by the same code as our own. What is given to `evaluate` beyond that only matters to metrics that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.budget import Meter, Receipt, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.influence import Influence
from pellucid.core.masking import Masker
from pellucid.core.method import Method
from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Curve, Scorecard
from pellucid.methods.run import as_masker, as_method
from pellucid.metrics import of_influence
from pellucid.metrics.anew import Anew, Ways, repeating
from pellucid.metrics.base import Again, Case, Judge, Metric
from pellucid.metrics.beside import beside
from pellucid.metrics.chosen import all_of, as_metrics, check_used, names_of
from pellucid.metrics.completeness import Completeness
from pellucid.metrics.deletion import Deletion
from pellucid.metrics.insertion import Insertion
from pellucid.metrics.judged import doubts, given, judgeable, names_given, seen
from pellucid.metrics.memo import Memo
from pellucid.metrics.needs import refusal
from pellucid.metrics.of_influence import InfluenceMetric
from pellucid.metrics.stability import Stability
from pellucid.metrics.verdict import line
from pellucid.models.prepare import Prepared, as_network, prepare

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
    ways = Ways(method, again, truth, background, as_masker(masker), extra, train, retrain, progress)
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
    ways = Ways(None, None, None, background, as_masker(masker), extra, progress=progress)
    records: list[Attribution] = []
    for method in chosen:
        records.append(Anew(ways, target, None if names is None else tuple(names))(model, x, method))
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
    ways = Ways(None, None, None, background, masker, extra, progress=progress)
    record = Anew(ways, target, None if names is None else tuple(names))(model, x, method)
    return record, _evaluate(model, record, metrics, ways, fresh=True)


def _evaluate(model: Any, record: Attribution, metrics: tuple[Metric, ...], ways: Ways, *, fresh: bool) -> Scorecard:
    """A scorecard. Of a record that is fresh from the same ways, metrics that do not apply are left out and named."""
    done = judgeable(record)
    record, ways = record[done], ways.take(done)
    model = as_network(model, seen(record), ways.extra)
    ready = prepare(model, given(record), background=ways.background, names=names_given(record), extra=ways.extra)
    meter = Meter(on_rows=ways.progress)
    with ready.adapter.session():
        case = _case(model, record, ready, ways, meter)
    refused = {metric: why for metric in metrics if (why := refusal(metric, case)) is not None}
    if refused and not fresh:
        raise MethodError(next(iter(refused.values())))
    judges = tuple(metric for metric in metrics if metric not in refused)
    warnings = list(refused.values()) if fresh else doubts(case, judges)
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


def _case(model: Any, record: Attribution, ready: Prepared, ways: Ways, meter: Meter) -> Case:
    f, scores = ready.bind(record.target, meter)
    anew = Anew(ways, f.pick.target, names_given(record))
    again = repeating(record, ways, anew)
    case = Case(record, f, scores, model, anew, again, ways.truth, ways.train, ways.retrain)
    _ = case.places  # refuses values that do not fit the data, whatever the metric
    return case


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
