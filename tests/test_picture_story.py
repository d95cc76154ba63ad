"""The picture explainer of the founding example, and the wolf that is told by the snow: on generated pictures."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from nets import cnn
from pellucid.core.errors import InputError, TargetError

LABELS = np.arange(16).reshape(4, 4).repeat(4, 0).repeat(4, 1)


def scored(x: np.ndarray) -> np.ndarray:
    """Part 5 raises the first output, part 10 lowers it; the second output is part 3's."""
    first = x[:, 4:8, 4:8].sum((1, 2)) - 2 * x[:, 8:12, 8:12].sum((1, 2))
    return np.stack([first, x[:, 0:4, 12:16].sum((1, 2)), np.zeros(len(x))], axis=1)


def record() -> pc.Attribution:
    method, masker = pc.LIME(samples=400, penalty=0.01), pc.LabelMap(LABELS, fill="zeros")
    return pc.explain(scored, np.ones((1, 16, 16)), method, masker=masker, target=0)


def test_the_best_parts_as_a_mask():
    found = record()
    image, mask = found.best_parts(1)
    np.testing.assert_array_equal(mask, LABELS == 5)
    np.testing.assert_array_equal(image, found.data[0])
    image, mask = found.best_parts(2, positive_only=False, hide_rest=True)
    np.testing.assert_array_equal(mask, 1 * (LABELS == 5) - 1 * (LABELS == 10))
    np.testing.assert_array_equal(image, (LABELS == 5) | (LABELS == 10))
    assert set(np.unique(found.best_parts(16)[1])) == {0, 1}  # parts that do not raise the score are never taken


def test_the_mask_of_a_record_without_parts_is_refused():
    with pytest.raises(InputError, match="share the places out"):
        pc.explain(scored, np.ones((1, 16, 16)), pc.Occlusion(5, 3), target=0).best_parts()
    with pytest.raises(InputError, match="at least 1"):
        record().best_parts(0)
    with pytest.raises(InputError, match="out of range"):
        record().best_parts(1, row=3)


def test_channels_are_hidden_together():
    x = np.ones((1, 2, 16, 16), np.float32)
    record = pc.explain(cnn(), x, pc.Occlusion(), masker=pc.LabelMap(LABELS, fill="blur"), target=1)
    image, mask = record.best_parts(3, positive_only=False, hide_rest=True)
    assert image.shape == (2, 16, 16) and (image[:, mask == 0] == 0).all() and (image[:, mask != 0] == 1).all()


def test_several_targets_ask_the_model_once():
    asked = []

    def f(x: np.ndarray) -> np.ndarray:
        asked.append(len(x))
        return scored(x)

    x = np.ones((2, 16, 16))
    x[1] *= -1
    method, masker = pc.LIME(samples=100), pc.LabelMap(LABELS, fill="zeros")
    top = pc.explain_each(f, x, method, 2, masker=masker)
    once = sum(asked)
    assert once <= 2 * 101
    for rank, mine in enumerate(top):
        columns = np.argsort(-scored(x), axis=1, kind="stable")[:, rank]
        alone = pc.explain(scored, x, method, target=columns, masker=masker)
        np.testing.assert_array_equal(mine.values, alone.values)
        assert "shared by 2 targets" in mine.receipt.notes[0]
    named = pc.explain_each(scored, x, method, [1, 0], masker=masker)
    np.testing.assert_array_equal(named[0].values, pc.explain(scored, x, method, target=1, masker=masker).values)


@pytest.mark.parametrize("method", [pc.GradCAM(), pc.Saliency(), pc.RISE(samples=30, cells=3), pc.Occlusion()])
def test_several_targets_of_a_network(method):
    x = np.random.default_rng(0).normal(size=(2, 2, 8, 8)).astype(np.float32)
    for target, mine in zip((2, 0), pc.explain_each(cnn(), x, method, [2, 0]), strict=True):
        np.testing.assert_allclose(mine.values, pc.explain(cnn(), x, method, target=target).values, rtol=1e-6)


def test_no_target_or_too_many_are_refused():
    with pytest.raises(TargetError, match="at least one"):
        pc.explain_each(scored, np.ones((1, 16, 16)), pc.Occlusion(), [])
    with pytest.raises(TargetError, match="ask for 1 to"):
        pc.explain_each(scored, np.ones((1, 16, 16)), pc.Occlusion(), 9)


# --- the wolf and the snow -------------------------------------------------------------------------------------------


def animals(n: int, snowy: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 1, 24, 24): an animal in the middle, upright (wolf, 1) or flat (husky, 0), on white snow or dark grass."""
    rng = np.random.default_rng(seed)
    x = 0.15 * rng.random((n, 1, 24, 24)) + 0.7 * snowy[:, None, None, None]
    wolf = np.arange(n) % 2
    for i in range(n):
        down, across = rng.integers(7, 10, 2)
        tall, wide = (9, 4) if wolf[i] else (4, 9)
        x[i, 0, down : down + tall, across : across + wide] = 0.45 + 0.1 * rng.random((tall, wide))
    return x.astype(np.float32), wolf


@cache
def biased() -> nn.Module:
    """A network trained where every wolf stands in the snow and no husky does."""
    x, y = animals(96, np.arange(96) % 2, 0)
    torch.manual_seed(0)
    with torch.random.fork_rng():
        net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        )
        inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
        optimiser = torch.optim.Adam(net.parameters(), 0.05)
        for _ in range(40):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(inputs), labels).backward()
            optimiser.step()
    return net.eval()


def test_the_network_has_learned_the_snow_and_not_the_animal():
    x, wolf = animals(100, 1 - np.arange(100) % 2, 1)  # now huskies stand in the snow
    net = biased()
    with torch.no_grad():
        called = net(torch.from_numpy(x)).argmax(1).numpy()
    assert (called == wolf).mean() < 0.2


STORIES = {
    "LIME on superpixels": (pc.LIME(samples=300), pc.Superpixels(pc.SLIC(segments=30), fill=0.0)),
    "RISE": (pc.RISE(samples=1500, cells=6), None),
    "Occlusion": (pc.Occlusion(window=4, baseline=0.0), None),
    "meaningful perturbation": (
        pc.MeaningfulPerturbation(steps=60, cells=12, baseline=0.0, area=0.8, smooth=0.1),
        None,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_the_explanation_of_a_wolf_lies_on_the_snow(story: str):
    method, masker = STORIES[story]
    x, _ = animals(8, np.ones(8), 2)
    husky = x[::2][:3]  # huskies in the snow, called wolves
    record = pc.explain(biased(), husky, method, target=pc.Margin(1, 0), masker=masker)
    assert (record.scores > 0).all()
    for row in range(3):
        animal = (husky[row, 0] < 0.6) & (husky[row, 0] > 0.4)
        values = record.collapse()[row] if record.values.ndim == 4 else record.values[row]
        values = values - values.mean() if story == "RISE" else values
        on_snow, on_animal = values[~animal].mean(), values[animal].mean()
        assert on_snow > on_animal
        strongest = values >= np.quantile(values, 0.9)
        assert (strongest & ~animal).sum() > 0.8 * strongest.sum()
