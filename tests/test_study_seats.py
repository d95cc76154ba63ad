"""Who sees what: conditions are balanced in blocks, orders are random, and everything is drawn before anybody takes part."""

import itertools
from collections import Counter

import numpy as np
import pytest

from pellucid.studies import human
from study_world import simple, world


@pytest.mark.parametrize("kinds", [2, 4])
def test_after_every_block_all_conditions_have_equally_many(kinds):
    items = simple().items if kinds == 2 else human.decide(world().record, world().said, world().truth, accuracy=0.9)
    study = human.Study("A", items, seats=41)
    given = [seat.conditions[0] for seat in study.plan]
    assert all(len(set(seat.conditions)) == 1 for seat in study.plan)
    for start in range(0, 41 - 2 * kinds, 2 * kinds):
        assert set(Counter(given[start : start + 2 * kinds]).values()) == {2}
    assert len(given) == 41


def test_within_participants_every_item_meets_every_condition():
    study = simple(5, within=True, seats=20)
    for first in range(0, 20, 2):
        mine, yours = study.plan[first], study.plan[first + 1]
        assert mine.order == yours.order
        assert all(a != b for a, b in zip(mine.conditions, yours.conditions, strict=True))
        assert sorted(Counter(mine.conditions).values()) == [2, 3]
        met = [mine.conditions[item] for item in mine.order]
        assert all(a != b for a, b in itertools.pairwise(met))  # neither condition comes early


def test_orders_differ_and_examples_come_first():
    w = world()
    study = human.Study("A", human.forward_simulation(w.record, w.said, examples=4), seats=50)
    assert all(seat.order[:4] == (0, 1, 2, 3) and sorted(seat.order) == list(range(12)) for seat in study.plan)
    assert len({seat.order for seat in study.plan}) == 50
    places = np.array([seat.order.index(7) for seat in study.plan])
    assert places.min() == 4 and places.max() == 11


def test_a_seed_is_a_plan():
    assert simple(seed=3).plan == simple(seed=3).plan != simple(seed=4).plan


def test_attention_checks_do_not_disturb_the_balance():
    items = (simple(4).items, human.attention_check("Choose b.", ("a", "b"), "b"))
    study = human.Study("A", items, within=True, seats=30)
    for seat in study.plan:
        assert Counter(seat.conditions[:4]) == {0: 2, 1: 2}
