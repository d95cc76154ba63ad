"""Which metrics a user asked for, and whether they suit what else was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.core import spelling
from pellucid.core.errors import InputError, MethodError
from pellucid.metrics.base import Judge


def as_metrics(metrics: Any) -> tuple[Judge, ...]:
    """Metric values of what a user may give: values, spellings or classes, several or one."""
    given = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]
    made = [spelling.parse(metric) if isinstance(metric, str) else metric for metric in given]
    made = [metric() if isinstance(metric, type) and issubclass(metric, Judge) else metric for metric in made]
    for metric in made:
        if not isinstance(metric, Judge):
            raise MethodError(f"{metric!r} is no metric: give values such as Deletion() or Stability(trials=10).")
    if not made:
        raise InputError("evaluate needs at least one metric, and got none.")
    return tuple(made)


def all_of(metrics: tuple[Judge, ...], kind: type, record: str) -> tuple[Any, ...]:
    """The metrics, if all of them judge this kind of record; `record` names it with its article."""
    judges = tuple(metric for metric in metrics if isinstance(metric, kind))
    if len(judges) < len(metrics):
        other = next(metric for metric in metrics if not isinstance(metric, kind))
        raise MethodError(f"{type(other).__name__} judges another kind of record than {record}: see its card.")
    return judges


def names_of(values: Sequence[Any]) -> tuple[str, ...]:
    """Class names, spelled out where one stands twice."""
    names = [type(value).__name__ for value in values]
    return tuple(name if names.count(name) == 1 else repr(value) for name, value in zip(names, values, strict=True))


def check_used(metrics: tuple[Judge, ...], arguments: Mapping[str, Any]) -> None:
    """Refuse an argument that no metric of the list reads."""
    for name, value in arguments.items():
        if value is not None and not any(name in (*metric.card.takes, *metric.card.needs) for metric in metrics):
            raise MethodError(f"{name}= was given, and none of {', '.join(names_of(metrics))} reads it: leave it out.")
