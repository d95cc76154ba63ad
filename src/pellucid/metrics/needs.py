"""What a metric's card says that it needs, and whether a case has it: every refusal names the need and its remedy."""

from __future__ import annotations

import numpy as np

from pellucid.metrics.base import Case, Metric, Need, Repeat


def refusal(metric: Metric, case: Case) -> str | None:
    """Why a metric says nothing of a case, with the remedy; None where it applies."""
    name = type(metric).__name__
    if case.record.texts is not None and not metric.card.texts:
        return f"{name} works on numbers, and this record explains texts: judge it by Deletion(), Insertion() or Completeness()."
    return next((said for need in metric.card.needs if (said := _lacking(name, need, case)) is not None), None)


def _lacking(name: str, need: Need, case: Case) -> str | None:
    """What a case lacks of a need, with the remedy."""
    kind, method = case.f.adapter.kind, case.record.receipt.method
    lacks, said = {
        "again": (
            case.again is None,
            "explains anew, and this record does not know by which method: pass again=, a function (model, x) -> Attribution, "
            "or method=.",
        ),
        "base values": (
            not np.isfinite(case.record.base_values).all(),
            f"needs base_values, and this record ({method}) has none: it applies to methods that add up, such as "
            "IntegratedGradients() or KernelShap(), and to from_arrays(..., base_values=).",
        ),
        "network": (
            kind != "torch",
            f"draws the weights of a network anew, and this model (kind: {kind}) has none that can be drawn: it applies to "
            "torch modules; DataRandomization() asks the like of any model that can be trained anew.",
        ),
        "truth": (
            case.truth is None,
            "needs to know where the answer is: pass truth=, masks (n, *space) of True and False, or boxes (n, boxes, axes, 2).",
        ),
        "train": (case.train is None, "trains the model anew: pass train=(X, y), the rows that it was trained on."),
        "lessons": (
            case.train is None,
            "teaches students on other rows: pass train=(X, None), rows that the record does not hold.",
        ),
        "retrain": (case.retrain is None, "trains the model anew: pass retrain=, a function (X, y) -> a new model."),
        "error bars": (
            not _has_error_bars(case),
            f"compares stated standard errors with other seeds, and this record ({method}) has no error bar or no seed to "
            "change: it applies to sampled methods of ours, such as KernelShap() or SmoothGrad().",
        ),
    }[need]
    return f"{name} {said}" if lacks else None


def _has_error_bars(case: Case) -> bool:
    """Whether the way to explain anew can be reseeded, and, where it is the record's own, states standard errors."""
    if not isinstance(case.again, Repeat) or case.again.seeded(0) is None:
        return False
    return case.record.stderr is not None or case.again.method != case.record.method
