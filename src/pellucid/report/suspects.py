"""Which labels of these rows are likely to be wrong, and a page on which to set them right.

An estimator is fitted anew without the row, so that no wrong label vouches for itself; any other model is asked for its own loss,
which is blind where it has learned the labels by heart.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.label_errors import LabelErrors
from pellucid.methods.label.base import LabelMethod
from pellucid.methods.label.largest_loss import LargestLoss
from pellucid.methods.label.left_out_loss import LeftOutLoss
from pellucid.methods.label.run import label_errors
from pellucid.report.relabel import relabel_page
from pellucid.report.subject import Subject

ANEW, AS_IT_IS = LeftOutLoss(folds=5), LargestLoss()
SHOWN, ON_PAGE = 8, 50
_DOUBTED = 0.05  # probability of the label at and below which the model contradicts it


def applies(subject: Subject) -> str | None:
    """Why no labels are looked at; None where they are."""
    if subject.truth is None:
        return "it needs the true answers: pass y"
    if subject.task != "classification":
        return f"labels are wrong or right; this is {subject.task}"
    return None


def search(subject: Subject, method: LabelMethod) -> LabelErrors:
    """The labels of the audited rows by how suspect they are, as the user wrote them."""
    assert subject.truth is not None and subject.labels is not None
    own = subject.kind == "estimator"
    names = subject.ready.inputs.form.names
    X = subject.X[list(names)] if hasattr(subject.X, "columns") and names else subject.X
    found = label_errors(subject.model, X, subject.labels if own else subject.truth, method)
    if own:
        return found
    written = [_written(subject, column) for column in range(len(subject.classes))]
    said = np.array([written[int(column)] for column in found.suggested])
    return replace(found, labels=np.array(subject.labels.tolist()), suggested=said, classes=tuple(written))


def _written(subject: Subject, column: int) -> Any:
    """A class as the user's answers write it; by its name where no answer is of it."""
    assert subject.truth is not None and subject.labels is not None
    of_it = subject.labels[subject.truth == column]
    return (
        of_it[0].item()
        if len(of_it) and hasattr(of_it[0], "item")
        else of_it[0]
        if len(of_it)
        else subject.called(column)
    )


def told(subject: Subject, record: LabelErrors, page: str | None) -> dict[str, Any]:
    """What a page and a program say: how many the model contradicts, and the most suspect of them."""
    contradicted = (record.support <= _DOUBTED) & (record.labels != record.suggested)
    return {
        "method": record.receipt.method,
        "anew": isinstance(record.method, LeftOutLoss),
        "labels": len(record),
        "contradicted": int(contradicted.sum()),
        "doubted": _DOUBTED,
        "page": page,
        "first": [
            {
                "row": int(subject.numbers[row]),
                "label": str(record.labels[row]),
                "suggested": str(record.suggested[row]),
                "confidence": float(record.confidence[row]),
                "support": float(record.support[row]),
            }
            for row in record.order[:SHOWN]
        ],
    }


def page_of(subject: Subject, record: LabelErrors, folder: Path | None, part: str) -> str | None:
    """Write the page beside the audit's, where the rows are all that the user has; its name."""
    if folder is None or len(subject) != subject.given:
        return None
    name = f"labels{f'-{part}' if part else ''}.html"
    folder.mkdir(parents=True, exist_ok=True)
    rows = subject.X if hasattr(subject.X, "columns") else subject.x
    relabel_page(record, folder / name, rows, k=ON_PAGE, names=subject.ready.inputs.form.names)
    return name
