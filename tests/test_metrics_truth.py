"""What metrics say of true explanations beyond `test_metrics_checked.py`: random orders, explaining anew, a trained network."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc

DRAWS, ROWS, P = 40, 8, 9


def linear_model(rng):
    w = rng.normal(size=P)
    return lambda z: z @ w, lambda x, b: w * (x - b)


def additive_model(rng):
    a, b = rng.normal(size=(2, P))

    def parts(z):
        return np.sin(a * z) + b * z**2

    return lambda z: parts(z).sum(axis=1), lambda x, base: parts(x) - parts(base)


MODELS = {"linear": linear_model, "additive": additive_model}


def scored(model, values, x, base, metric, **kwargs):
    record = pc.Attribution.from_arrays(values, data=x, target=None, base_values=model(base)[0])
    return pc.evaluate(model, record, metric, background=base, **kwargs)


def quality(card, metric):
    """The mean of a metric, larger = better."""
    mean = card.lines[0].mean
    return {"higher": mean, "lower": -mean, "closer to 0": -abs(mean)}[metric.card.direction]


@pytest.mark.parametrize("kind", list(MODELS))
@pytest.mark.parametrize("metric", [pc.Deletion(), pc.Insertion()])
def test_the_true_order_is_better_than_random_and_its_reverse_worse(metric, kind):
    said = {1: [], -1: []}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        model, explain = MODELS[kind](rng)
        x, base = rng.normal(size=(ROWS, P)), rng.normal(size=(1, P))
        for sign, words in said.items():
            words.append(scored(model, sign * explain(x, base), x, base, metric).lines[0].verdict)
    assert said[1].count("better than random") >= 0.95 * DRAWS
    assert said[-1].count("worse than random") >= 0.95 * DRAWS


def test_no_order_beats_the_true_one_on_additive_models():
    """Hiding by falling contribution is the steepest way down, so its area is the least of all orders."""
    rng = np.random.default_rng(0)
    model, explain = additive_model(rng)
    x, base = rng.normal(size=(ROWS, P)), rng.normal(size=(1, P))
    best = scored(model, explain(x, base), x, base, pc.Deletion(randoms=200))["Deletion"]
    assert (best.value[:, None] <= best.detail["chance_areas"] + 1e-9).all()


def test_stability_prefers_the_gradient_to_a_map_with_noise_of_its_own():
    won = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        w = rng.normal(size=P)
        x = rng.normal(size=(ROWS, P))

        def steady(model, z, w=w):
            return pc.Attribution.from_arrays(w * np.cos(w * z), data=z, target=None)

        def shaky(model, z, w=w, rng=rng):
            values = w * np.cos(w * z)
            return pc.Attribution.from_arrays(
                values + 0.3 * values.std() * rng.normal(size=z.shape), data=z, target=None
            )

        means = []
        for again in (steady, shaky):
            made = again(None, x)
            means.append(
                pc.evaluate(lambda z, w=w: np.sin(w * z).sum(1), made, pc.Stability(), again=again).lines[0].mean
            )
        won += means[0] > means[1]
    assert won >= 0.95 * DRAWS


def test_model_randomization_prefers_the_gradient_to_a_map_that_looks_past_the_model():
    won = 0
    for draw in range(20):
        torch.manual_seed(draw)
        net = nn.Sequential(nn.Linear(40, 20), nn.Tanh(), nn.Linear(20, 3))
        x = np.random.default_rng(draw).normal(size=(ROWS, 40)).astype("float32")

        def gradient(model, z):
            return pc.explain(model, z, pc.Saliency(), target=1)

        def mixed(model, z):
            values = gradient(model, z).values
            return pc.Attribution.from_arrays(values / values.std() + 2 * np.asarray(z), data=z, target=1)

        metric = pc.ModelRandomization(stages=1, draws=2)
        cards = [pc.evaluate(net, again(net, x), metric, again=again) for again in (gradient, mixed)]
        won += quality(cards[0], metric) > quality(cards[1], metric)
    assert won >= 19


# -- a planted patch ---------------------------------------------------------------------------------------------------


@cache
def planted():
    """A CNN trained to find a chequered patch at a random place of a digit; 30 pictures that have one, and where."""
    from sklearn.datasets import load_digits

    X = (load_digits().images.reshape(-1, 1, 8, 8) / 16).repeat(2, 2).repeat(2, 3)
    rng = np.random.default_rng(0)
    n = len(X)
    has, corner = rng.uniform(size=n) < 0.5, rng.integers(0, 13, (n, 2))
    mask = np.zeros(X.shape, bool)
    for i, (row, column) in enumerate(corner):
        mask[i, 0, row : row + 4, column : column + 4] = True
    chequered = np.indices((16, 16)).sum(0) % 2
    X = np.where(mask & has[:, None, None, None], chequered, X).astype("float32")
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 2)),
    )
    optimiser, inputs, labels = torch.optim.Adam(net.parameters(), 5e-3), torch.tensor(X), torch.tensor(has.astype(int))
    for _ in range(6):
        for batch in torch.randperm(1500).split(100):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(inputs[batch]), labels[batch]).backward()
            optimiser.step()
    assert (net(inputs[1500:]).argmax(1) == labels[1500:]).float().mean() > 0.95
    rows = np.flatnonzero(has)[-30:]
    return net, X[rows], mask[rows].astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("fill", [None, "zeros", "blur"])
@pytest.mark.parametrize("metric", [pc.Deletion, pc.Insertion])
def test_a_planted_patch_beats_shifted_ones_on_a_trained_network(metric, fill, window):
    net, x, truth = planted()
    judge = metric(fill=fill, window=window, randoms=2, steps=16)
    good = pc.evaluate(net, pc.Attribution.from_arrays(truth, data=x, target=1), judge)
    assert good.lines[0].verdict == "better than random"
    won = []
    for draw in range(4):
        rng = np.random.default_rng(draw)
        moved = np.stack([np.roll(m, rng.integers(4, 12, 2), (1, 2)) for m in truth])
        bad = pc.evaluate(net, pc.Attribution.from_arrays(moved, data=x, target=1), judge)
        won += list(good.curves[0].advantage > bad.curves[0].advantage)
    assert np.mean(won) >= 0.95


@pytest.mark.slow
def test_single_pixels_of_a_hard_fill_look_like_evidence_and_windows_do_not():
    """The figures on the card of Deletion: most of the truth's lead is lost to the fill, and windows win it back."""
    net, x, truth = planted()
    made = pc.Attribution.from_arrays(truth, data=x, target=pc.Class(1, scale="probability"))
    single, windows = (
        pc.evaluate(net, made, pc.Deletion(fill="zeros", window=window)).lines[0].advantage for window in (None, 2)
    )
    assert single == pytest.approx(0.3, abs=0.1) and windows == pytest.approx(0.6, abs=0.1)
    assert "0.3" in pc.Deletion.card.weaknesses and "0.6" in pc.Deletion.card.weaknesses
