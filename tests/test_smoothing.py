"""SmoothGrad and expected gradients: analytic means, and error bars that mean what they say."""

import itertools

import numpy as np
import pytest
import torch

import pellucid as pc
from nets import Formula, cnn, linear, mlp
from oracles import oracle

SQUARE = Formula(lambda x: (x**2).sum(1))
CUBE = Formula(lambda x: (x**3).sum(1))


def test_a_linear_model_stays_as_it_is():
    record = pc.explain(linear([2, -3, 0.5]), np.array([[1.0, 2, 4]]), pc.SmoothGrad(samples=10))
    np.testing.assert_allclose(record.values[0], oracle("LIN-1")["expected"]["SmoothGrad_any_sigma"])
    np.testing.assert_allclose(record.stderr, 0, atol=1e-9)


def test_the_mean_gradient_of_a_cube_is_known():
    """E 3 (x + e)^2 = 3 x^2 + 3 sigma^2."""
    x = np.array([[1.0, -2.0]])
    record = pc.explain(CUBE, x, pc.SmoothGrad(samples=4000, noise=0.5, relative=False))
    np.testing.assert_array_less(np.abs(record.values - (3 * x**2 + 0.75)), 4 * record.stderr)
    assert (record.stderr < 0.15).all()


def test_a_complete_method_is_no_longer_complete_and_the_gap_says_by_how_much():
    truth = oracle("SG-IG")["expected"]
    method = pc.SmoothGrad(pc.IntegratedGradients(steps=2), samples=20000, noise=0.5, relative=False)
    record = pc.explain(SQUARE, np.array([[1.0]]), method)
    assert record.values.item() == pytest.approx(truth["smooth_ig"], abs=4 * record.stderr.item())
    assert record.scores.item() - record.base_values.item() == pytest.approx(truth["fx_minus_fbase"])
    assert record.gap.item() == pytest.approx(1 - truth["smooth_ig"], abs=4 * record.stderr.item())


def test_noise_follows_each_rows_own_range():
    """On x^3 the excess over 3 x^2 is 3 sigma^2: rows of range 2 and 4 with a share of 0.25 have sigma 0.5 and 1."""
    x = np.array([[-1.0, 1.0], [-2.0, 2.0]])
    record = pc.explain(CUBE, x, pc.SmoothGrad(samples=20000, noise=0.25))
    excess = (record.values - 3 * x**2).mean(1)
    np.testing.assert_allclose(excess, [0.75, 3.0], atol=4 * record.stderr.max())


def test_rows_without_a_range_are_told_to_be_without_noise():
    x = np.array([[1.0, 1.0], [1.0, 2.0]])
    record = pc.explain(Formula(lambda x: (x**2).sum(1)), x, pc.SmoothGrad(samples=5))
    np.testing.assert_array_equal(record.values[0], [2, 2])
    assert record.receipt.warnings[0].startswith("1 of 2 rows have no range, so they got no noise: relative=False")
    assert not pc.explain(
        Formula(lambda x: (x**2).sum(1)), x, pc.SmoothGrad(samples=5, relative=False)
    ).receipt.warnings


def test_it_wraps_class_activation_maps():
    net, x = cnn(), torch.randn(2, 2, 8, 8)
    record = pc.explain(net, x, pc.SmoothGrad(pc.GradCAM(), samples=4), target=1)
    assert record.values.shape == (2, 8, 8) and record.raw.shape == (2, 4, 4) and record.receipt.layer == "6"
    tiny = pc.explain(net, x, pc.SmoothGrad(pc.GradCAM(), samples=2, noise=1e-9), target=1)
    np.testing.assert_allclose(tiny.values, pc.explain(net, x, pc.GradCAM(), target=1).values, atol=1e-6)


def test_what_cannot_be_smoothed():
    with pytest.raises(pc.MethodError, match="give a gradient method"):
        pc.SmoothGrad(pc.Occlusion())  # type: ignore[arg-type]


def test_one_sample_has_no_error_bar():
    record = pc.explain(mlp(), np.ones((1, 4), dtype=np.float32), pc.SmoothGrad(samples=1))
    assert np.isnan(record.stderr).all() and record.receipt.stderr is None


@pytest.mark.slow
def test_the_error_bar_of_smooth_grad_covers_the_truth():
    """1,000 seeds, one value each; 30 samples, so the 95 % interval is Student's."""
    from scipy.stats import t

    x, wide = np.array([[1.0]]), t.ppf(0.975, 29)
    inside = 0
    for seed in range(1000):
        record = pc.explain(SQUARE, x, pc.SmoothGrad(samples=30, noise=0.5, relative=False, seed=seed))
        inside += abs(record.values.item() - 2.0) < wide * record.stderr.item()
    assert 930 <= inside <= 970


def shapley_of_additive(f, x: np.ndarray, background: np.ndarray) -> np.ndarray:
    """For f = sum f_j(x_j): phi_j = f_j(x_j) - mean f_j(background)."""
    return f(x) - f(background).mean(0)


def test_expected_gradients_are_shapley_values_of_an_additive_model():
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(2, 3)), rng.normal(size=(4, 3))
    record = pc.explain(CUBE, x, pc.ExpectedGradients(samples=40000), background=background)
    truth = shapley_of_additive(lambda v: v**3, x, background)
    np.testing.assert_array_less(np.abs(record.values - truth), 4 * record.stderr + 1e-12)
    assert record.stderr.max() < 0.1


def test_expected_gradients_of_a_linear_model_are_exact():
    truth = oracle("LIN-2")["expected"]
    rows = np.array([[0.0, 0, 0], [1, 1, 1], [2, -1, 3]])
    record = pc.explain(
        linear([2, -3, 0.5], 1), np.array([[1.0, 2, 4]]), pc.ExpectedGradients(samples=9), background=rows
    )
    np.testing.assert_allclose(record.values[0], truth["ExpectedGradients"], atol=1e-9)
    assert record.base_values[0] == pytest.approx(truth["base_value"])
    np.testing.assert_allclose(record.stderr, 0, atol=1e-6)


def test_fewer_samples_than_two_rounds_draw_rows_and_say_how_uncertain_that_is():
    rng = np.random.default_rng(0)
    background = rng.normal(size=(200, 3))
    record = pc.explain(linear([1, 1, 1]), np.ones((1, 3)), pc.ExpectedGradients(samples=100), background=background)
    truth = 1 - background.mean(0)
    assert (record.stderr > 0.05).all()
    np.testing.assert_array_less(np.abs(record.values[0] - truth), 4 * record.stderr[0])


def test_expected_gradients_need_a_background():
    with pytest.raises(pc.InputError, match="needs background rows"):
        pc.explain(mlp(), np.ones((1, 4), dtype=np.float32), pc.ExpectedGradients())


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 2000], ids=["in rounds", "rows drawn too"])
def test_the_error_bar_of_expected_gradients_covers_the_truth(rows: int):
    background = np.random.default_rng(0).normal(size=(rows, 1))
    x = np.array([[1.5]])
    truth = shapley_of_additive(lambda v: v**2, x, background).item()
    inside = 0
    for seed in range(1000):
        record = pc.explain(SQUARE, x, pc.ExpectedGradients(samples=60, seed=seed), background=background)
        inside += abs(record.values.item() - truth) < 2.0 * record.stderr.item()
    assert 930 <= inside <= 975


def test_the_average_is_the_same_however_it_is_cut():
    """The stream of noise does not depend on how many copies fit into one call."""
    x = np.random.default_rng(0).normal(size=(3, 4))
    net = mlp().double()
    runs = [pc.explain(net, x, pc.SmoothGrad(samples=7), batch_size=size).values for size in (1, 4, 1000)]
    for a, b in itertools.pairwise(runs):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_running_means_are_those_of_all_at_once():
    from pellucid.methods.gradient.averaging import Running, averaged

    values = np.random.default_rng(0).normal(1e6, 1e-3, (11, 2, 3))  # where sums of squares would cancel
    running = Running()
    for block in (values[:4], values[4:5], values[5:]):
        running.add(block)
    expected = values.std(axis=0, ddof=1) / np.sqrt(11)
    for mean, stderr in ((running.mean, running.stderr), averaged(values)):
        np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(stderr, expected, rtol=1e-6)
    assert averaged(values[:1])[1] is None
    running = Running()
    running.add(values[:1])
    assert np.isnan(running.stderr).all()


def test_copies_are_not_kept():
    """The memory of a mean does not grow with the number of copies."""
    import tracemalloc

    x, held = np.random.default_rng(0).uniform(size=(1, 1, 2**9, 2**9)).astype("float32"), []
    pc.explain(Formula(lambda z: (z**2).flatten(1).sum(1)), x, pc.SmoothGrad(samples=2))
    for samples in (8, 24):
        tracemalloc.start()
        pc.explain(Formula(lambda z: (z**2).flatten(1).sum(1)), x, pc.SmoothGrad(samples=samples))
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert held[1] <= 1.1 * held[0]  # sixteen more maps would be two thirds of it
