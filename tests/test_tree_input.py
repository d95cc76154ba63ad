"""What people hand to TreeShap beside plain arrays: tensors, categories never seen, trees without splits, damaged models."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression

import pellucid as pc
import tree_brute as brute

P = 4
rng = np.random.default_rng(0)
X = rng.normal(size=(200, P)).astype(np.float32).astype(float)
Y = X[:, 0] * X[:, 1] + X[:, 2]
LIGHT = {"n_estimators": 5, "verbose": -1, "n_jobs": 1}


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_are_rows_like_any_other(background, dtype):
    model = RandomForestRegressor(4, random_state=0).fit(X, Y)
    x, b = torch.tensor(X[:3], dtype=dtype, requires_grad=True), torch.tensor(X[10:30], dtype=dtype)
    a = pc.explain(model, x, pc.TreeShap(), background=b if background else None)
    plain = pc.explain(model, X[:3], pc.TreeShap(), background=X[10:30] if background else None)
    np.testing.assert_allclose(a.values, plain.values, atol=1e-12)
    assert isinstance(a.data, np.ndarray) and x.grad is None and x.requires_grad
    np.testing.assert_allclose(a.gap, 0, atol=1e-12)


def test_a_tensor_without_data_is_refused():
    model = RandomForestRegressor(4, random_state=0).fit(X, Y)
    with pytest.raises(pc.InputError, match=r"device 'meta'.*to\('cpu'\)"):
        pc.explain(model, torch.empty((2, P), device="meta"), pc.TreeShap())
    with pytest.raises(pc.InputError, match="device 'meta'"):
        pc.explain(model, X[:2], pc.TreeShap(), background=torch.empty((2, P), device="meta"))


def cities(names: list[str], known: list[str]) -> pd.DataFrame:
    n = len(names)
    return pd.DataFrame(
        {"city": pd.Categorical(names, known), "age": X[:n, 0], "tier": pd.Categorical(["low", "high"] * (n // 2))}
    )


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(max_iter=6, categorical_features="from_dtype", min_samples_leaf=3),
        lightgbm.LGBMRegressor(min_child_samples=3, min_data_per_group=2, **LIGHT),
    ],
    ids=lambda m: type(m).__name__,
)
def test_a_category_never_seen_goes_where_the_model_sends_it(model):
    frame = cities(list(rng.choice(["oslo", "rome", "lima"], 160)), ["oslo", "rome", "lima"])
    model.fit(frame, (frame["city"] == "rome") * X[:160, 0] + X[:160, 1])
    every = ["oslo", "rome", "lima", "cairo"]
    x, background = cities(["cairo", "rome"], every), cities(["lima", "cairo", "oslo", "rome"], every)
    a = pc.explain(model, x, pc.TreeShap(), background=background)
    np.testing.assert_allclose(a.scores, model.predict(x), atol=1e-12)
    for r in range(2):
        both = pd.concat([background, x.iloc[r : r + 1]], ignore_index=True)
        chosen = {
            name: [4 if mask >> j & 1 else b for mask, b in np.ndindex(8, 4)] for j, name in enumerate(frame.columns)
        }
        mixed = pd.DataFrame({name: both[name].iloc[rows].reset_index(drop=True) for name, rows in chosen.items()})
        v = model.predict(mixed).reshape(8, 4).mean(1)
        np.testing.assert_allclose(a.values[r], brute.shapley(v), atol=1e-10)
    alone = pc.explain(model, x, pc.TreeShap())
    np.testing.assert_allclose(alone.gap, 0, atol=1e-10)


def test_a_missing_background_is_a_background_where_the_model_takes_it():
    model = HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=3).fit(np.where(X > 1.5, np.nan, X), Y)
    nothing = np.full((1, P), np.nan)
    a = pc.explain(model, X[:2], pc.TreeShap(), background=nothing)
    np.testing.assert_allclose(a.base_values, model.predict(nothing)[0], atol=1e-12)
    for r in range(2):
        np.testing.assert_allclose(
            a.values[r], brute.shapley(brute.by_masking(model.predict, X[r], nothing)), atol=1e-10
        )
    assert a.stderr is None


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=500),
        lightgbm.LGBMRegressor(min_child_samples=500, **LIGHT),
        xgboost.XGBRegressor(n_estimators=3, gamma=1e9, n_jobs=1),
    ],
    ids=lambda m: type(m).__name__,
)
@pytest.mark.parametrize("background", [None, X[:5]], ids=["cover", "background"])
def test_trees_that_never_split_say_nothing_of_any_column(model, background):
    a = pc.explain(model.fit(X, Y), X[:3], pc.TreeShap(), background=background)
    assert not a.values.any() and (a.base_values == a.base_values[0]).all()
    np.testing.assert_allclose(a.gap, 0, atol=1e-7)  # XGBoost answers in single precision
    assert not pc.interact(model, X[:3], pc.TreeShap(), background=background).values.any()


def endless_histogram():
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, Y)
    model._predictors[0][0].nodes["value"][-1] = np.inf
    return model


def endless_lightgbm():
    model = lightgbm.LGBMRegressor(**LIGHT).fit(X, Y)
    model.booster_.set_leaf_output(0, 0, np.inf)
    return model


@pytest.mark.parametrize("make", [endless_histogram, endless_lightgbm])
def test_infinite_leaves_are_refused_whether_or_not_a_row_falls_in(make):
    model = make()
    safe = X[np.isfinite(model.predict(X))][:2]
    with pytest.raises(pc.ModelError, match="NaN or infinit"):
        pc.explain(model, safe, pc.TreeShap())


def test_a_lightgbm_format_that_is_not_known(monkeypatch):
    model = lightgbm.LGBMRegressor(**LIGHT).fit(X, Y)
    true = lightgbm.Booster.model_to_string
    changed = lambda self, *a, **k: true(self, *a, **k).replace("version=v4", "version=v9")  # noqa: E731
    monkeypatch.setattr(lightgbm.Booster, "model_to_string", changed)
    with pytest.raises(pc.ModelError, match=r"format 'v9'.*KernelShap"):
        pc.explain(model, X[:2], pc.TreeShap())


def test_catboost_is_refused_by_name_and_explained_by_asking():
    kind = type("CatBoostRegressor", (LinearRegression,), {"__module__": "catboost.core"})
    model = kind().fit(X, Y)
    with pytest.raises(pc.ModelError, match=r"CatBoostRegressor \(its categorical statistics.*KernelShap"):
        pc.explain(model, X[:2], pc.TreeShap())
    a = pc.explain(model, X[:2], background=X[:9])
    assert type(a.method).__name__ == "KernelShap"
    np.testing.assert_allclose(a.gap, 0, atol=1e-9)


@pytest.mark.parametrize("width", [P - 1, P + 1])
def test_another_number_of_features_is_refused_for_every_library(width):
    for model in (
        HistGradientBoostingRegressor(max_iter=2).fit(X, Y),
        lightgbm.LGBMRegressor(**LIGHT).fit(X, Y),
        xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(X, Y),
    ):
        with pytest.raises(pc.InputError, match=f"{width} features, the model was fitted with {P}"):
            pc.explain(model, np.zeros((2, width)), pc.TreeShap())
