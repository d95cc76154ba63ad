"""Rule lists: the best of all lists by enumeration, bounds that hold, readable conditions, weights, gaps, bad input."""

from __future__ import annotations

from itertools import permutations
from math import lgamma

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import pellucid as pc
from pellucid.methods.glassbox.list_climb import climb
from pellucid.methods.glassbox.list_search import Entry, Family, Search
from pellucid.methods.glassbox.list_task import Task, errors, surprise
from pellucid.methods.glassbox.literals import cuts


def world(seed: int, rules: int = 6, rows: int = 60, k: int = 2, weights=None, noise: float = 0.2):
    """Random rules that hold for random rows, and classes that follow two of them most of the time."""
    rng = np.random.default_rng(seed)
    held = rng.random((rules, rows)) < rng.uniform(0.15, 0.6, size=(rules, 1))
    y = np.where(rng.random(rows) < noise, rng.integers(k, size=rows), (held[0] + 2 * (held[1] & ~held[2])) % k)
    by_class = np.zeros((rows, k))
    by_class[np.arange(rows), y] = 1 if weights is None else weights
    return held, by_class, y


def spelled_out(rules, held, by_class, loss, penalty, least):
    """The objective of one list, row by row, with arithmetic of its own."""
    left, total = [True] * held.shape[1], penalty * len(rules)
    for rule in [*rules, None]:
        here = [i for i in range(held.shape[1]) if left[i] and (rule is None or held[rule, i])]
        counts = [sum(by_class[i, c] for i in here) for c in range(by_class.shape[1])]
        if rule is not None and (sum(counts) < least or not here):
            return np.inf
        for i in here:
            left[i] = False
        if loss == "errors":
            total += sum(counts) - max(counts)
        else:
            k = len(counts)
            total -= lgamma(k) + sum(lgamma(c + 1) for c in counts) - lgamma(sum(counts) + k)
    return total


def best_of_all(held, by_class, loss, penalty, least, most):
    lists = (r for size in range(most + 1) for r in permutations(range(len(held)), size))
    return min(spelled_out(r, held, by_class, loss, penalty, least) for r in lists)


LOSSES = {"errors": errors, "likelihood": surprise}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("seed", "k", "most"), [(0, 2, 4), (1, 3, 3), (2, 2, 2), (11, 2, 3), (12, 2, 3), (13, 3, 3)])
def test_the_search_finds_what_enumeration_finds(loss, seed, k, most):
    held, by_class, _ = world(seed, k=k, noise=0.6 if seed > 10 else 0.2)
    task = Task(held, by_class, LOSSES[loss], 1.2, 3.0, most)
    search = Search(task, lambda nodes: True)
    search._offer((), float(task.loss(by_class.sum(axis=0))))
    search._prove()  # neither beam nor climbing helps it
    best = best_of_all(held, by_class, loss, 1.2, 3.0, most)
    assert search.objective == pytest.approx(best, abs=1e-8) and search.bound == pytest.approx(best, abs=1e-6)
    assert spelled_out(search.best, held, by_class, loss, 1.2, 3.0) == pytest.approx(best, abs=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_bound_holds_wherever_the_search_is_cut_short(loss):
    held, by_class, _ = world(4, rules=7, rows=90, noise=0.5)
    best = best_of_all(held, by_class, loss, 0.8, 2.0, 4)
    bounds = []
    for most in (1, 3, 8, 20, 10_000):
        search = Search(Task(held, by_class, LOSSES[loss], 0.8, 2.0, 4), lambda nodes, most=most: nodes < most)
        search._offer((), float(LOSSES[loss](by_class.sum(axis=0))))
        search._prove()
        assert search.bound <= best + 1e-9 <= search.objective + 2e-9
        bounds.append(search.bound)
    assert bounds == sorted(bounds) and bounds[-1] == pytest.approx(best) and bounds[0] < best - 0.5


@pytest.mark.parametrize("loss", LOSSES)
def test_no_bound_in_the_queue_exceeds_what_its_prefix_can_become(loss):
    held, by_class, _ = world(14, rules=5, rows=80, noise=0.6)
    task = Task(held, by_class, LOSSES[loss], 0.3, 1.0, 4)
    search = Search(task, lambda nodes: True)  # nothing offered, so nothing is pruned
    for rules in ((), (0,), (3, 1)):
        cost = spelled_out(rules, held, by_class, loss, 0.3, 1.0) - float(
            task.loss(by_class[task.rows(task.left(rules))].sum(axis=0))
        )
        family = search._family(
            Entry(0.0, 0, Family((), np.zeros(1, int), np.array([cost]), np.zeros(1)), 0, rules), task.left(rules)
        )
        for rule, bound in zip(family.followers.tolist(), family.bounds.tolist(), strict=True):
            longer = [(*rules, rule, *more) for size in (1, 2) for more in permutations(range(5), size)]
            best = min(spelled_out(one, held, by_class, loss, 0.3, 1.0) for one in longer)
            assert bound <= best + 1e-9
        search.objective = np.inf


def test_weights_count_like_rows():
    weights = np.random.default_rng(5).integers(1, 4, size=40).astype(float)
    held, by_class, y = world(5, rows=40, weights=weights)
    rows = np.repeat(np.arange(40), weights.astype(int))
    ones = np.zeros((len(rows), 2))
    ones[np.arange(len(rows)), y[rows]] = 1
    for loss in LOSSES.values():
        found = [
            Search(Task(h, w, loss, 1.5, 3.0, 4), lambda nodes: True)
            for h, w in ((held, by_class), (held[:, rows], ones))
        ]
        for search in found:
            search.run(5)
        assert found[0].objective == pytest.approx(found[1].objective) == pytest.approx(found[0].bound)
        assert found[0].best == found[1].best


def test_climbing_prices_moves_as_they_are_and_ends_where_none_helps():
    held, by_class, _ = world(6, rules=8, rows=90)
    task = Task(held, by_class, surprise, 0.5, 3.0, 5)
    rules, objective = climb(task, (), task.price(()), lambda: True)
    assert objective == pytest.approx(spelled_out(rules, held, by_class, "likelihood", 0.5, 3.0))
    others = [rules[:i] + rules[i + 1 :] for i in range(len(rules))]
    inserted = [(*o[:i], r, *o[i:]) for o in [*others, rules] for i in range(len(o) + 1) for r in range(8)]
    moves = [m for m in [*others, *inserted] if len(m) <= 5]
    assert min(spelled_out(m, held, by_class, "likelihood", 0.5, 3.0) for m in moves) >= objective - 1e-6


def people(n: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """Low pay for whom school ended at high school; the rest is decided by age; 3 % of the answers are turned."""
    rng = np.random.default_rng(0)
    levels = ["None", "High School", "Bachelor", "Doctorate"]
    X = pd.DataFrame(
        {
            "education": pd.Categorical(rng.choice(levels, n), categories=levels, ordered=True),
            "age": rng.integers(18, 70, n).astype(float),
            "town": rng.choice(["Rom", "Ulm"], n),
            "member": rng.random(n) < 0.5,
        }
    )
    high = (X["education"] > "High School") & (X["age"] > 30)
    y = np.where(high ^ (rng.random(n) < 0.03), ">50k", "<=50k")
    X.loc[::17, "age"] = np.nan
    X.loc[::23, "town"] = None
    return X, y


def test_a_rule_of_the_founding_example_is_found_and_readable():
    X, y = people()
    model = pc.RuleList(max_conditions=1).fit(X, y)
    assert model.words()[0].startswith("if education <= High School then <=50k (")
    assert (model.predict(X) == y).mean() > 0.9
    rule = model.rules_[0]
    held = (X["education"] <= "High School").to_numpy()
    assert rule.rows == held.sum() and rule.conditions[0].values == ("None", "High School")
    low = (y[held] == "<=50k").sum()
    assert rule.shares[0] == pytest.approx((low + 1) / (held.sum() + 2))  # a flat prior: one row of each class
    assert np.allclose(model.predict_proba(X)[held], rule.shares)


def test_conditions_hold_for_the_rows_that_the_model_says():
    X, y = people()
    model = pc.RuleList(penalty=0.0, max_rules=6).fit(X, y)
    left, place = np.ones(len(X), dtype=bool), np.full(len(X), len(model.rules_) - 1)
    for i, rule in enumerate(model.rules_[:-1]):
        here = left & np.all([c.holds(X[c.feature].to_numpy(dtype=object)) for c in rule.conditions], axis=0)
        place[here], left = i, left & ~here
        assert here.sum() == rule.rows
    assert np.allclose(model.predict_proba(X), [model.rules_[i].shares for i in place])


def test_new_levels_and_gaps_are_answered():
    X, y = people()
    model = pc.RuleList().fit(X, y)
    new = pd.DataFrame(
        {"education": [None, "Bachelor"], "age": [np.nan, 44.0], "town": ["Bonn", None], "member": [True, None]}
    )
    assert set(model.predict(new)) <= {"<=50k", ">50k"}


def test_numbers_are_cut_between_values_and_around_what_many_rows_have():
    values = np.array([0.0] * 90 + list(range(1, 11)))
    assert cuts(values, np.ones(100), 5)[0] == 0  # nobody's zero is on its own side
    some = np.random.default_rng(0).normal(size=200)
    weights = np.random.default_rng(1).integers(0, 4, 200)
    kept = weights > 0
    assert np.unique(some[kept])[cuts(some[kept], weights[kept], 6)].tolist() == (
        np.unique(some[kept])[cuts(np.repeat(some, weights), np.ones(weights.sum()), 6)].tolist()
    )


def test_limits_are_kept_and_told():
    X, y = people()
    heard = []
    model = pc.RuleList(penalty=0.0, max_nodes=40).fit(X, y, progress=lambda text, share: heard.append(share))
    assert model.n_nodes_ <= 41 + 30 and 0 < model.gap_ <= 1 and model.bound_ < model.objective_
    assert heard == sorted(heard) and heard[0] >= 0 and heard[-1] <= 1
    card = model.on_a_page()
    assert not card.receipt.converged and f"gap {model.gap_:.1%}" in card.receipt.notes[0]
    proven = pc.RuleList(loss="errors", penalty=0.05).fit(X, y)
    assert proven.gap_ == 0 and proven.on_a_page().receipt.converged
    assert '"converged": true' in proven.on_a_page().receipt.to_json()
    at_once = pc.RuleList(time_limit=1e-9).fit(X, y)
    assert at_once.n_nodes_ <= 1 and at_once.bound_ <= model.objective_


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": "errors"},
        {"penalty": 0.05},
        {"max_rules": 1},
        {"max_conditions": 1},
        {"min_support": 0.4},
        {"bins": 2},
        {"max_candidates": 4},
        {"max_nodes": 1},
        {"time_limit": 1e-9},
    ],
)
def test_every_argument_changes_the_list(changed):
    X, y = people()
    usual = pc.RuleList(penalty=0.0005, max_nodes=60).fit(X, y)
    other = clone(usual).set_params(**changed).fit(X, y)
    assert (usual.words(), usual.bound_, usual.n_nodes_) != (other.words(), other.bound_, other.n_nodes_)


def test_three_classes_and_a_card_that_is_kept(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = np.array(["a", "b", "c"])[(x[:, 0] > 0).astype(int) + (x[:, 1] > 0)]
    model = pc.RuleList().fit(x, y)
    assert (model.predict(x) == y).mean() > 0.8 and model.predict_proba(x).shape == (300, 3)
    card = model.on_a_page()
    back = pc.load(card.save(tmp_path / "card.npz"))
    assert back.sentences() == card.sentences() and back.rules == card.rules
    assert list(card.to_frame().columns) == ["rule", "answer", "p(a)", "p(b)", "p(c)", "rows"]
    assert card.to_frame()["rows"].sum() == 300


def test_what_cannot_be_learned_is_said():
    X, y = people(60)
    with pytest.raises(pc.InputError, match="one class, '<=50k', in 60 samples"):
        pc.RuleList().fit(X, np.full(60, "<=50k"))
    with pytest.raises(
        pc.InputError, match=r"no condition holds for 99\.00% of the rows or more, the most frequent one for"
    ):
        pc.RuleList(min_support=0.99).fit(X, y)
    with pytest.raises(pc.InputError, match="every column is constant"):
        pc.RuleList().fit(X[["town"]].assign(town="Rom"), y)
    with pytest.raises(pc.InputError, match="'likelihood' or 'errors'"):
        pc.RuleList(loss="gini").fit(X, y)
    with pytest.raises(pc.InputError, match="bins=0"):
        pc.RuleList(bins=1).fit(X, y)
    with pytest.raises(pc.InputError, match="sample_weight"):
        pc.RuleList().fit(X, y, sample_weight=-np.ones(60))
    with pytest.raises(pc.InputError, match="y misses a value"):
        pc.RuleList().fit(X, np.where(np.arange(60) == 3, None, y))
    with pytest.raises(ValueError, match="feature names"):
        pc.RuleList().fit(X, y).predict(X.rename(columns={"age": "years"}))


@pytest.mark.slow
@parametrize_with_checks([pc.RuleList(max_nodes=100, max_candidates=60)])
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)
