"""KernelShap where it samples: its design, its linear map, its standard errors, and when it stops."""

import itertools
from math import comb

import numpy as np
import pytest

import pellucid as pc
from pellucid.methods.shapley import thirds
from pellucid.methods.shapley.design import Level, allocate, draw, pairs_at
from pellucid.methods.shapley.regression import Basis, Map, shapley_values
from pellucid.methods.shapley.thirds import odd_prior
from shapley_games import Table, attributed, by_subsets, codes, every, game, solid, table

# --- which coalitions are asked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [2, 3, 8, 9, 40])
def test_allocation_fills_levels_and_grows(p: int):
    there = np.array([pairs_at(p, s) for s in range(1, p // 2 + 1)], dtype=float)
    before = np.zeros(len(there))
    for pairs in (1, 2, 5, 20, 60, 100, 255, 2000):
        asked = np.array(allocate(p, pairs))
        assert asked.sum() == min(pairs, there.sum())
        assert (asked <= there).all() and (asked >= before).all()
        before = asked


def test_small_levels_are_complete_and_the_rest_follow_the_square_root():
    asked = allocate(20, 1000)
    assert asked[0] == 20
    free = np.array(asked[2:9])  # levels 3 to 9, level 10 counts half
    expected = 1 / np.sqrt([s * (20 - s) for s in range(3, 10)])
    np.testing.assert_allclose(free / free.sum(), expected / expected.sum(), atol=0.01)
    assert asked[9] / asked[8] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("p, pairs", [(6, 10), (7, 40), (12, 300), (30, 500)])
def test_no_pair_is_asked_twice(p: int, pairs: int):
    levels = draw(p, allocate(p, pairs), np.random.default_rng(0))
    asked = np.concatenate([level.z for level in levels])
    for level in levels:
        assert (level.z.sum(1) == level.size).all()
    both = np.unique(np.concatenate([asked, ~asked]), axis=0)
    assert len(both) == 2 * pairs


@pytest.mark.parametrize("size, asked", [(2, 3), (2, 9), (3, 2), (3, 6)])
def test_every_pair_of_a_level_is_as_likely(size: int, asked: int):
    p, counts = 6, np.zeros(64)
    for seed in range(1500):
        amounts = [0] * (p // 2)
        amounts[size - 1] = asked
        z = draw(p, amounts, np.random.default_rng(seed))[size - 1].z
        counts[codes(z)] += 1
    met = counts[counts > 0]
    expected = 1500 * asked / pairs_at(p, size)
    assert len(met) == pairs_at(p, size)
    assert np.abs(met - expected).max() < 4.5 * np.sqrt(expected)


def test_coalitions_are_asked_as_often_as_was_said():
    for samples, asked in ((10, 10), (11, 10), (400, 400), (None, 2 * 14 + 2048)):
        play = game(np.zeros((1, 2**14)))
        pc.KernelShap(samples=samples).attribute(play, np.random.default_rng(0))
        calls = np.concatenate(play.f.calls)
        known = np.unique(calls, axis=0)
        assert len(known) == asked + 2
        assert len(calls) - len(known) <= 12  # a block is sized by asking for one


# --- the map from answers to values ----------------------------------------------------------------------------------


def triples(z: np.ndarray) -> np.ndarray:
    """(m, C(p, 3)) products of three signs."""
    x, p = 2.0 * z - 1, z.shape[1]
    return np.column_stack([x[:, list(t)].prod(1) for t in itertools.combinations(range(p), 3)]) / np.sqrt(comb(p, 3))


def basis(levels: tuple[Level, ...]) -> Basis:
    return Basis(shapley_values(levels), odd_prior(2.0 * np.concatenate([level.z for level in levels]) - 1))


def sampled(p: int, pairs: int, seed: int = 0) -> tuple[Level, ...]:
    return draw(p, allocate(p, pairs), np.random.default_rng(seed))


@pytest.mark.parametrize("p, pairs", [(5, 8), (5, 14), (6, 9), (6, 20), (7, 50)])
@pytest.mark.parametrize("ridge", [0.003, 3.0, 300.0])
def test_the_map_is_prediction_plus_correction(p: int, pairs: int, ridge: float):
    """Against ridge regression on explicit features, lines almost free, summed over every pair there is."""
    levels, y = sampled(p, pairs), np.random.default_rng(1).normal(size=pairs)
    lines = np.sqrt((1e9 if pairs >= 2 * p else thirds._LINES) / p)

    def features(level: Level) -> np.ndarray:
        return np.column_stack([lines * (2.0 * level.z - 1), triples(level.z)])

    known = np.concatenate([features(level) for level in levels])
    weights = np.linalg.solve(known.T @ known + ridge * np.eye(known.shape[1]), known.T @ y)
    b, place = np.zeros(p), 0
    for level in sampled(p, 2 ** (p - 1) - 1):
        b += level.coefficients.T @ (features(level) @ weights)
    for level in levels:
        part = slice(place, place + level.asked)
        b += level.coefficients.T @ (y[part] - known[part] @ weights) * level.pairs / level.asked
        place += level.asked
    found = Map(basis(levels), ridge).m.T @ y
    np.testing.assert_allclose(found, b - b.mean(), atol=1e-5)


@pytest.mark.parametrize("samples", [62, 100, 300])
def test_lines_and_pairs_of_players_come_back_exactly(samples: int):
    """Interactions of even order cancel in complement pairs, and lines are not shrunk."""
    rng, z = np.random.default_rng(3), every(15).astype(float)
    line, pairs = rng.normal(size=15), np.triu(rng.normal(size=(15, 15)), 1)
    v = z @ line + ((z @ pairs) * z).sum(1)
    parts = attributed(pc.KernelShap(samples=samples), v)
    np.testing.assert_allclose(parts.values[0], line + (pairs + pairs.T).sum(0) / 2, atol=1e-10)
    assert parts.stderr.max() < 1e-9


def test_third_order_is_learned_where_there_are_pairs_enough():
    z = every(13)
    v = (z[:, 0] & z[:, 1] & z[:, 2]) + 0.5 * (z[:, 5] & z[:, 7] & ~z[:, 9])
    truth = by_subsets(v.astype(float))
    np.testing.assert_allclose(truth[[0, 1, 2, 9, 12]], [1 / 3, 1 / 3, 1 / 3, -1 / 6, 0], atol=1e-12)
    parts = attributed(pc.KernelShap(samples=1400), v)
    np.testing.assert_allclose(parts.values[0], truth, atol=1e-4)


def test_features_and_pairs_factorise_alike(monkeypatch: pytest.MonkeyPatch):
    levels, y = sampled(9, 150), np.random.default_rng(0).normal(size=(4, 150))
    by_features = Map(basis(levels), 0.3)(y)
    monkeypatch.setattr(thirds, "_MOST_FEATURES", 0)
    by_pairs = Map(basis(levels), 0.3)(y)
    np.testing.assert_allclose(by_features[0], by_pairs[0], atol=1e-9)
    np.testing.assert_allclose(by_features[1], by_pairs[1], rtol=1e-6)


def test_more_pairs_than_can_be_factorised_still_adds_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thirds, "_MOST_FEATURES", 0)
    monkeypatch.setattr(thirds, "MOST_PAIRS", 50)
    v = solid(10, 20, seed=0)
    parts = attributed(pc.KernelShap(samples=400), v)
    exact = np.array([by_subsets(row) for row in v])
    np.testing.assert_allclose(parts.values.sum(1), v[:, -1] - v[:, 0], atol=1e-12)
    inside = np.abs(parts.values - exact) <= 1.96 * parts.stderr
    assert 0.88 < inside.mean() < 0.99


def test_bias_is_small_beside_the_spread_over_seeds():
    v = solid(9, 3, seed=4, noise=0.3)
    exact = np.array([by_subsets(row) for row in v])
    runs = np.array([attributed(pc.KernelShap(samples=80, seed=seed), v).values for seed in range(200)])
    bias, spread = runs.mean(0) - exact, runs.std(0)
    assert np.sqrt(np.mean((bias / spread) ** 2)) < 0.4


# --- how far off it may be -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "p, samples", [(5, 8), (6, 30), (8, 24), (8, 100), (10, 60), (10, 256), (10, 512), (12, 100), (12, 500)]
)
def test_intervals_cover_at_their_nominal_rate(p: int, samples: int):
    """1,000 seeds, one value each, of games like those of models."""
    v, choice = solid(p, 8, seed=p), np.random.default_rng(p)
    exact = np.array([by_subsets(row) for row in v])
    inside = 0
    for seed in range(1000):
        parts, row, player = attributed(pc.KernelShap(samples=samples, seed=seed), v), *choice.integers((8, p))
        inside += abs(parts.values[row, player] - exact[row, player]) <= 1.96 * parts.stderr[row, player]
    assert 930 <= inside <= 970


@pytest.mark.slow
def test_a_smaller_error_than_the_shap_package_for_as_many_model_rows():
    shap = pytest.importorskip("shap")
    from sklearn.datasets import load_diabetes
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import scale

    x, y = load_diabetes(return_X_y=True)
    x, y = scale(x), scale(y)
    model = (
        MLPRegressor(hidden_layer_sizes=(32, 32), max_iter=400, random_state=0, early_stopping=True).fit(x, y).predict
    )
    background, rows = x[:20], x[100:106]
    exact = pc.explain(model, rows, pc.ExactShapley(), background=background).values
    ours, theirs = [], []
    for seed in range(3):
        method = pc.KernelShap(samples=512, seed=seed)
        ours.append(pc.explain(model, rows, method, background=background).values - exact)
        state = np.random.get_state()
        np.random.seed(seed)
        explainer = shap.KernelExplainer(model, background)
        theirs.append(explainer.shap_values(rows, nsamples=512, l1_reg=0, silent=True) - exact)
        np.random.set_state(state)
    assert np.sqrt(np.mean(np.square(ours))) < 0.4 * np.sqrt(np.mean(np.square(theirs)))


def test_a_game_without_surprises_has_no_error():
    parts = attributed(pc.KernelShap(samples=40), np.zeros((1, 2**12)))
    assert (parts.values == 0).all() and (parts.stderr == 0).all()


# --- when it stops ---------------------------------------------------------------------------------------------------


def test_each_row_stops_at_its_tolerance():
    easy, hard = solid(12, 1, seed=0, noise=0.0)[0] * 0.01, solid(12, 1, seed=1, noise=1.0)[0]
    play = game(np.stack([easy, hard]))
    parts = pc.KernelShap(samples=800, tolerance=0.02).attribute(play, pc.KernelShap().stream())
    assert parts.converged.tolist() == [True, False]
    assert parts.stderr[0].max() <= 0.02 < parts.stderr[1].max()
    fixed = attributed(pc.KernelShap(samples=800), np.stack([easy, hard]))
    np.testing.assert_allclose(parts.values[1], fixed.values[1], atol=1e-12)
    assert np.abs(parts.values[0] - fixed.values[0]).max() > 1e-9  # it stopped earlier
    assert parts.values[0].sum() == pytest.approx(easy[-1] - easy[0])


def test_all_rows_within_tolerance_ends_the_run():
    play = game(solid(12, 2, seed=0))
    parts = pc.KernelShap(tolerance=10.0).attribute(play, np.random.default_rng(0))
    assert parts.converged.all() and sum(map(len, play.f.calls)) < 300


def test_no_tolerance_no_verdict():
    assert attributed(pc.KernelShap(samples=50), solid(8, 1, seed=0)).converged is None


def test_a_budget_of_rows_is_kept_and_used():
    v = solid(12, 2, seed=0)
    exact = np.array([by_subsets(row) for row in v])
    errors = []
    for rows in (100, 400, 1600):
        play = game(v, pc.Budget(rows=rows))
        parts = pc.KernelShap().attribute(play, pc.KernelShap().stream())
        assert 0.9 * rows < play.f.meter.rows_forward <= rows + 16  # the first block of each call asks one twice
        np.testing.assert_allclose(parts.values.sum(1), v[:, -1] - v[:, 0])
        errors.append(np.abs(parts.values - exact).max())
        assert (np.abs(parts.values - exact) < 5 * parts.stderr).all()
    assert errors[0] > errors[1] > errors[2]


def test_nothing_left_to_spend_divides_evenly_and_knows_nothing():
    v = solid(6, 1, seed=0)
    parts = attributed(pc.KernelShap(), v, pc.Budget(rows=1))
    np.testing.assert_allclose(parts.values[0], (v[0, -1] - v[0, 0]) / 6)
    assert np.isnan(parts.stderr).all()


def test_time_that_is_up_returns_what_there_is():
    ticks = iter(range(10**6))
    budget = pc.Budget(seconds=4, clock=lambda: float(next(ticks)))
    play = game(solid(12, 1, seed=0), budget)
    parts = pc.KernelShap().attribute(play, np.random.default_rng(0))
    assert np.isfinite(parts.values).all() and sum(map(len, play.f.calls)) < 2000


# --- its fields ------------------------------------------------------------------------------------------------------


def test_seeds():
    v = solid(10, 1, seed=0)
    first, again, other = (attributed(pc.KernelShap(samples=100, seed=s), v).values for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("samples", [1, 2, 4])
def test_few_players_and_few_samples(p: int, samples: int):
    v = solid(p, 2, seed=p)
    parts = attributed(pc.KernelShap(samples=samples), v)
    np.testing.assert_allclose(parts.values.sum(1), v[:, -1] - v[:, 0])
    assert np.isfinite(parts.values).all() and np.isfinite(parts.stderr).all()
    if samples >= 2**p - 2:
        np.testing.assert_allclose(parts.values, [by_subsets(row) for row in v], atol=1e-12)


def test_fewer_samples_than_players_is_no_disaster():
    """With too few pairs for a line, values are shrunk towards an even division, and the error bars say so."""
    v = solid(14, 10, seed=0)
    exact = np.array([by_subsets(row) for row in v])
    parts = attributed(pc.KernelShap(samples=14), v)
    even = (v[:, -1] - v[:, 0])[:, None] / 14
    assert np.square(parts.values - exact).mean() < 1.5 * np.square(even - exact).mean()
    assert (np.abs(parts.values - exact) <= 1.96 * parts.stderr).mean() > 0.85


@pytest.mark.parametrize("fields", [{"samples": 0}, {"samples": -4}, {"tolerance": 0}, {"samples": "many"}])
def test_fields_out_of_range(fields: dict):
    with pytest.raises(pc.MethodError, match=next(iter(fields))):
        pc.KernelShap(**fields)


def test_a_table_is_asked_once_per_coalition():
    """Answers are shared: nothing is asked again for another player, row or round."""
    play = game(table(lambda z: z.sum(1), 10))
    assert isinstance(play.f, Table)
    pc.KernelShap(samples=200).attribute(play, np.random.default_rng(0))
    asked = [codes(z) for z in play.f.calls if len(z) > 1]
    assert len(np.unique(np.concatenate(asked))) == len(np.concatenate(asked)) == 202
