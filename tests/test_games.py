"""Maskers, games and occlusion: what is hidden, what it costs, and how values come back to cells."""

import itertools

import numpy as np
import pytest

import pellucid as pc
from oracles import oracle
from pellucid.core.maskers import Cells, Windows
from pellucid.core.masking import Form


def test_columns_average_over_the_background():
    x, background = np.array([[1.0, 2], [3, 4]]), np.array([[10.0, 20], [30, 40], [50, 60]])
    bound = pc.Columns().bind(x, background)
    filled = bound.fill(np.array([[True, False], [False, False]]))
    assert filled.shape == (2, 3, 2, 2)
    np.testing.assert_array_equal(filled[0, :, 1], [[3, 20], [3, 40], [3, 60]])
    np.testing.assert_array_equal(filled[1, :, 0], background)


def test_tiles_share_the_places_out():
    x = np.arange(24.0).reshape(1, 1, 4, 6)
    bound = pc.Grid(window=(2, 3), fill=-1.0).bind(x, None, Form(channels=1))
    assert isinstance(bound, Cells)
    assert bound.names == ("(0, 0)", "(0, 3)", "(2, 0)", "(2, 3)")
    filled = bound.fill(np.array([[True, True, False, True]]))[0, 0, 0, 0]
    np.testing.assert_array_equal(filled == -1, [[False] * 6] * 2 + [[True] * 3 + [False] * 3] * 2)


def test_lifting_divides_a_player_over_its_cells():
    x = np.zeros((2, 3, 4, 4))
    bound = pc.Grid(window=2).bind(x, None, Form(channels=1))
    values = np.arange(8.0).reshape(2, 4)
    lifted = bound.lift(values)
    assert lifted.shape == x.shape
    np.testing.assert_allclose(lifted.sum((1, 2, 3)), values.sum(1))
    np.testing.assert_allclose(lifted[1, :, :2, :2], values[1, 0] / 12)


@pytest.mark.parametrize(
    "shape, channels", [((1, 7), None), ((1, 2, 7, 5), 1), ((1, 7, 5, 3), 3), ((1, 1, 4, 5, 6), 1)]
)
def test_windows_cover_every_place_and_stay_inside(shape: tuple[int, ...], channels: int | None):
    bound = pc.Grid(window=3, stride=2).bind(np.ones(shape), None, Form(channels=channels))
    assert isinstance(bound, Windows)
    hidden = bound.fill(np.zeros((1, len(bound.names)), dtype=bool))
    assert (hidden == 0).all()
    one = bound.fill(~np.eye(len(bound.names), dtype=bool))
    assert (
        (one == 0).reshape(len(bound.names), -1).sum(1)
        == 3 ** (len(shape) - 1 - (channels is not None)) * (shape[channels] if channels else 1)
    ).all()


def test_occlusion_of_overlapping_windows():
    truth, weights = oracle("OCC")["expected"], np.array([1, -1, 2, 0.5])
    record = pc.explain(
        lambda x: x @ weights, np.array([[1.0, 2, 3, 4]]), pc.Occlusion(window=2, stride=1, baseline="zeros")
    )
    np.testing.assert_allclose(record.players.values[0], truth["window_drop"])
    np.testing.assert_allclose(record.values[0], truth["averaged"])
    assert record.gap[0] == pytest.approx(7 - 14.5)


def test_occlusion_on_a_linear_model():
    record = pc.explain(
        lambda x: x @ np.array([2, -3, 0.5]) + 1,
        np.array([[1.0, 2, 4]]),
        pc.Occlusion(),
        background=np.array([[0.5, 0, -2]]),
    )
    np.testing.assert_allclose(record.values[0], oracle("LIN-1")["expected"]["occlusion_single_feature"])


def test_occlusion_equals_brute_force_on_a_picture():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(6, 6, 3))

    def f(pictures: np.ndarray) -> np.ndarray:
        return np.tanh((pictures * weights).sum((1, 2, 3)))

    record = pc.explain(f, x, pc.Occlusion(window=3, baseline=0.5))
    for tile, (i, j) in enumerate(itertools.product((0, 3), (0, 3))):
        hidden = x.copy()
        hidden[:, i : i + 3, j : j + 3] = 0.5
        np.testing.assert_allclose(record.players.values[:, tile], f(x) - f(hidden))
    assert record.layout == "channels-last"


def test_the_default_window_lays_about_seven_along_each_side():
    record = pc.explain(lambda x: x.sum((1, 2)), np.ones((1, 28, 28)), pc.Occlusion())
    assert len(record.players.names) == 49
    np.testing.assert_allclose(record.values, 1.0)


def test_a_table_can_be_hidden_by_a_fixed_value():
    record = pc.explain(lambda x: x.sum(1), np.ones((1, 3)), pc.Occlusion(baseline="zeros"))
    np.testing.assert_allclose(record.values, 1.0)
    with pytest.raises(pc.InputError, match="needs background rows"):
        pc.explain(lambda x: x.sum(1), np.ones((1, 3)), pc.Occlusion())


def test_a_number_means_nothing_for_a_column_without_numbers():
    import pandas as pd

    x = pd.DataFrame({"a": [1.0], "s": ["u"]})
    with pytest.raises(pc.InputError, match="'s'"):
        pc.explain(lambda f: f["a"].to_numpy(), x, pc.Occlusion(baseline="zeros"))


def test_the_mean_of_a_background_takes_the_most_frequent_level():
    import pandas as pd

    x = pd.DataFrame({"a": [1.0], "s": ["u"]})
    background = pd.DataFrame({"a": [2.0, 4.0, 6.0], "s": ["v", "v", "w"]})
    record = pc.explain(
        lambda f: f["a"] + 10.0 * (f["s"] == "v"), x, pc.Occlusion(baseline="mean"), background=background
    )
    np.testing.assert_allclose(record.values[0], [1 - 4, -10])


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (lambda: pc.Occlusion(window=0), "at least 1"),
        (lambda: pc.Grid(stride=(1, 0)), "at least 1"),
        (lambda: pc.Baseline("dusk"), "unknown"),
    ],
)
def test_impossible_maskers(method, says: str):
    with pytest.raises(pc.MethodError, match=says):
        method()


def test_windows_that_do_not_fit_are_refused():
    def f(x: np.ndarray) -> np.ndarray:
        return x.sum((1, 2))

    with pytest.raises(pc.InputError, match="does not fit"):
        pc.explain(f, np.ones((1, 4, 4)), pc.Occlusion(window=5))
    with pytest.raises(pc.MethodError, match="3 sizes"):
        pc.explain(f, np.ones((1, 4, 4)), pc.Occlusion(window=(1, 1, 1)))
    with pytest.raises(pc.MethodError, match="for tables"):
        pc.explain(f, np.ones((1, 4, 4)), pc.Occlusion(), masker=pc.Columns(), background=np.zeros((1, 4, 4)))
