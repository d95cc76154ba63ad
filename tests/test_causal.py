"""Acts in a causal world against abduction, action and prediction by hand; summaries of many counterfactuals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import pellucid as pc
from test_counterfactual import ASKED, BACKGROUND, MODELS

INF = float("inf")
SCM = {"income": "2 * education", "savings": "0.5 * income - 0.1 * age"}
NAMES = ["education", "age", "income", "savings"]


def bank(z: np.ndarray) -> np.ndarray:
    """x (b, 4) -> (b,): education counts by what it brings."""
    return z[:, 2] + 4 * z[:, 3] - 20


X = np.array([[2.0, 30.0, 5.0, 1.0]])  # noise: income 5 - 4 = 1, savings 1 - (2.5 - 3) = 1.5


def test_downstream_columns_follow_as_worked_out_by_hand():
    """Acting on education by a: income + 2 a, savings + a, so the score + 6 a; it lacks 20 - 9 = 11, so a = 11 / 6."""
    found = pc.counterfactual(
        bank, X, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF), scm=SCM, names=NAMES,
        constraints=pc.Actionable(("education",)),
    )  # fmt: skip
    a = 11 / 6
    np.testing.assert_allclose(found.values, [[2 + a, 30, 5 + 2 * a, 1 + a]], atol=1e-6)
    np.testing.assert_allclose(found.cost, [a], atol=1e-6)
    assert found.acted.tolist() == [[True, False, False, False]] and found.changed.tolist() == [
        [True, False, True, True]
    ]
    assert "(which would have increased income by" in found.sentence()


def test_the_cheapest_acts_of_a_linear_world_are_a_projection_through_it():
    """The score's slope in acts is (6, -0.4, 3, 4): income brings 1 + 4 * 0.5, age 4 * -0.1; the nearest acts are along it."""
    found = pc.counterfactual(bank, X, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF), scm=SCM, names=NAMES)
    slope = np.array([6.0, -0.4, 3.0, 4.0])
    acts = 11 * slope / (slope @ slope)
    after = X[0] + acts
    after[2] += 2 * acts[0]
    after[3] += 0.5 * (after[2] - 5) - 0.1 * acts[1]
    np.testing.assert_allclose(found.values[0], after, atol=1e-5)
    np.testing.assert_allclose(found.cost, [11 / np.linalg.norm(slope)], atol=1e-6)


def test_ways_to_write_the_same_structure_agree():
    rng = np.random.default_rng(0)
    education, age = rng.normal(3, 1, 200), rng.normal(40, 8, 200)
    income = 2 * education
    rows = np.stack([education, age, income, 0.5 * income - 0.1 * age], axis=1)
    ways: list[dict[str, Any]] = [
        SCM,
        {"savings": lambda v: 0.5 * v["income"] - 0.1 * v["age"], "income": lambda v: 2 * v["education"]},
        {"income": ("education",), "savings": ("income", "age")},
    ]
    made = [
        pc.counterfactual(
            bank, X, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF), scm=scm, names=NAMES, background=rows
        )
        for scm in ways
    ]
    for one in made[1:]:
        np.testing.assert_allclose(one.values, made[0].values, atol=1e-4)


def test_what_may_not_change_may_not_follow_either_and_what_nobody_acts_on_may():
    method = pc.CausalCounterfactual(pc.Wachter("l2"))
    ask = {"target": (0, INF), "scm": SCM, "names": NAMES}
    fast = pc.counterfactual(bank, X, method, constraints=pc.Immutable(("income", "age")), **ask)
    assert fast.valid[0] and fast.values[0, 0] == 2 and fast.values[0, 2] == 5
    left = pc.counterfactual(bank, X, method, constraints=pc.Actionable(("education", "savings")), **ask)
    assert left.values[0, 2] != 5 and not left.acted[0, 2]


def test_recourse_in_a_causal_world_costs_percentiles_of_acts():
    scm = {"debt": "0.1 * income"}
    for kind in MODELS:
        found = pc.counterfactual(
            MODELS[kind], ASKED, pc.CausalCounterfactual(pc.Recourse()), target="yes", background=BACKGROUND, scm=scm,
            constraints=[pc.Immutable("sex"), "debt <= income"],
        )  # fmt: skip
        for row in np.flatnonzero(found.acted[:, 2]):
            if not found.acted[row, 3]:
                moved = found.values[row, 2] - found.original[row, 2]
                assert found.values[row, 3] - found.original[row, 3] == pytest.approx(0.1 * moved)


@pytest.mark.parametrize(
    ("scm", "says"),
    [
        ({"pay": "age"}, "no column 'pay'"),
        ({"income": "pay"}, "no column 'pay'"),
        ({"income": "savings", "savings": "income"}, "circle"),
        ({"income": ("education",)}, "pass background="),
        ({"income": lambda v: np.ones(7)}, "returned shape"),
    ],
)
def test_bad_structures_are_answered_in_words(scm: Any, says: str):
    with pytest.raises(pc.InputError, match=says):
        pc.counterfactual(bank, X, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF), scm=scm, names=NAMES)


def test_a_structure_is_asked_for_where_it_is_needed_and_refused_elsewhere():
    with pytest.raises(pc.MethodError, match="how columns follow"):
        pc.counterfactual(bank, X, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF))
    with pytest.raises(pc.MethodError, match="no structural model"):
        pc.counterfactual(bank, X, pc.Wachter("l2"), target=(0, INF), scm=SCM, names=NAMES)
    with pytest.raises(pc.MethodError, match="give \\{column"):
        pc.counterfactual(bank, X, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF), scm=3)


# --- summaries -------------------------------------------------------------------------------------------------------


def planted() -> pc.Counterfactuals:
    """Group 1 cannot move x0; the model wants x0 + x1 above 1, and x1 never moves."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.uniform(-1, 0, 40), np.zeros(40), np.arange(40) % 2], axis=1)
    model = LogisticRegression(C=1e6).fit(rng.normal(size=(200, 3)), rng.integers(0, 2, 200))
    model.coef_, model.intercept_ = np.array([[1.0, 1.0, 0.0]]), np.array([-1.0])
    rules = [pc.Immutable(("x1", "x2")), "x0 <= 2 - 2 * x2"]
    return pc.counterfactual(
        model, rows, pc.Recourse(points=9), target=1, background=rng.normal(size=(200, 3)), constraints=rules
    )


def test_recourse_that_one_group_lacks_shows_in_the_summary():
    summary = pc.summarize(planted(), pc.CounterfactualSummary(by="x2"))
    assert summary.changes == ("more x0",) and summary.weights.tolist() == [0.5] == summary.curve.tolist()
    whole, first, second = summary.groups
    assert (whole.rows, whole.needed, whole.without, whole.proven) == (40, 40, 20, 20)
    assert first.name == "x2 = 0.0" and first.without == 0 and second.without == 20 and np.isnan(second.costs).all()
    assert summary.importance.tolist() == [1.0, 0.0, 0.0] and summary.up.tolist()[0] == 1.0
    frame = summary.by_group()
    assert frame["share without"].tolist() == [0.5, 0.0, 1.0]
    assert "fewer than 30" in " ".join(summary.receipt.warnings)


def test_the_commonest_changes_of_people_are_listed_in_words():
    found = pc.counterfactual(MODELS["linear"], ASKED, target="yes", background=BACKGROUND)
    summary = pc.summarize(found, "CounterfactualSummary(k=3, by='sex')")
    needed = ~found.valid | (found.sparsity > 0)
    for row, share, words in zip(summary.indices, summary.weights, summary.changes, strict=True):
        assert needed[row] and 0 < share <= 1
        for name in found.changes(int(row)):
            assert name in words
    assert summary.curve[-1] <= 1 + 1e-12 and {one.name for one in summary.groups} == {"all", "sex = f", "sex = m"}
    assert summary.to_frame().shape[0] == len(summary)


def test_summaries_of_nothing_are_answered_in_words():
    happy = pc.counterfactual(bank, X + 20, pc.Wachter("l2"), target=(0, INF))
    with pytest.raises(pc.InputError, match="needed a change"):
        pc.summarize(happy)
    with pytest.raises(pc.InputError, match="no such column"):
        pc.summarize(planted(), pc.CounterfactualSummary(by="sex"))
    with pytest.raises(pc.MethodError, match="does not summarize counterfactuals"):
        pc.summarize(happy, pc.SubmodularPick())


# --- fits ------------------------------------------------------------------------------------------------------------


def curved(n: int, seed: int = 0) -> np.ndarray:
    """Income bends with education and steps with a kind; savings multiply the two: (n, 4)"""
    rng = np.random.default_rng(seed)
    education, kind = rng.uniform(-2, 2, n), rng.integers(0, 2, n).astype(float)
    income = np.sin(2 * education) + 3 * kind
    return np.stack([education, kind, income, education * kind], axis=1)


@pytest.mark.parametrize("fit", ["linear", "splines", "trees"])
def test_fits_find_what_they_can_and_say_how_well_on_rows_not_seen(fit: Any):
    from pellucid.core.schema import Column
    from pellucid.methods.counterfactual.fits import fitted, foretold

    rows, new = curved(400), curved(400, 1)
    columns = tuple(Column(name, "number", "float64") for name in ("education", "kind", "income", "savings"))
    for j in (2, 3):
        told = foretold(fit, rows, j, (0, 1), columns)
        left = new[:, j] - fitted(fit, rows, j, (0, 1), columns)(new)
        assert abs(told - (1 - (left**2).mean() / new[:, j].var())) < 0.12
    assert (foretold(fit, rows, 3, (0, 1), columns) > 0.98) == (fit == "trees")
    assert (foretold(fit, rows, 2, (0, 1), columns) > 0.99) == (fit != "linear")


@pytest.mark.parametrize("fit", ["linear", "splines", "trees"])
def test_abduction_action_prediction_is_exact_on_what_was_fitted(fit: Any):
    """Each row keeps its own noise under the fitted mechanism, found here by a second fit to the same rows."""
    from pellucid.core.schema import Column
    from pellucid.methods.counterfactual.fits import fitted

    rows = curved(300)
    rows[:, 2:] += np.random.default_rng(5).normal(0, 0.3, (300, 2))
    columns = tuple(Column(f"x{j}", "number", "float64") for j in range(4))
    found = pc.counterfactual(
        lambda z: z[:, 2] + z[:, 3] - 4, rows[:5], pc.CausalCounterfactual(pc.Wachter("l2"), fit=fit), target=(0, INF),
        background=rows, scm={"x2": ("x0", "x1"), "x3": "0.5 * x2"}, constraints=pc.Immutable("x1"),
    )  # fmt: skip
    follows = fitted(fit, rows, 2, (0, 1), columns)
    z, x = found.values, found.original
    assert found.valid.all() and f"x2 from x0, x1 by {fit}: foretells" in found.receipt.notes[0]
    noise = (z[:, 2] - follows(z)) - (x[:, 2] - follows(x))
    assert (np.abs(noise) > 1e-9).tolist() == found.acted[:, 2].tolist()
    np.testing.assert_allclose(noise[~found.acted[:, 2]], 0, atol=1e-9)
    third = (z[:, 3] - 0.5 * z[:, 2]) - (x[:, 3] - 0.5 * x[:, 2])
    np.testing.assert_allclose(third[~found.acted[:, 3]], 0, atol=1e-9)
    assert (np.abs(third[found.acted[:, 3]]) > 1e-9).all()


def test_levels_are_parents_of_every_fit():
    import pandas as pd

    rng = np.random.default_rng(0)
    job = rng.choice(["clerk", "nurse", "smith"], 200)
    pay = np.array([{"clerk": 1.0, "nurse": 3.0, "smith": 2.0}[one] for one in job])
    rows = pd.DataFrame({"job": job, "pay": pay, "rent": 0.0})
    for fit in ("linear", "splines", "trees"):
        found = pc.counterfactual(
            lambda frame: frame["pay"].to_numpy() - 2.5, rows[job == "clerk"][:1], pc.CausalCounterfactual(fit=fit),
            target=(0, INF), background=rows, scm={"pay": ("job",)}, constraints=pc.Actionable("job"),
        )  # fmt: skip
        assert found.changes() == {"job": ("clerk", "nurse"), "pay": (1.0, pytest.approx(3.0, abs=1e-3))}


def test_a_missing_parent_moves_nothing():
    rows = curved(60)
    x = rows[:1].copy()
    x[0, 0] = np.nan
    found = pc.counterfactual(
        lambda z: z[:, 3] - 4, x, pc.CausalCounterfactual(pc.Wachter("l2")), target=(0, INF), background=rows,
        scm={"x3": ("x0", "x1")},
    )  # fmt: skip
    assert found.valid[0] and found.changes() == {"x3": (x[0, 3], pytest.approx(4.0))}


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"scm": {"x3": ()}}, pc.InputError, "no parents are named"),
        ({"background": np.full((9, 4), np.nan)}, pc.InputError, "no background row has a value"),
    ],
)
def test_fits_that_cannot_be_are_answered_in_words(change: dict[str, Any], error: Any, says: str):
    given = {"scm": {"x3": ("x0",)}, "background": curved(40), **change}
    with pytest.raises(error, match=says):
        pc.counterfactual(
            lambda z: np.nan_to_num(z[:, 3]) - 4,
            curved(1),
            pc.CausalCounterfactual(pc.Wachter("l2")),
            target=(0, INF),
            **given,
        )
    with pytest.raises(pc.MethodError, match="'splines' or 'trees'"):
        pc.CausalCounterfactual(fit="forest")


def test_the_picture_of_a_summary_has_a_bar_a_change_and_a_line_a_group():
    summary = pc.summarize(planted(), pc.CounterfactualSummary(by="x2"))
    ax = pc.plot.show(summary)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx(
        [0.5, 0.5, 0.0, 1.0]
    )  # one change; the whole, and a group with all answers and one with none
    said = " ".join(text.get_text() for text in ax.texts)
    for words in ("more x0", "50%", "all (40)", "x2 = 1.0 (20)", "100% without, 20 proven", "all have one; cost"):
        assert words in said
    assert ax.get_figure().get_size_inches()[1] > 2


def test_the_share_of_a_group_is_of_the_rows_that_needed_a_change():
    summary = pc.summarize(planted(), pc.CounterfactualSummary(by="x2"))
    whole = replace(summary.groups[0], rows=80, needed=40, without=10, proven=0)
    fine = replace(summary.groups[1], rows=40, needed=0, without=0)
    ax = pc.plot.show(replace(summary, groups=(whole, fine)))
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.5, 0.25, 0.0])
    said = " ".join(text.get_text() for text in ax.texts)
    assert "25% without; cost" in said and "none needed a change" in said


def test_acts_lead_where_they_are_to_lead_and_noise_foretells_nothing():
    from pellucid.core.schema import Column
    from pellucid.methods.counterfactual.fits import foretold
    from pellucid.methods.counterfactual.structure import Structure

    columns = tuple(Column(name, "number", "float64") for name in NAMES)
    structure = Structure.of(SCM, columns, None)
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(2, 30, 4))
    np.testing.assert_allclose(structure.settle(x, structure.acts(x, v)), v, atol=1e-12)
    assert foretold("trees", rng.normal(size=(60, 4)), 2, (0, 1), columns) < 0.2
