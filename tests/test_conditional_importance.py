"""Shuffling among alike rows: linear-Gaussian closed forms; ranks with ties; rows that the model was trained on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingClassifier, RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import pellucid as pc
from pellucid.methods.effect.conditional import orders
from pellucid.methods.effect.seen import trained_on

PFI = pc.PermutationImportance


def mse(y: np.ndarray, prediction: np.ndarray) -> float:
    return float(np.mean((y - prediction) ** 2))


def gaussian(n: int, rho: float) -> np.ndarray:
    z = np.random.default_rng(0).normal(size=(n, 3))
    z[:, 1] = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    return z


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("within", ["leaves", "neighbours"])
def test_on_a_linear_gaussian_model_it_is_twice_the_conditional_variance(within: str, rho: float):
    """E (b x - b x')^2 for x, x' drawn alike given the others: 2 b^2 Var(x | others) = 2 b^2 (1 - rho^2)."""
    X = gaussian(6000, rho)

    def f(x: np.ndarray) -> np.ndarray:
        return 2 * x[:, 0] + x[:, 1]

    marginal = pc.importance(f, X, f(X), PFI(repeats=3), metric=(mse, False))
    found = pc.importance(f, X, f(X), PFI(repeats=3, within=within), metric=(mse, False))
    np.testing.assert_allclose(marginal.mean, [8, 2, 0], rtol=0.05)
    # values of rows that are alike, not the same, still differ a little in what the others tell
    np.testing.assert_allclose(found.mean[:2], np.array([8, 2]) * (1 - rho**2), rtol=0.25)
    assert found.mean[2] == 0 and not found.receipt.warnings


def test_leaves_are_shuffled_onto_themselves_and_neighbours_are_near():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.repeat([0.0, 1, 2], 40), rng.normal(size=120)])
    x[:, 1] += 10 * x[:, 0]
    keys = rng.random((4, 120))
    for order in orders(x, np.array([1]), np.array([True, False]), keys, "leaves"):
        assert sorted(order) == list(range(120)) and not (order == np.arange(120)).all()
        np.testing.assert_array_equal(x[order, 0], x[:, 0])
    for order in orders(x, np.array([1]), np.array([True, False]), keys, "neighbours"):
        np.testing.assert_array_equal(x[order, 0], x[:, 0])
        assert (order != np.arange(120)).all()
    alone = orders(x[:, :1], np.array([0]), np.array([True]), keys, "leaves")
    assert all(sorted(order) == list(range(120)) for order in alone)


def test_levels_gaps_and_groups_are_shuffled_within_too():
    rng = np.random.default_rng(1)
    town = rng.choice(["Rom", "Ulm"], 200)
    X = pd.DataFrame(
        {"town": town, "rent": np.where(town == "Rom", 9.0, 5.0) + rng.normal(size=200), "age": rng.normal(size=200)}
    )
    X.loc[::17, "age"] = np.nan

    def f(frame: pd.DataFrame) -> np.ndarray:
        return (frame["town"] == "Rom").to_numpy() * 4.0 + frame["rent"].to_numpy()

    y = f(X)
    for within in ("leaves", "neighbours"):
        plain = pc.importance(f, X, y, metric=(mse, False))
        kept = pc.importance(f, X, y, PFI(within=within), metric=(mse, False))
        assert kept.mean[0] < 0.5 * plain.mean[0]  # the rent tells most of the town
        together = pc.importance(f, X, y, PFI(within=within), metric=(mse, False), groups={"home": ["town", "rent"]})
        assert together.mean[0] > plain.mean[0]


def test_an_unknown_way_to_shuffle_is_refused():
    with pytest.raises(pc.MethodError, match="'leaves' or 'neighbours'"):
        PFI(within="trees")


def test_ranks_have_ties_where_intervals_overlap():
    X = np.random.default_rng(0).normal(size=(400, 4))
    found = pc.importance(
        lambda x: 3 * x[:, 0] + x[:, 1] + 1.01 * x[:, 2], X, 3 * X[:, 0] + X[:, 1] + 1.01 * X[:, 2], metric=(mse, False)
    )
    assert found.ranks().tolist() == [1, 2, 2, 4]
    frame = found.to_frame()
    assert frame["rank"].tolist() == [1, 2, 2, 4] and (frame["low"] <= frame["mean"]).all()
    half = found.interval()[:, 1] - found.mean
    np.testing.assert_allclose(half, 2.7764451 * found.stderr)  # Student's t, 4 degrees of freedom


def xy(n: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n, 4))
    return X, X[:, 0] + X[:, 1] * X[:, 2]


REMEMBERS = {
    "a tree": DecisionTreeRegressor(max_depth=4),
    "boosting behind a scaler": make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=3)),
    "extra trees": ExtraTreesRegressor(3),
    "neighbours": KNeighborsRegressor(),
    "a Gaussian process": GaussianProcessRegressor(optimizer=None),
    "a search": GridSearchCV(DecisionTreeRegressor(), {"max_depth": [2, 3]}, cv=2),
}


@pytest.mark.parametrize("name", REMEMBERS)
def test_a_model_that_remembers_its_rows_is_told_from_held_out_ones(name: str):
    X, y = xy()
    y = (y > 0).astype(float) if "boosting" in name else y
    model = REMEMBERS[name].fit(X, y)
    assert trained_on(model, X) and trained_on(model, X[::-1])
    assert not trained_on(model, X[:-1]) and not trained_on(model, xy(seed=1)[0])
    assert "trained on these very rows" in pc.importance(model, X, y).receipt.warnings[0]
    assert not any(
        "trained" in said for said in pc.importance(model, *xy(seed=1), metric=(mse, False)).receipt.warnings
    )


def test_models_that_keep_no_rows_are_not_accused():
    X, y = xy()
    for model in (LogisticRegression(), RandomForestClassifier(3, random_state=0)):
        assert not trained_on(model.fit(X, y > 0), X)
    assert not trained_on(lambda x: x[:, 0], X)


def test_the_model_is_asked_about_many_tables_at_once_and_within_bounds(monkeypatch: pytest.MonkeyPatch):
    X, y = xy(50)
    calls = []

    class Watched(DecisionTreeRegressor):
        def predict(self, X, check_input=True):
            calls.append(len(X))
            return super().predict(X, check_input)

    model = Watched(max_depth=3).fit(*xy(60, seed=2))
    whole = pc.importance(model, X, y, PFI(repeats=6), metric="neg_mean_squared_error")
    assert calls == [50, 50 * 4 * 6]
    from pellucid.methods.effect import permutation

    monkeypatch.setattr(permutation, "_CELLS", 1000)
    pieces = pc.importance(model, X, y, PFI(repeats=6), metric=(mse, False))
    assert max(calls[2:]) <= 250
    np.testing.assert_allclose(pieces.samples, whole.samples, rtol=1e-12)


def test_scorers_of_several_outputs_and_of_ones_own_are_asked_in_one_go():
    X, y = xy(60)
    Y = np.column_stack([y, -2 * y])
    model = MultiOutputRegressor(DecisionTreeRegressor(max_depth=3)).fit(*[a[::-1] for a in (X, Y)])
    named = pc.importance(model, X, Y, metric="neg_mean_squared_error")
    own = pc.importance(model, X, Y, metric=(mean_squared_error, False))
    np.testing.assert_allclose(named.samples, own.samples)
