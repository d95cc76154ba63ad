"""Network dissection: planted detectors, counts by hand, streaming levels, memory, bad input, pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy import ndimage
from torch import nn
from torch.nn import functional

import pellucid as pc
from pellucid.methods.concept import dissecting, tails
from pellucid.methods.concept.overlap import Counts, jackknife

DISSECT = pc.NetworkDissection


class Eyes(nn.Module):
    """Four units at a quarter of the size: red, blue, one that looks at the left edge alone, and one that is always the same."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, 2)
        with torch.no_grad():
            self.look.weight.zero_()
            self.look.bias.zero_()
            self.look.weight[0, 0], self.look.weight[1, 2] = 1 / 16, 1 / 16
            self.look.bias[3] = 0.7

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.look(x)
        return self.head(seen.mean((2, 3)))


class Left(nn.Module):
    """A layer whose one unit knows where it is and nothing of what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = torch.linspace(1, 0, x.shape[3]).expand(len(x), 1, *x.shape[2:])
        return self.where(ramp).mean((2, 3))


def scenes(n=24, size=32, seed=0):
    """Grey noise with a red and a blue square of 8 x 8 pixels, and their masks"""
    rng = np.random.default_rng(seed)
    x = 0.05 * rng.random((n, 3, size, size)).astype(np.float32)
    masks = {name: np.zeros((n, size, size), bool) for name in ("red", "blue")}
    for row in range(n):
        for channel, name in ((0, "red"), (2, "blue")):
            i, j = 4 * rng.integers(0, size // 4 - 1, 2)
            x[row, channel, i : i + 8, j : j + 8] += 1
            masks[name][row, i : i + 8, j : j + 8] = True
    return x, masks


def test_a_unit_that_is_a_detector_is_found_with_an_overlap_above_nine_tenths():
    rng = np.random.default_rng(1)
    x = 0.05 * rng.random((16, 3, 256, 256)).astype(np.float32)
    masks = {name: np.zeros((16, 256, 256), bool) for name in ("red", "blue")}
    for row in range(16):
        for channel, name in ((0, "red"), (2, "blue")):
            i, j = 4 * rng.integers(0, 64 - 24, 2)
            x[row, channel, i : i + 96, j : j + 96] += 1
            masks[name][row, i : i + 96, j : j + 96] = True
    found = pc.concepts(Eyes(), masks, DISSECT(quantile=0.135), layer="look", inputs=x)
    (units,) = found.units
    assert units.iou[0, 0] > 0.9 and units.iou[1, 1] > 0.9
    assert units.detects.tolist()[:2] == [0, 1] and set(units.unique.tolist()) == {0, 1}
    assert found.significant.all() and (found.scores[:, 0] > found.units[0].chance.max(axis=0)).all()
    assert found.concepts == ("red", "blue") and found.layers == ("look",) and found.scores.shape == (2, 1)
    np.testing.assert_allclose(found.scores[:, 0], [units.iou[0, 0], units.iou[1, 1]])


def by_hand(maps, masks, quantile, n):
    """IoU (u, c) by loops, SciPy's interpolation and whole arrays"""
    u, size = maps.shape[1], masks[0].shape[1]
    levels = np.sort(np.moveaxis(maps, 1, 0).reshape(u, -1), axis=1)[:, ::-1]
    levels = levels[:, int(np.floor(quantile * levels.shape[1]))]
    step = maps.shape[2] / size
    grid = (np.arange(size) + 0.5) * step - 0.5
    iou = np.zeros((u, len(masks)))
    for k in range(u):
        big = np.stack(
            [
                ndimage.map_coordinates(
                    m[k].astype(float), np.meshgrid(grid, grid, indexing="ij"), order=1, mode="nearest"
                )
                for m in maps
            ]
        )
        for c, mask in enumerate(masks):
            region = big > levels[k]
            iou[k, c] = (region & mask).sum() / (region | mask).sum()
    return iou, levels


def test_overlaps_levels_chance_and_top_inputs_by_hand():
    x, masks = scenes()
    found = pc.concepts(Eyes(), masks, DISSECT(quantile=0.05, top=3), layer="look", inputs=x, batch_size=5)
    (units,) = found.units
    maps = pc.activations(Eyes(), x, "look")["look"]
    arrays = list(masks.values())
    iou, levels = by_hand(maps, arrays, 0.05, 24)
    np.testing.assert_allclose(units.levels, levels, rtol=1e-6)
    np.testing.assert_allclose(units.iou[:2], iou[:2], atol=2e-3)  # single pixels at an edge
    other, _ = by_hand(maps, [np.roll(mask, -12, axis=0) for mask in arrays], 0.05, 24)
    np.testing.assert_allclose(units.chance[:2], other[:2], atol=2e-3)
    np.testing.assert_allclose(units.share, [mask.mean() for mask in arrays])
    peaks = maps.reshape(24, 4, -1).max(axis=2)
    for k in (0, 1):
        order = np.argsort(-peaks[:, k], kind="stable")[:3]
        assert units.top[k].tolist() == order.tolist()
        np.testing.assert_allclose(units.peaks[k], peaks[order, k])
        np.testing.assert_array_equal(units.maps[k], maps[order, k])
    # nothing exceeds the level of a unit that is always the same
    assert units.area[3] == 0 and (units.iou[3] == 0).all() and units.detects[3] == -1
    assert any("constant" in said for said in found.receipt.warnings)


def test_error_bars_leave_out_groups_of_neighbouring_inputs():
    x, masks = scenes(40)
    method = DISSECT(quantile=0.05)
    (units,) = pc.concepts(Eyes(), masks, method, layer="look", inputs=x).units
    maps = pc.activations(Eyes(), x, "look")["look"]
    counts = Counts.empty(20, 4, 2)
    left = []
    for g in range(20):
        keep = np.arange(40) // 2 != g
        big = functional.interpolate(torch.from_numpy(maps[keep]), size=(32, 32), mode="bilinear").numpy()
        region = big > units.levels[:, None, None].astype(np.float32)
        left.append(
            [
                [(region[:, k] & m[keep]).sum() / (region[:, k] | m[keep]).sum() for m in masks.values()]
                for k in range(2)
            ]
        )
    assert counts.left_out().shape == (20, 4, 2)
    np.testing.assert_allclose(units.stderr[:2], jackknife(np.array(left)), rtol=1e-3)


def test_a_unit_that_knows_only_where_things_usually_are_is_not_above_chance():
    rng = np.random.default_rng(0)
    masks = np.zeros((40, 16, 16), bool)
    masks[:, :, :5] = rng.random((40, 16, 5)) < 0.8  # things are on the left, whatever the picture
    x = rng.random((40, 1, 16, 16)).astype(np.float32)
    found = pc.concepts(Left(), {"thing": masks}, DISSECT(quantile=0.3), layer="where", inputs=x)
    assert found.scores[0, 0] > 0.5 and found.units[0].detects.tolist() == [0]
    assert not found.significant[0, 0] and found.units[0].chance[0, 0] == pytest.approx(found.scores[0, 0], abs=0.03)
    assert "not clearly above chance" in found.words()[0]


def test_a_best_unit_among_many_needs_a_smaller_p():
    rng = np.random.default_rng(3)
    x = rng.random((40, 1, 12, 12)).astype(np.float32)
    faint = x[:, 0] + 3 * rng.random((40, 12, 12)) > 3.3
    alike = nn.Conv2d(1, 6, 1, bias=False)  # six units that are one
    with torch.no_grad():
        alike.weight.fill_(1.0)
    single = nn.Conv2d(1, 1, 1, bias=False)
    with torch.no_grad():
        single.weight.fill_(1.0)
    many, one = (
        pc.concepts(nn.Sequential(layer), {"faint": faint}, DISSECT(0.1), layer="0", inputs=x)
        for layer in (alike, single)
    )
    assert 1e-12 < one.p[0, 0] < 1 / 6 and many.p[0, 0] == pytest.approx(6 * one.p[0, 0])
    (counts,) = one.units
    assert one.scores[0, 0] > counts.chance[0, 0]


def test_label_maps_say_what_masks_say_and_negative_labels_are_left_out():
    x, masks = scenes()
    labels = np.where(masks["red"], 3, np.where(masks["blue"], 1, 0)).astype(np.uint8)
    masks = {"red": labels == 3, "blue": labels == 1}
    method = DISSECT(quantile=0.05)
    ask = lambda concepts: pc.concepts(Eyes(), concepts, method, layer="look", inputs=x)  # noqa: E731
    expected = ask(masks)
    for given in ((labels, {3: "red", 1: "blue"}), (labels.astype(int), {3: "red", 1: "blue"})):
        found = ask(given)
        assert found.concepts == ("red", "blue")
        np.testing.assert_allclose(found.units[0].iou, expected.units[0].iou)
    assert ask(labels).concepts == ("0", "1", "3") and ask((labels, ["rest", "blue", "?", "red"])).concepts[3] == "red"
    np.testing.assert_allclose(ask(labels).units[0].iou[:, 2], expected.units[0].iou[:, 0])
    # whatever lies where nobody looked counts neither for nor against: here, all but the red squares and a band around them
    hidden = np.where(ndimage.binary_dilation(labels == 3, np.ones((1, 9, 9))), labels, -1).astype(int)
    assert ask((hidden, {3: "red"})).units[0].iou[1, 0] < ask((labels, {3: "red"})).units[0].iou[1, 0] + 1e-9
    only = (
        np.where(labels == 3, 3, -1).astype(int),
        {3: "red"},
    )  # a region wider than the square, of which the square is all that counts
    (inside,) = pc.concepts(Eyes(), only, DISSECT(quantile=0.12), layer="look", inputs=x).units
    assert inside.iou[0, 0] == pytest.approx(1) and inside.area[0] == pytest.approx(inside.share[0])


def test_masks_may_be_coarser_than_inputs_and_the_receipt_says_so():
    x, masks = scenes()
    coarse = {name: mask[:, ::2, ::2] for name, mask in masks.items()}
    found = pc.concepts(Eyes(), coarse, DISSECT(quantile=0.05), layer="look", inputs=x)
    fine = pc.concepts(Eyes(), masks, DISSECT(quantile=0.05), layer="look", inputs=x)
    np.testing.assert_allclose(found.units[0].iou[:2], fine.units[0].iou[:2], atol=0.05)
    assert found.receipt.notes == ("regions are drawn at the masks' size, 16 x 16 pixels",) and not fine.receipt.notes


def test_activations_that_do_not_fit_are_computed_twice_and_nothing_else_changes(monkeypatch):
    x, masks = scenes()
    ask = lambda: pc.concepts(Eyes(), masks, DISSECT(quantile=0.05), layer="look", inputs=x, batch_size=5)  # noqa: E731
    once = ask()
    monkeypatch.setattr(dissecting, "HELD", 3000)
    twice = ask()
    assert (once.receipt.rows_forward, twice.receipt.rows_forward) == (24, 48)
    np.testing.assert_array_equal(once.units[0].iou, twice.units[0].iou)


def test_levels_are_exact_while_they_fit_and_within_their_error_beyond(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 60_000)).astype(np.float32)

    def levels(quantile):
        made = tails.Tails(5, 60_000, quantile, np.random.default_rng(1))
        for part in np.array_split(values, 31, axis=1):
            made.add(part)
        return made

    exact = levels(0.02)
    assert ((values > exact.levels()[:, None]).sum(axis=1) == 1200).all() and exact.note == ()
    monkeypatch.setattr(tails, "KEPT", 400)
    monkeypatch.setattr(tails, "_SPARE", 200)
    rough = levels(0.02)
    share = (values > rough.levels()[:, None]).mean(axis=1)
    assert rough._largest.shape[1] <= 600
    assert 0 < np.abs(share / 0.02 - 1).max() < 4 * np.sqrt((1 - rough.share) / 400)
    assert "off by 4.1% of itself" in rough.note[0]


def test_what_is_too_large_to_be_detected_is_said_and_what_is_absent_has_no_score():
    x, masks = scenes()
    concepts = {**masks, "all": np.ones((24, 32, 32), bool), "none": np.zeros((24, 32, 32), bool)}
    found = pc.concepts(Eyes(), concepts, DISSECT(), layer="look", inputs=x)
    assert any("too large to be detected" in said and "all (100.0%)" in said for said in found.receipt.warnings)
    (units,) = found.units
    assert (units.iou <= units.ceiling + 1e-12).all()
    assert np.isnan(found.scores[3, 0]) and found.reasons[3] == ("no pixel is marked as it",)


def test_several_layers_signals_the_disk_and_some_of_the_concepts(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 1, 40)).astype(np.float32)
    model = nn.Sequential(nn.Conv1d(1, 3, 5, padding=2), nn.ReLU(), nn.Conv1d(3, 2, 3, padding=1))
    found = pc.concepts(model, {"high": x[:, 0] > 1, "low": x[:, 0] < -1}, DISSECT(0.1), layer=["0", "2"], inputs=x)
    assert found.layers == ("0", "2") and [len(layer) for layer in found.units] == [3, 2]
    back = pc.load(found.save(tmp_path / "d.npz"))
    np.testing.assert_array_equal(back.units[1].iou, found.units[1].iou)
    np.testing.assert_array_equal(found[[1]].units[0].iou, found.units[0].iou[:, [1]])
    frame = found.to_frame()
    assert len(frame) == 4 and frame["IoU"].tolist() == pytest.approx(found.scores.ravel().tolist())
    assert len(found.words()) == 4


X, MASKS = scenes(6)


@pytest.mark.parametrize(
    ("concepts", "more", "says"),
    [
        ({"red": MASKS["red"][:, :, :20]}, {}, r"another shape is not; crop and resize"),
        ({"red": MASKS["red"][:5]}, {}, r"masks of 'red' have shape \(5, 32, 32\).*one mask for each input"),
        ({"red": MASKS["red"], "blue": MASKS["blue"][:, ::2, ::2]}, {}, r"bring all masks to one size"),
        ({"red": MASKS["red"] * 0.5}, {}, r"other numbers than 0 and 1"),
        ({"red": np.where(MASKS["red"], np.nan, 0)}, {}, r"other numbers than 0 and 1"),
        ({}, {}, r"there are no concepts"),
        (MASKS["red"] * 1.0, {}, r"a label map is whole numbers"),
        ((MASKS["red"] * 1, {-1: "red"}), {}, r"a name for each label from 0 on"),
        (MASKS, {"layer": "nope"}, r"no layer 'nope'"),
        (MASKS, {"layer": "head"}, r"units with a map each"),
        (MASKS, {"inputs": X[:, :, 0, 0]}, r"needs space|raised"),
        (MASKS, {"inputs": X * np.nan}, r"gives NaN"),
        (MASKS, {"target": 1}, r"leave target= and random= out"),
    ],
)
def test_bad_input(concepts, more, says):
    given = {"layer": "look", "inputs": X, **more}
    with pytest.raises(pc.PellucidError, match=says):
        pc.concepts(Eyes(), concepts, DISSECT(), **given)


@pytest.mark.parametrize("fields", [{"quantile": 0}, {"threshold": 1}, {"top": 0}, {"top": 1.5}, {"level": 2}])
def test_bad_fields(fields):
    with pytest.raises(pc.MethodError, match=r"expected a"):
        DISSECT(**fields)


# --- pictures ----------------------------------------------------------------------------------------------------------


def test_the_bar_of_detectors_and_the_best_units_with_their_regions():
    x, masks = scenes()
    found = pc.concepts(Eyes(), {**masks, "none": np.zeros((24, 32, 32))}, DISSECT(0.05, top=3), layer="look", inputs=x)
    ax = pc.plot.show(found)
    assert ax.get_title(loc="left").startswith("look: 2 concepts detected by 2 of 4 units")
    assert [label.get_text() for label in ax.get_yticklabels()][2] == "none"
    assert [bar.get_width() for bar in ax.patches] == [1, 1, 0] and "not in any mask" in [
        t.get_text() for t in ax.texts
    ]
    axes = pc.plot.dissection(found, x, k=2)
    assert axes.shape == (2, 3)
    best = found.units[0].ranked()[:2]
    for line, unit in zip(axes, best, strict=True):
        assert f"unit {unit}: " in line[0].get_title(loc="left") and all(len(ax.collections) == 1 for ax in line)
    with pytest.raises(pc.InputError, match="pictures that were dissected"):
        pc.plot.dissection(found, x[:2])
    with pytest.raises(pc.InputError, match="layer 1 of a dissection of 1"):
        pc.plot.detectors(found, 1)


@pytest.mark.parametrize("width", [6.0, 4.0])
def test_words_behind_the_bars_stay_on_the_page(width: float):
    x, masks = scenes()
    sets = {"a rather long name of a concept": masks["red"], "blue": masks["blue"], "none": np.zeros((24, 32, 32))}
    found = pc.concepts(Eyes(), sets, DISSECT(0.05, top=3), layer="look", inputs=x)
    figure = Figure(figsize=(width, 3), layout="constrained")
    ax = pc.plot.detectors(found, ax=figure.subplots())
    figure.canvas.draw()
    assert len(ax.texts) == 3
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in (*ax.texts, ax.title, ax.xaxis.label))
    ticks = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert all(a.x1 < b.x0 for a, b in pairwise(ticks))


def test_the_outlined_region_is_the_counted_one():
    from pellucid.plot._dissection import _finer

    grid = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    ours = functional.interpolate(torch.from_numpy(grid)[None, None], size=(33, 20), mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(_finer(grid, (33, 20)), ours, atol=1e-5)


# --- street scenes -------------------------------------------------------------------------------------------------------

NAMES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]


@pytest.mark.realdata
def test_street_scenes_on_a_photograph_network(data_dir):
    """A unit for cars, at the paper's quantile; streets and houses cover too much for it, and lie where they always lie."""
    from PIL import Image

    from mobilenet import mobilenet

    folder = data_dir / "camvid"
    files = sorted((folder / "images").glob("*.jpg"))
    pictures = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]) / 255
    labels = np.stack([np.asarray(Image.open(folder / "masks" / f"{file.stem}.png")) for file in files])
    x = ((pictures - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(0, 3, 1, 2).astype(np.float32)
    found = pc.concepts(mobilenet(data_dir), (labels, NAMES), DISSECT(), layer="blocks.13.project", inputs=x)
    (units,) = found.units
    car, road = NAMES.index("car"), NAMES.index("road")
    frame = found.to_frame().set_index("concept")
    assert frame.loc["car", "IoU"] > 0.07 and frame.loc["car", "by chance"] < 0.01
    assert units.unique.tolist() == [car] and (units.detects == car).sum() >= 3
    assert units.ceiling[:, road].max() < 0.04 and found.scores[road, 0] - units.chance[:, road].max() < 0.002
    assert any("building" in said and "road" in said for said in found.receipt.warnings)
    assert found.receipt.rows_forward == 50
