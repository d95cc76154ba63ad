"""Infidelity: zero for the truth, closed forms, captum on the same perturbations, what it refuses."""

import numpy as np
import pytest
import torch

import nets
import pellucid as pc
from pellucid.metrics import infidelity

RNG = np.random.default_rng(0)
W = np.array([1.0, -2, 0.5, 3])


def linear(z):
    return z @ W


def record(values, x, **kwargs):
    return pc.Attribution.from_arrays(values, data=x, target=None, **kwargs)


def curve(model, values, x, metric, **kwargs):
    return pc.evaluate(model, record(values, x), metric, **kwargs).curves[0]


def watching(model):
    seen = []

    def watched(z):
        seen.append(np.array(z))
        return model(z)

    return watched, seen


# -- closed forms ------------------------------------------------------------------------------------------------------


def test_the_truth_of_a_linear_model_has_none():
    x, background = RNG.normal(size=(6, 4)), RNG.normal(size=(9, 4))
    removed = curve(linear, W * (x - background.mean(axis=0)), x, pc.Infidelity(scaled=False), background=background)
    assert removed.value == pytest.approx(0, abs=1e-20) and removed.detail["scale"] == pytest.approx(1)
    slopes = pc.Infidelity(slopes=True, scaled=False)
    assert curve(linear, np.tile(W, (6, 1)), x, slopes, background=background).value == pytest.approx(0, abs=1e-20)
    noise = pc.Infidelity(perturbation="gaussian", slopes=True, scaled=False)
    assert curve(linear, np.tile(W, (6, 1)), x, noise, background=background).value == pytest.approx(0, abs=1e-20)


def test_noise_on_wrong_slopes_costs_the_squared_difference():
    """E[(I . (phi - w))^2] = sigma^2 |phi - w|^2, columns with a standard deviation of 1."""
    x = RNG.normal(size=(3, 4))
    background = np.array([[1.0] * 4, [-1.0] * 4])
    phi = W + np.array([0.5, 0, -1, 0.25])
    metric = pc.Infidelity(perturbation="gaussian", slopes=True, scaled=False, sigma=0.3, samples=40_000)
    made = curve(linear, np.tile(phi, (3, 1)), x, metric, background=background)
    expected = 0.09 * (0.25 + 1 + 0.0625)
    assert (np.abs(made.value - expected) < 4 * made.detail["stderr"]).all() and (made.detail["stderr"] < 0.02).all()


def test_removal_of_sets_by_plain_loops():
    x = RNG.normal(size=(3, 5))
    values = RNG.normal(size=x.shape)
    model, seen = watching(lambda z: np.tanh(z).sum(axis=1) + z[:, 0] * z[:, 1])
    made = curve(model, values, x, pc.Infidelity(samples=50, fill=0.25, scaled=False))
    for row in range(3):
        squares = []
        for one in seen[1 + row]:
            gone = one != x[row]
            assert (one[gone] == 0.25).all() and gone.any()
            moved = model(x[row : row + 1])[0] - model(one[None])[0]
            squares.append((values[row][gone].sum() - moved) ** 2)
        assert made.value[row] == pytest.approx(np.mean(squares))
        assert made.detail["stderr"][row] == pytest.approx(np.std(squares, ddof=1) / np.sqrt(50))


def test_the_best_scale_is_the_least_squares_one_and_drops_out():
    x = RNG.normal(size=(4, 6))
    model = lambda z: np.sin(z).sum(axis=1)  # noqa: E731
    values = np.sin(x) + 0.3 * RNG.normal(size=x.shape)
    one, ten = (curve(model, scale * values, x, pc.Infidelity()) for scale in (1, 10))
    np.testing.assert_allclose(one.value, ten.value)
    np.testing.assert_allclose(one.detail["scale"], 10 * ten.detail["scale"])
    for scale in (0.9, 1.1):
        shifted = values * (scale * one.detail["scale"])[:, None]
        assert (curve(model, shifted, x, pc.Infidelity(scaled=False)).value > one.value).all()
    at_best = curve(model, values * one.detail["scale"][:, None], x, pc.Infidelity(scaled=False))
    np.testing.assert_allclose(at_best.value, one.value)


def test_the_opposite_of_the_truth_says_nothing():
    x = RNG.normal(size=(5, 4))
    wrong = curve(linear, -W * x, x, pc.Infidelity())
    assert (wrong.detail["scale"] == 0).all() and wrong.detail["unexplained"] == pytest.approx(1)


def test_zeros_explain_nothing_and_a_score_that_never_moves_leaves_nothing_to_explain():
    x = RNG.normal(size=(4, 4))
    zero = curve(linear, np.zeros_like(x), x, pc.Infidelity())
    assert zero.detail["unexplained"] == pytest.approx(1) and (zero.value > 0).all()
    still = curve(lambda z: np.zeros(len(z)), x, x, pc.Infidelity())
    assert still.value == pytest.approx(0) and np.isnan(still.detail["unexplained"]).all()


def test_shuffled_values_are_the_chance_level():
    x = RNG.normal(size=(8, 12))
    w = RNG.normal(size=12)
    card = pc.evaluate(lambda z: z @ w, record(w * x, x), pc.Infidelity())
    assert card.lines[0].verdict == "better than random"
    assert (card.curves[0].detail["unexplained_by_chance"] > 0.1).all()
    assert card.receipt.rows_forward == 8 * 101  # shuffles cost nothing
    said = [
        pc.evaluate(lambda z: z @ w, record(RNG.normal(size=x.shape), x), pc.Infidelity(samples=40, seed=seed)).lines[0]
        for seed in range(40)
    ]
    assert sum(line.verdict == "no better than random" for line in said) >= 34


# -- the peer ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("perturbation", ["gaussian", "removal"])
def test_captum_says_the_same_of_the_same_perturbations(perturbation, scaled):
    captum = pytest.importorskip("captum.metrics")
    net = nets.cnn().double().eval()
    x = RNG.uniform(size=(2, 2, 8, 8))
    made = pc.explain(net, x, pc.Saliency(), target=1)
    seen = []
    handle = net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    metric = pc.Infidelity(perturbation=perturbation, samples=30, scaled=scaled, fill="zeros")
    ours = pc.evaluate(net, made, metric).curves[0]
    handle.remove()
    rows = torch.cat(seen)[2:].reshape(2, 30, *x.shape[1:])  # the first two bind the target

    def perturb(inputs):
        other = rows.reshape(-1, *x.shape[1:])
        return inputs - other, other

    theirs = captum.infidelity(
        net, perturb, torch.tensor(x), torch.tensor(made.values), target=1, n_perturb_samples=30, normalize=scaled
    )
    np.testing.assert_allclose(ours.value, theirs.numpy(), rtol=1e-6, atol=1e-12)


# -- what is removed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [(12,), (12, 9), (6, 5, 7)])
def test_squares_lie_inside_with_sides_drawn_up_to_a_third(space):
    masks = infidelity._squares(np.random.default_rng(0), 300, space, None).reshape(300, *space)
    sides = set()
    for mask in masks:
        at = np.argwhere(mask)
        spans = np.ptp(at, axis=0) + 1
        assert mask.sum() == np.prod(spans) and len(set(spans.tolist())) == 1
        sides.add(int(spans[0]))
    assert sides == set(range(1, min(space) // 3 + 1))
    for axis in range(len(space)):  # every slice of every axis is reached, the first and the last
        assert np.moveaxis(masks, axis + 1, 0).reshape(space[axis], -1).any(axis=1).all()
    fixed = infidelity._squares(np.random.default_rng(0), 5, space, 2)
    assert (fixed.sum(axis=1) == 2 ** len(space)).all()


def test_sets_have_every_size_alike():
    masks = infidelity._subsets(np.random.default_rng(0), 6000, 4, 6)
    assert not masks[:, 4:].any()
    assert np.bincount(masks.sum(axis=1), minlength=5)[1:] == pytest.approx(1500, rel=0.1)
    assert masks[:, :4].mean(axis=0) == pytest.approx(0.625, abs=0.03)


def test_players_are_removed_whole():
    labels = np.array([[0, 0, 1], [2, 2, 1], [2, 3, -1]])
    weights = 1 + np.arange(9.0).reshape(3, 3)
    model = lambda z: (z * weights).sum(axis=(1, 2))  # noqa: E731
    made = pc.explain(model, RNG.uniform(1, 2, (2, 3, 3)), pc.ExactShapley(), masker=pc.LabelMap(labels, fill=0.0))
    found = pc.evaluate(model, made, pc.Infidelity(fill="zeros", scaled=False)).curves[0]
    assert found.value == pytest.approx(0, abs=1e-20)


def test_words_are_removed_whole():
    texts = ["good but bad fun", "fun", ""]
    weight = {"good": 2.0, "bad": -1.0, "fun": 3.0}
    model = lambda given: np.array([sum(weight.get(word, 0) for word in text.split()) for text in given])  # noqa: E731
    made = pc.explain(model, texts, pc.KernelShap())
    found = pc.evaluate(model, made, pc.Infidelity(scaled=False)).curves[0]
    assert found.value[:2] == pytest.approx(0, abs=1e-12) and np.isnan(found.value[2])


def test_several_fills_are_pooled_and_references_of_one_averaged():
    x, background = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4))
    values = W * (x - background.mean(axis=0))
    averaged = curve(linear, values, x, pc.Infidelity(fill="background", scaled=False), background=background)
    assert averaged.value == pytest.approx(0, abs=1e-20)
    each = [curve(linear, values, x, pc.Infidelity(fill=fill, scaled=False)).value for fill in ("zeros", 0.5)]
    both = curve(linear, values, x, pc.Infidelity(fill=("zeros", 0.5), scaled=False)).value
    np.testing.assert_allclose(both, np.mean(each, axis=0))


# -- slopes and contributions ------------------------------------------------------------------------------------------


def test_a_records_method_says_what_its_values_are():
    from pellucid.metrics.slopes import are_slopes

    net, x = nets.mlp(), RNG.normal(size=(3, 4)).astype("float32")
    asked = {pc.Saliency(): True, pc.SmoothGrad(method=pc.Saliency(), samples=2): True, pc.InputXGradient(): False}
    for method, slopes in asked.items():
        assert are_slopes(pc.explain(net, x, method)) is slopes
    assert are_slopes(pc.explain(net, x, pc.LIME(samples=50), background=x))
    assert not are_slopes(pc.explain(net, x, pc.LIME(samples=16), masker=pc.Baseline(0.0)))
    assert not are_slopes(record(x, x))


def test_noise_is_for_slopes_and_slopes_are_for_cells():
    net, x = nets.cnn(), RNG.uniform(size=(2, 2, 8, 8)).astype("float32")
    cam = pc.explain(net, x, pc.GradCAM())
    with pytest.raises(pc.MethodError, match=r"applies to slopes.*GradCAM"):
        pc.evaluate(net, cam, pc.Infidelity(perturbation="gaussian"))
    with pytest.raises(pc.MethodError, match="for every cell"):
        pc.evaluate(net, cam, pc.Infidelity(slopes=True))
    assert np.isfinite(pc.evaluate(net, cam, pc.Infidelity(samples=8)).curves[0].value).all()


@pytest.mark.parametrize(
    "wrong", [{"perturbation": "blur"}, {"samples": 0}, {"sigma": 0}, {"window": 0}, {"randoms": 0}]
)
def test_fields_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.Infidelity(**wrong)


def test_memory_blocks_change_nothing(monkeypatch):
    x = RNG.normal(size=(2, 6, 6))
    model = lambda z: np.tanh(z).sum(axis=(1, 2))  # noqa: E731
    metrics = [pc.Infidelity(), pc.Infidelity(perturbation="gaussian", slopes=True)]
    whole = [curve(model, x, x, metric) for metric in metrics]
    monkeypatch.setattr(infidelity, "_CELLS", 100)
    for one, metric in zip(whole, metrics, strict=True):
        np.testing.assert_allclose(curve(model, x, x, metric).value, one.value, rtol=1e-10)
