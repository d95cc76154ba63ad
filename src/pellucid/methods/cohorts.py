"""The engine of `cohorts`: split the rows, ask, and keep the answers side by side.

What has one entry a row (labels, targets) is split with the rows; everything else is the same for all groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Receipt
from pellucid.core.cohort import Cohorts
from pellucid.core.errors import InputError, PellucidError
from pellucid.core.frames import is_frame
from pellucid.core.inputs import take_rows
from pellucid.core.records import Record
from pellucid.core.registry import VERBS, resolve

_DISTINCT = 10  # numbers with more values than this are cut into quarters
_LARGEST = 50  # groups


@dataclass(frozen=True, eq=False)
class Groups:
    """Names of groups, and which rows belong to each."""

    by: str
    names: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    warnings: tuple[str, ...] = ()


def cohorts(
    verb: Callable[..., Any] | str, model: Any, X: Any, *rest: Any, by: Any, options: Mapping[str, Any]
) -> Cohorts:
    """See `pellucid.api.cohorts`."""
    ask, groups = _verb(verb), grouped(X, by)
    found = []
    for name, rows in zip(groups.names, groups.rows, strict=True):
        share = [_split(value, rows, len(X)) for value in (X, *rest)]
        chosen = {key: _split(value, rows, len(X)) for key, value in options.items()}
        try:
            found.append(ask(model, *share, **chosen))
        except PellucidError as error:
            raise type(error)(
                f"in the group {name!r} of {groups.by!r} ({len(rows)} of {len(X)} rows): {error}"
            ) from error
    said = [f"{name}: {text}" for name, one in zip(groups.names, found, strict=True) for text in _warnings(one)]
    return Cohorts(
        by=groups.by,
        names=groups.names,
        rows=np.array([len(rows) for rows in groups.rows]),
        records=tuple(found),
        receipt=Receipt(method=f"cohorts({getattr(ask, '__name__', ask)})", warnings=(*groups.warnings, *said)),
    )


def grouped(X: Any, by: Any) -> Groups:
    """The groups of rows by a frame's column, or by one label a row."""
    if isinstance(by, str):
        if not is_frame(X):
            raise InputError(f"by={by!r} names a column, and X is no frame: give one label a row.")
        if by not in list(X.columns):
            raise InputError(f"the frame has no column {by!r}; it has {', '.join(map(str, list(X.columns)[:20]))}.")
        name, labels = by, np.asarray(X[by])
    else:
        name, labels = getattr(by, "name", None) or "group", np.asarray(by)
    if labels.ndim != 1 or len(labels) != len(X):
        raise InputError(f"by has shape {labels.shape} for {len(X)} rows: give one label a row, or a column's name.")
    missing = np.array([value is None or value != value for value in labels.tolist()])
    if missing.all():
        raise InputError(f"no row has a value of {name!r}, so there is no group: give labels that are there.")
    named = _named(labels, missing)
    names = _in_order(labels, named, missing)
    if len(names) > _LARGEST:
        raise InputError(f"{name!r} has {len(names)} values: groups are at most {_LARGEST}; give coarser labels.")
    rows = tuple(np.flatnonzero((named == text) & ~missing) for text in names)
    left = int(missing.sum())
    said = (f"{left} of {len(labels)} rows have no value of {name!r} and are in no group",) if left else ()
    return Groups(str(name), tuple(names), rows, said)


def _named(labels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """(n,) the group's name of each row: its value, or the quarter of the rows that a number lies in."""
    if labels.dtype.kind not in "fiu" or len(np.unique(labels[~missing])) <= _DISTINCT:
        return np.array([_text(value) for value in labels.tolist()], dtype=object)
    edges = np.unique(np.quantile(labels[~missing], [0, 0.25, 0.5, 0.75, 1]))
    place = np.clip(np.searchsorted(edges, labels, side="left") - 1, 0, len(edges) - 2)
    words = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    return np.array([words[i] for i in place], dtype=object)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_order(labels: np.ndarray, named: np.ndarray, missing: np.ndarray) -> list[str]:
    """Names in the order of their values where these have one, else of appearance."""
    values, names = labels[~missing], named[~missing]
    try:
        order = np.argsort(values, kind="stable")
    except TypeError:
        order = np.arange(len(values))
    return list(dict.fromkeys(names[order].tolist()))


def _split(value: Any, rows: np.ndarray, n: int) -> Any:
    """The group's part of what has one entry a row; anything else as it is."""
    if is_frame(value):
        return take_rows(value, rows)
    if isinstance(value, str | tuple | dict | Record) or not hasattr(value, "__len__") or len(value) != n:
        return value
    return take_rows(value, rows)


def _verb(verb: Callable[..., Any] | str) -> Callable[..., Any]:
    if isinstance(verb, str):
        if verb not in VERBS:
            raise InputError(f"{verb!r} is no verb of pellucid: give one of {', '.join(VERBS)}.")
        return resolve(verb)
    if not callable(verb):
        raise InputError(f"{verb!r} is no verb: give pellucid.importance, pellucid.effect or another, or its name.")
    return verb


def _warnings(record: Any) -> tuple[str, ...]:
    return getattr(getattr(record, "receipt", None), "warnings", ())
