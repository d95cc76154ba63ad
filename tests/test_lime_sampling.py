"""How LIME draws neighbours and what the surrogate is told: laws, bins, ordered levels, angles, stopping, failing models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

import pellucid as pc
from pellucid.core.method import Neighbourhood
from pellucid.core.schema import Column, Schema
from test_lime import background, dense_ridge, survey, wavy


def near(method, x, B, schema=None):
    return method.neighbours(x, Neighbourhood(B, schema), method.stream())


# --- from the training data -------------------------------------------------------------------------------------------


def test_training_draws_follow_the_background_and_are_told_from_the_row():
    B, x = background(400), background()[:2] + np.array([[0.0], [9.0]])
    found = near(pc.LIME(samples=20_000, sampling="training"), x, B)
    np.testing.assert_array_equal(found.points[:, 0], found.points[:, 1])  # whatever the row
    drawn = found.points[:, 0]
    np.testing.assert_allclose((drawn.mean(0) - B.mean(0)) / B.std(0), 0, atol=0.03)
    np.testing.assert_allclose(drawn.std(0) / B.std(0), 1, atol=0.03)
    away = (found.points - x) / B.std(0)
    np.testing.assert_allclose(found.features, away, atol=1e-9)
    np.testing.assert_allclose(found.weights, np.exp(-(away**2).sum(2) / (2 * 0.75**2 * 3)))


def test_levels_of_the_training_data_come_as_often_as_there():
    B = np.random.default_rng(0).choice(3, (500, 1), p=[0.1, 0.3, 0.6]).astype(float)
    schema = Schema((Column("c", "level", "object", ("u", "v", "w")),), "pandas")
    found = near(pc.LIME(samples=10_000, sampling="training"), np.array([[0.0], [2.0]]), B, schema)
    share = [(found.points[:, 0, 0] == code).mean() for code in range(3)]
    np.testing.assert_allclose(share, [(code == B).mean() for code in range(3)], atol=0.02)
    for i, code in enumerate((0, 2)):
        np.testing.assert_array_equal(found.features[:, i, 0], found.points[:, i, 0] == code)


@pytest.mark.parametrize("sampling", ["around", "training"])
def test_the_slopes_of_a_linear_model_whatever_the_law(sampling):
    B, w = background(), np.array([2.0, -1, 0.5])
    a = pc.explain(lambda X: X @ w, B[:3], pc.LIME(samples=200, penalty=0, sampling=sampling), background=B)
    np.testing.assert_allclose(a.values, [w * B.std(axis=0)] * 3, atol=1e-8)


@pytest.mark.parametrize("distance", ["cosine", "manhattan", "chebyshev"])
@pytest.mark.parametrize("sampling", ["around", "training"])
@pytest.mark.parametrize("bins", [None, 3])
def test_every_law_and_distance_on_columns_of_all_kinds_is_its_own_dense_ridge(sampling, bins, distance):
    frame, model = survey()
    method = pc.LIME(samples=250, sampling=sampling, bins=bins, distance=distance, kernel_width=0.8, seed=3)
    record = pc.explain(model, frame[:5], method, background=frame[5:], target=1)
    codec = pc.core.frames.Codec.learn(frame[:5], frame[5:])
    x = codec.encode(frame[:5])
    found = near(method, x, codec.encode(frame[5:]), codec.schema)
    for i in range(5):
        y = model.decision_function(codec.decode(found.points[:, i]))
        _, slopes = dense_ridge(found.features[:, i], found.weights[:, i], y, 1.0)
        np.testing.assert_allclose(record.values[i], slopes, atol=1e-9)
    assert np.isfinite(record.values).all() and (record.fit > 0).all()


def test_angles_are_measured_from_the_background_mean():
    B, x = background(), background()[:2]
    for sampling in ("around", "training"):
        found = near(pc.LIME(samples=40, sampling=sampling, distance="cosine"), x, B)
        z, own = (found.points - B.mean(0)) / B.std(0), (x - B.mean(0)) / B.std(0)
        cosine = (z * own).sum(2) / np.sqrt((z**2).sum(2) * (own**2).sum(1))
        np.testing.assert_allclose(found.weights, np.exp(-((1 - cosine) ** 2) / (2 * 0.25**2)))


# --- bins -------------------------------------------------------------------------------------------------------------


def test_bins_are_the_background_quartiles_and_draws_its_values():
    B = np.arange(101.0)[:, None]
    found = near(pc.LIME(samples=8000, sampling="training", bins=4), np.array([[10.0], [25.0], [26.0], [99.0]]), B)
    drawn = found.points[:, 0, 0]
    assert np.isin(drawn, B).all() and len(np.unique(drawn)) == 101
    for i, (low, high) in enumerate([(0, 25), (0, 25), (25.5, 50), (75.5, 100)]):
        np.testing.assert_array_equal(found.features[:, i, 0], (drawn >= low) & (drawn <= high))
        assert found.features[:, i].mean() == pytest.approx(0.25, abs=0.02)


def test_a_step_is_found_by_its_bin():
    """f steps up by 3 above the median: being in the third bin rather than in another is worth 3 - 3 / 3 = 2."""
    B = np.random.default_rng(0).permutation(np.arange(4000.0)).reshape(1000, 4)
    f = lambda X: 3.0 * (X[:, 0] > np.median(B[:, 0]))  # noqa: E731
    method = pc.LIME(samples=40_000, sampling="training", bins=4, kernel_width=100.0, penalty=0)
    a = pc.explain(f, np.full((1, 4), 2500.0), method, background=B)
    assert a.values[0, 0] == pytest.approx(2, abs=0.05) and np.abs(a.values[0, 1:]).max() < 0.05


def test_around_the_row_bins_are_told_of_gaussian_neighbours():
    B, x = background(), background()[:2]
    found = near(pc.LIME(samples=300, bins=4), x, B)
    plain = near(pc.LIME(samples=300), x, B)
    np.testing.assert_array_equal(found.points, plain.points)
    edges = np.quantile(B, [0.25, 0.5, 0.75], axis=0)
    for i in range(2):
        for j in range(3):
            own = np.searchsorted(edges[:, j], x[i, j])
            np.testing.assert_array_equal(
                found.features[:, i, j], np.searchsorted(edges[:, j], found.points[:, i, j]) == own
            )


def test_missing_is_a_bin_of_its_own():
    B = background(300, 2)
    B[::3, 0] = np.nan
    x = np.array([[np.nan, 5.0], [5.0, 5.0]])
    f = lambda X: np.where(np.isnan(X[:, 0]), 9.0, 1.0)  # noqa: E731
    a = pc.explain(f, x, pc.LIME(samples=20_000, sampling="training", bins=2, penalty=0), background=B)
    assert a.values[0, 0] == pytest.approx(8)
    assert a.values[1, 0] == pytest.approx(-4, abs=0.2)  # the other half of the other rows is missing
    assert np.isfinite(a.stderr).all()


def test_a_column_mostly_zero_has_fewer_bins_and_one_whose_bin_is_everything_is_still():
    B = np.column_stack([np.r_[np.zeros(95), np.arange(1.0, 6)], np.arange(100.0), np.full(100, 2.0)])
    x = np.array([[0.0, 3, 2], [4.0, 3, 2]])
    a = pc.explain(lambda X: X[:, 0] > 0, x, pc.LIME(samples=4000, sampling="training", bins=4), background=B)
    assert a.values[0, 0] < -0.9 and a.values[1, 0] > 0.9
    assert (a.values[:, 2] == 0).all() and np.isnan(a.stderr[:, 2]).all()
    assert any("1 of 3 columns (2) did not vary" in w for w in a.receipt.warnings)


# --- ordered levels ---------------------------------------------------------------------------------------------------

SIZES = ["S", "M", "L", "XL"]


def test_ordered_levels_move_by_steps_and_get_a_slope():
    order = pd.CategoricalDtype(SIZES, ordered=True)
    rng = np.random.default_rng(0)
    hood = pd.DataFrame({"size": pd.Categorical(rng.choice(SIZES, 200), dtype=order), "age": rng.normal(size=200)})
    seen = set()

    def f(frame):
        seen.update(frame["size"])
        return 2.0 * frame["size"].cat.codes + frame["age"]

    a = pc.explain(f, hood[:4], pc.LIME(penalty=0), background=hood)
    np.testing.assert_allclose(a.values, [[2 * hood["size"].cat.codes.std(ddof=0), hood["age"].std(ddof=0)]] * 4)
    assert seen == set(SIZES)
    loose = hood.assign(size=hood["size"].astype(pd.CategoricalDtype(SIZES)))
    b = pc.explain(f, loose[:4], pc.LIME(samples=2000), background=loose)
    assert (np.abs(b.values[:, 0] - a.values[:, 0]) > 0.5).any()  # without an order: kept or not
    gap = hood.copy()
    gap.loc[0, "size"] = np.nan
    c = pc.explain(lambda t: f(t) * (t["size"].cat.codes >= 0), gap[:2], pc.LIME(samples=500), background=hood)
    assert np.isfinite(c.values).all()


# --- selection, loss and the stopping rule on tables ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pc.HighestWeights, pc.ForwardSelection, pc.LassoPath])
def test_each_row_keeps_its_own_features(kind):
    B = background(columns=5)
    f = lambda X: np.where(X[:, 0] > 5, X[:, 1], X[:, 2]) + 0.01 * X[:, 3]  # noqa: E731
    x = np.full((2, 5), 5.0)
    x[:, 0] = [9, 1]
    a = pc.explain(f, x, pc.LIME(samples=2000, selection=kind(1)), background=B)
    assert [np.flatnonzero(row).tolist() for row in a.values] == [[1], [2]]
    assert np.isfinite(a.stderr[0, 1]) and np.isnan(a.stderr[0, [0, 2, 3, 4]]).all()
    assert not any("did not vary" in w for w in a.receipt.warnings)


def test_the_logistic_loss_gives_the_log_odds_of_a_logistic_model():
    B, w = background(), np.array([0.8, -0.3, 0.1])
    f = lambda X: 1 / (1 + np.exp(-(X - 5) @ w))  # noqa: E731
    a = pc.explain(f, B[:2], pc.LIME(samples=400, loss="logistic", penalty=0), background=B)
    np.testing.assert_allclose(a.values, [w * B.std(axis=0)] * 2, atol=1e-7)
    np.testing.assert_allclose(a.fit, 1)
    with pytest.raises(pc.MethodError, match="is for probabilities"):
        pc.explain(wavy, B[:2], pc.LIME(loss="logistic"), background=B)


def test_rows_stop_by_themselves_at_the_tolerance():
    B = background()
    x = np.array([[5.0, 5, 5], [5, 5, 5.5]])
    f = lambda X: np.where(X[:, 2] > 5.2, 3.0, 0.1) * X[:, 0] + 0.01 * X[:, 1]  # noqa: E731
    a = pc.explain(f, x, pc.LIME(samples=50_000, tolerance=0.05), background=B)
    assert (a.stderr <= 0.05).all() and a.receipt.converged
    asked = a.receipt.rows_forward / 2 - 1
    assert 260 <= asked < 50_000 and not any("were asked" in w for w in a.receipt.warnings)
    alone = pc.explain(f, x[:1], pc.LIME(samples=50_000, tolerance=0.05), background=B)
    np.testing.assert_allclose(alone.values[0], a.values[0], atol=1e-11)
    short = pc.explain(f, x, pc.LIME(samples=600, tolerance=1e-3), background=B)
    assert short.receipt.converged is False
    assert any("stayed above tolerance=0.001 in 2 of 2 rows" in w for w in short.receipt.warnings)
    plain = pc.explain(f, x, pc.LIME(samples=600), background=B)
    np.testing.assert_allclose(short.values, plain.values, atol=1e-11)  # looking changes nothing


@pytest.mark.slow
def test_the_spread_over_seeds_is_the_standard_error():
    B = background()
    values = np.array(
        [pc.explain(wavy, B[:1], pc.LIME(samples=400, penalty=0, seed=s), background=B).values[0] for s in range(300)]
    )
    said = pc.explain(wavy, B[:1], pc.LIME(samples=400, penalty=0), background=B).stderr[0]
    np.testing.assert_allclose(values.std(axis=0), said, rtol=0.25)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_model_that_fails_on_some_neighbours_is_said_to():
    B = background()

    def nan(X):
        return np.where(X[:, 0] > 6, np.nan, X[:, 0])

    def raises(X):
        if (X[:, 0] > 6).any():
            raise ValueError("out of range")
        return X[:, 0]

    x = np.full((1, 3), 5.0)
    for f, says in ((nan, "NaN or infinite in"), (raises, "out of range")):
        with pytest.raises(pc.ModelError, match=rf"{says}.*neighbours that LIME made"):
            pc.explain(f, x, pc.LIME(samples=300), background=B)


def test_one_class_is_said_and_not_passed_off_as_no_influence():
    B = background()
    model = RandomForestClassifier(5, random_state=0).fit(B, np.zeros(200, int))
    a = pc.explain(model, B[:2], pc.LIME(samples=50), background=B, target=0)
    assert not a.values.any() and any("the same for all neighbours of 2 of 2 rows" in w for w in a.receipt.warnings)
    logistic = pc.explain(model, B[:2], pc.LIME(samples=50, loss="logistic"), background=B, target=0)
    assert not logistic.values.any() and any("the same for all" in w for w in logistic.receipt.warnings)


def test_more_samples_than_there_are_neighbours():
    """Two flags make four neighbours; 3,000 samples give the weighted least squares over those four."""
    B = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5, float)
    frame = pd.DataFrame(B.astype(int).astype(str), columns=["a", "b"])
    f = lambda t: (t["a"] == "1") * 2.0 - (t["b"] == "1") * 1.0 + ((t["a"] == "1") & (t["b"] == "1")) * 0.5  # noqa: E731
    a = pc.explain(f, frame[3:4], pc.LIME(samples=3000, penalty=0), background=frame)
    keep = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], float)
    y = np.array([1.5, 2.0, -1.0, 0.0])
    weights = np.exp(-(1 - keep).sum(axis=1) / (2 * 0.75**2 * 2))
    _, exact = dense_ridge(keep, weights, y, 0)
    assert (np.abs(a.values[0] - exact) < 4 * a.stderr[0] + 1e-9).all()


def test_columns_that_are_all_missing_everywhere():
    B = background(100, 3)
    B[:, 1] = np.nan
    for method in (pc.LIME(samples=200), pc.LIME(samples=200, sampling="training", bins=4)):
        a = pc.explain(lambda X: np.nan_to_num(X) @ [1.0, 1, 1], B[:2], method, background=B)
        assert (a.values[:, 1] == 0).all() and np.isnan(a.stderr[:, 1]).all() and a.values[:, 2].all()
        assert any("1 of 3 columns (1) did not vary" in w for w in a.receipt.warnings)


def test_one_column_and_one_bin_left():
    B = np.linspace(0, 9, 50)[:, None]
    for fields in ({"bins": 4}, {"sampling": "training"}, {"sampling": "training", "bins": 4}, {"distance": "cosine"}):
        a = pc.explain(lambda X: 3 * X[:, 0], B[20:22], pc.LIME(samples=400, **fields), background=B)
        assert np.isfinite(a.values).all() and np.isfinite(a.stderr).all(), fields
