"""Beside dalex: the same numbers where it means the same, and what differs where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error

import pellucid as pc
from peers import dalex, dalex_orders

pytestmark = pytest.mark.filterwarnings("ignore")  # its own


def world() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    frame["d"] = 0.9 * frame["c"] + 0.4 * frame["d"]
    return frame, (np.sin(frame["a"]) + frame["b"] * frame["c"] + frame["d"]).to_numpy()


def explainer(model: Any) -> Any:
    X, y = world()
    return dalex().Explainer(model.fit(X, y), X, y, verbose=False)


def profile(theirs: Any, kind: str, grid: np.ndarray) -> Any:
    given = {"variables": ["b"], "variable_splits": {"b": grid}, "N": None, "center": False, "verbose": False}
    return theirs.model_profile(type=kind, **given)


def test_curves_and_their_mean_are_dalex_s():
    theirs = explainer(HistGradientBoostingRegressor(max_iter=20, random_state=0))
    X, _ = world()
    ours = pc.effect(theirs.model, X, "b", pc.PartialDependence(points=9))
    found = profile(theirs, "partial", ours.grid)
    np.testing.assert_allclose(ours.mean, found.result["_yhat_"], rtol=1e-12)
    curves = found.raw_profiles.result.sort_values(["_ids_", "b"])["_yhat_"].to_numpy().reshape(len(X), -1)
    np.testing.assert_allclose(ours.curves, curves, rtol=1e-12)


def test_local_effects_are_dalex_s_where_a_step_is_the_same_for_all_rows():
    """Its steps are means over all rows, weighted by a Gaussian of a quarter of the range; ours are over the rows between two
    points (Apley & Zhu). What it adds up is not centred on the data either: curves are compared from their first point."""
    X, _ = world()
    theirs = explainer(LinearRegression())
    ours = pc.effect(theirs.model, X, "b", pc.AccumulatedLocalEffects(bins=8))
    step = profile(theirs, "accumulated", ours.grid).result["_yhat_"].to_numpy()
    np.testing.assert_allclose(ours.mean - ours.mean[0], step - step[0], rtol=1e-9, atol=1e-9)


def test_where_steps_differ_from_row_to_row_ours_are_the_nearby_rows_own():
    """f = b c with c = b: the local slope at b is b, and steps add up to b^2 / 2. The wide kernel flattens that towards 0."""
    b = np.linspace(-1, 1, 201)
    X, y = pd.DataFrame({"b": b, "c": b}), b * b

    class Product(LinearRegression):
        def predict(self, X: Any) -> np.ndarray:
            return np.asarray(X)[:, 0] * np.asarray(X)[:, 1]

    theirs = dalex().Explainer(Product().fit(X, y), X, y, verbose=False)
    ours = pc.effect(theirs.model, X, "b", pc.AccumulatedLocalEffects(bins=20))
    truth = (ours.grid**2 - ours.grid[0] ** 2) / 2
    step = profile(theirs, "accumulated", ours.grid).result["_yhat_"].to_numpy()
    assert np.abs(ours.mean - ours.mean[0] - truth).max() < 0.03
    assert np.abs(step - step[0] - truth).max() > 0.1


def test_importance_is_dalex_s_on_its_own_permutations(monkeypatch: pytest.MonkeyPatch):
    X, y = world()
    theirs = explainer(LinearRegression())
    state = np.random.get_state()
    asked = {"loss_function": "rmse", "type": "difference", "B": 1, "N": None, "random_state": 5}
    found = theirs.model_parts(variables=list(X), **asked).result.set_index("variable")["dropout_loss"]
    np.random.set_state(state)
    orders = dalex_orders(len(X), X.shape[1], 5)
    for name, order in zip(X, orders, strict=True):
        monkeypatch.setattr(pc.PermutationImportance, "permutations", lambda self, rows, rng, order=order: order[None])
        ours = pc.importance(theirs.model, X, y, metric=(root_mean_squared_error, False))
        assert ours.mean[ours.names.index(name)] == pytest.approx(found[name], rel=1e-9)
