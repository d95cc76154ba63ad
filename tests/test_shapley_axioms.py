"""Shapley's axioms where values are sampled, and on the hierarchies that texts and pictures bring with them.

A walk through one order keeps efficiency, the dummy player and linearity to rounding. Symmetry holds over all orders; one
order keeps what it comes from: players that change their names change their values with them, whatever the game, so
orders drawn without regard to names are symmetric in expectation.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pellucid as pc
from pellucid.methods.shapley import regression
from pellucid.methods.shapley.orders import gains
from pellucid.methods.shapley.partition import random_orders
from shapley_games import attributed, codes, every, game, solid, table
from test_shapley_orders import owen

few = settings(max_examples=20)
P = 7
NESTED = ((0, 1, 2), (3, 4, 5, 6))
SEEDS = st.integers(0, 2**16)


def games(p: int = P) -> st.SearchStrategy[np.ndarray]:
    return arrays(float, 2**p, elements=st.floats(-8, 8, allow_subnormal=False).map(lambda v: round(v, 3)))


def sampled(kind: str, seed: int) -> Any:
    """A method that cannot list every order of seven players."""
    return pc.PermutationShap(3, seed=seed) if kind == "permutation" else pc.PartitionShap(NESTED, 2, seed=seed)


KINDS = st.sampled_from(["permutation", "partition"])


# --- walks -----------------------------------------------------------------------------------------------------------


@few
@given(v=games(), w=games(), a=st.floats(-3, 3), b=st.floats(-3, 3), kind=KINDS, seed=SEEDS)
def test_sampled_values_are_efficient_and_linear(v: Any, w: Any, a: float, b: float, kind: str, seed: int):
    parts = attributed(sampled(kind, seed), np.stack([v, w, a * v + b * w]))
    np.testing.assert_allclose(parts.values[:2].sum(1), [v[-1] - v[0], w[-1] - w[0]], atol=1e-11)
    np.testing.assert_allclose(parts.values[2], a * parts.values[0] + b * parts.values[1], atol=1e-10)


@pytest.mark.parametrize("kind", ["permutation", "partition"])
def test_these_methods_do_sample(kind: str):
    assert attributed(sampled(kind, 0), solid(P, 1, seed=0, noise=1.0)).stderr.max() > 0


@few
@given(v=games(P - 1), place=st.integers(0, P - 1), worth=st.floats(-5, 5), kind=KINDS, seed=SEEDS)
def test_a_dummy_gets_what_it_is_worth_alone(v: np.ndarray, place: int, worth: float, kind: str, seed: int):
    others = np.delete(every(P), place, axis=1)
    parts = attributed(sampled(kind, seed), v[codes(others)] + worth * every(P)[:, place])
    assert parts.values[0, place] == pytest.approx(worth, abs=1e-11)
    assert parts.stderr[0, place] < 1e-11


@few
@given(v=games(5), orders=st.lists(st.permutations(range(5)), min_size=1, max_size=4), names=st.permutations(range(5)))
def test_players_that_change_names_change_values_with_them(v: np.ndarray, orders: list[list[int]], names: list[int]):
    """Player i of the one game is player names[i] of the other."""
    renamed = v[codes(every(5)[:, names])]
    total = np.array([v[-1] - v[0]])
    before, after = gains(game(v), np.array(orders), total), gains(game(renamed), np.array(names)[orders], total)
    np.testing.assert_allclose(after[..., names], before, atol=1e-12)


def fair(v: np.ndarray, i: int, j: int) -> np.ndarray:
    """The game in which players i and j are substitutes."""
    z = every(int(np.log2(len(v))))
    swapped = z.copy()
    swapped[:, [i, j]] = z[:, [j, i]]
    return (v + v[codes(swapped)]) / 2


@few
@given(v=games(5))
def test_substitutes_get_the_same_over_all_orders(v: np.ndarray):
    listed = attributed(pc.PermutationShap(orders=60), fair(v, 1, 3)).values[0]
    assert listed[1] == pytest.approx(listed[3], abs=1e-11)


@few
@given(v=games(5))
def test_substitutes_with_the_same_place_in_the_hierarchy_get_the_same(v: np.ndarray):
    tree = ((0, 1), (2, (3, 4)))
    assert np.diff(attributed(pc.PartitionShap(tree), fair(v, 3, 4)).values[0, 3:]) == pytest.approx(0, abs=1e-11)


def test_and_with_different_places_they_need_not():
    """All three together are worth 1, and so is either of 0 and 2 with 1: where 0 and 1 are a union, 2 gains nothing by it."""
    v = table(lambda z: z[:, 1] & (z[:, 0] | z[:, 2]), 3)
    np.testing.assert_array_equal(v, fair(v, 0, 2))
    values = attributed(pc.PartitionShap(((0, 1), 2)), v).values[0]
    np.testing.assert_allclose(values, owen(v, ((0, 1), 2)))
    assert values[0] > values[2] + 0.1


@pytest.mark.parametrize("kind", ["permutation", "partition"])
def test_substitutes_get_the_same_in_expectation(kind: str):
    v = fair(solid(P, 1, seed=3, noise=1.0)[0], 3, 4)
    apart = np.array([np.subtract(*attributed(sampled(kind, seed), v).values[0, 3:5]) for seed in range(300)])
    assert apart.std() > 0.01 and abs(apart.mean()) < 4 * apart.std() / np.sqrt(300)


def test_random_orders_of_a_flat_hierarchy_are_any_orders():
    drawn = random_orders((0, 1, 2), 3000, np.random.default_rng(0))
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 6 and np.abs(counts - 500).max() < 4.5 * np.sqrt(500)


# --- KernelShap with some of its pairs -------------------------------------------------------------------------------


@few
@given(v=games(), w=games(), a=st.floats(-3, 3), b=st.floats(-3, 3), samples=st.integers(8, 60), seed=SEEDS)
def test_sampled_kernel_values_are_linear_where_the_ridge_is_given(
    v: np.ndarray, w: np.ndarray, a: float, b: float, samples: int, seed: int
):
    """The ridge is chosen for each game, so only one choice leaves a map that all games share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regression, "_RIDGES", (0.3,))
        values = attributed(pc.KernelShap(samples, seed=seed), np.stack([v, w, a * v + b * w])).values
    np.testing.assert_allclose(values[2], a * values[0] + b * values[1], atol=1e-9)


@few
@given(v=games(), a=st.sampled_from([-2.0, 0.25, 3.0]), c=st.floats(-9, 9), samples=st.integers(20, 100), seed=SEEDS)
def test_sampled_kernel_values_scale_with_the_game(v: np.ndarray, a: float, c: float, samples: int, seed: int):
    values = attributed(pc.KernelShap(samples, seed=seed), np.stack([v, a * v + c])).values
    np.testing.assert_allclose(values[1], a * values[0], atol=1e-8)


@few
@given(v=games(), line=arrays(float, P, elements=st.floats(-5, 5)), c=st.floats(-5, 5), seed=SEEDS)
def test_what_is_known_exactly_adds_to_sampled_kernel_values(v: np.ndarray, line: np.ndarray, c: float, seed: int):
    """Lines are not shrunk and pairs of players cancel in complements: whatever the ridge, they come back whole."""
    z = every(P)
    known = z @ line + c * z[:, 0] * z[:, 3]
    values = attributed(pc.KernelShap(40, seed=seed), np.stack([v, v + known])).values
    shares = line + c / 2 * np.isin(np.arange(P), [0, 3])
    np.testing.assert_allclose(values[1] - values[0], shares, atol=1e-8)


# --- hierarchies of texts and pictures -------------------------------------------------------------------------------

TEXTS = [
    "A great film. Not boring at all! Great, great music though.",
    "Boring. Boring plot; no ending. Great cast. Not for me? Not for me.",
    "one sentence and no more",
]


def moody(texts: list[str]) -> np.ndarray:
    """Nothing adds up: products and thresholds of counts."""
    found = []
    for text in texts:
        said = text.lower()
        great, boring, negated = said.count("great"), said.count("boring"), said.count("not")
        found.append(min(great, 2) * (1 + boring) - 1.5 * boring * (negated > 0) + 0.1 * len(said.split()) ** 1.5)
    return np.array(found)


@pytest.mark.parametrize("text", TEXTS)
def test_words_of_a_sentence_share_what_the_sentence_gets(text: str):
    """The sentence is one player to the words of others, so its words add up to its value as a player."""
    by_word = pc.explain(moody, [text], pc.PartitionShap(orders=200), masker=pc.Words())
    by_sentence = pc.explain(moody, [text], pc.PartitionShap(), masker=pc.Sentences())
    assert np.nanmax(by_word.players.stderr) == np.nanmax(by_sentence.players.stderr) == 0
    names, values, _ = by_word.players.row(0)
    whole = by_sentence.players.row(0)[0]
    assert len(whole) == sum(text.count(mark + " ") for mark in ".!?") + 1 < len(names)
    starts, place = [], 0
    for name in names:
        place = text.index(name, place)
        starts.append(place)
        place += len(name)
    begins = [text.index(name) for name in whole]
    owner = np.searchsorted(begins, starts, side="right") - 1
    shares = np.bincount(owner, values, minlength=len(begins))
    np.testing.assert_allclose(shares, by_sentence.players.row(0)[1], atol=1e-10)
    assert abs(by_word.gap[0]) < 1e-10


CUT = pc.Felzenszwalb(scale=1, sigma=0, smallest=2)


def test_sentences_are_halved_and_halved_again():
    halves = pc.PartitionShap(((0, 1), (2, (3, 4))))
    by_hand, found = (
        pc.explain(moody, [TEXTS[1]], method, masker=pc.Sentences()) for method in (halves, pc.PartitionShap())
    )
    np.testing.assert_allclose(found.values, by_hand.values, atol=1e-12)
    flat = pc.explain(moody, [TEXTS[1]], pc.ExactShapley(), masker=pc.Sentences())
    assert np.abs(flat.values - found.values).max() > 0.01


def joined(shown: np.ndarray) -> np.ndarray:
    """A game of k areas of a picture, shown (b, k) their mean brightness -> (b,)"""
    return shown.prod(-1) * 8 + shown[:, 0] * shown[:, -1] - 3 * shown[:, :3].prod(-1) + shown[:, 1]


def test_windows_of_a_quadrant_share_what_the_quadrant_gets():
    x = np.ones((1, 8, 8))
    record = pc.explain(
        lambda x: joined(x.reshape(-1, 2, 4, 2, 4).mean((2, 4)).reshape(-1, 4)),
        x,
        pc.PartitionShap(),
        masker=pc.Grid(window=2, fill="zeros"),
    )
    assert record.players.values.shape == (1, 16) and (record.players.stderr == 0).all()
    quadrants = record.players.values.reshape(2, 2, 2, 2).sum((1, 3)).ravel()
    v = table(lambda z: joined(z.astype(float)), 4)
    trees = [((0, 1), (2, 3)), ((0, 2), (1, 3))]  # a square has no longer side
    assert min(np.abs(quadrants - owen(v, tree)).max() for tree in trees) < 1e-12
    assert np.abs(owen(v, trees[0]) - attributed(pc.ExactShapley(), v).values[0]).max() > 0.01


@pytest.mark.parametrize("masker", ["own map", "superpixels"])
def test_superpixels_are_halved_by_place(masker: str):
    """Four bars side by side: first the left two against the right two."""
    bars = np.arange(4).repeat(4)[None, :].repeat(6, 0)
    numbers = np.array([2, 0, 3, 1])[bars]  # a region's number says nothing of its place
    x = np.array([0.2, 1.0, 0.5, 0.8])[bars][None]  # (1, 6, 16)
    how = pc.LabelMap(numbers, fill="zeros") if masker == "own map" else pc.Superpixels(by=CUT, fill="zeros")

    def f(x: np.ndarray) -> np.ndarray:
        return joined(x.reshape(-1, 6, 4, 4).mean((1, 3)))

    record = pc.explain(f, x, pc.PartitionShap(), masker=how)
    places = [record.players.labels[0][3, 4 * bar + 1] for bar in range(4)]
    assert sorted(places) == [0, 1, 2, 3]
    v = table(lambda z: joined(z * x[0, 0, ::4]), 4)
    np.testing.assert_allclose(record.players.row(0)[1][places], owen(v, ((0, 1), (2, 3))), atol=1e-12)


def test_pictures_with_superpixels_of_their_own_each_have_their_own_hierarchy():
    wide, high = np.zeros((6, 12)), np.zeros((6, 12))
    wide[:, 4:8], wide[:, 8:] = 0.5, 1.0
    high[2:4], high[4:] = 0.5, 1.0
    x = np.stack([wide, high]) + 0.1

    def f(x: np.ndarray) -> np.ndarray:
        return np.tanh(x.sum((1, 2)) / 20) * (1 + x[:, 0, 0]) * x[:, -1, -1]

    how = pc.Superpixels(by=CUT, fill="zeros")
    both = pc.explain(f, x, pc.PartitionShap(), masker=how)
    for row in (0, 1):
        alone = pc.explain(f, x[row : row + 1], pc.PartitionShap(), masker=how)
        np.testing.assert_allclose(both.players.row(row)[1], alone.players.row(0)[1], atol=1e-12)
        assert len(alone.players.row(0)[1]) >= 2
    assert np.abs(both.gap).max() < 1e-12
