"""Label errors by four methods on numbers worked out by hand, and the record that says how right a ranking was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from torch import nn

import pellucid as pc
from pellucid.core.budget import Receipt

P = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.01, 0.99]])


def said(rows):
    """A black box whose rows are its answers."""
    return np.asarray(rows)


def record(scores, wrong=None):
    n = len(scores)
    return pc.LabelErrors(
        scores=np.array(scores, dtype=float),
        wrong=None if wrong is None else np.array(wrong, dtype=bool),
        labels=np.array(["a"] * n),
        suggested=np.array(["b"] * n),
        confidence=np.full(n, 0.75),
        support=np.full(n, 0.25),
        classes=("a", "b"),
        receipt=Receipt(method="LargestLoss()"),
    )


def test_the_loss_of_each_label_by_hand():
    made = pc.label_errors(said, P, [1, 1, 0, 0])
    np.testing.assert_allclose(made.scores, -np.log([0.1, 0.8, 0.5, 0.01]))
    np.testing.assert_array_equal(made.order, [3, 0, 2, 1])
    np.testing.assert_array_equal(made.suggested, [0, 1, 0, 1])
    np.testing.assert_allclose(made.confidence, [0.9, 0.8, 0.5, 0.99])
    np.testing.assert_allclose(made.support, [0.1, 0.8, 0.5, 0.01])
    assert made.classes == (0, 1) and made.wrong is None and made.method == pc.LargestLoss()
    assert made.receipt.rows_forward == 4


def test_a_label_that_the_model_finds_impossible_has_a_finite_score():
    made = pc.label_errors(said, np.array([[1.0, 0.0], [0.6, 0.4]]), [1, 0])
    assert np.isfinite(made.scores).all() and np.isclose(made.scores[0], -np.log(1e-9))


def test_precision_and_what_was_found_by_hand():
    made = record([0.1, 0.9, 0.4, 0.9, 0.2], [0, 1, 0, 0, 1])  # in order: rows 1, 3, 2, 4, 0
    np.testing.assert_array_equal(made.order, [1, 3, 2, 4, 0])
    np.testing.assert_allclose(made.precision(), [1, 1 / 2, 1 / 3, 2 / 4, 2 / 5])
    assert made.found(0.2) == made.found(0.4) == made.found(0.6) == 0.5 and made.found(0.8) == 1.0
    frame = made.to_frame()
    assert frame["row"].tolist() == [1, 3, 2, 4, 0] and frame["wrong"].tolist() == [True, False, False, True, False]
    assert list(frame.columns) == ["row", "score", "label", "suggested", "confidence", "support", "wrong"]
    assert "wrong" not in record([1, 2]).to_frame()
    with pytest.raises(pc.InputError, match=r"give label_errors\(\.\.\., truth=\)"):
        record([1, 2]).precision()


def test_truth_says_which_labels_are_wrong_and_words_stay_words(tmp_path):
    frame = pd.DataFrame({"size": [1.0, 2.0, 8.0, 9.0] * 3, "kind": ["x", "y", "x", "y"] * 3})
    truth = np.array(["low", "low", "up", "up"] * 3, dtype=object)
    y = truth.copy()
    y[2] = "low"
    encode = make_pipeline(
        pytest.importorskip("sklearn.compose").make_column_transformer(
            (OneHotEncoder(), ["kind"]), remainder="passthrough"
        ),
        LogisticRegression(),
    )
    made = pc.label_errors(encode.fit(frame, y), frame, pd.Series(y), truth=truth)
    assert made.order[0] == 2 and made.wrong.tolist() == [i == 2 for i in range(12)]
    assert made.labels[2] == "low" and made.suggested[2] == "up" and made.classes == ("low", "up")
    back = pc.load(made.save(tmp_path / "r.npz"))
    assert (
        back.suggested.tolist() == made.suggested.tolist()
        and back.classes == made.classes
        and back.method == made.method
    )
    left = pc.label_errors(encode, frame, y, pc.LeftOutLoss(folds=3))
    assert left.order[0] == 2 and left.suggested[2] == "up"


def test_left_out_loss_is_that_of_models_fitted_without_the_row():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=40) > 0, 5, 2)
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    made = pc.label_errors(model, X, y, pc.LeftOutLoss(folds=4, seed=3))
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    p = cross_val_predict(RandomForestClassifier(5, random_state=0), X, y, cv=folds, method="predict_proba")
    np.testing.assert_allclose(made.support, p[np.arange(40), (y == 5).astype(int)])
    np.testing.assert_array_equal(made.suggested, np.array([2, 5])[p.argmax(axis=1)])
    np.testing.assert_array_equal(made.order, np.argsort(-made.scores, kind="stable"))


def test_left_out_loss_finds_what_a_forest_has_learned_by_heart():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 4))
    truth = (X[:, 0] + X[:, 1] > 0).astype(int)
    wrong = rng.random(200) < 0.1
    y = np.where(wrong, 1 - truth, truth)
    model = RandomForestClassifier(50, bootstrap=False, random_state=0).fit(X, y)
    heart, left = (pc.label_errors(model, X, y, method, truth=truth) for method in (pc.LargestLoss(), pc.LeftOutLoss()))
    assert left.auroc()[0] > 0.9 > heart.auroc()[0]  # the forest gives its own labels probability 1
    assert left.found(0.25) > 0.85 and left.precision()[int(wrong.sum()) - 1] > 0.5


class Mean(nn.Module):
    """Two outputs, 0 and a parameter, whatever the input."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, x):
        return torch.stack([torch.zeros(len(x), dtype=torch.float64), self.theta.expand(len(x))], dim=1)


def test_self_influence_and_opponents_by_hand():
    """Of 4 labels 1, 1, 1, 0 the model says p = 3/4: gradients p - y, curvature p (1 - p)."""
    model, X, y = Mean(np.log(3)), np.zeros((4, 1)), np.array([1, 1, 1, 0])
    g, H = 0.75 - y, 0.75 * 0.25
    own = pc.label_errors(model, X, y, pc.SelfInfluence())
    np.testing.assert_allclose(own.scores, g**2 / H / 4)
    assert own.order[0] == 3
    trusted = (np.zeros((2, 1)), np.array([1, 0]))
    harm = pc.label_errors(model, X, y, pc.Opponents(), trusted=trusted)
    queries = 0.75 - trusted[1]
    np.testing.assert_allclose(harm.scores, -(queries[:, None] * g / H / 4).mean(axis=0), atol=1e-12)
    only = pc.label_errors(model, X, y, pc.Opponents(), trusted=(X[:1], y[:1]))
    assert only.order[0] == 3 and only.scores[3] > 0 > only.scores[0]  # a 0 harms a row that is a 1
    assert own.receipt.rows_forward > 4


def test_tracin_reads_its_checkpoints():
    model, X, y = Mean(np.log(3)), np.zeros((4, 1)), np.array([1, 1, 1, 0])
    kept = [(model.state_dict(), 0.5)]
    made = pc.label_errors(model, X, y, pc.SelfInfluence(pc.TracIn()), checkpoints=kept)
    np.testing.assert_allclose(made.scores, 0.5 * (0.75 - y) ** 2)


@pytest.mark.parametrize(
    ("arguments", "error", "said_"),
    [
        ((said, P, [0, 1, 2, 0]), pc.InputError, r"y holds .*2.*, and the model numbers its classes: give .* 0 to 1"),
        ((said, P, ["a", "b", "a", "b"]), pc.InputError, "the model numbers its classes"),
        ((said, P, [0, 1]), pc.InputError, r"y has shape \(2,\): expected \(4,\)"),
        ((said, P, [0, 1, 0, 1], "LIME"), pc.MethodError, "finds no label errors: give LargestLoss"),
        ((said, P, [0, 1, 0, 1], "LeftOutLoss"), pc.MethodError, "no classifier of the scikit-learn kind"),
        ((said, P, [0, 1, 0, 1], "SelfInfluence"), pc.MethodError, "give a torch module"),
        ((said, P, [0, 1, 0, 1], "Opponents"), pc.MethodError, "needs trusted="),
    ],
)
def test_what_is_wrong_is_said(arguments, error, said_):
    with pytest.raises(error, match=said_):
        pc.label_errors(*arguments)


def test_more_that_is_wrong():
    X, y = np.random.default_rng(0).normal(size=(12, 2)), np.array([0, 1] * 5 + [2, 0])
    model = LogisticRegression().fit(X, y)
    with pytest.raises(pc.InputError, match="one class has 1 rows and each of 5 folds needs one"):
        pc.label_errors(model, X, y, pc.LeftOutLoss())
    with pytest.raises(pc.InputError, match="y holds 7, which is no class of the model: it has 0, 1, 2"):
        pc.label_errors(model, X, np.full(12, 7))
    with pytest.raises(pc.InputError, match=r"truth has shape \(3,\)"):
        pc.label_errors(model, X, y, truth=[0, 1, 2])
    with pytest.raises(pc.InputError, match="trusted is a ndarray"):
        pc.label_errors(said, P, [0, 1, 0, 1], pc.LargestLoss(), trusted=P)
    with pytest.raises(pc.MethodError, match="expected InfluenceFunctions"):
        pc.SelfInfluence(pc.LIME())
    with pytest.raises(pc.MethodError, match="from 2 on"):
        pc.LeftOutLoss(folds=1)
    with pytest.raises(pc.MethodError, match="tells no self-influence"):
        solver = pc.InfluenceFunctions(pc.ConjugateGradients())
        pc.label_errors(Mean(0.0), np.zeros((4, 1)), np.array([1, 1, 1, 0]), pc.SelfInfluence(solver))


def test_the_plot_shows_precision_and_what_was_found():
    made = record([0.1, 0.9, 0.4, 0.9, 0.2], [0, 1, 0, 0, 1])
    ax = pc.plot.show(made)
    precise, found, chance = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(precise, made.precision())
    np.testing.assert_allclose(found, [0.5, 0.5, 0.5, 1, 1])
    assert set(chance) == {0.4} and "2 of 5 labels are wrong" in ax.get_xlabel()
    plain = pc.plot.label_errors(record([1, 3, 2]), Figure().subplots())
    np.testing.assert_allclose(plain.lines[0].get_ydata(), [3, 2, 1])
