"""The engine that turns records into scorecards, whatever a metric measures."""

import dataclasses

import numpy as np
import pytest
import torch

import nets
import pellucid as pc
from contract.metric_cases import JUDGES, pictures, same
from contract.metric_cases import record as judged
from pellucid.core.budget import Receipt
from pellucid.metrics import run, verdict
from pellucid.metrics.base import MetricCard, places

CASES = {name: judge.metric for name, judge in JUDGES.items()}


@pytest.fixture(scope="module")
def net():
    return nets.cnn()


@pytest.fixture(scope="module")
def x():
    return pictures()


@pytest.fixture(scope="module")
def record():
    return judged()


# -- records of any origin ---------------------------------------------------------------------------------------------

TABLE = np.random.default_rng(4).normal(size=(12, 4))
WEIGHTS = np.array([3.0, -2, 1, 0.5])


def linear(z):
    return z @ WEIGHTS


def test_arrays_of_other_libraries_are_judged_on_values_data_and_target_alone(net, x):
    gradient = torch.tensor(x, requires_grad=True)
    net.eval()(gradient)[:, 1].sum().backward()
    theirs = pc.Attribution.from_arrays(gradient.grad, data=gradient, target=1)
    ours = pc.explain(net, x, pc.Saliency(), target=1)
    metrics = [
        pc.Deletion(steps=5, randoms=2),
        pc.Insertion(steps=5, randoms=2),
        pc.Agreement(others=(pc.Occlusion(),)),
    ]
    one, other = pc.evaluate(net, theirs, metrics), pc.evaluate(net, ours, metrics)
    for a, b in zip(one.curves, other.curves, strict=True):
        same(a, b, rtol=1e-4, atol=1e-6)
    table = pc.Attribution.from_arrays(WEIGHTS * TABLE, data=TABLE, target=None, base_values=0.0)
    card = pc.evaluate(linear, table, [pc.Deletion(), pc.Completeness()], background=np.zeros((1, 4)))
    assert card["Completeness"].value == pytest.approx(0, abs=1e-12)
    assert card.lines[0].verdict == "better than random"


def test_frames_come_back_as_frames_after_a_round_trip(tmp_path):
    pd = pytest.importorskip("pandas")
    seen = []

    def model(frame):
        seen.append(frame)
        return frame["a"].to_numpy() * np.where(frame["b"] == "x", 2.0, 1.0) + frame["c"].to_numpy()

    frame = pd.DataFrame(
        {
            "a": [1.0, 2, 3],
            "b": pd.Categorical(["x", "y", "x"], categories=["y", "x"]),
            "c": pd.array([1, 2, 3], dtype="int32"),
        }
    )
    background = frame.iloc[::-1]
    made = pc.explain(model, frame, pc.Occlusion(), background=background)
    loaded = pc.load(made.save(tmp_path / "a.npz"))
    metrics = [pc.Deletion(randoms=2), pc.Insertion(randoms=2), pc.Stability(trials=2, sigma=0.5), pc.Completeness()]
    seen.clear()
    before = pc.evaluate(model, made, metrics, background=background)
    assert seen and all((part.dtypes == frame.dtypes).all() for part in seen)
    after = pc.evaluate(model, loaded, metrics, background=background)
    for a, b in zip(before.curves, after.curves, strict=True):
        same(a, b, rtol=1e-12)
    assert not before.receipt.warnings


def test_polars_frames_work():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1.0, 2, 3], "b": ["x", "y", "x"]})

    def model(part):
        assert isinstance(part, polars.DataFrame)
        return part["a"].to_numpy() + (part["b"] == "x").to_numpy()

    made = pc.explain(model, frame, pc.Occlusion(), background=frame)
    card = pc.evaluate(model, made, [pc.Deletion(randoms=1), pc.Stability(trials=1)], background=frame)
    assert np.isfinite([line.mean for line in card.lines]).all()


def test_estimators_with_class_names_and_a_target_per_row():
    from sklearn.linear_model import LogisticRegression

    label = np.array(["no", "yes", "maybe"])[np.arange(12) % 3]
    model = LogisticRegression().fit(TABLE, label)
    made = pc.explain(model, TABLE, pc.Occlusion(), background=TABLE, target=label)
    arrays = pc.Attribution.from_arrays(made.values, data=TABLE, target=label)
    one, other = (pc.evaluate(model, r, pc.Deletion(), background=TABLE) for r in (made, arrays))
    same(one.curves[0], other.curves[0], rtol=1e-12)
    column = [list(model.classes_).index(c) for c in label]
    start = model.predict_proba(TABLE)[np.arange(12), column]
    assert one["Deletion"].curves[:, 0] == pytest.approx(start)
    assert one.receipt.scale == "probability" and "label=(" in one.receipt.target


def test_the_resolved_target_stays_when_the_prediction_flips():
    def model(z):
        return np.stack([z[:, 0], 1 - z[:, 0]], axis=1)

    made = pc.Attribution.from_arrays([[1.0, 0.0]], data=[[0.9, 0.0]], target=None)
    curve = pc.evaluate(model, made, pc.Deletion(fill="zeros")).curves[0]
    assert curve.curves[0] == pytest.approx([0.9, 0, 0])  # column 0 although column 1 wins once it is hidden


def test_further_inputs_travel_with_their_rows():
    rng = np.random.default_rng(0)
    gate = rng.normal(size=12)

    def model(z, gate):
        return linear(z) * gate

    ways = {"extra": {"gate": gate}, "background": TABLE[:3]}
    made = pc.explain(model, TABLE, pc.Occlusion(), **ways)
    card = pc.evaluate(model, made, [pc.Deletion(), pc.Stability(trials=2)], **ways)
    assert card["Deletion"].curves[:, 0] == pytest.approx(linear(TABLE) * gate)
    assert not card.receipt.warnings
    for done in (made.done, np.arange(12) > 2):
        with pytest.raises(pc.InputError, match="'gate' has 5 rows"):
            pc.evaluate(model, dataclasses.replace(made, done=done), pc.Deletion(), extra={"gate": gate[:5]})
    part = dataclasses.replace(made, done=np.arange(12) > 2)
    np.testing.assert_allclose(
        pc.evaluate(model, part, pc.Deletion(), **ways).curves[0].value[3:], card["Deletion"].value[3:]
    )


def test_rows_that_a_budget_left_out_stay_empty():
    made = pc.Attribution.from_arrays(WEIGHTS * TABLE, data=TABLE, target=None, base_values=0.0)
    done = np.arange(12) % 3 > 0
    part = dataclasses.replace(made, done=done, values=np.where(done[:, None], made.values, np.nan))
    metrics = [pc.Deletion(randoms=2), pc.Completeness(), pc.Agreement()]
    card = pc.evaluate(linear, part, metrics, truth=made)
    whole = pc.evaluate(linear, made, metrics, truth=made.values)
    for name in ("Deletion", "Completeness", "Agreement"):
        assert np.isnan(card[name].value[~done]).all()
        np.testing.assert_allclose(card[name].value[done], whole[name].value[done], rtol=1e-12, atol=1e-15)
    assert card.lines[0].rows == 8 and "4 of 12 rows are not done" in " ".join(card.receipt.warnings)
    with pytest.raises(pc.InputError, match="no row"):
        pc.evaluate(linear, dataclasses.replace(made, done=np.zeros(12, bool)), metrics)


# -- explaining again --------------------------------------------------------------------------------------------------

ANEW = ("Stability", "MaxSensitivity", "ModelRandomization")


@pytest.mark.parametrize("name", ANEW)
def test_a_metric_that_explains_again_says_by_name_what_it_needs(name, net, x):
    made = pc.Attribution.from_arrays(np.random.default_rng(0).normal(size=x.shape), data=x, target=0)
    with pytest.raises(pc.MethodError, match=rf"{name} .*again="):
        pc.evaluate(net, made, CASES[name])
    pc.evaluate(net, made, CASES[name], method="Saliency()")


@pytest.mark.parametrize("name", ANEW)
def test_the_users_own_function_explains_again(name, net, x):
    def again(model, z):
        leaf = torch.tensor(z, requires_grad=True)
        model(leaf)[:, 2].sum().backward()
        return pc.Attribution.from_arrays(leaf.grad, data=z, target=2)

    theirs = pc.evaluate(net.eval(), again(net, x), CASES[name], again=again)
    ours = pc.evaluate(net, pc.explain(net, x, pc.Saliency(), target=2), CASES[name])
    same(theirs.curves[0], ours.curves[0], rtol=1e-4, atol=1e-5)
    assert not theirs.receipt.warnings


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda a: a.values, "Attribution"),
        (lambda a: a[:1], "shape"),
        (lambda a: dataclasses.replace(a, values=a.values * np.nan), "NaN"),
    ],
)
def test_an_answer_that_is_no_repetition_is_refused(answer, said, record, net):
    with pytest.raises(pc.InputError, match=said):
        pc.evaluate(net, record, pc.Stability(trials=1), again=lambda model, z: answer(record))


def test_the_records_own_masker_is_used_again():
    made = pc.explain(linear, TABLE, pc.ExactShapley(), masker=pc.Baseline(2.0))
    assert not pc.evaluate(linear, made, pc.Stability(trials=1)).receipt.warnings
    assert pc.evaluate(linear, made, pc.Stability(trials=1), masker=pc.Baseline(-1.0)).receipt.warnings


def test_doubts_are_said_about_another_model_and_a_forgotten_background(net, x):
    made = pc.explain(linear, TABLE, pc.Occlusion(baseline="mean"), background=TABLE)
    assert not pc.evaluate(linear, made, pc.Deletion(), background=TABLE).receipt.warnings
    (said,) = pc.evaluate(lambda z: 2 * linear(z), made, pc.Deletion(), background=TABLE).receipt.warnings
    assert "scores differ" in said and f"{np.abs(linear(TABLE)).max():.3g}" in said
    mean = pc.explain(net, x, pc.IntegratedGradients(steps=4), background=x + 1)
    (said,) = pc.evaluate(net, mean, pc.Stability(trials=1)).receipt.warnings
    assert "background=" in said


def test_estimators_have_no_weights_to_draw():
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(TABLE, linear(TABLE))
    made = pc.explain(model, TABLE, pc.Occlusion(), background=TABLE)
    with pytest.raises(pc.MethodError, match=r"ModelRandomization .*estimator.* torch modules"):
        pc.evaluate(model, made, pc.ModelRandomization(), background=TABLE)
    with pytest.raises(pc.MethodError, match="callable"):
        pc.evaluate(model.predict, made, pc.ModelRandomization(), background=TABLE)


def test_completeness_names_the_missing_base_values(net, x):
    with pytest.raises(pc.MethodError, match=r"base_values.*Saliency"):
        pc.evaluate(net, pc.explain(net, x, pc.Saliency()), pc.Completeness())


# -- what a caller may give --------------------------------------------------------------------------------------------


def test_metrics_come_as_values_spellings_or_classes(record, net):
    card = pc.evaluate(net, record, ["Completeness", pc.Completeness, "Deletion(steps=2, randoms=1)"])
    assert [curve.metric for curve in card.curves] == ["Completeness()", "Completeness()", "Deletion"]
    assert pc.evaluate(net, record, pc.Completeness()).curves[0].metric == "Completeness"
    for wrong in ([pc.Saliency()], [3]):
        with pytest.raises(pc.MethodError, match="no metric"):
            pc.evaluate(net, record, wrong)
    with pytest.raises(pc.InputError, match="at least one metric"):
        pc.evaluate(net, record, [])


def test_a_curve_is_found_by_name_spelling_or_value(record, net):
    zero, one = pc.Deletion(fill="zeros", randoms=1, steps=2), pc.Deletion(fill=1.0, randoms=1, steps=2)
    card = pc.evaluate(net, record, [zero, one, pc.Completeness()])
    assert card[one] is card[repr(one)] is card.curves[1] and card[zero] is card.curves[0]
    assert card["Completeness"] is card.curves[2] and card.to_frame()["metric"].tolist()[2] == "Completeness"
    with pytest.raises(pc.InputError, match="Completeness"):
        card["Insertion"]


def test_arguments_that_nobody_reads_are_refused(record, net, x):
    for given in ({"truth": x}, {"train": (x, x)}, {"retrain": lambda X, y: None}):
        with pytest.raises(pc.MethodError, match=next(iter(given))):
            pc.evaluate(net, record, [pc.Deletion()], **given)


def test_a_lost_target_function_is_asked_for(tmp_path, net, x):
    made = pc.explain(net, x, pc.Saliency(), target=lambda out: out.sum(1))
    back = pc.load(made.save(tmp_path / "a.npz"))
    with pytest.raises(pc.InputError, match="target was a function"):
        pc.evaluate(net, back, pc.Deletion(steps=2))
    pc.evaluate(net, made, [pc.Deletion(steps=2, randoms=1), pc.Stability(trials=1)])


def test_places_sums_channels_or_takes_maps_as_they_are():
    x = np.zeros((2, 3, 4, 5))
    values = np.random.default_rng(0).normal(size=x.shape)
    np.testing.assert_allclose(places(values, x, 1), values.sum(axis=1))
    assert places(values[:, 0], x, 1).shape == (2, 4, 5)
    with pytest.raises(pc.InputError):
        places(values[:, :2], x, 1)


# -- the verdict -------------------------------------------------------------------------------------------------------


def made_curve(value, chance=None, higher=True, degenerate=None):
    value = np.array(value, float)
    return pc.Curve(
        metric="M",
        higher_is_better=higher,
        value=value,
        chance=None if chance is None else np.array(chance, float),
        degenerate=np.zeros(len(value), bool) if degenerate is None else np.array(degenerate),
        receipt=Receipt(method="M()"),
    )


def card(direction="higher", bar=None, ranks=True):
    return MetricCard("?", direction, (-1, 1), "none", "none", "none", "none", bar=bar, ranks=ranks)


def test_the_interval_is_students_t():
    from scipy import stats

    values = np.random.default_rng(0).normal(size=9)
    expected = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    assert verdict.interval(values) == pytest.approx((values.mean(), *expected))
    assert np.isnan(verdict.interval(np.array([1.0]))[1:]).all() and np.isnan(verdict.interval(np.array([]))).all()


@pytest.mark.parametrize(
    ("value", "higher", "said"),
    [
        ([2, 2.1, 2.2], True, "better than random"),
        ([2, 2.1, 2.2], False, "worse than random"),
        ([0, 0.1, 0.2], False, "better than random"),
        ([0, 0.1, 0.2], True, "worse than random"),
        ([0.5, 1.1, 1.3], True, "no better than random"),
        ([1 + 1e-12, 1 + 1e-12, 1 + 1e-12], True, "no better than random"),  # rounding is no advantage
        ([1, 1, 1], False, "no better than random"),
        ([2], True, "one row gives no interval; it is better than random"),
        ([2], False, "one row gives no interval; it is worse than random"),
    ],
)
def test_words_against_chance_follow_the_paired_interval(value, higher, said):
    line = verdict.line(made_curve(value, np.ones(len(value)), higher), card("higher" if higher else "lower"))
    assert line.verdict == said and line.chance == 1
    assert line.advantage == pytest.approx((np.mean(value) - 1) * (1 if higher else -1))


def test_pairing_sees_what_unpaired_intervals_miss():
    rows = np.random.default_rng(0).normal(0, 100, size=20)
    line = verdict.line(made_curve(rows + 1 + 0.1 * np.sin(rows), rows), card())
    assert line.verdict == "better than random" and line.low < 0 < line.high


@pytest.mark.parametrize(
    ("value", "direction", "bar", "said"),
    [
        ([0.95, 0.96, 0.97], "higher", 0.9, "passes"),
        ([0.5, 0.6, 0.7], "higher", 0.9, "fails"),
        ([0.8, 0.9, 0.99], "higher", 0.9, "undecided"),
        ([0.001, 0.002, 0.001], "lower", 0.01, "passes"),
        ([0.5, 0.6, 0.55], "lower", 0.01, "fails"),
        ([0.0, 0.001, 0.02], "lower", 0.01, "undecided"),
        ([0.0, 0.03, 0.02], "lower", 0.01, "undecided"),
        ([-0.1, 0.1, 0.05], "closer to 0", 0.4, "passes"),
        ([-0.9, -0.8, -0.85], "closer to 0", 0.4, "fails"),
        ([0.9, 0.8, 0.85], "closer to 0", 0.4, "fails"),
        ([-0.9, 0.8, 0.3], "closer to 0", 0.4, "undecided"),
        ([0.95], "higher", 0.9, "one row gives no interval; it passes"),
        ([-0.95], "closer to 0", 0.4, "one row gives no interval; it fails"),
    ],
)
def test_words_against_a_bar_follow_the_interval(value, direction, bar, said):
    assert verdict.line(made_curve(value), card(direction, bar)).verdict.startswith(said)


def test_constant_maps_are_left_out_where_an_order_is_judged():
    curve = made_curve([1, 0.2, 0.3, 0.25, np.nan], degenerate=[True, False, False, False, False])
    line = verdict.line(curve, card(bar=0.9))
    assert line.mean == pytest.approx(0.25) and line.rows == 3 and line.degenerate == 1
    assert line.verdict == "fails; degenerate (all values equal) in 1 of 5 rows, left out"
    kept = verdict.line(curve, card(bar=0.9, ranks=False))
    assert kept.mean == pytest.approx(0.4375) and kept.rows == 4 and not kept.verdict.endswith("left out")
    nothing = verdict.line(made_curve([1, 1], degenerate=[True, True]), card(bar=0.9))
    assert nothing.verdict.startswith("degenerate") and nothing.mean == 1 and nothing.rows == 0
    assert verdict.line(made_curve([np.nan]), card()).verdict == "no row could be judged"


# -- compare -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def comparison(net, x):
    methods = [
        "Saliency()",
        pc.Occlusion(window=4),
        pc.GradCAM,
        pc.IntegratedGradients(steps=2),
        pc.IntegratedGradients(steps=4),
    ]
    methods = [m() if isinstance(m, type) else m for m in methods]
    metrics = [pc.Deletion(steps=4, randoms=2), pc.Completeness(), pc.Stability(trials=1)]
    return pc.compare(net, x, methods, metrics=metrics, target=[0, 1, 2, 0])


def test_compare_scores_every_method_on_the_same_target(comparison, net, x):
    assert comparison.names[:3] == ("Saliency", "Occlusion", "GradCAM") and "steps=4" in comparison.names[4]
    assert len(comparison.attributions) == len(comparison.scorecards) == 5
    assert {a.target for a in comparison.attributions} == {pc.Class((0, 1, 2, 0), scale="raw")}
    alone = pc.explain(net, x, pc.Saliency(), target=[0, 1, 2, 0])
    np.testing.assert_allclose(comparison.attributions[0].values, alone.values)
    alone = pc.evaluate(net, alone, pc.Deletion(steps=4, randoms=2))
    same(comparison.scorecards[0]["Deletion"], alone["Deletion"], rtol=1e-5, atol=1e-7)


def test_the_agreement_matrix_is_the_agreement_metric(comparison, net, x):
    assert comparison.agreement.shape == comparison.overlap.shape == (5, 5) and comparison.by_row.shape == (4, 5, 5)
    np.testing.assert_allclose(comparison.agreement, comparison.agreement.T)
    assert np.diag(comparison.agreement) == pytest.approx(1) and np.diag(comparison.overlap) == pytest.approx(1)
    others = tuple(a.method for a in comparison.attributions[1:])
    metric = pc.evaluate(net, comparison.attributions[0], pc.Agreement(others=others))["Agreement"]
    np.testing.assert_allclose(metric.detail["rank_correlation"], comparison.by_row[:, 0, 1:], atol=1e-6)
    np.testing.assert_allclose(metric.detail["top_overlap"].mean(axis=0), comparison.overlap[0, 1:], atol=1e-6)
    assert metric.labels[0].startswith("Occlusion(window=4")


def test_compare_leaves_out_what_does_not_apply_and_says_so(comparison):
    names = [[curve.metric for curve in card.curves] for card in comparison.scorecards]
    assert names[0] == names[2] == ["Deletion", "Stability"] and names[3] == ["Deletion", "Completeness", "Stability"]
    assert any("Completeness needs base_values" in said for said in comparison.scorecards[0].receipt.warnings)
    frame = comparison.to_frame()
    assert len(frame) == 13 and set(frame["method"]) == set(comparison.names)
    rows = sum(a.receipt.rows_forward for a in (*comparison.attributions, *comparison.scorecards))
    assert comparison.receipt.rows_forward == rows


def test_comparisons_survive_saving(comparison, tmp_path):
    back = pc.load(comparison.save(tmp_path / "c.npz"))
    np.testing.assert_array_equal(back.by_row, comparison.by_row)
    assert back.names == comparison.names and back.k == comparison.k
    assert [a.method for a in back.attributions] == [a.method for a in comparison.attributions]
    np.testing.assert_equal(back.scorecards[3].lines, comparison.scorecards[3].lines)


def test_compare_has_defaults_and_needs_a_method(net, x):
    made = pc.compare(net, x[:2], ["Saliency()"])
    assert {curve.metric for curve in made.scorecards[0].curves} == {"Deletion", "Insertion", "Stability"}
    assert {type(metric).__name__ for metric in run.DEFAULTS} == {"Deletion", "Insertion", "Stability", "Completeness"}
    with pytest.raises(pc.InputError, match="at least one method"):
        pc.compare(net, x, [])


# -- completeness ------------------------------------------------------------------------------------------------------


def test_completeness_is_the_relative_gap():
    values = WEIGHTS * TABLE
    values[0, 0] += 1
    made = pc.Attribution.from_arrays(values, data=TABLE, target=None, base_values=0.0)
    rise = linear(TABLE)
    expected = np.eye(12)[0] / np.maximum(np.abs(rise), 1e-3 * np.maximum(np.abs(rise), 1))
    curve = pc.evaluate(linear, made, pc.Completeness())["Completeness"]
    np.testing.assert_allclose(curve.value, expected, atol=1e-12)
    np.testing.assert_allclose(curve.detail["gap"], -np.eye(12)[0], atol=1e-12)


def test_completeness_divides_by_the_rise_and_never_by_nothing():
    made = pc.Attribution.from_arrays([[0.5], [0.5]], data=[[100.0], [0.0]], target=None, base_values=[98.0, 0.0])
    curve = pc.evaluate(lambda z: z[:, 0], made, pc.Completeness())["Completeness"]
    assert curve.value == pytest.approx([1.5 / 2, 0.5 / 1e-3])


def test_completeness_takes_the_records_own_scores_and_the_models_where_it_has_none():
    made = pc.Attribution.from_arrays(
        WEIGHTS * TABLE, data=TABLE, target=None, base_values=0.0, scores=linear(TABLE) + 5
    )
    card = pc.evaluate(linear, made, pc.Completeness())
    assert card["Completeness"].detail["gap"] == pytest.approx(5) and "scores differ" in card.receipt.warnings[0]
    silent = pc.Attribution.from_arrays(WEIGHTS * TABLE, data=TABLE, target=None, base_values=0.0)
    assert pc.evaluate(linear, silent, pc.Completeness())["Completeness"].value == pytest.approx(0, abs=1e-12)
