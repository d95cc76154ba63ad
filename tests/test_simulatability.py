"""Simulatability: planted explanations that help, that give the answer away, that say nothing; LAS by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

import pellucid as pc
from pellucid.metrics.verdict import stratified

N = 160


def switch(z):
    """The first column says which of the next four decides: its sign is the answer."""
    z = np.asarray(z)
    kind = z[:, 0].astype(int)
    score = z[np.arange(len(z)), 1 + kind] * 4
    return np.stack([-score, score], axis=1)


def rows(seed, n=N):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    x[:, 0] = rng.integers(0, 4, n)
    return x


X, OTHERS = rows(0), rows(1, 400)


def told(z):
    """Which column decides, and not how: the answer cannot be read off it."""
    made = np.zeros(np.shape(z))
    made[np.arange(len(z)), 1 + np.asarray(z)[:, 0].astype(int)] = 1
    return made


def label(z):
    """The answer itself, in a column of no meaning."""
    made = np.zeros(np.shape(z))
    made[:, 0] = np.where(switch(z)[:, 1] > 0, 1.0, -1.0)
    made[:, 1] = 0.5
    return made


def noise(z):
    return np.random.default_rng(abs(int(1e6 * np.asarray(z)[0, 1]))).normal(size=np.shape(z))


def judged(explain, student="linear", **more):
    def again(model, z):
        return pc.Attribution.from_arrays(explain(z), data=z, target=1)

    card = pc.evaluate(
        switch, again(switch, X), pc.Simulatability(student=student), again=again, train=(OTHERS, None), **more
    )
    return card.lines[0], card.curves[0]


@pytest.mark.parametrize(
    ("student", "least"), [("linear", 0.15), ("forest", 0.02)]
)  # a forest finds half of it by itself
def test_an_explanation_that_says_where_to_look_helps_in_rows_of_both_groups(student, least):
    line, curve = judged(told, student)
    assert line.verdict == "better than random" and line.mean > least
    leaking = curve.detail["leaking"] == 1
    assert 0.3 < leaking.mean() < 0.7  # alone it is a coin
    for group in (leaking, ~leaking):
        assert curve.value[group].mean() > least / 2


@pytest.mark.parametrize("student", ["linear", "forest"])
def test_an_explanation_that_encodes_the_answer_is_found_leaking(student):
    _, curve = judged(label, student)
    assert (curve.detail["leaking"] == 1).all() and (curve.detail["with"] == 1).all()
    assert curve.detail["sure_alone"].min() > 0.8
    assert any("every row leaks" in said for said in curve.receipt.warnings)


def test_a_leak_in_some_rows_is_not_rewarded_for_how_often_it_leaks():
    """It tells the answer in seven rows of eight and points the wrong way in the others: raw help is large, LAS is not."""

    def partly(z):
        made = label(z)
        flipped = np.asarray(z)[:, 4] > 1.15
        made[flipped, 0] *= -1
        return made

    line, curve = judged(partly)
    leaking = curve.detail["leaking"] == 1
    assert 0.8 < leaking.mean() < 0.97 and curve.value.mean() > 0.2
    assert line.mean == pytest.approx((curve.value[leaking].mean() + curve.value[~leaking].mean()) / 2)
    assert line.mean < 0.1 and line.verdict != "better than random"


@pytest.mark.parametrize("student", ["linear", "forest"])
def test_noise_helps_nobody(student):
    line, curve = judged(noise, student)
    assert abs(line.mean) < 0.15 and line.verdict != "better than random"
    assert 0.35 < curve.detail["leaking"].mean() < 0.65


def test_the_values_are_what_the_paper_defines():
    line, curve = judged(told)
    d = curve.detail
    np.testing.assert_array_equal(curve.value, d["with"] - d["without"])
    np.testing.assert_array_equal(curve.chance, 0)
    for sure, right in (("sure_with", d["with"]), ("sure_without", d["without"]), ("sure_alone", d["leaking"])):
        np.testing.assert_array_equal(d[sure] > 0.5, right == 1)  # two classes
    assert line.mean == pytest.approx(np.mean([curve.value[d["leaking"] == k].mean() for k in (0, 1)]))


def test_the_macro_average_has_welchs_interval():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, 30), rng.normal(3, 0.5, 7)
    values, group = np.concatenate([a, b]), np.repeat([0, 1], [30, 7])
    mean, low, high = stratified(values, group)
    welch = ttest_ind(a, -b, equal_var=False).confidence_interval()  # of mean(a) + mean(b)
    assert (mean, low, high) == pytest.approx(((a.mean() + b.mean()) / 2, welch.low / 2, welch.high / 2))
    assert stratified(np.ones(4), np.array([0, 0, 1, 1])) == (1.0, 1.0, 1.0)
    assert np.isnan(stratified(np.arange(3.0), np.array([0, 0, 1]))[1:]).all()


def test_a_record_of_ours_is_explained_again_for_the_students():
    made = pc.explain(switch, X[:20], pc.Occlusion(baseline=0.0))  # each row's predicted class
    card = pc.evaluate(switch, made, pc.Simulatability(student="linear"), train=(OTHERS[:60], None))
    assert card.curves[0].receipt.rows_forward >= 60 * 6 and np.isfinite(card.lines[0].mean)


def test_numbers_are_foretold_as_above_or_below_the_median():
    def number(z):
        return switch(z)[:, 1] + 100

    made = pc.Attribution.from_arrays(told(X), data=X, target=None)
    card = pc.evaluate(
        number,
        made,
        pc.Simulatability(student="linear"),
        train=(OTHERS, None),
        again=lambda model, z: pc.Attribution.from_arrays(told(z), data=z, target=None),
    )
    assert card.lines[0].verdict == "better than random"


def test_what_it_cannot_do_is_said():
    made = pc.Attribution.from_arrays(told(X), data=X, target=1)
    with pytest.raises(pc.MethodError, match=r"train=\(X, None\)"):
        pc.evaluate(switch, made, pc.Simulatability(), again=lambda model, z: made)
    with pytest.raises(pc.InputError, match="at least 10"):
        pc.evaluate(switch, made, pc.Simulatability(), again=lambda model, z: made, train=(OTHERS[:3], None))
    with pytest.raises(pc.InputError, match="rows of shape"):
        pc.evaluate(switch, made, pc.Simulatability(), again=lambda model, z: made, train=(OTHERS[:, :2], None))
    with pytest.raises(pc.MethodError, match="forest"):
        pc.Simulatability(student="tree")
    same = pc.evaluate(
        lambda z: np.stack([np.zeros(len(z)), np.ones(len(z))], axis=1),
        made,
        pc.Simulatability(),
        again=lambda model, z: pc.Attribution.from_arrays(told(z), data=z, target=1),
        train=(OTHERS[:20], None),
    )
    assert any("nothing to learn" in said for said in same.curves[0].receipt.warnings)
    assert same.lines[0].mean == 0
