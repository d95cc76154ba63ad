"""Accumulated local effects: linear-Gaussian closed forms, independent slow derivations, coverage of the error bar."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
from pellucid.methods.effect.level_order import by_likeness


def correlated(n: int, rho: float, seed: int = 0) -> np.ndarray:
    z = np.random.default_rng(seed).normal(size=(n, 2))
    return np.column_stack([z[:, 0], rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]])


def test_on_a_linear_model_it_is_the_slope_whatever_goes_together():
    X = correlated(500, 0.95)
    made = pc.effect(lambda x: 2 * x[:, 0] - 3 * x[:, 1], X, 0, pc.AccumulatedLocalEffects())
    np.testing.assert_allclose(np.diff(made.mean), 2 * np.diff(made.grid))
    np.testing.assert_allclose(made.stderr, 0, atol=1e-12)


def test_a_product_follows_the_conditional_mean_and_not_the_marginal_one():
    """f = x0 x1 with correlation r: d/dx0 = x1, whose mean at x0 = v is r v, so ALE = r v^2 / 2; PD is v mean(x1)."""
    rho, X = 0.9, correlated(40_000, 0.9)
    made = pc.effect(lambda x: x[:, 0] * x[:, 1], X, 0, pc.AccumulatedLocalEffects(bins=40))
    inner = slice(3, -3)
    expected = rho * made.grid**2 / 2
    np.testing.assert_allclose((made.mean - made.mean[20])[inner], (expected - expected[20])[inner], atol=0.02)
    flat = pc.effect(lambda x: x[:, 0] * x[:, 1], X[:4000], 0)
    assert np.abs(flat.mean).max() < 0.1


def slow(f, x: np.ndarray, j: int, edges: np.ndarray) -> np.ndarray:
    """One bin after the other, from the definition."""
    sums, counts = [0.0], []
    for low, high in itertools.pairwise(edges):
        inside = (x[:, j] > low) & (x[:, j] <= high) | ((x[:, j] == edges[0]) & (low == edges[0]))
        up, down = x[inside].copy(), x[inside].copy()
        up[:, j], down[:, j] = high, low
        sums.append(sums[-1] + (f(up) - f(down)).mean())
        counts.append(inside.sum())
    middle = [(a + b) / 2 for a, b in itertools.pairwise(sums)]
    return np.array(sums) - np.average(middle, weights=counts)


def test_equal_to_a_slow_derivation():
    def f(x: np.ndarray) -> np.ndarray:
        return np.sin(3 * x[:, 0]) * x[:, 1] + x[:, 0] ** 2

    X = correlated(333, 0.5, seed=3)
    made = pc.effect(f, X, 0, pc.AccumulatedLocalEffects(bins=7))
    np.testing.assert_allclose(made.mean, slow(f, X, 0, made.grid), atol=1e-12)
    own = pc.effect(f, X, 0, pc.AccumulatedLocalEffects(), grid=[-1, 0, 0.5, 2])
    inside = X[(X[:, 0] >= -1) & (X[:, 0] <= 2)]
    np.testing.assert_allclose(own.mean, slow(f, inside, 0, own.grid), atol=1e-12)


def test_the_interval_covers_the_truth_of_the_same_bins():
    """Rows drawn anew within fixed bins: the truth is the curve on very many rows."""
    edges, inside = [-1.0, -0.3, 0.4, 1.0], 0

    def f(x: np.ndarray) -> np.ndarray:
        return x[:, 0] * x[:, 1] + x[:, 0] ** 3

    truth = pc.effect(f, correlated(400_000, 0.7, seed=99), 0, pc.AccumulatedLocalEffects(), grid=edges).mean
    for seed in range(300):
        made = pc.effect(f, correlated(200, 0.7, seed=seed), 0, pc.AccumulatedLocalEffects(), grid=edges)
        inside += abs(made.mean[-1] - truth[-1]) < 1.96 * made.stderr[-1]
    assert 0.90 <= inside / 300 <= 0.98


def test_levels_in_order_take_the_steps_between_neighbours():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "size": pd.Categorical(rng.choice(["S", "M", "L"], 90), ["S", "M", "L"], ordered=True),
            "z": rng.normal(size=90),
        }
    )
    worth = {"S": 0.0, "M": 1.0, "L": 5.0}
    made = pc.effect(
        lambda frame: frame["size"].map(worth).to_numpy(float) + frame["z"].to_numpy(),
        X,
        "size",
        pc.AccumulatedLocalEffects(),
    )
    assert made.grid.tolist() == ["S", "M", "L"]
    np.testing.assert_allclose(np.diff(made.mean), [1, 4])
    share = X["size"].value_counts(sort=False).to_numpy() / len(X)
    np.testing.assert_allclose(made.mean @ share, 0, atol=1e-12)  # centred over the rows


def test_levels_without_an_order_go_from_like_to_like():
    rng = np.random.default_rng(0)
    heat = {"cold": 0.0, "warm": 1.0, "hot": 2.0}
    kind = rng.choice(list(heat), 600)
    X = pd.DataFrame({"kind": kind, "degrees": [heat[k] for k in kind] + 0.3 * rng.normal(size=600)})
    made = pc.effect(lambda frame: frame["degrees"].to_numpy(), X, "kind", pc.AccumulatedLocalEffects())
    np.testing.assert_allclose(made.mean, 0, atol=1e-12)
    assert "order of their likeness" in made.receipt.warnings[0]
    code = np.array([["hot", "cold", "warm"].index(k) for k in kind])
    order = by_likeness(code, 3, X[["degrees"]].to_numpy(), np.array([False]))
    assert order.tolist() in ([0, 2, 1], [1, 2, 0])


def test_the_surface_of_a_product_is_what_is_left_beyond_its_curves():
    X = np.random.default_rng(0).uniform(-1, 1, size=(20_000, 2))
    made = pc.effect(lambda x: 3 * x[:, 0] + x[:, 0] * x[:, 1], X, (0, 1), pc.AccumulatedLocalEffects(bins=6))
    expected = np.outer(made.axes[0], made.axes[1])
    np.testing.assert_allclose(made.surface, expected, atol=0.02)
    alone = pc.effect(lambda x: np.exp(x[:, 0]) + x[:, 1] ** 2, X[:500], (0, 1), pc.AccumulatedLocalEffects(bins=6))
    np.testing.assert_allclose(alone.surface, 0, atol=1e-12)  # additive: nothing together


def test_surfaces_have_no_mean_of_their_own_along_either_axis():
    X = correlated(800, 0.4)
    made = pc.effect(lambda x: np.sin(2 * x[:, 0] * x[:, 1]), X, (0, 1), pc.AccumulatedLocalEffects(bins=4))
    swapped = pc.effect(lambda x: np.sin(2 * x[:, 0] * x[:, 1]), X, (1, 0), pc.AccumulatedLocalEffects(bins=4))
    np.testing.assert_allclose(made.surface, swapped.surface.T, atol=1e-12)
    assert np.isfinite(made.stderr).all() and (made.stderr.max() > 0)


def test_what_it_cannot_do_is_said():
    X = pd.DataFrame({"a": np.arange(30.0), "s": list("uvw") * 10})

    def f(frame: pd.DataFrame) -> np.ndarray:
        return frame["a"].to_numpy()

    with pytest.raises(pc.MethodError, match="'s' holds levels"):
        pc.effect(f, X, ("a", "s"), pc.AccumulatedLocalEffects())
    with pytest.raises(pc.InputError, match="must rise"):
        pc.effect(f, X, "a", pc.AccumulatedLocalEffects(), grid=[3, 1])
    with pytest.raises(pc.InputError, match="no row"):
        pc.effect(f, X, "a", pc.AccumulatedLocalEffects(), grid=[100, 101])
    with pytest.raises(pc.InputError, match="at least two"):
        pc.effect(f, X, "a", pc.AccumulatedLocalEffects(), grid=[3])
    with pytest.raises(pc.MethodError):
        pc.AccumulatedLocalEffects(bins=0)


def test_one_bin_has_half_the_error_of_its_mean_effect():
    """Centred between two edges, the curve is half the mean effect to either side."""
    X = correlated(80, 0.3)
    made = pc.effect(lambda x: x[:, 0] * x[:, 1], X, 0, pc.AccumulatedLocalEffects(bins=1))
    effects = X[:, 1] * np.ptp(X[:, 0])
    np.testing.assert_allclose(made.mean, [-effects.mean() / 2, effects.mean() / 2])
    np.testing.assert_allclose(made.stderr, effects.std(ddof=1) / np.sqrt(80) / 2)
