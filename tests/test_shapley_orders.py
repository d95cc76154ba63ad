"""PermutationShap and PartitionShap: orders of joining, walked one by one, against brute force."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pellucid as pc
from oracles import oracle
from pellucid.core.maskers import Cells, Windows
from pellucid.core.masking import Form
from pellucid.methods.shapley.hierarchy import by_correlation, by_place, members, named, of_game
from pellucid.methods.shapley.orders import Tally, gains
from pellucid.methods.shapley.partition import random_orders, recursion
from shapley_games import Players, attributed, by_subsets, codes, every, game, solid, table

few = settings(max_examples=20)


def games(p: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(float, 2**p, elements=st.floats(-8, 8, allow_subnormal=False).map(lambda v: round(v, 3)))


def walked(v: np.ndarray, order: Any) -> np.ndarray:
    """Each player's gain in one order, v (2^p,) -> (p,)"""
    gain, coalition = np.zeros(int(np.log2(len(v)))), 0
    for player in order:
        gain[player] = v[coalition | 1 << player] - v[coalition]
        coalition |= 1 << player
    return gain


def tree_orders(tree: Any) -> list[list[int]]:
    """All orders that interrupt no group."""
    if isinstance(tree, int):
        return [[tree]]
    found = []
    for branches in itertools.permutations(tree):
        for parts in itertools.product(*map(tree_orders, branches)):
            found.append([player for part in parts for player in part])
    return found


def owen(v: np.ndarray, tree: Any) -> np.ndarray:
    """The definition by brute force."""
    return np.mean([walked(v, order) for order in tree_orders(tree)], axis=0)


# --- orders ----------------------------------------------------------------------------------------------------------


@few
@given(v=games(5), order=st.permutations(range(5)))
def test_an_order_walked_both_ways(v: np.ndarray, order: list[int]):
    found = gains(game(v), np.array([order]), np.array([v[-1] - v[0]]))[0, 0]
    np.testing.assert_allclose(found, (walked(v, order) + walked(v, order[::-1])) / 2, atol=1e-12)


def test_a_coalition_is_asked_once_however_many_orders_meet_it():
    play = game(solid(4, 1, seed=0))
    gains(play, np.array(list(itertools.permutations(range(4)))), np.zeros(1))
    asked = np.concatenate([codes(z) for z in play.f.calls if len(z) > 1])
    assert sorted(asked) == list(range(1, 15))


@pytest.mark.parametrize("p", range(1, 6))
def test_few_players_have_few_orders_and_exact_values(p: int):
    v = solid(p, 3, seed=p)
    parts = attributed(pc.PermutationShap(orders=60), v)
    np.testing.assert_allclose(parts.values, [by_subsets(row) for row in v], atol=1e-12)
    assert (parts.stderr == 0).all()


def test_pairs_of_players_come_back_from_one_order():
    rng, z = np.random.default_rng(3), every(10).astype(float)
    line, pairs = rng.normal(size=10), np.triu(rng.normal(size=(10, 10)), 1)
    v = 2 + z @ line + ((z @ pairs) * z).sum(1)
    parts = attributed(pc.PermutationShap(orders=1), v)
    np.testing.assert_allclose(parts.values[0], line + (pairs + pairs.T).sum(0) / 2, atol=1e-12)
    assert np.isnan(parts.stderr).all()  # one order says nothing of its error
    assert attributed(pc.PermutationShap(orders=2), v).stderr.max() < 1e-12


METHODS = st.sampled_from(
    [
        pc.PermutationShap(orders=3),
        pc.PartitionShap(((0, 1), (2, (3, 4)))),
        pc.PartitionShap((0, (1, 2), 3, 4), orders=1),
    ]
)


@few
@given(v=games(5), w=games(5), method=METHODS)
def test_efficiency_and_linearity(v: np.ndarray, w: np.ndarray, method):
    parts = attributed(method, np.stack([v, w, 2 * v - 3 * w]))
    change = np.array([v[-1] - v[0], w[-1] - w[0], 2 * (v[-1] - v[0]) - 3 * (w[-1] - w[0])])
    np.testing.assert_allclose(parts.values.sum(1), change, atol=1e-11)
    np.testing.assert_allclose(parts.values[2], 2 * parts.values[0] - 3 * parts.values[1], atol=1e-10)
    assert parts.base_values[1] == w[0]


@few
@given(v=games(4), method=METHODS)
def test_an_idle_player_gets_nothing(v: np.ndarray, method):
    assert abs(attributed(method, np.concatenate([v, v])).values[0, 4]) < 1e-12


def test_the_tally_is_mean_and_variance():
    sample = np.random.default_rng(0).normal(size=(2, 11, 3))
    tally = Tally(0, np.zeros((2, 3)), np.zeros((2, 3)))
    for part in (slice(0, 4), slice(4, 5), slice(5, 11)):
        tally = tally.with_gains(sample[:, part])
    np.testing.assert_allclose(tally.mean, sample.mean(1))
    np.testing.assert_allclose(tally.squares / 10, sample.var(1, ddof=1))
    quantile = 2.228138851964939 / 1.959963984540054  # Student's t with 10 degrees of freedom, over the normal's
    np.testing.assert_allclose(tally.estimate().stderr, sample.std(1, ddof=1) / np.sqrt(11) * quantile)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        pc.PermutationShap(orders=8),
        pc.PermutationShap(orders=32),
        pc.PartitionShap((tuple(range(6)), tuple(range(6, 12))), orders=10),
    ],
    ids=["permutation-8", "permutation-32", "partition-10"],
)
def test_intervals_cover_at_their_nominal_rate(method):
    """1,000 seeds, one value each."""
    choice, v = np.random.default_rng(1), solid(12, 8, seed=12, noise=0.3)
    if isinstance(method, pc.PartitionShap):
        met, coefficients = recursion(method.hierarchy, 12)
        exact = v[:, codes(met)] @ coefficients
    else:
        exact = np.array([by_subsets(row) for row in v])
    inside = 0
    for seed in range(1000):
        parts = attributed(type(method)(**{**vars(method), "seed": seed}), v)
        row, player = choice.integers((8, 12))
        inside += abs(parts.values[row, player] - exact[row, player]) <= 1.96 * parts.stderr[row, player]
    assert parts.stderr.min() > 0 and 930 <= inside <= 970


def test_a_row_stops_at_its_tolerance():
    easy, hard = solid(9, 1, seed=0, noise=0.0)[0] * 0.01, solid(9, 1, seed=1, noise=1.0)[0]
    method = pc.PermutationShap(orders=64, tolerance=0.05)
    parts, fixed = attributed(method, np.stack([easy, hard])), attributed(pc.PermutationShap(orders=64), [easy, hard])
    assert parts.converged.tolist() == [True, False] and parts.stderr[0].max() <= 0.05
    np.testing.assert_allclose(parts.values[1], fixed.values[1], atol=1e-12)
    assert np.abs(parts.values[0] - fixed.values[0]).max() > 1e-9
    np.testing.assert_allclose(attributed(method, easy).values[0], parts.values[0], atol=1e-12)


@pytest.mark.parametrize("method", [pc.PermutationShap(), pc.PartitionShap((0, 1, 2, 3, 4, 5, 6, 7, 8, 9))])
def test_a_budget_of_rows_is_kept_and_used(method):
    v = solid(10, 2, seed=0)
    for rows in (60, 300, 1000):
        play = game(v, pc.Budget(rows=rows))
        parts = method.attribute(play, method.stream())
        assert (
            rows - 2 * 2 * 9 * 2 < play.f.meter.rows_forward <= rows + 16
        )  # the first block of each call asks one twice
        np.testing.assert_allclose(parts.values.sum(1), v[:, -1] - v[:, 0])
    poor = attributed(method, v, pc.Budget(rows=1))
    np.testing.assert_allclose(poor.values, np.repeat((v[:, -1] - v[:, 0])[:, None] / 10, 10, 1))
    assert np.isnan(poor.stderr).all()


@pytest.mark.parametrize("kind", [pc.PermutationShap, pc.PartitionShap])
@pytest.mark.parametrize("fields", [{"orders": 0}, {"tolerance": -1.0}])
def test_fields_out_of_range(kind, fields: dict):
    with pytest.raises(pc.MethodError, match=next(iter(fields))):
        kind(**fields)


# --- the hierarchy ---------------------------------------------------------------------------------------------------

TREES = [
    ((0, 1), (2, 3, 4)),
    (0, (1, (2, (3, 4)))),
    ((0, 3), 1, (2, 4)),
    (0, 1, 2, 3, 4),
    (((4, 0), 2), (1, 3)),
]


@few
@given(v=games(5), tree=st.sampled_from(TREES))
def test_owen_values_by_brute_force(v: np.ndarray, tree):
    parts = attributed(pc.PartitionShap(tree, orders=100), v)
    np.testing.assert_allclose(parts.values[0], owen(v, tree), atol=1e-11)
    assert (parts.stderr == 0).all()


@few
@given(v=games(5))
def test_a_group_gets_what_it_would_get_as_one_player(v: np.ndarray):
    values = attributed(pc.PartitionShap(((0, 1), 2, (3, 4))), v).values[0]
    merged = table(lambda z: v[codes(z[:, [0, 0, 1, 2, 2]])], 3)
    np.testing.assert_allclose([values[:2].sum(), values[2], values[3:].sum()], by_subsets(merged), atol=1e-11)


def test_without_groups_owen_is_shapley():
    v = solid(6, 2, seed=0)
    flat = attributed(pc.PartitionShap(tuple(range(6))), v)
    np.testing.assert_allclose(flat.values, [by_subsets(row) for row in v], atol=1e-12)


def test_the_glove_game_with_a_union():
    """Two left gloves in one hand: the union of left gloves is worth as much as the right one (Owen 1977)."""
    v = table(lambda z: z[:, 2] & z[:, :2].any(1), 3)
    np.testing.assert_allclose(attributed(pc.PartitionShap(((0, 1), 2)), v).values[0], [0.25, 0.25, 0.5])
    assert oracle("SHAP-GAMES")["expected"]["glove_L1L2R"]["shapley"][2] > 0.5  # which it is not without a union


def test_random_orders_interrupt_no_group_and_are_all_as_likely():
    tree = ((0, 1), (2, (3, 4)))
    drawn = random_orders(tree, 4000, np.random.default_rng(0))
    allowed = {tuple(order) for order in tree_orders(tree)}
    counts = dict.fromkeys(allowed, 0)
    for order in map(tuple, drawn.tolist()):
        counts[order] += 1
    expected = 4000 / len(allowed)
    assert max(abs(count - expected) for count in counts.values()) < 4.5 * np.sqrt(expected)


def test_many_players_are_sampled():
    tree = tuple((2 * i, 2 * i + 1) for i in range(6))
    v = solid(12, 2, seed=0)
    met, coefficients = recursion(tree, 12)
    parts = attributed(pc.PartitionShap(tree, orders=8), v)
    exact = v[:, codes(met)] @ coefficients
    assert (parts.stderr > 0).all() and (np.abs(parts.values - exact) < 4 * parts.stderr).all()
    assert attributed(pc.PartitionShap(tree, orders=40), v).stderr.max() == 0  # now the recursion is cheaper


def test_named_players():
    names = ("age", "sex", "pay")
    assert named((("age", "pay"), ("sex",)), names) == ((0, 2), 1)
    assert named([[0, 2], 1], names) == ((0, 2), 1)
    for wrong, said in (
        ((("age", "pay"),), "'sex' 0 times"),
        (("age", "sex", "pay", "age"), "'age' 2 times"),
        (("age", "sex", "wage"), "names 'wage'"),
        ((0, 1, 3), "names 3"),
    ):
        with pytest.raises(pc.MethodError, match=said):
            named(wrong, names)


def test_columns_that_go_together_are_joined_first():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    rows = np.column_stack([a, b, -a + 0.1 * rng.normal(size=200), np.ones(200), b + 0.1 * rng.normal(size=200)])
    rows[3, 1] = np.nan
    tree = by_correlation(rows, "abcde")
    assert sorted(members(tree)) == [0, 1, 2, 3, 4]
    groups = {frozenset(members(branch)) for branch in _nodes(tree)}
    assert {frozenset({0, 2}), frozenset({1, 4}), frozenset({0, 1, 2, 4})} <= groups


def _nodes(tree: Any) -> list[Any]:
    return [] if isinstance(tree, int) else [tree, *(node for branch in tree for node in _nodes(branch))]


def test_places_are_halved_along_the_longer_side():
    centers = np.array([(r, c) for r in range(2) for c in range(4)], dtype=float)
    assert by_place(centers) == (((0, 1), (4, 5)), ((2, 3), (6, 7)))
    assert by_place(np.zeros((3, 2))) == (0, (1, 2))


def test_windows_know_their_places():
    x = np.zeros((1, 6, 6))
    for masker, kind in ((pc.Grid(window=3), Cells), (pc.Grid(window=4, stride=2), Windows)):
        bound = masker.bind(x, None, Form())
        assert isinstance(bound, kind)
        tree = of_game(type("G", (), {"bound": bound, "players": 4})())
        assert tree == ((0, 1), (2, 3)) or tree == ((0, 2), (1, 3))


def test_a_table_without_background_needs_groups():
    f, x = (lambda x: x.prod(1)), np.array([[1.0, 2, 3]])
    with pytest.raises(pc.InputError, match=r"hierarchy=\(\('x0', 'x1'\), 'x2'"):
        pc.explain(f, x, pc.PartitionShap(), masker=pc.Baseline())
    record = pc.explain(f, x, pc.PartitionShap(((0, 1), 2)), masker=pc.Baseline())
    np.testing.assert_allclose(record.values[0], [1.5, 1.5, 3])


def test_a_picture():
    x = np.arange(64.0).reshape(1, 8, 8)
    weights = np.random.default_rng(0).normal(size=(8, 8))
    record = pc.explain(lambda x: (x * weights).sum((1, 2)), x, pc.PartitionShap(), masker=pc.Grid(window=2, fill=1.0))
    expected = ((x[0] - 1) * weights).reshape(4, 2, 4, 2).sum((1, 3)).ravel()
    np.testing.assert_allclose(record.players.values[0], expected)
    assert abs(record.gap[0]) < 1e-10


def test_one_player():
    assert of_game(type("G", (), {"bound": Players(1, 1), "players": 1})()) == 0
    for method in (pc.PermutationShap(), pc.PartitionShap(), pc.PartitionShap((0,))):
        parts = attributed(method, [1.0, 4.0])
        np.testing.assert_allclose([parts.values[0, 0], parts.base_values[0], parts.stderr[0, 0]], [3, 1, 0])
