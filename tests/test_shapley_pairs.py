"""KernelShap's interactions of pairs where it samples: exactness, its map, its error bars, when it stops."""

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pellucid as pc
from pellucid.methods.shapley import fourths
from pellucid.methods.shapley.design import Level, allocate, draw
from pellucid.methods.shapley.exact import pair_weights
from pellucid.methods.shapley.fourths import even_prior
from pellucid.methods.shapley.interaction import interaction_values
from pellucid.methods.shapley.regression import Basis, Map, shapley_values
from shapley_games import attributed, every, game, solid

few = settings(max_examples=20)


def games(p: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(float, 2**p, elements=st.floats(-8, 8, allow_subnormal=False).map(lambda v: round(v, 3)))


def exact(v: np.ndarray) -> np.ndarray:
    return pc.ExactShapley().interact(game(v)).values


def paired(v: np.ndarray, samples: int | None = None, **fields):
    return pc.KernelShap(samples=samples, **fields).interact(game(v))


# --- exact and additive ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", range(1, 12))
def test_all_coalitions_give_exact_interactions(p: int):
    v = np.random.default_rng(p).normal(size=(3, 2**p))
    found = paired(v, 2**p)
    np.testing.assert_allclose(found.values, exact(v), atol=1e-10, rtol=0)
    np.testing.assert_array_equal(found.base_values, v[:, 0])
    assert found.stderr.shape == (3, p, p) and found.stderr.max() == 0


@few
@given(v=games(6), samples=st.sampled_from([4, 16, 40, 62]))
def test_they_are_symmetric_and_rows_add_up_to_the_values(v: np.ndarray, samples: int):
    found = paired(v, samples)
    np.testing.assert_allclose(found.values, found.values.transpose(0, 2, 1), atol=1e-12)
    values = attributed(pc.KernelShap(samples=samples), v).values
    np.testing.assert_allclose(found.values.sum(2), values, atol=1e-10)
    assert found.values.sum() == pytest.approx(v[-1] - v[0], abs=1e-9)


@few
@given(v=games(5), w=games(5))
def test_they_are_linear_in_the_game(v: np.ndarray, w: np.ndarray):
    one, two, both = paired(np.stack([v, w, 2 * v - 3 * w])).values
    np.testing.assert_allclose(both, 2 * one - 3 * two, atol=1e-9)


def test_pairs_come_back_exactly_from_few_coalitions():
    """A constant, lines and products of two players are predicted without shrinking: 12 players, 240 of 4,094 coalitions."""
    rng, z = np.random.default_rng(3), every(12).astype(float)
    line, pairs = rng.normal(size=12), np.triu(rng.normal(size=(12, 12)), 1)
    v = 5 + z @ line + ((z @ pairs) * z).sum(1)
    found = paired(v, 240)
    np.testing.assert_allclose(found.values[0], np.diag(line) + (pairs + pairs.T) / 2, atol=1e-9)
    assert found.stderr.max() < 1e-9


def test_fourth_order_is_learned_where_there_are_coalitions_enough():
    """A product of four players: each two of them interact by 1/3, half of it in each place."""
    z = every(11)
    found = paired(z[:, [0, 3, 5, 8]].all(1).astype(float), 1600)
    truth = np.zeros((11, 11))
    for i, j in itertools.combinations([0, 3, 5, 8], 2):
        truth[i, j] = truth[j, i] = 1 / 6
    off = ~np.eye(11, dtype=bool)
    np.testing.assert_allclose(found.values[0][off], truth[off], atol=2e-3)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("samples", [1, 2, 4])
def test_few_players_and_few_samples(p: int, samples: int):
    v = solid(p, 2, seed=p)
    found = paired(v, samples)
    assert np.isfinite(found.values).all()
    assert np.isfinite(found.stderr).all() or samples < 4  # too few answers to say anything of the error
    np.testing.assert_allclose(found.values.sum((1, 2)), v[:, -1] - v[:, 0], atol=1e-12)


# --- the map from answers to interactions ----------------------------------------------------------------------------


def fours(z: np.ndarray) -> np.ndarray:
    """(m, C(p, 4)) products of four signs."""
    x, p = 2.0 * z - 1, z.shape[1]
    return np.column_stack([x[:, list(t)].prod(1) for t in itertools.combinations(range(p), 4)]) / np.sqrt(comb(p, 4))


def twos(z: np.ndarray) -> np.ndarray:
    x, p = 2.0 * z - 1, z.shape[1]
    return np.column_stack([x[:, list(t)].prod(1) for t in itertools.combinations(range(p), 2)]) / np.sqrt(comb(p, 2))


def levels_of(p: int, pairs: int) -> tuple[Level, ...]:
    return (Level(0, 1, np.zeros((1, p), bool)), *draw(p, allocate(p, pairs), np.random.default_rng(0)))


@pytest.mark.parametrize("p, pairs", [(5, 9), (5, 14), (6, 12), (6, 27), (7, 60)])
@pytest.mark.parametrize("ridge", [0.003, 3.0, 300.0])
def test_the_map_is_prediction_plus_correction(p: int, pairs: int, ridge: float):
    """Against ridge regression on explicit features, summed over every pair there is by the definition's weights."""
    levels, y = levels_of(p, pairs), np.random.default_rng(1).normal(size=pairs + 1)
    z = np.concatenate([level.z for level in levels])
    free = pairs + 1 >= fourths._ROOM * (comb(p, 2) + 1)

    def features(z: np.ndarray) -> np.ndarray:
        scale = np.sqrt(1e9 if free else fourths._TWOS)
        return np.column_stack([np.full(len(z), 1e5), scale * twos(z), fours(z)])

    def weights(z: np.ndarray) -> np.ndarray:
        return 2 * pair_weights(z).reshape(len(z), p, p)[:, *np.triu_indices(p, 1)]

    known = features(z)
    fit = np.linalg.solve(known.T @ known + ridge * np.eye(known.shape[1]), known.T @ y)
    every_pair = np.concatenate([level.z for level in levels_of(p, 2 ** (p - 1) - 1)])
    h = weights(every_pair).T @ (features(every_pair) @ fit)
    fraction = np.concatenate([np.full(level.asked, level.asked / level.pairs) for level in levels])
    h += weights(z).T @ ((y - known @ fit) / fraction)
    signs = 2.0 * z - 1
    found = Map(Basis(interaction_values(levels), even_prior(signs)), ridge).m.T @ y
    np.testing.assert_allclose(found[: comb(p, 2)], h, atol=2e-4)
    square = np.zeros((p, p))
    square[np.triu_indices(p, 1)] = h
    np.testing.assert_allclose(found[comb(p, 2) :], (square + square.T).sum(0), atol=2e-4)


def test_the_prior_knows_the_variance_of_what_it_predicts():
    """Functions drawn from K by their features: the interactions' variance is as stated, and B is their covariance with K."""
    p, rng = 6, np.random.default_rng(0)
    z = every(p)[: 2 ** (p - 1)]
    scale = np.sqrt(fourths._TWOS)
    features = np.column_stack([scale * twos(z), fours(z)])
    weights = 2 * pair_weights(z).reshape(len(z), p, p)[:, *np.triu_indices(p, 1)]
    interactions = weights.T @ features  # (pairs, features)
    some = rng.choice(len(z), 12, replace=False)
    prior = even_prior(2.0 * z[some] - 1)
    np.testing.assert_allclose(prior.b[:, : comb(p, 2)], features[some] @ interactions.T, atol=1e-9)
    np.testing.assert_allclose(prior.variance[: comb(p, 2)], (interactions**2).sum(1), rtol=1e-9)
    first, second = np.triu_indices(p, 1)
    sums = np.array([interactions[(first == i) | (second == i)].sum(0) for i in range(p)])
    np.testing.assert_allclose(prior.variance[comb(p, 2) :], (sums**2).sum(1), rtol=1e-9)


def test_what_is_wanted_of_every_level():
    """The sums of squared coefficients by symmetry are those of the pairs themselves."""
    levels = levels_of(6, 31)
    what = interaction_values(levels)
    np.testing.assert_allclose(what.total, (what.c**2).sum(0), rtol=1e-9)
    assert np.abs(what.unasked).max() == 0


@pytest.mark.parametrize("what", [interaction_values, shapley_values])
def test_unasked_pairs_are_accounted_for(what):
    """Squared coefficients of asked and unasked pairs make the total, also where a level was not asked at all."""
    levels = draw(8, [3, 5, 0, 9], np.random.default_rng(0))
    known = what(levels)
    np.testing.assert_allclose((known.c**2).sum(0) + known.unasked.sum(0), known.total, rtol=1e-9)
    every_pair = what(draw(8, allocate(8, 127), np.random.default_rng(0)))
    np.testing.assert_allclose(known.total, (every_pair.c**2).sum(0), rtol=1e-9)


def test_what_a_player_does_in_pairs_telescopes():
    """The sum of a player's interactions needs only coalitions of none, one, all but one and all players."""
    v, p = solid(9, 2, seed=1), 9
    found, values = paired(v, 100), attributed(pc.KernelShap(samples=100), v)
    own, one = np.diagonal(found.values, axis1=1, axis2=2), 1 << np.arange(p)
    ends = v[:, [-1]] - v[:, 2**p - 1 - one] - v[:, one] + v[:, [0]]
    np.testing.assert_allclose(values.values - own, ends / 2, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(found.stderr, axis1=1, axis2=2), values.stderr, rtol=1e-6)


def test_the_diagonal_errs_with_the_value_and_with_its_pairs():
    v = solid(9, 2, seed=1)
    found, values = paired(v, 12), attributed(pc.KernelShap(samples=12), v)  # not even all single players
    own = np.diagonal(found.stderr, axis1=1, axis2=2)
    assert (own > 1.01 * values.stderr).any() and (own >= values.stderr).all()


def test_an_answer_that_is_fitted_exactly_tells_nothing_of_the_error():
    """Seeds where one pair alone decides a free function: no overflow, and bars that are no smaller for it."""
    v = solid(8, 8, seed=8)
    truth, off = exact(v), ~np.eye(8, dtype=bool)
    inside = []
    for seed in range(40):
        found = paired(v, 100, seed=seed)
        inside.append((np.abs(found.values - truth) <= 1.96 * found.stderr)[:, off].mean())
    assert min(inside) > 0.75 and np.mean(inside) > 0.93


# --- how far off they may be -----------------------------------------------------------------------------------------


def test_bias_is_small_beside_the_spread_over_seeds():
    v = solid(8, 3, seed=4, noise=0.3)
    truth, off = exact(v), ~np.eye(8, dtype=bool)
    runs = np.array([paired(v, 80, seed=seed).values for seed in range(150)])
    bias, spread = (runs.mean(0) - truth)[:, off], runs.std(0)[:, off]
    assert np.sqrt(np.mean((bias / spread) ** 2)) < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("p, samples, most", [(6, 30, 990), (8, 60, 970), (8, 100, 975), (8, 200, 970), (10, 256, 970)])
@pytest.mark.parametrize("which", ["pairs", "diagonal"])
def test_intervals_cover_at_their_nominal_rate(p: int, samples: int, most: int, which: str):
    """1,000 seeds, one interaction each; with few coalitions for many pairs the bars are a little cautious."""
    v, choice = solid(p, 8, seed=p), np.random.default_rng(p)
    truth, inside = exact(v), 0
    for seed in range(1000):
        found, row = paired(v, samples, seed=seed), choice.integers(8)
        i, j = choice.choice(p, 2, replace=False)
        j = i if which == "diagonal" else j
        inside += abs(found.values[row, i, j] - truth[row, i, j]) <= 1.96 * found.stderr[row, i, j]
    assert 930 <= inside <= most


def test_each_row_stops_at_its_tolerance():
    easy, hard = solid(10, 1, seed=0, noise=0.0)[0] * 0.01, solid(10, 1, seed=1, noise=1.0)[0]
    found = paired(np.stack([easy, hard]), 400, tolerance=0.02)
    assert found.converged.tolist() == [True, False]
    assert found.stderr[0].max() <= 0.02 < found.stderr[1].max()
    np.testing.assert_allclose(found.values[1], paired(np.stack([easy, hard]), 400).values[1], atol=1e-12)


def test_nothing_left_to_spend_knows_nothing():
    v = solid(6, 1, seed=0)
    found = pc.KernelShap().interact(game(v, pc.Budget(rows=1)))
    np.testing.assert_allclose(found.values[0], np.eye(6) * (v[0, -1] - v[0, 0]) / 6)
    assert np.isnan(found.stderr).all()


# --- the verb --------------------------------------------------------------------------------------------------------


def test_the_verb(tmp_path):
    def f(x: np.ndarray) -> np.ndarray:
        return x[:, 0] * x[:, 1] + 2 * x[:, 2] * x[:, 3] + np.sin(x[:, 4:]).sum(1)

    x, background = np.ones((2, 12)), np.zeros((1, 12))
    record = pc.interact(f, x, pc.KernelShap(samples=300), background=background)
    assert record.stderr.shape == record.values.shape == (2, 12, 12)
    assert record.top(2)[0][:2] == ("x2", "x3") and record.top(2)[1][:2] == ("x0", "x1")
    assert record.receipt.stderr == pytest.approx(record.stderr.max()) and np.abs(record.gap).max() < 1e-9
    assert record.receipt.rows_forward < 320 * 2
    values = pc.explain(f, x, pc.KernelShap(samples=300), background=background).values
    np.testing.assert_allclose(record.values.sum(2), values, atol=1e-9)
    back = pc.load(record.save(tmp_path / "pairs.npz"))
    np.testing.assert_array_equal(back.stderr, record.stderr)
    np.testing.assert_array_equal(record[1].stderr, record.stderr[1:])
    assert pc.interact(f, x, pc.ExactShapley(), background=background).stderr is None
    with pytest.raises(pc.MethodError, match="KernelShap"):
        pc.interact(f, x, pc.PermutationShap(), background=background)


def test_a_table_of_pairs_adds_up():
    record = pc.interact(
        lambda x: x[:, 0] * x[:, 1] + x[:, 2], np.ones((2, 3)), pc.ExactShapley(), background=np.zeros((1, 3))
    )
    frame = record.to_frame()
    assert frame.columns.tolist()[:4] == ["row", "first", "second", "value"] and len(frame) == 2 * 6
    known = {("x0", "x1"): 1.0, ("x2", "x2"): 1.0}
    assert frame["value"].tolist() == pytest.approx(
        [known.get(pair, 0.0) for pair in zip(frame["first"], frame["second"], strict=True)]
    )
    assert frame.groupby("row")["value"].sum().tolist() == pytest.approx((record.scores - record.base_values).tolist())
