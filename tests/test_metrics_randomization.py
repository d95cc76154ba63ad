"""ModelRandomization: maps of the same target under weights drawn anew, from the output inwards."""

import numpy as np
import pytest
import torch
from torch import nn

import nets
import pellucid as pc
from oracles import oracle
from pellucid.metrics.model_randomization import _structural
from pellucid.metrics.similarity import rank_correlation
from pellucid.models.torch import parametrized, randomized


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(size=(5, 2, 8, 8)).astype("float32")


def edges(model, z):
    """An "explanation" that never looks at the model."""
    return pc.Attribution.from_arrays(np.abs(np.gradient(np.asarray(z, float), axis=-1)), data=z, target=0)


def test_layers_are_drawn_anew_from_the_output_inwards_and_stay_so(x):
    net = nets.cnn()
    seen = []

    def again(model, z):
        seen.append({name: parameter.detach().clone() for name, parameter in model.named_parameters()})
        return edges(model, z)

    pc.evaluate(net, edges(net, x), pc.ModelRandomization(stages=9, draws=2, independent=False), again=again)
    own, *cascades = seen
    assert all(torch.equal(own[name], parameter) for name, parameter in net.named_parameters())
    layers = [name for name, _ in parametrized(net)][::-1]
    assert layers == ["9", "4", "1", "0"] and len(cascades) == 4 + 1
    for depth, weights in enumerate(cascades[:4], 1):
        changed = {name.partition(".")[0] for name in weights if not torch.equal(weights[name], own[name])}
        assert changed == set(layers[:depth])
        for later in cascades[depth:4]:
            assert all(torch.equal(weights[n], later[n]) for n in weights if n.partition(".")[0] in layers[:depth])
    assert all(not torch.equal(cascades[3][name], cascades[4][name]) for name in own)  # another draw of everything


def test_each_layer_is_also_drawn_anew_by_itself(x):
    net, seen = nets.cnn(), []

    def again(model, z):
        seen.append({name: parameter.detach().clone() for name, parameter in model.named_parameters()})
        return edges(model, z)

    pc.evaluate(net, edges(net, x), pc.ModelRandomization(stages=9, draws=1), again=again)
    own, *others = seen
    layers = [name for name, _ in parametrized(net)][::-1]
    for layer, weights in zip(layers, others[4:], strict=True):
        assert {n.partition(".")[0] for n in weights if not torch.equal(weights[n], own[n])} == {layer}


def test_details_by_layer_and_of_magnitudes_are_what_they_are_called(x):
    net = nets.cnn()
    made = pc.explain(net, x, pc.IntegratedGradients(steps=4, baseline="zeros"), target=1)
    curve = pc.evaluate(net, made, pc.ModelRandomization(stages=2, draws=1, seed=7)).curves[0]
    seed = int(np.random.SeedSequence((7, 0)).generate_state(1)[0])
    own = made.values.reshape(5, -1)
    for column, depth in enumerate((2, 4)):
        cascade, alone = (
            pc.explain(randomized(net, depth, seed, how), x, made.method, target=1).values for how in (False, True)
        )
        assert not np.allclose(cascade, alone)
        found = {
            name: curve.detail[name][:, column] for name in ("by_layer", "by_depth_of_magnitudes", "ssim_by_depth")
        }
        np.testing.assert_allclose(found["by_layer"], rank_correlation(own, alone.reshape(5, -1)), atol=1e-6)
        magnitudes = rank_correlation(np.abs(own), np.abs(cascade.reshape(5, -1)))
        np.testing.assert_allclose(found["by_depth_of_magnitudes"], magnitudes, atol=1e-6)
        for i, (a, b) in enumerate(zip(made.values.sum(1), cascade.sum(1), strict=True)):
            a, b = a / np.abs(a).max(), b / np.abs(b).max()
            assert found["ssim_by_depth"][i] == pytest.approx(similarity_by_hand(a, b, 7), abs=1e-6)
    without = pc.evaluate(net, made, pc.ModelRandomization(stages=2, draws=1, independent=False)).curves[0]
    assert "by_layer" not in without.detail


def similarity_by_hand(a, b, side):
    """Wang et al. 2004 with uniform windows, c1 = (0.01 L)^2, c2 = (0.03 L)^2, L = 2, sample covariances."""
    c1, c2, found = (0.01 * 2) ** 2, (0.03 * 2) ** 2, []
    for i in range(a.shape[0] - side + 1):
        for j in range(a.shape[1] - side + 1):
            p, q = a[i : i + side, j : j + side].ravel(), b[i : i + side, j : j + side].ravel()
            covariance = np.cov(p, q)
            top = (2 * p.mean() * q.mean() + c1) * (2 * covariance[0, 1] + c2)
            found.append(top / ((p.mean() ** 2 + q.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)))
    return np.mean(found)


def test_structural_similarity_is_1_for_the_same_map_small_for_another_and_knows_volumes():
    for shape in ((3, 8, 8), (3, 4, 5), (3, 7, 7, 7)):
        similar, maps = _structural(shape[1:]), np.random.default_rng(0).normal(size=shape)
        assert similar(maps, 3 * maps) == pytest.approx(1)
        assert (similar(maps, np.random.default_rng(1).normal(size=shape)) < 0.5).all()
    assert _structural((9,)) is None and _structural((9, 2)) is None


def test_without_scikit_image_all_else_is_measured(x, monkeypatch):
    def missing(module, who):
        raise pc.MissingDependency(f"{who} needs {module}: pip install 'pellucid[vision]'")

    monkeypatch.setattr("pellucid.metrics.model_randomization.need", missing)
    net = nets.cnn()
    curve = pc.evaluate(net, pc.explain(net, x, pc.Saliency()), pc.ModelRandomization(stages=2, draws=1)).curves[0]
    assert "ssim_by_depth" not in curve.detail and np.isfinite(curve.value).all()
    assert any("pellucid[vision]" in said for said in curve.receipt.warnings)


def test_models_without_weights_to_draw_are_told_what_asks_the_like():
    x = np.random.default_rng(0).normal(size=(4, 3))
    made = pc.explain(lambda z: z.sum(1), x, pc.Occlusion(baseline=0.0))
    with pytest.raises(pc.MethodError, match=r"torch modules; DataRandomization\(\)"):
        pc.evaluate(lambda z: z.sum(1), made, pc.ModelRandomization())


def test_magnitudes_of_a_map_that_is_multiplied_with_the_input_hide_the_change():
    """Input times gradient of pictures on a black ground: other weights, other signs, the same places."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(400, 30), nn.ReLU(), nn.Linear(30, 3))
    x = np.random.default_rng(0).uniform(size=(6, 1, 20, 20)).astype("float32")
    x[:, :, :, 6:] = 0
    curve = pc.evaluate(net, pc.explain(net, x, pc.InputXGradient(), target=0), pc.ModelRandomization()).curves[0]
    assert abs(curve.value.mean()) < 0.1
    assert (curve.detail["by_depth_of_magnitudes"][:, -1] > 0.7).all()


def test_the_value_is_the_signed_rank_correlation_after_the_last_layer(x):
    net = nets.cnn()
    made = pc.explain(net, x, pc.Saliency(), target=2)
    curve = pc.evaluate(net, made, pc.ModelRandomization(stages=2, draws=1, seed=7)).curves[0]
    seed = int(np.random.SeedSequence((7, 0)).generate_state(1)[0])
    for column, depth in enumerate((2, 4)):
        other = pc.explain(randomized(net, depth, seed), x, pc.Saliency(), target=2)
        expected = rank_correlation(made.values.reshape(5, -1), other.values.reshape(5, -1))
        np.testing.assert_allclose(curve.detail["by_depth"][:, column], expected, atol=1e-6)
    np.testing.assert_array_equal(curve.value, curve.detail["by_depth"][:, -1])
    more = pc.evaluate(net, made, pc.ModelRandomization(stages=2, draws=3, seed=7)).curves[0]
    np.testing.assert_allclose(more.value, more.detail["by_draw"].mean(axis=1))
    np.testing.assert_array_equal(more.detail["by_draw"][:, 0], curve.value)
    np.testing.assert_array_equal(more.detail["by_depth"][:, 0], curve.detail["by_depth"][:, 0])
    assert curve.labels == ("2: 4", "4: 0")


def test_the_target_stays_the_records_own(x):
    net = nets.cnn()
    made = pc.explain(net, x, pc.Saliency())

    def again(model, z):
        return pc.explain(model, z, pc.Saliency(), target=made.target)

    ours = pc.evaluate(net, made, pc.ModelRandomization(stages=1, draws=1)).curves[0]
    theirs = pc.evaluate(net, made, pc.ModelRandomization(stages=1, draws=1), again=again).curves[0]
    np.testing.assert_allclose(ours.value, theirs.value, atol=1e-6)
    flipped = pc.explain(net, x, pc.Saliency(), target=(np.array(made.target.label) + 1) % 3)
    assert not np.allclose(
        pc.evaluate(net, flipped, pc.ModelRandomization(stages=1, draws=1)).curves[0].value, ours.value
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_map_that_ignores_the_model_fails_and_so_does_its_opposite(x, sign):
    net = nets.cnn()
    asked = []

    def again(model, z):
        asked.append(model)
        return pc.Attribution.from_arrays(edges(model, z).values * (1 if model is net else sign), data=z, target=0)

    line = pc.evaluate(net, edges(net, x), pc.ModelRandomization(stages=1, draws=1), again=again).lines[0]
    assert line.mean == pytest.approx(sign) and line.verdict == "fails" and asked[0] is net


def test_a_gradient_of_many_cells_passes():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(400, 30), nn.ReLU(), nn.Linear(30, 3))
    x = np.random.default_rng(0).normal(size=(6, 1, 20, 20)).astype("float32")
    line = pc.evaluate(net, pc.explain(net, x, pc.Saliency()), pc.ModelRandomization()).lines[0]
    assert line.verdict == "passes" and abs(line.mean) < 0.2


def test_maps_that_die_with_the_weights_have_changed(x):
    net = nets.cnn()
    calls = []

    def again(model, z):
        calls.append(1)
        values = edges(model, z).values * (len(calls) == 1)
        return pc.Attribution.from_arrays(values, data=z, target=0)

    curve = pc.evaluate(net, edges(net, x), pc.ModelRandomization(stages=2, draws=1), again=again).curves[0]
    assert curve.value == pytest.approx(0) and curve.detail["degenerate_share"] == pytest.approx(1)


def test_stages_are_spread_evenly_and_end_with_all_layers(x):
    torch.manual_seed(0)
    deep = nn.Sequential(nn.Flatten(), *(nn.Linear(128, 128) for _ in range(11)))
    curve = pc.evaluate(deep, edges(deep, x), pc.ModelRandomization(stages=4, draws=1), again=edges).curves[0]
    assert [label.partition(":")[0] for label in curve.labels] == ["3", "6", "8", "11"]


def test_a_network_without_parameters_is_refused(x):
    net = nn.Flatten()
    with pytest.raises(pc.MethodError, match="no parameters"):
        pc.evaluate(net, pc.explain(net, x, pc.Saliency()), pc.ModelRandomization())


@pytest.mark.parametrize("wrong", [{"stages": 0}, {"draws": 0}, {"stages": 1.0}])
def test_fields_out_of_range_are_refused(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.ModelRandomization(**wrong)


# -- the reference values ----------------------------------------------------------------------------------------------


def digits_cnn():
    """Five convolutions of 16 channels, mean pooling, one linear layer, trained on scikit-learn's digits."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X, y = torch.tensor(X.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32), torch.tensor(y)
    torch.manual_seed(0)
    layers = [layer for i in range(5) for layer in (nn.Conv2d(16 if i else 1, 16, 3, padding=1), nn.ReLU())]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(25):
        for batch in torch.randperm(1500).split(100):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(X[batch]), y[batch]).backward()
            optimiser.step()
    return net, X[1500:1560].numpy(), y[1500:1560].numpy()


def guided(model, z, target):
    """Guided backpropagation through hooks on the ReLU modules."""
    handles = [
        module.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0].clamp(min=0),))
        for module in model.modules()
        if isinstance(module, nn.ReLU)
    ]
    leaf = torch.tensor(z, requires_grad=True)
    model(leaf)[torch.arange(len(z)), torch.tensor(target)].sum().backward()
    for handle in handles:
        handle.remove()
    return pc.Attribution.from_arrays(leaf.grad, data=z, target=target)


@pytest.mark.slow
def test_gradients_pass_and_guided_backpropagation_fails_on_digits():
    net, x, y = digits_cnn()
    expected = oracle("LOCAL-SANITY")["expected"]
    assert (net(torch.tensor(x)).argmax(1).numpy() == y).mean() > 0.85
    metric = pc.ModelRandomization()
    for method in (pc.Saliency(), pc.IntegratedGradients(steps=16, baseline="zeros")):
        made = pc.explain(net, x, method, target=y)
        curve, line = (c := pc.evaluate(net, made, metric)).curves[0], c.lines[0]
        depth = curve.detail["by_depth"].mean(axis=0)
        assert depth.shape == (6,) and abs(depth[-1]) < 0.2 and np.abs(depth).max() < 0.5 and line.verdict == "passes"
    again = lambda model, z: guided(model, z, y)  # noqa: E731
    card = pc.evaluate(net, guided(net, x, y), metric, again=again)
    depth = card["ModelRandomization"].detail["by_depth"].mean(axis=0)
    assert depth[-1] > 0.6 and depth[0] > depth[-1] and card.lines[0].verdict == "fails"
    assert expected["guidedBP"][-1] > 0.6 and abs(expected["grad"][-1]) < 0.2
    absolute = rank_absolute(net, x, y, metric)
    assert absolute > 0.6  # the magnitudes of IG stay alike whatever the weights: why signs are kept


def rank_absolute(net, x, y, metric):
    def again(model, z):
        made = pc.explain(model, z, pc.IntegratedGradients(steps=16, baseline="zeros"), target=y)
        return pc.Attribution.from_arrays(np.abs(made.values), data=z, target=y)

    return pc.evaluate(net, again(net, x), metric, again=again).curves[0].value.mean()
