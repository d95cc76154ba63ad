"""Tables as they come: what is wrong is named by column, with what to do, whatever the verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

import pellucid as pc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
Y = X[:, 0] + X[:, 1]
GAP = X.copy()
GAP[3, 1] = np.nan

VERBS: dict[str, Callable[[Any, Any], Any]] = {
    "importance": lambda model, x: pc.importance(model, x, Y),
    "importance among alike rows": lambda model, x: pc.importance(
        model, x, Y, pc.PermutationImportance(repeats=2, within="leaves")
    ),
    "importance by values": lambda model, x: pc.importance(
        model, x, None, pc.ShapImportance(method=pc.KernelShap(samples=16)), background=x[10:30]
    ),
    "a curve along another column": lambda model, x: pc.effect(model, x, 0),
    "a curve along the column": lambda model, x: pc.effect(model, x, 1),
    "local effects": lambda model, x: pc.effect(model, x, 1, pc.AccumulatedLocalEffects()),
    "a surface": lambda model, x: pc.effect(model, x, (0, 1), pc.PartialDependence(points=3)),
    "KernelShap": lambda model, x: pc.explain(model, x[:5], pc.KernelShap(samples=16), background=x[10:30]),
    "LIME": lambda model, x: pc.explain(model, x[:5], pc.LIME(samples=50), background=x[10:30]),
}


def framed(x: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(x, columns=["age", "pay", "debt"])


@pytest.mark.parametrize("kind", ["matrix", "frame"])
@pytest.mark.parametrize("verb", VERBS)
def test_one_missing_value_is_named_where_the_model_refuses_it(verb: str, kind: str):
    as_given = framed if kind == "frame" else np.asarray
    model = LinearRegression().fit(as_given(X), Y)
    name = "pay" if kind == "frame" else "x1"
    with pytest.raises(
        pc.InputError, match=rf"column '{name}' of x holds NaN .* impute it, best in .* or drop those rows"
    ):
        VERBS[verb](model, as_given(GAP))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["matrix", "frame"])
@pytest.mark.parametrize("verb", VERBS)
def test_one_missing_value_is_no_matter_where_the_model_takes_it(verb: str, kind: str):
    as_given = framed if kind == "frame" else np.asarray
    made = VERBS[verb](HistGradientBoostingRegressor(max_iter=5).fit(as_given(X), Y), as_given(GAP))
    numbers = made.values if isinstance(made, pc.Attribution) else made.mean
    assert np.isfinite(numbers).all() and not any("NaN" in said for said in made.receipt.warnings)


def test_several_columns_of_missing_values_are_named():
    x = framed(GAP)
    x.loc[5, "debt"] = np.nan
    with pytest.raises(pc.InputError, match="columns 'pay', 'debt' of x hold NaN"):
        pc.effect(LinearRegression().fit(framed(X), Y), x, "age")


def test_missing_truth_is_not_blamed_on_the_columns():
    y = Y.copy()
    y[2] = np.nan
    with pytest.raises(pc.InputError, match=r"y holds NaN in 1 of 80 rows .* drop those rows"):
        pc.importance(LinearRegression().fit(X, Y), X, y)
    with pytest.raises(pc.ModelError, match=r"cross-validating .* y misses no value"):
        pc.rivals(LinearRegression(), X, y)


def test_an_error_for_another_reason_is_not_blamed_on_missing_values():
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, Y)
    with pytest.raises(pc.ModelError, match="raised ZeroDivisionError"):
        pc.importance(model, GAP, Y, metric=(lambda y, f: 1 // 0, True))


def test_constant_columns_are_named():
    x = framed(X).assign(debt=1.0, none=np.nan, town="Rom")
    found = pc.importance(lambda frame: frame["age"], x, Y, metric=(lambda y, f: float(np.mean((y - f) ** 2)), False))
    (said,) = found.receipt.warnings
    assert said.startswith("'debt', 'none', 'town': constant") and "give rows in which it varies" in said
    assert not found.mean[2:].any()
    for name in ("debt", "none", "town"):
        for method in (pc.PartialDependence(), pc.AccumulatedLocalEffects()):
            with pytest.raises(pc.InputError, match=rf"'{name}' .* leave it out, or give grid="):
                pc.effect(lambda frame: frame["age"], x, name, method)


def test_a_level_that_nobody_has_is_named():
    town = pd.DataFrame({"town": ["Rom", "Ulm"] * 40, "pay": X[:, 0]})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(town[["town"]], Y)
    for method in (pc.PartialDependence(), pc.AccumulatedLocalEffects()):
        with pytest.raises(pc.InputError, match=r"grid of column 'town' holds 'Bonn', .* it knows 'Rom', 'Ulm'"):
            pc.effect(model, town, "town", method, grid=["Rom", "Bonn"])
    new = town.assign(town=["Rom", "Bonn"] * 40)  # in the data, and the model's encoder knows it not
    for ask in (lambda: pc.importance(model, new, Y), lambda: pc.effect(model, new, "town")):
        with pytest.raises(pc.ModelError, match="Bonn"):
            ask()


@pytest.mark.parametrize("y", [Y[:-1], Y[:, None][:-1], Y[:-1].tolist(), pd.Series(Y[:-1])])
def test_a_truth_of_the_wrong_length(y: Any):
    model = LinearRegression().fit(X, Y)
    with pytest.raises(pc.InputError, match=r"y has shape \(79.*for 80 rows"):
        pc.importance(model, X, y)
    with pytest.raises(pc.InputError, match=r"y has shape \(79.*for 80 rows"):
        pc.rivals(model, X, y)
    with pytest.raises(pc.InputError, match=r"in the group 'f' .* of 80 rows\)"):
        pc.cohorts(pc.importance, model, X, y, by=["m", "f"] * 40)


def test_a_metric_of_probabilities_without_any():
    model = LinearSVC().fit(X, Y > 0)
    for metric in ("neg_log_loss", "neg_brier_score"):
        with pytest.raises(pc.MethodError, match=rf"'{metric}' .* choose a metric of what it predicts"):
            pc.importance(model, X, Y > 0, metric=metric)


def test_two_columns_of_one_name():
    x = pd.DataFrame(X, columns=["age", "pay", "age"])
    for ask in (
        lambda: pc.importance(lambda frame: Y, x, Y, metric=(lambda y, f: 0.0, True)),
        lambda: pc.effect(lambda frame: Y, x, "pay"),
        lambda: pc.explain(lambda frame: Y, x, pc.LIME(), background=x),
    ):
        with pytest.raises(pc.InputError, match="more than one column 'age': give every column its own name"):
            ask()


def test_groups_that_are_empty():
    model = LinearRegression().fit(framed(X), Y)
    with pytest.raises(pc.InputError, match=r"group 'money' is .*: give a list of at least one column"):
        pc.importance(model, framed(X), Y, groups={"money": []})
    with pytest.raises(pc.InputError, match="group 'money'"):
        pc.explain(model, framed(X)[:2], background=framed(X), masker=pc.Groups({"money": []}))
    with pytest.raises(pc.InputError, match=r"no row has a value of 'town', so there is no group"):
        pc.cohorts(pc.importance, model, framed(X), Y, by=pd.Series([None] * 80, name="town"))
