"""Groups of rows: how well a model does in each and what it goes by there; and the simple model that is said first."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import pellucid as pc
from pellucid.core.budget import Receipt
from pellucid.report import groups, page_overall, reasons, steps
from pellucid.report.page import render
from pellucid.report.subject import subject
from test_audit_page import Reader


def two_rules(n, seed=0):
    """In group g the answer is the sign of a, in group h that of b; c does nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    frame["g"] = (np.arange(n) % 3 == 0) * 1.0

    def model(rows):
        score = np.where(rows["g"] > 0, rows["a"], rows["b"])
        return np.stack([-score, score], axis=1)

    return frame, model


def asked(frame, model, y=None):
    return subject(model, frame, model(frame).argmax(1) if y is None else y, None, None)


def test_importance_in_each_group_is_what_is_known_on_paper():
    frame, model = two_rules(900)
    made = reasons.search(asked(frame, model), np.where(frame["g"] > 0, "g", "h"))
    assert made.groups == ("h", "g") and made.rows.tolist() == [600, 300] and made.names == ("a", "b", "c", "g")
    # an exchanged sign is wrong half the time; what the other group goes by, and c, cost nothing
    truth = np.array([[0, 0.5, 0, 0], [0.5, 0, 0, 0]])
    np.testing.assert_allclose(made.importance[..., 0], truth, atol=0.04)
    assert (made.importance[truth == 0] == 0).all() and made.of_truth and not made.small.any()
    assert (made.importance[..., 1] <= truth + 1e-12).all() and (truth <= made.importance[..., 2] + 1e-12).all()
    np.testing.assert_allclose(made.difference[1], made.importance[1] - made.importance[0], atol=0.2)
    np.testing.assert_allclose(made.difference[1, :, 0], [0.5, -0.5, 0, 0], atol=0.05)
    assert made.differs.tolist() == [[True, True, False, False]] * 2
    np.testing.assert_allclose(made.difference[0, :, 0], -made.difference[1, :, 0])
    assert made.level == pytest.approx(1 - 0.05 / (2 * 4))  # two groups, four columns: all intervals hold together


def test_intervals_are_welchs():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(3)
    a, b = rng.normal(1, 2, size=(2, 30)), rng.normal(0, 0.5, size=(2, 12))
    for j, found in enumerate(reasons._welch(a, b, 0.95)):
        known = ttest_ind(a[j], b[j], equal_var=False).confidence_interval(0.95)
        np.testing.assert_allclose(found, [a[j].mean() - b[j].mean(), known.low, known.high])


def test_where_groups_are_alike_hardly_ever_a_difference_is_seen():
    wrong = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(90, 3))
        noisy = (x[:, 0] + 0.5 * x[:, 1] + rng.normal(size=90) > 0).astype(int)
        model = lambda rows: np.stack([-rows[:, 0] - 0.5 * rows[:, 1], rows[:, 0] + 0.5 * rows[:, 1]], axis=1)  # noqa: E731
        s = subject(model, x, noisy, None, None)
        wrong += reasons.search(s, rng.choice(["a", "b"], 90)).differs.any()
    assert wrong <= 8  # of 80: 4 are expected at 95 %


def test_small_groups_are_said_to_be_small_and_tiny_ones_are_left_out():
    frame, model = two_rules(100)
    names = np.array(["big"] * 75 + ["small"] * 20 + ["tiny"] * 5)
    s = asked(frame, model)
    made = reasons.search(s, names)
    assert made.groups == ("big", "small") and made.small.tolist() == [False, True]
    assert [group["small"] for group in groups.compare(s, names)] == [False, True, True]
    assert reasons.applies(np.array(["a"] * 50)) is not None and reasons.applies(np.array(["a"] * 95 + ["b"] * 5))


def test_numbers_are_compared_by_their_mean_error():
    x = np.random.default_rng(0).normal(size=(200, 3))
    off = np.where(np.arange(200) % 4 == 0, 2.0, 0.1) * np.where(np.arange(200) % 2, 1, -1)
    by = np.where(np.arange(200) % 4 == 0, "far", "near")
    made = pc.audit(lambda rows: rows[:, 0], x, x[:, 0] + off, by=by, methods=["Occlusion"], rows=2)
    near, far = made.groups
    assert (near["group"], near["error"]) == ("near", pytest.approx(0.1)) and far["error"] == pytest.approx(2)
    (warning,) = [w for w in made.warnings if w["code"] == "group-gap"]
    assert "off by 2 on average over 50 rows" in warning["sentence"] and "elsewhere by 0.1" in warning["sentence"]
    text = "".join(Reader(render([made])).texts)
    assert "mean error" in text and made.reasons.importance[:, 0, 0].min() > 0.5


@pytest.fixture(scope="module")
def told():
    """A forest where a linear model does as well, in two groups."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    frame["id"] = np.arange(300.0)
    y = np.where(frame["a"] + 0.2 * rng.normal(size=300) > 0, "yes", "no")
    model = RandomForestClassifier(5, random_state=0).fit(frame[["a", "b", "c"]], y)
    by = np.where(np.arange(300) < 280, "old", "new")
    return pc.audit(model, frame, y, by=by, methods=["TreeShap"], rows=2, margin=0.05)


def test_a_simple_model_within_the_margin_is_said_before_all_else(told):
    first, made = told.warnings[0], told.rivals
    assert first["code"] == "simpler-model" and first["about"] == "alternative"
    assert first["numbers"]["simple"] == made.best and first["numbers"]["behind_high"] <= 0.05
    i = made.names.index(made.best)
    assert first["numbers"]["score"] == made.scores[i].mean() and first["numbers"]["behind_low"] == made.behind[i, 1]
    assert "within the margin of 0.05" in first["sentence"] and "same 5 folds" in first["sentence"]
    assert "id" not in made.rules[i]  # only what the model itself was given
    page = render([told])
    text = "".join(Reader(page).texts).replace("\u00a0", " ")
    assert text.index(first["headline"]) < text.index(told.summary) < text.index("Would a simple model do?")
    assert text.index("Would a simple model do?") < text.index("Warnings")
    assert not told.summary.startswith(first["headline"])  # it is no accusation


def test_where_none_is_near_enough_the_nearest_is_named(told):
    made = replace(told.rivals, enough=np.array([True, False, False]))
    other = replace(told, rivals=made, warnings=told.warnings[1:])
    text = " ".join("".join(Reader(render([other])).texts).split())
    nearest = page_overall.simple(made)["nearest"]
    assert f"No simple model is known to come within 0.05 of accuracy {made.scores[0].mean():.3g}" in text
    assert f"a {nearest['name']} reaches {nearest['score']:.3g}" in text and "more rows could tell" in text
    assert "Would a simple model do?" not in render([replace(told, rivals=None, warnings=())])


def test_the_page_names_groups_their_columns_and_small_ones(told):
    text = " ".join("".join(Reader(render([told])).texts).split())
    assert "a small group: a hint at most" in text and "nothing is known to differ" in text
    apart = told.reasons.difference.copy()
    apart[0, 1] = [0.25, 0.125, 0.375]
    other = replace(told, reasons=replace(told.reasons, difference=apart))
    assert "b +0.25 (+0.125 to +0.375)" in "".join(Reader(render([other])).texts)
    alone = replace(told, reasons=None)
    assert "Group by group" in render([alone]) and "Goes by:" not in render([alone])


def test_what_cannot_be_fitted_anew_says_so():
    frame, model = two_rules(60)
    assert "no estimator" in steps.cannot_be_fitted(asked(frame, model))
    y = np.array([0] * 57 + [1] * 3)
    forest = RandomForestClassifier(2, random_state=0).fit(frame, y)
    assert "5 rows of every class, and one has 3" in steps.cannot_be_fitted(asked(frame, forest, y))
    assert "pass y" in steps.cannot_be_fitted(subject(forest, frame, None, None, None))
    fine = RandomForestRegressor(2, random_state=0).fit(frame, frame["a"])
    assert steps.cannot_be_fitted(subject(fine, frame, frame["a"], None, None)) is None


class Moody(RandomForestClassifier):
    """A model that is fitted once."""

    def fit(self, X, y):
        if getattr(type(self), "tired", False):
            raise OverflowError("not again")
        return super().fit(X, y)


def test_a_fit_that_fails_is_left_out_and_the_rest_goes_on(monkeypatch):
    frame, _ = two_rules(60)
    y = (frame["a"] > 0).astype(int)
    model = Moody(2, random_state=0).fit(frame, y)
    monkeypatch.setattr(Moody, "tired", True, raising=False)
    made = pc.audit(model, frame, y, methods=["Occlusion"], rows=2)
    (left,) = [one for one in made.left_out if one["part"] == "a simple model in its place"]
    assert "OverflowError: not again" in left["why"] and made.rivals is None and made.comparison is not None


def test_a_group_test_survives_a_file(told, tmp_path):
    again = pc.load(told.reasons.save(tmp_path / "g.npz"))
    np.testing.assert_array_equal(again.difference, told.reasons.difference)
    assert again.groups == told.reasons.groups and isinstance(again.receipt, Receipt)
