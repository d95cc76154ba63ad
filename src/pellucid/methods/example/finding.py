"""The engine of `prototypes`: rows become points, a kernel is bound to them, and a method picks."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.examples import Examples
from pellucid.methods.example.base import Progress, PrototypeMethod
from pellucid.methods.example.kernels import Bound, Precomputed, Within
from pellucid.methods.example.mmd_critic import MMDCritic
from pellucid.methods.example.points import as_points, repeated


def prototypes(
    X: Any, method: PrototypeMethod | str | None = None, *, labels: Any = None, progress: Progress | None = None
) -> Examples:
    """See `pellucid.api.prototypes`."""
    chosen, meter, (points,) = as_method(method), Meter(), as_points(X)
    known = None if labels is None else _labels(labels, len(points))
    if chosen.per_class and known is None:
        raise MethodError(f"{chosen!r} picks rows for each class: give labels=, one a row.")
    kernel = chosen.kernel.bind(points)
    found = chosen.find(Within(kernel, known) if chosen.per_class and known is not None else kernel, progress)
    nearest = _nearest(kernel, found.indices)
    meter.add()
    return Examples(
        indices=found.indices,
        weights=found.weights,
        curve=found.curve,
        measure="squared discrepancy",
        criticisms=found.criticisms,
        witness=found.witness,
        nearest=nearest,
        accuracy=None if known is None else _accuracy(known, found.indices, nearest),
        labels=None if labels is None else np.asarray(labels),
        method=chosen,
        receipt=receipt(chosen, meter, warnings=(*found.warnings, *_doubts(chosen, points))),
    )


def as_method(method: Any) -> PrototypeMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = MMDCritic if method is None else method
    says = "picks no prototypes: give MMDCritic(prototypes=10, criticisms=5) or ProtoDash(prototypes=10)."
    made: PrototypeMethod = spelling.as_value(given, (PrototypeMethod,), says)
    return made


def _labels(labels: Any, n: int) -> np.ndarray:
    """one label a row -> (n,) whole numbers"""
    given = np.asarray(labels)
    if given.shape != (n,):
        raise InputError(f"labels have shape {given.shape}: expected ({n},), one for each row of X.")
    return np.unique(given, return_inverse=True)[1]


def _nearest(kernel: Bound, indices: np.ndarray) -> np.ndarray:
    """(n,) the position, among the prototypes, of the one that is nearest to each row in the kernel's own distance"""
    return np.asarray((kernel.diagonal[indices] - 2 * kernel.columns(indices)).argmin(axis=1))


def _accuracy(labels: np.ndarray, indices: np.ndarray, nearest: np.ndarray) -> float:
    """The share of the other rows whose nearest prototype has their label; NaN where there are none."""
    other = np.ones(len(labels), dtype=bool)
    other[indices] = False
    right = labels[indices][nearest] == labels
    return float(right[other].mean()) if other.any() else np.nan


def _doubts(method: PrototypeMethod, points: np.ndarray) -> list[str]:
    """What a reader must know of these rows."""
    twice = 0 if isinstance(method.kernel, Precomputed) else repeated(points)
    return [f"{twice} of {len(points)} rows equal another row"] if twice else []
