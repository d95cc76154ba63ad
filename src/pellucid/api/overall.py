"""The model as a whole: what matters to it, how, for whom, and whether a simpler one would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pellucid.core.budget import Budget
from pellucid.core.cohort import Cohorts
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.effect import Effect
from pellucid.core.examples import Examples
from pellucid.core.masking import Masker
from pellucid.core.records import Attribution, Importance
from pellucid.core.rivals import Rivals


def importance(
    model: Any,
    X: Any,
    y: Any = None,
    method: Any = None,
    *,
    metric: Any = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
) -> Importance:
    """What matters overall? Larger = more important, whether the metric is a score or a loss.

    Parameters
    ----------
    X : (n, p) rows that the model was not trained on; y : (n,) or (n, k) their true labels or values.
    method : a method value or its spelling; None takes PermutationImportance. ShapImportance and FriedmanH need no y.
    metric : a scikit-learn scorer's name, or `(function(y, prediction), greater_is_better)`, where prediction is what an
        estimator predicts, or the outputs of a function or a network; None takes an estimator's accuracy or r2.
    groups : columns that count as one, `{name: [column, ...]}`; a column in no group stands alone, after them.
    target, background, masker : of the values that ShapImportance sums up, as in `explain`; FriedmanH takes a target.
    """
    from pellucid.methods.effect import run

    return run.importance(
        model, X, y, method, metric=metric, groups=groups, target=target, background=background, masker=masker
    )


def effect(
    model: Any,
    X: Any,
    feature: str | int | Sequence[str | int],
    method: Any = None,
    *,
    target: Any = None,
    grid: Any = None,
) -> Effect:
    """How does the score move with this column, or with these two?

    Parameters
    ----------
    X : (n, p) rows; the effect is the mean over all of them.
    feature : a column's name or number, or two of them for a surface.
    method : a method value or its spelling; None takes PartialDependence.
    target : an output column or class name; needed where the model has more than one output and is no binary classifier.
    grid : the values to go along, in the column's own terms; two lists for two columns. None follows the data; a column of
        free text has no such values, and is compared at texts that you name.
    """
    from pellucid.methods.effect import effecting

    return effecting.effect(model, X, feature, method, target=target, grid=grid)


def cohorts(verb: Callable[..., Any] | str, model: Any, X: Any, *arguments: Any, by: Any, **options: Any) -> Cohorts:
    """Does the answer differ between groups of rows? Any question about a table, asked of each group by itself.

    `pc.cohorts(pc.importance, model, X, y, by="sex")`, `pc.cohorts("effect", model, X, "age", by="race")`

    Parameters
    ----------
    verb : the question, or its name; it is handed model, the group's rows, then `arguments` and `options`. What has one
        entry a row (labels, targets) is split with the rows.
    by : a column of the frame X, or one label a row; numbers of many values are cut into quarters of the rows.
    """
    from pellucid.methods import cohorts as engine

    return engine.cohorts(verb, model, X, *arguments, by=by, options=options)


def rivals(model: Any, X: Any, y: Any, *, metric: Any = None, margin: float = 0.01, folds: int = 5) -> Rivals:
    """Would a simpler model do? A linear one and a small tree, cross-validated beside the model on the same folds.

    Parameters
    ----------
    model : an estimator or pipeline; it is cloned and fitted anew on each fold, and itself left alone.
    metric : a scikit-learn scorer's name, or `(function(y, prediction), greater_is_better)`; None takes accuracy or r2.
    margin : how far behind the model a simple one may be, in the metric's unit, and still be enough.
    """
    from pellucid.methods.glassbox import rivals as engine

    return engine.rivals(model, X, y, metric=metric, margin=margin, folds=folds)


def distill(
    model: Any,
    X: Any,
    into: Any = "tree",
    *,
    target: Any = None,
    fresh: float = 0.25,
    seed: int = 0,
    names: Sequence[str] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Any:
    """What would a model that can be read say in its place? An estimator fitted to the model's answers, with its fidelity.

    The estimator's `fidelity_` is a record: agreement (R² of scores) on fresh rows, and on rows mixed of two, with intervals.
    `model_card` puts what comes back on a page.

    Parameters ---------- X : (n, p) rows, a frame or an array; no labels are needed. into : "tree", "linear", "rules"
    (RuleList), "set" (DecisionSet), "points" (ScoringSystem), or an unfitted estimator. Classifiers
        learn the model's classes; regressors its scores.
    target : the number that a regressor learns; None takes the usual one.
    fresh : the share of the rows that is kept from the fit and measures fidelity.
    seed : of the split into fitted and fresh rows, and of the mixed ones.
    """
    from pellucid.methods.glassbox import distill as engine

    return engine.distill(
        model,
        X,
        into,
        target=target,
        fresh=fresh,
        seed=seed,
        names=names,
        budget=budget,
        batch_size=batch_size,
        progress=progress,
    )


def summarize(attribution: Attribution | Counterfactuals, method: Any = None) -> Examples:
    """Which few rows show what matters? Rows of any attribution, picked so that together they cover most of all importance.

    Counterfactuals are summed up by CounterfactualSummary(k=5, by=None): the changes that flip most rows, recourse by group.
    None takes SubmodularPick(k=5). `attribution[examples.indices]` are the explanations of the rows picked.
    """
    from pellucid.methods.example import run

    return run.summarize(attribution, method)
