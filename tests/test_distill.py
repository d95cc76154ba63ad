"""Distillation: students that can be read, fidelity on rows that they have not seen, cards of trees and linear models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import pellucid as pc
from test_rule_list import people

SPAM = ["free", "winner", "click here"]


def forest(X, y, kind=RandomForestClassifier):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    columns = make_column_transformer((codes, ["education", "town", "member"]), remainder="passthrough")
    return make_pipeline(columns, kind(30, max_depth=6, random_state=0)).fit(X, y)


def spam():
    """A filter that a person could have written: click here, or both of the others."""
    X = pd.DataFrame([[bool(i >> j & 1) for j in range(3)] for i in range(8)] * 20, columns=SPAM)
    y = np.where(X["click here"] | (X["free"] & X["winner"]), "spam", "ham")
    return X, y


def test_a_spam_filter_reads_as_rules():
    X, y = spam()
    box = RandomForestClassifier(20, random_state=0).fit(X, y)
    tree = pc.distill(box, X)
    assert tree.fidelity_.fresh[0] == 1 and tree.fidelity_.mixed[0] == 1
    lines = [line.partition(" (")[0] for line in pc.model_card(tree).sentences()]
    assert "if click here then spam" in lines
    assert {"if not click here and free and winner then spam", "if not click here and winner and free then spam"} & set(
        lines
    )
    card = pc.model_card(tree)
    for rule in card.rules:  # every leaf says of its rows what the forest says
        held = np.all([c.holds(X[c.feature].to_numpy(dtype=object)) for c in rule.conditions], axis=0)
        assert (box.predict(X)[held] == rule.answer).all() and held.any()


@pytest.mark.parametrize("into", ["tree", "linear", "rules", "set", "points"])
def test_every_kind_of_student_answers_and_has_a_card(into, tmp_path):
    X, y = people()
    model = forest(X, y)
    made = pc.distill(model, X, into)
    assert set(made.predict(X)) <= {"<=50k", ">50k"}
    found = made.fidelity_
    assert found.fresh[1] <= found.fresh[0] <= found.fresh[2] and found.fresh[0] > max(0.85, found.chance)
    assert (found.rows_fitted, found.rows_fresh) == (300, 100) and found.receipt.rows_forward >= 500
    card = pc.model_card(made)
    assert any("education" in line for line in card.sentences())
    assert pc.load(found.save(tmp_path / "f.npz")).sentence == found.sentence and "fresh rows" in found.sentence
    assert pc.load(card.save(tmp_path / "c.npz")).sentences() == card.sentences()


def test_fidelity_is_measured_on_rows_that_the_student_has_not_seen():
    X, y = people()
    model = forest(X, y)
    made = pc.distill(model, X, DecisionTreeClassifier(max_depth=3, random_state=0), fresh=0.4, seed=3)
    order = np.random.default_rng(3).permutation(len(X))
    kept, used = np.sort(order[:160]), np.sort(order[160:])
    again = pc.distill(model, X, DecisionTreeClassifier(max_depth=3, random_state=0), fresh=0.4, seed=3)
    same = (made.predict(X.iloc[kept]) == model.predict(X.iloc[kept])).mean()
    assert made.fidelity_.fresh[0] == pytest.approx(same) and len(used) == made.fidelity_.rows_fitted
    assert np.array_equal(again.fidelity_.fresh, made.fidelity_.fresh)
    assert np.array_equal(again.fidelity_.mixed, made.fidelity_.mixed)
    other = pc.distill(model, X, DecisionTreeClassifier(max_depth=3, random_state=0), fresh=0.4, seed=4)
    assert not np.array_equal(other.fidelity_.mixed, made.fidelity_.mixed)
    a_few = pc.distill(
        model, X.iloc[:40], DecisionTreeClassifier(random_state=0)
    )  # noise learned by heart is found out
    assert a_few.fidelity_.fresh[2] - a_few.fidelity_.fresh[1] > 0.2


def test_mixed_rows_show_what_the_data_hide():
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    X = np.column_stack([a, a + 0.01 * rng.normal(size=600)])  # the same thing twice
    made = pc.distill(
        lambda x: np.stack([x[:, 0] > 0, x[:, 0] <= 0], axis=1).astype(float), X[:, ::-1][:, [1, 0]], "tree"
    )
    assert made.fidelity_.fresh[0] > 0.95
    by_twin = pc.distill(lambda x: np.eye(2)[(x.sum(axis=1) > 0).astype(int)], X, DecisionTreeClassifier(max_depth=1))
    assert by_twin.fidelity_.fresh[0] > 0.95 and by_twin.fidelity_.mixed[0] < by_twin.fidelity_.fresh[0] - 0.1


def test_scores_are_learned_by_regressors():
    X, y = people()
    pay = (y == ">50k") * 20.0 + X["age"].fillna(30)
    model = forest(X, pay, RandomForestRegressor)
    made = pc.distill(model, X, "tree")
    assert made.fidelity_.measure == "R²" and 0.7 < made.fidelity_.fresh[0] < 1
    assert (
        made.fidelity_.fresh[1] < made.fidelity_.fresh[0] < made.fidelity_.fresh[2] and "R²" in made.fidelity_.sentence
    )
    assert not pc.model_card(made).classes and len(pc.model_card(made).rules) == 8
    box = forest(X, y)
    risk = pc.distill(box, X, DecisionTreeRegressor(max_leaf_nodes=8, random_state=0))
    assert risk.fidelity_.measure == "R²" and (risk.predict(X) >= 0).all() and (risk.predict(X) <= 1).all()
    low = pc.distill(box, X, "linear", target="<=50k")
    assert np.corrcoef(low.predict(X), box.predict_proba(X)[:, 0])[0, 1] > 0.8


def test_leaves_and_weights_are_those_of_the_model():
    X, y = people()
    made = pc.distill(forest(X, y), X, "tree")
    card = pc.model_card(made)
    cells = X.fillna({"age": X["age"].median()})
    where = np.zeros(len(X), dtype=int)
    for rule in card.rules:
        held = np.ones(len(X), dtype=bool)
        for c in rule.conditions:
            held &= c.holds(cells[c.feature].to_numpy(dtype=object))
        known = held & X.notna().all(axis=1).to_numpy()
        where += known
        assert (made.predict(X)[known] == rule.answer).all()
    assert (where[X.notna().all(axis=1)] == 1).all()
    x = np.random.default_rng(0).normal(size=(200, 3))
    line = LogisticRegression().fit(x, x[:, 0] - 2 * x[:, 2] > 0)
    told = pc.model_card(line)
    assert told.terms == ("x2", "x0", "x1") and np.array_equal(told.points, line.coef_[0][[2, 0, 1]])


def test_what_cannot_be_distilled_is_said():
    X, y = people(60)
    model = forest(X, y)
    with pytest.raises(pc.MethodError, match="expected an estimator, or one of tree"):
        pc.distill(model, X, "net")
    with pytest.raises(pc.MethodError, match="is no estimator to be fitted"):
        pc.distill(model, X, DecisionTreeClassifier)
    with pytest.raises(pc.InputError, match="fewer than two rows"):
        pc.distill(model, X.iloc[:3])
    with pytest.raises(pc.InputError, match="there is nothing to learn"):
        pc.distill(lambda x: np.tile([0.0, 1.0], (len(x), 1)), np.random.default_rng(0).normal(size=(20, 2)))
    with pytest.raises(pc.MethodError, match="learns classes"):
        pc.distill(lambda x: x[:, 0], np.random.default_rng(0).normal(size=(20, 2)), "rules")
    with pytest.raises(pc.ModelError, match="has no card"):
        pc.model_card(model)
