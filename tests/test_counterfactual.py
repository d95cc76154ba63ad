"""Nearest counterfactuals: closed forms on planes, constraints that hold for every answer, reasons where there is none."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import pellucid as pc
from nets import linear, mlp
from oracles import oracle

INF = float("inf")


def plane(x: np.ndarray) -> np.ndarray:
    return 3 * x[:, 0] + 4 * x[:, 1] - 10


MAD_2_1 = np.array([[-2.0, -1.0], [0.0, 0.0], [2.0, 1.0]])  # median absolute deviations 2 and 1
ORIGIN = np.zeros((1, 2))


@pytest.mark.parametrize(
    ("distance", "answer", "cost"),
    [
        ("l2", [1.2, 1.6], 2.0),
        ("l1-mad", [10 / 3, 0.0], 5 / 3),
        ("l1", [0.0, 2.5], 2.5),
        ("linf", [10 / 7, 10 / 7], 10 / 7),
    ],
)
@pytest.mark.parametrize("model", [plane, linear([3.0, 4.0], -10.0)], ids=["black box", "network"])
def test_a_plane_is_met_where_the_closed_form_says(model: Any, distance: str, answer: list[float], cost: float):
    expected = oracle("CF-LIN")["expected"]
    name = {"l2": "l2", "l1-mad": "l1_mad", "l1": "l1", "linf": "linf"}[distance]
    np.testing.assert_allclose(answer, expected[name], atol=1e-8)
    found = pc.counterfactual(model, ORIGIN, pc.Wachter(distance), target=(0, INF), background=MAD_2_1)
    assert found.valid.all()
    np.testing.assert_allclose(found.values[0], answer, atol=1e-9)
    np.testing.assert_allclose(found.cost[0], cost, atol=1e-9)
    assert (plane(found.values) >= 0).all()


def test_the_projection_on_a_hyperplane_in_eight_dimensions():
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=8), rng.normal(size=(6, 8))
    found = pc.counterfactual(lambda z: z @ w - 2, x, pc.Wachter("l2"), target=(0, INF))
    outside = x @ w < 2
    expected = np.where(outside[:, None], x - ((x @ w - 2) / (w @ w))[:, None] * w, x)
    np.testing.assert_allclose(found.values, expected, atol=1e-8)
    scaled = pc.counterfactual(
        lambda z: z @ w - 2, x, pc.Wachter("l2-std"), target=(0, INF), background=rng.normal(size=(50, 8))
    )
    assert (scaled.cost[outside] > 0).all()


def test_a_weighted_one_norm_fills_the_best_column_first_and_then_the_next():
    limits = [pc.Range("x0", -1, 2)]  # 3 x0 brings 6 at most, 4 x1 the other 4
    found = pc.counterfactual(plane, ORIGIN, pc.Wachter(), target=(0, INF), background=MAD_2_1, constraints=limits)
    np.testing.assert_allclose(found.values, [[2.0, 1.0]], atol=1e-9)


def test_a_circle_is_met_at_its_nearest_point():
    """From (2, 1) to the unit disc: the point (2, 1) / sqrt(5)."""
    found = pc.counterfactual(
        lambda z: 1 - (z**2).sum(axis=1), np.array([[2.0, 1.0]]), pc.Wachter("l2"), target=(0, INF)
    )
    np.testing.assert_allclose(found.values[0], np.array([2, 1]) / np.sqrt(5), atol=1e-3)
    np.testing.assert_allclose(found.cost[0], np.sqrt(5) - 1, rtol=1e-6)


def test_networks_are_met_no_further_than_a_general_optimizer_gets():
    model, x = mlp().double(), np.random.default_rng(1).normal(size=(4, 4))
    found = pc.counterfactual(model, x, pc.Wachter("l2"), target=1)

    def margin(z: np.ndarray) -> float:
        with torch.no_grad():
            out = model(torch.from_numpy(z[None]))[0].numpy()
        return float(out[1] - max(out[0], out[2]))

    for row in range(4):
        if margin(x[row]) > 0:
            continue
        tries = []
        for start in np.random.default_rng(row).normal(size=(12, 4)) * 2 + x[row]:
            made = minimize(
                lambda z, row=row: ((z - x[row]) ** 2).sum(),
                start,
                constraints={"type": "ineq", "fun": margin},
                method="SLSQP",
            )
            if made.success and margin(made.x) > -1e-6:
                tries.append(np.sqrt(made.fun))
        assert margin(found.values[row]) > 0
        assert found.cost[row] <= min(tries) * 1.001


def test_trees_are_met_at_the_nearest_threshold():
    X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    model = RandomForestClassifier(1, max_depth=1, bootstrap=False, random_state=0).fit(X, (X[:, 0] > 0.2).astype(int))
    cut = model.estimators_[0].tree_.threshold[0]
    found = pc.counterfactual(model, np.array([[-0.5, 0.3]]), pc.Wachter("l2"), target=1, background=X)
    assert found.values[0, 1] == 0.3 and found.changed.tolist() == [[True, False]]
    np.testing.assert_allclose(found.values[0, 0], cut, atol=1e-5)
    assert model.predict(found.values)[0] == 1


# --- tables of people ------------------------------------------------------------------------------------------------


def people(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 70, n),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "smith", "none"], n)),
            "income": rng.normal(30_000, 8_000, n).round(-2),
            "debt": rng.normal(10_000, 4_000, n).round(-2),
            "sex": rng.choice(["f", "m"], n),
            "missed": rng.integers(0, 4, n),
        }
    )


def approved(x: pd.DataFrame) -> np.ndarray:
    score = x["income"] / 8_000 - x["debt"] / 5_000 - x["missed"] + (x["job"] == "nurse") - (x["job"] == "none") * 2
    return np.where(score > 1.5, "yes", "no")


def fitted(kind: str) -> Any:
    x = people(400, 3)
    encode = make_column_transformer(
        (OneHotEncoder(), ["job", "sex"]), (StandardScaler(), ["age", "income", "debt", "missed"])
    )
    last = LogisticRegression() if kind == "linear" else GradientBoostingClassifier(n_estimators=30, random_state=0)
    return make_pipeline(encode, last).fit(x, approved(x))


MODELS = {kind: fitted(kind) for kind in ("linear", "trees")}
BACKGROUND, ASKED = people(150, 4), people(8, 5)


def test_the_loan_example_reads_as_a_sentence():
    """Who is refused for income and missed payments is told how much of each, and a person's sex and age stay."""
    rules = ["Immutable('sex')", pc.Increasing("age"), pc.Immutable(("job", "debt", "age"))]
    found = pc.counterfactual(
        MODELS["linear"], ASKED, pc.Wachter(answers=3), target="yes", background=BACKGROUND, constraints=rules
    )
    row = int(np.flatnonzero(found.changed.any(axis=1))[0])
    assert set(found.changes(row)) <= {"income", "missed"}
    said = found.sentence(row)
    assert said.startswith("If you ") and said.endswith("it would be yes.")
    assert "increased income by" in said or "decreased missed by" in said
    frame = found.to_frame()
    assert set(frame["feature"].dropna()) <= {"income", "missed"}
    assert found.sentence(row, 2) != said


def check(found: pc.Counterfactuals, model: Any, before: pd.DataFrame, wanted: str, rules: list[Any]) -> None:
    """An independent look at every answer: the model's own prediction, and each constraint by hand."""
    for row in np.flatnonzero(found.valid):
        for k in np.flatnonzero(~np.isnan(found.costs[row])):
            after = pd.DataFrame([found.alternatives[row, k]], columns=before.columns).astype(before.dtypes)
            assert model.predict(after)[0] == wanted
            old, new = before.iloc[row], after.iloc[0]
            for rule in rules:
                assert obeys(rule, old, new), (rule, dict(old), dict(new))


def obeys(rule: Any, old: Any, new: Any) -> bool:
    match rule:
        case pc.Immutable(column=column):
            return bool(old[column] == new[column])
        case pc.Increasing(column=column):
            return bool(new[column] >= old[column])
        case pc.Decreasing(column=column):
            return bool(new[column] <= old[column])
        case pc.Range(column=column, low=low, high=high):
            return bool((low is None or new[column] >= low) and (high is None or new[column] <= high))
        case pc.Step(column=column, size=size):
            moves = (new[column] - old[column]) / size
            return bool(abs(moves - round(moves)) < 1e-6)
        case pc.Allowed(column=column, values=values):
            return new[column] in values
        case "debt <= income":
            return bool(new["debt"] <= new["income"])
        case "debt + 2000 * missed <= 0.4 * income":
            return bool(new["debt"] + 2000 * new["missed"] <= 0.4 * new["income"])
        case "job != 'nurse'":
            return bool(new["job"] != "nurse")
    raise AssertionError(rule)


RULES = [
    pc.Immutable("sex"),
    pc.Immutable("missed"),
    pc.Increasing("age"),
    pc.Decreasing("debt"),
    pc.Increasing("income"),
    pc.Range("income", 20_000, 45_000),
    pc.Range("debt", None, 12_000),
    pc.Range("age", 25, None),
    pc.Step("income", 500),
    pc.Step("debt", 300),
    pc.Step("age", 5),
    pc.Allowed("job", ("clerk", "smith")),
    "debt <= income",
    "debt + 2000 * missed <= 0.4 * income",
    "job != 'nurse'",
]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.sets(st.sampled_from(range(len(RULES))), max_size=6), st.sampled_from(["linear", "trees"]), st.sampled_from("yn")
)
def test_every_answer_is_valid_and_keeps_to_every_constraint(chosen: set[int], kind: str, wanted: str):
    rules, wanted = [RULES[i] for i in sorted(chosen)], {"y": "yes", "n": "no"}[wanted]
    found = pc.counterfactual(
        MODELS[kind],
        ASKED[:4],
        pc.Wachter(answers=3, starts=3, points=6),
        target=wanted,
        background=BACKGROUND,
        constraints=rules,
    )
    check(found, MODELS[kind], ASKED[:4], wanted, rules)
    assert (found.valid | np.array([bool(reason) for reason in found.reason])).all()


def test_without_constraints_every_row_gets_an_answer_and_alternatives_differ():
    for kind in MODELS:
        found = pc.counterfactual(MODELS[kind], ASKED, pc.Wachter(answers=4), target="yes", background=BACKGROUND)
        assert found.valid.all() and found.new_scores.min() > (0.5 if kind == "linear" else 0)
        check(found, MODELS[kind], ASKED, "yes", [])
        several = found[found.sparsity > 0]
        assert (~np.isnan(several.costs)).sum(axis=1).mean() > 3
        for row in range(len(several)):
            sets = [
                frozenset(several._changes(row, one))
                for one in several.alternatives[row][~np.isnan(several.costs[row])]
            ]
            assert len({tuple(map(str, one)) for one in several.alternatives[row]}) == len(several.costs[row])
            assert len(set(sets)) > 1
        assert (np.diff(found.costs[:, :1]) >= 0).all()


def test_no_change_that_is_handed_back_could_be_left_out():
    """1-minimal: taking any one change back loses the answer."""
    model = MODELS["trees"]
    found = pc.counterfactual(model, ASKED, target="yes", background=BACKGROUND)
    for row in np.flatnonzero(found.sparsity > 0):
        after = pd.DataFrame([found.values[row]], columns=ASKED.columns).astype(ASKED.dtypes)
        for name in found.changes(row):
            less = after.copy()
            less.loc[0, name] = ASKED.iloc[row][name]
            assert model.predict(less.astype(ASKED.dtypes))[0] == "no"


def test_a_price_on_each_change_leaves_fewer_of_them():
    dense = pc.counterfactual(plane, ORIGIN, pc.Wachter("l2", sparsity=0.1), target=(0, INF))
    sparse = pc.counterfactual(plane, ORIGIN, pc.Wachter("l2", sparsity=1.0), target=(0, INF))
    assert dense.sparsity.tolist() == [2] and sparse.sparsity.tolist() == [1]
    np.testing.assert_allclose(sparse.values, [[0.0, 2.5]], atol=1e-9)
    np.testing.assert_allclose(sparse.cost, [2.5], atol=1e-9)  # the distance, without the price


def test_density_draws_answers_to_the_data():
    """Two ways over the border at x = 1: the near one where there is no data, the far one in the midst of it."""
    rng = np.random.default_rng(0)
    background = np.concatenate([rng.normal([0, 0], 0.2, (100, 2)), rng.normal([1.4, 3], 0.2, (100, 2))])
    x = np.array([[0.0, 0.0]])
    model, method = (lambda z: z[:, 0] - 1.2), pc.Wachter("l2", plausible=5.0)
    bare = pc.counterfactual(model, x, method, target=(0, INF), background=background)
    drawn = [
        pc.counterfactual(model, x, method, target=(0, INF), background=background, density=density)
        for density in ("neighbours", "lof", lambda z: -((z[:, 1] - 3) ** 2))
    ]
    np.testing.assert_allclose(bare.values, [[1.2, 0.0]], atol=1e-9)
    for one in drawn:
        assert one.values[0, 1] > 1.5 and one.plausibility[0] > bare.plausibility[0] and one.cost[0] > bare.cost[0]
    with pytest.raises(pc.InputError, match="one number a row"):
        pc.counterfactual(model, x, method, target=(0, INF), background=background, density=lambda z: z)
    with pytest.raises(pc.MethodError, match="'neighbours', 'lof'"):
        pc.counterfactual(model, x, method, target=(0, INF), background=background, density="kde")


def test_one_hot_blocks_stay_one_hot():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(90, 1)), np.eye(3)[rng.integers(0, 3, 90)]], axis=1)
    model, names = (lambda z: z[:, 0] + 5 * z[:, 2] + 1e-9 - 3), ["pay", "a", "b", "c"]
    x = np.array([[0.0, 1.0, 0.0, 0.0]])
    block = [pc.OneHot(("a", "b", "c"))]
    found = pc.counterfactual(model, x, target=(0, INF), background=X, constraints=block, names=names)
    assert found.values.tolist() == [[0.0, 0.0, 1.0, 0.0]]
    kept = pc.counterfactual(
        model, x, target=(0, INF), background=X, constraints=[*block, pc.Immutable("a")], names=names
    )
    assert kept.values[0, 1:].tolist() == [1.0, 0.0, 0.0] and kept.values[0, 0] == pytest.approx(3)


def test_targets_of_every_kind():
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    model = mlp()
    per_row = [0, 1, 2, 0, 1]
    found = pc.counterfactual(model, x, pc.Wachter("l2"), target=per_row)
    with torch.no_grad():
        assert model(torch.from_numpy(found.values.astype(np.float32))).argmax(1).tolist() == per_row
        other = pc.counterfactual(model, x, pc.Wachter("l2"))
        own = model(torch.from_numpy(x)).argmax(1)
        assert (model(torch.from_numpy(other.values.astype(np.float32))).argmax(1) != own).all()
    assert other.answers[0].startswith("not ")
    linear = MODELS["linear"]
    surely = pc.counterfactual(linear, ASKED, target=(0.8, 0.9), background=BACKGROUND)
    chance = linear.predict_proba(pd.DataFrame(surely.values, columns=ASKED.columns).astype(ASKED.dtypes))[:, 1]
    assert surely.valid.all() and ((chance >= 0.8) & (chance <= 0.9)).all()
    assert surely.answers[0] == "between 0.8 and 0.9"
    np.testing.assert_allclose(surely.new_scores, chance, atol=1e-12)


# --- where there is no answer ----------------------------------------------------------------------------------------


def test_an_answer_that_is_there_already_changes_nothing():
    found = pc.counterfactual(plane, np.array([[5.0, 5.0]]), pc.Wachter("l2"), target=(0, INF))
    assert found.valid[0] and found.cost[0] == 0 and not found.changed.any()
    assert "already" in found.reason[0] and found.sentence() == "Nothing has to change: it is at least 0 already."


def test_a_wanted_row_that_breaks_a_constraint_is_brought_inside():
    found = pc.counterfactual(
        plane, np.array([[5.0, 5.0]]), pc.Wachter("l2"), target=(0, INF), constraints=["x0 + x1 <= 4"]
    )
    assert found.valid[0] and found.values[0].sum() <= 4 and plane(found.values)[0] >= 0


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([pc.Range("x0", 1, 2), pc.Immutable("x0")], "'x0' must not change"),
        ([pc.Range("x0", 1, None), pc.Range("x0", None, 0.5)], "no value of 'x0' keeps to"),
        (["x0 + x1 <= 1", "x0 + x1 >= 2"], "contradict each other"),
        ([pc.Step("x0", 3), pc.Range("x0", 1, 2)], "no value of 'x0'"),
        ([pc.Immutable("x0"), pc.Increasing("x1"), "x0 >= x1 + 1"], "contradict each other"),
    ],
)
def test_contradictory_constraints_are_proven_so(rules: list[Any], says: str):
    found = pc.counterfactual(plane, ORIGIN, pc.Wachter("l2"), target=(0, INF), constraints=rules)
    assert not found.valid[0] and found.proof[0] and says in found.reason[0]
    assert np.isnan(found.values).all() and np.isnan(found.cost[0]) and found.done[0]
    assert found.to_frame()["reason"].iloc[0] == found.reason[0]


def test_a_model_with_one_output_for_everything_is_said_so():
    found = pc.counterfactual(lambda z: np.full(len(z), -1.0), ORIGIN, pc.Wachter("l2"), target=(0, INF))
    assert not found.valid[0] and "same output" in found.reason[0] and not found.proof[0]
    assert "1 of 1 rows have no answer, 0 of them provably so" in found.receipt.warnings[0]


def test_a_class_that_no_row_has_is_not_found_within_a_number_of_rows():
    steep = lambda z: np.stack([np.ones(len(z)), np.tanh(z[:, 0]) * 0.9], axis=1)  # noqa: E731
    found = pc.counterfactual(steep, ORIGIN, pc.Wachter("l2", queries=300), target=1, background=MAD_2_1)
    assert not found.valid[0] and not found.proof[0]
    assert "within" in found.reason[0] and "no background row has the wanted answer" in found.reason[0]
    assert found.receipt.rows_forward <= 300 + 1 + 3


def test_nothing_may_change():
    found = pc.counterfactual(plane, ORIGIN, pc.Wachter("l2"), target=(0, INF), constraints=pc.Immutable(("x0", "x1")))
    assert not found.valid[0] and found.proof[0] and "nothing may change" in found.reason[0]


def test_a_budget_is_hard_and_what_was_found_stands():
    model = MODELS["linear"]
    for rows in (5, 40, 300, 900):
        found = pc.counterfactual(model, ASKED, target="yes", background=BACKGROUND[:20], budget=pc.Budget(rows=rows))
        answers = int(found.valid.sum())
        assert (
            found.receipt.rows_forward <= max(rows, len(ASKED) + 20) + answers
        )  # the last look at what is handed back
        check(found, model, ASKED, "yes", [])
        assert all("budget" in reason for reason, ok in zip(found.reason, found.valid, strict=True) if not ok)
    assert found.valid.any()


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"constraints": [pc.Immutable("pay")]}, pc.InputError, r"no column 'pay'; the columns are x0, x1"),
        ({"constraints": ["x0 <= pay"]}, pc.InputError, "no column 'pay'"),
        ({"constraints": ["x0 * x1 <= 3"]}, pc.SpellingError, "not linear"),
        ({"constraints": ["x0 plus x1"]}, pc.SpellingError, "expected one comparison"),
        ({"constraints": ["__import__('os')"]}, pc.SpellingError, "cannot read|expected"),
        ({"constraints": [3]}, pc.MethodError, "3 is no constraint"),
        ({"target": None}, None, ""),
        ({"target": 7}, pc.TargetError, "7 is out of range"),
        ({"target": lambda out: out}, pc.TargetError, "interval"),
        ({"target": (2, 1)}, pc.TargetError, "smaller end first"),
        ({"target": pc.Output(0)}, pc.TargetError, "target=\\(low, high\\)"),
        ({"method": pc.LIME()}, pc.MethodError, "finds no counterfactuals"),
        ({"method": pc.Wachter()}, pc.InputError, "pass background="),
        ({"scm": {}}, pc.MethodError, "structural model"),
    ],
)
def test_bad_input_is_answered_in_words(given: dict[str, Any], error: type | None, says: str):
    arguments = {"method": pc.Wachter("l2"), "target": (0, INF), **given}
    if error is None:
        assert pc.counterfactual(plane, ORIGIN, **arguments).valid.all()
        return
    with pytest.raises(error, match=says):
        pc.counterfactual(plane, ORIGIN, **arguments)


def test_bad_frames_are_answered_in_words():
    model = MODELS["linear"]
    for rules, says in (
        (["age <= job"], "levels"),
        ([pc.Increasing("job")], "no order"),
        (["job == 'king'"], "no value 'king'"),
        ([pc.Allowed("age", ("old",))], "holds numbers"),
    ):
        with pytest.raises(pc.InputError, match=says):
            pc.counterfactual(model, ASKED, target="yes", background=BACKGROUND, constraints=rules)
    with pytest.raises(pc.TargetError, match="no class 'maybe'"):
        pc.counterfactual(model, ASKED, target="maybe", background=BACKGROUND)
    with pytest.raises(pc.MethodError, match="columns of a table"):
        pc.counterfactual(lambda z: z.sum((1, 2)), np.zeros((1, 2, 2)), pc.Wachter("l2"), target=(0, 1))


def test_hyper_parameters_are_checked():
    for bad in ({"distance": "cosine"}, {"distance": "l2-"}, {"answers": 0}, {"starts": 1.5}, {"sparsity": -1}):
        with pytest.raises(pc.MethodError):
            pc.Wachter(**bad)


# --- relations as text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("debt <= income", [({"debt": 1.0, "income": -1.0}, "<=", 0.0)]),
        ("2 * (a - b) / 4 >= 1 - -c", [({"a": 0.5, "b": -0.5, "c": -1.0}, ">=", 1.0)]),
        ("0 <= a < 3", [({"a": -1.0}, "<=", 0.0), ({"a": 1.0}, "<", 3.0)]),
        ("`credit amount` = .5", [({"credit amount": 1.0}, "==", 0.5)]),
        ("1e3 != a", [({"a": -1.0}, "!=", -1000.0)]),
    ],
)
def test_relations_are_read(written: str, expected: list[tuple[dict[str, float], str, float]]):
    from pellucid.core.relations import relations

    made = [(dict(one.weights), one.op, one.bound) for one in relations(written)]
    assert made == expected


@pytest.mark.parametrize(
    "written", ["a", "a <= ", "a <= 'x'", "1 <= 2", "a / b > 1", "(a <= 1", "a + 'x' == 1", "a <= 1 1", "a & b"]
)
def test_what_is_no_relation_is_refused(written: str):
    from pellucid.core.relations import relations

    with pytest.raises(pc.SpellingError):
        relations(written)


def test_constraints_are_read_back_from_their_spelling():
    from pellucid.core.spelling import parse

    for rule in RULES:
        if not isinstance(rule, str):
            assert parse(repr(rule)) == rule


def test_a_record_is_sliced_saved_and_read_back(tmp_path: Any):
    found = pc.counterfactual(MODELS["linear"], ASKED, pc.Wachter(answers=2), target="yes", background=BACKGROUND)
    back = pc.load(found.save(tmp_path / "c.npz"))
    assert back.sentence(3) == found.sentence(3) and back[3].sentence() == found.sentence(3)
    assert [back.changes(i) for i in range(len(back))] == [found.changes(i) for i in range(len(found))]


def test_the_answer_of_every_single_feature_is_among_the_alternatives():
    """On a plane any one of three columns alone is enough: all three are found."""
    rng = np.random.default_rng(0)
    found = pc.counterfactual(
        lambda z: z.sum(axis=1) - 1,
        np.zeros((1, 3)),
        pc.Wachter(answers=3),
        target=(0, INF),
        background=rng.normal(size=(80, 3)),
    )
    sets = [tuple(found._changes(0, one)) for one in found.alternatives[0]]
    assert set(sets) == set(combinations(["x0", "x1", "x2"], 1))


@pytest.mark.parametrize("rows", [np.float64, np.float32])
@pytest.mark.parametrize(
    "rule", [pc.Immutable("x1"), pc.Increasing("x0"), pc.Range("x0", 0.1, None), pc.Allowed("x0", (0.1, 1.1))]
)
def test_a_network_coarser_than_its_rows_keeps_exactly_what_may_not_change(rows: Any, rule: Any):
    """0.1 is no number of half precision; an answer is held to the rule by its own digits."""
    net = linear([3.0, 4.0], -1.0).half() if rows is np.float32 else linear([3.0, 4.0], -1.0)
    x = np.array([[0.1, -0.3]], dtype=rows)
    found = pc.counterfactual(net, x, pc.Wachter("l2"), target=(0, INF), constraints=rule)
    assert found.valid[0], found.reason
    if isinstance(rule, pc.Immutable):
        assert found.values[0, 1] == x[0, 1]
    assert found.values[0, 0] >= x[0, 0]


def test_no_answer_of_several_has_a_change_that_it_does_not_need():
    """Where one can be taken back, what is left only goes along with another answer."""
    rows, background = people(12, 3), people(300, 4)
    rows = rows[approved(rows) == "no"].reset_index(drop=True)
    model = RandomForestClassifier(30, max_depth=6, random_state=0)
    encode = make_column_transformer((OneHotEncoder(), ["job", "sex"]), remainder="passthrough")
    fitted = make_pipeline(encode, model).fit(background, approved(background))
    rows = rows[fitted.predict(rows) == "no"].reset_index(drop=True)
    found = pc.counterfactual(fitted, rows, pc.Wachter(answers=4), target="yes", background=background)
    names, idle, several = list(rows.columns), 0, 0
    for i in range(len(rows)):
        answers = pd.DataFrame(found.alternatives[i], columns=names).dropna(how="all").astype(rows.dtypes)
        before = rows.iloc[[i] * len(answers)].reset_index(drop=True)
        changed = (answers != before).to_numpy()
        ways = [_way(before.iloc[k], answers.iloc[k]) for k in range(len(answers))]
        for k in np.flatnonzero(changed.sum(axis=1) > 1).tolist():
            several += 1
            for name in np.array(names)[changed[k]]:
                less = answers.iloc[[k]].copy()
                less[name] = before[name].iloc[k]
                rest = {item for item in ways[k] if item[0] != name}
                alone = not any(way <= rest for j, way in enumerate(ways) if j != k)
                idle += bool(fitted.predict(less.astype(rows.dtypes))[0] == "yes" and alone)
    assert several > 5 and idle == 0


def _way(before: pd.Series, after: pd.Series) -> set[tuple[str, object]]:
    """Which columns move, and which way; levels by where they end."""
    moved = [name for name in before.index if before[name] != after[name]]
    return {(name, after[name] if isinstance(after[name], str) else after[name] > before[name]) for name in moved}


def test_cells_are_inside_of_their_range_after_they_were_rounded():
    """Whole numbers between ends that are none, and ends that single precision cannot hold."""
    from pellucid.core.limits import Limits
    from pellucid.core.schema import Column
    from pellucid.methods.counterfactual.space import Space

    rows, x = np.zeros(3, dtype=int), np.array([[1.0, 0.0]])
    columns = (Column("a", "integer", "int64"), Column("b", "number", "float32"))
    rules = (pc.Range("a", 0.4, 2.6), pc.Range("b", -0.1, 0.1))
    space = Space(Limits.of(rules, x, columns), np.dtype("float32"), np.ones(2))
    assert float(np.float32(0.1)) > 0.1
    z, good = space.fit(rows, np.array([[-3.0, 5.0], [9.0, -5.0], [1.4, 0.05]]))
    assert good.all() and z[:, 0].tolist() == [1.0, 2.0, 1.0] and z[:2, 1].tolist() == [0.1, -0.1]
