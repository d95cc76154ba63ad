"""DeepLIFT and DeepSHAP: completeness on everything a network may run, closed forms, Shapley values, and captum beside them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pc
from nets import Formula, Residual, cnn, linear
from oracles import oracle
from zoo import NETWORKS, Block, stack

quiet = pytest.mark.filterwarnings("ignore:Setting forward, backward hooks", "ignore:Input Tensor 0 did not already")
RULES = ("rescale", "reveal-cancel")
each_rule = pytest.mark.parametrize("rule", RULES)


def rows(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def gaps(net: nn.Module, x: np.ndarray, method: Any, **arguments: Any) -> np.ndarray:
    """|gap| relative to the change of the score, at least 1."""
    record = pc.explain(net.double(), x, method, **arguments)
    assert np.abs(record.scores - record.base_values).max() > 1e-3, "the network does not answer to its input"
    assert record.receipt.unruled == ()
    return np.abs(record.gap) / np.maximum(np.abs(record.scores - record.base_values), 1)


# --- closed forms ----------------------------------------------------------------------------------------------------


@each_rule
def test_linear_model(rule: str):
    truth = oracle("LIN-1")["expected"]
    method = pc.DeepLift(baseline=(0.5, 0.0, -2.0), rule=rule)
    record = pc.explain(linear([2, -3, 0.5], 1), np.array([[1.0, 2, 4]]), method)
    np.testing.assert_allclose(record.values[0], truth["DeepLIFT"])
    np.testing.assert_allclose([record.scores[0], record.base_values[0]], [truth["f_x"], truth["f_base"]])


@each_rule
def test_saturation(rule: str):
    net = Formula(lambda x: 1 - F.relu(1 - x[:, 0]))
    record = pc.explain(net, np.array([[2.0]]), pc.DeepLift(rule=rule))
    assert record.values.item() == pytest.approx(oracle("SAT-1")["expected"]["deeplift_rescale"], abs=1e-12)


class Minimum(nn.Module):
    """min(i1, i2) = i1 - ReLU(i1 - i2), the example of the paper's section 3.5.2."""

    def __init__(self) -> None:
        super().__init__()
        self.less = nn.Linear(2, 1, bias=False)
        self.less.weight.data = torch.tensor([[1.0, -1.0]])

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1] - F.relu(self.less(x))


def test_reveal_cancel_shares_a_minimum_where_rescale_gives_it_to_one():
    x = np.array([[2.0, 3.0], [3.0, 1.0]])
    revealed = pc.explain(Minimum().double(), x, pc.DeepLift(rule="reveal-cancel")).values
    np.testing.assert_allclose(revealed, [[1, 1], [0.5, 0.5]], atol=1e-12)
    np.testing.assert_allclose(pc.explain(Minimum().double(), x, pc.DeepLift()).values, [[2, 0], [0, 1]], atol=1e-12)


def test_reveal_cancel_on_one_layer_against_the_paper_s_formula():
    torch.manual_seed(0)
    net, x, x0 = nn.Sequential(nn.Linear(9, 4), nn.Tanh(), nn.Linear(4, 1)).double(), rows(3, 9), 0.2
    w, b, v = net[0].weight.detach().numpy(), net[0].bias.detach().numpy(), net[2].weight.detach().numpy()[0]
    z0 = w @ np.full(9, x0) + b
    expected = np.zeros(x.shape)
    for row, values in zip(x, expected, strict=True):
        for j in range(4):
            part = w[j] * (row - x0)
            p, n = part[part > 0].sum(), part[part < 0].sum()
            assert p > 0 > n
            f = [np.tanh(z0[j] + shift) for shift in (0, p, n, p + n)]
            up, down = (f[1] - f[0] + f[3] - f[2]) / 2, (f[2] - f[0] + f[3] - f[1]) / 2
            values += v[j] * np.where(part > 0, part * up / p, part * down / n)
    record = pc.explain(net, x, pc.DeepLift(baseline=x0, rule="reveal-cancel"))
    np.testing.assert_allclose(record.values, expected, atol=1e-12)


def test_batch_norm_is_folded_into_the_layer_that_reveal_cancel_looks_at():
    torch.manual_seed(0)
    conv, norm, head = nn.Conv2d(2, 3, 3).double(), nn.BatchNorm2d(3).double(), nn.Linear(27, 2)
    norm.weight.data, norm.bias.data = torch.tensor([[0.7, -1.3, 1.0], [0.1, 0.2, -0.3]], dtype=torch.float64)
    norm.running_mean, norm.running_var = torch.tensor([[0.2, -0.1, 0.0], [0.5, 2.0, 1.0]], dtype=torch.float64)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    merged = nn.Conv2d(2, 3, 3).double()
    merged.weight.data = conv.weight.data * scale[:, None, None, None]
    merged.bias.data = (conv.bias.data - norm.running_mean) * scale + norm.bias
    x, method = rows(2, 2, 5, 5), pc.DeepLift(baseline=0.1, rule="reveal-cancel")
    whole = pc.explain(nn.Sequential(merged, nn.ReLU(), nn.Flatten(), head).double(), x, method, target=0)
    parts = pc.explain(nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), head).double(), x, method, target=0)
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-12)


# --- Shapley values --------------------------------------------------------------------------------------------------


def shapley(f: Callable[[np.ndarray], float], x: np.ndarray, x0: np.ndarray) -> np.ndarray:
    """Shapley values of one row against one reference, by enumeration."""
    p = len(x)
    values = np.zeros(p)
    for order in itertools.permutations(range(p)):
        z = x0.copy()
        before = f(z)
        for i in order:
            z[i] = x[i]
            values[i] += f(z) - before
            before = f(z)
    return values / math.factorial(p)


PRODUCTS = {
    "two factors": (2, lambda x: x[:, 0] * x[:, 1]),
    "einsum of three": (3, lambda x: torch.einsum("n,n,n->n", x[:, 0], x[:, 1], x[:, 2])),
    "einsum of four": (4, lambda x: torch.einsum("n,n,n,n->n", *x.unbind(1))),
    "a matrix product": (4, lambda x: (x[:, None, :2] @ x[:, 2:, None]).flatten(1)[:, 0]),
    "a maximum of two": (2, lambda x: F.max_pool1d(x[:, None], 2)[:, 0, 0]),
    "the larger": (2, lambda x: x[:, 0] + F.relu(x[:, 1])),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_maxima_get_their_shapley_values(name: str):
    p, formula = PRODUCTS[name]
    net, x, x0 = Formula(formula), rows(6, p, seed=3), rows(1, p, seed=4)
    ours = pc.explain(net, x, pc.DeepLift(baseline="background"), background=x0).values
    with torch.no_grad():
        exact = [shapley(lambda z: formula(torch.tensor(z[None])).item(), row, x0[0]) for row in x]
    np.testing.assert_allclose(ours, exact, atol=1e-12)


QUOTIENTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "a / b": lambda a, b: a / b,
    "a divided in place": lambda a, b: a.clone().div_(b),
    "a times one over b": lambda a, b: a * torch.reciprocal(b),
    "one over b times a": lambda a, b: (1 / b) * a,
    "a times an inverse root": lambda a, b: a * torch.rsqrt(b.square()),
}


@pytest.mark.parametrize("name", QUOTIENTS)
def test_a_quotient_is_read_as_a_product(name: str):
    x, x0 = np.abs(rows(5, 2)) + 0.1, np.array([[0.7, 1e-3]])
    net = Formula(lambda z: QUOTIENTS[name](z[:, 0], z[:, 1]))
    (a, b), (a0, b0) = x.T, x0[0]
    mean = (a / b + a0 / b0) / 2
    expected = np.stack([(a - a0), -mean * (b - b0)], axis=1) / ((b + b0) / 2)[:, None]
    record = pc.explain(net, x, pc.DeepLift(baseline="background"), background=x0)
    np.testing.assert_allclose(record.values, expected, rtol=1e-9)


@pytest.mark.parametrize("quotient", [lambda x: x[:, 0] / x[:, 1], lambda x: x[:, 0] * torch.reciprocal(x[:, 1])])
def test_a_quotient_whose_divisor_changes_sign_gets_its_shapley_values(quotient: Callable[[Tensor], Tensor]):
    x, x0 = np.array([[2.0, 3.0]]), np.array([[1.0, -2.0]])
    record = pc.explain(Formula(quotient), x, pc.DeepLift(baseline="background"), background=x0)
    with torch.no_grad():
        exact = shapley(lambda z: quotient(torch.tensor(z[None])).item(), x[0], x0[0])
    np.testing.assert_allclose(record.values[0], exact)


NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "layer norm": lambda x: F.layer_norm(x, (6,)),
    "RMS norm": lambda x: F.rms_norm(x, (6,), eps=1e-6),
    "RMS norm by hand": lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-12),
    "layer norm by hand": lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-6),
    "unit length": lambda x: F.normalize(x, dim=1),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_of_nothing_does_not_blow_up(name: str):
    w = torch.tensor(rows(6, seed=1))
    record = pc.explain(Formula(lambda x: NORMS[name](x) @ w), rows(4, 6), pc.DeepLift())
    np.testing.assert_allclose(record.gap, 0, atol=1e-9)
    assert np.abs(record.values).max() < 20


def test_deep_shap_is_the_mean_over_the_background_with_its_standard_error():
    net, x, background = cnn().double(), rows(2, 2, 8, 8), rows(7, 2, 8, 8, seed=1)
    record = pc.explain(net, x, pc.DeepShap(), target=1, background=background)
    single = [pc.explain(net, x, pc.DeepLift(), target=1, background=b[None]).values for b in background]
    np.testing.assert_allclose(record.values, np.mean(single, axis=0), atol=1e-12)
    np.testing.assert_allclose(record.stderr, np.std(single, axis=0, ddof=1) / np.sqrt(7), atol=1e-12)
    averaged = pc.explain(net, x, pc.DeepLift(baseline="background"), target=1, background=background)
    np.testing.assert_allclose(record.values, averaged.values, atol=1e-12)
    np.testing.assert_allclose(record.gap, 0, atol=1e-12)
    one = pc.explain(net, x, pc.DeepShap(), target=1, background=background[:1])
    assert one.stderr is None
    with pytest.raises(pc.InputError, match="needs background rows"):
        pc.explain(net, x, pc.DeepShap(), target=1)


@pytest.mark.slow
def test_the_error_bar_of_deep_shap_covers_another_background():
    net, x = Residual(1).double(), rows(1, 1, 9)
    truth = pc.explain(net, x, pc.DeepShap(), target=1, background=rows(4000, 1, 9, seed=9)).values[0, 0, 4]
    inside = 0
    for seed in range(200):
        record = pc.explain(net, x, pc.DeepShap(), target=1, background=rows(40, 1, 9, seed=100 + seed))
        inside += abs(record.values[0, 0, 4] - truth) < 2.02 * record.stderr[0, 0, 4]
    assert 0.9 <= inside / 200 <= 0.99


# --- it adds up ------------------------------------------------------------------------------------------------------


@each_rule
@pytest.mark.parametrize("name", NETWORKS)
def test_values_add_up_on_whole_networks(name: str, rule: str):
    make, shape = NETWORKS[name]
    torch.manual_seed(1)
    x, background = rows(3, *shape), rows(1, *shape, seed=5)
    assert gaps(make(), x, pc.DeepLift(rule=rule), target=1, background=background).max() < 1e-10


ACTIVATIONS = [
    nn.ReLU6(), nn.LeakyReLU(), nn.PReLU(), nn.RReLU(), nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(),
    nn.Mish(), nn.Softplus(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.Hardswish(), nn.Hardsigmoid(), nn.Hardtanh(),
    nn.Softsign(), nn.Tanhshrink(), nn.Softshrink(), nn.Hardshrink(), nn.Threshold(0.1, 0.05), nn.Softmax(1), nn.LogSoftmax(1),
    nn.Softmin(1), nn.Dropout(), nn.LocalResponseNorm(2), nn.Hardswish(inplace=True), nn.ELU(inplace=True),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_values_add_up_with_every_activation(activation: nn.Module):
    assert (
        gaps(stack(2, activation), rows(2, 2, 6, 6), pc.DeepLift(), target=0, background=rows(1, 2, 6, 6, seed=1)).max()
        < 1e-12
    )


def _reverse(x: Tensor) -> Tensor:
    return x.flip(1)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "quotient": lambda x: x / (_reverse(x).square() + 1),
    "one over": lambda x: 1 / (x.exp() + 1),
    "cube": lambda x: x**3,
    "power of two": lambda x: 2**x,
    "gate": lambda x: x * torch.sigmoid(x),
    "glu": lambda x: F.glu(torch.cat([x, _reverse(x)], 1)),
    "two branches": lambda x: torch.where(x > 0.2, x.square(), _reverse(x).sin()),
    "minimum": lambda x: torch.minimum(x, _reverse(x)),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "normalize": lambda x: F.normalize(x, dim=1),
    "normalize by sums": lambda x: F.normalize(x, p=1, dim=1),
    "layer norm by hand": lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3),
    "RMS norm by hand": lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    "RMS norm": lambda x: F.rms_norm(x, (6,)),
    "outer product": lambda x: torch.einsum("ni,nj->nij", x, x).sum(1),
    "cosine": lambda x: F.cosine_similarity(x, _reverse(x).exp(), dim=1)[:, None].expand(-1, 6),
    "distance": lambda x: F.pairwise_distance(x, _reverse(x))[:, None].expand(-1, 6),
    "log-sum-exp": lambda x: torch.logsumexp(x, 1, keepdim=True).expand(-1, 6),
    "softmax by hand": lambda x: x.exp() / x.exp().sum(1, keepdim=True),
    "product over an axis": lambda x: x.prod(1, keepdim=True).expand(-1, 6),
    "largest": lambda x: x.amax(1, keepdim=True).expand(-1, 6),
    "smallest": lambda x: x.min(1).values[:, None].expand(-1, 6),
    "steps": lambda x: x.round() + x.sign() * x,
    "interpolation": lambda x: F.interpolate(x[:, None], scale_factor=2, mode="linear")[:, 0, :6],
    "padding": lambda x: F.pad(x, (2, 2), value=3.0)[:, 1:7],
    "addcmul": lambda x: torch.addcmul(x, x, _reverse(x)),
    "lerp": lambda x: torch.lerp(x, _reverse(x), x.sigmoid()),
    "angle": lambda x: torch.atan2(x, _reverse(x) + 3),
    "windows": lambda x: F.pad(x.unfold(1, 3, 1).sum(-1), (1, 1)),
    "running sums": lambda x: x.cumsum(1) - x.logcumsumexp(1),
    "a weight that lives": lambda x: F.conv1d(x[None], x[:, None, :3].contiguous(), groups=len(x))[0].repeat(1, 2)[
        :, :6
    ],
}


class Around(nn.Module):
    """A linear layer, a function, a linear layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.function = nn.Linear(6, 6), nn.Linear(6, 2), function

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.function(self.one(x)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_add_up_around_every_function(name: str):
    net, x = Around(FUNCTIONS[name]), rows(3, 6)
    assert gaps(net, x, pc.DeepLift(), target=1, background=rows(1, 6, seed=1)).max() < 1e-10


def test_values_add_up_on_the_scale_of_probabilities():
    target = pc.Class(1, scale="probability")
    assert (
        gaps(Block(), rows(3, 3, 8, 8), pc.DeepLift(), target=target, background=rows(1, 3, 8, 8, seed=1)).max() < 1e-12
    )


def test_values_add_up_for_a_target_that_is_a_function():
    def gap_of_two(outputs: Tensor) -> Tensor:
        return (outputs[:, 0] - outputs[:, 1]).square()

    assert (
        gaps(Residual(2), rows(3, 1, 6, 6), pc.DeepLift(), target=gap_of_two, background=rows(1, 1, 6, 6, seed=1)).max()
        < 1e-12
    )


def test_single_precision_adds_up_to_its_rounding():
    net, x = Block(), rows(3, 3, 8, 8).astype(np.float32)
    record = pc.explain(net, x, pc.DeepLift(), target=1, background=rows(1, 3, 8, 8, seed=1).astype(np.float32))
    np.testing.assert_allclose(record.gap, 0, atol=1e-5)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), width=st.integers(1, 7), scale=st.floats(0.01, 30), rule=st.sampled_from(RULES))
def test_values_add_up_on_random_networks(seed: int, width: int, scale: float, rule: str):
    torch.manual_seed(seed)
    acts = [nn.ReLU(), nn.GELU(), nn.Tanh(), nn.LeakyReLU(), nn.Softplus(), nn.SiLU()]
    first, second = acts[seed % 6], acts[(seed // 6) % 6]
    net = nn.Sequential(
        nn.Linear(4, width), first, nn.LayerNorm(width), nn.Linear(width, 5), second, nn.Linear(5, 1)
    ).double()
    x = rows(4, 4, seed=seed) * scale
    x[0] = 0  # equal to the reference
    record = pc.explain(net, x, pc.DeepLift(rule=rule))
    np.testing.assert_allclose(record.gap, 0, atol=1e-9 * max(1, np.abs(record.scores).max()))
    np.testing.assert_allclose(record.values[0], 0, atol=1e-12)


# --- one reference for all rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["residual", "encoder True gelu", "multi-head with weights", "LSTM", "masked attention"]
)
def test_a_shared_reference_gives_what_one_for_each_row_gives(name: str):
    make, shape = NETWORKS[name]
    torch.manual_seed(1)
    net, x, reference = make().double(), rows(4, *shape), rows(1, *shape, seed=1)
    shared = pc.explain(net, x, pc.DeepLift(), target=1, background=reference)
    alone = [pc.explain(net, row[None], pc.DeepLift(), target=1, background=reference).values[0] for row in x]
    np.testing.assert_allclose(shared.values, alone, atol=1e-11)
    folds = name == "multi-head with weights"  # rows and heads share an axis: the reference is run for each row
    assert shared.receipt.rows_forward == 4 + 1 + (4 if folds else 0) + 4


def test_rows_with_references_of_their_own():
    net, x = cnn().double(), rows(3, 2, 8, 8)
    record = pc.explain(net, x, pc.DeepLift(baseline="mean"), target=1)
    for row, values, base in zip(x, record.values, record.base_values, strict=True):
        alone = pc.explain(net, row[None], pc.DeepLift(baseline="mean"), target=1)
        np.testing.assert_allclose(values, alone.values[0], atol=1e-12)
        np.testing.assert_allclose(base, alone.base_values[0])
    assert record.receipt.rows_forward == 3 + 3 + 3


def test_extra_inputs_keep_their_rows():
    class Scaled(nn.Module):
        def forward(self, x: Tensor, by: Tensor) -> Tensor:
            return torch.tanh(x * by[:, None]).sum(1)

    by = np.array([1.0, 2.0, 3.0])
    record = pc.explain(Scaled(), rows(3, 4), pc.DeepLift(), extra={"by": by})
    np.testing.assert_allclose(record.values, np.tanh(rows(3, 4) * by[:, None]), atol=1e-12)


# --- beside captum ---------------------------------------------------------------------------------------------------


@quiet
def test_captum_agrees_on_plain_networks():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 4, 3),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 5, 2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(20, 6),
    ]
    net = nn.Sequential(*layers, nn.Softplus(), nn.Linear(6, 3)).double()
    x, x0 = torch.tensor(rows(4, 2, 8, 8)), torch.tensor(rows(4, 2, 8, 8, seed=1))
    theirs = attr.DeepLift(net).attribute(x, x0, target=2).detach().numpy()
    ours = [
        pc.explain(net, x[i : i + 1], pc.DeepLift(), target=2, background=x0[i : i + 1]).values[0] for i in range(4)
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
    shap = attr.DeepLiftShap(net).attribute(x, x0, target=2).detach().numpy()
    np.testing.assert_allclose(pc.explain(net, x, pc.DeepShap(), target=2, background=x0).values, shap, atol=1e-7)


class Functional(nn.Module):
    """Rectified by a function, or twice by one module."""

    def __init__(self, reused: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.three = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 1)
        self.act = nn.ReLU() if reused else F.relu

    def forward(self, x: Tensor) -> Tensor:
        return self.three(self.act(self.two(self.act(self.one(x)))))


@quiet
@pytest.mark.parametrize("reused", [False, True])
def test_functional_and_reused_activations_are_complete_here_and_not_in_captum(reused: bool):
    net, x = Functional(reused).double(), torch.tensor(rows(6, 5))
    record = pc.explain(net, x, pc.DeepLift())
    np.testing.assert_allclose(record.gap, 0, atol=1e-12)
    change = record.scores - record.base_values
    try:
        theirs = attr.DeepLift(net).attribute(x, torch.zeros_like(x)).detach().numpy()
    except RuntimeError as error:  # it refuses a module that is used twice
        assert reused and "used more than once" in str(error)
        return
    assert np.abs(theirs.sum(1) - change).max() > 1e-2


# --- fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: pc.DeepLift(rule="reveal"),
        lambda: pc.DeepLift(unruled="ignore"),
        lambda: pc.DeepLift(baseline="black"),
        lambda: pc.DeepShap(rule=3),
    ],
)
def test_fields_are_checked(make: Callable[[], Any]):
    with pytest.raises(pc.MethodError, match="choose"):
        make()


def test_packed_sequences_are_refused_with_a_remedy():
    class Packing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 3, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((len(x),), 5), batch_first=True)
            return self.lstm(packed)[1][0][0]

    with pytest.raises(pc.ModelError, match=r"padded sequences \(n, t, d\)"):
        pc.explain(Packing(), rows(2, 5, 4).astype(np.float32), pc.DeepLift(), target=0)


# --- a real network --------------------------------------------------------------------------------------------------


@pytest.mark.realdata
@each_rule
def test_values_add_up_on_mobilenet(data_dir: Path, rule: str):
    from mobilenet import mobilenet, samples

    net, (x, y) = mobilenet(data_dir), samples(data_dir, 2)
    single = pc.explain(net, x, pc.DeepLift(rule=rule), target=y)
    assert (single.scores - single.base_values > 3).all()
    assert (np.abs(single.gap) < 1e-5 * np.abs(single.scores - single.base_values)).all()
    double = pc.explain(net.double(), x[:1].astype(float), pc.DeepLift(rule=rule), target=y[:1])
    assert np.abs(double.gap).max() < 1e-11
    assert np.linalg.norm(single.values[0] - double.values[0]) < 0.01 * np.linalg.norm(double.values)
