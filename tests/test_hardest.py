"""Hard rows: margins and entropies by hand, the interval of the area under the curve, and whether real errors are found."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import pellucid as pc

P = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]])


def test_the_margin_by_hand():
    made = pc.hardest(lambda x: P[: len(x)], np.zeros((3, 2)), y=[0, 1, 2])
    np.testing.assert_allclose(made.scores, [0.5, 0.95, 0.3])
    assert made.predicted.tolist() == [0, 0, 2] and made.wrong.tolist() == [False, True, False]
    assert [row for row, _ in made.top(2)] == [1, 0]
    logits = pc.hardest(lambda x: np.log(P[: len(x)]) - 3, np.zeros((3, 2)))
    np.testing.assert_allclose(logits.scores, made.scores)
    single = pc.hardest(lambda x: np.array([2.0, -1.0]), np.zeros((2, 2)))
    np.testing.assert_allclose(single.scores, 1 - np.tanh([1.0, 0.5]))
    assert single.predicted.tolist() == [1, 0]


def entropy(p):
    return -sum(q * np.log(q) for q in p if q > 0)


def test_disagreement_by_hand_and_over_the_trees_of_a_forest():
    Q = P[:, ::-1]
    made = pc.hardest([lambda x: P, lambda x: Q], np.zeros((3, 2)), pc.Disagreement())
    expected = [entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2 for p, q in zip(P, Q, strict=True)]
    np.testing.assert_allclose(made.scores, expected)
    same = pc.hardest([lambda x: P, lambda x: P], np.zeros((3, 2)), pc.Disagreement())
    np.testing.assert_allclose(same.scores, 0, atol=1e-15)
    X, y = load_digits(return_X_y=True)
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(8, max_depth=6, random_state=0)).fit(
        X[:500], y[:500]
    )
    found = pc.hardest(forest, X[500:520], pc.Disagreement())
    scaled = forest[0].transform(X[500:520])
    each = np.stack([tree.predict_proba(scaled) for tree in forest[1].estimators_])
    expected = [entropy(each[:, i].mean(axis=0)) - np.mean([entropy(p) for p in each[:, i]]) for i in range(20)]
    np.testing.assert_allclose(found.scores, expected, atol=1e-12)
    assert found.receipt.notes == ("8 members",)


def test_dropout_disagrees_and_is_put_back():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3)).eval()
    X = np.random.default_rng(0).normal(size=(6, 4))
    made = pc.hardest(net, X, pc.Disagreement(passes=5, seed=3))
    assert (made.scores > 0).all() and not any(module.training for module in net.modules())
    each = []
    for i in range(5):
        torch.manual_seed(3 + i)
        hidden = torch.relu(net[0](torch.tensor(X, dtype=torch.float32)))
        each.append(torch.softmax(net[3](torch.dropout(hidden, 0.5, True)), dim=1).detach().double().numpy())
    each = np.stack(each)
    expected = [entropy(each[:, i].mean(axis=0)) - np.mean([entropy(p) for p in each[:, i]]) for i in range(6)]
    np.testing.assert_allclose(made.scores, expected, atol=1e-6)


def test_the_distance_to_prototypes_by_hand():
    reference = np.array([[0.0, 0], [0.1, 0], [4, 0], [4.1, 0]])
    rows = np.array([[1.0, 0], [3.0, 0], [2.5, 0]])

    def nearer(x):
        """Class 1 to the right of 2.8."""
        second = (np.asarray(x)[:, 0] > 2.8).astype(float)
        return np.stack([1 - second, second], axis=1)

    made = pc.hardest(nearer, rows, pc.FarFromPrototypes(prototypes=4), background=reference)
    np.testing.assert_allclose(made.scores, [0.9 / (0.9 + 3), 1 / (1 + 2.9), 2.4 / (2.4 + 1.5)])
    assert made.order.tolist() == [2, 1, 0] and made.scores[2] > 0.5


def test_errors_of_a_real_classifier_are_found():
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression(C=0.02, max_iter=300).fit(X[:200] / 16, y[:200])
    asked = X[200:1200] / 16, y[200:1200]
    by = {}
    for method in (pc.SmallestMargin(), pc.FarFromPrototypes(prototypes=60)):
        made = pc.hardest(model, asked[0], method, y=asked[1], background=X[:200] / 16)
        area, low, high = made.auroc()
        assert area == pytest.approx(roc_auc_score(made.wrong, made.scores))
        assert 0.5 < low < area < high
        by[type(method).__name__] = area
        assert made.found(0.2) > 0.4
    assert by["SmallestMargin"] > 0.8
    frame = made.to_frame()
    assert frame["score"].is_monotonic_decreasing and frame["wrong"].sum() == made.wrong.sum()


def test_the_interval_of_the_area_covers_at_its_rate():
    """Scores of right and wrong rows are normal, 1 apart: the true area is Phi(1 / sqrt 2)."""
    from scipy.stats import norm

    truth, inside = norm.cdf(1 / np.sqrt(2)), 0
    wrong = np.repeat([True, False], [40, 120])
    for seed in range(1000):
        scores = np.random.default_rng(seed).normal(size=160) + wrong
        made = pc.Difficulty(scores=scores, predicted=np.zeros(160), wrong=wrong, receipt=pc.Receipt("none"))
        _, low, high = made.auroc()
        inside += low <= truth <= high
    assert 0.92 <= inside / 1000 <= 0.97


def test_what_cannot_be_done_is_refused_with_its_remedy(tmp_path):
    X, y = load_digits(return_X_y=True)
    X, y = X[:100], y[:100]
    model = LogisticRegression(max_iter=50, tol=0.1).fit(X, y)
    with pytest.raises(pc.InputError, match=r"expected \(100,\), the true class"):
        pc.hardest(model, X, y=y[:5])
    with pytest.raises(pc.InputError, match="y holds 'seven', which is no class"):
        pc.hardest(model, X, y=np.array(["seven"] * 100))
    with pytest.raises(pc.InputError, match="is no classifier"):
        pc.hardest(LinearRegression().fit(X, y), X)
    with pytest.raises(pc.MethodError, match="has no members that could disagree"):
        pc.hardest(model, X, pc.Disagreement())
    with pytest.raises(pc.MethodError, match="this network has no dropout"):
        pc.hardest(nn.Linear(64, 3), X, pc.Disagreement())
    with pytest.raises(pc.InputError, match="needs background="):
        pc.hardest(model, X, pc.FarFromPrototypes())
    with pytest.raises(pc.InputError, match="all background rows the same class"):
        pc.hardest(model, X, pc.FarFromPrototypes(), background=np.repeat(X[:1], 5, axis=0))
    with pytest.raises(pc.InputError, match="the models have 2, 3 classes"):
        pc.hardest([nn.Linear(64, 2), nn.Linear(64, 3)], X)
    with pytest.raises(pc.MethodError, match="finds no hard rows"):
        pc.hardest(model, X, pc.Saliency())
    made = pc.hardest(model, X)
    with pytest.raises(pc.InputError, match=r"give hardest\(\.\.\., y=\)"):
        made.auroc()
    back = pc.load(made.save(tmp_path / "hard.npz"))
    np.testing.assert_array_equal(back.scores, made.scores)
    right = pc.hardest(lambda x: P, np.zeros((3, 2)), y=[0, 0, 2])
    with pytest.raises(pc.InputError, match="0 of 3 rows are wrong"):
        right.auroc()


def test_a_classifier_of_one_class_has_nothing_to_confuse(tmp_path):
    X, y = np.eye(12), np.zeros(12)
    model = RandomForestClassifier(2).fit(X, y)
    for ask in (
        lambda: pc.hardest(model, X),
        lambda: pc.label_errors(model, X, y),
        lambda: pc.audit(model, X, y, out=tmp_path),
    ):
        with pytest.raises(pc.ModelError, match=r"knows one class, 0.0, .* at least two classes"):
            ask()
