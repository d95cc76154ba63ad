"""DataRandomization and the training that it shares with InfluenceRemoval: other labels, any kind of model, nothing disturbed."""

import copy
import itertools
import random

import numpy as np
import pandas as pd
import polars
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

import nets
import pellucid as pc
from pellucid.metrics.training import Training

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 12))
W = RNG.normal(size=12)
Y = X @ W


def fit(X, y):
    return LinearRegression().fit(X, y)


def explained(model, rows=X[:6], **kwargs):
    return pc.explain(model, rows, pc.Occlusion(baseline=0.0), **kwargs)


def test_the_value_is_the_signed_rank_correlation_with_maps_of_models_of_permuted_labels():
    model, seen = fit(X, Y), []

    def retrain(X, y):
        seen.append((X, y))
        return fit(X, y)

    curve = pc.evaluate(model, explained(model), pc.DataRandomization(draws=3), train=(X, Y), retrain=retrain).curves[0]
    *permuted, true = seen
    assert len(permuted) == 3 and all(z is X for z, _ in permuted)
    np.testing.assert_array_equal(true[1], Y)
    for draw, (_, y) in enumerate(permuted):
        assert (y != Y).any() and sorted(y) == sorted(Y)
        other = explained(fit(X, y)).values
        own = explained(model).values
        expected = [stats.spearmanr(a, b)[0] for a, b in zip(own, other, strict=True)]
        assert curve.detail["by_draw"][:, draw] == pytest.approx(expected)
    assert curve.value == pytest.approx(curve.detail["by_draw"].mean(axis=1))
    assert curve.detail["true_labels"] == pytest.approx(1)
    assert not any((a == b).all() for (_, a), (_, b) in itertools.pairwise(permuted))


def test_an_explanation_of_the_model_passes_and_one_that_looks_past_it_fails():
    wide = np.random.default_rng(1).normal(size=(300, 60))
    y = wide @ np.random.default_rng(2).normal(size=60)
    model, ways = fit(wide, y), {"train": (wide, y), "retrain": fit}
    line = pc.evaluate(model, explained(model, wide[:20]), pc.DataRandomization(), **ways).lines[0]
    assert line.verdict == "passes" and abs(line.mean) < 0.3

    def past(model, z):
        return pc.Attribution.from_arrays(np.asarray(z) * np.arange(60), data=z, target=None)

    line = pc.evaluate(model, past(model, wide[:20]), pc.DataRandomization(), again=past, **ways).lines[0]
    assert line.verdict == "fails" and line.mean == pytest.approx(1)


@pytest.mark.parametrize("kind", ["forest", "classes", "function", "pipeline of a frame"])
def test_any_model_that_can_be_trained(kind):
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(12)]).assign(level=np.where(X[:, 0] > 0, "a", "b"))
    rows, y, x, more = X, Y, X[:4], {}
    if kind == "forest":
        train = lambda X, y: RandomForestRegressor(5, random_state=0).fit(X, y)  # noqa: E731
    elif kind == "classes":
        y, train, more = np.where(Y > 0, "yes", "no"), lambda X, y: LogisticRegression().fit(X, y), {"target": "yes"}
    elif kind == "function":
        train = lambda X, y: fit(X, y).predict  # noqa: E731
    else:
        from sklearn.compose import make_column_transformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder

        encode = make_column_transformer((OneHotEncoder(), ["level"]), remainder="passthrough")
        made = make_pipeline(encode, RandomForestRegressor(5, random_state=0))
        rows, y, x = frame, pd.Series(Y, index=np.arange(120)[::-1]), frame.iloc[:4]
        train = lambda X, y: clone(made).fit(X, y)  # noqa: E731
    model = train(rows, y)
    method = pc.TreeShap() if kind in ("forest", "pipeline of a frame") else pc.KernelShap(samples=60)
    background = None if kind == "forest" else rows[:10]
    record = pc.explain(model, x, method, background=background, **more)
    card = pc.evaluate(model, record, pc.DataRandomization(), train=(rows, y), retrain=train, background=background)
    assert np.isfinite(card.lines[0].mean) and card.curves[0].detail["true_labels"] == pytest.approx(1, abs=1e-6)


def test_a_network_is_trained_on_a_copy_whose_parameters_learn():
    """Meanwhile the model under judgement is as its user left it: not frozen, and in training mode."""
    net = nets.mlp().train()
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    y, states = (x[:, 0] > 0).long(), []

    def retrain(X, y):
        made = copy.deepcopy(net)
        states.append((net.training, all(p.requires_grad for p in net.parameters()), torch.is_grad_enabled()))
        optimiser = torch.optim.SGD(made.parameters(), 0.5)
        for _ in range(20):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(made(X), y).backward()
            optimiser.step()
        assert not torch.equal(made[0].weight, net[0].weight)
        return made

    record = pc.explain(retrain(x, y), x[:5], pc.Saliency(), target=1)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    card = pc.evaluate(net, record, pc.DataRandomization(), train=(x, y), retrain=retrain)
    assert np.isfinite(card.lines[0].mean) and all(state == (True, True, True) for state in states)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([1.0, 2, 3, 4], index=list("wxyz"), name="y"),
        pd.DataFrame({"y": [1.0, 2, 3, 4]}, index=[7, 5, 3, 1]),
        polars.Series([1.0, 2, 3, 4]),
        torch.tensor([1.0, 2, 3, 4]),
        [1.0, 2, 3, 4],
        np.arange(4.0) + 1,
    ],
    ids=lambda labels: type(labels).__module__.partition(".")[0] + type(labels).__name__,
)
def test_labels_of_any_kind_are_permuted_and_stay_beside_their_rows(labels):
    seen = []

    def retrain(X, y):
        seen.append(y)
        return object()

    training = Training.of((np.zeros((4, 2)), labels), retrain, None)
    training.relabelled(np.array([3, 0, 1, 2]), 0)
    assert type(seen[0]) is type(labels)
    assert np.asarray(seen[0]).ravel().tolist() == [4, 1, 2, 3]
    if hasattr(labels, "index") and hasattr(labels, "iloc"):
        assert list(seen[0].index) == list(labels.index)
    assert np.asarray(labels).ravel().tolist() == [1, 2, 3, 4]
    training.on(np.array([0, 2]), 0)
    assert np.asarray(seen[1]).ravel().tolist() == [1, 3]


def test_trainings_repeat_their_random_numbers_and_leave_the_worlds_alone():
    drawn = []

    def retrain(X, y):
        drawn.append((np.random.normal(), random.random(), torch.rand(1).item()))
        return object()

    training = Training.of((X, Y), retrain, None)
    states = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    for seed in (5, 5, 6):
        training.on(np.arange(3), seed)
    assert drawn[0] == drawn[1] and all(a != b for a, b in zip(drawn[0], drawn[2], strict=True))

    def fails(X, y):
        np.random.normal()
        raise ValueError("one class only")

    with pytest.raises(pc.ModelError, match="retrain raised ValueError on 3 rows: one class only"):
        Training.of((X, Y), fails, None).on(np.arange(3), 0)
    assert (np.random.get_state()[1] == states[0]).all() and random.getstate() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize(
    ("train", "retrain", "said"),
    [
        (X, fit, r"train is a ndarray: give a pair \(X, y\)"),
        ((X, Y[:5]), fit, "120 rows of X and 5 of y"),
        ((X[:1], Y[:1]), fit, "two rows or more"),
        ((X, 3.0), fit, "120 rows of X and 0 of y"),
        ((X, Y), "fit", "retrain is a str"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(train, retrain, said):
    model = fit(X, Y)
    with pytest.raises(pc.InputError, match=said):
        pc.evaluate(model, explained(model), pc.DataRandomization(), train=train, retrain=retrain)


def test_a_training_that_makes_no_new_model_is_refused_and_what_is_missing_is_named():
    model = fit(X, Y)
    record = explained(model)
    for returned, said in ((None, "returned nothing"), (model, "the model that is being judged")):
        with pytest.raises(pc.ModelError, match=said):
            pc.evaluate(model, record, pc.DataRandomization(), train=(X, Y), retrain=lambda X, y, r=returned: r)
    with pytest.raises(pc.MethodError, match=r"train=\(X, y\)"):
        pc.evaluate(model, record, pc.DataRandomization(), retrain=fit)
    with pytest.raises(pc.MethodError, match="retrain=, a function"):
        pc.evaluate(model, record, pc.DataRandomization(), train=(X, Y))
    with pytest.raises(pc.MethodError, match="reads it"):
        pc.evaluate(model, record, pc.Deletion(), train=(X, Y))
    with pytest.raises(pc.MethodError, match="draws"):
        pc.DataRandomization(draws=0)


def test_luck_of_training_and_labels_that_hardly_change_are_said():
    model, rare = fit(X, Y), np.zeros(120)
    rare[:3] = 1
    counter = iter(range(100))

    def lucky(X, y):
        return fit(X, np.random.default_rng(next(counter)).normal(size=len(X)))

    said = pc.evaluate(model, explained(model), pc.DataRandomization(), train=(X, Y), retrain=lucky).curves[0]
    assert any("training itself changes them" in words for words in said.receipt.warnings)
    said = pc.evaluate(model, explained(model), pc.DataRandomization(), train=(X, rare), retrain=fit).curves[0]
    assert any("of the labels as they were" in words for words in said.receipt.warnings)
    quiet = pc.evaluate(model, explained(model), pc.DataRandomization(), train=(X, Y), retrain=fit).curves[0]
    assert not quiet.receipt.warnings


def test_maps_that_die_with_the_labels_have_changed():
    class Constant:
        def __call__(self, z):
            return np.zeros(len(z))

    model = lambda z: z @ W  # noqa: E731
    made = pc.evaluate(
        model, explained(model), pc.DataRandomization(draws=1), train=(X, Y), retrain=lambda X, y: Constant()
    ).curves[0]
    assert made.value == pytest.approx(0) and made.detail["degenerate_share"] == pytest.approx(1)
