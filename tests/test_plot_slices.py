"""Slices of volumes: the right plane, the right way round, at true proportion, the map at its place."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

import pellucid as pc
import plot_records as made
from pellucid.core.errors import InputError
from pellucid.plot import _planes
from pellucid.plot._overlay import OVER_SIGNED, OVER_UNIT
from pellucid.plot._style import BLUE, RED

SHAPE, SPACING = (6, 8, 5), (2.5, 0.5, 0.75)
PLAIN = np.array([[0, 0, 0.75, 7], [0, 0.5, 0, -3], [2.5, 0, 0, 11], [0, 0, 0, 1.0]])  # (z, y, x) -> left, back, head


def record(values, data=None, **fields):
    values = np.asarray(values, dtype=float)
    return made.attribution(values[None], np.asarray(values if data is None else data)[None], "map", **fields)


def layers(ax, name):
    """The rasters of the scan ("gray"), of a signed map ("pellucid-over") or of one from 0 to 1 ("pellucid-heat")."""
    return [image for image in ax.images if image.get_array().ndim == 2 and image.cmap.name == name]


def rasters(ax, name):
    return [np.ma.filled(image.get_array().astype(float), np.nan) for image in layers(ax, name)]


def texts(ax):
    """Heads, and the letters at left, right, top and bottom of each plane."""
    words = [text.get_text() for text in ax.texts if text.get_gid() == "head"]
    return words, [text.get_text() for text in ax.texts if text.get_gid() != "head"]


def rendered(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def test_the_three_planes_cut_the_strongest_place():
    rng = np.random.default_rng(0)
    values = rng.random(SHAPE)
    values[4, 1, 3] = -9.0
    ax = pc.plot.slices(record(values))
    assert texts(ax) == (["axis 0, slice 4", "axis 1, slice 1", "axis 2, slice 3"], [])
    for found, wanted in zip(rasters(ax, "gray"), (values[4], values[:, 1], values[:, :, 3]), strict=True):
        np.testing.assert_array_equal(found, wanted)
    for found, wanted in zip(rasters(ax, "pellucid-over"), (values[4], values[:, 1], values[:, :, 3]), strict=True):
        np.testing.assert_array_equal(found, wanted)
    elsewhere = pc.plot.slices(record(values), at=(0, 7.4, 2))
    assert texts(elsewhere)[0] == ["axis 0, slice 0", "axis 1, slice 7", "axis 2, slice 2"]
    np.testing.assert_array_equal(rasters(elsewhere, "gray")[1], values[:, 7])


@pytest.mark.parametrize("given", [{"spacing": SPACING}, {"affine": PLAIN}])
def test_planes_have_true_proportion(given):
    ax = pc.plot.slices(made.volume(), **given)
    extents = [image.get_extent() for image in layers(ax, "gray")]
    sizes = [(left, right - left, bottom - top) for left, right, bottom, top in extents]
    depth, height, width = np.multiply(SHAPE, SPACING)
    wanted = [(width, height), (width, depth), (height, depth)]
    np.testing.assert_allclose([size[1:] for size in sizes], wanted)
    assert ax.get_aspect() == 1
    assert all(one[0] + one[1] < other[0] for one, other in pairwise(sizes))
    middles = [(bottom + top) / 2 for _, _, bottom, top in extents]
    np.testing.assert_allclose(middles, 0, atol=1e-12)


def test_narrow_planes_stand_in_the_middle_of_black_cells_as_high_as_the_highest():
    ax = pc.plot.slices(record(np.random.default_rng(0).random((40, 6, 4))))
    cells = [patch for patch in ax.patches if patch.get_facecolor()[:3] == (0, 0, 0) and patch.get_fill()]
    assert {cell.get_height() for cell in cells} == {40} and all(cell.get_width() >= 0.45 * 40 for cell in cells)
    for cell, scan in zip(cells, layers(ax, "gray"), strict=True):
        left, right, bottom, top = scan.get_extent()
        assert (left + right) / 2 == pytest.approx(cell.get_x() + cell.get_width() / 2)
        assert (bottom + top) / 2 == pytest.approx(0)
    assert all(one.get_x() + one.get_width() < other.get_x() for one, other in pairwise(cells))
    assert ax.get_xlim() == pytest.approx((0, cells[-1].get_x() + cells[-1].get_width()))
    assert ax.get_ylim()[0] == 20 and ax.get_ylim()[1] < -20


def turned(volume, axes, flips):
    """The same patient in an array whose axes are in another order and run the other way."""
    steps = np.eye(4)
    steps[:3, :3] = np.eye(3)[:, axes]  # new index -> old index
    moved = volume.transpose(axes)
    for axis in np.flatnonzero(flips):
        back = np.eye(4)
        back[axis, axis], back[axis, 3] = -1, moved.shape[axis] - 1
        steps, moved = steps @ back, np.flip(moved, axis)
    return moved, PLAIN @ steps


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_a_patient_looks_the_same_whatever_axes_the_array_has(axes):
    values = np.random.default_rng(1).standard_normal(SHAPE)
    at = np.array([1, 6, 0, 1])
    wanted = pc.plot.slices(record(values), at=at[:3], affine=PLAIN)
    for flips in product((False, True), repeat=3):
        moved, affine = turned(values, axes, flips)
        place = np.linalg.inv(affine) @ PLAIN @ at
        ax = pc.plot.slices(record(moved), at=np.rint(place[:3]), affine=affine)
        for layer in ("gray", "pellucid-over"):
            for one, other in zip(rasters(ax, layer), rasters(wanted, layer), strict=True):
                np.testing.assert_array_equal(one, other)
        assert texts(ax)[1] == texts(wanted)[1]
        assert [i.get_extent() for i in layers(ax, "gray")] == [i.get_extent() for i in layers(wanted, "gray")]
        numbers = [int(word.split()[-1]) for word in texts(ax)[0]]
        (head, back, left) = (int(np.abs(affine[world, :3]).argmax()) for world in (2, 1, 0))
        assert numbers == [round(place[axis]) for axis in (head, back, left)]


def test_the_planes_are_those_of_a_radiologist():
    """Something at the patient's left, something in front, something at the head: each shows where it must."""
    spots = {"left": (3, 4, 4), "front": (3, 0, 2), "head": (5, 4, 2)}  # z to the head, y to the back, x to the left
    found = {}
    for name, spot in spots.items():
        values = np.zeros(SHAPE)
        values[spot] = 1.0
        axial, coronal, sagittal = rasters(pc.plot.slices(record(values), affine=PLAIN), "pellucid-over")
        found[name] = [tuple(map(int, np.argwhere(plane == 1)[0])) for plane in (axial, coronal, sagittal)]
    assert [found["left"][plane][1] for plane in (0, 1)] == [4, 4]  # on the right of the picture
    assert (
        found["front"][0][0] == 0 and found["front"][2][1] == 0
    )  # at the top of the axial, left of the sagittal plane
    assert found["head"][1][0] == 0 and found["head"][2][0] == 0  # at the top
    ax = pc.plot.slices(record(values), affine=PLAIN)
    assert texts(ax) == (["axial, slice 5", "coronal, slice 4", "sagittal, slice 2"], [*"RLAP", *"RLSI", *"APSI"])


def test_an_oblique_plane_has_two_letters():
    angle = np.deg2rad(30)
    tilted = PLAIN.copy()
    tilted[:3, 0] = [0, 2.5 * np.sin(angle), 2.5 * np.cos(angle)]  # towards the head, and to the back
    tilted[:3, 1] = [0, 0.5 * np.cos(angle), -0.5 * np.sin(angle)]
    letters = texts(pc.plot.slices(made.volume(), affine=tilted))[1]
    assert letters == ["R", "L", "AS", "PI", "R", "L", "SP", "IA", "AS", "PI", "SP", "IA"]
    slight = np.deg2rad(10)
    assert _planes._letters(np.array([np.sin(slight), 0, -np.cos(slight)])) == "I"


def test_a_cross_marks_where_planes_cut():
    ax = pc.plot.slices(made.volume(), affine=PLAIN)  # its strongest place is at (2, 5, 1)
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines]
    corners = [(image.get_extent()[0], image.get_extent()[3]) for image in layers(ax, "gray")]
    cells = np.subtract(marks, corners) / [(0.75, 0.5), (0.75, 2.5), (0.5, 2.5)]
    np.testing.assert_allclose(
        cells, [(1.5, 5.5), (1.5, 3.5), (5.5, 3.5)]
    )  # the head is at the top: slice 2 of 6 is the fourth
    for (across, down), raster in zip(cells.astype(int), rasters(ax, "pellucid-over"), strict=True):
        assert raster[down, across] == -4.0
    assert not pc.plot.slices(made.volume(), scale="none").lines


@pytest.mark.parametrize("first", [(2, 3, 4), (-2, 5, 1)])
def test_a_map_lies_in_its_box_at_its_place_in_the_whole(first):
    whole, values = np.random.default_rng(2).random((9, 10, 11)), 1 + np.arange(64.0).reshape(4, 4, 4)
    everywhere = np.full((13, 15, 16), np.nan)  # from (-2, 0, 0) on
    z, y, x = np.add(first, (2, 0, 0))
    everywhere[z : z + 4, y : y + 4, x : x + 4] = values
    at = np.add(first, (3, 1, 2))
    ax = pc.plot.slices(record(values), at=at, affine=PLAIN, within=(whole, first), scale="unit")
    boxes = [patch for patch in ax.patches if patch.get_gid() == "box"]
    assert len(boxes) == 3 and not ax.lines
    assert all(box.get_linestyle() != "solid" and not box.get_fill() for box in boxes)
    shown = list(zip(layers(ax, "gray"), layers(ax, "pellucid-heat"), boxes, strict=True))
    for (scan, heat, box), steps in zip(shown, [(0.75, 0.5), (0.75, 2.5), (0.5, 2.5)], strict=True):
        raster = np.ma.filled(heat.get_array().astype(float), np.nan)
        down, across = np.nonzero(np.isfinite(raster))
        left, right, bottom, top = heat.get_extent()
        assert (left, right, bottom, top) == tuple(scan.get_extent())
        np.testing.assert_allclose((box.get_x() - left) / steps[0], across.min())
        np.testing.assert_allclose((box.get_y() - top) / steps[1], down.min())
        np.testing.assert_allclose(box.get_width() / steps[0], 4)
        np.testing.assert_allclose(box.get_height() / steps[1], 4)
        assert raster.size > 16 and np.isfinite(raster).sum() == 16
    axial = np.ma.filled(shown[0][1].get_array().astype(float), np.nan)
    np.testing.assert_array_equal(axial, everywhere[at[0] + 2, : axial.shape[0], : axial.shape[1]])
    if min(first) >= 0:
        np.testing.assert_array_equal(shown[0][0].get_array(), whole[at[0]])


def test_without_a_place_the_whole_is_cut_at_the_strongest_of_the_part():
    values = np.zeros((4, 4, 4))
    values[3, 0, 2] = -1.0
    whole = np.random.default_rng(3).random((9, 9, 9))
    heads = texts(pc.plot.slices(record(values), within=(whole, (5, 2, 0))))[0]
    assert heads == ["axis 0, slice 8", "axis 1, slice 2", "axis 2, slice 2"]
    alone = texts(pc.plot.slices(record(values), within=(whole, (5, 2, 0)), scale="none"))[0]
    assert alone == ["axis 0, slice 7", "axis 1, slice 4", "axis 2, slice 2"]  # the middle of the part


@pytest.mark.parametrize("first", [None, (4, 3, 2), (-1, 0, 0)])
def test_an_outline_runs_around_what_is_inside(first):
    inside = np.zeros((4, 4, 4), bool)
    inside[1:3, 0:2, 2:4] = True  # at the edge of the part along two axes
    whole = np.random.default_rng(5).random((9, 9, 9))
    values = np.random.default_rng(6).random((4, 4, 4))
    within = None if first is None else (whole, first)
    corner = np.zeros(3, int) if first is None else np.array(first)
    look = {"within": within, "at": np.add(corner, (1, 1, 2)), "affine": PLAIN}
    plain, ax = (pc.plot.slices(record(values), outline=mask, **look) for mask in (None, inside))
    lines = [line for line in ax.collections if line not in plain.collections]
    scans = layers(ax, "gray")
    assert len(lines) == 3 and not plain.collections
    for line, scan, steps, axes in zip(
        lines, scans, [(0.75, 0.5), (0.75, 2.5), (0.5, 2.5)], [(2, 1), (2, 0), (1, 0)], strict=True
    ):
        (path,) = line.get_paths()
        left, _, _, top = scan.get_extent()
        (x0, y0), (x1, y1) = path.vertices.min(0), path.vertices.max(0)
        np.testing.assert_allclose([(x1 - x0) / steps[0], (y1 - y0) / steps[1]], [2, 2])
        low = np.minimum(corner, 0)
        height = np.asarray(scan.get_array()).shape[0]
        starts = [(corner - low + np.argwhere(inside).min(0))[axis] for axis in axes]
        np.testing.assert_allclose((x0 - left) / steps[0], starts[0], atol=1e-9)
        from_top = starts[1] if axes[1] == 1 else height - starts[1] - 2  # the head is at the top
        np.testing.assert_allclose((y0 - top) / steps[1], from_top, atol=1e-9)
    nowhere = pc.plot.slices(record(values), outline=np.zeros((4, 4, 4)), **look)
    assert not nowhere.collections
    with pytest.raises(InputError, match=r"outline of shape \(4, 4\)"):
        pc.plot.slices(record(values), outline=inside[0], **look)


def test_strengths_run_from_blue_to_red_and_zero_to_one():
    values = np.zeros(SHAPE)
    values[2, 5, 1], values[2, 0, 0] = -4.0, 2.0
    ax = pc.plot.slices(record(values), scale="unit")
    (axial, *_) = layers(ax, "pellucid-heat")
    assert axial.norm.vmin == 0 and axial.norm.vmax == 4
    assert axial.get_array()[5, 1] == 4 and axial.get_array()[0, 0] == 2  # magnitudes
    (key,) = [other for other in ax.figure.axes if other is not ax]
    assert [label.get_text() for label in key.get_yticklabels()] == ["0", "0.5", "1"]
    assert key.get_ylim() == (0, 4) and ax.get_xlabel() == "1 is a magnitude of 4"
    blue, red = OVER_UNIT(0.0), OVER_UNIT(1.0)
    assert blue[2] > blue[1] > blue[0] and red[0] > 4 * red[1] and red[3] > 0.8 > 0.3 > blue[3] > 0.2
    opacity = OVER_UNIT(np.linspace(0, 1, 50))[:, 3]
    assert (np.diff(opacity) > 0).all()
    shared = pc.plot.slices(record(values), scale="unit", limit=8.0)
    assert layers(shared, "pellucid-heat")[0].norm.vmax == 8


def test_signed_values_are_red_and_blue_and_zero_leaves_the_picture():
    np.testing.assert_allclose(OVER_SIGNED(1.0)[:3], to_rgb(RED))
    np.testing.assert_allclose(OVER_SIGNED(0.0)[:3], to_rgb(BLUE))
    assert OVER_SIGNED(0.5)[3] < 0.01 and OVER_SIGNED(1.0)[3] == OVER_SIGNED(0.0)[3] > 0.8
    assert OVER_SIGNED(np.nan)[3] == OVER_UNIT(np.nan)[3] == 0
    data = np.full(SHAPE, 0.5)
    data[0, 0, 0], data[5, 7, 4] = 0.0, 1.0
    values = np.zeros(SHAPE)
    values[2, 5, 1], values[2, 2, 4] = 4.0, -4.0
    ax = pc.plot.slices(record(values, data), at=(2, 1, 2))
    pixels = rendered(ax)
    height = pixels.shape[0]
    left, right, bottom, top = layers(ax, "gray")[0].get_extent()

    def pixel(down, across):
        x, y = left + (across + 0.3) * (right - left) / 5, top + (down + 0.3) * (bottom - top) / 8
        column, line = ax.transData.transform((x, y))
        return pixels[int(height - line), int(column)]

    np.testing.assert_allclose(pixel(6, 3), 0.5, atol=0.01)
    assert pixel(5, 1)[0] > 2 * pixel(5, 1)[2] and pixel(2, 4)[2] > 1.5 * pixel(2, 4)[0]
    (stripes,) = [image for image in ax.images if image.get_array().ndim == 3]
    striped = stripes.get_array()[..., 3] > 0
    down, across = (np.ceil(np.array(striped.shape) / (8, 5))).astype(int)
    assert striped[2 * down : 3 * down, 4 * across :].any()
    striped[2 * down : 3 * down, 4 * across :] = False
    assert not striped.any()


def test_the_key_of_signed_values_has_words_or_numbers_or_is_not_there():
    said = {}
    for key in ("words", "numbers", "none"):
        ax = pc.plot.slices(made.volume(), key=key)
        said[key] = [
            label.get_text() for other in ax.figure.axes if other is not ax for label in other.get_yticklabels()
        ]
    assert said == {"words": ["−4 lowers", "0", "+4 raises"], "numbers": ["−4", "0", "+4"], "none": []}


def test_the_window_says_what_is_black_and_white():
    for given, wanted in ((None, (0.0, 1.0)), ((-1000, 400), (-1000, 400))):
        values = np.zeros(SHAPE)
        values[0, 0, 0] = 1.0
        data = np.linspace(0, 1, values.size).reshape(SHAPE)
        ax = pc.plot.slices(record(values, data), window=given)
        assert {(image.norm.vmin, image.norm.vmax) for image in layers(ax, "gray")} == {wanted}
    flat = pc.plot.slices(record(values, np.zeros(SHAPE)))
    assert layers(flat, "gray")[0].norm.vmin < layers(flat, "gray")[0].norm.vmax


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_channels_are_folded(layout):
    rng = np.random.default_rng(4)
    values, data = rng.standard_normal((1, *SHAPE, 2)), rng.random((1, *SHAPE, 2))
    total, mean = values[0].sum(-1), data[0].mean(-1)
    if layout == "channels-first":
        values, data = np.moveaxis(values, -1, 1), np.moveaxis(data, -1, 1)
    ax = pc.plot.slices(made.attribution(values, data, layout), at=(3, 2, 1))
    np.testing.assert_allclose(rasters(ax, "pellucid-over")[0], total[3])
    np.testing.assert_allclose(rasters(ax, "gray")[0], mean[3])


def test_a_small_spot_in_a_large_volume_is_not_cut_off():
    places = np.stack(np.indices((40, 40, 40)), -1) - 20
    spot = np.exp(-(places**2).sum(-1) / 2 / 9)  # 6 of 40 voxels wide
    ax = pc.plot.slices(record(spot), scale="unit")
    assert layers(ax, "pellucid-heat")[0].norm.vmax > 0.8


def test_values_whose_offset_means_nothing_are_strengths_above_the_smallest():
    rise = pc.explain(lambda p: p[:, 2, 3, 1], np.ones((1, 4, 6, 5)), pc.RISE(samples=40, cells=2))
    ax = pc.plot.slices(rise, scale="unit")
    raster = layers(ax, "pellucid-heat")[0]
    assert raster.norm.vmax == pytest.approx(np.ptp(rise.values[0])) and ax.get_xlabel().startswith("1 is a difference")


def test_what_cannot_be_drawn_is_said():
    constant = pc.plot.slices(record(np.ones(SHAPE)))
    assert constant.texts[0].get_text().startswith("degenerate") and not constant.images
    left_out = record(np.full(SHAPE, np.nan), np.zeros(SHAPE), done=np.zeros(1, bool))
    assert "left out" in pc.plot.slices(left_out).texts[0].get_text()
    assert len(pc.plot.slices(left_out, scale="none").images) == 3
    volume, whole = made.volume(), np.zeros((9, 9, 9))
    for wrong, words in (
        ({"at": (6, 0, 0)}, r"at=\(6, 0, 0\): give three voxels inside of a volume of shape \(6, 8, 5\)"),
        ({"at": (0, -1, 0)}, "at="),
        ({"at": (1, 2)}, "at="),
        ({"affine": np.eye(3)}, r"affine of shape \(3, 3\)"),
        ({"affine": np.zeros((4, 4))}, "can be inverted"),
        ({"affine": PLAIN.T}, "transposed"),
        ({"affine": PLAIN[None]}, r"affine of shape \(1, 4, 4\): give \(4, 4\), from"),
        ({"spacing": (1, 0, 1)}, "spacing="),
        ({"spacing": (1, 1, 1), "affine": PLAIN}, "one of the two"),
        ({"within": (whole, (0, 0.5, 0))}, "whole numbers"),
        ({"within": (whole[0], (0, 0, 0))}, r"expected \(d, h, w\)"),
        ({"limit": -1.0}, "limit="),
    ):
        with pytest.raises(InputError, match=words):
            pc.plot.slices(volume, **wrong)
    with pytest.raises(InputError, match=r"slices draws volumes.*plot\.show"):
        pc.plot.slices(made.digits())
