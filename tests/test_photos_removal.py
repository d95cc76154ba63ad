"""Methods by removal on real photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch

import pellucid as pc
from mobilenet import mobilenet, samples

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

METHODS = {
    "LIME": (pc.LIME(samples=120), pc.Superpixels(pc.SLIC(segments=30))),
    "RISE": (pc.RISE(samples=200, cells=5), None),
    "Occlusion": (pc.Occlusion(window=32), None),
    "MeaningfulPerturbation": (pc.MeaningfulPerturbation(steps=25, cells=14), None),
}


@pytest.mark.parametrize("name", METHODS)
def test_what_matters_in_photographs_matters_more_than_chance(name: str, data_dir: Path):
    """Hiding what the map calls important lowers the probability sooner than hiding places at random."""
    x, _ = samples(data_dir, 2)
    method, masker = METHODS[name]
    net, threads = mobilenet(data_dir), torch.get_num_threads()
    target = pc.Predicted(scale="probability")
    record = pc.explain(net, x, method, target=target, masker=masker)
    card = pc.evaluate(net, record, [pc.Deletion(steps=14, randoms=2)])
    (curve,) = card.curves
    assert np.mean(curve.advantage) > 0 and torch.get_num_threads() == threads
