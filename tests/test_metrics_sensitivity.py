"""MaxSensitivity against closed forms, a hand-made example and captum."""

import numpy as np
import pytest
import torch

import nets
import pellucid as pc
from oracles import oracle


def total(z):
    return z.reshape(len(z), -1).sum(axis=1)


def watch(explain, x, metric, **kwargs):
    """The curve, and all inputs that were explained after the first, unperturbed ones."""
    seen = []

    def again(model, z):
        seen.append(z)
        return pc.Attribution.from_arrays(explain(np.asarray(z, float)), data=z, target=None)

    made = pc.Attribution.from_arrays(explain(np.asarray(x, float)), data=x, target=None)
    return pc.evaluate(total, made, metric, again=again, **kwargs).curves[0], seen[1:]


def test_a_linear_model_has_no_sensitivity_and_a_quadratic_one_at_most_its_curvature():
    expected = oracle("MET-SENS")["expected"]
    x = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, -1.0]])
    flat = nets.linear([2.0, -1.0])
    made = pc.evaluate(flat, pc.explain(flat, x, pc.Saliency()), pc.MaxSensitivity()).curves[0]
    assert made.value == pytest.approx(expected["linear"], abs=1e-12)
    curved = nets.Formula(lambda z: (3 * z[:, 0] ** 2 + z[:, 1] ** 2) / 2)  # the gradient is (3 x, y)
    background = np.array([[0.0, 0.0], [2.0, 2.0]])  # a unit of 1 in both columns
    record = pc.explain(curved, x, pc.Saliency())
    made = pc.evaluate(curved, record, pc.MaxSensitivity(samples=400, radius=0.1), background=background).curves[0]
    worst = 0.1 * np.sqrt(expected["quad"] ** 2 + 1) / np.linalg.norm(record.values, axis=1)  # at a corner of the cube
    assert (made.value <= worst + 1e-9).all() and made.value == pytest.approx(worst, rel=0.05)
    assert (made.detail["average"] < made.value).all()


def test_by_hand():
    """Maps (3, 4) of length 5; a copy with the map (3, 4 + 2.5) is 2.5 away, half the length."""
    x, maps = np.array([[0.0, 1.0]]), iter([[[3.0, 4.0]], [[3.0, 4.0]], [[3.0, 6.5]], [[3.0, 3.0]]])
    made, _ = watch(lambda z: np.array(next(maps)), x, pc.MaxSensitivity(samples=2))
    assert made.value == pytest.approx(0.5) and made.detail["average"] == pytest.approx((0.5 + 0.2) / 2)
    assert not made.higher_is_better


def test_steps_are_uniform_in_a_cube_in_units_of_the_background():
    background = np.random.default_rng(1).normal(size=(50, 3)) * [1, 10, 0]
    x = np.zeros((40, 3))
    x[:, 0] = np.arange(40)
    metric = pc.MaxSensitivity(samples=200, radius=0.3)
    _, seen = watch(lambda z: z + np.arange(3), x, metric, background=background)
    step = (np.array(seen) - x)[..., :2] / background[:, :2].std(axis=0)
    assert np.abs(step).max() <= 0.3 and np.abs(step).max() > 0.299
    assert step.std(axis=(0, 1)) == pytest.approx(0.3 / np.sqrt(3), rel=0.02) and abs(step.mean()) < 0.01
    assert (np.array(seen)[..., 2] == 0).all()


@pytest.mark.parametrize("method", ["Saliency", "IntegratedGradients"])
def test_captum_says_the_same_of_the_same_steps(method):
    captum = pytest.importorskip("captum.metrics")
    attr = pytest.importorskip("captum.attr")
    net = nets.cnn().eval()
    x = np.random.default_rng(0).uniform(size=(5, 2, 8, 8)).astype("float32")
    explainer = attr.Saliency(net) if method == "Saliency" else attr.IntegratedGradients(net)
    more = {"abs": False} if method == "Saliency" else {"n_steps": 8}
    seen = []

    def theirs(z, target):
        if isinstance(z, tuple):  # as captum hands it over
            return (theirs(z[0], target),)
        return explainer.attribute(z.detach().requires_grad_(), target=target, **more)

    def again(model, z):
        seen.append(torch.tensor(z))
        return pc.Attribution.from_arrays(theirs(torch.tensor(z), 1), data=z, target=1)

    ours = pc.evaluate(net, again(net, x), pc.MaxSensitivity(samples=4, radius=0.05), again=again).curves[0]
    copies = seen[2:]  # after the record's own and the check that it repeats
    assert len(copies) == 4

    def steps(inputs, radius):  # captum asks for all copies of each row at once, row by row
        return (torch.stack(copies, dim=1).flatten(0, 1),)

    largest = captum.sensitivity_max(theirs, torch.tensor(x), perturb_func=steps, n_perturb_samples=4, target=1)
    np.testing.assert_allclose(ours.value, largest.detach().numpy(), rtol=1e-4)


def test_a_map_that_ignores_the_input_is_perfect_and_unrelated_maps_of_one_size_get_the_square_root_of_2():
    x, rng = np.random.default_rng(0).normal(size=(3, 4000)), np.random.default_rng(1)
    made, _ = watch(lambda z: np.tile(np.arange(4000.0), (3, 1)), x, pc.MaxSensitivity(samples=2))
    assert made.value == pytest.approx(0)
    made, _ = watch(lambda z: rng.normal(size=z.shape), x, pc.MaxSensitivity(samples=3))
    assert made.detail["average"] == pytest.approx(np.sqrt(2), rel=0.05)
    assert f"{np.sqrt(2):.2f}" in pc.MaxSensitivity.card.chance


def test_a_map_of_zeros_has_no_size_to_compare_with():
    x = np.random.default_rng(0).normal(size=(2, 3))
    made, _ = watch(np.zeros_like, x, pc.MaxSensitivity())
    assert np.isnan(made.value).all() and made.degenerate.all()


def test_rows_without_spread_are_named():
    made, _ = watch(lambda z: z + np.arange(4), np.full((2, 4), 3.0), pc.MaxSensitivity())
    assert made.value == pytest.approx(0) and "2 of 2 rows have no spread" in made.receipt.warnings[0]


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"samples": 1.5}, {"radius": 0}, {"radius": -1.0}])
def test_fields_out_of_range_are_refused(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.MaxSensitivity(**wrong)
