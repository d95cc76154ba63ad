"""Saliency, input times gradient and integrated gradients against closed forms."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

import pellucid as pc
from nets import Formula, cnn, linear, mlp
from oracles import oracle
from pellucid.core.spelling import parse

X, B = np.array([[1.0, 2, 4]]), np.array([[0.5, 0, -2]])


def relu(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x)


def test_linear_model():
    net, truth = linear([2, -3, 0.5], 1), oracle("LIN-1")["expected"]
    np.testing.assert_allclose(pc.explain(net, X, pc.Saliency()).values[0], truth["gradient"])
    np.testing.assert_allclose(pc.explain(net, X, pc.InputXGradient()).values[0], truth["grad_x_input"])
    for steps in (1, 2, 50):
        record = pc.explain(net, X, pc.IntegratedGradients(steps=steps), background=B)
        np.testing.assert_allclose(record.values[0], truth["IG_any_rule_any_m"])
        np.testing.assert_allclose([record.scores[0], record.base_values[0]], [truth["f_x"], truth["f_base"]])
        np.testing.assert_allclose(record.gap, 0, atol=1e-12)


def test_absolute_saliency_loses_the_sign():
    np.testing.assert_allclose(pc.explain(linear([2, -3, 0.5]), X, pc.Saliency(absolute=True)).values[0], [2, 3, 0.5])


def test_every_way_to_name_a_baseline():
    net = linear([2, -3, 0.5], 1)
    by_name = {
        "zeros": [2, -6, 2],
        0.5: [1, -4.5, 1.75],
        (0.5, 0.0, -2.0): [1, -6, 3],
        "mean": [0, -6, 1.3333333333],
        "background": [0, -6, 1.3333333333],
    }
    rows = np.array([[0.0, 0, 0], [1, 1, 1], [2, -1, 3]])
    for baseline, expected in by_name.items():
        record = pc.explain(net, X, pc.IntegratedGradients(baseline=baseline), background=rows)
        np.testing.assert_allclose(record.values[0], expected, atol=1e-9)
    with pytest.raises(pc.InputError, match="needs background rows"):
        pc.explain(net, X, pc.IntegratedGradients(baseline="background"))


SPAN = np.array([[1.0, 2, 4], [-3, 0, 1], [8, 8, 10]])  # rows with ranges of 3, 4 and 2


@pytest.mark.parametrize("method", [pc.IntegratedGradients, pc.DeepLift])
def test_noise_is_one_stream_in_each_rows_own_range(method):
    """On a linear model the base values are w . (low + range * u) with the same u for every row."""
    net = linear([2, -3, 0.5], 1)
    record = pc.explain(net, SPAN, method(baseline="noise"))
    unit = pc.explain(net, np.zeros((1, 3)), method(baseline=pc.Noise(low=0.0, high=1.0)))
    shift = unit.base_values[0] - 1  # w . mean(u)
    low, width = SPAN.min(1), np.ptp(SPAN, axis=1)
    np.testing.assert_allclose(record.base_values, 1 - 0.5 * low + width * shift)  # the weights add up to -0.5
    np.testing.assert_allclose(record.gap, 0, atol=1e-12)
    weights = np.array([2, -3, 0.5])
    u = (unit.data - unit.values / weights)[0] * 1.0  # value = w (0 - mean(u))
    np.testing.assert_allclose(record.values, weights * (SPAN - low[:, None] - width[:, None] * u), atol=1e-12)
    assert (u > 0).all() and (u < 1).all()


def test_noise_of_another_seed_is_other_noise():
    net = linear([2, -3, 0.5], 1)
    first, same, other = (
        pc.explain(net, X, pc.IntegratedGradients(baseline=pc.Noise(seed=s))).values for s in (0, 0, 1)
    )
    assert (first == same).all() and (first != other).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", [pc.IntegratedGradients, pc.DeepLift])
def test_the_error_bar_of_noise_covers_the_truth(method):
    """value_i = w_i (x_i - E u) with u uniform in [0, 1]."""
    net, truth = linear([2, -3, 0.5], 1), np.array([2, -3, 0.5]) * (X[0] - 0.5)
    covered = []
    for seed in range(400):
        noise = pc.Noise(draws=40, low=0.0, high=1.0, seed=seed)
        record = pc.explain(net, X, method(baseline=noise))
        covered.append(np.abs(record.values[0] - truth) < 1.96 * record.stderr[0])
    assert 0.92 < np.mean(covered) < 0.97  # 40 draws: Student's t would be a little wider than 1.96


def test_several_baselines_are_averaged_with_their_error_bar():
    net = Formula(lambda x: x[:, 0] ** 2 + x[:, 1])
    x = np.array([[3.0, 1.0]])
    alone = [pc.explain(net, x, pc.IntegratedGradients(baseline=b)).values for b in (0.0, 1.0, (0.5, 2.0))]
    method = pc.IntegratedGradients(baseline=pc.Together(("zeros", 1.0, (0.5, 2.0))))
    record = pc.explain(net, x, method)
    np.testing.assert_allclose(record.values, np.mean(alone, axis=0))
    np.testing.assert_allclose(record.stderr, np.std(alone, axis=0, ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(record.base_values, np.mean([0, 2, 2.25]))
    assert parse(repr(method)) == method
    assert pc.explain(net, x, pc.IntegratedGradients(baseline=pc.Together(("zeros",)))).stderr is None


def test_several_baselines_of_pictures():
    net, x = cnn().double(), np.random.default_rng(0).normal(size=(2, 2, 8, 8))
    of = ("zeros", "blur", "mean", pc.Noise(draws=2))
    record = pc.explain(net, x, pc.IntegratedGradients(200, pc.Together(of)), target=1)
    alone = [pc.explain(net, x, pc.IntegratedGradients(200, b), target=1) for b in of]
    np.testing.assert_allclose(record.values, sum(a.values * k for a, k in zip(alone, (1, 1, 1, 2), strict=True)) / 5)
    np.testing.assert_allclose(record.gap, 0, atol=5e-3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: pc.IntegratedGradients(baseline="dark"), "choose one of zeros, mean, blur, background, noise"),
        (lambda: pc.IntegratedGradients(baseline=("zeros", "blur")), r"several baselines are Together"),
        (lambda: pc.IntegratedGradients(baseline=["zeros", "blur"]), r"several baselines are Together"),
        (lambda: pc.Together(("zeros", "dark")), "unknown"),
        (lambda: pc.Together("zeros"), "as a tuple"),
        (lambda: pc.Together(()), "as a tuple"),
        (lambda: pc.Noise(draws=0), "at least 1"),
        (lambda: pc.Noise(low=1.0, high=1.0), "smaller than high"),
    ],
)
def test_baselines_are_checked(make, says: str):
    with pytest.raises(pc.MethodError, match=says):
        make()


def test_noise_means_nothing_for_levels():
    frame = pd.DataFrame({"a": [1.0, 2.0], "s": ["u", "v"]})
    with pytest.raises(pc.InputError, match="means nothing for column 's'"):
        pc.explain(lambda f: f["a"].to_numpy(), frame, pc.Occlusion(baseline=pc.Noise()))


def test_saturation():
    net, truth = Formula(lambda x: 1 - relu(1 - x[:, 0])), oracle("SAT-1")["expected"]
    x = np.array([[2.0]])
    assert pc.explain(net, x, pc.Saliency()).values.item() == truth["gradient"]
    assert pc.explain(net, x, pc.IntegratedGradients()).values.item() == pytest.approx(truth["IG_exact"], abs=1e-12)


@pytest.mark.parametrize("steps", [2, 10, 50])
def test_a_square_is_integrated_exactly(steps: int):
    net = Formula(lambda x: x[:, 0] ** 2)
    record = pc.explain(net, np.array([[1.0]]), pc.IntegratedGradients(steps=steps))
    assert record.values.item() == pytest.approx(oracle("IG-QUAD")["expected"]["exact"], abs=1e-12)


def test_gauss_legendre_is_exact_up_to_its_degree_and_not_beyond():
    x = np.array([[1.0]])
    exact = pc.explain(Formula(lambda x: x[:, 0] ** 6), x, pc.IntegratedGradients(steps=3))
    beyond = pc.explain(Formula(lambda x: x[:, 0] ** 7), x, pc.IntegratedGradients(steps=3))
    assert abs(exact.gap.item()) < 1e-12 < 1e-4 < abs(beyond.gap.item())


def test_product():
    net, truth = Formula(lambda x: x[:, 0] * x[:, 1]), oracle("PROD")["expected"]
    x = np.array([[3.0, 2.0]])
    np.testing.assert_allclose(pc.explain(net, x, pc.Saliency()).values[0], truth["a_grad"])
    np.testing.assert_allclose(pc.explain(net, x, pc.InputXGradient()).values[0], truth["a_gxi"])
    np.testing.assert_allclose(pc.explain(net, x, pc.IntegratedGradients()).values[0], truth["a_IG"])
    ones = pc.explain(net, x, pc.IntegratedGradients(baseline=1.0))
    np.testing.assert_allclose(ones.values[0], truth["b_IG"])


def test_equal_functions_get_equal_answers():
    f = Formula(lambda x: relu(relu(x[:, 0]) - 1 - relu(x[:, 1])))
    g = Formula(lambda x: relu(relu(x[:, 0] - 1) - relu(x[:, 1])))
    for net in (f, g):
        record = pc.explain(net, np.array([[3.0, 1.0]]), pc.IntegratedGradients(steps=1000))
        np.testing.assert_allclose(record.values[0], oracle("IMPL-INV")["expected"]["IG_f_exact"], atol=2e-3)


def test_all_rows_of_a_batch_get_their_values():
    net = mlp().double()
    x = np.random.default_rng(0).normal(size=(5, 4))
    together = pc.explain(net, x, pc.IntegratedGradients())
    assert (np.abs(together.values).sum(1) > 0).all()
    for i in range(5):
        alone = pc.explain(net, x[i : i + 1], pc.IntegratedGradients())
        np.testing.assert_allclose(alone.values[0], together.values[i], atol=1e-12)


def test_a_probability_target_is_the_gradient_of_the_probability():
    net = mlp().double()
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    net(x).softmax(1)[:, 1].sum().backward()
    record = pc.explain(net, x.detach(), pc.Saliency(), target=pc.Class(1, scale="probability"))
    np.testing.assert_allclose(record.values, x.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(record.scores, net(x).softmax(1)[:, 1].detach().numpy())


def test_a_margin_explains_the_difference():
    net = mlp().double()
    x = np.random.default_rng(0).normal(size=(3, 4))
    a, b = (pc.explain(net, x, pc.IntegratedGradients(), target=k).values for k in (0, 2))
    np.testing.assert_allclose(pc.explain(net, x, pc.IntegratedGradients(), target=pc.Margin(0, 2)).values, a - b)


def test_memory_does_not_grow_with_steps():
    """However many steps, a model call never sees more rows than its batch."""
    seen: list[int] = []

    def formula(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return F.softplus(x).sum(1)

    record = pc.explain(Formula(formula), np.ones((4, 3)), pc.IntegratedGradients(steps=300), batch_size=16)
    assert max(seen) == 16
    assert record.receipt.rows_backward == 300 * 4


def test_equals_captum():
    captum = pytest.importorskip("captum.attr")
    net = mlp().double()
    x = torch.randn(3, 4, dtype=torch.float64)
    theirs = captum.IntegratedGradients(net).attribute(x, target=1, n_steps=50, method="gausslegendre")
    ours = pc.explain(net, x, pc.IntegratedGradients(steps=50), target=1)
    np.testing.assert_allclose(ours.values, theirs.numpy(), atol=1e-12)
