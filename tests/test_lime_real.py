"""LIME on real tables: raw frames of people with strings and gaps, and the guide's house in California."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import pellucid as pc

pytestmark = pytest.mark.realdata

ADULT = "age workclass fnlwgt education education_num marital occupation relationship race sex gain loss hours country income"


def adult(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    table = pd.read_csv(folder / "tabular/adult.data", names=ADULT.split(), na_values="?", skipinitialspace=True)
    table = table.sample(4000, random_state=0).drop(columns=["fnlwgt", "education_num"])
    levels = table.select_dtypes(exclude="number").columns.drop("income")
    return table.drop(columns="income").astype(dict.fromkeys(levels, "category")), table["income"] == ">50K"


def compas(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    table = pd.read_csv(folder / "tabular/compas-scores-two-years.csv")
    kept = ["sex", "age", "race", "juv_fel_count", "juv_misd_count", "priors_count", "c_charge_degree"]
    levels = ["sex", "race", "c_charge_degree"]
    return table[kept].astype(dict.fromkeys(levels, "category")), table["two_year_recid"]


def boosted(X: pd.DataFrame, y: pd.Series) -> HistGradientBoostingClassifier:
    """Strings as categories, straight from the frame."""
    return HistGradientBoostingClassifier(max_iter=60, categorical_features="from_dtype", random_state=0).fit(X, y)


METHODS = [pc.LIME(samples=2000), pc.LIME(samples=2000, sampling="training", bins=4)]


@pytest.mark.parametrize("method", METHODS, ids=["continuous", "quartiles"])
@pytest.mark.parametrize("people", [adult, compas])
def test_two_seeds_tell_the_same_and_as_different_as_they_say(people, method, data_dir: Path):
    X, y = people(data_dir)
    model, rows, hood = boosted(X[:3000], y[:3000]), X[3000:3020], X[:500]
    first = pc.explain(model, rows, method, background=hood)
    second = pc.explain(model, rows, type(method)(**{**vars(method), "seed": 1}), background=hood)
    known = np.isfinite(first.stderr) & np.isfinite(second.stderr)
    off = np.abs(first.values - second.values)[known] / np.hypot(first.stderr, second.stderr)[known]
    assert (off < 1.96).mean() > 0.9
    ranks = [spearmanr(np.abs(a), np.abs(b)).statistic for a, b in zip(first.values, second.values, strict=True)]
    assert np.median(ranks) > 0.8
    assert np.isfinite(first.values).all() and first.receipt.scale == "margin"


def test_what_adults_earn_by(data_dir: Path):
    """Marriage and schooling lead; more hours and more age of a grown person raise the odds."""
    X, y = adult(data_dir)
    model = boosted(X[:3000], y[:3000])
    young = X[3000:][X[3000:]["age"].between(25, 50)][:40]
    a = pc.explain(model, young, pc.LIME(samples=3000), background=X[:500])
    names = list(a.feature_names)
    mean = np.abs(a.values).mean(axis=0)
    assert names[int(mean.argmax())] in ("marital", "relationship", "gain", "education")
    for column in ("hours", "age"):
        assert (a.values[:, names.index(column)] > 0).mean() > 0.8
    married = young["marital"].eq("Married-civ-spouse").to_numpy()
    keeps = a.values[:, names.index("marital")]
    assert (keeps[married] > 0).mean() > 0.9


def test_what_brings_people_back_to_prison(data_dir: Path):
    X, y = compas(data_dir)
    model = boosted(X[:5000], y[:5000])
    a = pc.explain(model, X[5000:5040], pc.LIME(samples=3000), background=X[:500])
    names = list(a.feature_names)
    priors, age = a.values[:, names.index("priors_count")], a.values[:, names.index("age")]
    assert (priors > 0).mean() > 0.9 and (age < 0).mean() > 0.9
    sparse = pc.explain(
        model, X[5000:5040], pc.LIME(samples=3000, selection=pc.ForwardSelection(2)), background=X[:500]
    )
    kept = [set(np.flatnonzero(row)) for row in sparse.values]
    assert np.mean([{names.index("priors_count"), names.index("age")} <= some for some in kept]) > 0.6


def test_a_house_in_california_by_lime(data_dir: Path):
    """Income raises the price everywhere and being further east lowers it; the guide's test house says the same."""
    table = pd.read_csv(data_dir / "california_housing/california_housing.csv").sample(6000, random_state=0)
    X, y = table.drop(columns="MedHouseVal"), table["MedHouseVal"]
    model = HistGradientBoostingRegressor(random_state=0).fit(X[:5000], y[:5000])
    a = pc.explain(model, X[5000:5050], pc.LIME(samples=3000), background=X[:500])
    names = list(a.feature_names)
    mean = dict(zip(names, a.values.mean(axis=0), strict=True))
    assert mean["MedInc"] > 0.1 and mean["Longitude"] < -0.1 and mean["AveOccup"] < 0
    assert (a.values[:, names.index("MedInc")] > 0).mean() > 0.95
    assert (a.values[:, names.index("AveOccup")] < 0).mean() > 0.8
    assert (a.values[:, names.index("Longitude")] < 0).mean() > 0.8
