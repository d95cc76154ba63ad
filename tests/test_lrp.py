"""LRP: every rule against NumPy, conservation and who absorbs what, attention by hand, and captum beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pc
from nets import Formula, Patches, Residual, cnn, linear
from oracles import oracle
from pellucid.models.rewire import relevance
from zoo import NETWORKS, Multihead, Pooled

ZERO = pc.Epsilon(0)
ALL = {
    "LRP-0": pc.LRP(ZERO, None),
    "epsilon": pc.LRP(pc.Epsilon(0.1), None),
    "gamma": pc.LRP("gamma", None),
    "alpha-beta": pc.LRP("alpha-beta", None),
    "z-plus": pc.LRP("z-plus", None),
    "epsilon, gamma": pc.LRP(),
    "epsilon-plus-flat": pc.LRP.epsilon_plus_flat(),
    "epsilon-gamma-box": pc.LRP.epsilon_gamma_box(-4.0, 4.0),
    "epsilon-alpha2-beta1-flat": pc.LRP.epsilon_alpha2_beta1_flat(),
    "w-square": pc.LRP(first="w-square"),
}
each = pytest.mark.parametrize("name", ALL)


def rows(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def bare(net: nn.Module) -> nn.Module:
    """The network without biases and shifts, in double precision."""
    for name, values in [*net.named_parameters(), *net.named_buffers()]:
        if name.rpartition(".")[2] in ("bias", "in_proj_bias", "running_mean") or "bias_" in name:
            values.data.zero_()
    return net.double()


# --- one neuron ------------------------------------------------------------------------------------------------------

NEURON = {
    "zero": pc.LRP(ZERO),
    "epsilon_0p25": pc.LRP(pc.Epsilon(0.25)),
    "gamma_0p25": pc.LRP(pc.Gamma(0.25)),
    "a1b0_zplus": pc.LRP("z-plus"),
    "a2b1": pc.LRP(pc.AlphaBeta(2.0, 1.0)),
    "wsquare": pc.LRP(first="w-square"),
    "flat": pc.LRP(first="flat"),
    "zB_l0_h4": pc.LRP(first=pc.ZBox(0.0, 4.0)),
}


@pytest.mark.parametrize("name", NEURON)
def test_one_linear_neuron(name: str):
    record = pc.explain(linear([1, -1, 2]), np.array([[1.0, 2, 3]]), NEURON[name])
    assert record.scores.item() == 5
    np.testing.assert_allclose(record.values[0], oracle("LRP-1")["expected"][name], atol=1e-6)
    np.testing.assert_allclose(record.gap, 0, atol=1e-12)
    np.testing.assert_allclose(record.base_values, 5 - record.values.sum(), atol=1e-12)


def test_every_rule_has_its_oracle():
    assert set(NEURON) == set(oracle("LRP-1")["expected"])


# --- whole networks in NumPy -----------------------------------------------------------------------------------------


def _split(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(z, 0), np.minimum(z, 0)


def dense(rule: Any, x: np.ndarray, w: np.ndarray, b: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """x (i,), w (j, i), b (j,), relevance (j,) -> (i,), straight from the definitions of the rules"""
    out = np.zeros(len(x))
    for j in range(len(w)):
        z = x * w[j]  # contributions z_ij
        more, less = _split(z)
        b_more, b_less = max(b[j], 0), min(b[j], 0)
        total = z.sum() + b[j]
        quotient = lambda part, whole: part / whole if whole else np.zeros(len(x))  # noqa: E731
        match rule:
            case pc.Epsilon():
                share = z / (total + rule.epsilon * (1 if total >= 0 else -1))
            case pc.Gamma() if total > 0:
                share = (z + rule.gamma * more) / (total + rule.gamma * (more.sum() + b_more))
            case pc.Gamma():
                share = (z + rule.gamma * less) / (total + rule.gamma * (less.sum() + b_less))
            case pc.ZPlus():
                share = quotient(more, more.sum() + b_more)
            case pc.AlphaBeta():
                share = rule.alpha * quotient(more, more.sum() + b_more) - rule.beta * quotient(
                    less, less.sum() + b_less
                )
            case pc.WSquare():
                share = w[j] ** 2 / (w[j] ** 2).sum()
            case pc.Flat():
                share = np.full(len(x), 1 / len(x))
            case pc.ZBox():
                boxed = z - rule.low * np.maximum(w[j], 0) - rule.high * np.minimum(w[j], 0)
                share = boxed / boxed.sum()
        out += share * relevance[j]
    return out


LAYER_RULES = [ZERO, pc.Epsilon(0.3), pc.Gamma(0.25), pc.Gamma(3.0), pc.AlphaBeta(), pc.AlphaBeta(3.0, 2.0), pc.ZPlus()]
FIRST_RULES = [None, pc.WSquare(), pc.Flat(), pc.ZBox(-5.0, 4.0)]


@pytest.mark.parametrize("first", FIRST_RULES, ids=repr)
@pytest.mark.parametrize("rule", LAYER_RULES, ids=repr)
@pytest.mark.parametrize("act", [nn.ReLU(), nn.Tanh()], ids=repr)
def test_three_layers_against_numpy(rule: Any, first: Any, act: nn.Module):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 7), act, nn.Linear(7, 6), act, nn.Linear(6, 3)).double()
    x = rows(4, 5)
    x[0, 2] = 0
    record = pc.explain(net, x, pc.LRP(rule, first=first), target=2)
    weights = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in net if isinstance(m, nn.Linear)]
    bend = {"ReLU": lambda z: np.maximum(z, 0), "Tanh": np.tanh}[type(act).__name__]
    for row, values in zip(x, record.values, strict=True):
        h1 = bend(weights[0][0] @ row + weights[0][1])
        h2 = bend(weights[1][0] @ h1 + weights[1][1])
        scores = weights[2][0] @ h2 + weights[2][1]
        relevance = np.array([0, 0, scores[2]])
        for layer_rule, h, (w, b) in zip((rule, rule, first or rule), (h2, h1, row), weights[::-1], strict=True):
            relevance = dense(layer_rule, h, w, b, relevance)
        np.testing.assert_allclose(values, relevance, atol=1e-10)
    np.testing.assert_allclose(record.gap, 0, atol=1e-10)


def unfolded(conv: nn.Module, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A convolution as a matrix (outputs, inputs) and a bias (outputs,)."""
    inputs = int(np.prod(shape))
    with torch.no_grad():
        bias = conv(torch.zeros(1, *shape, dtype=torch.float64))[0].flatten()
        columns = conv(torch.eye(inputs, dtype=torch.float64).reshape(inputs, *shape)).flatten(1) - bias
    return columns.T.numpy(), bias.numpy()


CONVOLUTIONS = {
    "1-D": (lambda: nn.Conv1d(2, 3, 3, padding=1, stride=2), (2, 6)),
    "2-D": (lambda: nn.Conv2d(2, 4, 2, padding=1, groups=2), (2, 3, 4)),
    "2-D same": (lambda: nn.Conv2d(1, 3, 3, padding="same", dilation=2, bias=False), (1, 4, 4)),
    "3-D": (lambda: nn.Conv3d(1, 2, 2), (1, 3, 3, 2)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 3, 3)),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("first", [None, pc.WSquare(), pc.ZBox(-4.0, 4.0)], ids=repr)
@pytest.mark.parametrize("rule", [pc.Epsilon(0.2), pc.Gamma(0.5), pc.AlphaBeta(), pc.ZPlus()], ids=repr)
def test_convolutions_against_their_matrices(kind: str, rule: Any, first: Any):
    torch.manual_seed(0)
    conv, shape = CONVOLUTIONS[kind][0]().double(), CONVOLUTIONS[kind][1]
    matrix, bias = unfolded(conv, shape)
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(len(bias), 2).double())
    x = rows(2, *shape)
    record = pc.explain(net, x, pc.LRP(ZERO, conv=rule, first=first), target=1)
    for row, values in zip(x.reshape(2, -1), record.values.reshape(2, -1), strict=True):
        hidden = np.maximum(matrix @ row + bias, 0)
        relevance = hidden * net[3].weight.detach().numpy()[1]
        if isinstance(first, pc.WSquare):  # in a matrix, what a padded window does not read has weight zero
            squares = matrix**2
            expected = (squares / squares.sum(1, keepdims=True) * relevance[:, None]).sum(0)
        else:
            expected = dense(first or rule, row, matrix, bias, relevance)
        np.testing.assert_allclose(values, expected, atol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.25, 1e3])
def test_gamma_between_relus_is_one_layer_and_the_same_rule(gamma: float, monkeypatch: pytest.MonkeyPatch):
    taken, above = [], relevance._gamma_above
    monkeypatch.setattr(relevance, "_gamma_above", lambda *given: taken.append(given[1].name) or above(*given))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)).double()
    x, method = rows(2, 2, 6, 6), pc.LRP(conv=pc.Gamma(gamma))
    x[0] = np.abs(x[0])
    together = pc.explain(net, x, method, target=1)
    assert not taken  # inputs below zero
    alone = pc.explain(net, x[:1], method, target=1)
    assert taken == ["conv2d"]
    np.testing.assert_allclose(alone.values[0], together.values[0], atol=1e-12)
    np.testing.assert_allclose(alone.base_values[0], together.base_values[0], atol=1e-12)
    net[1] = nn.Tanh()
    pc.explain(net, x[:1], method, target=1)
    assert len(taken) == 1  # relevance below zero


@pytest.mark.parametrize("sign", [1, -1])
def test_units_that_read_only_zeros_pass_nothing_on(sign: int):
    conv = nn.Conv1d(1, 2, 2, stride=2, bias=False).double()
    conv.weight.data = torch.tensor([[[1.0, 2.0]], [[3.0, -1.0]]], dtype=torch.float64)
    x = sign * np.array([[[1.0, 1, 0, 0]]])
    record = pc.explain(Formula(lambda x: conv(x).sum((1, 2))), x, pc.LRP(ZERO, conv=pc.Gamma(1.0)))
    # 3 = 1 + 2 as 1 : 2 and 2 = 3 - 1 as 6 : -1, of which 5 are 2
    np.testing.assert_allclose(record.values, [[[sign * (1 + 12 / 5), sign * (2 - 2 / 5), 0, 0]]])


def test_flat_counts_the_cells_that_a_window_reads():
    conv = nn.Conv1d(1, 1, 3, padding=1, bias=False).double()
    record = pc.explain(nn.Sequential(conv, nn.Flatten()), rows(1, 1, 4), pc.LRP(first="flat"), target=0)
    np.testing.assert_allclose(record.values[0, 0], record.scores * np.array([0.5, 0.5, 0, 0]))


@pytest.mark.parametrize("first", [pc.Flat(), pc.WSquare(), pc.ZBox(-4.0, 4.0)], ids=repr)
def test_cells_that_the_network_pads_with_get_no_relevance(first: Any):
    torch.manual_seed(0)
    inside = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).double()
    outside = Formula(lambda x: inside[1:](F.conv2d(F.pad(x, (1, 1, 1, 1)), inside[0].weight, inside[0].bias)))
    x, method = rows(2, 2, 4, 4), pc.LRP(first=first)
    usual, padded = (pc.explain(net, x, method, target=0) for net in (inside, outside))
    np.testing.assert_allclose(padded.values, usual.values, atol=1e-12)
    np.testing.assert_allclose(padded.gap, 0, atol=1e-12)


# --- networks that are written in another way ------------------------------------------------------------------------


@each
def test_batch_norm_is_part_of_the_layer_before_it(name: str):
    torch.manual_seed(0)
    conv, norm, head = nn.Conv2d(2, 3, 3).double(), nn.BatchNorm2d(3).double(), nn.Linear(27, 2).double()
    norm.weight.data, norm.bias.data = torch.tensor([[0.7, -1.3, 1.0], [0.1, 0.2, -0.3]], dtype=torch.float64)
    norm.running_mean, norm.running_var = torch.tensor([[0.2, -0.1, 0.0], [0.5, 2.0, 1.0]], dtype=torch.float64)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    merged = nn.Conv2d(2, 3, 3).double()
    merged.weight.data = conv.weight.data * scale[:, None, None, None]
    merged.bias.data = (conv.bias.data - norm.running_mean) * scale + norm.bias
    x = rows(2, 2, 5, 5)
    parts = pc.explain(nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), head), x, ALL[name], target=0)
    whole = pc.explain(nn.Sequential(merged, nn.ReLU(), nn.Flatten(), head), x, ALL[name], target=0)
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-10)
    np.testing.assert_allclose(parts.base_values, whole.base_values, atol=1e-10)


@each
def test_normalising_the_input_inside_the_network_changes_nothing(name: str):
    net, x = Residual(2).double(), rows(3, 1, 6, 6)
    inside = Formula(lambda z: net(((z - 0.3) / 0.25).to(torch.float64)[:, :, :, :]))
    before = pc.explain(net, x, ALL[name], target=1)
    after = pc.explain(inside, x * 0.25 + 0.3, ALL[name], target=1)
    np.testing.assert_allclose(after.values, before.values, atol=1e-9)


def test_what_the_network_has_learned_to_add_is_no_normalisation():
    class Shifted(nn.Module):
        def __init__(self, shift: nn.Module) -> None:
            super().__init__()
            self.shift, self.head = shift, linear([1, 2])

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x + self.shift(torch.zeros(len(x), dtype=torch.long)))

    learned = nn.Embedding.from_pretrained(torch.tensor([[3.0, 5.0]], dtype=torch.float64))
    record = pc.explain(Shifted(learned), np.array([[1.0, 1.0]]), pc.LRP(ZERO))
    np.testing.assert_allclose(record.values, [[1, 2]])
    assert record.base_values.item() == pytest.approx(13)
    given = pc.explain(
        Shifted(lambda rows: torch.tensor([[3.0, 5.0]], dtype=torch.float64)), np.array([[1.0, 1.0]]), pc.LRP(ZERO)
    )
    np.testing.assert_allclose(given.values, [[4, 12]])


def test_a_linear_layer_in_any_spelling():
    torch.manual_seed(0)
    w, b, x = nn.Parameter(torch.randn(4, 3).double(), False), nn.Parameter(torch.randn(3).double(), False), rows(3, 4)
    spellings = [
        lambda x: F.linear(x, w.T, b),
        lambda x: torch.addmm(b, x, w),
        lambda x: F.linear(input=x, weight=w.T, bias=b),
        lambda x: F.conv1d(x[..., None], w.T[..., None], b)[..., 0],
    ]
    made = [pc.explain(Formula(f), x, pc.LRP("gamma", "gamma"), target=1) for f in spellings]
    for record in made[1:]:
        np.testing.assert_allclose(record.values, made[0].values, atol=1e-12)
        np.testing.assert_allclose(record.base_values, made[0].base_values, atol=1e-12)
    without = [
        pc.explain(Formula(f), x, pc.LRP("gamma"), target=1) for f in (lambda x: x @ w, lambda x: F.linear(x, w.T))
    ]
    np.testing.assert_allclose(without[0].values, without[1].values, atol=1e-12)


# --- conservation ----------------------------------------------------------------------------------------------------

CONSERVING = [name for name in NETWORKS if name not in ("masked attention", "biased attention")]


@pytest.mark.parametrize("name", CONSERVING)
def test_without_biases_relevance_is_conserved(name: str):
    make, shape = NETWORKS[name]
    torch.manual_seed(1)
    net, x = bare(make()), rows(4, *shape)
    added = name in (
        "residual",
        "LSTM",
        "GRU",
        "vision transformer",
    )  # constants, a token, gates that are not zero at zero
    for method in (pc.LRP(ZERO, None), pc.LRP(pc.Epsilon(1e-12), None)):
        record = pc.explain(net, x, method, target=1)
        assert np.abs(record.scores).max() > 1e-4
        if added:
            np.testing.assert_allclose(record.gap, 0, atol=1e-7)
        else:
            total = record.values.reshape(4, -1).sum(1)
            np.testing.assert_allclose(total, record.scores, rtol=1e-5, atol=1e-9)


@each
@pytest.mark.parametrize("network", NETWORKS)
def test_the_score_is_the_sum_and_what_was_absorbed(network: str, name: str):
    make, shape = NETWORKS[network]
    torch.manual_seed(1)
    net, x = make().double(), rows(5, *shape)
    for parameter in net.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 0.3, 0.2)
    record = pc.explain(net, x, ALL[name], target=1)
    np.testing.assert_allclose(record.gap, 0, atol=1e-6 * max(1, np.abs(record.base_values).max()))
    assert np.abs(record.base_values).min() > 1e-6


def test_absorbed_relevance_is_counted_row_by_row_whatever_the_batch():
    torch.manual_seed(0)
    net = Pooled(Multihead(True)).double()
    nn.init.normal_(net.inner.attention.out_proj.bias)
    for n, t in ((5, 5), (4, 8), (3, 5), (6, 3), (10, 2)):
        x = rows(n, t, 8)
        whole = pc.explain(net, x, pc.LRP(), target=1)
        for i in range(n):
            alone = pc.explain(net, x[i : i + 1], pc.LRP(), target=1)
            np.testing.assert_allclose(whole.base_values[i], alone.base_values[0], atol=1e-9)
            np.testing.assert_allclose(whole.values[i], alone.values[0], atol=1e-9)


def test_a_bias_keeps_its_part():
    record = pc.explain(linear([1, 2], bias=4.0), np.array([[1.0, 0.5]]), pc.LRP(ZERO))
    np.testing.assert_allclose(record.values, [[1, 1]])
    np.testing.assert_allclose([record.base_values, record.gap], [[4], [0]])
    plus = pc.explain(linear([1, -2], bias=4.0), np.array([[1.0, 0.5]]), pc.LRP("z-plus"))
    np.testing.assert_allclose(plus.values, [[4 * 1 / 5, 0]])  # score 4, z+ = 1 + 4
    np.testing.assert_allclose(plus.base_values, 4 * 4 / 5)


def test_what_does_not_conserve_shows_in_the_gap():
    net = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Softmax(1), nn.Linear(6, 2)).double()
    record = pc.explain(net, rows(3, 4), pc.LRP(ZERO), target=0)
    assert np.abs(record.gap).min() > 1e-3 and record.receipt.warnings


def test_probabilities_are_explained_by_the_softmax_s_own_gradient_and_the_gap_says_so():
    record = pc.explain(cnn(), rows(2, 2, 8, 8).astype(np.float32), pc.LRP(), target=pc.Class(1, scale="probability"))
    assert np.abs(record.gap).min() > 1e-2 and record.receipt.warnings
    net = nn.Sequential(cnn(), nn.LogSoftmax(1))
    logs = pc.explain(net, rows(2, 2, 8, 8).astype(np.float32), pc.LRP(), target=1)
    scores = pc.explain(net[0], rows(2, 2, 8, 8).astype(np.float32), pc.LRP(), target=1)
    np.testing.assert_allclose(logs.values, scores.values, atol=1e-6)  # the normaliser is a constant
    np.testing.assert_allclose(logs.gap, 0, atol=1e-5)


def test_a_score_that_is_a_cell_of_the_input():
    record = pc.explain(Formula(lambda x: x[:, 1]), np.array([[2.0, 3.0]]), pc.LRP())
    np.testing.assert_allclose(record.values, [[0, 3]])


# --- activations, products, norms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act", [nn.GELU(), nn.SiLU(), nn.ELU(), nn.Hardtanh(), nn.ReLU6(), nn.LeakyReLU(0.3), nn.Softplus()], ids=repr
)
def test_activations_pass_relevance_unchanged(act: nn.Module):
    x = np.array([[0.7, -1.2, 9.0]])
    record = pc.explain(Formula(lambda z: act(z).sum(1)), x, pc.LRP())
    np.testing.assert_allclose(record.values, act(torch.tensor(x)).numpy(), atol=1e-7)


def test_products_are_shared_evenly_and_gates_get_nothing():
    x = np.array([[2.0, 3.0]])
    even = pc.explain(Formula(lambda z: z[:, 0] * z[:, 1]), x, pc.LRP())
    np.testing.assert_allclose(even.values, [[3, 3]])
    third = pc.explain(Formula(lambda z: torch.einsum("n,n,n->n", z[:, 0], z[:, 1], z[:, 1] + 0)), x, pc.LRP())
    np.testing.assert_allclose(third.values, [[6, 12]])
    gated = Formula(lambda z: z[:, 0] * torch.sigmoid(z[:, 1:])[:, 0])
    kept = 2 / (1 + np.exp(-3))
    np.testing.assert_allclose(pc.explain(gated, x, pc.LRP()).values, [[kept, 0]])
    np.testing.assert_allclose(pc.explain(gated, x, pc.LRP(attention="AttnLRP")).values, [[kept / 2, kept / 2]])
    divided = pc.explain(Formula(lambda z: z[:, 0] / z[:, 1]), x, pc.LRP())
    np.testing.assert_allclose(divided.values, [[2 / 3, 0]])


NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "layer norm": lambda x: F.layer_norm(x, (6,)),
    "layer norm by hand": lambda x: (
        (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
    ),
    "layer norm by hand, too": lambda x: (
        (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True, correction=0) + 1e-5)
    ),
    "group norm": lambda x: F.group_norm(x, 1),
    "instance norm": lambda x: F.instance_norm(x[:, None])[:, 0],
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_hold_their_standard_deviation_constant(name: str):
    x, w = rows(3, 6), rows(6, seed=1)
    record = pc.explain(Formula(lambda z: NORMS[name](z) @ torch.tensor(w)), x, pc.LRP())
    std = np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(record.values, x * (w - w.mean()) / std, atol=1e-12)
    np.testing.assert_allclose(record.gap, 0, atol=1e-12)


def test_rms_norm_in_both_spellings():
    x, w = rows(3, 6), rows(6, seed=1)
    by_hand = Formula(lambda z: (z * torch.rsqrt(z.pow(2).mean(1, keepdim=True) + 1e-6)) @ torch.tensor(w))
    fused = Formula(lambda z: F.rms_norm(z, (6,), eps=1e-6) @ torch.tensor(w))
    for net in (by_hand, fused):
        record = pc.explain(net, x, pc.LRP())
        np.testing.assert_allclose(record.values, x * w / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6), atol=1e-12)


# --- attention by hand -----------------------------------------------------------------------------------------------


class Head(nn.Module):
    """One attention head without biases, and a linear read-out of one token."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.v = (nn.Linear(4, 4, bias=False) for _ in range(3))
        self.out, self.fused = nn.Linear(4, 1, bias=False), fused

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        if self.fused:
            return self.out(F.scaled_dot_product_attention(q, k, v)[:, 0])
        weights = F.softmax(q @ k.transpose(1, 2) / 2, dim=-1)
        return self.out((F.dropout(weights, 0.1, self.training) @ v)[:, 0])


def by_hand(net: Head, x: np.ndarray, attn: bool) -> np.ndarray:
    """x (t, 4) -> relevance (t, 4), with the rules of Ali et al. 2022 or Achtibat et al. 2024 for the score of token 0"""
    q, k, v, out = (layer.weight.detach().numpy() for layer in (net.q, net.k, net.v, net.out))
    xq, xk, xv = x @ q.T, x @ k.T, x @ v.T
    scores = xq @ xk.T / 2
    a = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    share = 0.5 if attn else 1.0
    # o = sum_s a_0s v_s, score = out . o; relevance of a_0s v_sd is a_0s v_sd out_d
    to_v = share * a[0][:, None] * xv * out[0]  # (t, 4)
    values = x * ((to_v / xv) @ v)
    if not attn:
        return values
    to_a = 0.5 * a[0] * (xv @ out[0])  # (t,)
    to_scores = scores[0] * (to_a - a[0] * to_a.sum())  # softmax: x_i (R_i - a_i sum R)
    # scores_0s = q_0 . k_s / 2, half to each factor, each in proportion to its summands
    summands = xq[0] * xk / 2  # (t, 4)
    relevant = to_scores[:, None] * summands / scores[0][:, None] / 2
    values += x * ((relevant / xk) @ k)
    values[0] += x[0] * ((relevant.sum(0) / xq[0]) @ q)
    return values


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("attention", ["CP-LRP", "AttnLRP"])
def test_an_attention_head_against_numpy(attention: Any, fused: bool):
    net, x = Head(fused).double(), rows(3, 5, 4)
    record = pc.explain(net, x, pc.LRP(ZERO, attention=attention))
    expected = [by_hand(net, row, attention == "AttnLRP") for row in x]
    np.testing.assert_allclose(record.values, expected, atol=1e-12)
    if attention == "CP-LRP":
        np.testing.assert_allclose(record.values.sum((1, 2)), record.scores, rtol=1e-9)
        np.testing.assert_allclose(record.gap, 0, atol=1e-12)
    else:
        assert np.abs(record.gap).max() > 1e-3 and record.receipt.warnings


# --- beside captum ---------------------------------------------------------------------------------------------------


class Plain(nn.Module):
    """Convolutions and linear layers with modules between them, and no nn.Flatten, which captum's LRP does not know."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        conv = nn.Conv2d(2, 4, 3, bias=bias), nn.Conv2d(4, 5, 2, bias=bias)
        self.features = nn.Sequential(conv[0], nn.ReLU(), nn.MaxPool2d(2), conv[1], nn.ReLU())
        self.head = nn.Sequential(nn.Linear(20, 6, bias=bias), nn.ReLU(), nn.Linear(6, 3, bias=bias))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (pc.LRP(pc.Epsilon(1e-9), None), lambda: EpsilonRule(epsilon=1e-9)),
        (pc.LRP(pc.Gamma(0.3), None), lambda: GammaRule(gamma=0.3)),
        (pc.LRP(pc.ZPlus(), None), lambda: Alpha1_Beta0_Rule()),
    ],
    ids=["epsilon", "gamma", "z-plus"],
)
@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks", "ignore:Input Tensor 0 did not already")
def test_captum_agrees_on_positive_inputs_and_scores(ours: Any, theirs: Any):
    # without biases for the rules that treat signs apart: captum leaves them as they are, the papers split them like weights
    net, x = Plain(bias=isinstance(ours.rule, pc.Epsilon)).double(), np.abs(rows(6, 2, 8, 8))
    target = pc.explain(net, x, pc.Saliency()).target.label
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.rule = theirs()
    record = pc.explain(net, x, ours, target=target)
    assert (record.scores > 0).all()
    expected = (
        attr.LRP(net)
        .attribute(torch.tensor(x), target=torch.tensor(np.broadcast_to(target, 6).copy()))
        .detach()
        .numpy()
    )
    np.testing.assert_allclose(record.values, expected, rtol=1e-5, atol=1e-6)


# --- fields and errors -----------------------------------------------------------------------------------------------


def test_names_are_rules_with_the_usual_numbers():
    assert pc.LRP("gamma") == pc.LRP(pc.Gamma(0.25)) and pc.LRP(first="flat").first == pc.Flat()
    assert pc.LRP.epsilon_plus_flat() == pc.LRP(pc.Epsilon(), pc.ZPlus(), pc.Flat())
    assert pc.LRP.epsilon_gamma_box(0.0, 1.0, attention="AttnLRP").attention == "AttnLRP"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: pc.LRP("delta"), "no relevance rule: give one of epsilon, gamma"),
        (lambda: pc.LRP(pc.Flat()), "only as first="),
        (lambda: pc.LRP(conv="z-box"), "only as first="),
        (lambda: pc.LRP(attention="attn"), "'CP-LRP' or 'AttnLRP'"),
        (lambda: pc.LRP(unruled="no"), "'error' or 'gradient'"),
        (lambda: pc.Epsilon(-1), "zero or positive"),
        (lambda: pc.Gamma(-0.1), "zero or positive"),
        (lambda: pc.AlphaBeta(2.0, 2.0), "alpha - beta = 1"),
    ],
)
def test_fields_are_checked(make: Callable[[], Any], says: str):
    with pytest.raises(pc.MethodError, match=says):
        make()


def test_a_first_rule_that_no_layer_could_use_is_reported():
    method = pc.LRP(first="flat")
    norm_first = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 2)).double()
    assert "had nothing to do" in pc.explain(norm_first, rows(2, 4), method, target=0).receipt.warnings[0]
    assert not pc.explain(nn.Linear(4, 2).double(), rows(2, 4), method, target=0).receipt.warnings
    assert not pc.explain(Patches(), rows(2, 2, 8, 8).astype(np.float32), method, target=0).receipt.warnings


def test_bounds_of_a_box_per_channel():
    net, x = cnn().double(), rows(2, 2, 8, 8)
    same = pc.explain(net, x, pc.LRP(first=pc.ZBox((-4.0, -4.0), (4.0, 4.0))), target=0)
    np.testing.assert_allclose(
        same.values, pc.explain(net, x, pc.LRP(first=pc.ZBox(-4.0, 4.0)), target=0).values, atol=1e-12
    )
    other = pc.explain(net, x, pc.LRP(first=pc.ZBox((-4.0, -9.0), (4.0, 4.0))), target=0)
    assert np.abs(other.values - same.values).max() > 1e-4


# --- a real network --------------------------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["LRP-0", "epsilon, gamma", "epsilon-plus-flat", "epsilon-gamma-box"])
def test_relevance_is_accounted_for_on_mobilenet(data_dir: Path, name: str):
    from mobilenet import mobilenet, samples

    net, (x, y) = mobilenet(data_dir), samples(data_dir, 2)
    record = pc.explain(net, x, ALL[name], target=y)
    scale = np.maximum(np.abs(record.scores), np.abs(record.base_values))
    assert (np.abs(record.gap) < 1e-4 * scale).all()
    for layer in net.modules():
        if getattr(layer, "bias", None) is not None:
            layer.bias.data.zero_()
    bare_record = pc.explain(net, x, pc.LRP(ZERO, None), target=y)
    np.testing.assert_allclose(bare_record.values.sum((1, 2, 3)), bare_record.scores, rtol=1e-4)
