"""Probabilities, losses and other numbers behind a link: against single-reference games over all coalitions of each sum, and
the mean slope of the link worked out from the models' own answers or by brute integration. Isolation forests."""

import lightgbm
import numpy as np
import pytest
import xgboost
from scipy.special import expit, softmax
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)

import pellucid as pc
import tree_brute as brute
from pellucid.core import spelling
from pellucid.methods.shapley.tree import TreeShap
from pellucid.models.tree import groups

P, CLOSE = 5, 1e-10
QUIET = {"verbose": -1, "n_jobs": 1, "min_child_samples": 4}


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, P))
    X[:, 4] = np.round(X[:, 4])
    return X, X[:, 0] ** 2 + X[:, 1] * X[:, 2] + X[:, 4] + 0.3 * rng.normal(size=n)


def carried(sums, number, x, background):
    """sums: rows -> (n, m). number: sums (m,) -> a number. Each background row's share of the values (b, p)."""
    found = []
    for b in background:
        games = np.array(
            [brute.by_masking(lambda z, k=k: sums(z)[:, k], x, b[None]) for k in range(sums(x[None]).shape[1])]
        )
        each = np.array([brute.shapley(v) for v in games])  # (m, p)
        found.append(each.T @ mean_slope(number, games[:, 0], games[:, -1]))
    return np.array(found)


def mean_slope(number, start, end):
    """The integral of the gradient along a straight line, by differences: one sum needs none of it."""
    if len(start) == 1 and abs(end[0] - start[0]) < 1e-12:
        return np.array([(number(end + 1e-5) - number(end - 1e-5)) / 2e-5])
    if len(start) == 1:
        return np.array([(number(end) - number(start)) / (end[0] - start[0])])
    s, step = (np.arange(2000) + 0.5) / 2000, 1e-5
    points = start + s[:, None] * (end - start)
    return np.array(
        [np.mean(number(points + step * e) - number(points - step * e)) / (2 * step) for e in np.eye(len(start))]
    )


def column(out):
    return np.asarray(out, float).reshape(len(out), -1)


X, value = table()
TWO, THREE = (value > np.median(value)).astype(int), np.digitize(value, np.quantile(value, [0.3, 0.6]))
BINARY = [
    GradientBoostingClassifier(n_estimators=6, random_state=0),
    GradientBoostingClassifier(n_estimators=6, loss="exponential", random_state=0),
    HistGradientBoostingClassifier(max_iter=6, min_samples_leaf=5),
    lightgbm.LGBMClassifier(n_estimators=6, sigmoid=0.7, **QUIET),
]


def margin(model):
    if isinstance(model, lightgbm.LGBMClassifier):
        return lambda z: column(model.predict_proba(z, raw_score=True))
    return lambda z: column(model.decision_function(z))


@pytest.mark.parametrize("model", BINARY, ids=lambda m: f"{type(m).__name__} {getattr(m, 'loss', '')}")
def test_probability_and_log_loss_of_two_classes(model):
    model.fit(X, TWO)
    x, background = X[:2], X[20:26]
    a = pc.explain(model, x, TreeShap(), target=pc.Class(1, "probability"), background=background)
    loss = pc.explain(model, x, TreeShap(), target=pc.Loss(TWO[:2]), background=background)
    sharp = {"exponential": 2.0}.get(getattr(model, "loss", ""), getattr(model, "sigmoid", 1.0))
    for r in range(2):
        each = carried(margin(model), lambda m: expit(sharp * m[0]), x[r], background)
        np.testing.assert_allclose(a.values[r], each.mean(0), atol=CLOSE)
        wider = 2.5705818366147395 / 1.959963984540054  # Student's t with 5 degrees of freedom
        np.testing.assert_allclose(a.stderr[r], wider * each.std(0, ddof=1) / np.sqrt(6), atol=CLOSE)
        side = 1 if TWO[r] else -1
        each = carried(margin(model), lambda m, side=side: np.log1p(np.exp(-side * sharp * m[0])), x[r], background)
        np.testing.assert_allclose(loss.values[r], each.mean(0), atol=1e-9)
    assert len(background) <= groups.GROUPS  # so that each background row is a group of its own
    np.testing.assert_allclose(a.scores, model.predict_proba(x)[:, 1])
    np.testing.assert_allclose(loss.scores, -np.log(model.predict_proba(x)[[0, 1], TWO[:2]]))
    np.testing.assert_allclose(a.base_values, model.predict_proba(background)[:, 1].mean())
    assert np.abs(a.gap).max() < CLOSE and np.abs(loss.gap).max() < 1e-9
    assert "logistic" in a.receipt.warnings[0] and "logarithm" in loss.receipt.warnings[0]


@pytest.mark.parametrize(
    "make",
    [lambda: HistGradientBoostingClassifier(max_iter=4), lambda: lightgbm.LGBMClassifier(n_estimators=4, **QUIET)],
)
def test_several_classes_and_their_contrasts(make):
    model = make().fit(X, THREE)
    x, background = X[:1], X[20:23]
    numbers = {
        pc.Class(2, "probability"): lambda m: softmax(m, axis=-1)[..., 2],
        pc.Margin(0, 2, "probability"): lambda m: softmax(m, axis=-1) @ [1, 0, -1],
        pc.Class(1, "log loss"): lambda m: -np.log(softmax(m, axis=-1)[..., 1]),
    }
    for target, number in numbers.items():
        a = pc.explain(model, x, TreeShap(), target=target, background=background)
        np.testing.assert_allclose(a.values[0], carried(margin(model), number, x[0], background).mean(0), atol=1e-6)
        assert np.abs(a.gap).max() < CLOSE


def test_rows_with_different_targets_keep_their_own():
    model = lightgbm.LGBMClassifier(n_estimators=4, **QUIET).fit(X, THREE)
    all_rows = pc.explain(model, X[:3], TreeShap(), target=pc.Loss([2, 0, 1]), background=X[20:30])
    for r, label in enumerate((2, 0, 1)):
        one = pc.explain(model, X[r : r + 1], TreeShap(), target=pc.Class(label, "log loss"), background=X[20:30])
        np.testing.assert_allclose(all_rows.values[r], one.values[0], atol=1e-13)
    named = lightgbm.LGBMClassifier(n_estimators=4, **QUIET).fit(X, np.array(["a", "b", "c"])[THREE])
    same = pc.explain(named, X[:3], TreeShap(), target=pc.Loss(["c", "a", "b"]), background=X[20:30])
    np.testing.assert_allclose(same.values, all_rows.values, atol=1e-13)


def test_a_forest_s_log_loss_and_a_regressor_s_squared_error():
    forest = RandomForestClassifier(7, max_depth=4, random_state=0).fit(X, THREE)
    a = pc.explain(forest, X[:2], TreeShap(), target=pc.Loss(THREE[:2]), background=X[20:25])
    regressor = RandomForestRegressor(4, max_depth=4, random_state=0).fit(X, value)
    b = pc.explain(regressor, X[:2], TreeShap(), target=pc.Loss(value[:2]), background=X[20:25])
    for r in range(2):
        likely = lambda z, k=THREE[r]: forest.predict_proba(z)[:, [k]]  # noqa: E731
        each = carried(likely, lambda m: -np.log(max(m[0], 2.220446049250313e-16)), X[r], X[20:25])
        np.testing.assert_allclose(a.values[r], each.mean(0), atol=CLOSE)
        each = carried(lambda z: column(regressor.predict(z)), lambda m, y=value[r]: (m[0] - y) ** 2, X[r], X[20:25])
        np.testing.assert_allclose(b.values[r], each.mean(0), atol=CLOSE)
    np.testing.assert_allclose(b.scores, (regressor.predict(X[:2]) - value[:2]) ** 2)
    assert np.abs(a.gap).max() < CLOSE and np.abs(b.gap).max() < CLOSE
    assert "squared error" in b.receipt.warnings[0] and spelling.parse(repr(b.target)) == b.target


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(loss="poisson", max_iter=5),
        lightgbm.LGBMRegressor(objective="tweedie", n_estimators=5, **QUIET),
        xgboost.XGBRegressor(objective="count:poisson", n_estimators=5),
        xgboost.XGBRegressor(objective="reg:gamma", n_estimators=5),
    ],
    ids=lambda m: f"{type(m).__name__} {m.loss if hasattr(m, 'loss') else m.objective}",
)
def test_regressors_with_an_exponential(model):
    model.fit(X, np.exp(value / 4))
    a = pc.explain(model, X[:2], TreeShap(), background=X[20:25])
    each = carried(lambda z: column(np.log(model.predict(z).astype(float))), lambda m: np.exp(m[0]), X[0], X[20:25])
    np.testing.assert_allclose(a.values[0], each.mean(0), atol=1e-6)
    assert np.abs(a.gap).max() < 1e-6
    with pytest.raises(pc.MethodError, match="give background rows"):
        pc.explain(model, X[:2], TreeShap())


def test_xgboost_s_probability_and_loss():
    model = xgboost.XGBClassifier(n_estimators=5).fit(X, TWO)
    a = pc.explain(model, X[:2], TreeShap(), target=pc.Class(1, "probability"), background=X[20:25])
    b = pc.explain(model, X[:2], TreeShap(), target=pc.Loss(TWO[:2]), background=X[20:25])
    sums = lambda z: column(model.predict(z, output_margin=True))  # noqa: E731
    each = carried(sums, lambda m: expit(m[0]), X[0], X[20:25])
    np.testing.assert_allclose(a.values[0], each.mean(0), atol=1e-6)
    side = 1 if TWO[0] else -1
    np.testing.assert_allclose(
        b.values[0], carried(sums, lambda m: np.log1p(np.exp(-side * m[0])), X[0], X[20:25]).mean(0), atol=1e-6
    )
    assert max(np.abs(a.gap).max(), np.abs(b.gap).max()) < 1e-6


def test_as_shap_has_it():
    shap = pytest.importorskip("shap")
    model = lightgbm.LGBMClassifier(n_estimators=20, **QUIET).fit(X, TWO)
    background = X[100:150]
    for output, target, extra in (
        ("probability", pc.Class(1, "probability"), {}),
        ("log_loss", pc.Loss(TWO[:9]), {"y": TWO[:9]}),
    ):
        theirs = shap.TreeExplainer(model, background, model_output=output).shap_values(X[:9], **extra)
        ours = pc.explain(model, X[:9], TreeShap(), target=target, background=background)
        np.testing.assert_allclose(ours.values, theirs, atol=1e-6)


def test_background_rows_with_the_same_sum_use_the_slope_there():
    stump = lightgbm.LGBMClassifier(n_estimators=1, num_leaves=2, verbose=-1).fit(X, TWO)
    a = pc.explain(stump, X[:20], TreeShap(), target=pc.Class(1, "probability"), background=X[:1])
    assert np.abs(a.gap).max() < CLOSE and a.values.any()
    same = stump.predict_proba(X[:20])[:, 1] == stump.predict_proba(X[:1])[0, 1]
    assert same.any() and not a.values[same].any() and a.stderr is None
    assert any("one row" in said for said in a.receipt.warnings)


@pytest.mark.parametrize("options", [{}, {"max_features": 3, "contamination": 0.1}, {"max_samples": 1}], ids=str)
def test_isolation_forests(options):
    model = IsolationForest(n_estimators=12, random_state=0, **options).fit(X)
    x, background = X[:3], X[20:26]
    depth = lambda z: -np.log2(-model.score_samples(z))  # noqa: E731
    a = pc.explain(model, x, TreeShap(), target=pc.Output(0, "depth"), background=background)
    score = pc.explain(model, x, TreeShap(), background=background)
    for r in range(3):
        np.testing.assert_allclose(a.values[r], brute.shapley(brute.by_masking(depth, x[r], background)), atol=CLOSE)
        if options.get("max_samples") != 1:
            each = carried(lambda z: column(depth(z)), lambda m: -(2 ** -m[0]), x[r], background)
            np.testing.assert_allclose(score.values[r], each.mean(0), atol=CLOSE)
    alone = pc.explain(model, x, TreeShap(), target=pc.Output(0, "depth"))
    np.testing.assert_allclose(score.scores, model.decision_function(x), atol=CLOSE)
    assert max(np.abs(b.gap).max() for b in (a, alone, score)) < CLOSE
    with pytest.raises(pc.MethodError, match="'depth'"):
        pc.explain(model, x, TreeShap())


@pytest.mark.parametrize(
    ("target", "said"),
    [(pc.Loss([7, 0]), "none of the model's classes"), (pc.Loss([1]), "1 targets for 2 rows")],
)
def test_true_labels_that_do_not_fit(target, said):
    model = RandomForestClassifier(2, random_state=0).fit(X, TWO)
    with pytest.raises(pc.TargetError, match=said):
        pc.explain(model, X[:2], TreeShap(), target=target, background=X[:5])


def test_true_values_that_do_not_fit():
    model = RandomForestRegressor(2, random_state=0).fit(X, np.stack([value, value], axis=1))
    for y, said in (([1.0, 2.0], "one output"), ([np.nan, 1.0], "NaN"), (["a", "b"], "numbers")):
        fitted = model if said == "one output" else RandomForestRegressor(2, random_state=0).fit(X, value)
        with pytest.raises(pc.TargetError, match=said):
            pc.explain(fitted, X[:2], TreeShap(), target=pc.Loss(y), background=X[:5])


def test_no_interactions_behind_a_link():
    model = GradientBoostingClassifier(n_estimators=2).fit(X, TWO)
    with pytest.raises(pc.MethodError, match="ExactShapley"):
        pc.interact(model, X[:2], TreeShap(), target=pc.Class(1, "probability"), background=X[:5])


def test_a_loss_can_be_explained_by_methods_that_only_ask():
    model = RandomForestRegressor(3, max_depth=3, random_state=0).fit(X, value)
    a = pc.explain(model, X[:3], pc.ExactShapley(), target=pc.Loss(value[:3]), background=X[20:30])
    assert np.abs(a.gap).max() < CLOSE
    np.testing.assert_allclose(a[1:].target.y, value[1:3])
    boosted = HistGradientBoostingClassifier(max_iter=4).fit(X, TWO)
    b = pc.explain(boosted, X[:3], pc.ExactShapley(), target=pc.Loss(TWO[:3]), background=X[20:30])
    np.testing.assert_allclose(b.scores, -np.log(boosted.predict_proba(X[:3])[np.arange(3), TWO[:3]]))


def test_where_both_rows_have_the_same_sum_the_slope_is_the_derivative():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    model = RandomForestRegressor(1, bootstrap=False, random_state=0).fit(corners, corners @ [1.0, -1.0])
    a = pc.explain(model, corners[3:], TreeShap(), target=pc.Loss([3.0]), background=corners[:1])
    np.testing.assert_allclose(a.values[0], [-6.0, 6.0], atol=CLOSE)  # (1, -1) times 2 (0 - 3)
