"""What was audited, and how well it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.core.intervals import wilson
from pellucid.report.subject import Subject, sides


def facts(subject: Subject, held_out: bool | None) -> dict[str, Any]:
    """What was audited."""
    return {
        "kind": subject.kind,
        "model": type(subject.model).__name__,
        "input": subject.shape,
        "task": subject.task,
        "classes": list(subject.classes),
        "row_shape": list(subject.x.shape[1:]),
        "columns": list(subject.ready.inputs.form.names or ()),
        "rows_given": subject.given,
        "rows_looked_at": len(subject),
        "held_out": held_out,
        "scale": subject.scale,
    }


def performance(subject: Subject) -> dict[str, Any]:
    """How often the model is right, or how far off; empty without true answers."""
    if subject.truth is None:
        return {}
    return _of_values(subject, subject.truth) if subject.task == "regression" else _of_classes(subject, subject.truth)


def _of_classes(subject: Subject, truth: np.ndarray) -> dict[str, Any]:
    n, hits = len(subject), int((~subject.wrong).sum())
    counts = np.bincount(truth.astype(int), minlength=len(subject.classes))
    low, high = wilson(hits, n)
    return {
        "rows": n,
        "right": hits / n,
        "low": low,
        "high": high,
        "majority": float(counts.max() / n),
        "most_frequent": subject.called(int(counts.argmax())),
    }


def _of_values(subject: Subject, truth: np.ndarray) -> dict[str, Any]:
    off, spread = subject.predicted - truth, float(truth.var())
    r2 = 1 - float((off**2).mean()) / spread if spread else None
    return {"rows": len(subject), "r2": r2, "mean_absolute_error": float(np.abs(off).mean())}


def metric(subject: Subject) -> tuple[Callable[[np.ndarray, np.ndarray], float], bool] | None:
    """What importance measures: an estimator's own default; of functions and networks, accuracy or R²."""
    if subject.kind == "estimator":
        return None

    def accuracy(y: np.ndarray, outputs: np.ndarray) -> float:
        said = sides(outputs.reshape(len(y), -1), subject.threshold)
        return float((said.argmax(axis=1) == y).mean())

    def r2(y: np.ndarray, outputs: np.ndarray) -> float:
        return 1 - float(((outputs.reshape(len(y), -1)[:, 0] - y) ** 2).mean() / y.var())

    return (accuracy if subject.task == "classification" else r2), True


def answer(subject: Subject, row: int) -> dict[str, Any]:
    """What the model says of a row, and what is true."""
    known = subject.truth is not None
    if subject.task == "regression":
        truth = float(subject.truth[row]) if subject.truth is not None else None
        return {"predicted": float(subject.predicted[row]), "truth": truth, "wrong": None}
    return {
        "predicted": subject.called(int(subject.predicted[row])),
        "truth": subject.called(int(subject.truth[row])) if subject.truth is not None else None,
        "wrong": bool(subject.wrong[row]) if known else None,
    }
