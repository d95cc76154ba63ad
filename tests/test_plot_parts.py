"""Best parts of a picture, and a sampled map beside its error."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import pellucid as pc
import plot_records as made
from pellucid.core.errors import InputError
from pellucid.plot._style import BLUE, FAINT, RED


def has(pixels: np.ndarray, colour: str) -> np.ndarray:
    return np.abs(pixels - to_rgb(colour)).max(-1) < 1e-6


def test_the_best_parts_are_outlined_and_the_rest_is_gone():
    ax = pc.plot.superpixels(made.superpixels(), k=1, hide_rest=True)
    pixels = ax.images[0].get_array()
    size = pixels.shape[0] // 12
    inside = np.zeros((12, 12), bool)
    inside[:4, :4] = True  # part 0 raises most
    inside = inside.repeat(size, 0).repeat(size, 1)
    assert has(pixels, FAINT)[~inside].all() and not has(pixels, FAINT)[inside].any()
    assert has(pixels, RED)[inside].any() and not has(pixels, RED)[~inside].any() and not has(pixels, BLUE).any()


def test_parts_that_lower_are_blue():
    pixels = pc.plot.superpixels(made.superpixels(), k=1, positive_only=False).images[0].get_array()
    assert has(pixels, BLUE).any() and not has(pixels, RED).any()


def test_nothing_that_raises_is_said():
    record = pc.explain(lambda p: -p.sum((1, 2)), np.ones((1, 8, 8)), pc.Occlusion())
    assert "no part raises" in pc.plot.superpixels(record).texts[0].get_text().replace("\n", " ")


def test_a_sampled_map_less_its_mean_beside_its_error():
    x = np.random.default_rng(0).random((1, 16, 16)) + 1
    record = pc.explain(lambda p: 50 + p[:, :8, :8].sum((1, 2)), x, pc.RISE(samples=400, cells=4))
    left, right = pc.plot.error_map(record)
    painted, error = left.images[0].get_array(), right.images[0].get_array()
    np.testing.assert_array_equal(error, record.stderr[0])
    size = painted.shape[0] // 16
    corner = painted[size : 3 * size, size : 3 * size].reshape(-1, 3)
    assert (corner[:, 0] > corner[:, 2]).all()  # red where the evidence is, though every value is near 80
    image = pc.plot.image(record)
    assert "less their mean" in image.get_xlabel()


def test_what_has_no_error_is_refused():
    with pytest.raises(InputError, match="no standard errors"):
        pc.plot.error_map(made.digits())
    with pytest.raises(InputError, match="draws pictures"):
        volume = pc.explain(lambda p: p.sum((1, 2, 3)), np.ones((1, 4, 6, 5)), pc.RISE(samples=20, cells=3))
        pc.plot.error_map(volume)
