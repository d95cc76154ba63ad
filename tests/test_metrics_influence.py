"""InfluenceRemoval: rows that are said to help go, the model is trained anew, the loss should rise. And the loss of each query."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from torch import nn

import pellucid as pc
from contract.metric_cases import ELSEWHERE, differs, same
from pellucid.core.budget import Meter, Receipt
from pellucid.metrics.query_loss import losses

Y = np.array([0.0, 1, 2, 3, 10])
Z = np.zeros((5, 1))


def mean(X, y):
    """The simplest model: it says the mean label of its training rows."""
    return lambda z, level=float(np.mean(y)): np.full(len(z), level)


def influence(scores):
    scores = np.asarray(scores, float)
    return pc.Influence(scores=scores, losses=np.zeros(len(scores)), receipt=Receipt(method="by hand"))


def judged(scores, queries, metric, train=(Z, Y), retrain=mean):
    return pc.evaluate(None, influence(scores), metric, truth=queries, train=train, retrain=retrain)


def without(gone, y):
    """The loss of a query with label y when these rows are gone."""
    return (np.delete(Y, gone).mean() - y) ** 2


def test_by_hand():
    """Two queries with labels 2 and 9 of a model that says the mean, 3.2; without row 4 it says 1.5."""
    scores = [[5, 4, 3, 2, -1], [-5, -4, -3, 2, 9]]
    queries = (np.zeros((2, 1)), np.array([2.0, 9.0]))
    curve = judged(scores, queries, pc.InfluenceRemoval(shares=(0.2, 0.4), randoms=3)).curves[0]
    assert curve.labels == ("1 of 5", "2 of 5")
    start = np.array([1.2**2, 5.8**2])
    assert curve.detail["loss"] == pytest.approx(start)
    best, worst = [([0], [0, 1]), ([4], [4, 3])], [([4], [4, 3]), ([0], [0, 1])]
    for name, sets in (("rise", best), ("reverse_rise", worst)):
        expected = [[without(gone, y) - at for gone in row] for row, y, at in zip(sets, (2, 9), start, strict=True)]
        assert curve.detail[name] == pytest.approx(np.array(expected)), name
    assert curve.value == pytest.approx(curve.detail["rise"].mean(axis=1))
    assert curve.reverse == pytest.approx(curve.detail["reverse_rise"].mean(axis=1))
    assert curve.chance == pytest.approx(curve.detail["random_rise"].mean(axis=1))
    assert curve.chance == pytest.approx(curve.detail["chance_by_draw"].mean(axis=1)) and curve.higher_is_better


def test_progress_is_told_of_every_row_once():
    told, queries = [], (np.zeros((2, 1)), np.array([2.0, 9.0]))
    given = influence([[5, 4, 3, 2, -1], [-5, -4, -3, 2, 9]])
    card = pc.evaluate(
        None, given, pc.InfluenceRemoval(randoms=3), truth=queries, train=(Z, Y), retrain=mean, progress=told.append
    )
    assert 0 < sum(told) == card.receipt.rows_forward


def test_chance_is_the_mean_over_random_sets_of_the_same_size():
    queries = (np.zeros((1, 1)), np.array([9.0]))
    curve = judged([[1, 2, 3, 4, 5]], queries, pc.InfluenceRemoval(shares=(0.4,), randoms=400)).curves[0]
    every = [without(list(gone), 9) - 5.8**2 for gone in itertools.combinations(range(5), 2)]
    assert curve.chance == pytest.approx(np.mean(every), abs=1.5)
    assert np.unique(np.round(curve.detail["chance_by_draw"], 6)).tolist() == pytest.approx(
        np.unique(np.round(every, 6))
    )


def test_one_ranking_for_all_queries_together():
    queries = (np.zeros((2, 1)), np.array([2.0, 9.0]))
    calls = []

    def counted(X, y):
        calls.append(len(y))
        return mean(X, y)

    metric = pc.InfluenceRemoval(shares=(0.2,), randoms=2, together=True)
    curve = judged([[5, 4, 3, 2, -1], [-9, -4, -3, -2, 9]], queries, metric, retrain=counted).curves[0]
    start = np.array([1.2**2, 5.8**2])  # the sums are (-4, 0, 0, 0, 8): row 4 goes first
    assert curve.detail["rise"][:, 0] == pytest.approx(
        [without([4], y) - at for y, at in zip((2, 9), start, strict=True)]
    )
    assert curve.detail["reverse_rise"][:, 0] == pytest.approx(
        [without([0], y) - at for y, at in zip((2, 9), start, strict=True)]
    )
    assert calls == [5, 4, 4, 4, 4]
    calls.clear()
    judged(np.ones((2, 5)), queries, dataclasses.replace(metric, together=False), retrain=counted)
    assert calls == [5, *[4] * (2 * 2 + 2)]


def test_exact_effects_of_leaving_out_beat_random_sets_and_shuffled_scores():
    won, said = 0, []
    for draw in range(6):
        rng = np.random.default_rng(draw)
        X = rng.normal(size=(40, 3))
        y = X @ rng.normal(size=3) + rng.normal(size=40)
        Q, t = X[:14] + 0.1 * rng.normal(size=(14, 3)), y[:14]
        fit = lambda X, y: Ridge(0.1).fit(X, y).predict  # noqa: E731
        whole = (fit(X, y)(Q) - t) ** 2
        left = [(fit(np.delete(X, i, 0), np.delete(y, i))(Q) - t) ** 2 - whole for i in range(40)]
        scores = np.stack(left, axis=1)
        metric = pc.InfluenceRemoval(shares=(0.1,))
        cards = [
            pc.evaluate(None, influence(s), metric, truth=(Q, t), train=(X, y), retrain=fit)
            for s in (scores, rng.permuted(scores, axis=1))
        ]
        won += cards[0].lines[0].mean > cards[1].lines[0].mean
        said.append(cards[0].lines[0].verdict)
        assert cards[0].lines[0].reverse < cards[0].lines[0].chance
    assert won == 6 and said.count("better than random") >= 5


def test_influence_functions_of_a_network_are_better_than_random():
    torch.manual_seed(0)
    X = torch.randn(80, 3)
    y = (X[:, 0] + 0.7 * torch.randn(80) > 0).long()

    def fit(X, y):
        net = nn.Linear(3, 2).double()
        nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)
        optimiser = torch.optim.LBFGS(net.parameters(), max_iter=30, line_search_fn="strong_wolfe")

        def loss():
            optimiser.zero_grad()
            value = nn.functional.cross_entropy(net(X), y) + 0.01 * sum((p**2).sum() for p in net.parameters())
            value.backward()
            return value

        optimiser.step(loss)
        return net

    X = X.double()
    net = fit(X, y)
    query = (X[:6] + 0.05, y[:6])
    found = pc.influence(net, (X, y), query, pc.InfluenceFunctions(l2=0.02))
    card = pc.evaluate(net, found, pc.InfluenceRemoval(shares=(0.1,)), truth=query, train=(X, y), retrain=fit)
    assert card.lines[0].verdict == "better than random" and card.method == found.receipt.method
    expected = nn.functional.cross_entropy(net(query[0]), query[1], reduction="none").detach().numpy()
    assert card.curves[0].detail["loss"] == pytest.approx(expected, rel=1e-3)
    assert all(p.requires_grad for p in net.parameters())


# -- the contract ------------------------------------------------------------------------------------------------------

SCORES = np.random.default_rng(1).normal(size=(3, 20))
ROWS = np.random.default_rng(2).normal(size=(20, 2))
LABELS = ROWS[:, 0] + 0.3 * np.random.default_rng(3).normal(size=20)
QUERIES = (ROWS[:3] + 0.1, LABELS[:3])


def moody(X, y):
    """Training that depends on global random numbers."""
    return Ridge(0.1 + np.random.uniform()).fit(X, y).predict


def world(metric, rows=slice(None)):
    queries = tuple(part[rows] for part in QUERIES)
    return judged(SCORES[rows], queries, metric, (ROWS, LABELS), moody)


def test_the_same_twice_in_any_company_and_every_field_matters(tmp_path):
    judge = ELSEWHERE["InfluenceRemoval"]
    whole = world(judge.metric).curves[0]
    same(world(judge.metric).curves[0], whole, rtol=0)
    same(world(judge.metric, [2, 0]).curves[0], whole[[2, 0]], rtol=1e-12)
    for key, value in judge.changes.items():
        assert differs(whole, world(dataclasses.replace(judge.metric, **{key: value})).curves[0]), key
    card = world(judge.metric)
    back = pc.load(card.save(tmp_path / "card.npz"))
    same(back["InfluenceRemoval"], whole, rtol=0)
    assert back.receipt.rows_forward == card.receipt.rows_forward == 3 * (1 + 3 * 2 * 3 + 4 * 3)


def test_trainings_that_are_compared_share_their_luck():
    """Rows that change nothing: the rise is exactly 0, however moody the training."""

    def deaf(X, y):
        return lambda z, level=np.random.normal(): np.full(len(z), level)

    curve = judged(SCORES, QUERIES, pc.InfluenceRemoval(repeats=3), (ROWS, LABELS), deaf).curves[0]
    assert (curve.value == 0).all() and (curve.chance == 0).all() and (curve.reverse == 0).all()
    told = []

    def heard(X, y):
        told.append((len(y), np.random.normal()))
        return moody(X, y)

    judged(SCORES[:1], tuple(q[:1] for q in QUERIES), pc.InfluenceRemoval((0.1,), 2, 2), (ROWS, LABELS), heard)
    whole, *others = told[0][1], told[1][1]
    assert [luck for _, luck in told] == [whole, *others] * 4  # all rows, helpful, harmful, random sets: by turns
    one = judged(SCORES, QUERIES, pc.InfluenceRemoval(repeats=1), (ROWS, LABELS), deaf).curves[0]
    assert not np.allclose(one.detail["loss"], curve.detail["loss"])


def test_equal_scores_are_degenerate_and_too_few_helpful_rows_are_said():
    card = judged(np.ones((3, 20)), QUERIES, pc.InfluenceRemoval(), (ROWS, LABELS), moody)
    assert card.curves[0].degenerate.all() and card.lines[0].verdict.startswith("degenerate")
    card = judged(-np.abs(SCORES), QUERIES, pc.InfluenceRemoval(), (ROWS, LABELS), moody)
    assert "3 of 3 queries have fewer than 4" in card.curves[0].receipt.warnings[0]


def test_a_single_query_has_no_interval():
    line = world(pc.InfluenceRemoval(), [0]).lines[0]
    assert np.isfinite(line.mean) and np.isnan(line.low) and line.verdict.startswith("one row gives no interval")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scores": SCORES[:, :5]}, "train has 20 rows"),
        ({"scores": np.full((3, 20), np.nan)}, "NaN"),
        ({"truth": None}, r"truth=\(X, y\)"),
        ({"truth": QUERIES[0]}, r"truth=\(X, y\)"),
        ({"truth": (QUERIES[0][:2], QUERIES[1])}, "2 queries with labels"),
        ({"truth": (QUERIES[0], QUERIES[1][:2])}, "one each"),
        ({"train": None}, "training anew"),
        ({"retrain": None}, "training anew"),
        ({"metric": pc.Deletion()}, "Deletion judges another kind of record than an Influence"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_remedy(given, said):
    told = {"truth": QUERIES, "train": (ROWS, LABELS), "retrain": moody}
    scores, metric = given.pop("scores", SCORES), given.pop("metric", pc.InfluenceRemoval())
    if isinstance(metric, pc.Deletion):
        told = {}
    with pytest.raises(pc.PellucidError, match=said):
        pc.evaluate(None, influence(scores), metric, **{**told, **given})


def test_an_attribution_is_not_for_it():
    made = pc.Attribution.from_arrays(ROWS, data=ROWS, target=None)
    with pytest.raises(pc.MethodError, match="InfluenceRemoval judges another kind of record than an Attribution"):
        pc.evaluate(lambda z: z.sum(1), made, pc.InfluenceRemoval(), train=(ROWS, LABELS), retrain=moody)


@pytest.mark.parametrize(
    "wrong", [{"shares": ()}, {"shares": (0.0,)}, {"shares": (1.0,)}, {"shares": (3,)}, {"randoms": 0}, {"repeats": 0}]
)
def test_fields_out_of_range_are_refused(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.InfluenceRemoval(**wrong)
    assert pc.InfluenceRemoval(shares=0.1) == pc.InfluenceRemoval(shares=(0.1,))


# -- the loss of a query -----------------------------------------------------------------------------------------------


def test_losses_are_those_of_scikit_learn_and_torch():
    rng = np.random.default_rng(0)
    X, names = rng.normal(size=(30, 2)), np.array(["a", "b", "c"])[np.arange(30) % 3]
    model = LogisticRegression().fit(X, names)
    found = losses(model, X, names, Meter())
    assert found.mean() == pytest.approx(log_loss(names, model.predict_proba(X), labels=model.classes_))
    found = losses(model.predict_proba, X, np.arange(30) % 3, Meter())
    assert found.mean() == pytest.approx(log_loss(names, model.predict_proba(X), labels=model.classes_))
    net, y = nn.Linear(2, 3).double(), np.arange(30) % 3
    expected = nn.functional.cross_entropy(net(torch.tensor(X)), torch.tensor(y), reduction="none").detach().numpy()
    np.testing.assert_allclose(losses(net, X, y, Meter()), expected)
    single = nn.Linear(2, 1).double()
    out = single(torch.tensor(X))[:, 0]
    expected = nn.functional.binary_cross_entropy_with_logits(out, torch.tensor(y % 2.0), reduction="none")
    np.testing.assert_allclose(losses(single, X, y % 2, Meter()), expected.detach().numpy())
    np.testing.assert_allclose(
        losses(single, X, y % 2.0, Meter()), ((out - torch.tensor(y % 2.0)) ** 2).detach().numpy()
    )
    ridge = Ridge().fit(X, X[:, 0])
    np.testing.assert_allclose(losses(ridge, X, X[:, 1], Meter()), (ridge.predict(X) - X[:, 1]) ** 2)


def test_a_class_that_was_not_learned_has_no_probability():
    X = np.random.default_rng(0).normal(size=(12, 2))
    model = LogisticRegression().fit(X, np.arange(12) % 2)
    found = losses(model, X[:2], np.array([0, 2]), Meter())
    assert found[1] == pytest.approx(-np.log(np.finfo(float).eps)) and found[0] < 3


@pytest.mark.parametrize(
    ("model", "y", "said"),
    [
        (lambda z: np.ones((len(z), 3)), np.zeros(4, int), "no probabilities"),
        (lambda z: np.ones((len(z), 1)), np.array(list("abcd")), "says one number"),
        (lambda z: np.ones((len(z), 2, 2)), np.zeros(4), "shape"),
    ],
)
def test_outputs_without_a_loss_are_refused(model, y, said):
    with pytest.raises(pc.PellucidError, match=said):
        losses(model, np.zeros((4, 2)), y, Meter())
    from sklearn.svm import LinearSVC

    with pytest.raises(pc.ModelError, match="no probabilities"):
        losses(LinearSVC().fit(np.eye(4), [0, 1, 0, 1]), np.eye(4), np.zeros(4), Meter())
