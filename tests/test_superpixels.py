"""Superpixels, label maps, and fills that are made part by part."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from skimage.data import astronaut

import pellucid as pc
from nets import cnn
from pellucid.core.masking import Form, Game

SHAPES = {"first": ((1, 3, 24, 20), 1), "last": ((1, 24, 20, 3), 3), "grey": ((1, 24, 20), None)}
WAYS = [pc.SLIC(segments=6), pc.Quickshift(max_dist=20.0), pc.Felzenszwalb(scale=5.0)]


def halves(shape: tuple[int, ...], channels: int | None) -> np.ndarray:
    """A dark and a bright half, with a little texture."""
    texture = np.random.default_rng(0).normal(scale=0.01, size=shape)
    axis = len(shape) - 1 - (channels == len(shape) - 1)
    bright = np.arange(shape[axis]) >= shape[axis] // 2
    return texture + bright.reshape([-1 if a == axis else 1 for a in range(len(shape))])


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("by", WAYS, ids=lambda by: type(by).__name__)
def test_superpixels_follow_the_edge_in_every_layout(by, layout: str):
    shape, channels = SHAPES[layout]
    bound = pc.Superpixels(by).bind(halves(shape, channels), None, Form(channels=channels))
    labels = bound.labels
    assert labels.shape == (24, 20) and set(np.unique(labels)) == set(range(len(bound.names)))
    assert len(bound.names) > 1
    for part in range(len(bound.names)):  # no part lies on both sides
        columns = np.nonzero(labels == part)[1]
        assert columns.max() < 10 or columns.min() >= 10


def test_volumes_are_cut_with_their_spacing():
    volume = np.random.default_rng(0).normal(size=(1, 1, 4, 16, 16))
    flat, cubic = (
        pc.Superpixels(pc.SLIC(segments=8, compactness=1e4, spacing=spacing)).bind(volume, None, Form(channels=1))
        for spacing in ((8.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    )

    def height(labels: np.ndarray) -> float:
        return float(np.mean([np.ptp(np.nonzero(labels == part)[0]) + 1 for part in range(labels.max() + 1)]))

    assert flat.labels.shape == (4, 16, 16)
    assert height(flat.labels) < height(cubic.labels)  # slices far apart are parted


def test_a_picture_alone_and_in_company_is_cut_alike():
    x = np.random.default_rng(1).random((3, 12, 12, 3))
    f = lambda p: p.sum((1, 2, 3))  # noqa: E731
    method, masker = pc.Occlusion(), pc.Superpixels(pc.SLIC(segments=5), fill=0.0)
    record = pc.explain(f, x, method, masker=masker)
    np.testing.assert_array_equal(record[2].values, pc.explain(f, x[2:], method, masker=masker).values)
    for row in range(3):
        for part, value in enumerate(record.players.row(row)[1]):
            assert value == pytest.approx(x[row][record.players.labels[row] == part].sum())


def test_own_means():
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [-1, 2, 2, 2]])
    bound = pc.LabelMap(labels).bind(x, None, Form(channels=1))
    shown = bound.fill(np.zeros((1, 3), bool))[0, 0, 0]
    for channel in range(2):
        for part in range(3):
            own = x[0, channel][labels == part]
            np.testing.assert_allclose(shown[channel][labels == part], own.mean())
    np.testing.assert_array_equal(shown[:, 2, 0], x[0, :, 2, 0])  # -1 is never hidden
    grid = pc.Grid(window=(3, 2), fill="own-mean").bind(x, None, Form(channels=1))
    np.testing.assert_allclose(grid.drawn[0, 0, 1, :, 2:], x[0, 1, :, 2:].mean())


@pytest.mark.parametrize("shape", [(9,), (7, 8), (6, 7, 5)])
def test_inpainting_continues_a_slope_and_meets_its_neighbours(shape: tuple[int, ...]):
    slope = sum((a + 1.0) * g for a, g in enumerate(np.meshgrid(*map(np.arange, shape), indexing="ij")))
    labels = np.zeros(shape, int)
    hole = tuple(slice(2, side - 2) for side in shape)
    labels[hole] = 1
    x = slope.copy()
    x[hole] += np.random.default_rng(0).normal(size=x[hole].shape)  # what was there does not matter
    drawn = pc.LabelMap(labels - 1, fill="inpaint").bind(x[None, None], None, Form(channels=1)).drawn[0, 0, 0]
    np.testing.assert_allclose(drawn, slope, atol=1e-9)


def test_inpainting_is_the_mean_of_neighbours_at_every_hidden_place():
    x = np.random.default_rng(0).normal(size=(1, 8, 9, 2))
    labels = np.random.default_rng(1).integers(0, 2, (4, 5)).repeat(2, 0).repeat(2, 1)[:, :9]
    drawn = pc.LabelMap(labels, fill="inpaint").bind(x, None, Form(channels=3)).drawn[0, 0]
    for i, j in np.ndindex(8, 9):
        around = [(i + a, j + b) for a, b in ((0, 1), (0, -1), (1, 0), (-1, 0)) if 0 <= i + a < 8 and 0 <= j + b < 9]
        seen = [drawn[at] if labels[at] == labels[i, j] else x[0][at] for at in around]
        np.testing.assert_allclose(drawn[i, j], np.mean(seen, axis=0), atol=1e-9)


def test_label_maps_of_ones_own_for_all_rows_or_one_a_row():
    x, f = np.arange(12.0).reshape(2, 2, 3), lambda p: p.sum((1, 2))
    one, other = np.array([[0, 0, 1], [0, 1, 1]]), np.array([[0, 1, 2], [0, 1, 2]])
    shared = pc.explain(f, x, pc.Occlusion(), masker=pc.LabelMap(one, ("left", "right"), 0.0))
    assert shared.top(1, row=1) == [("right", 29.0)] and shared.players.own is None
    each = pc.explain(f, x, pc.Occlusion(), masker=pc.LabelMap([one, other], fill=0.0))
    np.testing.assert_allclose(each.players.values, [[4, 11, np.nan], [15, 17, 19]])
    assert each.receipt.masker == "LabelMap(names=None, fill=0.0)"


@pytest.mark.parametrize("bound", ["tiles", "windows", "superpixels"])
def test_blending_on_the_device_asks_the_model_for_the_same_pictures(bound: str):
    x = np.random.default_rng(0).normal(size=(1, 2, 8, 8)).astype(np.float32)
    masker = {"tiles": pc.Grid(2), "windows": pc.Grid(3, 2), "superpixels": pc.Superpixels(pc.SLIC(4), "blur")}[bound]
    bound_ = masker.bind(x, None, Form(channels=1))
    z = np.random.default_rng(1).random((37, len(bound_.names))) < 0.5
    seen = []

    class Watched(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn()

        def forward(self, t):
            seen.append(t.numpy().copy())
            return self.inner(t)

    from pellucid.core.budget import Meter
    from pellucid.models.prepare import prepare

    ready = prepare(Watched(), x, batch_size=5)
    with ready.adapter.session():
        f, _ = ready.bind(1, Meter())
        seen.clear()
        values = Game(f, bound_, 1)(z)
    np.testing.assert_array_equal(np.concatenate(seen), bound_.fill(z)[:, 0, 0])
    with torch.no_grad():
        own = cnn().eval()(torch.from_numpy(bound_.fill(z)[:, 0, 0]))[:, 1].numpy()
    np.testing.assert_allclose(values[0], own, rtol=1e-5)


def test_missing_values_beneath_a_mask_do_not_spread():
    x = np.ones((1, 2, 2))
    x[0, 0, 0] = np.nan
    f = lambda p: np.nan_to_num(p, nan=5.0).sum((1, 2))  # noqa: E731
    record = pc.explain(f, x, pc.Occlusion(window=1, baseline=0.0))
    np.testing.assert_allclose(record.values[0], [[5, 1], [1, 1]])
    with pytest.raises(pc.InputError, match="NaN"):
        pc.explain(f, x, pc.Occlusion(), masker=pc.Superpixels())


def test_a_constant_picture_is_called_degenerate():
    record = pc.explain(lambda p: p.sum((1, 2)), np.ones((2, 8, 8)), pc.Occlusion(), masker=pc.Superpixels(pc.SLIC(4)))
    assert any("hiding changes nothing" in warning and "2 of 2" in warning for warning in record.receipt.warnings)
    busy = pc.explain(lambda p: p.sum((1, 2)), np.ones((2, 8, 8)), pc.Occlusion(baseline=0.0))
    assert not busy.receipt.warnings


def test_one_superpixel_takes_all():
    x, labels = np.arange(4.0).reshape(1, 2, 2), np.zeros((2, 2), int)
    record = pc.explain(lambda p: p.sum((1, 2)), x, pc.KernelShap(), masker=pc.LabelMap(labels, fill=0.0))
    np.testing.assert_allclose(record.players.values, [[6.0]])


@pytest.mark.parametrize(
    ("masker", "says"),
    [
        (pc.LabelMap(), "no labels"),
        (pc.LabelMap(np.zeros((3, 3), int)), r"shape \(3, 3\)"),
        (pc.LabelMap(np.zeros((4, 4))), "whole numbers"),
        (pc.LabelMap(np.full((4, 4), 2)), "without a gap"),
        (pc.LabelMap(np.full((4, 4), -1)), "without a gap"),
        (pc.LabelMap(np.zeros((4, 4), int), ("a", "b")), "2 names"),
        (pc.LabelMap([np.zeros((4, 4), int)]), "fewer maps"),
        (pc.LabelMap(np.arange(16).reshape(4, 4)), "hides nothing"),
        (pc.LabelMap(np.zeros((4, 4), int), fill="inpaint"), "nothing to paint from"),
        (pc.Grid(3, 2, "own-mean"), "overlap"),
    ],
)
def test_what_cannot_be_hidden_is_refused(masker, says: str):
    with pytest.raises(pc.PellucidError, match=says):
        pc.explain(lambda p: p.sum((1, 2)), np.random.default_rng(0).random((2, 4, 4)), pc.Occlusion(), masker=masker)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: pc.SLIC(segments=0), "positive"),
        (lambda: pc.Felzenszwalb(sigma=-1.0), "0 or more"),
        (lambda: pc.Superpixels(by="slic"), "give SLIC"),
        (lambda: pc.Superpixels(fill="dusk"), "unknown"),
    ],
)
def test_impossible_values_are_refused_when_they_are_made(make, says: str):
    with pytest.raises(pc.MethodError, match=says):
        make()


def test_what_only_pictures_have():
    with pytest.raises(pc.MethodError, match="use Columns"):
        pc.explain(lambda t: t.sum(1), np.ones((1, 4)), pc.Occlusion(), masker=pc.Superpixels())
    for by in (pc.Quickshift(), pc.Felzenszwalb()):
        with pytest.raises(pc.MethodError, match="not volumes"):
            pc.Superpixels(by).bind(np.ones((1, 1, 4, 4, 4)), None, Form(channels=1))
    with pytest.raises(pc.MethodError, match="2 numbers for 3 axes"):
        pc.Superpixels(pc.SLIC(spacing=(1.0, 1.0))).bind(np.ones((1, 1, 4, 4, 4)), None, Form(channels=1))


FIELDS = {
    pc.SLIC(segments=20): {"segments": 40, "compactness": 1000.0, "spacing": (8.0, 1.0)},
    pc.Quickshift(max_dist=20.0): {"kernel": 2.0, "max_dist": 5.0, "ratio": 0.9},
    pc.Felzenszwalb(scale=50.0): {"scale": 5.0, "sigma": 2.0, "smallest": 100},
}


@pytest.mark.parametrize("by", FIELDS, ids=lambda by: type(by).__name__)
def test_every_field_of_a_way_to_cut_matters(by):
    assert set(FIELDS[by]) == {f.name for f in fields(by)}
    x = astronaut()[None, ::6, ::6].astype(float)
    cut = lambda way: pc.Superpixels(way).bind(x, None, Form(channels=3)).labels  # noqa: E731
    for name, value in FIELDS[by].items():
        assert not np.array_equal(cut(by), cut(replace(by, **{name: value}))), name
