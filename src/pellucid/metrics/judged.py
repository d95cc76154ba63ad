"""What can be judged: a record's finite rows, its data as the user's own kind, and doubts about what belongs together."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pellucid.core import frames
from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.metrics.base import Case, Metric

_REPEAT = 0.01  # an explanation that differs by more than this share of its largest value is another explanation


def judgeable(record: Any) -> np.ndarray:
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


def seen(record: Attribution) -> Any:
    """The record's data as the model was fed them: a tensor if it was a network or a function of tensors."""
    torch = sys.modules.get("torch")
    tensors = torch is not None and "torch" in record.receipt.versions and record.data.dtype.kind in "fiub"
    return torch.tensor(record.data) if torch is not None and tensors else record.data


def names_given(record: Attribution) -> tuple[str, ...] | None:
    return record.feature_names if record.data.ndim == 2 and record.schema is None else None


def doubts(case: Case, metrics: tuple[Metric, ...]) -> list[str]:
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
