"""Recourse: costs in percentiles, programs against brute force, proofs that there is none, other models verified and tightened."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC

import pellucid as pc
from oracles import oracle
from pellucid.methods.counterfactual.additive import additive
from pellucid.methods.counterfactual.shift import Shift
from test_counterfactual import ASKED, BACKGROUND, MODELS, check

HUNDRED = np.arange(1, 101)[:, None] / 100  # percentiles are the values themselves


def shift(maximum: bool = False) -> Shift:
    return Shift.of(HUNDRED, np.array([False]), np.array([False]), maximum)


def test_the_cost_is_the_papers():
    expected = oracle("RECOURSE-COST")["expected"]
    total = shift()
    for before, after, cost in ((0.5, 0.8, "c1"), (0.9, 0.95, "c2")):
        made = total.total(total.parts(np.array([[before]]), np.array([[after]])))
        np.testing.assert_allclose(made, [expected[cost]], atol=1e-8)
    largest = shift(maximum=True)
    made = largest.total(largest.parts(np.array([[0.5]]), np.array([[0.8]])))
    np.testing.assert_allclose(made, [expected["max_shift"]], atol=1e-12)
    assert np.isfinite(total.parts(np.array([[0.5]]), np.array([[1.0]]))).all()
    np.testing.assert_allclose(
        total.parts(np.array([[0.8]]), np.array([[0.5]])), total.parts(np.array([[0.5]]), np.array([[0.8]]))
    )


def table(n: int, p: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 6, (n, p)).astype(float) + 0.5


def brute(model: Any, x: np.ndarray, background: np.ndarray, maximum: bool, fixed: int) -> float:
    """The least cost over all combinations of the background's values, one by one; column `fixed` stays."""
    cost = Shift.of(background, np.zeros(x.shape[0], bool), np.zeros(x.shape[0], bool), maximum)
    grids = [np.unique(np.append(background[:, j], x[j])) if j != fixed else x[[j]] for j in range(len(x))]
    every = np.array(list(product(*grids)))
    flips = model.predict(every) == 1
    if not flips.any():
        return np.inf
    return float(cost.total(cost.parts(x[None], every[flips])).min())


@pytest.mark.parametrize("cost", ["total", "maximum"])
def test_programs_equal_brute_force(cost: str):
    background = table(60, 4, 0)
    y = (background @ [1, -1, 2, 0.5] + np.random.default_rng(0).normal(size=60) > 8).astype(int)
    model = LogisticRegression().fit(background, y)
    x = table(30, 4, 1)
    x = x[model.predict(x) == 0][:6]
    found = pc.counterfactual(
        model, x, pc.Recourse(cost=cost), target=1, background=background, constraints=[pc.Immutable("x3")]
    )
    options = sum(len(np.unique(background[:, j])) for j in range(3))
    assert found.receipt.rows_forward <= len(x) * (options + 20) + 100  # by programs, not by a search
    for row in range(len(x)):
        best = brute(model, x[row], background, cost == "maximum", 3)
        assert found.valid[row] == np.isfinite(best)
        if found.valid[row]:
            assert found.cost[row] == pytest.approx(best, abs=1e-9)
            assert model.predict(found.values[[row]])[0] == 1 and found.values[row, 3] == x[row, 3]


def test_no_recourse_is_proven_and_enumeration_agrees():
    background = table(60, 3, 0)
    model = LogisticRegression().fit(background, (background[:, 0] > 3).astype(int))
    x = np.array([[0.5, 2.5, 2.5], [2.5, 0.5, 0.5]])
    rules = [pc.Immutable("x0")]
    found = pc.counterfactual(model, x, pc.Recourse(), target=1, background=background, constraints=rules)
    for row in range(2):
        every = np.array(list(product([x[row, 0]], *[np.unique(background[:, j]) for j in (1, 2)])))
        possible = (model.predict(every) == 1).any()
        assert found.valid[row] == possible and found.proof[row] == (not possible)
    assert not found.valid[0] and "proven by a mixed-integer program" in found.reason[0]
    trees = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(
        background, (background[:, 0] > 3).astype(int)
    )
    asked = pc.counterfactual(trees, x, pc.Recourse(points=6), target=1, background=background, constraints=rules)
    assert asked.proof.tolist() == [True, True] and "all were asked" in asked.reason[0]


def test_the_flipset_changes_another_set_of_columns_each_time():
    found = pc.counterfactual(
        MODELS["linear"],
        ASKED,
        pc.Recourse(answers=4),
        target="yes",
        background=BACKGROUND,
        constraints=[pc.Immutable("sex")],
    )
    check(found, MODELS["linear"], ASKED, "yes", [pc.Immutable("sex")])
    for row in np.flatnonzero(found.sparsity > 0):
        some = ~np.isnan(found.costs[row])
        sets = [frozenset(found._changes(row, one)) for one in found.alternatives[row][some]]
        assert len(set(sets)) == some.sum() > 1
        assert (np.diff(found.costs[row][some]) >= -1e-9).all()


RULES = [
    pc.Immutable("sex"),
    pc.Increasing("age"),
    pc.Step("income", 500),
    "debt <= income",
    pc.Range("debt", 0, 15_000),
]


@pytest.mark.parametrize("kind", ["linear", "trees"])
@pytest.mark.parametrize("cost", ["total", "maximum"])
def test_pipelines_and_other_models_keep_to_everything(kind: str, cost: str):
    found = pc.counterfactual(
        MODELS[kind], ASKED, pc.Recourse(cost, answers=2), target="yes", background=BACKGROUND, constraints=RULES
    )
    check(found, MODELS[kind], ASKED, "yes", RULES)
    assert found.valid.all()


def test_a_program_is_never_dearer_than_the_search_on_the_same_grid():
    exact = pc.counterfactual(MODELS["linear"], ASKED, pc.Recourse(), target="yes", background=BACKGROUND)
    black = MODELS["linear"]
    searched = pc.counterfactual(
        lambda x: black.predict_proba(x), ASKED, pc.Recourse(), target=1, background=BACKGROUND
    )
    assert (exact.cost <= searched.cost + 1e-9).all()
    assert searched.cost.sum() <= 1.25 * exact.cost.sum() + 1e-9 and not searched.proof.any()


def test_an_interval_of_a_regressor_is_solved_exactly():
    background = table(80, 3, 2)
    model = LinearRegression().fit(background, background @ [1.0, 2.0, -1.0])
    x = np.array([[0.5, 0.5, 4.5]])
    found = pc.counterfactual(model, x, pc.Recourse(), target=(3, 4), background=background)
    assert found.valid[0] and 3 <= model.predict(found.values)[0] <= 4
    cost = Shift.of(background, np.zeros(3, bool), np.zeros(3, bool), False)
    every = np.array(list(product(*[np.unique(background[:, j]) for j in range(3)])))
    inside = every[(model.predict(every) >= 3) & (model.predict(every) <= 4)]
    assert found.cost[0] == pytest.approx(cost.total(cost.parts(x, inside)).min(), abs=1e-9)


def test_what_is_a_sum_over_columns_is_known_by_its_parts():
    assert additive(MODELS["linear"]) and not additive(MODELS["trees"])
    X, y = table(20, 2, 0), np.arange(20) % 2
    assert not additive(SVC().fit(X, y)) and additive(LogisticRegression().fit(X, y))
    assert not additive(lambda x: x)


def test_without_a_background_there_are_no_percentiles():
    with pytest.raises(pc.InputError, match="percentiles of the data"):
        pc.counterfactual(MODELS["linear"], ASKED, pc.Recourse(), target="yes")
    with pytest.raises(pc.MethodError, match="'total' or 'maximum'"):
        pc.Recourse(cost="local")


def test_levels_cost_by_how_rare_they_are():
    x = pd.DataFrame({"job": pd.Categorical(["a"], categories=["a", "b", "c"]), "pay": [1.0]})
    background = pd.DataFrame(
        {"job": pd.Categorical(["a"] * 5 + ["b"] * 4 + ["c"], categories=["a", "b", "c"]), "pay": np.ones(10)}
    )
    found = pc.counterfactual(
        lambda z: (z["job"] != "a").to_numpy() * 2.0 - 1, x, pc.Recourse(), target=(0, 2), background=background
    )
    assert found.changes() == {"job": ("a", "b")} and found.cost[0] == pytest.approx(-np.log(0.4))
