"""The engine of backward rules: what it sees, what it refuses, and guided backpropagation on top of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import pellucid as pc
from nets import Formula, Patches, Residual, cnn
from oracles import oracle
from pellucid.models.rewire.functions import canonical, opened, out_of_place
from pellucid.models.rewire.guided import guided
from pellucid.models.rewire.memory import Keeper, Marks
from pellucid.models.torch import randomized

quiet = pytest.mark.filterwarnings("ignore:Setting backward hooks", "ignore:Input Tensor 0 did not already")
RULED = [pc.DeepLift(), pc.DeepLift(rule="reveal-cancel"), pc.LRP(), pc.GuidedBackprop(), pc.Deconvnet()]


def rows(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# --- names and parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "name", "writes"),
    [
        (torch.relu, "relu", False),
        (torch.relu_, "relu", True),
        (Tensor.relu_, "relu", True),
        (Tensor.__iadd__, "add", True),
        (Tensor.__add__, "add", False),
        (Tensor.__setitem__, "setitem", True),
        (Tensor.__getitem__, "getitem", False),
        (torch.true_divide, "div", False),
        (torch.special.expit, "sigmoid", False),
        (Tensor.clip_, "clamp", True),
        (Tensor.shape.__get__, "shape", False),
        (torch._C._nn.elu_, "elu", True),
    ],
)
def test_one_name_for_every_spelling(function: Any, name: str, writes: bool):
    assert canonical(function) == (name, writes)


def test_functions_written_in_python_are_opened_and_primitives_are_not():
    assert opened(F.relu) is not None and opened(F.multi_head_attention_forward) is not None
    assert opened(torch.relu) is None and opened(torch.functional.einsum) is None
    x = torch.randn(3, 4)
    assert torch.equal(opened(F.softmax)(x, dim=1), F.softmax(x, dim=1))


@pytest.mark.parametrize("function", [Tensor.relu_, torch._C._nn.silu_, Tensor.__setitem__, Tensor.index_fill_])
def test_a_function_in_place_has_a_twin_that_leaves_its_target_alone(function: Any):
    more = {"__setitem__": (0, 1.0), "index_fill_": (0, torch.tensor([1]), 2.0)}.get(function.__name__, ())
    given, target = torch.randn(2, 3), torch.randn(2, 3)
    given.copy_(target)
    made = out_of_place(function)(given, *more)
    assert torch.equal(given, target) and not torch.equal(made, target)
    function(target, *more)
    assert torch.equal(made, target)


# --- memory ----------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_copied_before_someone_writes():
    keeper, x = Keeper(), torch.arange(6.0)
    whole, half, other = keeper.keep(x), keeper.keep(x[:3]), keeper.keep(torch.ones(2))
    keeper.before_write(x[4:])
    x.zero_()
    assert whole.get().tolist() == [0, 1, 2, 3, 4, 5] and half.get().tolist() == [0, 1, 2]
    assert other.get().tolist() == [1, 1]


def test_a_write_that_nobody_announced_is_noticed():
    keeper, x = Keeper(), torch.arange(3.0)
    kept = keeper.keep(x)
    x.add_(1)
    with pytest.raises(pc.ModelError, match="overwritten"):
        kept.get()


def test_marks_are_forgotten_when_the_tensor_changes():
    marks, x, y = Marks(), torch.ones(2), torch.ones(2)
    marks.put(x, "first")
    assert marks.get(x) == "first" and marks.get(y) is None
    marks.move(x, y)
    assert marks.get(y) == "first"
    x[0] = 3
    assert marks.get(x) is None
    marks.move(x, y)
    assert marks.get(y) is None


# --- what a network may do -------------------------------------------------------------------------------------------


class Spelled(nn.Module):
    """The same rectified layer, written in a way of choice."""

    def __init__(self, rectify: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Linear(5, 6), nn.Linear(6, 2)
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.rectify(self.one(x)))


class Deep(Spelled):
    """Rectified twice, so that what comes back to the first rectifier has both signs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.rectify(x) - 0.5)


def _into(x: Tensor) -> Tensor:
    x[x < 0] = 0
    return x


SPELLINGS = {
    "module": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "function in place": lambda x: F.relu(x, inplace=True),
    "method": lambda x: x.relu_(),
    "clamp": lambda x: x.clamp(min=0),
    "clamp in place": lambda x: x.clamp_(0),
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "where": lambda x: torch.where(x > 0, x, 0),
    "where, a method": lambda x: x.where(x > 0, 0),
    "masked fill": lambda x: x.masked_fill(x < 0, 0),
    "mask": lambda x: x * (x > 0),
    "index": _into,
    "threshold": lambda x: F.threshold(x, 0, 0),
}


@pytest.mark.parametrize("method", [pc.DeepLift(baseline=0.3), pc.LRP(pc.Epsilon(0.1))], ids=["DeepLift", "LRP"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_rectifier_gives_the_same(method: Any, spelling: str):
    x = rows(4, 5)
    usual = pc.explain(Spelled(SPELLINGS["module"]).double(), x, method, target=1)
    other = pc.explain(Spelled(SPELLINGS[spelling]).double(), x, method, target=1)
    np.testing.assert_allclose(other.values, usual.values, atol=1e-7)
    np.testing.assert_allclose(other.gap, 0, atol=1e-7)


class Writes(nn.Module):
    """Overwrites its input, then activations that rules have read, then a part of one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x.mul_(2).add_(1)
        z = self.one(x)
        y = torch.tanh(z)
        z += 3
        z[:, 0] = z[:, 1] * z[:, 2]
        z.sigmoid_()
        return self.two(y * z)


@pytest.mark.parametrize("method", [pc.DeepLift(baseline=0.3), pc.DeepLift(0.3, "reveal-cancel"), pc.LRP()])
def test_writing_in_place_is_followed(method: Any):
    x = rows(3, 4)
    record = pc.explain(Writes().double(), x, method, target=0)
    np.testing.assert_allclose(record.gap, 0, atol=1e-7)
    np.testing.assert_array_equal(x, rows(3, 4))


def test_writing_into_a_part_of_the_input_is_refused_where_it_cannot_be_followed():
    net = Formula(lambda x: (x[:, 0].zero_(), x.sum(1))[1])
    with pytest.raises(pc.ModelError, match="part of its input"):
        pc.explain(net, rows(2, 3), pc.LRP())


def test_hooks_run_once_in_every_pass():
    net, calls = cnn(), []
    net[0].register_forward_hook(lambda *_: calls.append(1))
    pc.explain(net, rows(2, 2, 8, 8), pc.DeepLift(), target=0)
    assert len(calls) == 3  # the scores, the reference pass, the pass itself


@pytest.mark.parametrize("method", RULED, ids=repr)
def test_activations_in_a_user_s_hook_are_left_alone(method: Any):
    net, seen = Spelled(nn.ReLU()).double(), []
    net.one.register_forward_hook(lambda _module, _inputs, out: seen.append(out.detach().clone().relu_()))
    free = pc.explain(Spelled(nn.ReLU()).double(), rows(2, 5), method, target=0)
    np.testing.assert_array_equal(pc.explain(net, rows(2, 5), method, target=0).values, free.values)
    assert seen


# --- what it cannot see or does not know -----------------------------------------------------------------------------


class Own(torch.autograd.Function):
    """A function that the network brings along."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return 2 * g * ctx.saved_tensors[0]


@pytest.mark.parametrize("method", [pc.DeepLift(), pc.LRP(), pc.GuidedBackprop()], ids=repr)
def test_a_custom_function_is_found_in_the_graph(method: Any):
    net = Formula(lambda x: torch.relu(Own.apply(x)).sum(1))
    with pytest.raises(
        pc.ModelError, match=r"Own \(run by scripted or compiled code, vmap, or a custom autograd function\)"
    ):
        pc.explain(net, rows(2, 3), method)


def test_unknown_functions_can_be_taken_by_their_gradient_and_are_listed():
    net = Formula(lambda x: (x.sort(1).values * torch.tensor([1.0, 2, 3])).sum(1) + Own.apply(x).sum(1))
    with pytest.raises(pc.ModelError, match=r"no backward rule for sort, .*unruled='gradient'.*IntegratedGradients"):
        pc.explain(net, rows(2, 3), pc.DeepLift())
    record = pc.explain(net, rows(2, 3), pc.DeepLift(unruled="gradient"))
    assert [name.partition(" ")[0] for name in record.receipt.unruled] == ["sort", "Own"]
    assert record.receipt.warnings and np.abs(record.gap).max() > 0.1
    gradient = pc.explain(net, rows(2, 3), pc.InputXGradient())
    np.testing.assert_allclose(record.values, gradient.values, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripted_code_is_refused_by_name_or_found_in_the_graph():
    net = nn.Sequential(nn.Linear(3, 3), torch.jit.script(nn.ReLU()))
    with pytest.raises(pc.ModelError, match="module 1 is scripted"):
        pc.explain(net, rows(2, 3).astype(np.float32), pc.DeepLift(), target=0)
    rectify = torch.jit.script(_scripted)
    with pytest.raises(pc.ModelError, match=r"Relu .run by scripted"):
        pc.explain(Formula(lambda x: rectify(x).sum(1)), rows(2, 3), pc.DeepLift())


def _scripted(x: Tensor) -> Tensor:
    return torch.relu(x)


def test_compiled_modules_are_refused_by_name():
    class OptimizedModule(nn.Module):  # what torch.compile returns; the compiler itself takes seconds to load
        def forward(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(pc.ModelError, match="module inner is compiled"):
        net = Spelled(nn.ReLU())
        net.inner = OptimizedModule()
        pc.explain(net, rows(2, 5).astype(np.float32), pc.LRP(), target=0)


def test_control_flow_that_depends_on_the_values_is_noticed():
    net = Formula(lambda x: (x.tanh() if x.sum() > 0 else x.sigmoid()).sum(1))
    with pytest.raises(pc.ModelError, match="the network ran tanh on x where it ran sigmoid on the reference"):
        pc.explain(net, np.ones((1, 3)), pc.DeepLift(baseline=-1.0))
    longer = Formula(lambda x: (x.tanh() if x.sum() < 0 else x).sum(1))
    with pytest.raises(pc.ModelError, match="ran nothing on x where it ran tanh"):
        pc.explain(longer, np.ones((1, 3)), pc.DeepLift(baseline=-1.0))


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (lambda x: torch.add(x, 1, out=torch.empty(0, dtype=x.dtype)), "with out="),
        (lambda x: F.dropout(x, 0.5), "dropout that stays active"),
        (lambda x: F.batch_norm(x, None, None, training=True), "statistics of the batch"),
        (lambda x: torch.vmap(torch.tanh)(x), "Tanh .*vmap"),
    ],
    ids=["out", "dropout", "batch statistics", "vmap"],
)
def test_steps_that_no_rule_can_follow(step: Any, says: str):
    with pytest.raises(pc.ModelError, match=says):
        pc.explain(Formula(lambda x: step(x).sum(1)), rows(3, 4), pc.LRP())


@pytest.mark.slow  # the first checkpoint of a process takes seconds to import
@pytest.mark.parametrize(("reentrant", "says"), [(False, "checkpointing off"), (True, "CheckpointFunction")])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_checkpoint_is_an_error_and_not_a_wrong_answer(reentrant: bool, says: str):
    weight = torch.ones(3, 2, dtype=torch.float64)
    net = Formula(lambda x: checkpoint(lambda y: (y.tanh() * y) @ weight, x, use_reentrant=reentrant).sum(1))
    with pytest.raises(pc.ModelError, match=says):
        pc.explain(net, rows(2, 3), pc.DeepLift())


def test_a_gate_without_gradients_shows_in_the_gap():
    def gated(x: Tensor) -> Tensor:
        with torch.no_grad():
            gate = torch.sigmoid(x)
        return (gate + x).sum(1)

    record = pc.explain(Formula(gated), rows(2, 3), pc.DeepLift())
    expected = (1 / (1 + np.exp(-rows(2, 3))) - 0.5).sum(1)
    np.testing.assert_allclose(record.gap, expected, atol=1e-12)
    assert record.receipt.warnings


def test_whole_numbers_have_no_gradient():
    with pytest.raises(pc.InputError, match=r"dtype int64.*embeddings"):
        pc.explain(Formula(lambda x: x.float().sum(1)), np.ones((2, 3), np.int64), pc.DeepLift())


# --- guided backpropagation and the deconvolutional network ----------------------------------------------------------


def test_guided_and_deconvnet_closed_form():
    truth = oracle("GBP")["expected"]
    net = Formula(lambda x: (F.relu(x) * torch.tensor([1.0, -1, 1])).sum(1))
    x = np.array([[1.0, 1, -1]])
    assert pc.explain(net, x, pc.Saliency()).values[0].tolist() == truth["gradient"]
    assert pc.explain(net, x, pc.GuidedBackprop()).values[0].tolist() == truth["guided"]
    assert pc.explain(net, x, pc.Deconvnet()).values[0].tolist() == truth["deconvnet"]


@quiet
@pytest.mark.parametrize(
    ("ours", "theirs"), [(pc.GuidedBackprop(), attr.GuidedBackprop), (pc.Deconvnet(), attr.Deconvolution)], ids=repr
)
def test_captum_agrees_where_activations_are_modules(ours: Any, theirs: Any):
    torch.manual_seed(3)
    layers = [
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16, 3),
    ]
    net, x = nn.Sequential(*layers).double(), torch.randn(3, 1, 8, 8, dtype=torch.float64)
    expected = theirs(net).attribute(x, target=2).detach().numpy()
    np.testing.assert_allclose(pc.explain(net, x, ours, target=2).values, expected, atol=1e-12)
    assert np.abs(expected - pc.explain(net, x, pc.Saliency(), target=2).values).max() > 1e-3


@quiet
def test_captum_misses_functional_activations_and_we_do_not():
    functional, modular = (Deep(rectify).double() for rectify in (F.relu, nn.ReLU()))
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).double()
    expected = pc.explain(modular, x, pc.GuidedBackprop(), target=0).values
    np.testing.assert_array_equal(pc.explain(functional, x, pc.GuidedBackprop(), target=0).values, expected)
    theirs = attr.GuidedBackprop(functional).attribute(x, target=0).detach().numpy()
    assert np.abs(theirs - expected).max() > 1e-2


def test_without_a_rectifier_it_is_the_gradient_and_says_so():
    net = Patches()
    net.block.activation = F.gelu
    x = rows(2, 2, 8, 8).astype(np.float32)
    record = pc.explain(net, x, pc.GuidedBackprop(), target=0)
    assert record.receipt.warnings == (
        "the network runs no function of the ReLU family, so this is its plain gradient",
    )
    np.testing.assert_allclose(record.values, pc.explain(net, x, pc.Saliency(), target=0).values, atol=1e-6)
    assert not pc.explain(
        Residual(2), rows(2, 1, 5, 5).astype(np.float32), pc.GuidedBackprop(), target=0
    ).receipt.warnings


def test_the_cards_say_what_adebayo_found():
    for method in (pc.GuidedBackprop, pc.Deconvnet):
        assert "fails the sanity check of Adebayo et al. 2018" in method.card.weaknesses
        assert not method.card.complete


def test_a_table_without_reference_runs_without_a_tape():
    net, x = cnn(), rows(2, 2, 8, 8).astype(np.float32)
    record = pc.explain(net, x, pc.GuidedBackprop(), target=0)
    assert (record.receipt.rows_forward, record.receipt.rows_backward) == (4, 2)
    assert not any(rule.taped(None) for rule in guided.rules.values())  # type: ignore[arg-type]


def digits_network() -> tuple[nn.Module, np.ndarray, np.ndarray]:
    """Five convolutions on scikit-learn's digits, trained for a moment; with 60 pictures that were held out."""
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for i in range(5):
        layers += [nn.Conv2d(16 if i else 1, 16, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(25):
        for batch in torch.randperm(1500).split(50):
            optimizer.zero_grad()
            F.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    assert (net(x[1500:]).argmax(1) == y[1500:]).float().mean() > 0.9
    return net, x[1500:1560].numpy(), labels[1500:1560]


@pytest.mark.slow
def test_guided_backprop_fails_the_sanity_check_and_the_gradient_passes_it():
    net, x, y = digits_network()
    figures = oracle("LOCAL-SANITY")["expected"]
    for method, figure in ((pc.Saliency(), figures["grad"][-1]), (pc.GuidedBackprop(), figures["guidedBP"][-1])):
        usual = pc.explain(net, x, method, target=y).values
        alike = []
        for seed in range(3):
            changed = pc.explain(randomized(net, depth=6, seed=seed), x, method, target=y).values
            alike += [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(usual, changed, strict=True)]
        assert np.mean(alike) == pytest.approx(figure, abs=0.15), method
