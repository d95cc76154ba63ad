"""LIME: the ridge by a dense solve, the kernel by the oracles, slopes and errors by closed form, missing and still columns."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import pellucid as pc
from oracles import oracle
from pellucid.core.method import Neighbourhood
from pellucid.core.schema import Column, Schema
from pellucid.methods.removal.lime_fit import weighted_ridge
from pellucid.methods.removal.lime_kernel import distances, proximity

SQRT2 = np.sqrt(2)


def background(rows=200, columns=3, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)) * np.arange(1, columns + 1) + 5


def wavy(X):
    return np.sin(X[:, 0]) * X[:, 1] + 0.1 * X[:, -1] ** 2


def dense_ridge(features, weights, y, penalty):
    """Normal equations of the whole design, the intercept a column of its own without penalty: (intercept, slopes)."""
    design = np.column_stack([np.ones(len(features)), features])
    free = penalty * np.diag([0.0] + [1.0] * features.shape[1])
    solved = np.linalg.solve(design.T @ np.diag(weights) @ design + free, design.T @ (weights * y))
    return solved[0], solved[1:]


# --- the kernel and the ridge -----------------------------------------------------------------------------------------

MASKS = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], float)
KERNELS = {  # the paper's width s is sqrt(2) times the lime package's
    "seed_kernel_exp(-d2/s2)_s1": 1 / SQRT2,
    "lime_pkg_kernel_sqrt_s1": 1.0,
    "seed_s0.5": 0.5 / SQRT2,
    "seed_s1.3_(.75sqrt3)": 0.75 * np.sqrt(3) / SQRT2,
    "pkg_s1.3": 0.75 * np.sqrt(3),
}


@pytest.mark.parametrize("name", KERNELS)
def test_all_masks_of_a_game_under_both_kernels(name):
    entry = oracle("LIME-1")
    expected, tol = entry["expected"][name], entry["tol"]
    weights = proximity(distances(MASKS, np.ones(3), "euclidean"), KERNELS[name])
    y = (MASKS[:, 0] * MASKS[:, 1] + 2 * MASKS[:, 2])[:, None]
    free, shrunk = weighted_ridge(MASKS, weights, y, 0), weighted_ridge(MASKS, weights, y, 1.0)
    np.testing.assert_allclose(free.coefficients[0], expected["coef"], atol=tol)
    np.testing.assert_allclose(free.intercept, expected["intercept"], atol=tol)
    np.testing.assert_allclose(shrunk.coefficients[0], expected["ridge_alpha1_coef"], atol=tol)
    np.testing.assert_allclose(shrunk.intercept, expected["ridge_alpha1_intercept"], atol=tol)
    assert expected["q"] == pytest.approx(1 / (1 + np.exp(-0.5 / KERNELS[name] ** 2)))


def test_cosine_distance_of_masks():
    entry = oracle("LIME-COS")
    expected, tol = entry["expected"], entry["tol"]
    distance = distances(np.array([[1, 1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0]]), np.ones(3), "cosine")
    np.testing.assert_allclose(distance, [expected["m2"], expected["m1"], 0, 1], atol=tol)
    assert proximity(distance, 0.25)[0] == pytest.approx(expected["image_weight_m2"], abs=tol)
    assert proximity(100 * distance, 25)[0] == pytest.approx(expected["text_weight_m2"], abs=tol)


def test_presence_of_a_linear_games_players_without_penalty():
    w, b, x, start = np.array([2, -3, 0.5]), 1, np.array([1, 2, 4]), np.array([0.5, 0, -2])
    y = (start + MASKS * (x - start)) @ w + b
    weights = proximity(distances(MASKS, np.ones(3), "euclidean"), 1.0)
    entry = oracle("LIN-1")
    found = weighted_ridge(MASKS, weights, y[:, None], 0)
    np.testing.assert_allclose(found.coefficients[0], entry["expected"]["presence_LIME_no_penalty"], atol=entry["tol"])
    assert found.intercept + found.coefficients.sum() == pytest.approx(entry["expected"]["f_x"])
    assert found.r2 == pytest.approx(1)


@settings(max_examples=30)
@given(
    arrays(float, (12, 3), elements=st.integers(-20, 20).map(float)),
    arrays(float, 12, elements=st.floats(0.01, 1)),
    arrays(float, (12, 2), elements=st.floats(-5, 5)),
    st.sampled_from([0.1, 1.0, 30.0]),
)
def test_the_ridge_solves_the_dense_normal_equations(features, weights, y, penalty):
    found = weighted_ridge(features, weights, y, penalty)
    for k in range(2):
        intercept, slopes = dense_ridge(features, weights, y[:, k], penalty)
        np.testing.assert_allclose(found.coefficients[k], slopes, atol=1e-9)
        np.testing.assert_allclose(found.intercept[k], intercept, atol=1e-8)


def test_the_standard_error_is_the_jackknifes():
    """Left out one by one, the samples move the slopes by as much as the sandwich with leverages says."""
    rng = np.random.default_rng(0)
    z, weights = rng.normal(size=(15, 2)), rng.random(15)
    y = np.exp(z[:, :1])
    whole = weighted_ridge(z, weights, y, 0)
    without = [weighted_ridge(*(np.delete(a, i, axis=0) for a in (z, weights, y)), 0).coefficients for i in range(15)]
    spread = np.sqrt(((np.array(without) - whole.coefficients) ** 2).sum(axis=0))
    np.testing.assert_allclose(whole.stderr, spread, rtol=1e-9)


def test_r2_stands_between_nothing_and_everything():
    rng = np.random.default_rng(0)
    z, weights = rng.normal(size=(4000, 2)), rng.random(4000)
    y = np.column_stack([z[:, 0] + 3, z[:, 0] + rng.normal(size=4000), rng.normal(size=4000), np.full(4000, 0.3)])
    r2 = weighted_ridge(z, weights, y, 1.0).r2
    np.testing.assert_allclose(r2, [1, 0.5, 0, 1], atol=0.05)
    theirs = Ridge(alpha=1.0).fit(z, y[:, 1], weights).score(z, y[:, 1], weights)
    assert r2[1] == pytest.approx(theirs, abs=1e-12)


def test_a_feature_that_never_changes_is_left_out_and_says_so():
    z = np.random.default_rng(0).normal(size=(50, 3))
    z[:, 1] = 0.1
    found = weighted_ridge(z, np.ones(50), z[:, :1], 0.0)
    np.testing.assert_allclose(found.coefficients, [[1, 0, 0]], atol=1e-12)
    assert np.isnan(found.stderr[0, 1]) and np.isfinite(found.stderr[0, [0, 2]]).all()


def test_features_that_always_change_together_share_the_effect():
    z = np.random.default_rng(0).normal(size=(50, 1)) @ np.ones((1, 2))
    np.testing.assert_allclose(weighted_ridge(z, np.ones(50), 2 * z[:, :1], 0.0).coefficients, [[1, 1]], atol=1e-9)


def test_the_effective_number_of_samples():
    z, y = np.random.default_rng(0).normal(size=(10, 1)), np.ones((10, 1))
    assert weighted_ridge(z, np.full(10, 1e-200), y, 1.0).effective == pytest.approx(10)
    assert weighted_ridge(z, np.r_[1.0, 1.0, np.zeros(8)], y, 1.0).effective == pytest.approx(2)
    with pytest.raises(pc.MethodError, match="larger kernel_width"):
        weighted_ridge(z, np.zeros(10), y, 1.0)


# --- LIME on its own samples ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [0, 1.0, 50])
@pytest.mark.parametrize("kind", ["numbers", "mixed"])
def test_equals_the_dense_ridge_on_its_own_samples(kind, penalty):
    method = pc.LIME(samples=300, penalty=penalty, kernel_width=1.2, seed=4)
    if kind == "numbers":
        B = background()
        x, hood, f = B[:4] + 0.3, Neighbourhood(B, None), wavy
        record = pc.explain(f, x, method, background=B)
    else:
        frame, model = survey()
        record = pc.explain(model, frame[:4], method, background=frame[4:], target=1)
        codec = pc.core.frames.Codec.learn(frame[:4], frame[4:])
        x, hood = codec.encode(frame[:4]), Neighbourhood(codec.encode(frame[4:]), codec.schema)
        f = lambda z: model.decision_function(codec.decode(z))  # noqa: E731
    near = method.neighbours(x, hood, method.stream())
    assert near.points.shape == near.features.shape == (300, *x.shape) and near.weights.shape == (300, 4)
    for i in range(4):
        _, slopes = dense_ridge(near.features[:, i], near.weights[:, i], f(near.points[:, i]), penalty)
        np.testing.assert_allclose(record.values[i], slopes, atol=1e-10)


def test_the_weights_are_the_stated_kernel():
    B = background()
    near = pc.LIME(samples=50).neighbours(B[:2], Neighbourhood(B, None), np.random.default_rng(0))
    away = (near.points - B[:2]) / B.std(axis=0)
    np.testing.assert_allclose(near.features, away, atol=1e-12)
    width = 0.75 * np.sqrt(3)
    np.testing.assert_allclose(near.weights, np.exp(-(away**2).sum(axis=2) / (2 * width**2)))
    np.testing.assert_allclose(near.features[:, 0], near.features[:, 1])  # one noise for all rows


@settings(max_examples=25)
@given(
    arrays(float, 4, elements=st.floats(-5, 5)),
    arrays(float, (1, 4), elements=st.floats(-100, 100)),
    st.integers(0, 20),
)
def test_the_slopes_of_a_linear_model_are_its_weights_per_standard_deviation(w, x, seed):
    B = background(columns=4)
    method = pc.LIME(samples=100, penalty=0, seed=seed)
    a = pc.explain(lambda X: X @ w + 2, x, method, background=B)
    np.testing.assert_allclose(a.values, [w * B.std(axis=0)], atol=1e-9)
    np.testing.assert_allclose(a.fit, 1)


def test_the_founding_texts_patient():
    """A linear risk in standardised features gives back its table, and the ratios between its lines."""
    table = {"Age": 0.12, "Cholesterol": -0.05, "BP": 0.18, "Gender": 0.01}
    X = np.random.default_rng(0).normal(size=(400, 4))
    X = (X - X.mean(0)) / X.std(0)
    frame = pd.DataFrame(X, columns=list(table))
    a = pc.explain(lambda f: f.to_numpy() @ list(table.values()), frame[:1], pc.LIME(), background=frame)
    found = dict(a.top(4))
    assert list(found) == ["BP", "Age", "Cholesterol", "Gender"]
    assert found == pytest.approx(table, rel=1e-3)
    expected = oracle("SEED-LIME")["expected"]
    assert found["Age"] / found["BP"] == pytest.approx(expected["age_ratio"], rel=2e-3)
    assert found["Gender"] / found["BP"] == pytest.approx(expected["gender_ratio"], rel=2e-3)


def test_the_penalty_is_inside_the_standard_error():
    """A linear model has no sampling error; what is left is the ridge's pull, and the stated error says so."""
    B, w = background(), np.array([6.0, 3, -2])
    a = pc.explain(lambda X: X @ w, B[:2], pc.LIME(samples=60), background=B)
    off = np.abs(a.values - w * B.std(axis=0))
    assert (off > 1e-3).all() and (off <= 1.96 * a.stderr).all() and (a.stderr < 1.2 * off).all()


def exponential(seed=1):
    """f = exp(a . numbers) + effect[level], and its slopes under infinitely many samples (levels 0, 1, 2 of a column).

    Weighted by the kernel, noise is normal with variance s2 = w^2 / (1 + w^2) and independent of whether the level is kept:
    cov(e_j, exp(c . e)) / s2 = c_j exp(c . c s2 / 2), and the level's part is the mean difference from the other levels.
    """
    B = np.random.default_rng(seed).normal(size=(300, 3))
    B = np.column_stack([B, np.random.default_rng(seed).choice(3, 300, p=[0.2, 0.3, 0.5])])
    a, effect, x = np.array([0.5, -1.0, 0.2]), np.array([0.0, 1.0, 3.0]), np.array([[0.3, -0.2, 1.0, 1.0]])
    f = lambda X: np.exp(X[..., :3] @ a) + effect[X[..., 3].astype(int)]  # noqa: E731
    columns = [Column(name, "number", "float64") for name in "abc"] + [Column("d", "level", "object", (0, 1, 2))]
    width = 0.75 * np.sqrt(4)
    c, s2 = a * B[:, :3].std(axis=0), width**2 / (1 + width**2)
    other = np.average([0.0, 3.0], weights=[(B[:, 3] == 0).sum(), (B[:, 3] == 2).sum()])
    slopes = np.append(c * np.exp(x[0, :3] @ a + c @ c * s2 / 2), 1 - other)
    return f, x, Neighbourhood(B, Schema(tuple(columns), "pandas")), slopes


class Plain:
    """A function as a scalar without a budget."""

    schema, channels = None, None

    def __init__(self, function):
        from pellucid.core.budget import Meter

        self.function, self.meter = function, Meter()

    def __call__(self, x):
        return self.function(x)


def test_many_samples_reach_the_closed_form():
    f, x, hood, slopes = exponential()
    method = pc.LIME(samples=200_000, seed=1)
    parts = method.attribute(Plain(f), x, hood, method.stream())
    assert (np.abs(parts.values[0] - slopes) < 4 * parts.stderr[0]).all()
    assert (parts.stderr < 0.01).all()


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1000, 5000])
def test_the_interval_covers_the_large_sample_limit(samples):
    f, x, hood, slopes = exponential()
    hits = np.zeros(4)
    for seed in range(1000):
        method = pc.LIME(samples=samples, seed=seed)
        parts = method.attribute(Plain(f), x, hood, method.stream())
        hits += np.abs(parts.values[0] - slopes) <= 1.96 * parts.stderr[0]
    assert (hits >= 930).all() and (hits <= 970).all(), hits


@pytest.mark.slow
def test_agrees_with_the_lime_package_on_the_same_law():
    from lime.lime_tabular import LimeTabularExplainer

    B = background(columns=4)
    x = B[:1] + 0.5
    peer = LimeTabularExplainer(
        B, mode="regression", discretize_continuous=False, sample_around_instance=True, random_state=0
    )
    theirs = peer.explain_instance(x[0], wavy, num_samples=40_000, num_features=4)
    ours = pc.explain(wavy, x, pc.LIME(samples=40_000), background=B)
    slopes = np.zeros(4)
    for j, value in theirs.local_exp[1]:
        slopes[j] = value
    assert (np.abs(slopes - ours.values[0]) < 4 * SQRT2 * ours.stderr[0]).all()
    assert ours.fit[0] == pytest.approx(theirs.score, abs=0.02)


# --- what LIME promises of its record ---------------------------------------------------------------------------------


def test_the_record():
    """The square of a distance is nearly linear far from its minimum, and not at all there."""
    B = background()
    x = np.array([[5.0, 5, 5], [5.1, 5, 5], [8, 5, 5], [2, 5, 5]])
    a = pc.explain(lambda X: (X[:, 0] - 5) ** 2, x, pc.LIME(samples=400), background=B)
    assert np.isnan(a.base_values).all() and np.isnan(a.gap).all()
    assert a.stderr.shape == a.values.shape and a.fit.shape == (4,)
    assert a.receipt.rows_forward == 4 + 4 * 400 and a.receipt.stderr == a.stderr.max()
    assert (a.fit < 0.5).tolist() == [True, True, False, False]
    assert (
        f"the linear surrogate follows less than half of the score's variation around 2 of 4 rows (smallest R2 {a.fit.min():.2g})"
        in a.receipt.warnings
    )


def test_a_row_gets_the_same_in_any_company():
    frame, model = survey()

    def explain(rows, **more):
        return pc.explain(model, rows, pc.LIME(samples=150), background=frame[20:], target=1, **more)

    whole = explain(frame[:6])
    turned = explain(frame[:6][::-1])
    alone = explain(frame[3:4], batch_size=17)
    np.testing.assert_allclose(turned.values[::-1], whole.values, atol=1e-11)
    np.testing.assert_allclose(turned.stderr[::-1], whole.stderr, atol=1e-11)
    np.testing.assert_allclose(alone.values[0], whole.values[3], atol=1e-11)


def test_many_rows_come_in_blocks_with_the_same_neighbours(monkeypatch):
    from pellucid.methods import run

    B, sizes = background(), []

    def f(X):
        sizes.append(len(X))
        return wavy(X)

    whole = pc.explain(f, B[:7], pc.LIME(samples=100), background=B)
    assert max(sizes) == 700
    sizes.clear()
    monkeypatch.setattr(run, "_BLOCK_CELLS", 4 * 100 * 3)
    blocks = pc.explain(f, B[:7], pc.LIME(samples=100), background=B)
    assert max(sizes) == 300
    np.testing.assert_allclose(blocks.values, whole.values, atol=1e-12)


def test_every_field_matters():
    B = background()
    base = pc.LIME(samples=100)
    values = lambda method: pc.explain(wavy, B[:2], method, background=B).values  # noqa: E731
    first = values(base)
    np.testing.assert_array_equal(first, values(pc.LIME(samples=100)))
    for other in (
        pc.LIME(samples=101),
        pc.LIME(samples=100, kernel_width=2.0),
        pc.LIME(samples=100, penalty=2.0),
        pc.LIME(samples=100, seed=1),
    ):
        assert (values(other) != first).all(), other
    np.testing.assert_array_equal(first, values(pc.LIME(samples=100, kernel_width=0.75 * np.sqrt(3))))


def test_a_narrow_kernel_is_unstable_and_says_so():
    B = background(columns=6)
    narrow, wide = (pc.explain(wavy, B[:1], pc.LIME(kernel_width=w), background=B) for w in (0.3, None))
    assert narrow.stderr.max() > 5 * wide.stderr.max()
    assert any("5000 neighbours of a row count like" in w for w in narrow.receipt.warnings)
    assert not any("count like" in w for w in wide.receipt.warnings)
    with pytest.raises(pc.MethodError, match="larger kernel_width"):
        pc.explain(wavy, B[:1], pc.LIME(kernel_width=1e-3), background=B)


def test_a_score_that_does_not_move_is_said_to():
    B = background()
    a = pc.explain(lambda X: np.full(len(X), 0.1), B[:2], pc.LIME(samples=50), background=B)
    assert not a.values.any() and (a.fit == 1).all()
    assert any("the same for all neighbours of 2 of 2 rows" in w for w in a.receipt.warnings)


# --- columns of many kinds --------------------------------------------------------------------------------------------


def survey(rows=80, seed=0):
    """A frame of all kinds with gaps, and a pipeline that takes it."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "city": pd.Categorical(rng.choice(["Rome", "Oslo", "Lima"], rows, p=[0.6, 0.3, 0.1])),
            "age": rng.integers(18, 80, rows),
            "income": np.where(rng.random(rows) < 0.15, np.nan, rng.normal(30, 9, rows)),
            "member": rng.random(rows) < 0.5,
            "visits": rng.poisson(2, rows),
        }
    )
    y = (frame["city"] == "Rome") ^ (frame["age"] > 50)
    encode = make_column_transformer((OneHotEncoder(), ["city", "visits"]), remainder="passthrough")
    return frame, make_pipeline(encode, HistGradientBoostingClassifier(max_iter=15)).fit(frame, y)


def test_frames_of_all_kinds_with_gaps():
    """Whole numbers stay among the background's values: a one-hot encoder of `visits` knows no others."""
    frame, model = survey()
    a = pc.explain(model, frame[:10], pc.LIME(samples=300), background=frame, target=1)
    assert np.isfinite(a.values).all() and np.isfinite(a.stderr).all()
    assert a.top(2, 0)[0][0] in ("city", "age")
    missing = frame["income"][:10].isna()
    assert missing.any() and not missing.all()


def frame_of(column, **dtype):
    return pd.DataFrame({"a": np.linspace(-1, 1, len(column)), "b": pd.Series(column, **dtype)})


def test_a_levels_value_is_the_effect_of_keeping_it_over_the_others():
    hood = frame_of(["u"] * 10 + ["v"] * 20 + ["w"] * 30, dtype="category")
    worth = {"u": 1.0, "v": 4.0, "w": 10.0}
    f = lambda frame: frame["b"].map(worth).astype(float).to_numpy()  # noqa: E731
    a = pc.explain(f, hood.iloc[[0, 10, 30]], pc.LIME(samples=20_000), background=hood)
    others = np.array([(4 * 20 + 10 * 30) / 50, (1 * 10 + 10 * 30) / 40, (1 * 10 + 4 * 20) / 30])
    assert (np.abs(a.values[:, 1] - ([1, 4, 10] - others)) < 4 * a.stderr[:, 1]).all()
    assert (np.abs(a.values[:, 0]) < 4 * a.stderr[:, 0]).all() and (a.stderr[:, 1] < 0.1).all()


def test_a_level_that_the_background_never_had():
    hood = frame_of(["u"] * 10 + ["v"] * 10)
    x = frame_of(["new"] * 2)
    a = pc.explain(lambda frame: (frame["b"] == "new") * 3.0, x, pc.LIME(penalty=0), background=hood)
    np.testing.assert_allclose(a.values[:, 1], 3)


def test_missing_is_a_level_of_its_own():
    hood = frame_of(["u", None] * 20)
    f = lambda frame: frame["b"].isna().to_numpy() * 2.0  # noqa: E731
    a = pc.explain(f, hood[:2], pc.LIME(samples=500, penalty=0), background=hood)
    np.testing.assert_allclose(a.values[:, 1], [-2, 2], atol=1e-10)


def test_a_missing_number_is_kept_or_replaced_by_one_that_the_background_has():
    B = background(columns=2)
    B[::3, 0] = np.nan
    x = np.array([[np.nan, 5.0], [4.0, 5.0]])
    f = lambda X: np.where(np.isnan(X[:, 0]), 7.0, X[:, 0]) + X[:, 1]  # noqa: E731
    near = pc.LIME(samples=400).neighbours(x, Neighbourhood(B, None), np.random.default_rng(0))
    drawn = near.points[:, 0, 0]
    kept = np.isnan(drawn)
    assert 150 < kept.sum() < 250 and np.isin(drawn[~kept], B[:, 0]).all() and len(np.unique(drawn[~kept])) > 50
    np.testing.assert_array_equal(near.features[:, 0, 0], kept)
    away = ~kept + near.features[:, 0, 1] ** 2  # another level is one unit away
    np.testing.assert_allclose(near.weights[:, 0], np.exp(-away / (2 * 0.75**2 * 2)))
    assert not np.isnan(near.points[:, 1]).any()
    a = pc.explain(f, x, pc.LIME(samples=20_000), background=B)
    assert abs(a.values[0, 0] - (7 - np.nanmean(B[:, 0]))) < 4 * a.stderr[0, 0]
    assert abs(a.values[1, 0] - np.nanstd(B[:, 0])) < 4 * a.stderr[1, 0]


def test_whole_numbers_stay_whole_and_among_known_values():
    hood = pd.DataFrame({"flag": [0, 0, 0, 1], "size": [1, 5, 9, 40]})
    x = pd.DataFrame({"flag": [1], "size": [7]})
    seen = []

    def f(frame):
        seen.append(frame)
        return frame["flag"] * 2.0 + frame["size"] * 0.5

    a = pc.explain(f, x, pc.LIME(penalty=0), background=hood)
    asked = pd.concat(seen[1:])  # after the row itself
    assert (asked.dtypes == "int64").all()
    assert set(asked["flag"]) == {0, 1} and set(asked["size"]) == {1, 5, 7, 9, 40}
    np.testing.assert_allclose(a.values, [[2 * hood["flag"].std(ddof=0), 0.5 * hood["size"].std(ddof=0)]])


def test_a_missing_whole_number():
    hood = frame_of([1, 2, 4, 8] * 5, dtype="Int64")
    x = pd.DataFrame({"a": [0.0, 0.0], "b": pd.array([None, 2], dtype="Int64")})

    def f(frame):
        return frame["b"].fillna(100).to_numpy(dtype=float)

    a = pc.explain(f, x, pc.LIME(samples=20_000), background=hood)
    assert abs(a.values[0, 1] - (100 - 15 / 4)) < 4 * a.stderr[0, 1]
    assert a.values[1, 1] > 0 and a.stderr[:, 1].max() < 0.1


def test_an_array_of_whole_numbers_stays_one():
    B = np.random.default_rng(0).integers(0, 5, (50, 2))
    kinds = []

    def f(X):
        kinds.append(X.dtype.kind)
        return X @ [1.0, -2.0]

    a = pc.explain(f, B[:3], pc.LIME(samples=200, penalty=0), background=B)
    assert set(kinds) == {"i"}
    np.testing.assert_allclose(a.values, [[1, -2] * B.std(axis=0)] * 3)
    mixed = pc.explain(lambda X: X @ [1.0, -2.0], B[:3], pc.LIME(samples=200, penalty=0), background=B + 0.5)
    np.testing.assert_allclose(mixed.values, a.values)


def test_single_precision_reaches_the_model():
    B = background().astype("float32")
    kinds = []

    def f(X):
        kinds.append(X.dtype)
        return X @ np.array([1.0, 2, 3], "float32")

    a = pc.explain(f, B[:2], pc.LIME(samples=300, penalty=0), background=B)
    assert set(kinds) == {np.dtype("float32")}
    np.testing.assert_allclose(a.values, [[1, 2, 3] * B.std(axis=0)] * 2, rtol=1e-4)


def test_columns_that_do_not_vary_get_nothing_and_a_warning():
    B = np.column_stack([background(columns=2), np.full(200, 0.1), np.full(200, np.nan)])
    x = B[:2].copy()
    x[1, 2:] = 3.0
    f = lambda X: X[:, 0] + 100 * X[:, 2] + np.nan_to_num(X[:, 3])  # noqa: E731
    a = pc.explain(f, x, pc.LIME(samples=300), background=B, names=list("abcd"))
    assert (a.values[:, 2:] == 0).all() and np.isnan(a.stderr[:, 2:]).all()
    assert (a.values[:, 0] > 0).all() and np.isfinite(a.stderr[:, :2]).all()
    assert any("2 of 4 columns (2, 3) did not vary" in w for w in a.receipt.warnings)
    named = pd.DataFrame(B, columns=list("abcd"))
    b = pc.explain(
        lambda frame: f(frame.to_numpy()), pd.DataFrame(x, columns=list("abcd")), pc.LIME(samples=300), background=named
    )
    assert any("2 of 4 columns ('c', 'd') did not vary" in w for w in b.receipt.warnings)
    np.testing.assert_allclose(b.values, a.values)


def test_a_flag_too_rare_to_move_is_not_called_unimportant():
    B = np.column_stack([np.zeros(20_000, int), np.arange(20_000) % 7])
    B[0, 0] = 1
    a = pc.explain(lambda X: X @ [5.0, 1.0], B[1:2], pc.LIME(samples=100), background=B)
    assert a.values[0, 0] == 0 and np.isnan(a.stderr[0, 0])
    assert any("1 of 2 columns (0) did not vary" in w for w in a.receipt.warnings)


def test_one_column():
    B = np.linspace(0, 9, 50)[:, None]
    a = pc.explain(lambda X: 3 * X[:, 0], B[:2], pc.LIME(samples=40, penalty=0), background=B)
    np.testing.assert_allclose(a.values, 3 * B.std())


# --- budget -----------------------------------------------------------------------------------------------------------


def test_a_budget_of_rows_keeps_what_there_is():
    B = background()
    a = pc.explain(wavy, B[:4], pc.LIME(), background=B, budget=pc.Budget(rows=2000))
    assert a.receipt.rows_forward == 2000 and a.done.all()
    same = pc.explain(wavy, B[:4], pc.LIME(samples=(2000 - 4) // 4), background=B)
    np.testing.assert_allclose(a.values, same.values, atol=1e-11)
    assert "only 499 of 5,000 neighbours a row were asked" in a.receipt.warnings
    assert any("sampling stopped at the budget of 2,000 model rows" in w for w in a.receipt.warnings)


def test_a_budget_of_seconds_stops_between_rounds():
    ticks = iter(range(10_000))
    budget = pc.Budget(seconds=12, clock=lambda: next(ticks))
    B = background()
    a = pc.explain(wavy, B[:4], pc.LIME(), background=B, budget=budget)
    rounds = (a.receipt.rows_forward / 4 - 1) / 256
    assert rounds == int(rounds) and 1 <= rounds < 5000 // 256 and np.isfinite(a.values).all()
    assert any("sampling stopped at the budget of 12 seconds" in w for w in a.receipt.warnings)


def test_a_spent_budget_still_gives_the_least_that_is_an_answer():
    B = background()
    a = pc.explain(wavy, B[:4], pc.LIME(), background=B, budget=pc.Budget(rows=1))
    assert a.receipt.rows_forward == 4 + 4 * (3 + 2) and np.isfinite(a.stderr).all()
    assert any("5 neighbours of a row count like" in w for w in a.receipt.warnings)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"samples": 0}, "samples=0"),
        ({"samples": 10.5}, "whole number"),
        ({"kernel_width": 0}, "kernel_width=0"),
        ({"kernel_width": "wide"}, "kernel_width='wide'"),
        ({"penalty": -1}, "penalty=-1"),
        ({"penalty": None}, "penalty=None"),
        ({"sampling": "far"}, "choose one of around, training"),
        ({"bins": 1}, "at least 2 bins"),
        ({"bins": "four"}, "whole number"),
        ({"distance": "crow"}, "choose one of euclidean, manhattan, chebyshev, cosine, shapley"),
        ({"loss": "hinge"}, "choose one of squared, logistic"),
        ({"selection": 3}, r"give HighestWeights\(\)"),
        ({"distance": "shapley", "loss": "logistic"}, "leave the others out"),
        ({"tolerance": 0}, "tolerance=0"),
    ],
)
def test_fields_out_of_range(fields, match):
    with pytest.raises(pc.MethodError, match=match):
        pc.LIME(**fields)


def test_refusals_name_cause_and_remedy():
    B = background()
    with pytest.raises(pc.InputError, match="needs background rows"):
        pc.explain(wavy, B[:1], pc.LIME())
    with pytest.raises(pc.InputError, match="no column of the 1 background rows varies"):
        pc.explain(wavy, B[:1], pc.LIME(), background=B[:1])
    with pytest.raises(pc.InputError, match="no column of the 4 background rows varies"):
        pc.explain(wavy, B[:1], pc.LIME(), background=np.full((4, 3), np.nan))
    with pytest.raises(pc.InputError, match=r"holds infinity \(feature 1\)"):
        pc.explain(wavy, B[:1], pc.LIME(), background=np.where(B[3, 1] == B, np.inf, B))
    with pytest.raises(pc.MethodError, match=r"LIME\(samples=4\) is too few for 3 columns: at least 5"):
        pc.explain(wavy, B[:1], pc.LIME(samples=4), background=B)
    with pytest.raises(pc.MethodError, match="give a masker, for example masker=Columns"):
        pc.explain(wavy, B[:1], pc.LIME(distance="shapley"), background=B)


def test_a_model_that_refuses_gaps_is_named():
    B = background()
    model = LinearRegression().fit(B, B[:, 0])
    x = B[:1].copy()
    x[0, 1] = np.nan
    with pytest.raises(pc.InputError, match="x holds NaN"):
        pc.explain(model, x, pc.LIME(), background=B)


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_logistic_model_by_probability_and_margin():
    """On the margin's scale a logistic model is linear; the probability's slopes have the same signs and are smaller."""
    B = background()
    model = LogisticRegression().fit(B, B[:, 0] - 0.2 * B[:, 2] > 4)
    margin = pc.explain(model, B[:3], pc.LIME(penalty=0), background=B, target=pc.Class(1, scale="margin"))
    np.testing.assert_allclose(margin.values, [model.coef_[0] * B.std(axis=0)] * 3, atol=1e-9)
    chance = pc.explain(model, B[:3], pc.LIME(), background=B)
    strong = np.abs(margin.values) > 0.5
    assert (np.sign(chance.values) == np.sign(margin.values))[strong].all()
    assert (np.abs(chance.values) < np.abs(margin.values))[strong].all()


@pytest.mark.slow
def test_a_forests_values_repeat_across_seeds_within_their_error():
    X, y = load_diabetes(return_X_y=True)
    model = RandomForestRegressor(30, random_state=0).fit(X, y)
    runs = [pc.explain(model, X[:2], pc.LIME(samples=1000, seed=s), background=X) for s in range(20)]
    values, stated = np.stack([r.values for r in runs]), np.stack([r.stderr for r in runs])
    np.testing.assert_allclose(values.std(axis=0, ddof=1) / stated.mean(axis=0), 1, atol=0.5)


def test_a_network_of_a_tables_columns():
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 2)
    B = torch.randn(50, 3)
    a = pc.explain(net, B[:3], pc.LIME(samples=300, penalty=0), background=B, target=1)
    np.testing.assert_allclose(
        a.values, [net.weight[1].detach().numpy() * B.numpy().std(axis=0)] * 3, rtol=1e-4, atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.realdata
def test_california_houses(data_dir):
    """What the founding text shows of one house holds for most: income raises the price, longitude and occupancy lower it."""
    houses = pd.read_csv(data_dir / "california_housing" / "california_housing.csv")
    y = houses.pop("MedHouseVal")
    order = np.random.default_rng(0).permutation(len(houses))
    train, held = order[:16_000], order[16_000:16_050]
    model = HistGradientBoostingRegressor(random_state=0).fit(houses.iloc[train], y.iloc[train])
    a = pc.explain(model, houses.iloc[held], pc.LIME(samples=1000), background=houses.iloc[train[:1000]])
    agree = dict(zip(a.feature_names, np.sign(a.values).mean(axis=0), strict=True))
    assert agree["MedInc"] > 0.8 and agree["Longitude"] < -0.8 and agree["AveOccup"] < -0.8
