"""What an explanation is worth, which method to take, and what it will cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pellucid.core.advice import Advice
from pellucid.core.budget import Budget, Cost
from pellucid.core.influence import Influence
from pellucid.core.masking import Masker
from pellucid.core.method import Method
from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Scorecard


def evaluate(
    model: Any,
    record: Attribution | Influence,
    metrics: Sequence[Any],
    *,
    method: Method | str | None = None,
    again: Callable[[Any, Any], Attribution] | None = None,
    truth: Any = None,
    train: tuple[Any, Any] | None = None,
    retrain: Callable[[Any, Any], Any] | None = None,
    background: Any = None,
    masker: Masker | str | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scorecard:
    """Is this explanation any good? One line per metric, whoever computed the record.

    Parameters
    ----------
    metrics : metric values or their spellings, several or one; each metric's card says what it needs.
    again : `again(model, x) -> Attribution` explains anew, for metrics that need it; a record of ours knows its own method, and
        `method` names one for a record that does not.
    truth : what is known: where the answer is, as masks (n, *space) or boxes (n, boxes, axes, 2), or another explanation; of an
        Influence, its queries and their true labels (X, y).
    train, retrain : (X, y), and a function (X, y) -> a new model, for metrics that train anew.
    background, masker, extra, progress : as in `explain`.
    """
    from pellucid.metrics import run

    return run.evaluate(
        model,
        record,
        metrics,
        method=method,
        again=again,
        truth=truth,
        train=train,
        retrain=retrain,
        background=background,
        masker=masker,
        extra=extra,
        progress=progress,
    )


def compare(
    model: Any,
    x: Any,
    methods: Sequence[Method | str],
    *,
    metrics: Sequence[Any] | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Do the methods agree, and which does the evidence support?

    Every pair of methods is a `Dispute`: the rows that the two rank differently, what lies furthest apart there, and the paired
    difference of every metric that measures against chance, on exactly those rows.

    Parameters
    ----------
    methods : method values or their spellings, one target for all of them.
    metrics : metric values or their spellings; None takes Deletion, Insertion, Stability and Completeness, each where it applies.
        Random orders are the same for every method and asked once: the first one's receipt has their cost, and the others' say so.

    The rest is as in `explain`.
    """
    from pellucid.metrics import run

    return run.compare(
        model,
        x,
        methods,
        metrics=metrics,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        progress=progress,
    )


def advise(
    *,
    question: str | None = None,
    model: Any = None,
    x: Any = None,
    y: Any = None,
    access: str | Sequence[str] | None = None,
    modality: str | None = None,
    budget: Budget | float | str | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    margin: float = 0.01,
) -> Advice:
    """Which method should I use? A short list with reasons, from the methods' cards; with a model and rows, measured.

    Says first whether a model that needs no explaining is accurate enough.

    Parameters
    ----------
    question : a verb ("explain", "importance", "anchor", ...), "local" (one prediction) or "global" (the whole model), or a
        question in words; None takes "explain".
    model, x : what is to be explained, as in `explain`; candidates are tried on at most 16 of the rows.
    y : labels of x; an estimator is then cross-validated beside simple models, as `rivals` does within `margin`.
    access : what one may do with the model: "black box" (ask), "gradients", "inner layer", "structure" (read its trees), "training
        data", or several of them; None takes what the model at hand allows, without one anything.
    modality : "table", "image", "volume", "signal" or "text"; None takes that of x.
    budget : hard limits of all trials together: a Budget, seconds, or "60s". Without a model, `Budget(rows=)` is what a row may
        cost.

    The rest is as in `explain`.
    """
    from pellucid.metrics.advice import run

    return run.advise(
        question=question,
        model=model,
        x=x,
        y=y,
        access=access,
        modality=modality,
        budget=budget,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        margin=margin,
    )


def estimate(
    model: Any,
    x: Any,
    method: Method | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
    budget: Budget | float | str | None = None,
) -> Cost:
    """What would `explain` cost? Explains one row, then two, and extrapolates; `budget` only brings its clock.

    Of FriedmanH, which `importance` takes, it counts the model rows."""
    from pellucid.methods import estimating

    return estimating.estimate(
        model,
        x,
        method,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        batch_size=batch_size,
        budget=budget,
    )
