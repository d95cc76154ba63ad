"""The engine of `label_errors`: labels become columns of the model's output, a method suspects, and the truth judges it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError
from pellucid.core.label_errors import LabelErrors
from pellucid.methods.difficulty.base import probabilities
from pellucid.methods.label.base import Labelled, LabelMethod
from pellucid.methods.label.largest_loss import LargestLoss
from pellucid.models.prepare import prepare


def label_errors(
    model: Any,
    X: Any,
    y: Any,
    method: LabelMethod | str | None = None,
    *,
    truth: Any = None,
    trusted: Any = None,
    checkpoints: Any = None,
    batch_size: int | None = None,
) -> LabelErrors:
    """See `pellucid.api.label_errors`."""
    chosen, meter = as_method(method), Meter()
    ready = prepare(model, X, batch_size=batch_size)
    with ready.adapter.session():
        said = probabilities(ready, meter)
    classes, width = ready.adapter.classes, said.shape[1]
    labels = _labels(y, len(said), "y")
    columns = as_columns(labels, classes, width, "y")
    known = None if trusted is None else _trusted(trusted, classes, width)
    names = None if classes is None else tuple(classes)
    found = chosen.suspect(Labelled(model, X, labels, columns, said, names, known, checkpoints, meter))
    judged = said if found.probabilities is None else found.probabilities
    best, here = judged.argmax(axis=1), np.arange(len(judged))
    return LabelErrors(
        scores=np.asarray(found.scores, dtype=float),
        labels=labels,
        suggested=best if classes is None else np.asarray(classes)[best],
        confidence=judged[here, best],
        support=judged[here, columns],
        wrong=None if truth is None else np.asarray(labels != _labels(truth, len(labels), "truth")),
        classes=tuple(range(width)) if classes is None else tuple(np.asarray(classes).tolist()),
        method=chosen,
        receipt=receipt(chosen, meter, packages=ready.adapter.packages, warnings=found.warnings, notes=found.notes),
    )


def as_method(method: Any) -> LabelMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = LargestLoss if method is None else method
    says = "finds no label errors: give LargestLoss(), LeftOutLoss(), SelfInfluence() or Opponents()."
    made: LabelMethod = spelling.as_value(given, (LabelMethod,), says)
    return made


def as_columns(labels: np.ndarray, classes: Sequence[Any] | None, width: int, who: str) -> np.ndarray:
    """(n,) labels -> columns of the model's output"""
    if classes is None:
        whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and np.all(labels == np.rint(labels)))
        if not whole or labels.min() < 0 or labels.max() >= width:
            bad = labels[0] if not whole else labels[(labels < 0) | (labels >= width)][0]
            raise InputError(
                f"{who} holds {bad!r}, and the model numbers its classes: give the columns of its output, 0 to {width - 1}."
            )
        return labels.astype(int)
    place = {name: column for column, name in enumerate(np.asarray(classes).tolist())}
    unknown = [label for label in labels.tolist() if label not in place]
    if unknown:
        raise InputError(
            f"{who} holds {unknown[0]!r}, which is no class of the model: it has {', '.join(map(str, place))}."
        )
    return np.array([place[label] for label in labels.tolist()], dtype=int)


def _labels(given: Any, n: int, who: str) -> np.ndarray:
    made = given.detach().cpu() if hasattr(given, "detach") else given
    labels = np.array(np.asarray(made).tolist())
    if labels.shape != (n,):
        raise InputError(f"{who} has shape {labels.shape}: expected ({n},), one label for each row of X.")
    return labels


def _trusted(given: Any, classes: Sequence[Any] | None, width: int) -> tuple[Any, np.ndarray]:
    if not (isinstance(given, tuple | list) and len(given) == 2):
        raise InputError(f"trusted is a {type(given).__name__}: expected (X, y), rows and their labels.")
    X, y = given
    return X, as_columns(_labels(y, len(X), "the y of trusted"), classes, width, "the y of trusted")
