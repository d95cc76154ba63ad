"""Simple models beside the black box: verdicts on data where the answer is known, mixed frames, the corrected interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

import pellucid as pc


def linear(n: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"pay": rng.normal(size=n), "town": rng.choice(["Rom", "Ulm"], n), "age": rng.normal(size=n)})
    X.loc[::29, "age"] = np.nan
    return X, 3 * X["pay"].to_numpy() + (X["town"] == "Rom") * 2.0 + 0.1 * rng.normal(size=n)


def forest() -> RandomForestRegressor:
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = make_column_transformer((OrdinalEncoder(), ["town"]), remainder="passthrough")
    return make_pipeline(encode, RandomForestRegressor(20, random_state=0))


def test_a_linear_world_is_said_to_need_no_black_box():
    X, y = linear()
    found = pc.rivals(forest(), X, y, margin=0.02)
    assert found.best == "linear regression" and "consider it first" in found.verdict
    assert "+2.9" in found.rules[1] or "+3" in found.rules[1]
    assert found.names[0] == "the model" and found.behind[0].tolist() == [0, 0, 0] and found.enough[0]
    assert "town_Rom" in found.rules[1] and "|---" in found.rules[2]


def test_where_the_black_box_earns_its_keep_it_is_said_too():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 2))
    y = np.sin(6 * X[:, 0]) * np.sign(X[:, 1])
    found = pc.rivals(RandomForestRegressor(30, random_state=0), X, y)
    assert found.best is None and found.verdict.startswith("no simple model")
    assert (found.behind[1:, 1] > 0.1).all()


def test_classes_and_metrics_of_ones_own():
    X, y = linear()
    model = RandomForestClassifier(10, random_state=0)
    numbers = X[["pay"]]
    found = pc.rivals(model, numbers, y > 1, metric="roc_auc", margin=0.05)
    assert found.metric == "roc_auc" and found.names[1] == "logistic regression"
    loss = pc.rivals(
        RandomForestRegressor(5), numbers, y, metric=(lambda t, p: float(np.abs(t - p).mean()), False), margin=1.0
    )
    assert (loss.scores < 0).all()


def test_scores_and_intervals_are_those_of_the_same_folds():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 3))
    y = X[:, 0] + X[:, 1] ** 2
    model = DecisionTreeRegressor(max_depth=5, random_state=0)
    found = pc.rivals(model, X, y, folds=3)
    own = cross_val_score(model, X, y, cv=KFold(3, shuffle=True, random_state=0), scoring="r2")
    np.testing.assert_allclose(found.scores[0], own)
    gap = found.scores[0] - found.scores[1]
    reach = student.ppf(0.975, 2) * np.sqrt((1 / 3 + 30 / 60) * gap.var(ddof=1))
    np.testing.assert_allclose(found.behind[1], [gap.mean(), gap.mean() - reach, gap.mean() + reach])
    assert not hasattr(model, "tree_")  # the user's own model is left alone


def test_what_cannot_be_compared_is_refused(tmp_path):
    X, y = linear(60)
    with pytest.raises(pc.ModelError, match="cannot be fitted anew"):
        pc.rivals(lambda frame: frame["pay"], X, y)
    with pytest.raises(pc.InputError, match="two rows a fold"):
        pc.rivals(forest(), X, y, folds=40)
    with pytest.raises(pc.MethodError, match="no scorer"):
        pc.rivals(forest(), X, y, metric="beauty")
    found = pc.rivals(forest(), X, y, folds=2)
    back = pc.load(found.save(tmp_path / "r.npz"))
    assert back.verdict == found.verdict and back.rules == found.rules
    assert list(found.to_frame()["model"]) == list(found.names)


def test_missing_values_of_pandas_own_are_levels_too():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "word": pd.array(rng.choice(["u", "v"], 60), dtype="string"),
            "flag": pd.array(rng.random(60) > 0.5, dtype="boolean"),
            "count": pd.array(rng.integers(0, 5, 60), dtype="Int64"),
        }
    )
    y = np.where(frame["word"] == "u", "yes", "no")
    frame.loc[[3, 4], "word"], frame.loc[5, "flag"], frame.loc[6, "count"] = pd.NA, pd.NA, pd.NA
    encoded = make_column_transformer((FunctionTransformer(lambda d: d.isin(["u"]).to_numpy(float)), ["word"]))
    found = pc.rivals(make_pipeline(encoded, LogisticRegression()), frame, y)
    assert found.scores[1].mean() > 0.9 and "word" in found.rules[1]
