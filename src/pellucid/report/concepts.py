"""Which concepts raise a network's answers: TCAV for the classes that it says most often, at the layer of class activation maps.

Only the reader of an audit can say what the concepts are, so the question is asked where examples of them are given. One of the
sets may be called "random": examples of anything, from which each concept is told; without it concepts are told from each other.
Tests hold together over all concepts and classes of an audit: the level of each class is divided by the number of classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.registry import resolve
from pellucid.core.target import Class
from pellucid.methods.concept.run import concepts
from pellucid.methods.concept.sets import as_examples
from pellucid.methods.concept.tcav import TCAV
from pellucid.methods.run import explain
from pellucid.report.subject import Subject

METHOD = TCAV()
RANDOM = "random"
_CLASSES, _FEWEST, _MOST = 3, 5, 100  # classes asked about; pictures of a class, at least and at most

Sets = Mapping[str, Any]


def checked(subject: Subject, given: Sets | None) -> None:
    """Refuse sets that cannot be told apart before anything is done."""
    if given is not None and applies(subject) is None:
        as_examples(*_parted(given), subject.x)


def spread(given: Sets | None) -> list[Any]:
    """Names and examples one after the other, nothing where there are none."""
    return [] if given is None else [part for name in sorted(given) for part in (name, given[name])]


def applies(subject: Subject) -> str | None:
    """Why concepts are not asked about; None where they are."""
    if subject.kind != "torch" or subject.shape == "table" or subject.task != "classification":
        kind = {"torch": "network"}.get(subject.kind, subject.kind)
        return f"it is made for networks that tell classes of pictures; this is {subject.task} of a {subject.shape} by a {kind}"
    return None if classes(subject) else f"no class is said of {_FEWEST} rows"


def classes(subject: Subject) -> list[int]:
    """The columns that are predicted most often."""
    columns, counts = np.unique(subject.predicted, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    asked = [int(columns[i]) for i in order if counts[i] >= _FEWEST]
    # a single number speaks for the second of two classes
    return asked[:_CLASSES] if subject.columns > 1 else [column for column in asked if column == 1]


def price(subject: Subject, given: Sets, column: int) -> float:
    """Model rows that one class costs."""
    return float(sum(len(rows) for rows in given.values()) + 2 * len(_rows(subject, column)) + 2)


def search(subject: Subject, given: Sets, column: int) -> ConceptScores:
    """The concepts' scores for one class, over rows that the network calls so."""
    rows = _rows(subject, column)
    target = Class(column) if subject.columns > 1 else None
    looked = explain(subject.model, subject.take(rows[:1]), resolve("GradCAM")(), target=target).receipt
    assert looked.layer is not None
    method = replace(METHOD, level=METHOD.level / len(classes(subject)))
    sets, random = _parted(given)
    x = subject.take(rows)
    made = concepts(subject.model, sets, method, layer=looked.layer, inputs=x, target=target, random=random)
    forward, backward = (
        getattr(looked, kind) + getattr(made.receipt, kind) for kind in ("rows_forward", "rows_backward")
    )
    return replace(made, receipt=replace(made.receipt, rows_forward=forward, rows_backward=backward))


def _parted(given: Sets) -> tuple[dict[str, Any], Any]:
    """The concepts, and the examples of anything."""
    return {str(name): rows for name, rows in given.items() if name != RANDOM}, given.get(RANDOM)


def _rows(subject: Subject, column: int) -> np.ndarray:
    """(m,) evenly spread rows that are called so"""
    ours = np.flatnonzero(subject.predicted == column)
    return ours[np.linspace(0, len(ours) - 1, min(len(ours), _MOST)).astype(int)]


def told(record: ConceptScores, called: str) -> list[dict[str, Any]]:
    """What a program reads: one line per concept."""
    return [
        {
            "class": called,
            "concept": name,
            "layer": record.layers[0],
            "score": record.scores[i, 0],
            "low": record.low[i, 0],
            "high": record.high[i, 0],
            "p": record.adjusted[i, 0],
            "significant": record.significant[i, 0],
            "told_apart": record.accuracy[i, 0],
            "not_reported": record.reasons[i][0] or None,
        }
        for i, name in enumerate(record.concepts)
    ]
