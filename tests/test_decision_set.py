"""Decision sets: the objective from the paper's own sums, subsets by enumeration, who decides, bad input."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import pellucid as pc
from pellucid.methods.glassbox.set_search import Task, search
from test_rule_list import people

PRICES = (0.02, 0.01, 0.8, 1.5, 0.05, 0.9, 1.0)


def world(seed: int, rules: int = 8, rows: int = 50, k: int = 3, prices=PRICES) -> Task:
    rng = np.random.default_rng(seed)
    held = rng.random((rules, rows)) < rng.uniform(0.1, 0.5, size=(rules, 1))
    by_class = np.eye(k)[rng.integers(k, size=rows)] * rng.integers(1, 4, size=(rows, 1))
    return Task(held, (held @ by_class).argmax(axis=1), rng.integers(1, 4, size=rules), by_class, prices)


def spelled_out(task: Task, chosen) -> float:
    """The seven terms of equation (2), row by row; constants so that choosing everything, right about nothing, is worth 0."""
    few, short, same, other, classes, sound, cover = task.prices
    weight, truth = task.by_class.sum(axis=1), task.by_class.argmax(axis=1)
    n, m = weight.sum(), len(task.says)

    def rows(r):
        return set(np.flatnonzero(task.held[r]).tolist())

    def price(r, s):
        return (same if task.says[r] == task.says[s] else other) / m

    def costs(rules):
        alone = sum(few * n + short * n * task.length[r] for r in rules)
        wrong = sum(sound * weight[i] for r in rules for i in rows(r) if truth[i] != task.says[r])
        pairs = sum(price(r, s) * weight[i] for r, s in combinations(rules, 2) for i in rows(r) & rows(s))
        return alone + wrong + pairs

    covered = {i for r in chosen for i in rows(r) if truth[i] == task.says[r]}
    earned = classes * n * len({task.says[r] for r in chosen}) + cover * sum(weight[i] for i in covered)
    return costs(range(m)) - costs(chosen) + earned


@pytest.mark.parametrize("seed", range(3))
def test_the_objective_and_its_changes_are_the_papers(seed):
    task = world(seed)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        chosen = rng.random(8) < 0.4
        now = task.objective(chosen)
        assert now == pytest.approx(spelled_out(task, np.flatnonzero(chosen)))
        flipped = [task.objective(chosen ^ (np.arange(8) == r)) for r in range(8)]
        np.testing.assert_allclose(task.gains(chosen), np.array(flipped) - now, atol=1e-9)


@pytest.mark.parametrize("prices", [PRICES, (0.0, 0.0, 4.0, 4.0, 0.2, 0.3, 1.0), (0.001, 0.0, 0.1, 9.0, 0.0, 0.2, 2.0)])
@pytest.mark.parametrize("seed", range(4))
def test_the_search_is_within_its_promise_of_the_best_subset(seed, prices):
    task = world(seed, prices=prices)
    every = np.array(list(product([False, True], repeat=8)))
    values = np.array([task.objective(one) for one in every])
    chosen, objective, done = search(task, lambda steps: True)
    assert done and objective == pytest.approx(task.objective(chosen))
    assert values.max() / 3 <= objective <= values.max() + 1e-9 and values.min() >= -1e-9
    assert objective >= values.max() - 0.05 * np.ptp(values)  # and on these far within
    assert (task.gains(chosen) <= 1e-6).all()


def test_submodular_gains_fall_as_the_set_grows():
    task = world(7)
    rng = np.random.default_rng(0)
    for _ in range(20):
        small = rng.random(8) < 0.3
        large = small | (rng.random(8) < 0.4)
        outside = ~large
        assert (task.gains(small)[outside] >= task.gains(large)[outside] - 1e-9).all()


def test_rules_say_who_decides_and_what_is_known_of_the_rest(tmp_path):
    X, y = people()
    model = pc.DecisionSet().fit(X, y)
    assert model.score(X, y) > 0.9 and model.local_optimum_ and 0 < model.objective_ <= model.bound_
    f1, held = [], []
    for rule in model.rules_[:-1]:
        here = np.all([c.holds(X[c.feature].to_numpy(dtype=object)) for c in rule.conditions], axis=0)
        right = (y[here] == rule.answer).sum()
        f1.append(2 * right / (here.sum() + (y == rule.answer).sum()))
        held.append(here)
        assert rule.rows == here.sum()
    assert f1 == sorted(f1, reverse=True)
    first = np.array([next((i for i, here in enumerate(held) if here[row]), len(held)) for row in range(len(X))])
    assert np.allclose(model.predict_proba(X), [model.rules_[i].shares for i in first])
    assert any(line.startswith("if education <= High School then <=50k") for line in model.words())
    card = pc.load(model.on_a_page().save(tmp_path / "c.npz"))
    assert card.sentences() == model.words() and not card.ordered and card.kind == "decision set"


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": 0.5},
        {"condition": 0.3},
        {"overlap": 900.0},
        {"conflict": 900.0},
        {"class_bonus": 0.5},
        {"wrong": 3.0},
        {"cover": 0.1},
        {"max_conditions": 1},
        {"min_support": 0.3},
        {"bins": 2},
        {"max_candidates": 5},
        {"time_limit": 1e-9},
    ],
)
def test_every_argument_changes_the_set(changed):
    X, y = people()
    usual = pc.DecisionSet().fit(X, y)
    other = clone(usual).set_params(**changed).fit(X, y)
    assert (usual.words(), usual.objective_) != (other.words(), other.objective_)


def test_weights_progress_three_classes():
    X, y = people(150)
    weights, heard = np.random.default_rng(0).integers(0, 3, 150), []
    twice = np.repeat(np.arange(150), weights)
    a = pc.DecisionSet().fit(X, y, sample_weight=weights, progress=lambda text, share: heard.append(share))
    b = pc.DecisionSet().fit(X.iloc[twice].reset_index(drop=True), y[twice])
    assert a.words() == b.words() and a.objective_ == pytest.approx(b.objective_)
    assert heard and heard == sorted(heard) and heard[-1] < 1
    three = np.array(["a", "b", "c"])[np.clip((X["age"].fillna(20) // 20).astype(int), 1, 3) - 1]
    assert pc.DecisionSet().fit(X, three).predict_proba(X).shape == (150, 3)


def test_what_cannot_be_learned_is_said():
    X, y = people(60)
    with pytest.raises(pc.InputError, match="wrong=-1"):
        pc.DecisionSet(wrong=-1).fit(X, y)
    with pytest.raises(pc.InputError, match="one class"):
        pc.DecisionSet().fit(X, np.zeros(60))
    with pytest.raises(pc.InputError, match="no condition holds for"):
        pc.DecisionSet(min_support=0.99).fit(X, y)


@pytest.mark.slow
@parametrize_with_checks([pc.DecisionSet()])
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)
