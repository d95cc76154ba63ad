"""Which rows to explain: the ends, the errors, and a spread; the same every time, and each with its reason."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from pellucid.report.subject import Subject, lead

Choice = tuple[int, str]


def choose(subject: Subject, count: int, first: Sequence[Choice] = ()) -> list[Choice]:
    """At most `count` different rows, `first` and then the most telling kinds, and why each was chosen."""
    candidates = _of_classes(subject) if subject.task == "classification" else _of_values(subject)
    chosen: dict[int, str] = {}
    for row, why in itertools.chain(first, candidates):
        if len(chosen) == count:
            break
        chosen.setdefault(int(row), why)
    return list(chosen.items())


def _of_classes(subject: Subject) -> Iterator[Choice]:
    sure = lead(subject.outputs, subject.predicted)
    yield int(sure.argmax()), "the most confident"
    yield int(sure.argmin()), "the least confident"
    wrong = np.flatnonzero(subject.wrong)
    yield from ((row, "wrong, and most confidently so") for row in wrong[np.argsort(-sure[wrong], kind="stable")][:2])
    columns, counts = np.unique(subject.predicted, return_counts=True)
    for column in columns[np.argsort(-counts, kind="stable")]:
        yield typical(subject, sure, int(column)), f"typical of those called {subject.called(int(column))}"
    yield from ((row, "one of an even spread of confidence") for row in _spread(sure))


def typical(subject: Subject, sure: np.ndarray, column: int) -> int:
    """The row of median confidence among those called this class."""
    rows = np.flatnonzero(subject.predicted == column)
    return int(rows[np.argsort(sure[rows], kind="stable")[len(rows) // 2]])


def _of_values(subject: Subject) -> Iterator[Choice]:
    said = subject.predicted
    yield int(said.argmax()), "the largest prediction"
    yield int(said.argmin()), "the smallest prediction"
    if subject.truth is not None:
        off = np.abs(said - subject.truth)
        yield from ((row, "furthest from the truth") for row in np.argsort(-off, kind="stable")[:2])
        yield int(off.argmin()), "closest to the truth"
    yield from ((row, "one of an even spread of predictions") for row in _spread(said))


def _spread(values: np.ndarray) -> list[int]:
    """Rows in the order middle, quarters, eighths ... of their values, so that any first few are evenly spread."""
    order, n = np.argsort(values, kind="stable"), len(values)
    parts = [(2 * i + 1) / 2**depth for depth in range(1, 8) for i in range(2 ** (depth - 1))]
    return [int(order[int(part * (n - 1))]) for part in parts] + order.tolist()
