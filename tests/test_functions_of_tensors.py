"""Functions of tensors are networks, and networks take what is no float array: whole numbers, frames of numbers."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import pellucid as pc

X = torch.tensor([[1.0, 2.0, 3.0], [2.0, -1.0, 1.0]])
NAMES = ["a", "b", "c"]


def squares(t: torch.Tensor) -> torch.Tensor:
    """(b, 3) -> (b,): its gradients are integrated exactly by few points."""
    return (torch.relu(t) ** 2).sum(1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5), nn.ReLU(), nn.Linear(5, 2))


def test_a_function_of_tensors_is_differentiated():
    known = X.clamp(min=0).numpy() ** 2  # from zero the square of what is positive is the integral of 2 t
    made = pc.explain(squares, X, pc.IntegratedGradients(steps=2))
    assert np.allclose(made.values, known) and np.allclose(made.gap, 0, atol=1e-6)
    assert (
        made.method == pc.IntegratedGradients(steps=2) and type(pc.explain(squares, X).method) is pc.IntegratedGradients
    )
    assert np.allclose(pc.explain(squares, X, pc.DeepLift()).values, known)


def test_it_is_judged_as_well():
    made = pc.explain(squares, X, pc.IntegratedGradients(steps=2))
    card = pc.evaluate(squares, made, [pc.Completeness(), pc.MaxSensitivity(samples=2), pc.Infidelity(samples=5)])
    assert np.allclose(card["Completeness"].value, 0, atol=1e-6)
    assert pc.compare(squares, X, [pc.Saliency(), pc.InputXGradient()], metrics=[pc.Sparsity()]).names


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_is_fed_what_x_is_made_of(dtype: torch.dtype):
    met: set[torch.dtype] = set()

    def asked(t: torch.Tensor) -> torch.Tensor:
        met.add(t.dtype)
        return squares(t) + (t @ torch.ones(3, dtype=dtype))

    pc.explain(asked, X.to(dtype), pc.SmoothGrad(samples=2))
    assert met == {dtype}


@pytest.mark.parametrize("wrap", [lambda net: net.forward, functools.partial], ids=["method", "partial"])
def test_a_networks_own_method_is_evaluated_and_restored(wrap):
    net = network().train()
    made = pc.explain(wrap(net), X, target=1)
    assert np.array_equal(made.values, pc.explain(net, X, target=1).values)
    assert all(module.training for module in net.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize(
    "function", [lambda t: np.asarray(t) @ [1.0, 2.0, 3.0], lambda t: torch.as_tensor(t).sum(1).numpy()]
)
def test_what_gives_no_tensor_stays_a_function_of_arrays(function):
    made = pc.explain(function, X, pc.KernelShap(), background=X)
    assert made.layout == "table" and "torch" not in made.receipt.versions
    with pytest.raises(pc.MethodError, match="needs gradients"):
        pc.explain(function, X, pc.Saliency())


def test_the_first_look_leaves_random_states_alone():
    def noisy(t: torch.Tensor) -> torch.Tensor:
        return t.sum(1) + torch.rand(len(t)) + np.random.rand()

    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    pc.explain(noisy, X, pc.Saliency())
    assert torch.equal(before[0], torch.get_rng_state()) and np.array_equal(before[1], np.random.get_state()[1])


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_a_network_is_differentiated_at_whole_numbers(dtype: type):
    net, x = network(), np.array([[1, 0, 1], [0, 1, 1]])
    for method in (pc.Saliency(), pc.IntegratedGradients(steps=4), pc.DeepLift(), pc.LRP(), pc.SmoothGrad(samples=3)):
        made = pc.explain(net, x.astype(dtype), method, target=0)
        assert np.allclose(made.values, pc.explain(net, x.astype(np.float32), method, target=0).values, atol=1e-6)


def test_a_module_without_parameters_says_what_it_needs():
    class Squares(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x.float() ** 2).sum(1)

    for x in (X > 1, X.long()):
        with pytest.raises(pc.InputError, match="give floats"):
            pc.explain(Squares(), x, pc.IntegratedGradients())


def test_a_network_takes_a_frame_of_numbers():
    net, frame = network(), pd.DataFrame(X.numpy(), columns=NAMES, index=[7, 3])
    made = pc.explain(net, frame, target=1)
    assert made.feature_names == tuple(NAMES) and np.allclose(made.values, pc.explain(net, X, target=1).values)
    swapped = pc.explain(net, frame, pc.ExpectedGradients(samples=8), target=1, background=frame[NAMES[::-1]])
    assert np.allclose(
        swapped.values, pc.explain(net, X, pc.ExpectedGradients(samples=8), target=1, background=X).values
    )
    with pytest.raises(pc.InputError, match=r"column 'b' .* holds none: encode it"):
        pc.explain(net, frame.assign(b=["u", "v"]))
