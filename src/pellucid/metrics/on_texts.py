"""Metrics that hide, on texts: the parts of each text come and go, and the text is written anew.

Each text is a little table of its own, one row of ones over its players; 0 deletes a player, or puts the model's mask token in its
place. Texts have different numbers of players, so each is measured by itself and only its curve is put on a common axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.masking import Form
from pellucid.core.records import Attribution
from pellucid.core.text_maskers import NAMED, Spans, check_spots
from pellucid.metrics.base import Case, Reading
from pellucid.metrics.hiding import FILLS
from pellucid.models.adapter import BlackBox, Inputs


def on_texts(case: Case, fill: Any, measure: Callable[[Case], Reading]) -> Reading:
    """One reading of all texts; `measure` reads a case of one text, a table of one row. A text without parts has no number."""
    put = _put(fill, case)
    readings = [_one(case, row, put, measure) for row in range(len(case.record))]
    known = next((reading for reading in readings if reading is not None), None)
    if known is None:
        return Reading(np.full(len(readings), np.nan))
    return _joined([reading or _blank(known) for reading in readings])


def _blank(like: Reading) -> Reading:
    """Nothing to hide, nothing to say."""
    gone = {name: np.full_like(part, np.nan) for name in _ROWS if (part := getattr(like, name)) is not None}
    return replace(like, **gone, detail={name: np.full_like(part, np.nan) for name, part in like.detail.items()})


_AREAS, _CURVES = ("value", "chance", "reverse"), ("curves", "chance_curves", "reverse_curves")
_ROWS = (*_AREAS, *_CURVES)


def _joined(readings: list[Reading]) -> Reading:
    """Readings of one row each as one; curves on an axis that all of them have."""
    first, parts = readings[0], {}
    for name in _AREAS:
        if getattr(first, name) is not None:
            parts[name] = np.concatenate([getattr(reading, name) for reading in readings])
    if first.x is not None:
        axes = [_known(reading.x) for reading in readings]
        for name in _CURVES:
            parts["x"], parts[name] = on_common_axis(axes, [_known(getattr(reading, name))[0] for reading in readings])
    detail = {name: np.concatenate([reading.detail[name] for reading in readings]) for name in first.detail}
    warnings = tuple(dict.fromkeys(warning for reading in readings for warning in reading.warnings))
    return Reading(**parts, detail=detail, labels=first.labels, warnings=warnings)


def on_common_axis(axes: list[np.ndarray], curves: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """axes (s,) and curves (..., s), a row's each -> one axis (s,) and (n, ..., s), between the points by straight lines."""
    x = axes[0]
    if any(axis.shape != x.shape or (axis != x).any() for axis in axes):
        x = np.linspace(0, 1, max(map(len, axes)))
        curves = [
            np.array([np.interp(x, axis, line) for line in curve.reshape(-1, len(axis))]).reshape(*curve.shape[:-1], -1)
            for axis, curve in zip(axes, curves, strict=True)
        ]
    return x, np.stack(curves)


def _known(part: np.ndarray | None) -> np.ndarray:
    """A ranking curve's reading has all of them."""
    assert part is not None
    return part


def _put(fill: Any, case: Case) -> str:
    """What stands where a part is hidden."""
    form = case.f.inputs.form.text
    assert form is not None
    if isinstance(fill, str) and fill in form.fills:
        return form.fills[fill]
    if fill not in (None, *FILLS):
        raise MethodError(
            f"fill={fill!r} is for numbers; a hidden part of a text is deleted or masked: fill='delete' or 'mask'."
        )
    if fill in NAMED:
        raise MethodError(f"fill={fill!r}: this model knows none; delete hidden parts, fill='delete'.")
    if fill == "mask" and form.mask is None:
        raise MethodError("fill='mask': this model names no mask token of its own; delete hidden parts, fill='delete'.")
    return form.mask or "" if fill == "mask" else ""


def _one(case: Case, row: int, put: str, measure: Callable[[Case], Reading]) -> Reading | None:
    record, f = case.record[row], case.f.take(np.array([row]))
    bound, known = _bound(record, put, f.inputs.form)
    check_spots(bound.spans, f"fill={put or 'delete'!r}")
    if not len(known):  # nothing to hide
        return None
    assert record.players is not None
    names, values, _ = record.players.row(0)
    ones = np.ones((1, len(known)))
    told = Attribution(
        values=values[None, known],
        scores=record.scores,
        base_values=record.base_values,
        gap=record.gap,
        data=np.array([names], dtype=object)[:, known],
        done=record.done,
        receipt=record.receipt,
    )
    scalar = Presence(f.adapter, f.pick, f.scale, Inputs(ones), f.meter, f, bound)
    # the rows of ones are alike in all texts, so a memo could not tell the texts apart
    return measure(replace(case, record=told, f=scalar, scores=case.scores[row : row + 1], memo=None))


@dataclass(frozen=True, eq=False)
class Written:
    """A text of players that may stand in several places (groups), by the runs of their characters."""

    spans: Spans
    owner: np.ndarray  # (runs,) the player of each run

    def fill(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> texts (m, 1)"""
        return self.spans.fill(z[:, self.owner])[:, 0]


@dataclass(eq=False)
class Presence(BlackBox):
    """The number of one text as a function of which players are there: (*samples, 1, p) -> (*samples, 1)."""

    whole: BlackBox
    bound: Written

    def take(self, rows: slice | np.ndarray) -> Presence:
        return self

    def __call__(self, x: np.ndarray) -> np.ndarray:
        texts = self.bound.fill(x.reshape(-1, x.shape[-1]) > 0)
        return self.whole(texts).reshape(x.shape[:-1])


def _bound(record: Attribution, put: str, form: Form) -> tuple[Written, np.ndarray]:
    """One text with the players that have characters in it, and which players those are."""
    assert record.texts is not None and record.mask is not None and record.players is not None
    text, labels = record.texts[0], record.players.labels
    assert labels is not None
    runs, at = [], 0
    for player, run in groupby(labels[0, : len(text)].tolist()):
        start, at = at, at + len(list(run))
        if player >= 0:
            runs.append((player, start, at))
    known = np.unique([player for player, _, _ in runs]).astype(int)
    owner = np.searchsorted(known, [player for player, _, _ in runs])
    within = None if form.text is None else form.text.seen(text)  # the rest must not come into view
    spots = None if form.spots is None else form.spots[0]
    where = tuple((start, stop) for _, start, stop in runs)
    spans = Spans(text, where, np.ones(len(runs), dtype=bool), put, within, spots=spots)
    return Written(spans, owner), known
