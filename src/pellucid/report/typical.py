"""Which rows stand for the data, and how well the model does around each: a few prototypes, and the rows they do not stand for.

Every row belongs to its nearest prototype. Where the model errs around one of them far more often than elsewhere, there is a kind
of row that it does badly on, which no column had to be named for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.examples import Examples
from pellucid.core.intervals import wilson
from pellucid.methods.example.finding import prototypes
from pellucid.methods.example.mmd_critic import MMDCritic
from pellucid.report import figures
from pellucid.report.subject import Subject

METHOD = MMDCritic(prototypes=6, criticisms=3)
FEWEST = 30  # rows that some of them can stand for
_RISK = 0.05  # that one of the intervals does not hold
MOST = 20_000_000  # numbers in all rows, of which copies are held


def applies(subject: Subject) -> str | None:
    """Why no rows are picked; None where they are."""
    if len(subject) < FEWEST:
        return f"a few rows stand for many, and there are {len(subject)}"
    if subject.x.size > MOST:
        return "the rows are too large to be compared with each other"
    return None


def search(subject: Subject) -> Examples:
    """Six rows that stand for the others, and three that they do not stand for."""
    known = subject.truth if subject.task == "classification" else None
    return prototypes(subject.X, METHOD, labels=known)


def told(subject: Subject, record: Examples) -> dict[str, Any]:
    """What a page and a program say of them: each prototype with the rows it stands for, then the criticisms."""
    return {
        "prototypes": [_prototype(subject, record, k) for k in range(len(record))],
        "criticisms": [_row(subject, int(row)) for row in (() if record.criticisms is None else record.criticisms)],
        "accuracy": record.accuracy,
        "pictures": subject.shape == "picture",
    }


def _prototype(subject: Subject, record: Examples, k: int) -> dict[str, Any]:
    assert record.nearest is not None
    around = record.nearest == k
    return {
        **_row(subject, int(record.indices[k])),
        "share": float(around.mean()),
        "rows": int(around.sum()),
        "worse": False,
        **_quality(subject, around, 1 - _RISK / len(record)),
    }


def _row(subject: Subject, row: int) -> dict[str, Any]:
    """A row by its number, what it is, what the model says of it, and its picture if it is one."""
    classes = subject.task == "classification"
    truth = None if subject.truth is None else subject.truth[row]
    return {
        "row": int(subject.numbers[row]),
        "predicted": subject.called(int(subject.predicted[row])) if classes else float(subject.predicted[row]),
        "truth": None if truth is None else subject.called(int(truth)) if classes else float(truth),
        "picture": figures.pixels(subject.x[row]) if subject.shape == "picture" else None,
    }


def _quality(subject: Subject, around: np.ndarray, level: float) -> dict[str, Any]:
    """The share of right answers among some rows, with an interval and that among the others; of numbers the mean error."""
    if subject.truth is None:
        return {}
    if subject.task == "regression":
        off = np.abs(subject.predicted - subject.truth)
        return {
            "error": float(off[around].mean()),
            "elsewhere": float(off[~around].mean()) if not around.all() else float(off.mean()),
        }
    low, high = wilson(int((~subject.wrong)[around].sum()), int(around.sum()), level)
    right = float(1 - subject.wrong[around].mean())
    others = float(1 - subject.wrong[~around].mean()) if not around.all() else right
    return {"right": right, "low": low, "high": high, "elsewhere": others, "worse": high < others}
