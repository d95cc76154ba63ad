"""The judge of data influence: an `Influence` record, its queries and a way to train anew become a case, then a scorecard.

The sister of `run.py` for records that rank training rows: nothing is explained here, and no model is asked but those that are
trained anew.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.influence import Influence
from pellucid.core.scores import Curve, Scorecard
from pellucid.metrics.base import Judge, Reading
from pellucid.metrics.chosen import names_of
from pellucid.metrics.query_loss import losses
from pellucid.metrics.training import Training
from pellucid.metrics.verdict import line


class InfluenceMetric(Judge):
    """One number per query, of a ranking of training rows."""

    @abstractmethod
    def measure(self, case: InfluenceCase) -> Reading:
        """One number per query, whatever the other queries are."""


@dataclass(frozen=True, eq=False)
class InfluenceCase:
    """A ranking before the judge: q queries with labels, and the training of the model."""

    record: Influence
    queries: Any
    labels: np.ndarray
    training: Training
    meter: Meter

    def losses(self, rows: np.ndarray, seed: int) -> np.ndarray:
        """(q,) the queries' losses under a model trained on these rows."""
        return losses(self.training.on(rows, seed), self.queries, self.labels, self.meter)


def evaluate(
    model: Any,
    record: Influence,
    metrics: tuple[InfluenceMetric, ...],
    queries: Any,
    train: Any,
    retrain: Any,
    progress: Callable[[int], None] | None = None,
) -> Scorecard:
    """A scorecard of an Influence; queries and train are pairs (X, y)."""
    whole = Meter()
    case = _case(model, record, queries, train, retrain, whole)
    named = zip(metrics, names_of(metrics), strict=True)
    curves = tuple(_curve(metric, case, name, Meter(on_rows=progress)) for metric, name in named)
    for curve in curves:
        whole.absorb(curve.receipt)
    return Scorecard(
        lines=tuple(line(curve, metric.card) for curve, metric in zip(curves, metrics, strict=True)),
        curves=curves,
        method=record.receipt.method,
        receipt=receipt(metrics, whole),
    )


def _case(model: Any, record: Influence, queries: Any, train: Any, retrain: Any, meter: Meter) -> InfluenceCase:
    if train is None or retrain is None:
        raise MethodError(
            "influence is judged by training anew: pass train=(X, y), the rows that the model was trained on, and retrain=, a "
            "function (X, y) -> a new model."
        )
    training = Training.of(train, retrain, model)
    if record.scores.ndim != 2 or record.scores.shape[1] != training.rows:
        raise InputError(
            f"scores have shape {record.scores.shape}, and train has {training.rows} rows: one score a row."
        )
    if not len(record) or not np.isfinite(record.scores).all():
        raise InputError("the record has no query, or scores that are NaN or infinite: there is no ranking to judge.")
    X, y = _queries(record, queries)
    return InfluenceCase(record, X, y, training, meter)


def _queries(record: Influence, given: Any) -> tuple[Any, np.ndarray]:
    """The queries as the model takes them, and their true labels (q,)."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise InputError("influence is judged on its queries: pass truth=(X, y), the queries and their true labels.")
    X, y = given
    labels = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
    if labels.shape != (len(record),) or len(X) != len(record):
        raise InputError(
            f"{len(X)} queries with labels of shape {labels.shape}, and {len(record)} in the record: one each."
        )
    return X, labels


def _curve(metric: InfluenceMetric, case: InfluenceCase, name: str, meter: Meter) -> Curve:
    reading = metric.measure(InfluenceCase(case.record, case.queries, case.labels, case.training, meter))
    return Curve(
        metric=name,
        higher_is_better=metric.card.direction == "higher",
        value=reading.value,
        chance=reading.chance,
        reverse=reading.reverse,
        detail=reading.detail,
        labels=reading.labels,
        degenerate=np.ptp(case.record.scores, axis=1) == 0,
        receipt=receipt(metric, meter, warnings=reading.warnings),
    )
