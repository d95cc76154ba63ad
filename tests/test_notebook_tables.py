"""What the notebooks on tables stand on: where rows come from, and that generated ones have the answers they are said to have."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

import houses
import lime_or_shap
import pellucid as pc
import people

HOUSES = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"]


@pytest.fixture(scope="module")
def fitted():
    table = houses.generated(1500)
    X, y = table[HOUSES], table[houses.PRICE]
    return HistGradientBoostingRegressor(max_iter=60, random_state=0).fit(X[:1000], y[:1000]), X, y


def test_the_houses_of_the_folder_come_first(tmp_path, monkeypatch):
    (tmp_path / "california_housing").mkdir()
    given = houses.generated(30, seed=5).round(3)
    given.to_csv(tmp_path / "california_housing" / "california_housing.csv", index=False)
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    at = houses.houses()
    assert at.title == "California Housing" and list(at.X.columns) == HOUSES and len(at.X) == 30
    np.testing.assert_allclose(np.sort(at.X["MedInc"]), np.sort(given["MedInc"]))
    paired = pd.Series(at.y.to_numpy(), at.X["MedInc"].to_numpy()).loc[given["MedInc"]]
    np.testing.assert_allclose(paired, given[houses.PRICE])


def test_without_a_folder_nothing_is_fetched_and_no_folder_made(tmp_path, monkeypatch):
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "none"))
    at = houses.houses()
    assert at.title == "a generated table" and list(at.X.columns) == HOUSES and not (tmp_path / "none").exists()


def test_generated_houses_follow_place_income_and_crowding(fitted):
    model, X, y = fitted
    found = pc.importance(model, X[1000:], y[1000:], pc.PermutationImportance(repeats=2))
    names = [name for name, _ in found.top(8)]
    assert set(names[:4]) == {"Latitude", "Longitude", "MedInc", "AveOccup"}
    assert found.mean[found.names.index("Population")] < 0.02 * found.mean.max()
    assert X["MedInc"].corr(X["AveRooms"]) > 0.7 and X["Latitude"].corr(X["Longitude"]) < -0.8
    assert set(houses.region(X)) == {"south, coast", "south, inland", "north, coast", "north, inland"}


def test_a_slope_and_a_contribution_differ_in_sign_below_the_mean(fitted):
    model, X, _ = fitted
    found = lime_or_shap.answers(model, X[:1000], X[1000:1020], 0.0)
    shap, lime, above = found.column("MedInc")
    poor = above < -0.25
    assert poor.sum() >= 5 and (shap[poor] < 0).all() and (lime[poor] > 0).all()


def test_two_curves_start_at_the_same_height(fitted):
    model, X, _ = fitted
    partial = pc.effect(model, X[1000:], "Latitude")
    local = pc.effect(model, X[1000:], "Latitude", pc.AccumulatedLocalEffects())
    ax = houses.over(partial, local)
    (dashed,) = (line for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata()))
    moved = local.mean - local.mean[0]
    start = np.interp(partial.grid[0], local.grid.astype(float), moved)
    np.testing.assert_allclose(dashed.get_ydata() - start, partial.mean - partial.mean[0])


def test_generated_people_have_a_gap_and_no_effect_of_the_group(monkeypatch):
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    at = people.people()
    assert list(at.X.columns) == people.COLUMNS and set(at.score) == set(range(1, 11)) and set(at.again) == {0, 1}
    own = (at.X["race"] == "group A").to_numpy()
    assert at.score[own].mean() - at.score[~own].mean() > 0.5
    juvenile = at.X.filter(like="juv").sum(axis=1)
    known = np.stack([np.log1p(at.X["priors_count"]), at.X["age"], juvenile, own], axis=1)
    assert abs(LinearRegression().fit(known, at.score).coef_[-1]) < 0.15


def test_a_rate_has_wilsons_interval():
    found = people.rate(pd.Series([True] * 5 + [False] * 5))
    assert found["rows"] == 10 and found["share"] == 0.5
    np.testing.assert_allclose([found["low"], found["high"]], [0.2366, 0.7634], atol=1e-4)
    assert people.rate(pd.Series([False] * 8))["low"] == pytest.approx(0, abs=1e-12)
