"""RISE: closed forms, enumerated moments, error bars, and what is refused."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from nets import cnn
from oracles import oracle
from pellucid.core.budget import Meter
from pellucid.core.soft import MaskLaw, Moments
from pellucid.models.prepare import prepare

WEIGHTS, ROW = np.array([1.0, -1.0, 2.0]), np.array([[1.0, 2.0, 3.0]])
BOTH = pytest.mark.parametrize("normalisation", ["visible", "expected"])


def weighted(x: np.ndarray) -> np.ndarray:
    return np.asarray(x @ WEIGHTS)


# --- masks -----------------------------------------------------------------------------------------------------------


def by_hand(law: MaskLaw, nodes: np.ndarray, shift: tuple[int, ...]) -> np.ndarray:
    """One mask, place by place: multilinear between the corners around it."""
    made = np.zeros(law.space)
    for place in np.ndindex(law.space):
        at = [(y + s) / c for y, s, c in zip(place, shift, law.cell, strict=True)]
        for corner in itertools.product((0, 1), repeat=len(place)):
            weight = np.prod([t % 1 if up else 1 - t % 1 for t, up in zip(at, corner, strict=True)])
            if weight:
                made[place] += weight * nodes[tuple(int(t) + up for t, up in zip(at, corner, strict=True))]
    return made


@pytest.mark.parametrize(("space", "cells"), [((7,), (3,)), ((6, 8), (2, 3)), ((5, 4, 6), (2, 4, 1))])
def test_masks_are_linear_between_nodes_in_every_dimension(space, cells):
    law, d = MaskLaw.of(space, cells, 0.4), len(space)
    u = np.random.default_rng(0).random((20, law.numbers))
    made = law.masks(u).grown()
    on_torch = law.masks(u).on(torch.from_numpy).grown().numpy()
    for k in range(20):
        nodes = (u[k, d:] < 0.4).reshape(law.grid).astype(float)
        shift = tuple((u[k, :d] * law.cell).astype(int))
        np.testing.assert_allclose(made[k], by_hand(law, nodes, shift), atol=1e-12)
    np.testing.assert_allclose(on_torch, made, atol=1e-12)
    np.testing.assert_array_equal(law.masks(u)[3:9].grown(), made[3:9])


def test_every_place_is_shown_alike_also_at_the_edges():
    law = MaskLaw.of((10, 9), (3, 3), 0.3)
    mean = law.masks(np.random.default_rng(0).random((40_000, law.numbers))).grown().mean(0)
    np.testing.assert_allclose(mean, 0.3, atol=0.012)


def test_the_grid_has_the_papers_cells():
    expected = oracle("RISE-MASK")["expected"]
    assert MaskLaw.of((224, 224), (7, 7), 0.5).cell == (expected["cell_s7"],) * 2
    assert MaskLaw.of((224, 224), (8, 8), 0.5).cell == (expected["cell_s8"],) * 2


def test_fewer_places_than_cells_are_a_cell_each():
    law = MaskLaw.of((4, 5), (7, 7), 0.5)
    assert law.cell == (1, 1) and law.grid == (4, 5)
    made = law.masks(np.random.default_rng(0).random((50, law.numbers))).grown()
    assert set(np.unique(made)) == {0.0, 1.0}


def test_moments_are_the_plain_sums():
    rng = np.random.default_rng(0)
    masks, v = rng.random((9, 2, 3)), rng.normal(size=(4, 9))
    found = Moments.of(masks.copy(), v, np.asarray)
    np.testing.assert_allclose(found.vm, np.einsum("nk,kp->np", v, masks.reshape(9, 6)))
    np.testing.assert_allclose(found.vmm, np.einsum("nk,kp->np", v, masks.reshape(9, 6) ** 2))
    np.testing.assert_allclose(found.vvmm, np.einsum("nk,kp->np", v**2, masks.reshape(9, 6) ** 2))
    both = found + Moments.of(masks.copy(), v, np.asarray)
    assert both.count == 18
    np.testing.assert_allclose(both.mm, 2 * (masks.reshape(9, 6) ** 2).sum(0))


# --- values ----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("p", [0.1, 0.5, 0.7])
def test_independent_binary_masks_on_a_linear_model(p: float, normalisation: str):
    truth = oracle("RISE-1")["expected"][str(p)]
    np.testing.assert_allclose(truth, p * weighted(ROW)[0] + (1 - p) * WEIGHTS * ROW[0])
    record = pc.explain(weighted, ROW, pc.RISE(samples=200_000, p=p, baseline="zeros", normalisation=normalisation))
    np.testing.assert_array_less(np.abs(record.values[0] - truth), 4 * record.stderr[0])
    assert record.stderr.max() < 0.05
    assert np.isnan(record.base_values).all() and np.isnan(record.gap).all()


@BOTH
def test_soft_masks_to_their_enumerated_moments(normalisation: str):
    x, p = np.array([[[1.0, -2.0, 0.5, 3.0, 1.5]]]), 0.4  # one channel, five places
    f = lambda t: np.exp(t.sum((1, 2)) / 3)  # noqa: E731
    law = pc.RISE(cells=2, p=p).law(x, 1)
    assert law.cell == (3,) and law.grid == (4,)
    chance, masks = [], []
    for bits in itertools.product((0.0, 1.0), repeat=4):
        for shift in range(3):
            masks.append(by_hand(law, np.array(bits), (shift,)))
            chance.append(np.prod([p if b else 1 - p for b in bits]) / 3)
    chance, masks = np.array(chance), np.array(masks)
    y = f(x * masks[:, None])
    truth = (chance * y) @ masks / (chance @ masks)
    np.testing.assert_allclose(chance @ masks, p)

    class Net(nn.Module):
        def forward(self, t):
            return torch.exp(t.sum((1, 2)) / 3)

    record = pc.explain(Net(), x, pc.RISE(60_000, 2, p, "zeros", normalisation))
    np.testing.assert_array_less(np.abs(record.values[0] - truth), 4 * record.stderr[0])
    assert record.stderr.max() < 0.02
    assert record.values.shape == (1, 5)


@BOTH
def test_the_sums_are_the_papers_on_the_masks_that_are_drawn(normalisation: str):
    x = np.random.default_rng(0).normal(size=(2, 2, 8, 8)).astype(np.float32)
    method = pc.RISE(300, 3, 0.6, 0.5, normalisation, seed=4)
    record = pc.explain(cnn(), x, method, target=1, batch_size=7)
    law, net = method.law(x, 1), cnn().eval()
    masks = law.masks(method.stream().random((300, 1 + law.numbers))[:, 1:]).grown()
    for row in range(2):
        seen = x[row] * masks[:, None] + 0.5 * (1 - masks[:, None])
        with torch.no_grad():
            y = net(torch.from_numpy(seen.astype(np.float32)))[:, 1].numpy().astype(float)
        each = y[:, None, None] * masks
        if normalisation == "expected":
            by_sum, error = each.sum(0) / (0.6 * 300), (each / 0.6).std(0, ddof=1) / np.sqrt(300)
        else:
            by_sum = each.sum(0) / masks.sum(0)
            left = masks * (y[:, None, None] - by_sum)
            error = np.sqrt((left**2).sum(0) * 300 / 299) / masks.sum(0)
        np.testing.assert_allclose(record.values[row], by_sum, rtol=1e-4)
        np.testing.assert_allclose(record.stderr[row], error, rtol=0.03)  # Student's intervals are a little wider


def test_a_signal_a_volume_and_channels_last():
    for shape, space in (((2, 3, 9), (9,)), ((2, 1, 4, 6, 5), (4, 6, 5)), ((2, 6, 7, 3), (6, 7))):
        f = (lambda t: t.sum((1, 2, 3))) if shape[-1] == 3 else Sum()
        record = pc.explain(f, np.ones(shape, np.float32), pc.RISE(samples=40, cells=2))
        assert record.values.shape == record.stderr.shape == (2, *space)
        np.testing.assert_array_equal(record.values[0], record.values[1])


class Sum(nn.Module):
    def forward(self, t):
        return t.flatten(1).sum(1)


def test_where_the_evidence_lies_is_found():
    x = np.random.default_rng(0).random((1, 32, 32, 1)) + 0.5
    record = pc.explain(lambda t: (t[:, 4:12, 18:26] > 0.3).mean((1, 2, 3)), x, pc.RISE(samples=2000, cells=8))
    inside = np.zeros((32, 32), bool)
    inside[4:12, 18:26] = True
    assert record.values[0][inside].mean() > record.values[0][~inside].max() * 0.9
    assert inside[np.unravel_index(record.values[0].argmax(), (32, 32))]


def test_each_mask_shows_one_of_the_background_rows():
    background = np.array([[10.0, 0.0, 0.0], [0.0, 20.0, 0.0]])
    record = pc.explain(weighted, ROW, pc.RISE(samples=100_000), background=background)
    hidden = (background * WEIGHTS).mean(0)
    own = WEIGHTS * ROW[0]
    truth = [own[j] + sum((own[k] + hidden[k]) / 2 for k in range(3) if k != j) for j in range(3)]
    np.testing.assert_array_less(np.abs(record.values[0] - truth), 4 * record.stderr[0])


def test_counting_what_was_seen_takes_the_scores_size_out_of_the_noise():
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 1))
    f = lambda t: 100 + t.sum((1, 2, 3))  # noqa: E731
    seen, paper = (
        pc.explain(f, x, pc.RISE(samples=500, cells=4, normalisation=n)).stderr.mean() for n in ("visible", "expected")
    )
    assert seen < paper / 5


# --- error bars and stopping -----------------------------------------------------------------------------------------


def covered(f: Callable[..., np.ndarray], x: np.ndarray, methods: list[pc.RISE], truth: np.ndarray) -> int:
    """In how many runs the interval of the first place holds the truth; the model is bound once for all of them."""
    ready = prepare(f, x)
    with ready.adapter.session():
        scalar, _ = ready.bind(None, Meter())
        found = [m.attribute(scalar, scalar.inputs.x, background=None, rng=m.stream()) for m in methods]
    return sum(abs(parts.values[0, 0] - truth[0]) <= 1.96 * parts.stderr[0, 0] for parts in found)


@BOTH
def test_the_interval_covers_the_truth(normalisation: str):
    x, p = np.array([[1.0, 2.0, -1.0, 0.5]]), 0.5
    f = lambda t: np.tanh(t[:, 0] * t[:, 1] + t[:, 2]) + t[:, 3]  # noqa: E731
    masks = np.array(list(itertools.product((0.0, 1.0), repeat=4)))
    truth = f(x * masks) @ masks / masks.sum(0)
    method = lambda seed: pc.RISE(400, p=p, baseline="zeros", normalisation=normalisation, seed=seed)  # noqa: E731
    assert 930 <= covered(f, x, [method(seed) for seed in range(1000)], truth) <= 970


def test_few_masks_cover_too():
    x = np.array([[1.0, 2.0, -1.0]])
    f = lambda t: t.sum(1) ** 2  # noqa: E731
    masks = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    truth = f(x * masks) @ masks / masks.sum(0)
    assert covered(f, x, [pc.RISE(24, baseline="zeros", seed=seed) for seed in range(1000)], truth) >= 900


def test_a_row_stops_at_its_own_tolerance_whoever_goes_on():
    x = np.array([[0.01, 0.02, 0.03], [10.0, 20.0, 30.0]])
    method = pc.RISE(samples=20_000, baseline="zeros", tolerance=0.5)
    both, alone = pc.explain(weighted, x, method), pc.explain(weighted, x[:1], method)
    np.testing.assert_allclose(both.values[0], alone.values[0], rtol=1e-5)
    assert alone.receipt.rows_forward < 300 and both.stderr.max() <= 0.5 and both.receipt.converged
    assert not pc.explain(weighted, x, pc.RISE(samples=300, baseline="zeros", tolerance=0.5)).receipt.converged


def test_masks_are_the_same_for_any_batch_size_and_any_budget():
    x = np.random.default_rng(0).normal(size=(1, 2, 8, 8)).astype(np.float32)
    method = pc.RISE(samples=120, cells=3)
    whole = pc.explain(cnn(), x, method, target=0)
    watched = pc.explain(cnn(), x, method, target=0, budget=pc.Budget(rows=10**6))
    np.testing.assert_allclose(watched.values, whole.values, rtol=1e-4)
    few = pc.explain(cnn(), x, method, target=0, budget=pc.Budget(rows=50))
    assert few.receipt.rows_forward <= 50 and "50 model rows" in few.receipt.warnings[0]
    np.testing.assert_allclose(few.values, pc.explain(cnn(), x, pc.RISE(48, 3), target=0).values, rtol=1e-4)


# --- what is said, and what is refused -------------------------------------------------------------------------------


def test_hiding_that_changes_nothing_is_said():
    flat = pc.explain(lambda t: t.sum((1, 2)), np.full((2, 8, 8), 3.0), pc.RISE(samples=20, baseline="blur"))
    assert "changes nothing there" in flat.receipt.warnings[0] and "2 of 2" in flat.receipt.warnings[0]
    same = pc.explain(lambda t: np.ones(len(t)), np.random.default_rng(0).random((1, 8, 8)), pc.RISE(samples=20))
    assert "maps are constant" in same.receipt.warnings[0]


def test_a_place_that_no_mask_shows_gets_the_mean_and_no_error_bar():
    record = pc.explain(weighted, ROW, pc.RISE(samples=2, p=0.01, baseline="zeros"))
    assert np.isnan(record.stderr).any() and np.isfinite(record.values).all()
    assert "shown by no mask" in record.receipt.warnings[0]


def test_missing_values_of_a_table_are_hidden_whole():
    x = np.array([[np.nan, 1.0]])
    record = pc.explain(lambda t: np.where(np.isnan(t[:, 0]), 5.0, t[:, 0]), x, pc.RISE(samples=4000, baseline=0.0))
    np.testing.assert_allclose(record.values[0], [5, 2.5], atol=4 * record.stderr.max() + 1e-9)


def test_whole_numbers_are_mixed_without_running_over():
    x = np.full((1, 8, 8, 3), 5, np.uint8)
    seen = []

    def f(t):
        seen.append(t)
        return t.astype(float).mean((1, 2, 3))

    pc.explain(f, x, pc.RISE(samples=30, cells=2, baseline=250))
    assert all(t.dtype == np.uint8 for t in seen)
    smooth = np.concatenate(seen[1:])[:, :, :, 0].astype(int)
    assert np.abs(np.diff(smooth, axis=1)).max() <= 70  # a cell is 4 places: a larger jump is an overflow


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"samples": 1}, "at least 2"),
        ({"samples": 10.5}, "a whole number"),
        ({"p": 1.0}, "between 0 and 1"),
        ({"cells": 0}, "at least 1 cell"),
        ({"normalisation": "other"}, "choose"),
        ({"baseline": "dusk"}, "unknown"),
        ({"tolerance": -1.0}, "positive"),
    ],
)
def test_impossible_fields(fields, says: str):
    with pytest.raises(pc.MethodError, match=says):
        pc.RISE(**fields)


def test_a_model_that_fails_on_masked_inputs_is_named():
    x = np.random.default_rng(0).random((1, 6, 6)) + 1

    def picky(t: np.ndarray) -> np.ndarray:
        if (t == 0).any():
            raise ValueError("no zeros please")
        return t.sum((1, 2))

    with pytest.raises(pc.ModelError, match="no zeros please"):
        pc.explain(picky, x, pc.RISE(samples=20))
    with pytest.raises(pc.ModelError, match="NaN"):
        pc.explain(lambda t: np.where((t == 0).any((1, 2)), np.nan, 1.0), x, pc.RISE(samples=20))
    assert np.isfinite(pc.explain(picky, x, pc.RISE(samples=20, baseline="mean")).values).all()
    with pytest.raises(pc.MethodError, match="hides nothing"):
        pc.explain(picky, x, pc.RISE(samples=20), masker=pc.Grid())
