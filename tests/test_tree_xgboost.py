"""XGBoost's trees against enumeration on its own JSON; skipped where XGBoost is not installed."""

import json

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
import tree_brute as brute

xgboost = pytest.importorskip("xgboost", reason="XGBoost is no dependency: pip install xgboost-cpu")

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


def walk(node, x):
    """The leaf that a row reaches, in float64."""
    while isinstance(node, tuple):
        node = node[2] if node[1](x) else node[3]
    return node


def check(model, X, target, output):
    """Both modes, values and interactions, against enumeration; the model's own margin is a float32 sum."""
    x, background, trees = X[:4], X[4:12], trees_of(model, output)
    alone, together = pc.explain(model, x, "TreeShap", target=target), pc.interact(model, x, "TreeShap", target=target)
    against = pc.explain(model, x, "TreeShap", target=target, background=background)
    mixed = pc.interact(model, x, "TreeShap", target=target, background=background)
    summed = lambda z: np.array([sum(walk(tree, row) for tree in trees) for row in z])  # noqa: E731
    for r in range(len(x)):
        v, w = brute.by_cover(trees, x[r], P), brute.by_masking(summed, x[r], background)
        np.testing.assert_allclose(alone.values[r], brute.shapley(v), atol=CLOSE)
        np.testing.assert_allclose(together.values[r], brute.pairs(v), atol=CLOSE)
        np.testing.assert_allclose(against.values[r], brute.shapley(w), atol=CLOSE)
        np.testing.assert_allclose(mixed.values[r], brute.pairs(w), atol=CLOSE)
    for a in (alone, against, together, mixed):
        assert np.abs(a.gap).max() < 1e-5 and all(said.startswith("float tolerance") for said in a.receipt.warnings)


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
    check(model, X, None, 0)


@pytest.mark.parametrize("k", [2, 3])
def test_classifiers(k):
    X, y = table()
    model = xgboost.XGBClassifier(n_estimators=6, max_depth=4).fit(
        X, np.digitize(y, np.quantile(y, np.arange(1, k) / k))
    )
    check(model, X, 1, 1 if k > 2 else 0)


def test_several_outputs_and_weights():
    X, y = table()
    weight = np.random.default_rng(0).exponential(size=len(X))
    model = xgboost.XGBRegressor(n_estimators=5, max_depth=4).fit(
        X, np.stack([y, -np.nan_to_num(X[:, 2])], 1), sample_weight=weight
    )
    check(model, np.nan_to_num(X), pc.Output(1), 1)


def frame():
    rng = np.random.default_rng(2)
    made = pd.DataFrame({"a": rng.normal(size=300), "city": rng.choice(["rome", "oslo", "bonn"], 300)})
    made["grade"] = pd.Categorical(rng.choice([7, 3, 9], 300), categories=[9, 7, 3])
    made.loc[::7, "city"] = None
    made["city"] = made["city"].astype("category")
    return made, made["a"] * (made["city"] == "oslo") + (made["grade"] == 7) + 0.1 * rng.normal(size=300)


def test_categories_of_frames():
    X, y = frame()
    model = xgboost.XGBRegressor(n_estimators=6, max_depth=4, enable_categorical=True, max_cat_to_onehot=1).fit(X, y)
    a = pc.explain(model, X[:40], "TreeShap", background=X[40:50])
    assert np.abs(a.gap).max() < 1e-5 and np.abs(a.values).min(0).max() < np.abs(a.values).max()
    other = X.copy()
    other["grade"] = pd.Categorical(X["grade"].astype(int), categories=[3, 7, 9])
    b = pc.explain(model, other[:40], "TreeShap", background=other[40:50])
    np.testing.assert_allclose(b.values, a.values, atol=1e-12)
    other["city"] = pd.Categorical(["paris"] * 300)
    with pytest.raises(pc.PellucidError):
        pc.explain(model, other[:4], "TreeShap")


def test_a_format_that_is_not_known(monkeypatch):
    X, y = table(0.0)
    model = xgboost.XGBRegressor(n_estimators=2).fit(X, y)
    true = xgboost.Booster.save_raw
    monkeypatch.setattr(
        xgboost.Booster, "save_raw", lambda self, kind: true(self, kind).replace(b'"version":[3', b'"version":[9')
    )
    with pytest.raises(pc.ModelError, match="format 9"):
        pc.explain(model, X[:3], "TreeShap")


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
        (xgboost.XGBRegressor(n_estimators=2, objective="count:poisson"), "give background rows"),
        (xgboost.XGBRegressor(n_estimators=2, objective="reg:squaredlogerror"), "squaredlogerror"),
        (xgboost.XGBRegressor(n_estimators=2, missing=0.0), "missing"),
        (xgboost.XGBRegressor(n_estimators=2), "not fitted"),
    ],
)
def test_refused_with_a_remedy(model, said):
    X, y = table(0.0)
    with pytest.raises(pc.PellucidError, match=said):
        pc.explain(model if said == "not fitted" else model.fit(X, np.exp(y / 5)), X[:3], "TreeShap")
