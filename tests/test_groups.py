"""Groups of players that come and go as one: against brute force, over any masker, with any method."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
from pellucid.core.maskers import Cells
from pellucid.core.masking import Form, Masker
from pellucid.core.spelling import parse

RNG = np.random.default_rng(0)
X, B = RNG.normal(size=(3, 5)), RNG.normal(size=(6, 5))


def f(x):
    return x[:, 0] * x[:, 1] + x[:, 2] ** 2 - x[:, 3] * x[:, 0] + x[:, 4]


PAIR = pc.Groups({"pair": [0, "x3"], "tail": ["x4"]})


def shown(row, present):
    """Mean answer with columns outside `present` taken from every background row."""
    return np.mean(f(np.where(np.isin(np.arange(5), list(present)), row, B)))


def test_the_players_are_the_groups_and_then_the_rest():
    bound = PAIR.bind(X, B)
    assert bound.names == ("pair", "tail", "x1", "x2")
    np.testing.assert_array_equal(bound.labels, [0, 2, 3, 0, 1])
    filled = bound.fill(np.array([[True, False, False, True]]))[0]
    np.testing.assert_array_equal(filled[:, :, [0, 3, 2]], np.broadcast_to(X[:, [0, 3, 2]], (6, 3, 3)))
    np.testing.assert_array_equal(filled[:, 1, [1, 4]], B[:, [1, 4]])


def test_two_groups_by_hand():
    """Shapley values of a game of two: half of each way to come in."""
    halves = pc.Groups({"a": ["x0", "x1"], "b": ["x2", "x3", "x4"]})
    record = pc.explain(f, X, pc.ExactShapley(), background=B, masker=halves)
    for row, values in zip(X, record.players.values, strict=True):
        none, a, b, both = (shown(row, s) for s in ((), (0, 1), (2, 3, 4), range(5)))
        np.testing.assert_allclose(values, [(a - none + both - b) / 2, (b - none + both - a) / 2])
    assert record.players.names == ("a", "b") and record.top(1)[0][0] in ("a", "b")
    np.testing.assert_allclose(record.values[:, 0], record.players.values[:, 0] / 2)  # divided over its columns
    np.testing.assert_allclose(record.values.sum(axis=1), record.players.values.sum(axis=1))
    np.testing.assert_allclose(record.gap, 0, atol=1e-12)


METHODS = [
    pc.ExactShapley(),
    pc.KernelShap(),
    pc.PermutationShap(orders=12),
    pc.PartitionShap(orders=12),
    pc.LIME(distance="shapley", penalty=0),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_method_that_hides_takes_groups(method):
    record = pc.explain(f, X, method, background=B, masker=PAIR)
    exact = pc.explain(f, X, pc.ExactShapley(), background=B, masker=PAIR)
    assert record.players.names == ("pair", "tail", "x1", "x2") and record.receipt.masker == repr(PAIR)
    if type(method).__name__ != "PermutationShap" and type(method).__name__ != "PartitionShap":
        np.testing.assert_allclose(record.players.values, exact.players.values, atol=1e-8)
    np.testing.assert_allclose(record.gap, 0, atol=1e-8)


def test_occlusion_hides_a_group_at_once():
    record = pc.explain(f, X, pc.Occlusion(), background=B, masker=PAIR)
    drop = [shown(row, range(5)) - shown(row, (1, 2, 4)) for row in X]
    np.testing.assert_allclose(record.players.values[:, 0], drop)


def test_groups_of_one_change_nothing():
    single = pc.Groups({f"x{j}": [j] for j in range(5)})
    alone = pc.explain(f, X, pc.ExactShapley(), background=B)
    np.testing.assert_allclose(pc.explain(f, X, pc.ExactShapley(), background=B, masker=single).values, alone.values)


def test_a_one_hot_block_of_a_frame():
    frame = pd.DataFrame(B, columns=["age", "red", "green", "blue", "pay"])
    colours = pc.Groups({"colour": ["red", "green", "blue"]})
    record = pc.explain(lambda t: f(t.to_numpy()), frame[:2], pc.KernelShap(), background=frame, masker=colours)
    assert record.players.names == ("colour", "age", "pay")
    assert [name for name, _ in record.top(3)] and record[1].players.names == record.players.names


def test_windows_of_a_picture_in_groups():
    x = RNG.normal(size=(2, 4, 4))
    corners = pc.Groups({"top": [0, 1], "bottom": [2, 3]}, masker=pc.Grid(2, fill=0.0))
    record = pc.explain(lambda t: t.sum((1, 2)), x, pc.ExactShapley(), masker=corners)
    np.testing.assert_allclose(record.players.values, x.reshape(2, 2, 8).sum(axis=2))
    np.testing.assert_array_equal(record.players.labels[0], np.repeat([0, 1], 2)[:, None].repeat(4, 1))
    np.testing.assert_allclose(record.values[0, :2], x[0, :2].sum() / 8)
    overlapping = pc.Groups({"left": [0, 1]}, masker=pc.Grid((4, 2), (4, 1), fill=0.0))
    record = pc.explain(lambda t: t.sum((1, 2)), x, pc.Occlusion(), masker=overlapping)
    np.testing.assert_allclose(record.players.values[:, 0], x[:, :, :3].sum((1, 2)))


@dataclass(frozen=True)
class Letters(Masker):
    """Each row's different numbers are its players, hidden by zero; the last one of a row comes twice by name."""

    apart: ClassVar[bool] = True

    def bind(self, x, background, form=Form()):
        return Cells(x, np.zeros_like(x)[None], np.arange(x.shape[1]), tuple(f"w{v:g}" for v in x[0]))


def test_rows_with_players_of_their_own_take_what_they_have():
    x = np.array([[1.0, 2, 1, 3], [3, 4, 4, 5]])
    phrase = pc.Groups({"ends": ["w1", 3], "gone": ["w9"]}, masker=Letters())
    record = pc.explain(lambda t: t @ [1.0, 10, 100, 1000], x, pc.ExactShapley(), masker=phrase)
    assert record.players.own == (("ends", "w2"), ("ends", "w3", "w4", "w4 (2)"))
    np.testing.assert_allclose(record.players.values, [[3101, 20, np.nan, np.nan], [5000, 3, 40, 400]])
    np.testing.assert_allclose(record.gap, 0, atol=1e-9)


@dataclass(frozen=True)
class AllButTheFirst(Masker):
    """The first column is always shown."""

    def bind(self, x, background, form=Form()):
        return Cells(x, np.zeros_like(x)[None], np.arange(x.shape[1]) - 1, tuple(f"x{j}" for j in range(1, x.shape[1])))


def test_a_place_that_is_never_hidden_belongs_to_nobody():
    masker = pc.Groups({"some": ["x1", "x4"]}, masker=AllButTheFirst())
    np.testing.assert_array_equal(masker.bind(X, B).labels, [-1, 0, 1, 2, 0])
    record = pc.explain(lambda t: t.sum(axis=1), X, pc.ExactShapley(), masker=masker)
    np.testing.assert_allclose(record.values[:, 0], 0)
    np.testing.assert_allclose(record.players.values[:, 0], X[:, 1] + X[:, 4])


def test_a_hierarchy_of_groups_joins_those_with_the_nearest_columns():
    from pellucid.methods.shapley.hierarchy import by_correlation

    base = np.random.default_rng(1).normal(size=(300, 3))
    rows = np.column_stack([base[:, 0], base[:, 1], base[:, 0] + 0.1 * base[:, 2], base[:, 2]])
    assert by_correlation(rows, ("a", "b", "c"), np.array([0, 1, 2, 1])) == (1, (0, 2))
    assert by_correlation(rows, ("a", "b"), np.array([0, 1, 0, 1])) == (0, 1)


def test_interactions_between_groups():
    found = pc.interact(f, X[:1], pc.ExactShapley(), background=B, masker=PAIR)
    assert found.feature_names == ("pair", "tail", "x1", "x2") and found.values.shape == (1, 4, 4)
    np.testing.assert_allclose(found.values[:, 1, 2:], 0, atol=1e-12)


def test_the_spelling_and_the_file(tmp_path):
    nested = pc.Groups({"a": [0, 1], "b": ["x2", "x3"]}, masker=pc.Conditional("nearest", draws=3))
    assert parse(repr(nested)) == nested
    record = pc.explain(f, X, pc.ExactShapley(), background=B, masker=nested)
    back = pc.load(record.save(tmp_path / "a.npz"))
    assert parse(back.receipt.masker) == nested
    np.testing.assert_array_equal(back.players.values, record.players.values)
    pc.explain(f, X, pc.ExactShapley(), background=B, masker="Groups({'a': [0, 1]})")


@pytest.mark.parametrize(
    ("groups", "error", "match"),
    [
        ({}, pc.MethodError, "at least one group"),
        ({"a": []}, pc.InputError, "at least one column"),
        ({"a": "x0"}, pc.InputError, "give a list"),
        ({"a": ["x0", 0]}, pc.InputError, "names a column twice"),
        ({"a": ["nose"]}, pc.InputError, "no column 'nose' to take; the columns are x0"),
        ({"a": [0, 1], "b": [1]}, pc.InputError, "'x1' is in group 'a' and in group 'b'"),
        ({"x1": [0]}, pc.InputError, "name of a column that is in no group"),
    ],
)
def test_refusals(groups, error, match):
    with pytest.raises(error, match=match):
        pc.explain(f, X, pc.ExactShapley(), background=B, masker=pc.Groups(groups))
