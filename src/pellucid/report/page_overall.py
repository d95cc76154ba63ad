"""The page's part on the model as a whole: simple models beside it, places and columns, groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.rivals import Rivals
from pellucid.report import figures
from pellucid.report.record import Audit, GroupTest, RegionTest
from pellucid.report.words import number, signed

_CLASSES = 6  # maps of places shown
_LEADING = 3  # columns of a group that are named


def simple(made: Rivals) -> dict[str, Any]:
    """The model beside simple ones, and the best of those that are good enough."""
    lines = [
        {
            "name": "a model like this one" if not i else name,
            "score": made.scores[i].mean(),
            "behind": None if not i else made.behind[i],
            "enough": bool(made.enough[i]) and i > 0,
            "rule": made.rules[i],
        }
        for i, name in enumerate(made.names)
    ]
    unit = {"r2": "R²"}.get(made.metric, made.metric)
    nearest = lines[1 + int(np.argmin(made.behind[1:, 0]))]
    return {
        "lines": lines,
        "nearest": nearest,
        "best": made.best,
        "unit": unit,
        "margin": made.margin,
        "folds": made.scores.shape[1],
        "stand_in": () if made.stand_in is None else made.stand_in.sentences(),
        "fidelity": None if made.fidelity is None else made.fidelity.sentence,
    }


def groups(audit: Audit) -> list[dict[str, Any]]:
    """How well the model does in each group, and what it goes by there."""
    test = audit.reasons
    said = {} if test is None else {name: _reasons(test, i) for i, name in enumerate(test.groups)}
    return [{**group, **said.get(group["group"], _UNSAID)} for group in audit.groups]


_UNSAID: dict[str, Any] = {"leading": "", "apart": []}


def _reasons(test: GroupTest, i: int) -> dict[str, Any]:
    order = np.argsort(-test.importance[i, :, 0], kind="stable")
    leading = ", ".join(f"{test.names[j]} {number(test.importance[i, j, 0])}" for j in order[:_LEADING])
    apart = [_apart(test, i, j) for j in order if test.differs[i, j]]
    return {"leading": leading, "apart": apart}


def _apart(test: GroupTest, i: int, j: int) -> str:
    away, low, high = test.difference[i, j]
    return f"{test.names[j]} {signed(away)} ({signed(low)} to {signed(high)})"


def columns(audit: Audit) -> dict[str, Any]:
    """What each column carries alone."""
    test = audit.columns
    assert test is not None
    known = bool(np.isfinite(test.share).all())
    return {"figure": figures.columns_alone(test) if known else None, "of_truth": test.of_truth}


def concepts(made: ConceptScores, called: str) -> dict[str, Any]:
    """Which concepts raise the score of one class."""
    return {
        "class": called,
        "layer": made.layers[0],
        "inputs": made.sensitivity.shape[2],
        "figure": figures.concepts(made),
        "words": made.words(),
        "warnings": made.receipt.warnings,
    }


def places(test: RegionTest) -> dict[str, Any]:
    """Suspicious classes first, then the most frequent."""
    order = sorted(range(len(test.names)), key=lambda i: not test.suspicious[i])
    shown = [
        {
            "name": test.names[i],
            "share": test.share[i, 0],
            "area": test.area[i],
            "contrast": test.contrast[i],
            "pasted": test.pasted[i, 0],
            "removed": test.removed[i, 0],
            "suspicious": bool(test.suspicious[i]),
            "figure": figures.places(test, i) if at < _CLASSES else None,
        }
        for at, i in enumerate(order)
    ]
    return {"classes": shown, "few": test.few, "skipped": test.skipped}
