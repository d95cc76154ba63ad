"""How many participants: closed forms, and simulated studies in which the effect is found as often as promised."""

import math

import numpy as np
import pytest
from scipy import stats

import pellucid as pc
from pellucid.studies import human
from pellucid.studies.human import inference, power
from pellucid.studies.human.rehearsal import _able


def test_one_item_each_is_the_textbooks_formula_up_to_students_t():
    plan = human.participants_needed(0.5, 0.2, 1, 0.0)
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    normal = z**2 * (0.25 + 0.21) / 0.2**2
    fleiss = normal / 4 * (1 + math.sqrt(1 + 4 / (normal * 0.2))) ** 2  # with the correction for continuity
    assert math.ceil(fleiss) <= plan.each <= math.ceil(fleiss) + 2 and plan.participants == 2 * plan.each
    assert plan.power >= 0.8 and power._power(0.2 - 1 / (plan.each - 1), 0.46, plan.each - 1, 0.05, False) < 0.8


def test_more_items_help_less_the_more_alike_answers_are():
    assert power._variance(0.6, 0.75, 10, 0.0, 0) == pytest.approx((0.24 + 0.1875) / 10)
    assert power._variance(0.6, 0.75, 10, 0.999999, 0) == pytest.approx(0.24 + 0.1875, rel=1e-5)
    few, many = (human.participants_needed(0.6, 0.15, items, 0.2).each for items in (5, 500))
    assert many > few / 3


def test_within_participants_what_somebody_is_good_at_cancels():
    left = 0.2 * (0.24**0.5 - 0.1875**0.5) ** 2  # abilities of unlike spread do not cancel altogether
    assert power._variance(0.6, 0.75, 10, 0.2, 2) == pytest.approx((0.24 + 0.1875) * 0.8 / 5 + left)
    within = human.participants_needed(0.6, 0.15, 10, 0.3, within=True)
    assert within.participants == within.each < human.participants_needed(0.6, 0.15, 10, 0.3).participants / 3


@pytest.mark.parametrize(("within", "freedom"), [(False, 38), (True, 19)])
def test_the_power_of_a_t_test_is_that_of_its_square_an_f_test(within, freedom):
    bound, shift = stats.f.ppf(0.95, 1, freedom), 0.5**2 / (0.8 / 20)
    assert power._power(0.5, 0.8, 20, 0.05, within) == pytest.approx(stats.ncf.sf(bound, 1, freedom, shift))


def test_the_sign_of_the_effect_does_not_matter_and_conditions_cost():
    assert human.participants_needed(0.7, -0.2, 5, 0.1).each == human.participants_needed(0.5, 0.2, 5, 0.1).each
    two, four = (human.participants_needed(0.5, 0.2, 5, 0.1, conditions=k) for k in (2, 4))
    assert four.each > two.each and four.participants == 4 * four.each
    assert "a difference of +20 points" in str(two)


@pytest.mark.parametrize(
    "wrong",
    [
        {"baseline": 0.9, "effect": 0.2},
        {"effect": 0.0},
        {"icc": 1.0},
        {"items": 0},
        {"power": 0.01},
        {"items": 1, "within": True},
    ],
)
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(pc.InputError):
        human.participants_needed(**{"baseline": 0.5, "effect": 0.1, "items": 4, "icc": 0.1, **wrong})


def test_too_small_an_effect_is_refused():
    with pytest.raises(pc.InputError, match="more than 1,000,000"):
        human.participants_needed(0.5, 0.0001, 1, 0.0)


def abilities(draw, people, shares, icc):
    """(people, conditions) each participant's chance of a right answer; the same people are good in all conditions."""
    return np.array([[_able(p, icc, u) for p in shares] for u in draw.random(people)])


def test_the_promised_power_is_reached_between_participants():
    plan, draw, trials = human.participants_needed(0.6, 0.2, 6, 0.15), np.random.default_rng(1), 600
    treated = np.arange(2 * plan.each) >= plan.each
    found = level = 0
    for _ in range(trials):
        able = abilities(draw, 2 * plan.each, (0.6, 0.8), 0.15)
        answers = draw.binomial(6, np.where(treated, able[:, 1], able[:, 0])) / 6
        found += inference.randomisation(answers, treated, draw) <= 0.05
        level += inference.randomisation(draw.binomial(6, able[:, 0]) / 6, treated, draw) <= 0.05
    assert abs(found / trials - plan.power) < 0.05
    assert 0.03 < level / trials < 0.075


def test_the_promised_power_is_reached_within_participants():
    plan, draw, trials = human.participants_needed(0.6, 0.2, 6, 0.15, within=True), np.random.default_rng(2), 600
    found = level = 0
    for _ in range(trials):
        able = abilities(draw, plan.each, (0.6, 0.8), 0.15)
        first = draw.binomial(3, able[:, 0]) / 3
        found += inference.sign_flips(draw.binomial(3, able[:, 1]) / 3 - first, draw) <= 0.05
        level += inference.sign_flips(draw.binomial(3, able[:, 0]) / 3 - first, draw) <= 0.05
    assert abs(found / trials - plan.power) < 0.05
    assert 0.025 < level / trials < 0.075


def test_abilities_have_the_mean_and_the_correlation_that_they_say():
    able = abilities(np.random.default_rng(0), 20_000, (0.7,), 0.2)[:, 0]
    assert able.mean() == pytest.approx(0.7, abs=0.01) and able.var() == pytest.approx(0.2 * 0.21, rel=0.05)
    assert _able(0.7, 0.0, 0.1) == 0.7 and _able(1.0, 0.3, 0.1) == 1.0
