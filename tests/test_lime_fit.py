"""LIME's surrogate: constraints by Lagrange, logistic loss by scikit-learn, selections by search, LIME as Shapley values."""

import itertools
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression, lars_path

import pellucid as pc
from pellucid.methods.removal.lime_fit import weighted_ridge
from pellucid.methods.removal.lime_kernel import DISTANCES, default_width, distances, shapley_kernel
from pellucid.methods.removal.lime_local import Local
from pellucid.methods.removal.lime_logistic import logistic_ridge
from pellucid.methods.removal.lime_masks import all_masks


def drawn(m=60, p=5, k=3, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(m, p)) * [1, 2, 0.5, 1, 1][:p]
    return z, rng.random(m) + 0.05, np.tanh(z @ rng.normal(size=(p, k))) + 0.3 * rng.normal(size=(m, k))


def shapley(v, p):
    """By the definition: every player's gain over every coalition of the others; v maps a frozenset to a number."""
    phi = np.zeros(p)
    for i, size in itertools.product(range(p), range(p)):
        for others in itertools.combinations([j for j in range(p) if j != i], size):
            share = factorial(size) * factorial(p - size - 1) / factorial(p)
            phi[i] += share * (v(frozenset(others) | {i}) - v(frozenset(others)))
    return phi


# --- LIME becomes Shapley values --------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(1, 7), st.integers(0, 1000))
def test_all_masks_the_shapley_kernel_and_exact_ends_give_shapley_values(p, seed):
    numbers = np.random.default_rng(seed).normal(size=2**p) * 10
    z = all_masks(p)
    found = weighted_ridge(z.astype(float), shapley_kernel(z), numbers[:, None], penalty=0)
    value = {frozenset(np.flatnonzero(row).tolist()): number for row, number in zip(z, numbers, strict=True)}
    np.testing.assert_allclose(found.coefficients[0], shapley(value.__getitem__, p), atol=1e-8)
    assert found.intercept[0] == pytest.approx(numbers[0]) and p > 0


def product(X):
    return X[:, 0] * X[:, 1] - 2 * X[:, 2] ** 2 + X[:, 3] * X[:, 0]


def table(rows=6, columns=4, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns))


@pytest.mark.parametrize("masker", [None, pc.Baseline(0.5)])
def test_lime_on_the_columns_of_a_table_is_exact_shapley(masker):
    x, B = table(3), table(9, seed=1)
    lime = pc.LIME(distance="shapley", penalty=0)
    ours = pc.explain(product, x, lime, background=B, masker=masker or pc.Columns())
    exact = pc.explain(product, x, pc.ExactShapley(), background=B, masker=masker)
    np.testing.assert_allclose(ours.values, exact.values, atol=1e-8)
    np.testing.assert_allclose(ours.base_values, exact.base_values, atol=1e-8)
    np.testing.assert_allclose(ours.gap, 0, atol=1e-8)
    assert (ours.stderr < 1e-8).all() and ours.receipt.masker == repr(masker or pc.Columns())
    shrunk = pc.explain(product, x, pc.LIME(distance="shapley", penalty=5.0), background=B, masker=pc.Columns())
    assert np.abs(shrunk.values - ours.values).max() > 1e-3
    np.testing.assert_allclose(shrunk.gap, 0, atol=1e-8)  # the ends are still met


def test_constraints_and_penalty_solve_the_lagrange_system():
    """Stationarity and the constraints, written out: [D'WD + P, C'; C, 0] [b; l] = [D'Wy; y_C]."""
    z, weights, y = drawn()
    weights[[3, 7]] = np.inf
    found = weighted_ridge(z, weights, y, penalty=2.0)
    design = np.column_stack([np.ones(len(z)), z])
    C, D, w = design[[3, 7]], np.delete(design, [3, 7], axis=0), np.delete(weights, [3, 7])
    free = np.delete(y, [3, 7], axis=0)
    system = np.block([[D.T @ np.diag(w) @ D + 2.0 * np.diag([0, 1, 1, 1, 1, 1]), C.T], [C, np.zeros((2, 2))]])
    solved = np.linalg.solve(system, np.concatenate([D.T @ (w[:, None] * free), y[[3, 7]]]))[:6]
    np.testing.assert_allclose(found.intercept, solved[0], atol=1e-10)
    np.testing.assert_allclose(found.coefficients, solved[1:].T, atol=1e-10)


def test_the_standard_error_under_constraints_is_the_jackknifes():
    z, weights, y = drawn(m=20, p=2, k=1)
    weights[0] = np.inf
    whole = weighted_ridge(z, weights, y, 0)
    without = [
        weighted_ridge(*(np.delete(a, i, axis=0) for a in (z, weights, y)), 0).coefficients for i in range(1, 20)
    ]
    np.testing.assert_allclose(
        whole.stderr, np.sqrt(((np.array(without) - whole.coefficients) ** 2).sum(axis=0)), rtol=1e-8
    )


def test_samples_that_contradict_each_other_cannot_both_be_met():
    with pytest.raises(pc.MethodError, match="contradict"):
        weighted_ridge(np.ones((2, 1)), np.full(2, np.inf), np.array([[0.0], [1.0]]), 0)


# --- the kernel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DISTANCES if name != "shapley"])
def test_distances_are_scipys(name):
    z, _, _ = drawn()
    at = np.arange(5) - 1.5
    other = {"manhattan": "cityblock"}.get(name, name)
    np.testing.assert_allclose(distances(z, at, name), cdist(z, at[None], other)[:, 0])
    assert default_width(name, 4) > 0


def test_the_shapley_kernel_is_the_formula_and_wants_masks():
    z = all_masks(4)
    expected = {0: np.inf, 1: 3 / (4 * 1 * 3), 2: 3 / (6 * 2 * 2), 3: 3 / (4 * 3 * 1), 4: np.inf}
    np.testing.assert_allclose(shapley_kernel(z), [expected[s] for s in z.sum(axis=1)])
    with pytest.raises(pc.MethodError, match="no 0/1 masks"):
        shapley_kernel(np.array([[0.5, 1]]))


# --- the logistic loss ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [0.05, 3.0])
def test_the_logistic_surrogate_is_scikit_learns(penalty):
    """A soft answer y counts as y ones and 1 - y zeros; scikit-learn's C halves the penalty on the other side."""
    z, weights, y = drawn()
    y = 1 / (1 + np.exp(-y))
    found = logistic_ridge(z, weights, y, penalty)
    for k in range(3):
        twice, soft = np.r_[z, z], np.r_[weights * y[:, k], weights * (1 - y[:, k])]
        peer = LogisticRegression(C=1 / (2 * penalty), tol=1e-12, max_iter=10_000)
        peer.fit(twice, np.r_[np.ones(60), np.zeros(60)], soft)
        np.testing.assert_allclose(found.coefficients[k], peer.coef_[0], atol=1e-6)
        np.testing.assert_allclose(found.intercept[k], peer.intercept_[0], atol=1e-6)
        off = y[:, k] - np.average(y[:, k], weights=weights)
        missed = y[:, k] - peer.predict_proba(z)[:, 1]
        assert found.r2[k] == pytest.approx(1 - weights @ missed**2 / (weights @ off**2), abs=1e-6)


def test_a_model_whose_log_odds_are_linear_is_found_exactly():
    z, weights, _ = drawn()
    y = 1 / (1 + np.exp(-(0.5 + z @ [1, -0.5, 2, 0, 0.1])))
    found = logistic_ridge(z, weights, y[:, None], 0.0)
    np.testing.assert_allclose(found.coefficients, [[1, -0.5, 2, 0, 0.1]], atol=1e-9)
    assert found.intercept == pytest.approx(0.5) and found.r2 == pytest.approx(1) and (found.stderr < 1e-8).all()


def test_the_logistic_standard_error_is_the_jackknifes():
    z, weights, y = drawn(m=400, p=2, k=1)
    y = 1 / (1 + np.exp(-2 * y))
    whole = logistic_ridge(z, weights, y, 0.0)
    without = [
        logistic_ridge(*(np.delete(a, i, axis=0) for a in (z, weights, y)), 0.0).coefficients for i in range(400)
    ]
    spread = np.sqrt(((np.array(without) - whole.coefficients) ** 2).sum(axis=0))
    np.testing.assert_allclose(whole.stderr, spread, rtol=0.01)


def test_the_logistic_loss_and_scores_it_cannot_take():
    z, weights, _ = drawn()
    sure = (z[:, :1] > 0).astype(float)
    with pytest.raises(pc.MethodError, match=r"finds no end.*penalty > 0"):
        logistic_ridge(z, weights, sure, 0.0)
    assert logistic_ridge(z, weights, sure, 1.0).coefficients[0, 0] > 0.5
    with pytest.raises(pc.MethodError, match=r"is for probabilities.*scale='probability'"):
        logistic_ridge(z, weights, 3 * z[:, :1], 1.0)
    one = logistic_ridge(z, weights, np.ones((60, 1)), 1.0)
    assert not one.coefficients.any() and one.r2 == 1 and one.intercept > 20


# --- which features are kept ------------------------------------------------------------------------------------------


def moments(z, weights, y):
    z, y = z - np.average(z, axis=0, weights=weights), y - np.average(y, weights=weights)
    return (z * weights[:, None]).T @ z, (z * weights[:, None]).T @ y


def objective(gram, cross, kept, penalty):
    """What the ridge on these features takes off the weighted square sum."""
    kept = list(kept)
    return cross[kept] @ np.linalg.solve(gram[np.ix_(kept, kept)] + penalty * np.eye(len(kept)), cross[kept])


@pytest.mark.parametrize("penalty", [0.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_forward_selection_takes_the_best_next_feature(seed, penalty):
    z, weights, y = drawn(seed=seed)
    gram, cross = moments(z, weights, y[:, 0])
    kept = []
    for _ in range(3):
        rest = [j for j in range(5) if j not in kept]
        kept.append(max(rest, key=lambda j: objective(gram, cross, [*kept, j], penalty)))
    np.testing.assert_array_equal(pc.ForwardSelection(3).choose(gram, cross, penalty), sorted(kept))


def test_forward_selection_stops_where_nothing_is_left():
    z, weights, y = drawn(p=2)
    gram, cross = moments(np.column_stack([z, z[:, 0] + z[:, 1]]), weights, y[:, 0])
    assert len(pc.ForwardSelection(3).choose(gram, cross, 0.0)) == 2


def test_the_lasso_path_is_scikit_learns_on_weighted_samples():
    z, weights, y = drawn(m=80)
    gram, cross = moments(z, weights, y[:, 0])
    root = np.sqrt(weights)
    centred = (z - np.average(z, axis=0, weights=weights)) * root[:, None]
    target = (y[:, 0] - np.average(y[:, 0], weights=weights)) * root
    _, _, path = lars_path(centred, target, method="lasso")
    for k in range(1, 6):
        expected = next(np.flatnonzero(b) for b in path.T[::-1] if (b != 0).sum() <= k)
        np.testing.assert_array_equal(pc.LassoPath(k).choose(gram, cross, 1.0), expected)


def test_highest_weights_are_those_of_the_ridge_on_all():
    z, weights, y = drawn()
    gram, cross = moments(z, weights, y[:, 0])
    whole = weighted_ridge(z, weights, y[:, :1], 2.0).coefficients[0]
    np.testing.assert_array_equal(
        pc.HighestWeights(2).choose(gram, cross, 2.0), np.sort(np.argsort(-np.abs(whole))[:2])
    )


@pytest.mark.parametrize("kind", [pc.HighestWeights, pc.ForwardSelection, pc.LassoPath])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_kept_features_are_fitted_alone(kind, loss):
    z, weights, y = drawn()
    y = 1 / (1 + np.exp(-y))
    z = np.column_stack([z[:, :2], np.full(60, 0.3), z[:, 2:]])  # one never changes
    local = Local(selection=kind(2), loss=loss, penalty=0.5)
    found = local.fit(z, weights, y)
    assert (np.isfinite(found.stderr).sum(axis=1) == 2).all() and np.isnan(found.stderr[:, 2]).all()
    for k in range(3):
        kept = np.flatnonzero(np.isfinite(found.stderr[k]))
        alone = Local(loss=loss, penalty=0.5).fit(z[:, kept], weights, y[:, k : k + 1])
        np.testing.assert_allclose(found.coefficients[k, kept], alone.coefficients[0])
        np.testing.assert_allclose(found.stderr[k, kept], alone.stderr[0])
        assert not np.delete(found.coefficients[k], kept).any()
        assert found.r2[k] == pytest.approx(alone.r2[0]) and found.intercept[k] == pytest.approx(alone.intercept[0])
    assert found.effective == pytest.approx(Local().fit(z, weights, y).effective)


def test_selections_refuse_no_features():
    for kind in (pc.HighestWeights, pc.ForwardSelection, pc.LassoPath):
        with pytest.raises(pc.MethodError, match="at least 1"):
            kind(0)


# --- masks ------------------------------------------------------------------------------------------------------------


def test_all_masks():
    assert sorted(map(tuple, all_masks(3).tolist())) == sorted(itertools.product([False, True], repeat=3))
    assert not all_masks(3)[0].any() and all_masks(3)[-1].all()


def test_sampled_shapley_masks_meet_both_ends():
    x = table(1, 12)
    f = lambda X: X.sum(axis=1) ** 2 + X[:, 0] * X[:, 1]  # noqa: E731
    a = pc.explain(f, x, pc.LIME(samples=600, distance="shapley", penalty=0), masker=pc.Baseline(0.0))
    exact = pc.explain(f, x, pc.ExactShapley(), masker=pc.Baseline(0.0))
    np.testing.assert_allclose(a.gap, 0, atol=1e-9)
    assert a.base_values[0] == pytest.approx(0)
    assert (np.abs(a.values - exact.values) < 4.5 * a.stderr).all() and a.receipt.rows_forward < 602


def test_one_player():
    x, zeros = np.array([[2.0]]), pc.Baseline(0.0)
    for method in (pc.LIME(), pc.LIME(distance="shapley")):
        np.testing.assert_allclose(pc.explain(lambda X: 3 * X[:, 0] + 1, x, method, masker=zeros).values, [[6]])
    assert pc.explain(lambda X: 3 * X[:, 0] + 1, x, method, masker=zeros).base_values == 1


def test_masks_stop_at_the_tolerance_and_a_row_does_not_depend_on_its_company():
    x = table(5, 12) * np.array([[0.01], [1], [3], [0.1], [1]])
    f = lambda X: np.tanh(X @ np.linspace(1, -1, 12)) + X[:, 0] * X[:, 1]  # noqa: E731
    method = pc.LIME(samples=8000, tolerance=0.02)
    a = pc.explain(f, x, method, masker=pc.Baseline(0.0))
    assert (a.stderr <= 0.02).all() and a.receipt.converged and 250 < a.receipt.rows_forward / 5 < 4097
    np.testing.assert_allclose(pc.explain(f, x[:1], method, masker=pc.Baseline(0.0)).values, a.values[:1], atol=1e-12)
    tight = pc.explain(f, x, pc.LIME(samples=700, tolerance=1e-4), masker=pc.Baseline(0.0))
    assert tight.receipt.converged is False
    assert any("stayed above tolerance=0.0001 in" in w for w in tight.receipt.warnings)
