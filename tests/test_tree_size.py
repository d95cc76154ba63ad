"""TreeShap on tables of real size: what adds up to what, and the housing example in which SHAP and LIME disagree."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

import pellucid as pc
from pellucid.core.budget import Meter
from pellucid.models.prepare import prepare
from pellucid.models.tree.question import ask

ROWS = 20_640
MODELS = {
    "LightGBM": lambda: lightgbm.LGBMRegressor(n_estimators=200, verbose=-1, n_jobs=1),
    "histogram": lambda: HistGradientBoostingRegressor(max_iter=100, random_state=0),
    "forest": lambda: RandomForestRegressor(20, max_depth=10, max_samples=0.3, random_state=0),
    "XGBoost": lambda: xgboost.XGBRegressor(n_estimators=100, n_jobs=1),
}


def generated():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 8))
    return X, X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + (X[:, 3] > 0) * X[:, 4] + 0.3 * rng.normal(size=ROWS), None


def housing(data_dir):
    frame = pd.read_csv(data_dir / "california_housing" / "california_housing.csv")
    y = frame.pop("MedHouseVal").to_numpy()
    assert frame.shape == (ROWS, 8)
    return frame.to_numpy(float), y, list(frame)


def adds_up(name, X, y):
    """Values to 1e-9 of the trees' float64 sums on every row; the model's own score to the resolution of what it prints."""
    model = MODELS[name]().fit(X, y)
    a = pc.explain(model, X, "TreeShap")
    b = pc.explain(model, X[:2000], "TreeShap", background=X[-100:])
    ready = prepare(model, X)
    own = ask(*ready.bind(None, Meter())).own(np.arange(ROWS))
    for record, sums in ((a, own), (b, own[:2000])):
        np.testing.assert_allclose(record.base_values + record.values.sum(1), sums, atol=1e-9)
    if name == "XGBoost":  # its own margin is a sum in float32
        assert np.abs(a.gap).max() <= 2.0**-18 * np.abs(a.scores).max()
        (said,) = a.receipt.warnings
        assert said.startswith("float tolerance")
    else:
        assert max(np.abs(a.gap).max(), np.abs(b.gap).max()) < 1e-9 and not a.receipt.warnings
    np.testing.assert_allclose(b.base_values, np.asarray(model.predict(X[-100:]), float).mean(), atol=1e-6)
    np.testing.assert_allclose(a.base_values[0], own.mean(), atol=0.2)  # the cover is that of training


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_generated_table_of_real_size(name):
    adds_up(name, *generated()[:2])


@pytest.mark.realdata
@pytest.mark.parametrize("name", MODELS)
def test_the_housing_table(data_dir, name):
    adds_up(name, *housing(data_dir)[:2])


@pytest.mark.realdata
def test_where_shap_and_lime_disagree(data_dir):
    X, y, names = housing(data_dir)
    order = np.random.default_rng(0).permutation(ROWS)
    train, test = order[4000:], order[:1500]
    model = lightgbm.LGBMRegressor(n_estimators=200, verbose=-1, n_jobs=1).fit(X[train], y[train])
    a = pc.explain(model, X[test], "TreeShap", background=X[train][:100], names=names)
    assert a.base_values[0] == pytest.approx(y.mean(), abs=0.1)
    income, place, people = (names.index(name) for name in ("MedInc", "Longitude", "AveOccup"))
    two = np.sort(np.argsort(-np.abs(a.values), axis=1)[:, :2], axis=1)
    dominated = (two == sorted((place, people))).all(1)
    below = a.scores < a.base_values
    chosen = np.flatnonzero(dominated & below & (a.values[:, income] < 0))
    assert len(chosen) >= 3
    local = pc.explain(model, X[test][chosen[:3]], pc.LIME(samples=1000), background=X[train][:1000], names=names)
    # near the row more income means a higher price; against the background's mean its own income lowers it
    assert (local.values[:, income] > 3 * local.stderr[:, income]).all()
