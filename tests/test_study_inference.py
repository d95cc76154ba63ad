"""Tests and intervals: closed forms, other people's software, published examples, and what happens in many simulated studies."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pellucid.studies.human import inference


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_randomisation_test_lists_every_arrangement():
    values, treated = np.array([1.0, 2.0, 3.0, 10.0]), np.array([False, False, True, True])
    # means 1.5 and 6.5 differ by 5; {1, 10} and {2, 3} by 3, {2, 10} and {1, 3} by 4: 2 of 6 arrangements are as far apart
    assert inference.randomisation(values, treated, rng()) == 2 / 6
    assert inference.randomisation(np.ones(6), np.arange(6) < 3, rng()) == 1.0


@given(st.lists(st.integers(1, 7), min_size=2, max_size=7), st.sampled_from([1, 3, 8]), st.data())
def test_counted_arrangements_are_those_that_are_listed(numbers, q, data):
    values, k = np.array(numbers) / q, data.draw(st.integers(1, len(numbers) - 1))
    treated = np.arange(len(values)) < k
    away = [
        abs(values[list(chosen)].mean() - np.delete(values, chosen).mean())
        for chosen in itertools.combinations(range(len(values)), k)
    ]
    assert inference.randomisation(values, treated, rng()) == pytest.approx(np.mean(np.array(away) >= away[0] - 1e-9))
    centred = values - values.mean().round()
    flipped = [abs((centred * signs).sum()) for signs in itertools.product((1, -1), repeat=len(values))]
    assert inference.sign_flips(centred, rng()) == pytest.approx(np.mean(np.array(flipped) >= flipped[0] - 1e-9))


def test_with_one_answer_each_it_is_fishers_exact_test_for_equal_groups():
    values = np.array([1, 0, 0, 0, 0, 1, 1, 1, 1, 0], float)
    treated = np.arange(10) >= 5
    table = [[1, 4], [4, 1]]
    assert inference.randomisation(values, treated, rng()) == pytest.approx(stats.fisher_exact(table).pvalue)


def test_drawn_arrangements_agree_with_scipys():
    draw = rng(1)
    values, treated = draw.normal(size=30), np.arange(30) < 13
    values[treated] += 0.7
    theirs = stats.permutation_test(
        (values[treated], values[~treated]),
        lambda a, b: abs(a.mean() - b.mean()),
        alternative="greater",
        n_resamples=9999,
        rng=np.random.default_rng(3),
    )
    assert inference.randomisation(values, treated, rng()) == pytest.approx(theirs.pvalue, abs=0.015)


def test_sign_flips_are_listed_and_drawn():
    assert inference.sign_flips(np.array([1.0, 2.0, 3.0]), rng()) == 2 / 8
    assert inference.sign_flips(np.array([1.0, 2.0, -3.0]), rng()) == 1.0
    away = rng(2).normal(0.4, 1, 40)
    # the normal approximation of the flips' own distribution
    z = abs(away.sum()) / math.sqrt((away**2).sum())
    assert inference.sign_flips(away, rng()) == pytest.approx(2 * stats.norm.sf(z), abs=0.01)


@given(st.integers(0, 12), st.sampled_from([0.25, 0.5]))
def test_guessing_is_binomial_where_all_questions_are_alike(right, chance):
    assert inference.guessing(right, [chance] * 12) == pytest.approx(stats.binom.sf(right - 1, 12, chance))


def test_guessing_is_the_sum_of_unlike_coins():
    chances = (0.5, 0.25, 0.1)
    likely = dict.fromkeys(range(4), 0.0)
    for sides in itertools.product((0, 1), repeat=3):
        likely[sum(sides)] += math.prod(p if side else 1 - p for side, p in zip(sides, chances, strict=True))
    assert inference.guessing(2, chances) == pytest.approx(likely[2] + likely[3])


@given(st.integers(0, 20), st.integers(1, 20))
def test_clopper_pearson_and_wilson_are_scipys(right, more):
    n = right + more
    exact = stats.binomtest(right, n)
    assert inference.clopper_pearson(right / n, n) == pytest.approx(tuple(exact.proportion_ci(method="exact")))
    assert inference.wilson(right / n, n) == pytest.approx(tuple(exact.proportion_ci(method="wilson")), abs=1e-12)


def test_newcombes_own_examples():
    # Newcombe 1998, table II, method 10: 56/70 less 48/80, 9/10 less 3/10, 10/10 less 0/10
    for (a, m), (b, n), low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ):
        assert inference.newcombe((b / n, n), (a / m, m)) == pytest.approx((low, high), abs=6e-5)


def test_students_and_welchs_intervals_are_scipys():
    a, b = rng(1).normal(size=9), rng(2).normal(1, 3, size=14)
    theirs = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert inference.welch(a, b) == pytest.approx((theirs.low, theirs.high))
    one = stats.ttest_1samp(a, 0).confidence_interval()
    assert inference.student(a) == pytest.approx((one.low, one.high))
    assert np.isnan(inference.student(a[:1])).all() and np.isnan(inference.welch(a, b[:1])).all()
    assert inference.welch(np.zeros(3), np.ones(3)) == (1.0, 1.0)


def test_holm_by_hand():
    made = inference.holm(np.array([0.01, 0.04, 0.03, np.nan]))
    assert made[:3] == pytest.approx([0.03, 0.06, 0.06]) and np.isnan(made[3])


def test_the_effective_number_of_answers():
    assert inference.effective(np.array([1.0, 0, 1]), np.ones(3)) == 3  # one answer each
    # everybody answers all four alike: as many answers as participants, less what estimating the variance costs
    alike = inference.effective(np.array([4.0, 0, 4, 0, 4, 0, 4, 0]), np.full(8, 4.0))
    t = stats.t.ppf(0.975, 31) / stats.t.ppf(0.975, 7)
    assert alike == pytest.approx(7 * t**2)
    assert inference.effective(np.array([2.0, 2, 2]), np.full(3, 4.0)) == 12
    assert inference.effective(np.array([4.0, 4, 4]), np.full(3, 4.0)) == 3  # all right: at worst one says it for all


def clustered(draw, people, items, p, icc):
    """(people,) how many of the items each got right."""
    whole = (1 - icc) / icc
    return draw.binomial(items, draw.beta(p * whole, (1 - p) * whole, people)).astype(float)


def test_the_intervals_hold_for_answers_in_bundles_where_plain_ones_do_not():
    draw, trials, m, items, p = rng(5), 2000, 25, 10, 0.7
    held = plain = 0
    for _ in range(trials):
        right = clustered(draw, m, items, p, icc=0.3)
        share, n = right.sum() / (m * items), np.full(m, float(items))
        low, high = inference.clopper_pearson(share, inference.effective(right, n))
        held += low <= p <= high
        low, high = inference.clopper_pearson(share, m * items)
        plain += low <= p <= high
    assert 0.94 <= held / trials <= 0.99  # exact intervals are a little wide
    assert plain / trials < 0.8


def test_newcombes_interval_holds_for_answers_in_bundles():
    draw, trials, m, items = rng(6), 2000, 30, 8
    n, held = np.full(m, float(items)), 0
    for _ in range(trials):
        pair = [clustered(draw, m, items, p, icc=0.2) for p in (0.6, 0.75)]
        low, high = inference.newcombe(*((right.sum() / n.sum(), inference.effective(right, n)) for right in pair))
        held += low <= 0.15 <= high
    assert 0.935 <= held / trials <= 0.98


def test_the_randomisation_test_keeps_its_level_where_fishers_on_items_does_not():
    draw, trials, m, items = rng(7), 400, 8, 10
    ours = fisher = 0
    treated = np.arange(2 * m) >= m
    for _ in range(trials):
        right = clustered(draw, 2 * m, items, 0.7, icc=0.3)
        ours += inference.randomisation(right / items, treated, draw) <= 0.05
        table = [[part.sum(), m * items - part.sum()] for part in (right[:m], right[m:])]
        fisher += stats.fisher_exact(table).pvalue <= 0.05
    assert stats.binom.cdf(ours, trials, 0.05) < 0.999  # not more than 5 %, within what 400 draws can say
    assert fisher / trials > 0.15
