"""Influence: exact leaving out for ridge regression, the oracles' signs, real leave-one-out retraining, one step of SGD."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import pellucid as pc
from nets import cnn, mlp
from oracles import oracle

LAM = 0.1


def output(model, batch):
    """A measurement linear in the parameters of a linear model."""
    return model(batch[0])[:, 0]


@cache
def ridge():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    y = X @ np.array([1, -2, 0.5, 0]) + 0.3 * rng.normal(size=30)
    xt = rng.normal(size=4)
    return X, y, xt, 0.7


def fitted(X, y, keep=None):
    """The ridge solution with the loss still divided by all n, so that leaving out changes one term alone."""
    rows = np.arange(len(y)) if keep is None else keep
    return np.linalg.solve(X[rows].T @ X[rows] / len(y) + LAM * np.eye(X.shape[1]), X[rows].T @ y[rows] / len(y))


def module(theta):
    made = nn.Linear(len(theta), 1, bias=False).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor(theta)[None])
    return made


def test_ridge_regression_is_exact_after_dividing_by_one_minus_leverage():
    X, y, xt, yt = ridge()
    theta, n = fitted(X, y), len(y)
    H = X.T @ X / n + LAM * np.eye(4)
    leverage = np.einsum("np,pn->n", X, np.linalg.solve(H, X.T)) / n
    asked = (X, y), (xt[None], np.array([yt]))
    made = pc.influence(module(theta), *asked, pc.InfluenceFunctions(l2=LAM), measurement=output)
    left_out = np.array([fitted(X, y, np.delete(np.arange(n), i)) @ xt - theta @ xt for i in range(n)])
    np.testing.assert_allclose(made.scores[0] / (1 - leverage), left_out, atol=1e-8)
    # of the squared loss the change of the output enters once more, squared
    loss = pc.influence(module(theta), *asked, pc.InfluenceFunctions(l2=LAM))
    changed = np.array([(fitted(X, y, np.delete(np.arange(n), i)) @ xt - yt) ** 2 / 2 for i in range(n)])
    exact = changed - (theta @ xt - yt) ** 2 / 2
    np.testing.assert_allclose(loss.scores[0] / (1 - leverage) + left_out**2 / 2, exact, atol=1e-8)
    known = oracle("IF-RIDGE")["expected"]
    np.testing.assert_allclose(theta, known["theta"], atol=1e-7)
    np.testing.assert_allclose(exact[:3], known["loo_first3"], atol=1e-7)
    np.testing.assert_allclose(loss.scores[0][:3], known["pred_first3"], atol=1e-7)
    assert np.corrcoef(loss.scores[0], exact)[0, 1] == pytest.approx(known["pearson"], abs=1e-7)
    assert np.polyfit(loss.scores[0], exact, 1)[0] == pytest.approx(known["slope"], abs=1e-6)
    assert loss.losses[0] == pytest.approx((theta @ xt - yt) ** 2 / 2)


class Constant(nn.Module):
    """theta, whatever the input."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, x):
        return self.theta.expand(len(x))


def test_positive_helps_and_the_formula_of_the_change_has_the_other_sign():
    known = oracle("IF-SIGN")["expected"]
    train = (np.zeros((3, 1)), np.array([0.0, 0.0, 3.0]))
    made = pc.influence(Constant(1.0), train, (np.zeros((1, 1)), np.array([0.0])))
    assert made.scores[0, 2] * 3 == pytest.approx(-known["I_z3"])  # harmful: the upweighting formula is positive
    assert made.scores[0, 0] * 3 == pytest.approx(-known["I_z0"])
    assert made.losses[0] == pytest.approx(known["loss_full"])
    assert made.opponents(1)[0][0] == 2
    # what really happens: without 3 the query's loss falls to 0, without a 0 it rises
    assert (known["loss_without_3"] - known["loss_full"]) * made.scores[0, 2] > 0
    assert (known["loss_without_0"] - known["loss_full"]) * made.scores[0, 0] > 0
    np.testing.assert_allclose(made.self_influence * 3, [1, 1, 4])


L2 = 0.01


@cache
def digits():
    """300 digits to learn from and 20 to ask about, in [0, 1]."""
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300], X[300:320] / 16, y[300:320]


def regressed(X, y, weights, start=None):
    """Softmax regression with weighted examples, solved to the end: theta (10, 65)."""
    A = np.hstack([X, np.ones((len(X), 1))])
    Y = np.eye(10)[y]

    def objective(flat):
        theta = flat.reshape(10, -1)
        z = A @ theta.T
        z -= z.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        loss = -(weights * (logp * Y).sum(axis=1)).sum() + L2 / 2 * (flat**2).sum()
        return loss, ((weights[:, None] * (np.exp(logp) - Y)).T @ A + L2 * theta).ravel()

    begin = np.zeros(650) if start is None else start.ravel()
    found = minimize(
        objective, begin, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-9, "ftol": 1e-16}
    )
    return found.x.reshape(10, -1)


def softmax_module(theta):
    made = nn.Linear(64, 10).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor(theta[:, :-1]))
        made.bias.copy_(torch.tensor(theta[:, -1]))
    return made


def cross_entropy(theta, X, y):
    z = np.hstack([X, np.ones((len(X), 1))]) @ theta.T
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]


@cache
def left_out():
    """Which 40 examples were left out, and by how much the queries' losses rose when training without them."""
    X, y, xq, yq = digits()
    theta = regressed(X, y, np.full(300, 1 / 300))
    picked = np.random.default_rng(0).choice(300, 40, replace=False)
    before, rise = cross_entropy(theta, xq, yq), []
    for i in picked:
        weights = np.full(300, 1 / 300)
        weights[i] = 0
        rise.append(cross_entropy(regressed(X, y, weights, theta), xq, yq) - before)
    return theta, picked, np.array(rise).T


@pytest.mark.parametrize(
    ("solver", "least"),
    [
        (pc.Exact(), 0.99),
        (pc.ConjugateGradients(), 0.99),
        (pc.LiSSA(depth=200, batch=60, repeats=2), 0.95),
    ],
)
def test_logistic_regression_predicts_leaving_out_and_training_again(solver, least):
    X, y, xq, yq = digits()
    theta, picked, rise = left_out()
    made = pc.influence(softmax_module(theta), (X, y), (xq, yq), pc.InfluenceFunctions(solver=solver, l2=L2))
    np.testing.assert_allclose(made.losses, cross_entropy(theta, xq, yq), atol=1e-10)
    assert np.corrcoef(made.scores[:, picked].ravel(), rise.ravel())[0, 1] > least
    if isinstance(solver, pc.LiSSA):
        exact = pc.influence(softmax_module(theta), (X, y), (xq, yq), pc.InfluenceFunctions(l2=L2))
        assert made.residual.max() < 0.5
        assert 0 < made.stderr.max() < 0.3 * np.abs(exact.scores).max()
        assert np.abs(made.scores - exact.scores).max() < 0.3 * np.abs(exact.scores).max()
    else:
        assert made.residual.max() < 1e-5


def test_self_influence_is_the_influence_of_an_example_on_itself():
    X, y, *_ = digits()
    theta, *_ = left_out()
    few = slice(0, 30)
    for method in (pc.InfluenceFunctions(l2=L2), pc.GradientSimilarity()):
        made = pc.influence(softmax_module(theta), (X, y), (X[few], y[few]), method)
        np.testing.assert_allclose(np.diagonal(made.scores[:, few]), made.self_influence[few], rtol=1e-8)
    cosine = pc.influence(softmax_module(theta), (X, y), (X[few], y[few]), pc.GradientSimilarity("cosine"))
    np.testing.assert_allclose(np.diagonal(cosine.scores[:, few]), 1)
    assert np.abs(cosine.scores).max() <= 1 + 1e-12 and cosine.self_influence is None


def test_tracin_is_the_loss_change_of_one_step_to_first_order():
    X, y, xq, yq = digits()
    X, y = X[:8].astype(np.float32), y[:8]
    model, rate = mlp(64, 10), 1e-3
    made = pc.influence(model, (X, y), (xq, yq), pc.TracIn(), checkpoints=[(dict(model.state_dict()), rate)])
    stepped = copy.deepcopy(model)
    functional.cross_entropy(stepped(torch.tensor(X)), torch.tensor(y), reduction="sum").backward()
    with torch.no_grad():
        for parameter in stepped.parameters():
            parameter -= rate * parameter.grad
        ask = torch.tensor(xq, dtype=torch.float32), torch.tensor(yq)
        fall = [functional.cross_entropy(m(ask[0]), ask[1], reduction="none") for m in (model, stepped)]
    measured = (fall[0] - fall[1]).numpy()
    np.testing.assert_allclose(made.scores.sum(axis=1), measured, rtol=0.02, atol=2e-4)
    assert np.corrcoef(made.scores.sum(axis=1), measured)[0, 1] > 0.999


def test_tracin_of_a_layer_is_tracin_of_its_parameters_and_checkpoints_add_up(tmp_path):
    X, y, xq, yq = digits()
    X, y = X[:20], y[:20]
    keep, model = pc.Checkpoints(tmp_path / "kept"), mlp(64, 10)
    for seed, rate in ((0, 0.1), (1, 0.05)):
        keep(mlp(64, 10, seed), rate)
    at_layer = pc.influence(model, (X, y), (xq, yq), pc.TracIn(layer="2"), checkpoints=tmp_path / "kept")
    whole = pc.influence(model, (X, y), (xq, yq), pc.TracIn(parameters=("2.*",)), checkpoints=keep)
    np.testing.assert_allclose(at_layer.scores, whole.scores, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(at_layer.self_influence, whole.self_influence, rtol=1e-4)
    parts = [
        pc.influence(mlp(64, 10, seed), (X, y), (xq, yq), pc.GradientSimilarity(parameters=("2.*",))) for seed in (0, 1)
    ]
    np.testing.assert_allclose(whole.scores, 0.1 * parts[0].scores + 0.05 * parts[1].scores, rtol=1e-4, atol=1e-7)
    own = 0.1 * parts[0].self_influence + 0.05 * parts[1].self_influence
    np.testing.assert_allclose(whole.self_influence, own, rtol=1e-4)
    assert whole.receipt.rows_backward > at_layer.receipt.rows_backward / 2


class Deciding(nn.Module):
    """A network that looks at the data to decide what to do, which cannot be vectorised."""

    def __init__(self):
        super().__init__()
        self.inner = mlp(4, 3)

    def forward(self, x):
        return self.inner(x) * (2.0 if float(x.sum()) > 0 else 1.0)


def test_a_network_that_cannot_be_vectorised_is_asked_one_by_one():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 4)), np.array([0, 1, 2, 0, 1])
    made = pc.influence(Deciding(), (X, y), (X[:2], y[:2]), pc.GradientSimilarity())
    factor = np.where(X.astype(np.float32).sum(axis=1) > 0, 2.0, 1.0)
    model, slopes = mlp(4, 3), []
    for row, label, f in zip(X, y, factor, strict=True):
        model.zero_grad()
        functional.cross_entropy(
            f * model(torch.tensor(row[None], dtype=torch.float32)), torch.tensor([label])
        ).backward()
        slopes.append(np.concatenate([p.grad.numpy().ravel() for p in model.parameters()]))
    slopes = np.array(slopes)
    np.testing.assert_allclose(made.scores, slopes[:2] @ slopes.T, rtol=1e-4, atol=1e-6)
    assert any("one by one" in note for note in made.receipt.notes)


def test_batches_company_and_datasets_change_nothing_and_the_model_is_left_as_found(monkeypatch):
    from pellucid.models.training import gradients

    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(9, 2, 8, 8)), rng.integers(0, 3, 9)
    model = cnn().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    head = pc.InfluenceFunctions(parameters=("9.*",), damping=0.1)
    whole = pc.influence(model, (X, y), (X[:3], y[:3]), head)
    monkeypatch.setattr(gradients, "_ROWS", 2)
    parts = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(y))
    small = pc.influence(model, parts, (X[:3], y[:3]), head)
    np.testing.assert_allclose(small.scores, whole.scores, rtol=1e-4, atol=1e-7)
    alone = pc.influence(model, (X, y), (X[1:2], y[1:2]), head)
    np.testing.assert_allclose(alone.scores[0], whole.scores[1], rtol=1e-4, atol=1e-7)
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_what_cannot_be_done_is_refused_with_its_remedy(tmp_path):
    rng = np.random.default_rng(2)
    X, y, model = rng.normal(size=(6, 4)), np.array([0, 1, 2, 0, 1, 2]), mlp(4, 3)
    data = (X, y), (X[:1], y[:1])
    with pytest.raises(pc.MethodError, match=r"not positive definite .* damping of at least"):
        pc.influence(model, *data)
    with pytest.raises(pc.MethodError, match="not positive definite"):
        pc.influence(model, *data, pc.InfluenceFunctions(solver=pc.ConjugateGradients()))
    with pytest.raises(pc.MethodError, match="LiSSA diverges with scale"):
        pc.influence(model, *data, pc.InfluenceFunctions(solver=pc.LiSSA(scale=1e-3), damping=1.0))
    left = pc.influence(model, *data, pc.InfluenceFunctions(solver=pc.ConjugateGradients(steps=1), damping=1.0))
    assert left.residual[0] > 1e-6 and any("did not converge for 1 of 1" in said for said in left.receipt.warnings)
    early = pc.influence(model, *data, pc.InfluenceFunctions(solver=pc.LiSSA(depth=1), damping=1.0))
    assert early.residual[0] > 0.1 and any("LiSSA left up to" in said for said in early.receipt.warnings)
    with pytest.raises(pc.InputError, match=r"returned \(\) for 2 examples: expected one number each, \(2,\)"):
        pc.influence(model, *data, task=lambda m, b: functional.cross_entropy(m(b[0]), b[1]))
    with pytest.raises(pc.ModelError, match="does not depend on"):
        pc.influence(model, *data, task=lambda m, b: m(b[0]).detach()[:, 0])
    with pytest.raises(pc.InputError, match="first axes, the examples, must be equal"):
        pc.influence(model, (X, y[:3]), (X, y))
    holes = X.copy()
    holes[4, 0] = np.nan
    with pytest.raises(pc.InputError, match=r"array 0 of train holds NaN .* example 4\)"):
        pc.influence(model, (holes, y), (X, y))
    with pytest.raises(pc.MethodError, match=r"match none of the model's parameters; it has 0\.weight"):
        pc.influence(model, *data, pc.GradientSimilarity(parameters=("head.*",)))
    with pytest.raises(pc.MethodError, match="give checkpoints="):
        pc.influence(model, *data, pc.TracIn())
    with pytest.raises(pc.MethodError, match="reads no checkpoints"):
        pc.influence(model, *data, pc.GradientSimilarity(), checkpoints=[(model.state_dict(), 0.1)])
    with pytest.raises(pc.InputError, match=r"checkpoint 0 does not fit this model: 0.weight has shape \(8, 4\)"):
        pc.influence(model, *data, pc.TracIn(), checkpoints=[(mlp(5, 3).state_dict(), 0.1)])
    with pytest.raises(pc.InputError, match="there are no checkpoints"):
        pc.influence(model, *data, pc.TracIn(), checkpoints=pc.Checkpoints(tmp_path / "none"))
    with pytest.raises(pc.MethodError, match="no linear layer 'head'; it has 0, 2"):
        pc.influence(model, *data, pc.TracIn(layer="head"), checkpoints=[(model.state_dict(), 0.1)])
    with pytest.raises(pc.MethodError, match="give a torch module"):
        pc.influence(lambda x: x, *data)
    with pytest.raises(pc.MethodError, match="expected patterns"):
        pc.TracIn(parameters="head")
