"""Class activation maps beside those of grad-cam, on networks where both are right: raw maps at the layer's size."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from peers import raw_map

MAPS = {
    "GradCAM": pc.GradCAM,
    "GradCAMPlusPlus": pc.GradCAMPlusPlus,
    "LayerCAM": pc.LayerCAM,
    "HiResCAM": lambda layer: pc.HiResCAM(layer, relu=True),
}


def plain(rank: int = 2) -> nn.Sequential:
    """Two convolutions with activations that are modules of their own, out of place; (b, 2, *space) -> (b, 3)."""
    torch.manual_seed(0)
    conv, pool, average = (
        (nn.Conv2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d),
        (nn.Conv3d, nn.MaxPool3d, nn.AdaptiveAvgPool3d),
    )[rank - 2]
    layers = [conv(2, 6, 3, padding=1), nn.ReLU(), pool(2), conv(6, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(
        *layers, average(2), nn.Flatten(), nn.Linear(8 * 2**rank, 5), nn.ReLU(), nn.Linear(5, 3)
    ).eval()


@pytest.fixture(autouse=True)
def _their_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("layer", ["1", "3", "4"])
@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("name", MAPS)
def test_maps_agree(name: str, rank: int, layer: str):
    net, x = plain(rank).double(), torch.randn(3, 2, *[8] * rank, generator=torch.Generator().manual_seed(1)).double()
    if name == "GradCAMPlusPlus":
        net[9].weight.data.mul_(1e6)  # they add 1e-6 to alpha's divisor, which is nothing beside gradients of this size
    theirs = np.stack([raw_map(name, net, net.get_submodule(layer), x, column) for column in range(3)])
    ours = np.stack([pc.explain(net, x, MAPS[name](layer), target=column).raw for column in range(3)])
    assert (theirs > 0).any(axis=(1, *range(2, theirs.ndim))).sum() > 1
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("layer", ["0", "1"])
def test_score_cam_agrees_where_nothing_is_upsampled(layer: str, capsys: Any):
    """At the input's own size the two ways of upsampling are the same; a constant taken from all scores changes no softmax."""
    net, x = plain(), torch.randn(3, 2, 8, 8)
    for column in range(3):
        theirs = raw_map("ScoreCAM", net, net.get_submodule(layer), x, column)
        ours = pc.explain(net, x, pc.ScoreCAM(layer), target=column).raw
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    capsys.readouterr()  # its progress bar
