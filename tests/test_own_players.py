"""Maskers that give each row players of its own: superpixels, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import pellucid as pc
from pellucid import plot
from pellucid.core.maskers import Cells
from pellucid.core.masking import Bound, Form, Masker


@dataclass(frozen=True)
class Shades(Masker):
    """Players are the different shades of a picture: how many there are is each picture's own affair."""

    apart: ClassVar[bool] = True

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        assert len(x) == 1
        shades, labels = np.unique(x[0], return_inverse=True)
        return Cells(x, np.zeros_like(x)[None], labels.reshape(x.shape[1:]), tuple(f"shade {s:g}" for s in shades))


X = np.array([[[1.0, 1, 2], [2, 2, 1]], [[3.0, 1, 2], [1, 2, 4]]])


def total(x: np.ndarray) -> np.ndarray:
    return np.asarray((x**2).sum((1, 2)))


METHODS = [pc.ExactShapley(), pc.KernelShap(), pc.PermutationShap(), pc.Occlusion()]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_each_row_has_its_own_players_and_the_values_of_its_places(method):
    record = pc.explain(total, X, method, masker=Shades())
    np.testing.assert_allclose(record.values, X**2)
    assert record.players.own == (("shade 1", "shade 2"), ("shade 1", "shade 2", "shade 3", "shade 4"))
    np.testing.assert_allclose(record.players.values, [[3, 12, np.nan, np.nan], [2, 8, 9, 16]])
    np.testing.assert_array_equal(record.players.labels, [[[0, 0, 1], [1, 1, 0]], [[2, 0, 1], [0, 1, 3]]])
    assert record.top(2, row=1) == [("shade 4", pytest.approx(16)), ("shade 3", pytest.approx(9))]


def test_a_row_does_not_depend_on_its_company_and_survives_slicing_and_a_file(tmp_path):
    record = pc.explain(total, X, pc.KernelShap(), masker=Shades())
    alone = pc.explain(total, X[:1], pc.KernelShap(), masker=Shades())
    np.testing.assert_array_equal(record[0].values, alone.values)
    assert record[1].players.own == record.players.own[1:] and record[[1, 0]].players.own == record.players.own[::-1]
    np.testing.assert_array_equal(record[1].players.labels[0], record.players.labels[1])
    back = record.save(tmp_path / "a.npz")
    assert pc.load(back).players.own == record.players.own


def test_a_budget_leaves_out_whole_rows():
    record = pc.explain(total, np.repeat(X, 3, axis=0), pc.Occlusion(), masker=Shades(), budget=pc.Budget(rows=8))
    assert record.done.any() and not record.done.all()
    assert [len(names) > 0 for names in record.players.own] == record.done.tolist()


def test_plots_of_one_row_name_its_players_and_plots_of_all_rows_say_why_not():
    record = pc.explain(total, X, pc.ExactShapley(), masker=Shades())
    names = [label.get_text() for label in plot.bar(record, 0).get_yticklabels()]
    assert set(names) == {"shade 1", "shade 2"}
    with pytest.raises(pc.InputError, match="players of its own"):
        plot.beeswarm(record)


def test_interactions_are_found_one_row_at_a_time():
    found = pc.interact(total, X[1:], pc.ExactShapley(), masker=Shades())
    np.testing.assert_allclose(found.values, np.diag([2.0, 8, 9, 16])[None], atol=1e-12)
    with pytest.raises(pc.MethodError, match="one row a call"):
        pc.interact(total, X, pc.ExactShapley(), masker=Shades())
