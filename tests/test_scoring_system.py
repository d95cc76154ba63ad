"""Scoring systems: the best points by enumeration, gaps that hold, probabilities from points alone, bad input."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import pellucid as pc
from pellucid.methods.glassbox.points_search import Search, best_move
from pellucid.methods.glassbox.points_task import Task
from pellucid.methods.glassbox.screening import screen
from test_rule_list import people


def world(seed: int, terms: int = 4, rows: int = 120):
    """Random terms, and answers of which points speak for some and against others."""
    rng = np.random.default_rng(seed)
    held = rng.random((terms, rows)) < rng.uniform(0.2, 0.7, size=(terms, 1))
    z = 1.4 * held[0] - 0.9 * held[1] + 0.3 * held[2] - 0.4
    y = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(int)
    by_class = np.zeros((rows, 2))
    by_class[np.arange(rows), y] = 1
    return held, by_class, y


def cost(points, held, y, unit, penalty):
    """Mean logistic loss with the best intercept, and the price of the terms, in arithmetic of its own."""
    z, sign = unit * (np.array(points) @ held), 2 * y - 1

    def loss(b):
        return np.log1p(np.exp(-sign * (z + b))).mean()

    return minimize_scalar(
        loss, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9}
    ).fun + penalty * np.count_nonzero(points)


@pytest.mark.parametrize(
    ("seed", "unit", "penalty", "allowed"), [(0, 0.5, 0.01, 4), (1, 1.0, 0.002, 2), (2, 0.3, 0.02, 3)]
)
def test_the_search_finds_what_enumeration_finds(seed, unit, penalty, allowed):
    held, by_class, y = world(seed)
    task = Task.of(held, by_class, unit, penalty, 2, allowed)
    search = Search(task, lambda rounds: (rounds < 200, None), 10_000)
    search.run()
    every = [p for p in product(range(-2, 3), repeat=4) if np.count_nonzero(p) <= allowed]
    costs = np.array([cost(p, held, y, unit, penalty) for p in every])
    assert search.objective == pytest.approx(costs.min(), abs=1e-7)
    assert costs.min() - 2e-6 <= search.bound <= costs.min() + 1e-7
    assert cost(search.best[:-1], held, y, unit, penalty) == pytest.approx(costs.min(), abs=1e-7)


def test_the_bound_holds_wherever_the_proof_is_cut_short():
    held, by_class, y = world(3)
    best = min(cost(p, held, y, 0.5, 0.01) for p in product(range(-2, 3), repeat=4))
    bounds = []
    for most in (0, 1, 2, 100):
        search = Search(Task.of(held, by_class, 0.5, 0.01, 2, 4), lambda rounds, most=most: (rounds < most, None), 5)
        search.run()
        assert search.bound <= best + 1e-7 <= search.objective + 2e-7
        bounds.append(search.bound)
    assert bounds == sorted(bounds) and bounds[0] < best - 1e-4


def test_no_tangent_lies_above_the_loss():
    held, by_class, _ = world(5)
    task = Task.of(held, by_class, 0.5, 0.01, 2, 4)
    search = Search(task, lambda rounds: (rounds < 3, None), 50)
    search.run()
    cuts = np.array(search.cuts)
    assert len(cuts) > 5
    for point in np.random.default_rng(0).uniform(-3, 3, size=(200, 5)):
        assert (cuts[:, :-1] @ point + cuts[:, -1]).max() <= task.loss(point) + 1e-9
    touched = (cuts[:, :-1] @ search.best + cuts[:, -1]).max()
    assert touched == pytest.approx(task.loss(search.best), abs=1e-9)


def test_slopes_intercepts_and_prices_are_what_differences_say():
    held, by_class, y = world(4)
    task = Task.of(held, by_class, 0.7, 0.01, 3, 4)
    at = np.array([0.4, -1.2, 2.0, 0.3, 0.1])
    by_hand = [(task.loss(at + e) - task.loss(at - e)) / 2e-6 for e in 1e-6 * np.eye(5)]
    np.testing.assert_allclose(task.slope(at), by_hand, atol=1e-8)
    points = task.centred(np.array([1.0, -2.0, 0.0, 3.0, 0.0]))
    assert task.objective(points) == pytest.approx(cost(points[:-1], held, y, 0.7, 0.01), abs=1e-9)
    assert abs(task.slope(points)[-1]) < 1e-9
    prices = task.prices(points)
    assert prices[1, 3 - 2] == pytest.approx(task.objective(points))  # its own points
    near = [cost((1, p, 0, 3), held, y, 0.7, 0.01) for p in range(-3, 4)]
    np.testing.assert_allclose(prices[1], near, atol=0.006)
    single = [
        cost(np.where(np.arange(4) == j, v, points[:-1]), held, y, 0.7, 0.01) for j in range(4) for v in range(-3, 4)
    ]
    assert best_move(task, points)[1] == pytest.approx(min(single), abs=1e-9)


def test_terms_that_speak_are_kept_and_noise_goes_first():
    rng = np.random.default_rng(0)
    held = rng.random((30, 800)) < 0.5
    y = (rng.random(800) < 1 / (1 + np.exp(-2 * held[7] + 2 * held[19]))).astype(int)
    by_class = np.eye(2)[y]
    assert {7, 19} <= set(screen(held, by_class, 4).tolist()) and len(screen(held, by_class, 4)) <= 4
    assert screen(held[:3], by_class, 4).tolist() == [0, 1, 2]


def test_points_alone_make_the_answer():
    X, y = people()
    model = pc.ScoringSystem(max_rounds=0).fit(X, y)
    total = np.zeros(len(X))
    for condition, points in model.rules_:
        total += points * condition.holds(X[condition.feature].to_numpy(dtype=object))
    assert np.array_equal(model.score_points(X), total) and {type(p) for _, p in model.rules_} == {int}
    risk = 1 / (1 + np.exp(-model.unit * (total + model.intercept_)))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], risk)
    assert model.score(X, y) > 0.85 and model.classes_[1] == ">50k"
    assert np.mean(risk) == pytest.approx(np.mean(y == ">50k"), abs=1e-6)  # the intercept is the best one
    words = model.words()
    assert any("education > High School" in line and line.startswith("+") for line in words)


def test_the_card_has_every_sum_and_what_was_seen(tmp_path):
    X, y = people()
    model = pc.ScoringSystem(max_terms=4, max_rounds=0).fit(X, y)
    card = pc.load(model.on_a_page().save(tmp_path / "card.npz"))
    total = model.score_points(X)
    assert card.totals.tolist() == sorted(set(total.tolist())) and card.rows.sum() == len(X)
    for t, rows, observed in zip(card.totals, card.rows, card.observed, strict=True):
        assert rows == (total == t).sum() and observed == pytest.approx((y[total == t] == ">50k").mean())
    assert (np.diff(card.risks) > 0).all() and len(card.terms) == len(card.points) <= 4
    assert str(card).splitlines()[0].startswith("+") and card.to_frame()["points"].tolist() == card.points.tolist()


@pytest.mark.parametrize(
    "changed",
    [
        {"max_terms": 1},
        {"max_points": 1},
        {"unit": 2.0},
        {"penalty": 0.1},
        {"bins": 2},
        {"min_support": 0.3},
        {"max_candidates": 2},
        {"max_rounds": 0},
        {"time_limit": 1e-9},
    ],
)
def test_every_argument_changes_the_system(changed):
    X, y = people()
    usual = pc.ScoringSystem(max_rounds=1, max_candidates=6).fit(X, y)
    other = clone(usual).set_params(**changed).fit(X, y)
    assert (usual.words(), usual.bound_, usual.n_rounds_) != (other.words(), other.bound_, other.n_rounds_)
    assert other.gap_ >= 0 and len(other.rules_) <= other.max_terms


def test_rows_of_weight_two_are_two_rows_and_progress_is_told():
    X, y = people(150)
    weights, heard = np.random.default_rng(0).integers(0, 3, 150), []
    twice = np.repeat(np.arange(150), weights)
    a = pc.ScoringSystem(max_rounds=0, max_terms=3, penalty=0.01).fit(
        X, y, sample_weight=weights, progress=lambda text, share: heard.append(share)
    )
    b = pc.ScoringSystem(max_rounds=0, max_terms=3, penalty=0.01).fit(X.iloc[twice].reset_index(drop=True), y[twice])
    assert a.words() == b.words() and a.objective_ == pytest.approx(b.objective_)
    assert heard and heard == sorted(heard) and heard[-1] <= 1


def test_what_cannot_be_learned_is_said():
    X, y = people(60)
    with pytest.raises(pc.InputError, match="Only binary classification is supported"):
        pc.ScoringSystem().fit(X, np.arange(60) % 3)
    with pytest.raises(pc.InputError, match="one class"):
        pc.ScoringSystem().fit(X, np.zeros(60))
    with pytest.raises(pc.InputError, match=r"no condition holds for 90\.00% of"):
        pc.ScoringSystem(min_support=0.9).fit(X, y)
    with pytest.raises(pc.InputError, match="unit > 0"):
        pc.ScoringSystem(unit=0).fit(X, y)
    with pytest.raises(pc.InputError, match="max_terms=0"):
        pc.ScoringSystem(max_terms=0).fit(X, y)


@pytest.mark.slow
@parametrize_with_checks([pc.ScoringSystem(max_rounds=0)])
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)
