"""Gradient methods and class activation maps on photographs, with MobileNetV2's real weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from mobilenet import mobilenet, picture, samples

pytestmark = pytest.mark.realdata

BOXER, TABBY = 242, 281


@pytest.fixture(scope="module")
def network(data_dir: Path) -> nn.Module:
    return mobilenet(data_dir)


@pytest.fixture(scope="module")
def both(data_dir: Path) -> np.ndarray:
    """A picture (3, 224, 224) of a dog that sits behind a lying cat: the dog's head is above, the cat below."""
    return picture(data_dir / "photos" / "gradcam_both.png")


def maps(network: nn.Module, both: np.ndarray, method: Any) -> np.ndarray:
    """The evidence for the dog and for the cat, (2, 224, 224)."""
    record = pc.explain(network, np.stack([both, both]), method, target=np.array([BOXER, TABBY]))
    return np.maximum(record.collapse("sum"), 0)


def height(evidence: np.ndarray) -> float:
    """(224, 224) -> how far below the upper edge it sits on average"""
    return float((evidence.sum(1) * np.arange(224)).sum() / evidence.sum())


CLASS_MAPS = {
    pc.GradCAM(): 80,
    pc.GradCAMPlusPlus(): 80,
    pc.LayerCAM(): 25,
    pc.LRP(): 80,
    pc.IntegratedGradients(steps=10): 10,
}


@pytest.mark.parametrize("method", CLASS_MAPS, ids=repr)
def test_the_dog_is_above_and_the_cat_below(network: nn.Module, both: np.ndarray, method: Any):
    dog, cat = maps(network, both, method)
    assert height(cat) - height(dog) > CLASS_MAPS[method]


def test_the_best_place_for_each_class(network: nn.Module, both: np.ndarray):
    """The heads of the two animals: the dog's at a fifth of the height, the cat's at four fifths on the right."""
    dog, cat = maps(network, both, pc.GradCAM())
    peaks = [np.unravel_index(one.argmax(), one.shape) for one in (dog, cat)]
    assert peaks[0][0] < 75 and 60 < peaks[0][1] < 150
    assert peaks[1][0] > 130 and peaks[1][1] > 110


def test_guided_backpropagation_hardly_knows_which_class_it_was_asked_about(network: nn.Module, both: np.ndarray):
    guided, grad_cam = (
        np.corrcoef(maps(network, both, m).reshape(2, -1))[0, 1] for m in (pc.GuidedBackprop(), pc.GradCAM())
    )
    assert guided > 0.8 and grad_cam < 0


def test_deep_shap_adds_up(network: nn.Module, data_dir: Path):
    x, y = samples(data_dir, 5)
    net = mobilenet(data_dir).double()
    record = pc.explain(net, x[:2].astype(float), pc.DeepShap(), target=y[:2], background=x[2:].astype(float))
    change = np.maximum(np.abs(record.scores - record.base_values), 1)
    assert (np.abs(record.gap) < 1e-5 * change).all() and record.stderr.max() > 0
    single = pc.explain(network, x[:2], pc.DeepShap(), target=y[:2], background=x[2:])
    assert (np.abs(single.gap) < 1e-3 * change).all()


@pytest.mark.slow
def test_grad_cam_finds_what_is_enough_better_than_random(network: nn.Module, data_dir: Path):
    """Twenty photographs, shown window by window on their blurred copies: the paired interval leaves zero out."""
    x, _ = samples(data_dir, 20)
    card = pc.evaluate(network, pc.explain(network, x, pc.GradCAM()), [pc.Insertion(steps=6, randoms=2, window=16)])
    (line,) = card.lines
    assert line.verdict == "better than random" and line.advantage_low > 1


def test_the_layer_is_named_and_the_map_is_at_the_picture_s_size(network: nn.Module, both: np.ndarray):
    record = pc.explain(network, torch.from_numpy(both)[None], pc.GradCAM())
    assert record.receipt.layer == "head" and record.raw.shape == (1, 7, 7) and record.values.shape == (1, 224, 224)
