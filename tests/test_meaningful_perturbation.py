"""Meaningful perturbation: slopes against differences, planted patches, both games, and what is said."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pc
from nets import cnn
from pellucid.core.budget import Meter
from pellucid.methods.removal.meaningful_perturbation import _hats, _Scene
from pellucid.models.prepare import prepare


class Patch(nn.Module):
    """The score is the mean brightness of one patch, through a sigmoid; nothing else counts."""

    def __init__(self, *where: slice) -> None:
        super().__init__()
        self.where = where

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(4 * x[(slice(None), slice(None), *self.where)].flatten(1).mean(1) - 2)


def bright(shape: tuple[int, ...]) -> np.ndarray:
    return (1 + 0.1 * np.random.default_rng(0).normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize("game", ["deletion", "preservation"])
@pytest.mark.parametrize(
    ("shape", "where"),
    [
        ((2, 1, 40), (slice(8, 16),)),
        ((2, 3, 24, 20), (slice(4, 12), slice(8, 16))),
        ((1, 1, 12, 10, 14), (slice(2, 7), slice(3, 8), slice(6, 12))),
    ],
)
def test_the_planted_patch_is_found_in_every_dimension(game: str, shape: tuple[int, ...], where: tuple[slice, ...]):
    method = pc.MeaningfulPerturbation(game, steps=120, cells=8, baseline="zeros", smooth=0.05, area=0.4)
    record = pc.explain(Patch(*where), bright(shape), method)
    inside = np.zeros(shape[2:], bool)
    inside[where] = True
    assert record.values.shape == (shape[0], *shape[2:])
    assert record.values.min() >= 0 and record.values.max() <= 1
    for values in record.values:
        assert values[inside].mean() > 3 * values[~inside].mean()
        assert values[inside].max() == pytest.approx(values.max())
    assert np.isnan(record.base_values).all() and not record.receipt.warnings
    assert "loss" in record.receipt.notes[0]


@pytest.mark.parametrize("game", ["deletion", "preservation"])
@pytest.mark.parametrize("beta", [1.5, 3.0])
def test_the_slope_is_that_of_the_loss(game: str, beta: float):
    x = np.random.default_rng(0).normal(size=(2, 2, 8, 8))
    method = pc.MeaningfulPerturbation(game, baseline=0.5, cells=(3, 4), beta=beta, area=0.7, smooth=3.0)
    ready = prepare(cnn().double(), x)
    with ready.adapter.session():
        f, _ = ready.bind(1, Meter())
        scene = _Scene.of(f, x, np.full((1, *x.shape), 0.5), (3, 4))
        mask = np.random.default_rng(1).random((2, 3, 4)) * 0.8 + 0.1
        slope = method._sign * scene.slope(mask, 0, [0, 0]) + method._pull(mask)
        for at in np.ndindex(3, 4):
            step = np.zeros((2, 3, 4))
            step[(slice(None), *at)] = 1e-6
            change = (method._loss(scene, mask + step) - method._loss(scene, mask - step)) / 2e-6
            np.testing.assert_allclose(slope[(slice(None), *at)], change, rtol=1e-4, atol=1e-7)


def test_masks_reach_from_edge_to_edge():
    np.testing.assert_allclose(_hats(5, 3), [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(_hats(9, 4).sum(1), 1)


def test_a_shift_moves_the_picture_and_repeats_its_edge():
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    ready = prepare(Patch(slice(0, 1), slice(0, 1)), x)
    with ready.adapter.session():
        f, _ = ready.bind(None, Meter())
        scene = _Scene.of(f, x, np.zeros((1, *x.shape)), (2, 2))
    np.testing.assert_array_equal(scene._shifted(x, [1, -2])[0, 0], [[4, 4, 4, 5], [8, 8, 8, 9], [8, 8, 8, 9]])


def test_larger_penalties_make_smaller_and_smoother_parts():
    x, net = bright((1, 1, 24, 24)), Patch(slice(4, 12), slice(8, 16))
    ask = lambda **more: pc.explain(  # noqa: E731
        net, x, pc.MeaningfulPerturbation(steps=60, cells=12, baseline="zeros", **more)
    ).values[0]
    assert ask(area=2.0).mean() < ask(area=0.01).mean()
    rough = lambda v: np.abs(np.diff(v, axis=0)).max()  # noqa: E731
    assert rough(ask(smooth=500.0)) < rough(ask(smooth=0.0))


def test_a_negative_score_is_lowered_too_and_the_scale_does_not_matter():
    x, net = bright((1, 1, 24, 24)), Patch(slice(4, 12), slice(8, 16))
    method = pc.MeaningfulPerturbation(steps=60, cells=8, baseline="zeros")
    one = pc.explain(net, x, method)
    other = pc.explain(net, x, method, target=lambda out: 1000 * out[:, 0] - 5000)
    np.testing.assert_allclose(one.values, other.values, atol=0.05)


def test_same_seed_same_mask_and_background_rows_take_turns():
    x, net = bright((2, 2, 8, 8)), cnn()
    method = pc.MeaningfulPerturbation(steps=10, cells=4, baseline=None, jitter=0.3, seed=3)
    background = np.random.default_rng(5).normal(size=(3, 2, 8, 8)).astype(np.float32)
    first, again = (pc.explain(net, x, method, target=1, background=background) for _ in range(2))
    np.testing.assert_array_equal(first.values, again.values)
    alone = pc.explain(net, x, method, target=1, background=background[:1])
    assert not np.allclose(first.values, alone.values)


def test_a_baseline_that_changes_nothing_is_said():
    x = np.full((2, 1, 12, 12), 3.0, np.float32)
    record = pc.explain(Patch(slice(0, 4), slice(0, 4)), x, pc.MeaningfulPerturbation(steps=3, cells=4))
    assert "scores like the data in 2 of 2 rows" in record.receipt.warnings[0]


def test_a_step_that_leaps_over_the_valley_is_said():
    class Wave(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(20 * x.flatten(1).mean(1))  # from sin(10), sloping down, a step of 0.2 leads to sin(14)

    method = pc.MeaningfulPerturbation(steps=1, rate=0.2, baseline="zeros", cells=4)
    record = pc.explain(Wave(), np.ones((1, 1, 8, 8), np.float32), method)
    assert "did not fall in 1 of 1 rows" in record.receipt.warnings[0]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"game": "chess"}, "choose"),
        ({"cells": 1}, "at least 2 nodes"),
        ({"beta": 0.5}, "1 or more"),
        ({"area": -1.0}, "0 or more"),
        ({"steps": 1.5}, "whole number"),
        ({"rate": 0}, "positive"),
        ({"baseline": "dusk"}, "unknown"),
    ],
)
def test_impossible_fields(fields, says: str):
    with pytest.raises(pc.MethodError, match=says):
        pc.MeaningfulPerturbation(**fields)


def test_it_needs_gradients_and_space():
    with pytest.raises(pc.MethodError, match="needs gradients"):
        pc.explain(lambda t: t.sum((1, 2)), np.ones((1, 4, 4)), pc.MeaningfulPerturbation())
    with pytest.raises(pc.MethodError, match="inputs with space"):
        pc.explain(nn.Linear(3, 1), np.ones((1, 3), np.float32), pc.MeaningfulPerturbation())
