"""Pictures of effects: what is drawn is what the record says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
from pellucid import plot


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"pay": rng.normal(size=150), "town": rng.choice(["Rom", "Ulm"], 150), "age": rng.normal(size=150)}
    )


def worth(frame: pd.DataFrame) -> np.ndarray:
    return frame["pay"].to_numpy() * (1 + (frame["town"] == "Rom").to_numpy()) + frame["age"].to_numpy()


def test_the_mean_is_the_thick_line_and_only_some_rows_are_drawn():
    made = pc.effect(worth, table(), "pay")
    ax = plot.effect(made, curves=20)
    thick = max(ax.lines, key=lambda line: line.get_linewidth() if len(line.get_xdata()) > 2 else 0)
    np.testing.assert_allclose(thick.get_ydata(), made.mean)
    assert sum(len(line.get_xdata()) == len(made.grid) for line in ax.lines) == 21
    assert "20 of 150 rows" in ax.get_xlabel().replace("\n", " ")


def test_levels_are_points_under_their_names():
    ax = plot.show(pc.effect(worth, table(), "town"))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Rom", "Ulm"]


@pytest.mark.parametrize("method", [pc.PartialDependence(points=4), pc.AccumulatedLocalEffects(bins=3)], ids=repr)
def test_two_columns_are_a_surface(method):
    made = pc.effect(worth, table(), ("pay", "age"), method)
    ax = plot.show(made)
    (mesh,) = ax.collections
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(made.surface.T.shape), made.surface.T)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("pay", "age")


def test_a_negative_number_of_curves_is_refused():
    with pytest.raises(pc.InputError, match="curves=-1"):
        plot.effect(pc.effect(worth, table(), "pay"), curves=-1)


def ranked(method: str, names: tuple[str, ...], mean: list[float], stderr: float) -> pc.Importance:
    samples = np.array(mean)[:, None] + stderr * np.sqrt(5) * np.array([-1.0, -0.5, 0, 0.5, 1]) / np.sqrt(0.625)
    return pc.Importance(
        mean=np.array(mean),
        stderr=np.full(len(mean), stderr),
        samples=samples,
        names=names,
        metric="r2",
        baseline=0.5,
        receipt=pc.Receipt(method=method),
    )


def test_measures_side_by_side_name_what_they_dispute():
    one = ranked("PermutationImportance()", ("a", "b", "c"), [3.0, 2.0, 1.0], 0.01)
    other = ranked("ShapImportance()", ("c", "b", "a"), [0.9, 0.2, 0.1], 0.001)
    ax = plot.beside([one, other])
    assert "they disagree on" in ax.get_xlabel() and "a" in ax.get_xlabel() and "c" in ax.get_xlabel()
    assert plot._beside.disagree([one, other]).tolist() == [True, False, True]
    vague = ranked("ShapImportance()", ("c", "b", "a"), [0.9, 0.2, 0.1], 1.0)
    assert "they agree" in plot.beside([one, vague]).get_xlabel()
    assert not plot._beside.disagree([one, vague]).any()


def test_measures_of_different_features_are_not_put_side_by_side():
    one = ranked("PermutationImportance()", ("a", "b"), [3.0, 2.0], 0.01)
    with pytest.raises(pc.InputError, match="different features"):
        plot.beside([one, ranked("ShapImportance()", ("a", "c"), [3.0, 2.0], 0.01)])
    with pytest.raises(pc.InputError, match="1 measures"):
        plot.beside([one])
