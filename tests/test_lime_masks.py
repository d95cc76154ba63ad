"""LIME where parts are hidden: the drawn masks, the ridge by a dense solve, additive games, budgets, one player."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import pellucid as pc
from pellucid.methods.removal.lime_masks import draw

HALVES = pc.Grid(window=(2, 2), fill="zeros")
X = np.random.default_rng(3).normal(size=(2, 4, 4)) + 2


def additive(x):
    """Each quarter of the picture adds its sum times a weight of its own: (b, 4, 4) -> (b,)"""
    return np.einsum("brics,rc->b", x.reshape(-1, 2, 2, 2, 2), [[1.0, -2.0], [0.5, 0.0]])


def crossed(x):
    quarters = x.reshape(-1, 2, 2, 2, 2).sum((2, 4)).reshape(-1, 4)
    return quarters[:, 0] * quarters[:, 1] + np.sin(quarters[:, 2]) + quarters[:, 3]


def test_masks_hide_a_uniform_number_of_players_and_then_any_of_them():
    z = draw(5, 60_000, np.random.default_rng(0))
    assert z[0].all() and not z[1:].all(axis=1).any()
    hidden = 5 - z[1:].sum(axis=1)
    counts = np.bincount(hidden, minlength=6)[1:] / len(hidden)
    np.testing.assert_allclose(counts, 0.2, atol=5 * np.sqrt(0.16 / len(hidden)))
    for k in range(1, 5):
        share = 1 - z[1:][hidden == k].mean(axis=0)
        np.testing.assert_allclose(share, k / 5, atol=5 * np.sqrt(0.25 / (len(hidden) / 5)))


def test_players_of_an_additive_game_get_what_they_add():
    a = pc.explain(additive, X, pc.LIME(samples=500, penalty=0), masker=HALVES)
    quarters = X.reshape(-1, 2, 2, 2, 2).sum((2, 4)).reshape(-1, 4)
    np.testing.assert_allclose(a.players.values, quarters * [1, -2, 0.5, 0], atol=1e-9)
    np.testing.assert_allclose(a.fit, 1)
    assert np.isnan(a.base_values).all() and a.receipt.masker == repr(HALVES)


def slow_ridge(z, y, width, penalty):
    """Row by row: weights from the cosine between the mask and the full one, normal equations with a free intercept."""
    design, weights = np.column_stack([np.ones(len(z)), z]), []
    for mask in z:
        length = np.sqrt(mask.sum() * len(mask))
        cosine = mask.sum() / length if length else 0.0
        weights.append(np.exp(-((1 - cosine) ** 2) / (2 * width**2)))
    free = penalty * np.diag([0.0] + [1.0] * z.shape[1])
    return np.linalg.solve(design.T @ np.diag(weights) @ design + free, design.T @ (weights * y))


@pytest.mark.parametrize(("width", "penalty"), [(None, 1.0), (0.1, 0.0), (1.5, 20.0)])
def test_the_ridge_by_a_dense_solve_with_every_repeated_mask_counted(width, penalty):
    method = pc.LIME(samples=300, kernel_width=width, penalty=penalty, seed=4)
    a = pc.explain(crossed, X, method, masker=HALVES)
    z = draw(4, 300, method.stream())
    for row in range(2):
        shown = np.stack([np.where(np.kron(m.reshape(2, 2), np.ones((2, 2), bool)), X[row], 0) for m in z])
        expected = slow_ridge(z.astype(float), crossed(shown), width or 0.25, penalty)
        np.testing.assert_allclose(a.players.values[row], expected[1:], atol=1e-8)
    assert (a.players.stderr > 0).all()


def test_a_mask_that_is_drawn_twice_is_asked_once():
    a = pc.explain(crossed, X[:1], pc.LIME(), masker=HALVES)
    assert a.receipt.rows_forward == 1 + 2**4


def test_one_player_is_a_line_through_two_points():
    a = pc.explain(lambda x: x.sum((1, 2)) ** 2, X, pc.LIME(penalty=100.0), masker=pc.Grid(window=(4, 4), fill=0.0))
    np.testing.assert_allclose(a.players.values[:, 0], X.sum((1, 2)) ** 2)
    assert (a.players.stderr == 0).all() and (a.fit == 1).all()


def test_a_table_with_a_masker_is_a_game_of_its_columns():
    B = np.random.default_rng(0).normal(size=(7, 3))
    weights = np.array([1.0, -3.0, 0.5])
    a = pc.explain(lambda t: t @ weights, B[:2], pc.LIME(penalty=0), background=B, masker=pc.Columns())
    np.testing.assert_allclose(a.values, (B[:2] - B.mean(axis=0)) * weights, atol=1e-9)
    no_background = pc.explain(lambda t: t @ weights, B[:2], pc.LIME(penalty=0), masker=pc.Baseline(1.0))
    np.testing.assert_allclose(no_background.values, (B[:2] - 1) * weights, atol=1e-9)


def test_the_interval_covers_the_large_sample_limit():
    """The limit over all masks with the weight that drawing and kernel give each; 300 seeds, one value each."""
    z = np.array(list(product([0.0, 1.0], repeat=4)))[:-1]
    hidden = (4 - z.sum(axis=1)).astype(int)
    chance = np.array([0, 1 / 4, 1 / 6, 1 / 4, 1])[hidden] / 4
    shown = np.stack([np.where(np.kron(m.reshape(2, 2), np.ones((2, 2))) > 0, X[0], 0) for m in z])
    weights = chance * np.exp(-((1 - np.sqrt(z.mean(axis=1))) ** 2) / (2 * 0.25**2))
    design = np.column_stack([np.ones(len(z)), z])
    limit = np.linalg.solve(design.T @ (weights[:, None] * design), design.T @ (weights * crossed(shown)))[1:]
    covered = []
    for seed in range(300):
        a = pc.explain(crossed, X[:1], pc.LIME(samples=400, penalty=0, seed=seed), masker=HALVES)
        covered.append(np.abs(a.players.values[0] - limit) <= 1.96 * a.players.stderr[0])
    assert 0.9 <= np.mean(covered) <= 0.985


def test_a_budget_stops_between_rounds_and_the_record_says_so():
    few = pc.Grid(window=(1, 1), fill=0.0)
    budget = pc.Budget(rows=200)
    a = pc.explain(crossed, X[:1], pc.LIME(), masker=few, budget=budget)
    assert a.receipt.rows_forward <= 200 and np.isfinite(a.values).all()
    assert any("of 5,000 masks a row were asked" in warning for warning in a.receipt.warnings)
    tiny = pc.explain(crossed, X[:1], pc.LIME(), masker=few, budget=pc.Budget(rows=3))
    assert tiny.receipt.rows_forward == 1 + 18  # what the least fit needs is asked anyway


def test_flat_scores_and_poor_fits_are_said():
    flat = pc.explain(lambda x: np.ones(len(x)), X, pc.LIME(samples=200), masker=HALVES)
    assert (flat.values == 0).all() and any("their values are 0" in warning for warning in flat.receipt.warnings)
    odd = pc.explain(
        lambda x: (np.count_nonzero(x.reshape(len(x), -1), axis=1) % 8 == 0).astype(float), X, pc.LIME(), masker=HALVES
    )
    assert any("less than half of the score's variation" in warning for warning in odd.receipt.warnings)


def test_too_few_samples_are_refused():
    with pytest.raises(pc.MethodError, match=r"LIME\(samples=5\) is too few for 4 players: at least 6"):
        pc.explain(crossed, X, pc.LIME(samples=5), masker=HALVES)
