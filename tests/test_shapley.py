"""Exact Shapley values and KernelShap where it asks everything: closed forms, axioms, slow derivations."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pellucid as pc
from oracles import oracle
from pellucid.methods.shapley.design import Level, kernel_share, pairs_at, shapley_kernel
from shapley_games import attributed, by_permutations, by_subsets, every, game, solid, table

BOTH = pytest.mark.parametrize("method", [pc.ExactShapley(), pc.KernelShap()], ids=["exact", "kernel"])

few = settings(max_examples=20)

CLASSICS = {
    "AND3": lambda z: z.all(1),
    "OR3": lambda z: z.any(1),
    "MAJ3": lambda z: z.sum(1) >= 2,
    "glove_L1L2R": lambda z: z[:, 2] & z[:, :2].any(1),
    "airport_1_2_3": lambda z: (z * [1, 2, 3]).max(1),
    "vote51_50_49_1": lambda z: z @ np.array([50, 49, 1]) >= 51,
    "XOR2": lambda z: z[:, 0] ^ z[:, 1],
    "AND_x1x2_of3": lambda z: z[:, 0] & z[:, 1],
}


def games(p: int) -> st.SearchStrategy[np.ndarray]:
    """Random games of p players whose empty coalition is worth something too."""
    return arrays(float, 2**p, elements=st.floats(-8, 8, allow_subnormal=False).map(lambda v: round(v, 3)))


@BOTH
@pytest.mark.parametrize("name", CLASSICS)
def test_classical_games(method, name: str):
    expected = oracle("SHAP-GAMES")["expected"][name]["shapley"]
    parts = attributed(method, table(CLASSICS[name], len(expected)))
    np.testing.assert_allclose(parts.values[0], expected, atol=1e-8)


def test_every_classical_game_is_here():
    assert set(CLASSICS) == set(oracle("SHAP-GAMES")["expected"])


@BOTH
def test_the_founding_table(method):
    """Additive parts +0.15 -0.08 +0.20 0.00 come back as they are."""
    worth = np.array([0.15, -0.08, 0.20, 0.00])
    parts = attributed(method, table(lambda z: 0.4 + z @ worth, 4))
    np.testing.assert_allclose(parts.values[0], worth, atol=1e-14)
    assert parts.values.sum() == pytest.approx(oracle("SHAP-SEED")["expected"]["sum"], abs=1e-12)
    assert parts.base_values[0] == pytest.approx(0.4)


@BOTH
def test_a_linear_model_against_one_reference(method):
    truth = oracle("LIN-1")["expected"]
    record = pc.explain(
        lambda x: x @ np.array([2, -3, 0.5]) + 1, np.array([[1.0, 2, 4]]), method, background=[[0.5, 0, -2]]
    )
    np.testing.assert_allclose(record.values[0], truth["baseline_shapley"], atol=1e-12)
    assert record.base_values[0] == pytest.approx(truth["f_base"]) and abs(record.gap[0]) < 1e-12


@BOTH
def test_a_linear_model_against_a_background(method):
    truth = oracle("LIN-2")["expected"]
    record = pc.explain(
        lambda x: x @ np.array([2, -3, 0.5]) + 1,
        np.array([[1.0, 2, 4]]),
        method,
        background=[[0.0, 0, 0], [1, 1, 1], [2, -1, 3]],
    )
    np.testing.assert_allclose(record.values[0], truth["shap"], atol=1e-8)
    assert record.base_values[0] == pytest.approx(truth["base_value"])


@BOTH
@pytest.mark.parametrize("start, key", [((0.0, 0.0), "a_shapley"), ((1.0, 1.0), "b_shapley")])
def test_a_product(method, start: tuple[float, float], key: str):
    record = pc.explain(lambda x: x.prod(1), np.array([[3.0, 2]]), method, background=[start])
    np.testing.assert_allclose(record.values[0], oracle("PROD")["expected"][key], atol=1e-12)


@BOTH
def test_a_duplicated_column_gets_nothing_of_what_the_other_does(method):
    record = pc.explain(lambda x: 3 * x[:, 0], np.array([[2.0, 2]]), method, background=[[-1.0, -1], [1, 1]])
    np.testing.assert_allclose(record.values[0], oracle("DUP")["expected"]["interventional"], atol=1e-12)


def test_kernel_weights():
    truth = oracle("KSHAP-W")["expected"]
    np.testing.assert_allclose([shapley_kernel(4, s) for s in (1, 2, 3)], truth["M4"])
    np.testing.assert_allclose([shapley_kernel(3, s) for s in (1, 2)], truth["M3"], rtol=1e-7)
    assert shapley_kernel(10, 1) == pytest.approx(truth["M10_s1"])
    assert shapley_kernel(10, 5) == pytest.approx(truth["M10_s5"], rel=1e-5)


@pytest.mark.parametrize("p", [2, 3, 6, 7])
def test_a_levels_share_is_its_kernel_weight(p: int):
    for s in range(1, p // 2 + 1):
        coalitions = comb(p, s) if 2 * s == p else 2 * comb(p, s)
        assert kernel_share(p, s) == pytest.approx(coalitions * shapley_kernel(p, s) * p / (p - 1))
        assert pairs_at(p, s) == coalitions // 2
        assert Level(s, pairs_at(p, s), every(p)[:1]).complete == (pairs_at(p, s) == 1)


@few
@given(v=games(5))
def test_exact_is_the_average_over_orders(v: np.ndarray):
    np.testing.assert_allclose(attributed(pc.ExactShapley(), v).values[0], by_permutations(v), atol=1e-12)


@few
@given(v=games(6))
def test_kernel_with_every_coalition_is_exact(v: np.ndarray):
    parts = attributed(pc.KernelShap(), v)
    np.testing.assert_allclose(parts.values[0], by_subsets(v), atol=1e-12)
    assert (parts.stderr == 0).all()


@pytest.mark.parametrize("p", range(1, 12))
def test_kernel_equals_exact_for_every_number_of_players(p: int):
    v = np.random.default_rng(p).normal(size=(3, 2**p))
    kernel, exact = attributed(pc.KernelShap(samples=2**p), v), attributed(pc.ExactShapley(), v)
    np.testing.assert_allclose(kernel.values, exact.values, atol=1e-10, rtol=0)
    np.testing.assert_array_equal(kernel.base_values, exact.base_values)
    assert kernel.stderr.max() == 0


def test_exact_in_several_blocks():
    v = np.random.default_rng(0).normal(size=2**13)
    np.testing.assert_allclose(attributed(pc.ExactShapley(), v).values[0], by_subsets(v), atol=1e-12)


METHODS = st.sampled_from([pc.ExactShapley(), pc.KernelShap(), pc.KernelShap(samples=20), pc.KernelShap(samples=8)])


@few
@given(v=games(5), method=METHODS)
def test_efficiency(v: np.ndarray, method):
    parts = attributed(method, v)
    assert parts.values.sum() == pytest.approx(v[-1] - v[0], abs=1e-12) and parts.base_values[0] == v[0]


@few
@given(v=games(5), w=games(5), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_linearity(v: np.ndarray, w: np.ndarray, a: float, b: float):
    for method in (pc.ExactShapley(), pc.KernelShap()):
        both = attributed(method, np.stack([v, w, a * v + b * w])).values
        np.testing.assert_allclose(both[2], a * both[0] + b * both[1], atol=1e-10)


@few
@given(v=games(4), method=st.sampled_from([pc.ExactShapley(), pc.KernelShap()]))
def test_an_idle_player_gets_nothing(v: np.ndarray, method):
    idle = np.concatenate([v, v])  # the fifth player changes nothing
    values = attributed(method, idle).values[0]
    assert abs(values[4]) < 1e-12
    np.testing.assert_allclose(values[:4], attributed(method, v).values[0], atol=1e-11)


@few
@given(v=games(5), method=st.sampled_from([pc.ExactShapley(), pc.KernelShap()]))
def test_interchangeable_players_get_the_same(v: np.ndarray, method):
    z = every(5)
    swapped = np.flatnonzero(z[:, 1] != z[:, 3])
    fair = v.copy()
    fair[swapped] = (v[swapped] + v[swapped ^ 0b01010]) / 2
    values = attributed(method, fair).values[0]
    assert values[1] == pytest.approx(values[3], abs=1e-12)


def test_rows_do_not_know_of_each_other():
    v = solid(12, 5, seed=1)
    for method in (pc.KernelShap(samples=300), pc.KernelShap(samples=300, tolerance=0.05), pc.ExactShapley()):
        whole = attributed(method, v)
        for i in range(5):
            alone = attributed(method, v[i])
            np.testing.assert_allclose(alone.values[0], whole.values[i], atol=1e-9)
            if whole.stderr is not None:
                np.testing.assert_allclose(alone.stderr[0], whole.stderr[i], rtol=1e-5)


def test_more_players_than_can_be_enumerated():
    with pytest.raises(pc.MethodError, match=r"2\^21 coalitions of 21 players.*KernelShap\(samples=2090\)"):
        pc.explain(lambda x: x.sum(1), np.ones((1, 21)), pc.ExactShapley(), background=np.zeros((1, 21)))


# --- interactions ----------------------------------------------------------------------------------------------------


def pair_definition(v: np.ndarray, i: int, j: int) -> float:
    """Half the pair's interaction: what joining together adds to joining apart, averaged over orders of the rest."""
    p, z = int(np.log2(len(v))), every(int(np.log2(len(v))))
    rest = np.flatnonzero(~z[:, i] & ~z[:, j])
    a, b = 1 << i, 1 << j
    together = v[rest | a | b] - v[rest | a] - v[rest | b] + v[rest]
    weights = [1 / ((p - 1) * comb(p - 2, s)) for s in z[rest].sum(1)]
    return float(np.dot(weights, together)) / 2


@few
@given(v=games(5))
def test_interactions_by_definition(v: np.ndarray):
    found = pc.ExactShapley().interact(game(v)).values[0]
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    np.testing.assert_allclose(found.sum(1), attributed(pc.ExactShapley(), v).values[0], atol=1e-11)
    for i in range(5):
        for j in range(i):
            assert found[i, j] == pytest.approx(pair_definition(v, i, j), abs=1e-11)


def test_interactions_of_a_product_are_all_between_its_factors():
    record = pc.interact(
        lambda x: x[:, 0] * x[:, 1] + 4 * x[:, 2],
        np.array([[3.0, 2, 1]]),
        pc.ExactShapley(),
        background=np.zeros((1, 3)),
    )
    np.testing.assert_allclose(record.values[0], [[0, 3, 0], [3, 0, 0], [0, 0, 4]], atol=1e-12)


def test_one_player_interacts_with_nobody():
    np.testing.assert_allclose(pc.ExactShapley().interact(game([1.0, 4.0])).values, [[[3.0]]])
