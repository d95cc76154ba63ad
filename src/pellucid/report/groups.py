"""How well a model does in each group of its rows: a column of the frame, or one value a row."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.frames import is_frame
from pellucid.report.intervals import wilson
from pellucid.report.subject import Subject

MOST = 12  # groups


def compare(subject: Subject, X: Any, by: Any) -> tuple[dict[str, Any], ...]:
    """One dict a group, the largest first: rows, right answers with their interval, and the same for all other rows."""
    if by is None:
        return ()
    if subject.truth is None:
        raise InputError("by= compares how well the model does in groups, which needs the true answers: pass y.")
    if subject.task == "regression":
        raise InputError("by= compares shares of right classes; this model gives numbers.")
    values = _values(X, by)[subject.numbers]
    named, counts = np.unique(values.astype(str), return_counts=True)
    if len(named) > MOST:
        raise InputError(f"by= makes {len(named)} groups, more than {MOST}: bin the values first.")
    right = ~subject.wrong
    order = np.argsort(-counts, kind="stable")
    return tuple(_group(str(named[i]), right, values.astype(str) == named[i]) for i in order)


def _group(name: str, right: np.ndarray, inside: np.ndarray) -> dict[str, Any]:
    return {"group": name, **_rate(right[inside]), "others": _rate(right[~inside])}


def _rate(right: np.ndarray) -> dict[str, Any]:
    n, hits = len(right), int(right.sum())
    if n == 0:
        return {"rows": 0, "right": None, "low": None, "high": None}
    low, high = wilson(hits, n)
    return {"rows": n, "right": hits / n, "low": low, "high": high}


def _values(X: Any, by: Any) -> np.ndarray:
    """(n,) the group of each row of X"""
    if isinstance(by, str):
        if not is_frame(X) or by not in X.columns:
            raise InputError(f"by={by!r} is no column of X: name one of its columns, or give one value a row.")
        return np.asarray(nw.from_native(X, eager_only=True)[by].to_numpy())
    values = np.asarray(by).reshape(-1)
    if len(values) != len(X):
        raise InputError(f"by= has {len(values)} values for {len(X)} rows: give one a row.")
    return values
