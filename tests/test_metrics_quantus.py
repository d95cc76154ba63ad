"""Metrics beside Quantus, where it computes what its papers say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import nets
import pellucid as pc
from peers import quantus

QUIET = {"disable_warnings": True, "abs": False, "normalise": False}

pytestmark = pytest.mark.filterwarnings("ignore")  # its own


@pytest.fixture(scope="module")
def judged():
    """A network without shared channels, pictures, and maps of distinct values that are the same in every channel."""
    net = nets.cnn().double().eval()
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 1, size=(3, 2, 8, 8))
    maps = rng.normal(size=(3, 1, 8, 8))
    with torch.no_grad():
        y = net(torch.tensor(x)).argmax(1).numpy()
    return net, x, maps, y, pc.Attribution.from_arrays(maps[:, 0], data=x, target=y)


def asked(metric, judged, **more):
    net, x, maps, y, _ = judged
    return np.array(metric(model=net, x_batch=x, y_batch=y, a_batch=maps, device="cpu", softmax=False, **more))


def test_a_single_channel_is_flipped_pixel_by_pixel(judged):
    """Its curve starts after the first step, and it orders single cells: one channel makes them places."""
    _, _, maps, _, _ = judged
    x = np.random.default_rng(1).uniform(0.1, 1, size=(3, 1, 8, 8)).astype("float32")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(108, 4)).eval()
    theirs = asked(
        quantus().PixelFlipping(features_in_step=4, perturb_baseline=0.0, **QUIET),
        (net, x, maps, np.array([0, 1, 2]), None),
    )
    made = pc.Attribution.from_arrays(maps[:, 0], data=x, target=[0, 1, 2])
    ours = pc.evaluate(net, made, pc.Deletion(steps=16, fill=0.0, randoms=1)).curves[0]
    np.testing.assert_allclose(ours.curves[:, 1:], theirs, rtol=1e-4, atol=1e-6)


def test_sparseness_is_ginis_index_and_complexity_the_entropy(judged):
    """Theirs takes magnitudes first (`abs=True`); maps without channels are the same to both."""
    net, *_, record = judged
    ours = pc.evaluate(net, record, pc.Sparsity()).curves[0]
    given = {**QUIET, "abs": True}
    np.testing.assert_allclose(ours.value, asked(quantus().Sparseness(**given), judged), rtol=1e-5)
    np.testing.assert_allclose(ours.detail["entropy"], asked(quantus().Complexity(**given), judged), rtol=1e-5)
