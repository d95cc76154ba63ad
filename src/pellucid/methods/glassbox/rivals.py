"""Is the black box worth its darkness? Simple models, cross-validated on the same folds.

Rudin, "Stop explaining black box machine learning models for high stakes decisions and use interpretable models instead"
(2019). Every model is fitted anew on each fold, the black box included, so that none has seen the rows that it is judged on.
Folds share training rows, so the variance of a mean difference d over k folds is (1/k + n_test / n_train) Var(d): Nadeau &
Bengio, "Inference for the generalization error" (2003), with Student's t of k - 1 degrees of freedom.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtrit

from pellucid.core.budget import Receipt
from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.rivals import Rivals
from pellucid.methods.effect.scoring import as_truth
from pellucid.methods.glassbox.simple import in_words, simple_models, texts_of
from pellucid.models.adapter import first_line


def rivals(model: Any, X: Any, y: Any, *, metric: Any = None, margin: float = 0.01, folds: int = 5) -> Rivals:
    """See `pellucid.api.rivals`."""
    from sklearn.base import clone, is_classifier

    if not hasattr(model, "get_params"):
        raise ModelError(
            f"a {type(model).__name__} cannot be fitted anew on each fold: rivals are for estimators of the scikit-learn kind."
        )
    truth, classifies = as_truth(y, len(X)), is_classifier(model)
    if margin < 0 or folds < 2 or len(truth) < 2 * folds:
        raise InputError(
            f"margin={margin}, folds={folds} on {len(truth)} rows: expected margin >= 0 and two rows a fold."
        )
    name, scorer = _scorer(metric, classifies)
    entrants = {"the model": clone(model), **simple_models(X, classifies)}
    scores = np.stack([_judged(entrant, X, truth, scorer, folds) for entrant in entrants.values()])
    behind = _behind(scores, folds)
    return Rivals(
        names=tuple(entrants),
        scores=scores,
        behind=behind,
        enough=behind[:, 2] <= margin,
        margin=margin,
        metric=name,
        rules=("", *(in_words(entrant.fit(X, truth)) for entrant in list(entrants.values())[1:])),
        receipt=Receipt(
            method=f"rivals(margin={margin}, folds={folds})",
            warnings=tuple(f"column {name!r} holds free text: the simple models go without it" for name in texts_of(X)),
        ),
    )


def _scorer(metric: Any, classifies: bool) -> tuple[str, Any]:
    from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

    chosen = metric or ("accuracy" if classifies else "r2")
    if isinstance(chosen, str):
        if chosen not in get_scorer_names():
            raise MethodError(
                f"metric {chosen!r} is no scorer of scikit-learn: see sklearn.metrics.get_scorer_names()."
            )
        return chosen, get_scorer(chosen)
    function, greater = chosen
    return getattr(function, "__name__", "metric"), make_scorer(function, greater_is_better=bool(greater))


def _judged(model: Any, X: Any, y: np.ndarray, scorer: Any, folds: int) -> np.ndarray:
    """(folds,) scores, the same folds for every model."""
    from sklearn.base import is_classifier
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

    kind = StratifiedKFold if is_classifier(model) and y.ndim == 1 else KFold
    split = kind(folds, shuffle=True, random_state=0)
    try:
        return np.asarray(cross_val_score(model, X, y, scoring=scorer, cv=split, error_score="raise"))
    except Exception as error:
        raise ModelError(
            f"cross-validating a {type(model).__name__} raised {first_line(error)} Check that it can be fitted on these rows and "
            "that y misses no value."
        ) from error


def _behind(scores: np.ndarray, folds: int) -> np.ndarray:
    """scores (k, folds), the model's first -> (k, 3): mean difference, low, high"""
    difference = scores[0] - scores
    reach = stdtrit(folds - 1, 0.975) * np.sqrt((1 / folds + 1 / (folds - 1)) * difference.var(axis=1, ddof=1))
    mean = difference.mean(axis=1)
    return np.stack([mean, mean - reach, mean + reach], axis=1)
