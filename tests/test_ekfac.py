"""EK-FAC: exact where the curvature factors, gradients of every kind of layer, its rank beside the exact inverse, kept factors."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional

import pellucid as pc
from pellucid.core.budget import Meter
from pellucid.models.torch import TorchAdapter
from pellucid.models.training.gradients import Training
from pellucid.models.training.samples import Samples
from test_influence import module


def opened(model, X, y, task=None, parameters=None):
    adapter = TorchAdapter(model)
    data = Samples((X, y), "train", adapter.dtype, adapter.device)
    told = task or pc.CrossEntropy()
    return Training(model, data, data, told, told, parameters, Meter())


def test_it_is_the_exact_gauss_newton_inverse_where_there_is_one_output():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    xq, yq = rng.normal(size=(3, 4)), rng.normal(size=3)
    theta = rng.normal(size=4)
    made = pc.influence(module(theta), (X, y), (xq, yq), pc.EKFAC(l2=0.1, damping=0.0))
    exact = pc.influence(module(theta), (X, y), (xq, yq), pc.InfluenceFunctions(l2=0.1))
    np.testing.assert_allclose(made.scores, exact.scores, atol=1e-10)
    np.testing.assert_allclose(made.self_influence, exact.self_influence, atol=1e-10)


def test_without_a_damping_a_tenth_of_the_mean_curvature_is_added():
    rng = np.random.default_rng(2)
    X, y, theta = rng.normal(size=(30, 4)) * [1, 2, 3, 4], rng.normal(size=30), rng.normal(size=4)
    asked = module(theta), (X, y), (X[:2], y[:2])
    tenth = 0.1 * np.trace(X.T @ X / 30) / 4
    made, exact = (pc.influence(*asked, m) for m in (pc.EKFAC(l2=0.1), pc.InfluenceFunctions(l2=0.1, damping=tenth)))
    np.testing.assert_allclose(made.scores, exact.scores, atol=1e-10)


def test_of_one_logit_the_root_squared_is_the_curvature_of_the_loss():
    out = torch.tensor([[0.0], [2.0], [-1.0]], dtype=torch.float64, requires_grad=True)
    loss = pc.CrossEntropy().each(out, torch.tensor([1, 0, 1])).sum()
    (slope,) = torch.autograd.grad(loss, out, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), out)
    torch.testing.assert_close(pc.CrossEntropy().roots(out.detach())[0] ** 2, curvature)


class Everything(nn.Module):
    """An embedding, attention, a tied output, a norm, and convolutions of a strange shape."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(7, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Conv1d(8, 8, 3, stride=2, padding=1, dilation=2)
        self.plane = nn.Conv2d(1, 3, (2, 3), padding=(1, 0), bias=False)
        self.last = nn.Linear(3, 8)

    def forward(self, ids):
        h = self.words(ids)
        h = self.norm(h + self.attention(h, h, h, need_weights=False)[0])
        h = torch.tanh(self.mix(h.transpose(1, 2)))
        h = torch.relu(self.plane(h[:, None])).mean(dim=(2, 3))
        return functional.linear(self.last(h), self.words.weight)  # tied


def test_every_kind_of_layer_gives_autograds_own_gradient():
    ids, y = np.random.default_rng(1).integers(0, 7, (5, 8)), np.arange(5)
    model = Everything().double()
    training = opened(model, ids, y)
    sides = training.layered("train", np.arange(5))
    met = {name for key in sides for name in key if name is not None}
    assert met == {name for name, _ in model.named_parameters()} - {"norm.weight", "norm.bias"}
    loss = functional.cross_entropy(model(torch.tensor(ids)), torch.tensor(y), reduction="none")
    for i in range(5):
        found = torch.autograd.grad(loss[i], list(model.parameters()), retain_graph=True)
        grads = dict(zip([name for name, _ in model.named_parameters()], found, strict=True))
        for (weight, bias), (a, g) in sides.items():
            whole = np.einsum("tc,td->cd", g[i], a[i])
            own = grads[weight].flatten(1).numpy()
            np.testing.assert_allclose(whole[:, : own.shape[1]], own, atol=1e-12)
            if bias is not None:
                np.testing.assert_allclose(whole[:, -1], grads[bias].numpy(), atol=1e-12)


def gauss_newton(model, X, y, chosen):
    """The whole matrix by its definition, mean of J' H J over examples, H the curvature of softmax cross entropy."""
    parameters = [p for name, p in model.named_parameters() if name in chosen]
    total = 0
    for row in X:
        out = model(torch.tensor(row[None]))[0]
        J = torch.stack(
            [torch.cat([g.ravel() for g in torch.autograd.grad(o, parameters, retain_graph=True)]) for o in out]
        )
        p = torch.softmax(out, 0).detach()
        total = total + J.T @ (torch.diag(p) - torch.outer(p, p)) @ J
    return (total / len(X)).numpy()


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 5))
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y)).backward()
        optimiser.step()
    model.zero_grad()
    return model, X, y, rng.normal(size=(6, 5)), np.array([0, 1, 2, 0, 1, 0])


def test_the_roots_make_the_gauss_newton_matrix(trained):
    model, X, y, *_ = trained
    training = opened(model, X, y)
    whole = gauss_newton(model, X, y, ["2.weight", "2.bias"])
    order = [c * 7 + d for c in range(3) for d in range(6)] + [
        c * 7 + 6 for c in range(3)
    ]  # the bias of a row is its last

    def made(draws=None):
        total = np.zeros((21, 21))
        for sides in training.roots(np.arange(80), draws, np.random.default_rng(0)):
            a, g = sides["2.weight", "2.bias"]
            flat = np.einsum("btc,btd->bcd", g, a).reshape(80, -1)
            total += flat.T @ flat
        return (total / 80)[np.ix_(order, order)]

    np.testing.assert_allclose(made(), whole, atol=1e-12)
    off = [np.abs(made(draws) - whole).max() / np.abs(whole).max() for draws in (1, 300)]
    assert off[1] < 0.1 and off[1] < off[0] / 5


def test_its_ranks_are_those_of_the_exact_inverse_block_by_block(trained):
    """Reported: rank correlation with the exact Gauss-Newton inverse, layers apart, on a small network."""
    model, X, y, xq, yq = trained
    damping = 0.01
    made = pc.influence(model, (X, y), (xq, yq), pc.EKFAC(damping=damping))
    exact = 0
    for layer in ("0", "2"):
        names = [f"{layer}.weight", f"{layer}.bias"]
        G = gauss_newton(model, X, y, names)
        t, q = (opened(model, *data, parameters=tuple(names)) for data in ((X, y), (xq, yq)))
        g, m = t.gradients("train", np.arange(80)), q.gradients("train", np.arange(6))
        exact = exact + m @ np.linalg.solve(G + damping * np.eye(len(G)), g.T) / 80
    ranks = [spearmanr(a, b).statistic for a, b in zip(made.scores, exact, strict=True)]
    plain = pc.influence(model, (X, y), (xq, yq), pc.GradientSimilarity())
    reference = [spearmanr(a, b).statistic for a, b in zip(plain.scores, exact, strict=True)]
    assert np.mean(ranks) > 0.75 and np.mean(ranks) > np.mean(reference) + 0.1
    assert np.corrcoef(made.scores.ravel(), exact.ravel())[0, 1] > 0.8
    off = []
    for draws in (1, 30):
        drawn = pc.influence(model, (X, y), (xq, yq), pc.EKFAC(damping=damping, draws=draws))
        assert np.mean([spearmanr(a, b).statistic for a, b in zip(drawn.scores, made.scores, strict=True)]) > 0.9
        off.append(np.abs(drawn.scores - made.scores).max())
    assert off[1] < off[0] / 2


def test_factors_are_kept_and_those_of_another_training_refused(trained, tmp_path):
    model, X, y, xq, yq = trained
    file = tmp_path / "factors.npz"
    first = pc.influence(model, (X, y), (xq, yq), pc.EKFAC(), factors=file)
    again = pc.influence(model, (X, y), (xq, yq), pc.EKFAC(), factors=file)
    np.testing.assert_array_equal(again.scores, first.scores)
    assert again.receipt.rows_backward < first.receipt.rows_backward / 2
    with pytest.raises(pc.InputError, match="of another training"):
        pc.influence(model, (X, 2 - y), (xq, yq), pc.EKFAC(), factors=file)
    with pytest.raises(pc.InputError, match="of another training"):
        pc.influence(model, (X, y), (xq, yq), pc.EKFAC(draws=1), factors=file)
    file.write_bytes(b"PK no factors")
    with pytest.raises(pc.InputError, match="holds no factors of EKFAC: delete it"):
        pc.influence(model, (X, y), (xq, yq), pc.EKFAC(), factors=file)
    with pytest.raises(pc.MethodError, match="has no factors to keep"):
        pc.influence(model, (X, y), (xq, yq), pc.GradientSimilarity(), factors=file)


def test_what_it_cannot_know_it_says(trained):
    model, X, y, xq, yq = trained

    def task(m, batch):
        return functional.cross_entropy(m(batch[0]), batch[1], reduction="none")

    told = pc.influence(model, (X, y), (xq, yq), pc.EKFAC(), task=task)
    assert any("empirical Fisher" in said for said in told.receipt.warnings)
    ids, labels = np.random.default_rng(1).integers(0, 7, (5, 8)), np.arange(5)
    made = pc.influence(Everything(), (ids, labels), (ids[:2], labels[:2]), pc.EKFAC(draws=2))
    assert any("held fixed" in note and "norm.weight, norm.bias" in note for note in made.receipt.notes)
    with pytest.raises(pc.ModelError, match="none of the chosen parameters"):
        pc.influence(Everything(), (ids, labels), (ids[:2], labels[:2]), pc.EKFAC(parameters=("norm.*",)))
    with pytest.raises(pc.MethodError, match="some directions have no curvature"):
        pc.influence(model, (np.zeros((2, 5)), y[:2]), (xq, yq), pc.EKFAC(damping=0.0))
