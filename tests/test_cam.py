"""Grad-CAM against its closed form, and the layers it looks at."""

import numpy as np
import pytest
import torch
from nets import Residual, cnn, mlp
from oracles import oracle
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pc

MAPS = torch.tensor([[[[1.0, 2], [3, 4]], [[0, 1], [0, -1]]]], dtype=torch.float64)


class Pooled(nn.Module):
    """Global average pooling and a linear head: the network that CAM was written for; its features are its input."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = nn.Identity(), nn.Linear(2, 1, bias=False).double()
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[0.5, -2.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


def test_the_closed_form():
    truth = oracle("CAM-1")["expected"]
    record = pc.explain(Pooled(), MAPS, pc.GradCAM())
    np.testing.assert_allclose(record.raw[0], truth["GradCAM"])
    np.testing.assert_allclose(record.values[0], truth["GradCAM"])  # already at the input's size
    assert record.scores[0] == pytest.approx(truth["y"]) and record.receipt.layer == "features"
    signed = pc.explain(Pooled(), MAPS, pc.GradCAM(relu=False))
    alpha = truth["GradCAM_alpha"]
    np.testing.assert_allclose(signed.raw[0], alpha[0] * MAPS[0, 0] + alpha[1] * MAPS[0, 1])
    assert signed.raw.sum() == pytest.approx(truth["y"])  # mean of CAM = score, CAM = Z * Grad-CAM


def test_a_constant_map_is_called_degenerate():
    with torch.no_grad():
        net = Pooled()
        net.head.weight.fill_(-1.0)
    record = pc.explain(net, MAPS.abs(), pc.GradCAM())
    assert "1 of 1 maps are constant" in record.receipt.warnings[0] and (record.values == 0).all()


def test_it_equals_autograd_by_hand():
    net, x = cnn().eval(), torch.randn(2, 2, 8, 8)
    features = net[:6](x).detach().requires_grad_()
    net[6:](features)[:, 1].sum().backward()
    expected = F.relu((features.grad.mean((2, 3), keepdim=True) * features).sum(1))
    record = pc.explain(net, x, pc.GradCAM(layer="5"), target=1)
    np.testing.assert_allclose(record.raw, expected.detach(), atol=1e-7)
    up = F.interpolate(expected[:, None], size=(8, 8), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(record.values, up.detach(), atol=1e-7)


def test_an_activation_in_place_behind_the_layer_changes_nothing():
    """Layer 4 is a convolution followed by an in-place ReLU: the map is that of the convolution's own output."""
    net, x = cnn().eval(), torch.randn(2, 2, 8, 8)
    features = net[:5](x).detach().requires_grad_()
    net[6:](F.relu(features))[:, 1].sum().backward()
    expected = (features.grad.mean((2, 3), keepdim=True) * features).sum(1).detach()
    assert (features < 0).any()
    record = pc.explain(net, x, pc.GradCAM(layer="4", relu=False), target=1)
    np.testing.assert_allclose(record.raw, expected, atol=1e-7)


def test_a_reused_module_is_seen_at_its_last_call():
    net, x = Residual().eval(), torch.randn(2, 1, 6, 6)
    with torch.no_grad():
        first = F.relu(net.first(x))
        last = F.relu(net.second(first) + first)
    last.requires_grad_()
    net.head(F.relu(last).flatten(2).mean(2))[:, 1].sum().backward()
    expected = (last.grad.mean((2, 3), keepdim=True) * last).sum(1).detach()
    record = pc.explain(net, x, pc.GradCAM(relu=False), target=1)
    assert record.receipt.layer == "relu"
    np.testing.assert_allclose(record.raw, expected, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_maps_come_at_the_inputs_size_in_every_rank(rank: int):
    x = np.random.default_rng(0).normal(size=(2, 1, *(7, 6, 5)[:rank]))
    record = pc.explain(Residual(rank), x, pc.GradCAM())
    assert record.values.shape == (2, *x.shape[2:]) and record.layout == "channels-first"
    np.testing.assert_array_equal(record.collapse(), record.values)


def test_the_backward_pass_stops_at_the_layer():
    """No gradient is computed below the layer that is looked at."""
    seen: list[bool] = []
    net = cnn()
    net[0].register_forward_hook(lambda _m, _i, out: seen.append(out.requires_grad))
    pc.explain(net, np.ones((1, 2, 8, 8), dtype=np.float32), pc.GradCAM(layer="4"))
    assert seen and not any(seen)


def test_layers_that_do_not_serve():
    x = np.ones((1, 2, 8, 8), dtype=np.float32)
    with pytest.raises(pc.MethodError, match="no layer 'last'; it runs 0, 1, 2"):
        pc.explain(cnn(), x, pc.GradCAM(layer="last"))
    with pytest.raises(pc.MethodError, match="no spatial axes"):
        pc.explain(cnn(), x, pc.GradCAM(layer="9"))
    with pytest.raises(pc.MethodError, match="no layer whose output has spatial axes"):
        pc.explain(mlp(), np.ones((1, 4), dtype=np.float32), pc.GradCAM())
