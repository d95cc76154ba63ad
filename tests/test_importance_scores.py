"""Scores of many tables at once: the scorer's own numbers, and the scorer itself wherever it would say something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from pellucid.methods.effect import scorers
from pellucid.methods.effect.scores import QUICK, Quick

PFI = pc.PermutationImportance
REGRESSION = ("r2", "neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error")


class Echo(RegressorMixin, BaseEstimator):
    """Says the next answers it was given; they count no rows."""

    def fit(self, X: Any, y: Any) -> Echo:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] ** 3 + X[:, 1]


class Sure(ClassifierMixin, BaseEstimator):
    """Probabilities of exactly 0 and 1, ties, and `classes` names."""

    def __init__(self, classes: tuple[Any, ...] = ("a", "b"), dtype: str = "float64") -> None:
        self.classes, self.dtype = classes, dtype

    def fit(self, X: Any, y: Any) -> Sure:
        self.classes_ = np.array(self.classes)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        raw = np.round(np.abs(X[:, : len(self.classes)]) * 2)
        raw[(raw == 0).all(axis=1)] = 1
        return (raw / raw.sum(axis=1, keepdims=True)).astype(self.dtype)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def table(n: int = 60) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 3))


def labels(X: np.ndarray, classes: tuple[Any, ...]) -> np.ndarray:
    return np.array(classes)[np.abs(X[:, : len(classes)] + 0.3).argmax(axis=1)]


def by_scorer(model: Any, X: np.ndarray, y: np.ndarray, metric: str, method: PFI) -> np.ndarray:
    """(p, repeats) drops by the plain loop over scikit-learn's scorer."""
    scorer, orders = get_scorer(metric), method.permutations(len(X), method.stream())
    drops = np.empty((X.shape[1], len(orders)))
    for j in range(X.shape[1]):
        for r, order in enumerate(orders):
            moved = X.copy()
            moved[:, j] = X[order, j]
            drops[j, r] = scorer(model, X, y) - scorer(model, moved, y)
    return drops


def cases() -> dict[str, tuple[str, Any, Any]]:
    two, three = ("a", "b"), (0, 1, 2)
    made: dict[str, tuple[str, Any, Any]] = {}
    for metric in REGRESSION:
        made[f"{metric}: linear"] = (metric, LinearRegression(), lambda X: X[:, 0] + np.sin(X[:, 2]))
        made[f"{metric}: whole numbers"] = (metric, Echo(), lambda X: np.rint(X[:, 0] * 3).astype(int))
    for metric in ("accuracy", "balanced_accuracy", "neg_log_loss", "roc_auc"):
        made[f"{metric}: words"] = (metric, Sure(two), lambda X: labels(X, two))
        made[f"{metric}: words as objects"] = (metric, Sure(two), lambda X: labels(X, two).astype(object))
        made[f"{metric}: numbers"] = (metric, LogisticRegression(), lambda X: labels(X, (0.0, 1.0)))
        made[f"{metric}: yes and no"] = (metric, DecisionTreeClassifier(max_depth=3), lambda X: X[:, 0] > 0)
        if metric != "roc_auc":
            made[f"{metric}: three"] = (metric, Sure(three), lambda X: labels(X, three))
    made["roc_auc: a margin"] = ("roc_auc", LinearSVC(), lambda X: labels(X, two))
    return made


CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_every_score_is_the_scorer_s_own(case: str, monkeypatch: pytest.MonkeyPatch):
    metric, model, truth = CASES[case]
    X = table()
    y = truth(X)
    asked: list[int] = []
    seen = scorers.Judge._by_scorer
    monkeypatch.setattr(scorers.Judge, "_by_scorer", lambda self, *given: asked.append(1) or seen(self, *given))
    made, method = pc.importance(model.fit(X, y), X, y, PFI(repeats=4), metric=metric), PFI(repeats=4)
    np.testing.assert_allclose(made.samples, by_scorer(model, X, y, metric, method), rtol=1e-12, atol=1e-13)
    assert len(asked) == 1  # the scorer was asked once, about the rows as they are


def test_probabilities_in_single_precision_are_kept_from_nought_by_their_own_rounding():
    X = table()
    model, y = Sure(("a", "b"), "float32").fit(X, None), labels(X, ("a", "b"))
    made = pc.importance(model, X, y, PFI(repeats=4), metric="neg_log_loss")
    np.testing.assert_allclose(made.samples, by_scorer(model, X, y, "neg_log_loss", PFI(repeats=4)), atol=1e-5)


def test_where_the_two_disagree_the_scorer_is_right(monkeypatch: pytest.MonkeyPatch):
    X = table()
    y = X[:, 0] + X[:, 1]
    model = LinearRegression().fit(X, y + X[:, 2] ** 2)
    right = pc.importance(model, X, y, metric="r2")
    monkeypatch.setitem(QUICK, "r2", Quick(lambda y: lambda f: np.full(len(f), 0.5)))
    np.testing.assert_array_equal(pc.importance(model, X, y, metric="r2").samples, right.samples)

    def fails(y: np.ndarray) -> Any:
        raise TypeError("only the scorer knows")

    monkeypatch.setitem(QUICK, "r2", Quick(fails))
    np.testing.assert_allclose(pc.importance(model, X, y, metric="r2").samples, right.samples, rtol=1e-12)


def test_a_constant_truth_and_several_outputs_are_the_scorer_s_business():
    X = table()
    model = LinearRegression().fit(X, X[:, 0])
    flat = np.ones(len(X))
    np.testing.assert_array_equal(
        pc.importance(model, X, flat, PFI(repeats=2), metric="r2").samples,
        by_scorer(model, X, flat, "r2", PFI(repeats=2)),
    )
    both = X[:, :2] @ np.array([[1.0, 2], [0, 1]])
    model = LinearRegression().fit(X, both + X[:, 2:] ** 2)
    np.testing.assert_allclose(
        pc.importance(model, X, both, PFI(repeats=2), metric="r2").samples,
        by_scorer(model, X, both, "r2", PFI(repeats=2)),
    )


class Breaks(Echo):
    """No number for some rows that only a shuffle makes."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.where(X[:, 0] + X[:, 1] > 0.5, np.nan, X[:, 0])


def test_answers_that_are_no_numbers_are_told_by_the_scorer():
    X = table()
    X[:, 1] = -X[:, 0]
    with pytest.raises(pc.ModelError, match=r"measuring 'r2'.*NaN"):
        pc.importance(Breaks().fit(X, None), X, X[:, 0], metric="r2")
