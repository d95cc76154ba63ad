"""Every gradient method and class activation map at the edges: bad networks refused by name, odd ones explained right."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pc
from nets import cnn

INPUTS = [
    pc.Saliency(),
    pc.InputXGradient(),
    pc.SmoothGrad(samples=4),
    pc.IntegratedGradients(steps=8),
    pc.ExpectedGradients(samples=8),
]
RULED = [pc.GuidedBackprop(), pc.Deconvnet(), pc.DeepLift(), pc.DeepShap(), pc.LRP()]
MAPS = [
    pc.CAM(),
    pc.GradCAM(),
    pc.GradCAMPlusPlus(),
    pc.HiResCAM(),
    pc.LayerCAM(),
    pc.ScoreCAM(),
    pc.GuidedGradCAM(),
    pc.SmoothGrad(pc.GradCAM(), samples=3),
]
X = np.random.default_rng(0).normal(size=(2, 2, 8, 8)).astype(np.float32)


def each(methods: list[Any]) -> Any:
    return pytest.mark.parametrize("method", methods, ids=repr)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


# --- networks that are refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [4, 9])
@each([*INPUTS, *RULED, *MAPS])
def test_weights_that_are_no_numbers(method: Any, place: int):
    net = cnn()
    with torch.no_grad():
        net[place].weight.view(-1)[0] = torch.nan
    with pytest.raises(pc.ModelError, match=r"NaN or infinite.*check its weights"):
        pc.explain(net, X, method, target=0, background=X)
    assert hooks(net) == 0 and net.training and net[4].weight.requires_grad


def scripted() -> nn.Module:
    return torch.jit.script(cnn().eval())


def traced() -> nn.Module:
    return torch.jit.trace(cnn().eval(), torch.from_numpy(X))


def scripted_in_part() -> nn.Module:
    net = cnn().eval()
    return nn.Sequential(torch.jit.script(net[:6]), *net[6:])


def compiled() -> nn.Module:
    return torch.compile(cnn().eval(), backend="eager")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TorchScript is on its way out
@pytest.mark.parametrize("made", [scripted, traced, scripted_in_part, compiled])
@each([*MAPS, *RULED])
def test_scripted_and_compiled_networks_are_refused_with_a_remedy(method: Any, made: Callable[[], nn.Module]):
    net = made()
    if made is scripted_in_part and method in MAPS and not isinstance(method, pc.GuidedGradCAM):
        found = pc.explain(net, X, method, target=1)  # the layer behind the scripted part is there to be seen
        np.testing.assert_allclose(found.values, pc.explain(cnn(), X, method, target=1).values, rtol=1e-4, atol=1e-6)
        return
    with pytest.raises((pc.ModelError, pc.MethodError), match=r"(scripted|compiled).*pass the module that"):
        pc.explain(net, X, method, target=1, background=X)
    assert not isinstance(net, torch.jit.ScriptModule) or hooks(net) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("made", [scripted, traced, scripted_in_part, compiled])
@each(INPUTS)
def test_gradients_at_the_input_do_not_mind(method: Any, made: Callable[[], nn.Module]):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = pc.explain(made(), X, method, target=1, background=X)
    np.testing.assert_allclose(
        ours.values, pc.explain(cnn(), X, method, target=1, background=X).values, rtol=1e-4, atol=1e-6
    )


@each([*INPUTS, *RULED, *MAPS])
def test_a_step_without_a_derivative(method: Any):
    class Rounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = cnn()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x).detach().round()

    if isinstance(method, pc.ScoreCAM):
        assert pc.explain(Rounded(), X, method, target=1).receipt.rows_backward == 0  # it only asks
        return
    with pytest.raises(pc.ModelError, match="differentiable steps"):
        pc.explain(Rounded(), X, method, target=1, background=X)


# --- networks that are out of the ordinary ---------------------------------------------------------------------------


class Shifted(nn.Module):
    """A network with another input beside the one that is explained."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.late = cnn(), nn.Linear(1, 3)

    def forward(self, x: Tensor, shift: Tensor | None = None) -> Tensor:
        return self.net(x + shift[:, :, None, None]) + self.late(shift)


@each([m for m in (*INPUTS, *RULED, *MAPS) if not isinstance(m, pc.ScoreCAM | pc.DeepShap | pc.ExpectedGradients)])
def test_extra_inputs_go_along_row_by_row(method: Any):
    net, shift = Shifted(), np.array([[0.0], [3.0]], np.float32)
    together = pc.explain(net, X, method, target=1, extra={"shift": shift})
    for i in range(2):
        alone = pc.explain(net, X[i : i + 1], method, target=1, extra={"shift": shift[i : i + 1]})
        np.testing.assert_allclose(alone.values[0], together.values[i], rtol=1e-4, atol=1e-6)
    other = pc.explain(net, X, method, target=1, extra={"shift": shift * 0 + 1.5})
    assert np.abs(other.values[1] - together.values[1]).max() > 1e-6


@each([*INPUTS, *RULED, *MAPS])
def test_brain_floats(method: Any):
    single = pc.explain(cnn(), X, method, target=1, background=X)
    half = pc.explain(cnn().bfloat16(), X, method, target=1, background=X)
    assert half.values.dtype == float and np.isfinite(half.values).all()
    cosine = (single.values * half.values).sum() / np.linalg.norm(single.values) / np.linalg.norm(half.values)
    assert cosine > 0.97


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU])
@each([pc.Saliency(), pc.IntegratedGradients(steps=20)])
def test_gradients_of_fused_recurrent_layers_are_as_they_are(method: Any, layer: type):
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.inner, self.head = layer(3, 5, 2, batch_first=True, dropout=0.5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.inner(x)[0][:, -1])

    net, x = Last().double(), np.random.default_rng(1).normal(size=(2, 4, 3))
    record = pc.explain(net, x, method, target=1)
    assert net.training
    if isinstance(method, pc.IntegratedGradients):
        np.testing.assert_allclose(record.gap, 0, atol=1e-10)
        return
    leaf = torch.tensor(x, requires_grad=True)
    net.eval()(leaf)[:, 1].sum().backward()
    np.testing.assert_allclose(record.values, leaf.grad, atol=1e-12)


class Bag(nn.Module):
    """Token ids -> embeddings -> a small network -> two scores."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lookup, self.head = nn.Embedding(20, 4), nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lookup(ids)).mean(1)


@each([*INPUTS, *RULED])
def test_token_ids_are_explained_at_their_embeddings(method: Any):
    net, ids = Bag().double(), np.array([[1, 2, 3, 4, 5], [9, 9, 1, 0, 7]])
    record = pc.explain(net, ids, method, target=1, background=np.array([[0, 0, 0, 0, 0], [6, 7, 8, 9, 1]]))
    assert record.values.shape == ids.shape and record.layout == "tokens"
    embeddings = net.lookup(torch.from_numpy(ids)).detach().numpy()
    inner = nn.Sequential(net.head, Mean())
    background = net.lookup(torch.tensor([[0] * 5, [6, 7, 8, 9, 1]])).detach().numpy()
    dense = pc.explain(inner, embeddings, method, target=1, background=background)
    np.testing.assert_allclose(record.values, dense.values.sum(-1), rtol=1e-6, atol=1e-9)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


# --- values that are known -------------------------------------------------------------------------------------------


def test_the_mean_of_a_quadratic_s_gradient_is_its_gradient():
    """E[2 A (x + e)] = 2 A x: Gaussian noise averages out of a linear gradient, and its error bar says how far it has not."""
    a = torch.tensor([[2.0, -1, 0.5], [-1, 1, 0], [0.5, 0, 3]], dtype=torch.float64)

    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bi,ij,bj->b", x, a, x)

    x = np.array([[1.0, -2, 0.5]])
    record = pc.explain(Quadratic(), x, pc.SmoothGrad(samples=4000, noise=0.3, relative=False))
    np.testing.assert_array_less(np.abs(record.values - 2 * x @ a.numpy()), 4 * record.stderr)
    expected = 2 * 0.3 * np.sqrt((a.numpy() ** 2).sum(1) / 4000)  # the standard deviation of 2 A e's mean
    np.testing.assert_allclose(record.stderr[0], expected, rtol=0.05)


def test_saliency_and_input_times_gradient_equal_captum_s():
    captum = pytest.importorskip("captum.attr")
    net, x = cnn().eval(), torch.tensor(X, requires_grad=True)
    theirs = captum.Saliency(net).attribute(x, target=1, abs=False).detach()
    np.testing.assert_allclose(pc.explain(net, X, pc.Saliency(), target=1).values, theirs, rtol=1e-5, atol=1e-9)
    theirs = captum.Saliency(net).attribute(x, target=1).detach()
    np.testing.assert_allclose(pc.explain(net, X, pc.Saliency(True), target=1).values, theirs, rtol=1e-5, atol=1e-9)
    theirs = captum.InputXGradient(net).attribute(x, target=1).detach()
    np.testing.assert_allclose(pc.explain(net, X, pc.InputXGradient(), target=1).values, theirs, rtol=1e-5, atol=1e-9)
