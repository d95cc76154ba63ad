"""Class activation maps against their closed forms, and the layers they look at."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pc
from nets import Patches, Residual, cnn, mlp
from oracles import oracle

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


@pytest.mark.parametrize("layer", [None, "4"])
def test_one_forward_pass_finds_the_layer_and_looks_at_it(layer: str | None):
    record = pc.explain(cnn(), torch.randn(3, 2, 8, 8), pc.GradCAM(layer), target=1)
    assert (record.receipt.rows_forward, record.receipt.rows_backward) == (3, 3)
    in_pieces = pc.explain(cnn(), torch.randn(3, 2, 8, 8), pc.GradCAM(layer), target=1, batch_size=2)
    assert (in_pieces.receipt.rows_forward, in_pieces.receipt.layer) == (3, layer or "6")


class Unordered(nn.Module):
    """Registered in another order than run: the convolution that was registered last runs first, or never."""

    def __init__(self, runs: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.act, self.two, self.runs = nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), runs
        self.head, self.one, self.spare = nn.Linear(4, 2), nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3)
        if runs:
            del self.spare

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.two(self.act(self.one(x)))).mean((2, 3)))


@pytest.mark.parametrize("runs", [True, False])
def test_the_last_layer_is_found_whatever_the_order_of_registration(runs: bool):
    net, x = Unordered(runs), torch.randn(2, 2, 8, 8)
    found = pc.explain(net, x, pc.GradCAM(relu=False), target=1)
    named = pc.explain(net, x, pc.GradCAM("act", relu=False), target=1)
    assert found.receipt.layer == "act" and found.receipt.rows_forward == (2 if runs else 4)
    np.testing.assert_array_equal(found.raw, named.raw)


def test_layers_that_do_not_serve():
    x = np.ones((1, 2, 8, 8), dtype=np.float32)
    with pytest.raises(pc.MethodError, match="no layer 'last' with one output; it runs 0, 1, 2"):
        pc.explain(cnn(), x, pc.GradCAM(layer="last"))
    with pytest.raises(pc.MethodError, match="no spatial axes"):
        pc.explain(cnn(), x, pc.GradCAM(layer="9"))
    with pytest.raises(pc.MethodError, match="no layer whose output has spatial axes"):
        pc.explain(mlp(), np.ones((1, 4), dtype=np.float32), pc.GradCAM())


# --- the rest of the family ------------------------------------------------------------------------------------------


def test_cam_is_the_score_place_by_place():
    truth = oracle("CAM-1")["expected"]
    record = pc.explain(Pooled(), MAPS, pc.CAM())
    np.testing.assert_allclose(record.raw[0], truth["M"])
    assert record.raw.mean() == pytest.approx(truth["mean_M_equals_y"])
    net, x = cnn(), torch.randn(3, 2, 8, 8)
    bias = net[9].bias[1].item()
    record = pc.explain(net, x, pc.CAM(), target=1)
    np.testing.assert_allclose(record.raw.mean((1, 2)) + bias, record.scores, atol=1e-6)
    assert record.receipt.layer == "6"


@pytest.mark.parametrize("layer", ["0", "4"])
def test_cam_refuses_any_other_head(layer: str):
    with pytest.raises(pc.MethodError, match=r"CAM needs global average pooling.*GradCAM"):
        pc.explain(cnn(), np.random.default_rng(0).normal(size=(2, 2, 8, 8)), pc.CAM(layer=layer))


def test_cam_refuses_a_scale_that_is_not_linear():
    x = np.random.default_rng(0).normal(size=(2, 2, 8, 8)) * 5
    with pytest.raises(pc.MethodError, match="raw scale"):
        pc.explain(cnn(), x, pc.CAM(), target=pc.Class(1, scale="probability"))


def test_grad_cam_plus_plus_closed_form():
    truth = oracle("CAMPP-1")["expected"]
    record = pc.explain(Pooled(), MAPS, pc.GradCAMPlusPlus())
    np.testing.assert_allclose(record.raw[0], truth["map"], atol=1e-8)


def test_grad_cam_plus_plus_equals_the_derivatives_of_exp():
    """alpha against autograd's own second and third derivatives of exp(S), one activation at a time."""
    torch.manual_seed(0)
    head = nn.Sequential(nn.Flatten(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    features = torch.rand(1, 2, 2, 2, dtype=torch.float64)

    def along(a: Tensor, place: tuple[int, ...]) -> Tensor:
        moved = features.clone()
        moved[place] = a
        return head(moved).exp().squeeze()

    alpha = np.zeros((2, 2, 2))
    for place in np.ndindex(2, 2, 2):
        a = features[0][place].clone().requires_grad_()
        orders, value = [], along(a, (0, *place))
        for _ in range(3):
            (value,) = torch.autograd.grad(value, a, create_graph=True)
            orders.append(value.item())
        alpha[place] = orders[1] / (2 * orders[1] + features[0, place[0]].sum().item() * orders[2])
    net = nn.Sequential(nn.Identity(), head)
    slope = torch.autograd.grad(head(features.requires_grad_()).sum(), features)[0][0].numpy()
    expected = np.einsum("k,kij->ij", (alpha * np.maximum(slope, 0)).sum((1, 2)), features.detach()[0].numpy())
    record = pc.explain(net, features.detach(), pc.GradCAMPlusPlus(layer="0", relu=False))
    np.testing.assert_allclose(record.raw[0], expected, rtol=1e-9)


def test_layer_cam_and_hires_cam_by_hand():
    net, x = cnn().eval(), torch.randn(2, 2, 8, 8)
    features = net[:3](x).detach().requires_grad_()
    net[3:](features)[:, 1].sum().backward()
    g, a = features.grad.numpy(), features.detach().numpy()
    layer_cam = pc.explain(net, x, pc.LayerCAM(layer="2"), target=1)
    np.testing.assert_allclose(layer_cam.raw, np.maximum((np.maximum(g, 0) * a).sum(1), 0), atol=1e-7)
    hires = pc.explain(net, x, pc.HiResCAM(layer="2"), target=1)
    np.testing.assert_allclose(hires.raw, (g * a).sum(1), atol=1e-7)


def test_hires_cam_adds_up_behind_a_linear_head():
    net = cnn()
    record = pc.explain(net, torch.randn(3, 2, 8, 8), pc.HiResCAM(), target=2)
    np.testing.assert_allclose(record.raw.sum((1, 2)) + net[9].bias[2].item(), record.scores, atol=1e-6)


@pytest.mark.parametrize("baseline", ["zeros", 0.4])
def test_score_cam_by_hand(baseline):
    net, x = cnn().eval(), torch.randn(2, 2, 8, 8)
    empty = torch.full_like(x[:1], 0.0 if baseline == "zeros" else baseline)
    with torch.no_grad():
        maps = net[:4](x)
        up = F.interpolate(maps, size=(8, 8), mode="bilinear", align_corners=False)
        expected = []
        for i in range(2):
            low, high = maps[i].amin((1, 2), keepdim=True), maps[i].amax((1, 2), keepdim=True)
            masks = (up[i] - low) / (high - low)
            scores = net(empty + (x[i] - empty) * masks[:, None])[:, 1] - net(empty)[:, 1]
            alpha = torch.from_numpy(softmax(scores.numpy()))
            expected.append(F.relu(torch.einsum("k,kij->ij", alpha, maps[i])))
    record = pc.explain(net, x, pc.ScoreCAM(layer="3", baseline=baseline), target=1)
    np.testing.assert_allclose(record.raw, torch.stack(expected), atol=1e-6)
    assert record.receipt.rows_backward == 0 and record.receipt.rows_forward == 2 + 2 * (4 + 1)  # it only asks


def test_tokens_are_laid_out_on_their_grid():
    net, x = Patches().eval(), torch.randn(2, 2, 8, 8)
    with torch.no_grad():
        tokens = net.norm(net.block(net.patch(x).flatten(2).transpose(1, 2)))
    record = pc.explain(net, x, pc.CAM(), target=0)
    assert record.receipt.layer == "norm" and record.raw.shape == (2, 2, 2)
    weights = net.head.weight[0].detach()
    np.testing.assert_allclose(record.raw, (tokens @ weights).reshape(2, 2, 2), atol=1e-5)


def test_behind_the_last_attention_the_patches_no_longer_reach_the_class_token():
    record = pc.explain(Patches(class_token=True), torch.randn(2, 2, 8, 8), pc.GradCAM(relu=False), target=0)
    assert record.receipt.layer == "block.norm1"
    assert record.raw.shape == (2, 2, 2) and (np.ptp(record.raw, axis=(1, 2)) > 0).all()


def test_a_grid_that_does_not_fit():
    with pytest.raises(pc.MethodError, match=r"gives 4 tokens: say how they are laid out, grid=\(h, w\)"):
        pc.explain(Patches(), np.ones((1, 2, 8, 8)), pc.GradCAM(layer="norm", grid=(3, 3)))


def test_blocks_are_layers_too():
    block = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(inplace=True))
    net = nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    assert pc.explain(net, torch.randn(1, 2, 6, 6), pc.CAM()).receipt.layer == "0"


def test_guided_grad_cam_is_the_product_of_the_two():
    net, x = cnn(), torch.randn(2, 2, 8, 8)
    parts = [pc.explain(net, x, method, target=1).values for method in (pc.GuidedBackprop(), pc.GradCAM())]
    record = pc.explain(net, x, pc.GuidedGradCAM(), target=1)
    np.testing.assert_allclose(record.values, parts[0] * parts[1][:, None], atol=1e-9)
    assert record.values.shape == x.shape and record.receipt.layer == "6"
