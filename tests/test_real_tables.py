"""Real tables: the known figures of California Housing, and raw frames of people with strings, gaps and dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import pellucid as pc
from native_tables import KINDS, ask_everything, booster, check_brute, check_fed, watched

pytestmark = pytest.mark.realdata

ADULT = [
    *(
        "age",
        "workclass",
        "fnlwgt",
        "education",
        "education_num",
        "marital",
        "occupation",
        "relationship",
        "race",
        "sex",
    ),
    *("gain", "loss", "hours", "country", "income"),
]


@pytest.fixture(scope="module")
def california(data_dir: Path):
    table = pd.read_csv(data_dir / "california_housing" / "california_housing.csv").sample(4000, random_state=0)
    X, y = table.drop(columns="MedHouseVal"), table["MedHouseVal"]
    return HistGradientBoostingRegressor(random_state=0).fit(X[:3000], y[:3000]), X[3000:], y[3000:]


def test_place_leads_and_age_and_population_hardly_matter(california):
    model, X, y = california
    found = pc.importance(model, X, y, pc.PermutationImportance(repeats=3), metric="neg_root_mean_squared_error")
    order = [name for name, _ in found.top(8)]
    assert set(order[:3]) == {"Latitude", "Longitude", "MedInc"}
    least = max(found.mean[found.names.index(name)] for name in ("HouseAge", "Population"))
    assert least < 0.1 * found.mean.max() and (found.stderr > 0).all()
    assert found.ranks()[found.names.index("Population")] >= 5


def test_houses_get_dearer_with_income_in_every_row(california):
    model, X, _ = california
    found = pc.effect(model, X, "MedInc")
    low, high = found.mean[:10].mean(), found.mean[-10:].mean()
    assert high - low > 0.8 and (found.curves[:, -1] > found.curves[:, 0]).mean() > 0.95
    local = pc.effect(model, X, "MedInc", pc.AccumulatedLocalEffects())
    assert local.mean[-2] - local.mean[1] > 0.8


def test_latitude_and_longitude_go_together_and_it_is_said(california):
    model, X, _ = california
    (said,) = pc.effect(model, X, "Latitude").receipt.warnings
    assert "'Longitude'" in said and "AccumulatedLocalEffects" in said
    conditional = pc.importance(model, X, california[2], pc.PermutationImportance(repeats=2, within="leaves"))
    marginal = pc.importance(model, X, california[2], pc.PermutationImportance(repeats=2))
    place = list(found_names := conditional.names).index("Latitude")
    assert conditional.mean[place] < marginal.mean[place] and found_names == marginal.names


def people(name: str, folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Raw frames and what is to be told of each row."""
    if name == "Adult":
        table = pd.read_csv(folder / "adult.data", names=ADULT, skipinitialspace=True, na_values="?").sample(
            3000, random_state=0
        )
        return table.drop(columns=["income", "fnlwgt", "education_num"]), table["income"]
    if name == "COMPAS":
        table = pd.read_csv(folder / "compas-scores-two-years.csv").head(3000)
        kept = [
            "sex",
            "age",
            "race",
            "juv_fel_count",
            "juv_misd_count",
            "priors_count",
            "c_charge_degree",
            "c_offense_date",
        ]
        return table[kept], table["two_year_recid"]
    if name == "German credit":
        table = pd.read_csv(folder / "german_processed.csv")
        return table.drop(columns="GoodCustomer"), table["GoodCustomer"]
    table = pd.read_csv(folder / "bike.csv").sample(4000, random_state=0)
    return table.drop(columns="count"), table["count"] > table["count"].median()


TABLES = ["Adult", "COMPAS", "German credit", "bike"]


def native(X: pd.DataFrame) -> pd.DataFrame:
    """Strings as categories, dates left out: what native categories take."""
    coded = X.select_dtypes(exclude=["number", "bool"]).columns
    return X.drop(columns=[c for c in coded if "date" in c]).astype({c: "category" for c in coded if "date" not in c})


def encoded() -> object:
    numbers = make_column_selector(dtype_include="number")
    levels = make_column_selector(dtype_exclude="number")
    columns = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=12), levels)
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500))


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Found unknown categories:UserWarning"
)
@pytest.mark.parametrize("name", TABLES)
def test_a_pipeline_on_the_raw_frame(name: str, data_dir: Path):
    X, y = people(name, data_dir / "tabular")
    half = len(X) // 2
    model = encoded().fit(X[:half], y[:half])
    held = X[half : half + 300]
    found = pc.importance(model, held, y[half : half + 300], pc.PermutationImportance(repeats=2), metric="roc_auc")
    assert found.names == tuple(X.columns) and found.mean.max() > 0.01
    text = next(c for c in X.columns if not pd.api.types.is_numeric_dtype(X[c]))
    effect = pc.effect(model, held, text)
    assert set(effect.grid) <= set(X[text].dropna()) and np.ptp(effect.mean) > 0
    record = pc.explain(model, held[:3], pc.KernelShap(samples=200), background=X[:20])
    assert record.feature_names == tuple(X.columns) and np.abs(record.gap).max() < 1e-9
    assert list(record.to_frame().columns[:4]) == ["row", "feature", "data", "value"]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", KINDS)
def test_native_categories(name: str, kind: str, data_dir: Path):
    X, y = people(name, data_dir / "tabular")
    X, y, half = native(X), pd.factorize(y, sort=True)[0], len(X) // 2
    model = booster(kind).fit(X[:half], y[:half])
    held = X[half : half + 200]
    record = pc.explain(model, held[:5], pc.TreeShap())
    assert np.abs(record.gap).max() < (1e-5 if kind == "XGBoost" else 1e-9)
    assert record.feature_names == tuple(X.columns)
    shuffled = pc.explain(model, held[:5][list(X.columns[::-1])], pc.TreeShap())
    np.testing.assert_allclose(shuffled.values[:, ::-1], record.values, atol=1e-12)
    coded = next(c for c in X.columns if isinstance(X[c].dtype, pd.CategoricalDtype))
    assert np.isfinite(pc.effect(model, held, coded).mean).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "level", "number"), [("Adult", "occupation", "age"), ("German credit", "PurposeOfLoan", "Age")]
)
def test_every_verb_on_native_categories(
    name: str, level: str, number: str, kind: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    X, y = people(name, data_dir / "tabular")
    X, y, half = native(X), pd.factorize(y, sort=True)[0], len(X) // 2
    model = booster(kind).fit(X[:half], y[:half])
    held = X[half : half + 300]
    check_brute(model, held, level)
    fed = watched(model, monkeypatch)
    ask_everything(model, held[list(X.columns[::-1])], y[half : half + 300], level, number)
    check_fed(fed, X)


def test_what_drives_the_score_by_group_is_found(data_dir: Path):
    """Recidivism scores: priors drive the score in every group, and the model has no way to treat race alone."""
    X, y = people("COMPAS", data_dir / "tabular")
    X, half = native(X), len(X) // 2
    model = HistGradientBoostingClassifier(max_iter=40, categorical_features="from_dtype", random_state=0)
    model.fit(X[:half], y[:half])
    held = X[half:][X["race"][half:].isin(["African-American", "Caucasian"])]
    truth = y[held.index]
    found = pc.cohorts(pc.importance, model, held, truth, by="race", metric="roc_auc")
    assert found.names == ("African-American", "Caucasian")
    for one in found.records:
        assert one.top(2)[0][0] in ("priors_count", "age") and one.top(2)[1][0] in ("priors_count", "age")
    effects = pc.cohorts(pc.effect, model, held, "priors_count", by="race", grid=[0, 5, 10])
    assert all(one.mean[2] > one.mean[0] for one in effects.records)


@pytest.mark.parametrize("name", ["Adult", "German credit"])
def test_people_who_are_refused_are_told_changes_that_hold(name: str, data_dir: Path):
    """Every answer is asked of the model in the user's own frame, and held to what may not change."""
    X, y = people(name, data_dir / "tabular")
    X = X.dropna()
    y = y[X.index]
    model = encoded().fit(X, y)
    fixed, age = (["sex", "race", "country"], "age") if name == "Adult" else (["Gender", "ForeignWorker"], "Age")
    wanted = model.classes_[1]
    refused = X[model.predict(X) != wanted].head(20)
    asked = {
        "target": wanted,
        "background": X.head(500),
        "constraints": [*map(pc.Immutable, fixed), pc.Increasing(age)],
    }
    found = pc.counterfactual(model, refused, pc.Wachter(), **asked)
    assert found.valid.mean() > 0.9 and all(found.reason[i] for i in np.flatnonzero(~found.valid))
    answers = pd.DataFrame(found.values, columns=list(X.columns), index=refused.index)[found.valid].astype(X.dtypes)
    before = refused[found.valid]
    assert (model.predict(answers) == wanted).all()
    assert (answers[fixed] == before[fixed]).all(axis=None) and (answers[age] >= before[age]).all()
    np.testing.assert_array_equal((answers != before).sum(axis=1), found.sparsity[found.valid])
    assert found.sparsity[found.valid].mean() < 3
