"""How well a model does in each group of its rows: a column of the frame, or one value a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from scipy.special import stdtrit

from pellucid.core.errors import InputError
from pellucid.core.frames import is_frame
from pellucid.core.intervals import wilson
from pellucid.report.subject import Subject

MOST = 12  # groups
SMALL = 30  # rows below which a group is said to be small


def of_rows(subject: Subject, X: Any, by: Any) -> np.ndarray | None:
    """(n,) the name of each looked-at row's group; None where nobody asks for groups."""
    if by is None:
        return None
    values = _values(X, by)[subject.numbers].astype(str)
    if (count := len(np.unique(values))) > MOST:
        raise InputError(f"by= makes {count} groups, more than {MOST}: bin the values first.")
    return values


def compare(subject: Subject, group_of: np.ndarray | None) -> tuple[dict[str, Any], ...]:
    """One dict a group, the largest first: rows, right answers (or the mean error) with an interval, and of all other rows."""
    if group_of is None:
        return ()
    if subject.truth is None:
        raise InputError("by= compares how well the model does in groups, which needs the true answers: pass y.")
    named, counts = np.unique(group_of, return_counts=True)
    tell: Callable[[np.ndarray], dict[str, Any]]
    if subject.task == "classification":
        measured, tell = ~subject.wrong, _rate
    else:
        measured, tell = np.abs(subject.predicted - subject.truth), _error
    order = np.argsort(-counts, kind="stable")
    return tuple(_group(str(named[i]), measured, group_of == named[i], tell) for i in order)


def _group(name: str, measured: np.ndarray, inside: np.ndarray, tell: Any) -> dict[str, Any]:
    here = tell(measured[inside])
    return {"group": name, **here, "small": here["rows"] < SMALL, "others": tell(measured[~inside])}


def _rate(right: np.ndarray) -> dict[str, Any]:
    n, hits = len(right), int(right.sum())
    if n == 0:
        return {"rows": 0, "right": None, "low": None, "high": None}
    low, high = wilson(hits, n)
    return {"rows": n, "right": hits / n, "low": low, "high": high}


def _error(off: np.ndarray) -> dict[str, Any]:
    """The mean absolute error, with Student's interval over rows."""
    n = len(off)
    if n < 2:
        return {"rows": n, "error": float(off.mean()) if n else None, "low": None, "high": None}
    mean, half = float(off.mean()), float(stdtrit(n - 1, 0.975) * off.std(ddof=1) / np.sqrt(n))
    return {"rows": n, "error": mean, "low": mean - half, "high": mean + half}


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
