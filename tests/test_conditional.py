"""Columns drawn given the others: closed forms of normal variables, brute force over neighbours, refusals with a remedy."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
from oracles import oracle


def exactly(rows, covariance, mean=0.0, seed=0):
    """Rows whose sample mean and covariance are these, to rounding."""
    raw = np.random.default_rng(seed).normal(size=(rows, len(covariance)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_two_correlated_columns_by_hand():
    """v(1) = b1 x1 + b2 r x1, v(2) = b2 x2 + b1 r x2, v(12) = b1 x1 + b2 x2, for unit variances and correlation r."""
    r, (b1, b2), x = 0.6, (2.0, -1.0), np.array([[1.5, 0.5], [-1.0, 2.0]])
    B = exactly(50, np.array([[1, r], [r, 1]]))
    a = pc.explain(lambda t: t @ [b1, b2] + 3, x, pc.ExactShapley(), background=B, masker=pc.Conditional())
    x1, x2 = x.T
    first = ((b1 * x1 + b2 * r * x1) + (b1 * x1 + b2 * x2) - (b2 * x2 + b1 * r * x2)) / 2
    np.testing.assert_allclose(a.values, np.column_stack([first, b1 * x1 + b2 * x2 - first]), atol=1e-10)
    np.testing.assert_allclose(a.base_values, 3, atol=1e-12)
    marginal = pc.explain(lambda t: t @ [b1, b2] + 3, x, pc.ExactShapley(), background=B)
    assert np.abs(marginal.values - a.values).max() > 0.3


def given(S, x, mean, covariance):
    """E[X | X_S = x_S] by the precision matrix: minimise (t - mean)' C^-1 (t - mean) with t_S = x_S."""
    rest = [j for j in range(len(x)) if j not in S]
    t, precision = np.array(x, float), np.linalg.inv(covariance)
    if rest:
        pull = precision[np.ix_(rest, list(S))] @ (t[list(S)] - mean[list(S)])
        t[rest] = mean[rest] - np.linalg.solve(precision[np.ix_(rest, rest)], pull)
    return t


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_model_of_normal_columns_by_the_definition(seed):
    rng = np.random.default_rng(seed)
    B, w, x = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)) + 1, rng.normal(size=4), rng.normal(size=4)
    mean, covariance = B.mean(axis=0), np.cov(B, rowvar=False)
    a = pc.explain(lambda t: t @ w, x[None], pc.ExactShapley(), background=B, masker=pc.Conditional(draws=2))
    for i in range(4):
        phi, others = 0.0, [j for j in range(4) if j != i]
        for size in range(4):
            for S in combinations(others, size):
                share = factorial(size) * factorial(3 - size) / factorial(4)
                phi += share * w @ (given((*S, i), x, mean, covariance) - given(S, x, mean, covariance))
        assert a.values[0, i] == pytest.approx(phi, abs=1e-10)


def test_the_draws_have_the_conditional_mean_and_covariance():
    B = exactly(60, np.array([[2.0, 0.5, 0.3], [0.5, 1, -0.4], [0.3, -0.4, 1.5]]), mean=[1, 2, 3])
    x = np.array([[0.0, 5, 5], [4.0, 1, 1]])
    bound = pc.Conditional(draws=40_000).bind(x, B)
    drawn = bound.fill(np.array([[True, False, False]]))[0]  # (draws, n, p)
    np.testing.assert_array_equal(drawn[:, :, 0], np.broadcast_to(x[:, 0], (40_000, 2)))
    for i in range(2):
        expected = np.array([2, 3]) + np.array([0.5, 0.3]) / 2 * (x[i, 0] - 1)
        np.testing.assert_allclose(drawn[:, i, 1:].mean(axis=0), expected, atol=1e-10)
        left = np.array([[1, -0.4], [-0.4, 1.5]]) - np.outer([0.5, 0.3], [0.5, 0.3]) / 2
        np.testing.assert_allclose(np.cov(drawn[:, i, 1:], rowvar=False), left, atol=0.05)
    none = bound.fill(np.zeros((1, 3), bool))[0][:, 0]
    np.testing.assert_allclose(np.cov(none, rowvar=False), np.cov(B, rowvar=False), atol=0.05)


def test_a_square_of_an_absent_column():
    """E[x2^2 | x1] = (r x1)^2 + 1 - r^2, drawn: within what the number of draws allows."""
    B, x = exactly(50, np.array([[1, 0.8], [0.8, 1]])), np.array([[1.5, 0.0]])
    a = pc.explain(lambda t: t[:, 1] ** 2, x, pc.Occlusion(), background=B, masker=pc.Conditional(draws=20_000))
    assert -a.values[0, 1] == pytest.approx((0.8 * 1.5) ** 2 + 0.36, abs=0.03)


def test_seeds_and_company():
    B, x = exactly(50, np.array([[1, 0.8], [0.8, 1]])), np.random.default_rng(1).normal(size=(4, 2))
    f = lambda t: np.exp(t[:, 0] - t[:, 1])  # noqa: E731

    def ask(rows, **more):
        return pc.explain(f, rows, pc.ExactShapley(), background=B, masker=pc.Conditional(**more)).values

    np.testing.assert_array_equal(ask(x), ask(x))
    np.testing.assert_allclose(ask(x[2:3]), ask(x)[2:3], atol=1e-12)
    assert (ask(x) != ask(x, seed=1)).all() and (ask(x) != ask(x, draws=50)).all()
    near = ask(x, law="nearest")
    np.testing.assert_array_equal(near, ask(x, law="nearest"))
    np.testing.assert_allclose(ask(x[2:3], law="nearest"), near[2:3], atol=1e-12)
    assert (near != ask(x, law="nearest", seed=1)).any() and (near != ask(x, law="nearest", draws=3)).any()


def test_the_nearest_rows_by_brute_force():
    rng = np.random.default_rng(0)
    B, x = rng.normal(size=(30, 3)) * [1, 5, 1], rng.normal(size=(4, 3)) * [1, 5, 1]
    drawn = pc.Conditional("nearest", draws=6).bind(x, B).fill(np.array([[True, True, False]]))[0]
    for i in range(4):
        away = (((B - x[i]) / B.std(axis=0))[:, :2] ** 2).sum(axis=1)
        np.testing.assert_array_equal(np.sort(drawn[:, i, 2]), np.sort(B[np.argsort(away)[:6], 2]))
        np.testing.assert_array_equal(drawn[:, i, :2], np.broadcast_to(x[i, :2], (6, 2)))
    every = pc.Conditional("nearest", draws=30).bind(x, B).fill(np.zeros((1, 3), bool))[0]
    np.testing.assert_array_equal(np.sort(every[:, 0], axis=0), np.sort(B, axis=0))
    assert pc.Conditional("nearest").bind(x, B).draws == 5  # the root of 30


def test_levels_and_gaps_are_near_where_they_are_alike():
    frame = pd.DataFrame(
        {
            "city": ["Rome", "Oslo"] * 20,
            "sun": [9.0, 3.0] * 20,
            "age": [20.0, np.nan, 50.0, 60.0] * 10,
        }
    )
    f = lambda t: t["sun"].to_numpy()  # noqa: E731
    a = pc.explain(f, frame[:2], pc.Occlusion(), background=frame, masker=pc.Conditional("nearest", draws=8))
    np.testing.assert_allclose(a.values, [[0, 0, 0], [0, 0, 0]])  # the city tells how much sun there is
    marginal = pc.explain(f, frame[:2], pc.Occlusion(), background=frame)
    np.testing.assert_allclose(marginal.values[:, 1], [3, -3])
    g = lambda t: t["age"].isna().to_numpy().astype(float)  # noqa: E731
    gap = pc.explain(g, frame[1:2], pc.Occlusion(), background=frame, masker=pc.Conditional("nearest", draws=8))
    assert gap.values[0, 0] == 0  # a missing age is present: it stays missing


@pytest.mark.parametrize("law", ["gaussian", "nearest"])
@pytest.mark.parametrize(
    "method", [pc.KernelShap(), pc.PermutationShap(), pc.LIME(samples=40), pc.Occlusion()], ids=repr
)
def test_every_method_that_hides_takes_it(law, method):
    B, x = exactly(50, np.eye(3) + 0.5), np.ones((2, 3))
    a = pc.explain(lambda t: t.sum(axis=1), x, method, background=B, masker=pc.Conditional(law, draws=4))
    assert np.isfinite(a.values).all() and a.receipt.masker == repr(pc.Conditional(law, draws=4))


def test_single_precision_reaches_the_model():
    B, kinds = exactly(50, np.eye(2)).astype("float32"), set()
    pc.explain(lambda t: kinds.add(t.dtype) or t[:, 0], B[:2], pc.ExactShapley(), background=B, masker="Conditional")
    assert kinds == {np.dtype("float32")}


def test_refusals_name_cause_and_remedy():
    B = exactly(20, np.eye(3))

    def ask(masker=pc.Conditional(), x=B[:1], background=B):
        names = {} if hasattr(x, "columns") else {"names": list("abc")}
        f = lambda t: np.nan_to_num(np.asarray(t)[:, 0].astype(float))  # noqa: E731
        return pc.explain(f, x, pc.ExactShapley(), background=background, masker=masker, **names)

    with pytest.raises(pc.InputError, match="learns from background rows"):
        ask(background=None)
    with pytest.raises(pc.InputError, match=r"3 background rows are too few.*at least 4.*nearest"):
        ask(background=B[:3])
    twin = np.column_stack([B[:, :2], B[:, 0] - 2 * B[:, 1]])
    with pytest.raises(
        pc.InputError, match=r"columns 'a', 'b', 'c' determine each other.*row 0 of x breaks that.*nearest"
    ):
        ask(background=twin)
    with pytest.raises(pc.InputError, match=r"'b' is constant.*nearest"):
        ask(background=B * [1, 0, 1])
    with pytest.raises(pc.InputError, match=r"the background misses values in column 'c'.*nearest"):
        ask(background=np.where(B[4, 2] == B, np.nan, B))
    with pytest.raises(pc.InputError, match=r"x misses values in column 'a'"):
        ask(x=np.array([[np.nan, 1, 2]]))
    frame = pd.DataFrame({"a": [1.0, 2, 3, 5], "job": list("uvuv")})
    with pytest.raises(pc.InputError, match=r"column 'job' holds levels.*nearest"):
        ask(x=frame, background=frame)
    assert np.isfinite(ask(pc.Conditional("nearest"), frame, frame).values).all()
    with pytest.raises(pc.MethodError, match="is for tables"):
        pc.explain(lambda t: t.sum((1, 2)), np.ones((2, 3, 3)), pc.Occlusion(), masker=pc.Conditional())
    for wrong, match in (
        ({"law": "copula"}, "gaussian, nearest"),
        ({"draws": 0}, "at least 1"),
        ({"draws": 3}, "even"),
    ):
        with pytest.raises(pc.MethodError, match=match):
            pc.Conditional(**wrong)


def test_columns_that_determine_each_other_share_what_they_do():
    """f = 3 a where b = a in all rows: given either, the other is known."""
    known = exactly(20, np.eye(2))[:, :1]
    masker, x = pc.Conditional(), np.array([[2.0, 2.0]])
    record = pc.explain(lambda t: 3 * t[:, 0], x, pc.ExactShapley(), background=known.repeat(2, axis=1), masker=masker)
    np.testing.assert_allclose(record.values[0], oracle("DUP")["expected"]["conditional"], atol=1e-9)
    summed = (
        np.column_stack([known, 2 * known, np.full(20, 7.0)]) * 1e6
    )  # whatever the scale, and beside a constant column
    x = np.array([[3.0, 6.0, 7.0]]) * 1e6
    record = pc.explain(lambda t: t[:, 0] + t[:, 2], x, pc.ExactShapley(), background=summed, masker=masker)
    np.testing.assert_allclose(record.values[0], [1.5e6, 1.5e6, 0], atol=1e-3)


def test_a_tie_among_more_columns_leaves_the_others_free():
    """c = a + b: given c alone, a and b are half of it each; given two of them, the third."""
    known = exactly(30, np.eye(2))
    known = np.column_stack([known, known.sum(axis=1)])
    game = lambda t: t[:, 2]  # noqa: E731
    record = pc.explain(game, np.array([[1.0, 3.0, 4.0]]), pc.ExactShapley(), background=known, masker=pc.Conditional())
    a, b, both = 1.0, 3.0, 4.0  # v(a) = 1, v(b) = 3, v(c) = v(ab) = v(ac) = v(bc) = v(abc) = 4
    phi_a = a / 3 + (both - b) / 6 + 0 / 6 + 0
    phi_b = b / 3 + (both - a) / 6 + 0 / 6 + 0
    np.testing.assert_allclose(record.values[0], [phi_a, phi_b, both - phi_a - phi_b], atol=1e-9)
