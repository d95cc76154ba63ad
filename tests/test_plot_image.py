"""Heat maps: one symmetric scale, colours that are the values, and no picture where there is nothing to see."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import pellucid as pc
import plot_records as made
from pellucid.core.errors import InputError
from pellucid.plot import _paint
from pellucid.plot._style import BLUE, RED


def key(ax):
    """The axes of the colour bar."""
    (found,) = [other for other in ax.figure.axes if other is not ax]
    return found


def pixels(ax):
    return ax.images[0].get_array()


def at(ax, i, j, shape):
    """The pixels of one place of a picture of this shape: (?, 3)."""
    raster = pixels(ax)
    h, w = raster.shape[0] // shape[0], raster.shape[1] // shape[1]
    return raster[i * h : (i + 1) * h, j * w : (j + 1) * w].reshape(-1, 3)


def test_the_scale_is_symmetric_and_its_key_hatched():
    record = made.digits()
    ax = pc.plot.image(record, 1)
    limit = np.abs(record.values[1]).max()
    np.testing.assert_allclose(key(ax).get_ylim(), (-limit, limit))
    assert [label.get_text()[0] for label in key(ax).get_yticklabels()] == ["−", "0", "+"]
    (hatched,) = [patch for patch in key(ax).patches if patch.get_hatch()]
    assert hatched.get_y() == -limit and hatched.get_y() + hatched.get_height() < 0


@pytest.mark.parametrize("shape", [(8, 8), (6, 30), (12, 14)])
def test_the_key_is_as_high_as_its_map(shape):
    values = np.random.default_rng(0).standard_normal((1, *shape))
    ax = pc.plot.image(made.attribution(values, np.ones((1, *shape)), "map"))
    ax.figure.draw_without_rendering()
    assert 8 < key(ax).get_window_extent().width < 24
    assert key(ax).get_window_extent().height == pytest.approx(ax.get_window_extent().height, rel=0.03)


def test_a_pixel_is_its_values_colour_times_the_inputs_shade():
    values, data = np.array([[[2.0, -2.0], [0.0, 1.0]]]), np.array([[[1.0, 1.0], [0.0, 1.0]]])
    ax = pc.plot.image(made.attribution(values, data, "map"))
    red, blue = np.array(to_rgb(RED)), np.array(to_rgb(BLUE))
    np.testing.assert_allclose(at(ax, 0, 0, (2, 2)), np.broadcast_to(red, (192 * 192, 3)), atol=1e-6)
    np.testing.assert_allclose(at(ax, 1, 0, (2, 2)), 0.75, atol=0.01)  # zero is white, over black it is shaded
    np.testing.assert_allclose(at(ax, 1, 1, (2, 2))[0], (1 + red) / 2, atol=0.01)  # half the limit: half the colour
    negative = np.unique(at(ax, 0, 1, (2, 2)), axis=0)
    np.testing.assert_allclose(negative, [blue, 0.5 + blue / 2], atol=1e-6)  # stripes


def test_stripes_lie_on_negative_places_only_and_cover_a_fifth_of_them():
    values = np.array([[1.0, -1.0], [-0.1, -0.5]])
    striped = _paint.paint(values, 1.0) != _paint._striped(
        _paint.paint(np.abs(values), 1.0), np.zeros((384, 384), bool)
    )
    assert not striped[:192, :192].any() and striped[:192, 192:].any()
    lone = _paint._striped(np.zeros((384, 384, 3)), np.ones((384, 384), bool))[..., 0]
    assert 0.1 < (lone > 0).mean() < 0.25
    weak = np.unique(_paint.paint(values, 1.0)[192:, :192].reshape(-1, 3), axis=0)
    assert len(weak) == 1  # a tenth of the limit is not worth a stripe


def test_one_limit_makes_maps_comparable():
    small, large = np.full((1, 4, 4), 0.0), np.full((1, 4, 4), 0.0)
    small[0, 0, 0], large[0, 0, 0], large[0, 3, 3] = 1.0, 1.0, 4.0
    data = np.ones((1, 4, 4))
    first = pc.plot.image(made.attribution(small, data, "map"), limit=4.0)
    second = pc.plot.image(made.attribution(large, data, "map"), limit=4.0)
    np.testing.assert_array_equal(at(first, 0, 0, (4, 4)), at(second, 0, 0, (4, 4)))
    np.testing.assert_allclose(key(first).get_ylim(), (-4, 4))
    alone = pc.plot.image(made.attribution(small, data, "map"))
    assert (at(alone, 0, 0, (4, 4)) != at(first, 0, 0, (4, 4))).any()


def test_values_beyond_the_limit_are_full_colour_and_the_key_says_so():
    values = np.zeros((1, 80, 80))
    values[0, :40, 0], values[0, 0, 0] = 1.0, 1000.0
    ax = pc.plot.image(made.attribution(values, np.ones((1, 80, 80)), "map"))
    np.testing.assert_allclose(key(ax).get_ylim(), (-1, 1))
    np.testing.assert_allclose(at(ax, 0, 0, (80, 80)), np.broadcast_to(to_rgb(RED), (25, 3)), atol=1e-6)
    assert _paint.limit_of(values, None)[1] and not _paint.limit_of(values, 1000.0)[1]
    assert _paint.limit_of(np.linspace(-1, 1, 10_000), None) == (1.0, False)  # nothing stands out, nothing is cut
    with pytest.raises(InputError, match=r"limit=0\.0"):
        pc.plot.image(made.digits(), limit=0.0)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_a_constant_map_is_labelled_and_not_drawn(value):
    ax = pc.plot.image(made.attribution(np.full((1, 5, 5), value), np.eye(5)[None], "map"))
    assert " ".join(ax.texts[0].get_text().split()) == "degenerate: constant map"
    assert not ax.images and ax.figure.axes == [ax]


def test_a_map_that_differs_by_rounding_is_constant_and_a_faint_one_is_not():
    noise = np.random.default_rng(0).standard_normal((5, 5))
    assert _paint.constant(1.0 + 1e-8 * noise)
    assert not _paint.constant(1e-12 * noise)


def test_a_row_that_a_budget_left_out_is_said():
    ax = pc.plot.image(made.digits(done=np.array([True, False])), 1)
    assert "left out" in ax.texts[0].get_text() and not ax.images


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_channels_are_folded_and_colours_become_brightness(layout):
    rng = np.random.default_rng(6)
    values, data = rng.standard_normal((1, 6, 8, 3)), rng.random((1, 6, 8, 3))
    total = values.sum(-1)
    if layout == "channels-first":
        values, data = np.moveaxis(values, -1, 1), np.moveaxis(data, -1, 1)
    record = made.attribution(values, data, layout)
    assert key(pc.plot.image(record)).get_ylim()[1] == pytest.approx(np.abs(total).max())
    assert pixels(pc.plot.picture(record)).shape == (6, 8, 3)
    largest = key(pc.plot.image(record, collapse="max")).get_ylim()[1]
    assert largest == pytest.approx(np.abs(values).max())


def test_a_cam_map_lies_over_a_picture_with_channels():
    cam = made.attribution(
        np.arange(48.0).reshape(1, 6, 8), np.random.default_rng(0).random((1, 3, 6, 8)), "channels-first"
    )
    ax = pc.plot.image(cam)
    assert pixels(ax).shape == (288, 384, 3)
    assert key(ax).get_ylim() == (-47, 47)


def test_the_input_alone_is_stretched_to_the_full_range():
    record = made.attribution(np.ones((1, 2, 2)), [[[-3.0, 1.0], [np.nan, 5.0]]], "map")
    np.testing.assert_allclose(pixels(pc.plot.picture(record))[..., 0], [[0, 0.5], [0, 1]])


def test_a_signal_is_a_line_on_coloured_ground():
    record = made.signal()
    ax = pc.plot.image(record)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), record.data[0, 0])
    red, blue = pixels(ax)[0, :, 0], pixels(ax)[0, :, 2]
    size = len(red) // 40
    positive = record.values[0] > 0.3
    assert (red[::size][:40][positive] > blue[::size][:40][positive]).all()
    assert (red[::size][:40][record.values[0] < -0.3] < blue[::size][:40][record.values[0] < -0.3]).all()


def test_a_volume_is_drawn_as_slices():
    ax, direct = pc.plot.image(made.volume()), pc.plot.slices(made.volume())
    assert [text.get_text() for text in ax.texts] == ["axis 0, slice 2", "axis 1, slice 5", "axis 2, slice 1"]
    for one, other in zip(ax.images, direct.images, strict=True):
        np.testing.assert_array_equal(one.get_array(), other.get_array())
    assert len(pc.plot.picture(made.volume()).images) == 3


def test_a_gallery_puts_explanations_beside_their_input():
    constant = made.attribution(np.ones((2, 6, 8)), made.digits().data, "map")
    axes = pc.plot.gallery([made.digits(), constant, made.digits()], 1, limit=2.0)
    assert axes.shape == (4,)
    assert axes[0].get_title(loc="left") == "input"
    assert axes[2].texts[0].get_text().startswith("degenerate")
    np.testing.assert_array_equal(pixels(axes[1]), pixels(axes[3]))
    np.testing.assert_array_equal(pixels(axes[1]), pixels(pc.plot.image(made.digits(), 1, limit=2.0)))
    with pytest.raises(InputError, match="give 2"):
        pc.plot.gallery([made.digits()], axes=[axes[0]])


def test_what_is_no_picture_is_refused_with_the_right_plot():
    with pytest.raises(InputError, match=r"use plot\.bar"):
        pc.plot.image(made.table())
    with pytest.raises(InputError, match=r"use plot\.text"):
        pc.plot.image(made.tokens())


def test_words_are_coloured_by_value_and_padding_is_left_out():
    record = made.tokens()
    ax = pc.plot.text(record, 0)
    words = {text.get_text(): text.get_bbox_patch() for text in ax.texts}
    assert list(words) == ["not", "a", "good", "film"]
    np.testing.assert_allclose(words["not"].get_facecolor()[:3], to_rgb(BLUE), atol=1e-6)
    assert words["not"].get_linestyle() != "solid"  # a dashed frame tells the sign without colour
    np.testing.assert_allclose(words["good"].get_facecolor()[:3], 0.25 + 0.75 * np.array(to_rgb(RED)), atol=0.01)
    assert words["good"].get_edgecolor()[3] == 0 and words["a"].get_edgecolor()[3] == 0
    np.testing.assert_allclose(key(ax).get_ylim(), (-2, 2))
    second = pc.plot.text(record, 1, limit=4.0)
    assert [text.get_text() for text in second.texts] == ["great", r"\$5 or \$6"]
    np.testing.assert_allclose(key(second).get_ylim(), (-4, 4))


def test_words_do_not_overlap_and_wrap_inside_the_axes():
    words = np.array([[f"word{'x' * (i % 9)}" for i in range(60)]], dtype=object)
    ax = pc.plot.text(made.attribution(np.sin(np.arange(60.0))[None], words, "tokens"))
    ax.figure.draw_without_rendering()
    boxes = [text.get_bbox_patch().get_window_extent() for text in ax.findobj(Text) if text.get_bbox_patch()]
    assert len(boxes) == 60
    frame = ax.get_window_extent()
    assert all(frame.x0 - 1 < box.x0 and box.x1 < frame.x1 + 1 for box in boxes)
    for one, two in pairwise(boxes):
        assert not one.overlaps(two)


def test_equal_and_missing_words_are_said():
    same = made.attribution(np.ones((1, 3)), np.array([["a", "b", "c"]], dtype=object), "tokens")
    assert pc.plot.text(same).texts[0].get_text().startswith("degenerate")
    padded = made.attribution(
        np.zeros((1, 2)), np.array([["", ""]], dtype=object), "tokens", mask=np.zeros((1, 2), bool)
    )
    assert "no tokens" in pc.plot.text(padded).texts[0].get_text()


def test_a_real_network_is_drawn():
    torch = pytest.importorskip("torch")
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10))
    x = (load_digits().images[:2, None] / 16).astype("float32")
    record = pc.explain(net, x, pc.IntegratedGradients(steps=8))
    ax = pc.plot.show(record, 1)
    assert key(ax).get_ylim()[1] == pytest.approx(np.abs(record.values[1, 0]).max())
    assert "IntegratedGradients" in ax.get_title(loc="left")
