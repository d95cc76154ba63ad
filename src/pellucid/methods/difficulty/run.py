"""The engine of `hardest`: class probabilities, a method's number per row, and the errors where the truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.difficulty import Difficulty
from pellucid.core.errors import InputError, MethodError
from pellucid.methods.difficulty.base import DifficultyMethod, Hard, probabilities
from pellucid.methods.difficulty.disagreement import Disagreement
from pellucid.methods.difficulty.smallest_margin import SmallestMargin
from pellucid.models.prepare import Prepared, prepare


def hardest(
    model: Any,
    X: Any,
    method: Any = None,
    *,
    y: Any = None,
    background: Any = None,
    batch_size: int | None = None,
) -> Difficulty:
    """See `pellucid.api.hardest`."""
    chosen, meter = as_method(method), Meter()
    models = list(model) if isinstance(model, list | tuple) else [model]
    if not models:
        raise MethodError("hardest got an empty list of models: give one model or several.")
    opened = [prepare(one, X, batch_size=batch_size) for one in models]
    with _sessions(opened):
        each = [probabilities(ready, meter) for ready in opened]
        if len({p.shape for p in each}) > 1:
            raise InputError(
                f"the models have {', '.join(str(p.shape[1]) for p in each)} classes: they must have the same."
            )
        mean = np.mean(each, axis=0)
        if len(models) > 1 and isinstance(chosen, Disagreement):
            scores, notes = chosen.between(each)
        else:
            scores, notes = chosen.difficulty(Hard(models[0], X, opened[0], mean, background, meter))
    predicted = _named(mean.argmax(axis=1), opened[0].adapter.classes)
    return Difficulty(
        scores=scores,
        predicted=predicted,
        wrong=None if y is None else _wrong(y, predicted, opened[0].adapter.classes),
        method=chosen,
        receipt=receipt(chosen, meter, packages=opened[0].adapter.packages, notes=notes),
    )


def as_method(method: Any) -> DifficultyMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = SmallestMargin if method is None else method
    says = "finds no hard rows: give SmallestMargin(), Disagreement() or FarFromPrototypes()."
    made: DifficultyMethod = spelling.as_value(given, (DifficultyMethod,), says)
    return made


@contextlib.contextmanager
def _sessions(opened: list[Prepared]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for ready in opened:
            stack.enter_context(ready.adapter.session())
        yield


def _named(columns: np.ndarray, classes: Sequence[Any] | None) -> np.ndarray:
    return columns if classes is None else np.asarray(classes)[columns]


def _wrong(y: Any, predicted: np.ndarray, classes: Sequence[Any] | None) -> np.ndarray:
    truth = np.asarray(y)
    if truth.shape != predicted.shape:
        raise InputError(f"y has shape {truth.shape}: expected {predicted.shape}, the true class of each row.")
    if classes is None and truth.dtype.kind not in "iufb":
        raise InputError(
            f"y holds {truth[0]!r}, and the model numbers its classes: give the columns of its output, 0, 1 and so on."
        )
    unknown = [] if classes is None else sorted({str(label) for label in truth.tolist()} - {str(c) for c in classes})
    if unknown:
        raise InputError(
            f"y holds {unknown[0]!r}, which is no class of the model: it has {', '.join(map(str, classes or ()))}."
        )
    return np.asarray(truth != predicted)
