"""XGBoost's trees against enumeration on its own JSON; skipped where XGBoost is not installed."""

import json

import numpy as np
import pytest

import pellucid as pc
import tree_brute as brute

xgboost = pytest.importorskip("xgboost", reason="XGBoost is large and no dependency: pip install xgboost-cpu")

P, CLOSE = 5, 1e-10


def table(missing=0.1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, P))
    X[:, 3] = rng.integers(0, 6, 300)
    y = X[:, 0] ** 2 + X[:, 1] * X[:, 2] + np.isin(X[:, 3], (1, 4)) * X[:, 0]
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


def nested(tree, i=0):
    """A tree of the JSON, nested for `by_cover`, in the library's own words: `<` in float32, listed categories go right."""
    left, right = tree["left_children"][i], tree["right_children"][i]
    condition = np.float32(tree["split_conditions"][i])
    if left < 0:
        return float(condition)
    f, default = tree["split_indices"][i], bool(tree["default_left"][i])
    listed = []
    if tree["split_type"][i]:
        k = tree["categories_nodes"].index(i)
        start = tree["categories_segments"][k]
        listed = tree["categories"][start : start + tree["categories_sizes"][k]]

    def goes_left(x):
        if np.isnan(x[f]):
            return default
        return int(x[f]) not in listed if tree["split_type"][i] else np.float32(x[f]) < condition

    cover = tree["sum_hessian"]
    return (f, goes_left, nested(tree, left), nested(tree, right), cover[left], cover[right])


def trees_of(model, output):
    held = json.loads(model.get_booster().save_raw("json"))["learner"]["gradient_booster"]["model"]
    return [nested(tree) for tree, k in zip(held["trees"], held["tree_info"], strict=True) if k == output]


def check(model, X, target, output, margin):
    """margin: rows -> (n,), XGBoost's own, in float32."""
    x, background = X[:4], X[4:12]
    alone = pc.explain(model, x, "TreeShap", target=target)
    against = pc.explain(model, x, "TreeShap", target=target, background=background)
    for r in range(len(x)):
        v = brute.by_cover(trees_of(model, output), x[r], P)
        np.testing.assert_allclose(alone.values[r], brute.shapley(v), atol=CLOSE)
        mixed = brute.by_masking(margin, x[r], background)
        np.testing.assert_allclose(against.values[r], brute.shapley(mixed.astype(float)), atol=2e-6)
    assert max(np.abs(alone.gap).max(), np.abs(against.gap).max()) < 1e-5
    assert all(said.startswith("float tolerance") for said in alone.receipt.warnings)


@pytest.mark.parametrize(
    "model",
    [
        xgboost.XGBRegressor(n_estimators=8, max_depth=4),
        xgboost.XGBRegressor(n_estimators=8, max_depth=5, gamma=2.0, tree_method="exact"),
        xgboost.XGBRFRegressor(n_estimators=6, max_depth=4),
        xgboost.XGBRegressor(
            n_estimators=8, enable_categorical=True, feature_types=["q"] * 3 + ["c", "q"], max_cat_to_onehot=2
        ),
    ],
    ids=["hist", "pruned", "forest", "categories"],
)
def test_regressors(model):
    X, y = table()
    model.fit(X, y)
    check(model, X, None, 0, model.predict)


@pytest.mark.parametrize("k", [2, 3])
def test_classifiers(k):
    X, y = table()
    model = xgboost.XGBClassifier(n_estimators=6, max_depth=4).fit(
        X, np.digitize(y, np.quantile(y, np.arange(1, k) / k))
    )
    margin = lambda x: model.predict(x, output_margin=True)  # noqa: E731
    check(model, X, 1, 1 if k > 2 else 0, margin if k == 2 else lambda x: margin(x)[:, 1])


def test_early_stopping_uses_the_best_trees():
    X, y = table()
    model = xgboost.XGBRegressor(n_estimators=200, early_stopping_rounds=3).fit(
        X[:200], y[:200], eval_set=[(X[200:], y[200:])], verbose=False
    )
    a = pc.explain(model, X[:20], "TreeShap")
    assert model.best_iteration < 190 and np.abs(a.gap).max() < 1e-5


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (xgboost.XGBRegressor(n_estimators=2, booster="dart"), "dart"),
        (xgboost.XGBRegressor(n_estimators=2, objective="count:poisson"), "poisson"),
        (xgboost.XGBRegressor(n_estimators=2, missing=0.0), "missing"),
        (xgboost.XGBRegressor(n_estimators=2), "not fitted"),
    ],
)
def test_refused_with_a_remedy(model, said):
    X, y = table(0.0)
    with pytest.raises(pc.PellucidError, match=said):
        pc.explain(model if said == "not fitted" else model.fit(X, np.exp(y / 5)), X[:3], "TreeShap")
