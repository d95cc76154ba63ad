"""Targets: what is asked of the outputs, coerced once and bound once."""

import numpy as np
import pytest

import pellucid as pc
from pellucid.core.target import as_target

OUTPUTS = np.array([[1.0, 5.0, 2.0], [9.0, 0.0, 3.0]])
ROWS = np.array([0, 1, 1])
LATER = np.array([[10.0, 11.0, 12.0], [20.0, 21.0, 22.0], [30.0, 31.0, 32.0]])


@pytest.mark.parametrize(
    ("target", "picked", "resolved"),
    [
        (pc.Class(2), [12, 22, 32], pc.Class(2)),
        (pc.Class((1, 0)), [11, 20, 30], pc.Class((1, 0))),
        (pc.Predicted(), [11, 20, 30], pc.Class((1, 0))),
        (pc.Margin(0, 2), [-2, -2, -2], pc.Margin(0, 2)),
        (pc.Margin((0, 1), 2), [-2, -1, -1], pc.Margin((0, 1), 2)),
        (pc.Output(1), [11, 21, 31], pc.Output(1)),
    ],
)
def test_a_bound_target_follows_the_rows(target: pc.Class, picked: list[float], resolved: pc.Class):
    pick = target.bind(OUTPUTS)
    np.testing.assert_array_equal(pick(LATER, ROWS), picked)
    assert pick.target == resolved


def test_rows_of_a_pick_can_be_taken():
    pick = pc.Class((1, 0)).bind(OUTPUTS).take(slice(1, 2))
    np.testing.assert_array_equal(pick(LATER[:1], np.array([0])), [10])
    assert pc.Class((1, 0, 2)).take(np.array([2, 0])) == pc.Class((2, 1))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (None, pc.Predicted()),
        (2, pc.Class(2)),
        (np.int64(2), pc.Class(2)),
        ("cat", pc.Class("cat")),
        (np.array([1, 0]), pc.Class((1, 0))),
        (np.array(1), pc.Class(1)),
        (["cat", "dog"], pc.Class(("cat", "dog"))),
        (pc.Margin(0, 1), pc.Margin(0, 1)),
    ],
)
def test_what_a_user_may_give(given: object, made: object):
    assert as_target(given, pc.Predicted()) == made


def test_class_names_become_columns():
    assert pc.Class("dog").named(["cat", "dog"]) == pc.Class(1)
    truth_values = np.array([False, True])
    assert as_target(True, pc.Predicted()).named(truth_values) == pc.Class(1)
    assert as_target(truth_values, pc.Predicted()).named(truth_values) == pc.Class((0, 1))
    assert pc.Margin(("dog", "cat"), "cat").named(["cat", "dog"]) == pc.Margin((1, 0), 0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: pc.Class(3).bind(OUTPUTS), "target 3 is out of range: the model has 3 output columns"),
        (lambda: pc.Class(-1).bind(OUTPUTS), "target -1 is out of range"),
        (lambda: pc.Class((0, 1, 2)).bind(OUTPUTS), "3 targets for 2 rows"),
        (lambda: pc.Class("fish").named(["cat", "dog"]), "no class 'fish'; its classes are cat, dog"),
        (lambda: pc.Class("fish").named(None), "give a column number"),
        (lambda: pc.Margin(1, 1).bind(OUTPUTS), "contrasts a class with itself"),
        (lambda: as_target(0.5, pc.Predicted()), "0.5 is no class"),
        (lambda: as_target(True, pc.Predicted()).named(["no", "yes"]), "no class 'True'; its classes are no, yes"),
        (lambda: as_target(np.eye(2), pc.Predicted()), "not one class a row"),
    ],
)
def test_targets_that_do_not_exist(make, says: str):
    with pytest.raises(pc.TargetError, match=says):
        make()


def test_a_function_of_the_outputs_must_give_one_number_a_row():
    pick = pc.Custom(lambda out: out[:, 0] - out[:, 1]).bind(OUTPUTS)
    np.testing.assert_array_equal(pick(LATER, ROWS), [-1, -1, -1])
    with pytest.raises(pc.TargetError, match="one number a row"):
        pc.Custom(lambda out: out).bind(OUTPUTS)(LATER, ROWS)
