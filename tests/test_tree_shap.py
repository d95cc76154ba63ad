"""TreeShap against enumeration of all coalitions on the libraries' own trees, and what it refuses."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import pellucid as pc
import tree_brute as brute
from oracles import oracle
from pellucid.core import spelling
from pellucid.methods.shapley.tree import TreeShap
from pellucid.models.tree import pool

P, CLOSE = 5, 1e-10
QUIET = {"verbose": -1, "n_jobs": 1, "min_child_samples": 4, "min_data_per_group": 2, "cat_smooth": 1.0}


def table(n=200, seed=0, missing=False):
    """X (n, 5): three numbers, a category in column 3, repeated use of column 0; y with interactions."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, P))
    X[:, 3] = rng.integers(0, 6, n)
    y = X[:, 0] ** 2 + X[:, 1] * X[:, 2] + np.isin(X[:, 3], (1, 4)) * X[:, 0] + 0.1 * rng.normal(size=n)
    if missing:
        X[rng.random((n, P)) < 0.15] = np.nan
    return X, y


def trees_of(model, column):
    """One output's trees as the library holds them, nested for `by_cover`."""
    name = type(model).__name__
    if name.startswith("LGBM"):
        return brute.lightgbm_trees(model, *((column, model.n_classes_) if getattr(model, "n_classes_", 2) > 2 else ()))
    if name.startswith("Hist"):
        source = None
        if model._preprocessor is not None:  # categories come first
            mask = np.asarray(model.is_categorical_, bool)
            source = [*np.flatnonzero(mask), *np.flatnonzero(~mask)]
        stages = [stage[column if len(stage) > 1 else 0] for stage in model._predictors]
        return [brute.histogram_tree(tree, 0, source) for tree in stages]
    if name.startswith("Gradient"):
        chosen = [stage[column if len(stage) > 1 else 0].tree_ for stage in model.estimators_]
        return [brute.sklearn_tree(tree, model.learning_rate * tree.value[:, 0, 0]) for tree in chosen]
    members = getattr(model, "estimators_", [model])
    leaves = (lambda t: t.value[:, 0, column]) if hasattr(model, "classes_") else (lambda t: t.value[:, column, 0])
    return [brute.sklearn_tree(m.tree_, leaves(m.tree_) / len(members)) for m in members]


def encoded(model, x):
    """Rows as the library's trees see them."""
    preprocessor = getattr(model, "_preprocessor", None)
    return x if preprocessor is None else preprocessor.transform(x)


def asked(model, target):
    """The model's number: rows -> (n,)"""
    name = type(model).__name__
    boosted = name.startswith(("LGBM", "Hist", "Gradient"))
    if name.startswith("LGBM") and hasattr(model, "classes_"):
        raw = lambda x: model.predict_proba(x, raw_score=True)  # noqa: E731
    elif hasattr(model, "classes_"):
        raw = model.decision_function if boosted else model.predict_proba
    else:
        raw = model.predict
    return lambda x: (out := np.asarray(raw(x))).reshape(len(x), -1)[:, 0 if out.ndim == 1 else target]


def classes(y, k):
    return np.digitize(y, np.quantile(y, np.arange(1, k) / k))


REGRESSORS = [
    DecisionTreeRegressor(max_depth=6, random_state=0),
    RandomForestRegressor(5, max_depth=7, random_state=0),
    ExtraTreesRegressor(4, random_state=0),
    GradientBoostingRegressor(n_estimators=8, max_depth=4, random_state=0),
    HistGradientBoostingRegressor(max_iter=8, categorical_features=[3], min_samples_leaf=4),
    lightgbm.LGBMRegressor(n_estimators=8, **QUIET),
    lightgbm.LGBMRegressor(n_estimators=5, boosting_type="rf", bagging_fraction=0.6, bagging_freq=1, **QUIET),
]
CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=5, random_state=0),
    RandomForestClassifier(5, max_depth=6, random_state=0),
    ExtraTreesClassifier(4, max_depth=6, random_state=0),
    GradientBoostingClassifier(n_estimators=6, random_state=0),
    HistGradientBoostingClassifier(max_iter=6, min_samples_leaf=4),
    lightgbm.LGBMClassifier(n_estimators=6, **QUIET),
]
NAN = (DecisionTreeRegressor, RandomForestRegressor, HistGradientBoostingRegressor, lightgbm.LGBMRegressor)


def ids(model):
    return type(model).__name__


def check(model, X, target=None, column=0, rows=4, references=9):
    """Both modes against brute force, values and interactions."""
    x, background = X[:rows], X[rows : rows + references]
    number = asked(model, column)
    alone = pc.explain(model, x, TreeShap(), target=target)
    against = pc.explain(model, x, TreeShap(), target=target, background=background)
    both = pc.interact(model, x, TreeShap(), target=target)
    mixed = pc.interact(model, x, TreeShap(), target=target, background=background)
    nested = trees_of(model, column)
    for r in range(rows):
        v = brute.by_cover(nested, encoded(model, x)[r], P)
        np.testing.assert_allclose(alone.values[r], brute.shapley(v), atol=CLOSE)
        np.testing.assert_allclose(both.values[r], brute.pairs(v), atol=CLOSE)
        w = brute.by_masking(number, x[r], background)
        np.testing.assert_allclose(against.values[r], brute.shapley(w), atol=CLOSE)
        np.testing.assert_allclose(mixed.values[r], brute.pairs(w), atol=CLOSE)
        np.testing.assert_allclose([alone.scores[r], against.base_values[r]], [w[-1], w[0]], atol=CLOSE)
    assert max(np.abs(a.gap).max() for a in (alone, against, both, mixed)) < CLOSE
    assert alone.receipt.rows_forward == rows and alone.stderr is None
    assert against.stderr.shape == x.shape and not alone.receipt.warnings


@pytest.mark.parametrize("model", REGRESSORS, ids=ids)
def test_regressors_equal_enumeration(model):
    X, y = table()
    fit = {"categorical_feature": [3]} if ids(model).startswith("LGBM") else {}
    check(model.fit(X, y, **fit), X)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=ids)
@pytest.mark.parametrize("k", [2, 3])
def test_classifiers_equal_enumeration(model, k):
    X, y = table()
    model = model.fit(X, classes(y, k))
    check(model, X, target=1, column=1, rows=2, references=5)


@pytest.mark.parametrize("model", [m for m in REGRESSORS if isinstance(m, NAN)], ids=ids)
def test_missing_values_equal_enumeration(model):
    X, y = table(missing=True)
    fit = {"categorical_feature": [3]} if ids(model).startswith("LGBM") else {}
    check(model.fit(X, y, **fit), X)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
def test_early_stopping_and_weights_in_lightgbm():
    X, y = table()
    stopped = lightgbm.LGBMRegressor(n_estimators=80, early_stopping_rounds=2, learning_rate=0.4, **QUIET)
    stopped.fit(X[:120], y[:120], eval_set=[(X[120:], y[120:])])
    a = pc.explain(stopped, X[:9], TreeShap())
    assert 0 < stopped.best_iteration_ < 80 and np.abs(a.gap).max() < CLOSE
    weight = np.random.default_rng(1).exponential(size=len(X))
    check(lightgbm.LGBMRegressor(n_estimators=4, **QUIET).fit(X, y, sample_weight=weight), X, rows=2)


def test_zero_as_missing_and_nan_read_as_zero():
    X, y = table()
    X[:, 1] = np.round(X[:, 1])
    check(lightgbm.LGBMRegressor(n_estimators=8, zero_as_missing=True, **QUIET).fit(X, y), X)
    plain = lightgbm.LGBMRegressor(n_estimators=8, use_missing=False, **QUIET).fit(X, y)
    X[0, :3] = np.nan
    check(plain, X)


def test_missing_values_that_training_never_saw():
    X, y = table()
    model = RandomForestRegressor(4, max_depth=6, random_state=0).fit(X, y)
    X[:13:2, :3] = np.nan
    check(model, X)


def test_sample_weights_are_the_cover():
    X, y = table()
    weight = np.random.default_rng(1).exponential(size=len(X))
    weight[:20] = 0.0
    model = DecisionTreeRegressor(max_depth=6, random_state=0).fit(X, y, sample_weight=weight)
    check(model, X)
    assert pc.explain(model, X[:1], TreeShap()).base_values[0] == pytest.approx(
        np.average(y, weights=weight), abs=CLOSE
    )


def test_several_outputs():
    X, y = table()
    model = RandomForestRegressor(3, max_depth=5, random_state=0).fit(X, np.stack([y, X[:, 0]], axis=1))
    check(model, X, target=pc.Output(1), column=1, rows=2)


def test_a_target_per_row_and_a_contrast():
    X, y = table()
    model = RandomForestClassifier(4, max_depth=5, random_state=0).fit(X, classes(y, 3))
    per_row = pc.explain(model, X[:3], TreeShap(), target=[0, 2, 0], background=X[5:9])
    single = [pc.explain(model, X[r : r + 1], TreeShap(), target=t, background=X[5:9]) for r, t in enumerate((0, 2, 0))]
    np.testing.assert_allclose(per_row.values, np.concatenate([a.values for a in single]), atol=1e-14)
    contrast = pc.explain(model, X[:3], TreeShap(), target=pc.Margin(2, 0))
    two, none = (pc.explain(model, X[:3], TreeShap(), target=t) for t in (2, 0))
    np.testing.assert_allclose(contrast.values, two.values - none.values, atol=1e-14)
    assert np.abs(contrast.gap).max() < CLOSE


@given(st.integers(0, 10_000), st.integers(2, 9), st.sampled_from([None, 3]))
@settings(max_examples=15)
def test_random_trees_equal_enumeration(seed, depth, features):
    X, y = table(60, seed)
    model = DecisionTreeRegressor(max_depth=depth, max_features=features, splitter="random", random_state=seed).fit(
        X, y
    )
    nested = trees_of(model, 0)
    a = pc.explain(model, X[:2], TreeShap())
    b = pc.explain(model, X[:2], TreeShap(), background=X[2:5])
    for r in range(2):
        np.testing.assert_allclose(a.values[r], brute.shapley(brute.by_cover(nested, X[r], P)), atol=CLOSE)
        np.testing.assert_allclose(
            b.values[r], brute.shapley(brute.by_masking(model.predict, X[r], X[2:5])), atol=CLOSE
        )


def test_the_paper_s_and_function():
    wanted = oracle("TREE-AND")["expected"]
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    model = DecisionTreeRegressor(random_state=0).fit(X, 80.0 * (X[:, 0] * X[:, 1]))
    a = pc.explain(model, X, TreeShap())
    np.testing.assert_allclose(a.values, wanted["shap"], atol=1e-6)
    np.testing.assert_allclose(a.base_values, wanted["base"])


def test_path_dependent_and_interventional_by_hand():
    wanted = oracle("TREE-PD-vs-INT")["expected"]
    X = np.array([[0, 0], [0, 0], [1, 0], [1, 1]], float)
    model = DecisionTreeRegressor(max_depth=2, random_state=0).fit(X, [0.0, 0.0, 2.0, 10.0])
    alone = pc.explain(model, X[3:], TreeShap())
    against = pc.explain(model, X[3:], TreeShap(), background=X)
    np.testing.assert_allclose(alone.values[0], wanted["path_dependent_hand"], atol=1e-6)
    np.testing.assert_allclose(against.values[0], wanted["interventional_hand"], atol=1e-6)
    assert alone.base_values[0] == pytest.approx(wanted["base_pd"])


def test_a_background_of_one_row_has_no_standard_error():
    X, y = table()
    model = RandomForestRegressor(3, random_state=0).fit(X, y)
    a = pc.explain(model, X[:2], TreeShap(), background=X[5:6])
    assert a.receipt.warnings == (
        "the background is one row: values have no standard error, and answer for that row only",
    )
    assert a.stderr is None and np.abs(a.gap).max() < CLOSE
    np.testing.assert_allclose(a.base_values, model.predict(X[5:6])[0])


@pytest.mark.slow
def test_standard_errors_cover_the_truth():
    X, y = table(4000, seed=3)
    model = HistGradientBoostingRegressor(max_iter=10, max_depth=4).fit(X, y)
    x = X[:1]
    truth = pc.explain(model, x, TreeShap(), background=X).values[0]
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(1000):
        a = pc.explain(model, x, TreeShap(), background=X[rng.integers(0, len(X), 60)])
        inside.append(np.abs(a.values[0, 0] - truth[0]) <= 1.96 * a.stderr[0, 0])
    assert 0.93 <= np.mean(inside) <= 0.97


def test_no_splits_and_constant_columns():
    X, y = table()
    stump = DecisionTreeRegressor(max_depth=3).fit(X, np.full(len(X), 2.5))
    a = pc.explain(stump, X[:3], TreeShap(), background=X[:5])
    assert not a.values.any() and (a.base_values == 2.5).all() and not a.gap.any()
    tiny = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(X[:5], y[:5])
    b = pc.explain(tiny, X[:3], TreeShap())
    assert not b.values.any() and np.abs(b.gap).max() < CLOSE


def mixed_frame(n=160):
    X, y = table(n)
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"age": X[:, 0], "city": rng.choice(["oslo", "rome", "lima", "bonn"], n), "income": X[:, 1]})
    frame["tier"] = rng.choice(["low", "mid", "high"], n)
    frame.loc[::9, "income"] = np.nan
    return frame, y + (frame["city"] == "rome") * X[:, 0] + (frame["tier"] == "low") * 2


def encoders():
    return ColumnTransformer(
        [
            ("cities", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age", "income"]),
            ("tiers", OrdinalEncoder(), ["tier"]),
        ]
    )


def test_columns_of_one_source_are_one_player():
    frame, y = mixed_frame()
    model = make_pipeline(encoders(), RandomForestRegressor(4, max_depth=6, random_state=0)).fit(frame, y)
    x, background = frame.iloc[:4], frame.iloc[10:17]
    shuffled = ["tier", "income", "city", "age"]
    a = pc.explain(model, x[shuffled], TreeShap(), background=background)
    alone = pc.explain(model, x[shuffled], TreeShap())
    assert list(a.feature_names) == shuffled
    Z, B = model[:-1].transform(x), model[:-1].transform(background)
    source = [2, 2, 2, 2, 3, 1, 1, 0]  # city's four columns, age, income, income's indicator, tier
    trees = [brute.sklearn_tree(m.tree_, m.tree_.value[:, 0, 0] / 4, source) for m in model[-1].estimators_]
    for r in range(4):
        wanted = brute.shapley(brute.by_masking(model[-1].predict, Z[r], B, source))
        np.testing.assert_allclose(a.values[r], wanted, atol=CLOSE)
        np.testing.assert_allclose(alone.values[r], brute.shapley(brute.by_cover(trees, Z[r], 4)), atol=CLOSE)
    assert np.abs(a.gap).max() < CLOSE and np.abs(alone.gap).max() < CLOSE


def test_categories_of_frames_in_boosting():
    frame, y = mixed_frame()
    frame = frame.astype({"city": "category", "tier": "category"})
    fit = {"min_child_samples": 4, "min_data_per_group": 2}
    models = [
        HistGradientBoostingRegressor(max_iter=6, categorical_features="from_dtype", min_samples_leaf=4).fit(frame, y),
        lightgbm.LGBMRegressor(n_estimators=6, verbose=-1, **fit).fit(frame, y),
    ]
    x, background = frame.iloc[:3], frame.iloc[10:16]
    for model in models:
        a = pc.explain(model, x, TreeShap(), background=background)
        for r in range(3):
            both = pd.concat([background, x.iloc[r : r + 1]], ignore_index=True)
            pick = {  # for every coalition and background row, which of `both` each column comes from
                name: [6 if mask >> j & 1 else b for mask, b in np.ndindex(16, 6)] for j, name in enumerate(frame)
            }
            mixed = pd.DataFrame({name: both[name].iloc[rows].reset_index(drop=True) for name, rows in pick.items()})
            v = model.predict(mixed).reshape(16, 6).mean(1)
            np.testing.assert_allclose(a.values[r], brute.shapley(v), atol=CLOSE)


def test_a_search_is_explained_by_its_best_model():
    X, y = table()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)),
        {"decisiontreeregressor__max_depth": [3]},
        cv=2,
    )
    search.fit(X, y)
    a, b = pc.explain(search, X[:3], TreeShap()), pc.explain(search.best_estimator_, X[:3], TreeShap())
    assert np.array_equal(a.values, b.values) and np.abs(a.gap).max() < CLOSE


def test_a_model_fitted_again_is_read_again():
    X, y = table()
    model = RandomForestRegressor(3, random_state=0)
    first = pc.explain(model.fit(X, y), X[:3], TreeShap())
    second = pc.explain(model.fit(X, -3 * y), X[:3], TreeShap())
    wider = pc.explain(model.fit(np.hstack([X, X]), y), np.hstack([X, X])[:3], TreeShap())
    assert np.abs(second.gap).max() < CLOSE and not np.allclose(first.values, second.values)
    assert wider.values.shape == (3, 2 * P) and np.abs(wider.gap).max() < CLOSE


def test_float32_comparisons_are_the_library_s():
    X = np.array([[0.1], [0.2], [0.3], [0.4]] * 5)
    model = DecisionTreeRegressor().fit(X, np.arange(20.0) % 4)
    near = np.repeat(model.tree_.threshold[model.tree_.feature >= 0][:, None], 3, axis=0) + np.array(
        [[0], [1e-10], [-1e-10]] * 3
    )
    a = pc.explain(model, near, TreeShap())
    assert np.abs(a.gap).max() < CLOSE


@pytest.mark.parametrize("background", [False, True])
def test_rows_do_not_know_their_company(background):
    X, y = table(600)
    model = RandomForestRegressor(20, max_depth=7, random_state=0).fit(X, y)
    given_rows = X[300:330] if background else None
    whole = pc.explain(model, X[:300], TreeShap(), background=given_rows)
    some = pc.explain(model, X[[7, 3]], TreeShap(), background=given_rows)
    np.testing.assert_allclose(some.values, whole.values[[7, 3]], atol=1e-13)
    if background:
        np.testing.assert_allclose(some.stderr, whole.stderr[[7, 3]], atol=1e-6)


def test_spelling_store_and_record(tmp_path):
    X, y = table()
    model = RandomForestRegressor(3, random_state=0).fit(X, y)
    assert spelling.parse(repr(TreeShap())) == TreeShap()
    a = pc.explain(model, X[:3], "TreeShap", background=X[10:20])
    back = pc.load(a.save(tmp_path / "a.npz"))
    assert np.array_equal(back.values, a.values) and np.array_equal(back.stderr, a.stderr) and back.method == TreeShap()
    i = pc.interact(model, X[:3], "TreeShap")
    again = pc.load(i.save(tmp_path / "i.npz"))
    assert np.array_equal(again.values, i.values) and len(i[1:]) == 2
    strongest = i.top(1, row=1)[0]
    upper = np.abs(np.triu(i.values[1], 1))
    assert abs(strongest[2]) == pytest.approx(2 * upper.max())
    np.testing.assert_allclose(i.main, np.diagonal(i.values, axis1=1, axis2=2))


def test_interactions_of_a_game_equal_the_trees():
    X, y = table()
    model = RandomForestRegressor(3, max_depth=4, random_state=0).fit(X, y)
    trees = pc.interact(model, X[:2], TreeShap(), background=X[10:16])
    game = pc.interact(model, X[:2], pc.ExactShapley(), background=X[10:16])
    np.testing.assert_allclose(game.values, trees.values, atol=CLOSE)
    np.testing.assert_allclose(game.base_values, trees.base_values, atol=CLOSE)
    assert np.abs(game.gap).max() < CLOSE


def fitted(model, **fit):
    X, y = table()
    return model.fit(X, (y > 0) if hasattr(model, "predict_proba") else np.exp(y / 4), **fit)


class CatBoostRegressor(LinearRegression):
    """A stand-in by name: the real one is large."""


def one_against_all():
    return fitted(lightgbm.LGBMClassifier(n_estimators=2, objective="multiclassova", num_class=2, verbose=-1))


PROBABILITY = {"target": pc.Class(1, "probability")}


@pytest.mark.parametrize(
    ("model", "arguments", "error", "said"),
    [
        (lambda: RandomForestRegressor(), {}, pc.ModelError, "not fitted"),
        (lambda: lightgbm.LGBMRegressor(), {}, pc.ModelError, "not fitted"),
        (lambda: fitted(LinearRegression()), {}, pc.ModelError, "LinearRegression"),
        (lambda: fitted(IsolationForest(n_estimators=4)), {}, pc.MethodError, "give background rows"),
        (lambda: IsolationForest(), {}, pc.ModelError, "not fitted"),
        (lambda: HistGradientBoostingRegressor(), {}, pc.ModelError, "not fitted"),
        (lambda: GradientBoostingRegressor(), {}, pc.ModelError, "not fitted"),
        (lambda: fitted(AdaBoostClassifier(n_estimators=2)), {}, pc.ModelError, "AdaBoost"),
        (lambda: fitted(CatBoostRegressor()), {}, pc.ModelError, "CatBoost.*KernelShap"),
        (lambda: fitted(RandomForestRegressor(2)), {"x": np.zeros((2, P + 1))}, pc.InputError, "fitted with 5"),
        (lambda: fitted(RandomForestRegressor(2)), {"background": np.zeros((0, P))}, pc.InputError, "empty"),
        (one_against_all, PROBABILITY, pc.MethodError, "multiclassova"),
        (lambda: fitted(GradientBoostingClassifier(n_estimators=2)), PROBABILITY, pc.MethodError, "margin"),
        (lambda: fitted(lightgbm.LGBMClassifier(n_estimators=2, verbose=-1)), PROBABILITY, pc.MethodError, "logistic"),
        (lambda: fitted(HistGradientBoostingRegressor(loss="poisson", max_iter=2)), {}, pc.MethodError, "poisson"),
        (lambda: fitted(lightgbm.LGBMRegressor(objective="poisson", n_estimators=2, verbose=-1)), {}, pc.MethodError, "poisson"),
        (lambda: fitted(lightgbm.LGBMRegressor(linear_tree=True, n_estimators=2, verbose=-1)), {}, pc.ModelError, "linear"),
        (lambda: fitted(GradientBoostingRegressor(init=LinearRegression(), n_estimators=2)), {}, pc.ModelError, "init"),
        (lambda: fitted(make_pipeline(PCA(2), DecisionTreeRegressor())), {}, pc.MethodError, "PCA"),
        (lambda: (lambda x: x[:, 0]), {}, pc.MethodError, "estimator itself"),
        (lambda: fitted(RandomForestRegressor(2)), {"target": lambda out: out[:, 0] ** 2}, pc.TargetError, "KernelShap"),
        (lambda: fitted(GradientBoostingRegressor(n_estimators=2)), {"background": np.full((2, P), np.nan)}, pc.InputError, "NaN"),
        (lambda: fitted(RandomForestRegressor(2)), {"masker": pc.Columns()}, pc.MethodError, "masker"),
        (lambda: fitted(RandomForestRegressor(2)), {"background": np.zeros((3, P + 1))}, pc.InputError, "alike"),
    ],
)  # fmt: skip
def test_refused_with_a_remedy(model, arguments, error, said):
    X, _ = table()
    with pytest.raises(error, match=said):
        pc.explain(model(), **{"x": X[:2], "method": TreeShap(), **arguments})


def test_interact_asks_for_a_method_that_can():
    X, y = table()
    with pytest.raises(pc.MethodError, match="TreeShap"):
        pc.interact(DecisionTreeRegressor(max_depth=2).fit(X, y), X[:2], pc.Occlusion(), background=X[:5])


def test_an_infinite_leaf_is_refused():
    X, y = table()
    model = DecisionTreeRegressor(max_depth=2).fit(X, y)
    model.tree_.value[-1] = np.inf
    with pytest.raises(pc.PellucidError, match="infin"):
        pc.explain(model, X[:2], TreeShap())


def test_what_does_not_add_up_is_named(monkeypatch):
    X, y = table()
    model = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X, y)
    true = type(model).predict
    monkeypatch.setattr(type(model), "predict", lambda self, x: true(self, x).astype(np.float32))
    (said,) = pc.explain(model, X[:5], TreeShap()).receipt.warnings
    assert said.startswith("float tolerance")
    monkeypatch.setattr(type(model), "predict", lambda self, x: true(self, x) + 0.5)
    said = " ".join(pc.explain(model, X[:5], TreeShap()).receipt.warnings)
    assert "unsupported feature" in said


def test_the_answer_does_not_depend_on_threads(monkeypatch):
    X, y = table(600)
    model = RandomForestRegressor(30, random_state=0).fit(X, y)
    monkeypatch.setattr(pool, "_SMALL", 0)
    answers = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        a = pc.explain(model, X[:100], TreeShap(), background=X[100:130])
        answers.append((a.values, a.stderr, pc.explain(model, X[:100], TreeShap()).values))
    for other in answers[1:]:
        assert all(np.array_equal(u, w) for u, w in zip(answers[0], other, strict=True))
