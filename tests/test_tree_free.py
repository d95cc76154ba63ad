"""One walk with a feature free, against asking the model at every point of the grid."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import pellucid as pc
from pellucid.core.budget import Meter
from pellucid.models.prepare import prepare
from pellucid.models.tree import free, pool
from pellucid.models.tree.question import ask

CLOSE = 1e-12


def table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    X[:, 3] = rng.integers(0, 5, n)
    y = X[:, 0] ** 2 + X[:, 1] * X[:, 2] + (X[:, 3] == 2) * X[:, 0] + 0.1 * rng.normal(size=n)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


def question(model, x, target=None):
    ready = prepare(model, x)
    f, scores = ready.bind(target, Meter())
    return ask(f, scores)


def asking(number, x, features, grid):
    """number: rows -> (n,), asked at every grid point for every row: (n, g)"""
    found = []
    for point in grid:
        changed = x.copy()
        for j, value in zip(features, point, strict=True):
            changed[:, j] = value
        found.append(number(changed))
    return np.stack(found, axis=1)


MODELS = [
    RandomForestRegressor(8, random_state=0),
    HistGradientBoostingRegressor(max_iter=15, categorical_features=[3], min_samples_leaf=4),
    lightgbm.LGBMRegressor(n_estimators=15, verbose=-1, min_child_samples=4, n_jobs=1),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("features", [(0,), (3,), (1, 3)], ids=str)
def test_equals_asking_the_model(model, features, monkeypatch):
    X, y = table()
    model.fit(X, y, **({"categorical_feature": [3]} if "LGBM" in type(model).__name__ else {}))
    axes = [np.arange(5.0) if j == 3 else np.append(np.linspace(-3, 3, 79), np.nan) for j in features]
    grid = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    asked = question(model, X[:30])
    found = free.curves(asked, features, grid)
    assert found.shape == (30, len(grid))
    np.testing.assert_allclose(found, asking(model.predict, X[:30], features, grid), atol=CLOSE)
    monkeypatch.setattr(pool, "_SMALL", 0)
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        np.testing.assert_allclose(free.curves(asked, features, grid), found, atol=1e-13)


def test_a_point_on_a_threshold_goes_the_model_s_way():
    X, y = table()
    model = RandomForestRegressor(3, random_state=0).fit(X, y)
    splits = np.unique(np.concatenate([m.tree_.threshold[m.tree_.feature == 0] for m in model.estimators_]))[:70, None]
    grid = np.concatenate([splits, splits + 1e-9, splits + 1e-6])
    found = free.curves(question(model, X[:5]), (0,), grid)
    np.testing.assert_allclose(found, asking(model.predict, X[:5], (0,), grid), atol=CLOSE)


def test_a_source_column_moves_with_all_its_encoded_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": rng.choice(["oslo", "rome", "lima"], 200), "age": rng.normal(size=200)})
    y = (frame["city"] == "rome") * frame["age"] + (frame["city"] == "lima")
    encode = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(encode, RandomForestRegressor(5, random_state=0)).fit(frame, y)
    x = frame.iloc[:6][["age", "city"]]  # the user's own order of columns
    asked = question(model, x)
    levels = asked.f.inputs.form.schema.columns[1].levels
    found = free.curves(asked, (1,), np.arange(len(levels), dtype=float)[:, None])
    for k, level in enumerate(levels):
        np.testing.assert_allclose(found[:, k], model.predict(x.assign(city=level)[["city", "age"]]), atol=CLOSE)


def test_behind_a_link_and_with_a_target_per_row():
    X, y = table()
    X = np.nan_to_num(X)
    model = GradientBoostingClassifier(n_estimators=6).fit(X, np.digitize(y, [0, 1]))
    grid = np.linspace(-2, 2, 9)[:, None]
    for scale, outputs in (("probability", model.predict_proba), ("margin", model.decision_function)):
        asked = question(model, X[:4], pc.Class((0, 2, 1, 2), scale))
        wanted = asking(lambda z, o=outputs: o(z)[np.arange(4), [0, 2, 1, 2]], X[:4], (0,), grid)
        np.testing.assert_allclose(free.curves(asked, (0,), grid), wanted, atol=CLOSE)
