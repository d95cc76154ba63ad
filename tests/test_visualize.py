"""Activation maximisation: a linear unit's best picture is known, a planted pattern appears, diverse pictures differ."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from mobilenet import mobilenet, samples
from nets import cnn
from pellucid.models.dreaming import _statistics, alike, variation

ZEBRA = 340  # of ImageNet
STILL = {"jitter": 0, "scale": 0.0, "rotate": 0.0}


class Template(nn.Module):
    """Answers to how much a picture is like each of some templates (t, channels, h, w)."""

    def __init__(self, templates):
        super().__init__()
        self.templates = nn.Parameter(torch.as_tensor(templates, dtype=torch.float32))

    def forward(self, x):
        return torch.einsum("bchw,tchw->bt", x, self.templates)


def test_the_best_picture_of_a_linear_unit_is_known():
    """In [0, 1] the largest answer is the sum of the positive weights: bright where they are positive, dark elsewhere."""
    weights = np.random.default_rng(0).normal(size=(1, 2, 8, 8))
    made = pc.visualize(Template(weights), 0, pc.ActivationMaximization(shape=(2, 8, 8), steps=100, rate=0.4, **STILL))
    best = np.maximum(weights, 0).sum()
    assert 0.9 * best < made.activations[0] <= best
    assert made.images.min() >= 0 and made.images.max() <= 1
    assert ((made.images[0] > 0.5) == (weights[0] > 0)).mean() > 0.9
    assert made.curve.shape == (100, 1) and made.curve[-1, 0] > made.curve[0, 0]


def test_an_oriented_unit_is_shown_its_stripes():
    """A filter for stripes along one axis: the made picture has its energy at the filter's frequency and orientation."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2, bias=False), nn.ReLU())
    wave = torch.cos(2 * torch.pi * torch.arange(5) / 4)
    wave -= wave.mean()
    with torch.no_grad():
        net[0].weight[0, 0] = wave.expand(5, 5)
        net[0].weight[1, 0] = wave.expand(5, 5).T
    for channel, axis in ((0, 1), (1, 0)):
        unit = pc.Unit(channel=channel, layer="1")
        made = pc.visualize(net, unit, pc.ActivationMaximization(shape=(1, 32, 32), steps=120, jitter=2, rotate=0.0))
        power = np.abs(np.fft.fft2(made.images[0, 0] - made.images[0, 0].mean())) ** 2
        along = [power.sum(axis=1 - axis), power.sum(axis=axis)]
        assert along[0][4:13].sum() + along[0][20:29].sum() > 0.6 * power.sum()  # about 32 / 4 waves
        assert along[1][:2].sum() + along[1][-1] > 0.4 * power.sum()  # and hardly any across


def test_one_place_and_a_direction():
    net = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    with torch.no_grad():
        net.weight.zero_()
        net.weight[:, 0, 1, 1] = torch.tensor([1.0, -1.0])
    at = pc.visualize(
        nn.Sequential(net),
        pc.Unit(channel=0, layer="0", place=(2, 3)),
        pc.ActivationMaximization(shape=(1, 6, 6), steps=60, **STILL),
    )
    assert at.activations[0] == pytest.approx(at.images[0, 0, 2, 3], abs=1e-6) and at.activations[0] > 0.9
    both = pc.visualize(
        nn.Sequential(net),
        pc.Unit(direction=(0.0, 2.0), layer="0"),
        pc.ActivationMaximization(shape=(1, 6, 6), steps=100, rate=0.2, **STILL),
    )
    assert both.images.mean() < 0.15  # the second channel answers to darkness
    assert both.activations[0] == pytest.approx(-2 * both.images.mean(), abs=1e-5)


def test_diversity_keeps_pictures_apart():
    """Two channels look at the two halves of a picture; asked for either, pictures alike light up both, diverse ones differ."""
    net = nn.Sequential(nn.Conv2d(1, 2, 6, bias=False))
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].weight[0, 0, :3] = 1 / 18
        net[0].weight[1, 0, 3:] = 1 / 18
    unit = pc.Unit(direction=(1.0, 1.0), layer="0")
    method = pc.ActivationMaximization(shape=(1, 6, 6), images=4, steps=100, rate=0.1, **STILL)

    def likeness(record):
        halves = np.stack(
            [record.images[:, 0, :3].mean(axis=(1, 2)), record.images[:, 0, 3:].mean(axis=(1, 2))], axis=1
        )
        halves /= np.linalg.norm(halves, axis=1, keepdims=True)
        return ((halves @ halves.T).sum() - 4) / 12

    alone = pc.visualize(net, unit, method)
    varied = pc.visualize(net, unit, replace(method, diversity=5.0))
    assert likeness(alone) > 0.99 > 0.9 > likeness(varied)
    assert alone.activations.mean() > varied.activations.mean()  # being different has its price


def test_smoothness_costs_variation_and_seeds_repeat():
    method = {"shape": (2, 16, 16), "steps": 40}
    rough = pc.visualize(cnn(), 1, pc.ActivationMaximization(**method))
    smooth = pc.visualize(cnn(), 1, pc.ActivationMaximization(smooth=20.0, **method))

    def variation(record):
        return np.abs(np.diff(record.images, axis=2)).mean() + np.abs(np.diff(record.images, axis=3)).mean()

    assert variation(smooth) < 0.8 * variation(rough)
    again = pc.visualize(cnn(), 1, pc.ActivationMaximization(**method))
    np.testing.assert_array_equal(again.images, rough.images)


def test_real_pictures_lend_their_shape_range_and_colours_and_are_beaten():
    rng = np.random.default_rng(0)
    grey = rng.normal(size=(20, 1, 8, 8))
    like = np.concatenate([grey, grey], axis=1) * np.array([1.0, 2.0])[:, None, None]  # both channels always alike
    made = pc.visualize(cnn(), 2, pc.ActivationMaximization(steps=100), like=like)
    assert made.images.shape == (1, 2, 8, 8)
    assert (made.images.min(axis=(0, 2, 3)) >= like.min(axis=(0, 2, 3)) - 1e-5).all()
    assert np.corrcoef(made.images[0, 0].ravel(), made.images[0, 1].ravel())[0, 1] > 0.99
    with torch.no_grad():
        own = cnn().eval()(torch.tensor(like, dtype=torch.float32))[:, 2].max()
    assert made.natural == pytest.approx(float(own), rel=1e-5) and made.activations[0] > made.natural


@pytest.mark.parametrize("shape", [(1, 20), (1, 6, 7, 8)])
def test_signals_and_volumes(shape):
    conv = nn.Conv1d if len(shape) == 2 else nn.Conv3d
    torch.manual_seed(0)
    net = nn.Sequential(conv(1, 3, 3), nn.ReLU())
    made = pc.visualize(net, pc.Unit(channel=1, layer="0"), pc.ActivationMaximization(shape=shape, steps=20))
    assert made.images.shape == (1, *shape) and made.curve[-1, 0] > made.curve[0, 0]


def test_what_cannot_be_done_is_refused_with_its_remedy(tmp_path):
    quick = pc.ActivationMaximization(shape=(2, 8, 8), steps=2)
    with pytest.raises(pc.MethodError, match=r"the layer has 3 channels, 0 to 2"):
        pc.visualize(cnn(), 7, quick)
    with pytest.raises(pc.MethodError, match="the network has no layer 'head'; it has 0, 1"):
        pc.visualize(cnn(), pc.Unit(channel=0, layer="head"), quick)
    with pytest.raises(pc.MethodError, match=r"the layer's space is \(8, 8\)"):
        pc.visualize(cnn(), pc.Unit(channel=0, layer="0", place=(9, 0)), quick)
    with pytest.raises(pc.MethodError, match="has 2 weights, and the layer 4 channels"):
        pc.visualize(cnn(), pc.Unit(direction=(1.0, 2.0), layer="0"), quick)
    with pytest.raises(pc.MethodError, match="give a channel, or a direction"):
        pc.Unit(layer="0")
    with pytest.raises(pc.MethodError, match=r"expected \(channels, \*space\)"):
        pc.ActivationMaximization(shape=(3,))
    with pytest.raises(pc.InputError, match="expected finite pictures"):
        pc.visualize(cnn(), 0, quick, like=np.zeros(5))
    with pytest.raises(pc.MethodError, match="is no unit"):
        pc.visualize(cnn(), 1.5, quick)
    dead = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
    with torch.no_grad():
        dead[0].bias.fill_(-100)
    closed = pc.visualize(dead, pc.Unit(channel=0, layer="1"), pc.ActivationMaximization(shape=(1, 8, 8), steps=3))
    assert any("the unit gave 0 at every step" in said for said in closed.receipt.warnings)
    short = pc.visualize(cnn(), 0, pc.ActivationMaximization(shape=(2, 8, 8)), budget=pc.Budget(rows=10))
    assert len(short.curve) == 5 and any("budget ended the ascent after 5" in said for said in short.receipt.warnings)
    back = pc.load(short.save(tmp_path / "seen.npz"))
    np.testing.assert_array_equal(back.images, short.images)
    assert back.unit == short.unit


def test_the_plot_shows_the_pictures_and_how_far_they_excite():
    made = pc.visualize(cnn(), 1, pc.ActivationMaximization(shape=(2, 8, 8), steps=2, images=3))
    ax = pc.plot.show(made)
    assert ax.images[0].get_array().shape == (8, 26, 3)
    assert ax.get_xlabel().startswith("activation") and ax.get_title(loc="left") == "output, channel 1"
    assert pc.plot.show(made, row=0).images[0].get_array().shape == (8, 8, 3)


def test_alikeness_is_the_mean_cosine_of_different_pictures():
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert alike(torch.stack([one, one, one])) == 1 and alike(one[None]) == 0
    assert alike(torch.stack([one, one, other])) == pytest.approx(1 / 3)


def test_variation_is_the_mean_step_along_every_axis_of_space():
    picture = torch.tensor([[[[0.0, 1], [2, 5]]], [[[0.0, 0], [0, 0]]]])
    assert variation(picture).tolist() == [(2 + 4) / 2 + (1 + 3) / 2, 0]
    assert variation(torch.tensor([[[0.0, 3, 1]]])).tolist() == [(3 + 2) / 2]


def test_real_pictures_lend_their_range_and_their_correlations():
    rng = np.random.default_rng(0)
    like = np.stack([rng.normal(size=(9, 4, 4)), rng.normal(size=(9, 4, 4))], axis=1)
    like[:, 1] += 3 * like[:, 0]
    low, high, root = _statistics(like)
    np.testing.assert_allclose(low.ravel(), like.min(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(high.ravel(), like.max(axis=(0, 2, 3)), rtol=1e-6)
    covariance = np.cov(like.transpose(1, 0, 2, 3).reshape(2, -1))
    np.testing.assert_allclose((root @ root.T).numpy(), covariance / covariance.diagonal().max(), rtol=1e-5)


@pytest.mark.realdata
def test_a_made_zebra_is_called_one_by_a_real_network(data_dir):
    net, (photographs, _) = mobilenet(data_dir), samples(data_dir, 16)
    made = pc.visualize(net, ZEBRA, pc.ActivationMaximization(steps=48, jitter=8), like=photographs)
    assert made.activations[0] > 2 * made.natural
    assert net(torch.tensor(made.images, dtype=torch.float32)).argmax() == ZEBRA
