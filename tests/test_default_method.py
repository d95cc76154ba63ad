"""What `explain` takes when nobody says: trees are read where the score is a sum of their leaves, else the model is asked."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import pellucid as pc

X, Y = load_breast_cancer(return_X_y=True)
X, ROWS, BACKGROUND = X[:, :5], X[:3, :5], X[50:70, :5]
FOREST = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, Y)


def name(record: pc.Attribution) -> str:
    return record.receipt.method.partition("(")[0]


def test_trees_are_read_and_the_values_are_what_asking_finds():
    record = pc.explain(FOREST, ROWS, background=BACKGROUND)
    assert name(record) == "TreeShap"
    np.testing.assert_allclose(
        record.values, pc.explain(FOREST, ROWS, pc.ExactShapley(), background=BACKGROUND).values, atol=1e-12
    )
    np.testing.assert_array_equal(record.values, pc.explain(FOREST, ROWS, "TreeShap", background=BACKGROUND).values)


def test_trees_need_no_background():
    record = pc.explain(make_pipeline(StandardScaler(), clone(FOREST)).fit(X, Y), ROWS)
    assert name(record) == "TreeShap" and np.abs(record.gap).max() < 1e-9


@pytest.mark.parametrize(
    "model, wishes",
    [
        (FOREST, {"masker": pc.Columns()}),
        (FOREST, {"target": lambda outputs: outputs[:, 1] ** 2}),
        (FOREST.predict_proba, {"target": 1}),
        (GradientBoostingClassifier(n_estimators=5, random_state=0), {"target": pc.Class(1, scale="probability")}),
        (make_pipeline(PolynomialFeatures(), clone(FOREST)), {}),
        (LogisticRegression(max_iter=5000), {}),
    ],
    ids=["masker", "function of the outputs", "function", "behind a link", "mixed columns", "no trees"],
)
def test_what_is_no_sum_of_leaves_is_asked(model, wishes):
    fitted = model.fit(X, Y) if hasattr(model, "fit") and model is not FOREST else model
    assert name(pc.explain(fitted, ROWS, background=BACKGROUND, **wishes)) == "KernelShap"


def test_wrong_targets_are_refused_as_ever():
    with pytest.raises(pc.TargetError):
        pc.explain(FOREST, ROWS, background=BACKGROUND, target=7)
