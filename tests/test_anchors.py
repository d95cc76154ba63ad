"""Anchors: planted rules come back exactly, bounds against an independent solution, promises kept on fresh samples."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import pellucid as pc
from pellucid.core.rules import Condition
from pellucid.methods.anchor.bounds import lower, upper
from pellucid.methods.anchor.cuts import cuts, short, spelled
from pellucid.methods.anchor.search import Arms, Pull
from pellucid.methods.anchor.table import Table


def grid(n=400, columns=5, seed=0):
    """Whole numbers 0 to 4."""
    return np.random.default_rng(seed).integers(0, 5, (n, columns)).astype(float)


def planted(X):
    """1 where column 0 is at most 1 and column 2 above 2."""
    return ((X[:, 0] <= 1) & (X[:, 2] > 2)).astype(int)


def people(n, seed=0):
    rng = np.random.default_rng(seed)
    levels = ["Primary", "High School", "Bachelor", "Master"]
    return pd.DataFrame(
        {
            "Education": pd.Categorical(rng.choice(levels, n), categories=levels, ordered=True),
            "Hours": rng.choice([20, 30, 40, 50, 60], n),
            "Age": rng.uniform(18, 80, n).round(1),
            "City": rng.choice(["Ulm", "Rom", "Bonn"], n),
            "Bonus": np.where(rng.random(n) < 0.4, np.nan, rng.normal(5, 1, n)),
        }
    )


# --- bounds -----------------------------------------------------------------------------------------------------------


def kl(a, b):
    return sum(p * np.log(p / q) for p, q in ((a, b), (1 - a, 1 - b)) if p > 0)


@pytest.mark.parametrize("level", [1e-4, 0.01, 0.1, 0.7])
@pytest.mark.parametrize("mean", [0.02, 0.3, 0.5, 0.92])
def test_bounds_solve_their_equation(mean, level):
    high, low = upper(np.array([mean]), np.array([level]))[0], lower(np.array([mean]), np.array([level]))[0]
    assert high == pytest.approx(brentq(lambda q: kl(mean, q) - level, mean, 1 - 1e-15, xtol=1e-14), abs=1e-7)
    assert low == pytest.approx(brentq(lambda q: kl(mean, q) - level, 1e-300, mean, xtol=1e-14), abs=1e-7)


def test_bounds_at_the_ends_are_known():
    level = np.array([0.01, 0.5, 3.0])
    ones, zeros = np.ones(3), np.zeros(3)
    np.testing.assert_allclose(lower(ones, level), np.exp(-level), atol=1e-9)
    np.testing.assert_allclose(upper(zeros, level), 1 - np.exp(-level), atol=1e-9)
    np.testing.assert_array_equal(upper(ones, level), 1)
    np.testing.assert_allclose(lower(zeros, level), 0, atol=1e-15)


def test_bounds_of_a_binomial_hold_as_often_as_they_promise():
    p, n, beta = 0.93, 120, np.log(1 / 0.05)
    share = np.random.default_rng(0).binomial(n, p, 20_000) / n
    level = np.full(len(share), beta / n)
    assert (lower(share, level) > p).mean() < 0.05 and (upper(share, level) < p).mean() < 0.05
    assert (lower(share, level) > p).mean() > 0.002  # and not because they say nothing


def test_the_bounds_of_a_search_share_out_delta():
    """Sum over sizes, rules, looks and sides of exp(-beta) <= delta."""
    total = 0.0
    for level in range(60):
        arms = Arms(0, level, [()] * 7, np.ones(7), 25, 0.05)
        for look in range(1, 200):
            arms.count[:], arms.looks[:] = 1, look
            total += 2 * np.exp(-arms._beta(np.arange(7))).sum()
    assert 0.04 < total < 0.05


# --- planted rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_planted_rule_comes_back_exactly(beam_size):
    X = grid()
    x = np.array([[1, 0, 4, 2, 2], [0, 3, 3, 1, 1], [4, 0, 4, 1, 1], [1, 1, 1, 1, 1.0]])
    made = pc.anchor(planted, x, pc.Anchors(beam_size=beam_size), background=X)
    assert [made.words(i) for i in range(4)] == ["x0 <= 1 and x2 > 2", "x0 <= 1 and x2 > 2", "x0 > 1", "x2 <= 2"]
    assert made.answers == ("1", "1", "0", "0") and made.reached.all() and (made.precision == 1).all()
    held = np.array([planted(X) == 1, planted(X) == 1, X[:, 0] > 1, X[:, 2] <= 2])
    np.testing.assert_array_equal(made.applies(X), held)
    np.testing.assert_array_equal(made.covered, held.sum(axis=1))
    np.testing.assert_allclose(made.coverage, held.mean(axis=1))


def test_a_planted_rule_on_a_frame_is_told_in_its_words():
    X, x = people(600), people(40, seed=1)

    def pays(frame):
        return ((frame["Education"].cat.codes <= 1) & (frame["Hours"] <= 40)).to_numpy().astype(float)

    row = x[pays(x) == 1].head(1)
    made = pc.anchor(pays, row, background=X)
    assert made.words() == "Education <= High School and Hours <= 40"
    assert made.rules[0][0].values == ("Primary", "High School")
    np.testing.assert_array_equal(made.applies(X)[0], pays(X) == 1)
    np.testing.assert_array_equal(made.applies(X[["City", "Hours", "Age", "Education", "Bonus"]])[0], pays(X) == 1)
    assert "Education <= High School and Hours <= 40, then 1: 100%" in made.sentence()
    frame = made.to_frame()
    assert frame["rule"][0] == made.words() and frame["covered"][0] == (pays(X) == 1).sum()


def test_levels_and_missing_values_are_conditions_of_their_own():
    X, x = people(600), people(60, seed=1)

    def rule(frame):
        return (frame["Bonus"].isna() & (frame["City"] == "Rom")).to_numpy().astype(int)

    made = pc.anchor(rule, x[rule(x) == 1].head(2), background=X)
    assert set(made.words().split(" and ")) == {"Bonus is missing", "City = Rom"}
    np.testing.assert_array_equal(made.applies(X), [rule(X) == 1] * 2)


def test_bins_that_touch_are_one_interval():
    X = np.random.default_rng(0).uniform(size=(800, 3))

    def middle(X):
        return ((X[:, 1] > 0.25) & (X[:, 1] <= 0.75)).astype(int)

    made = pc.anchor(middle, np.array([[0.1, 0.5, 0.9]]), pc.Anchors(bins=8), background=X, names=["a", "b", "c"])
    (condition,) = made.rules[0]
    assert made.words() == f"{spelled(condition.low)} < b <= {spelled(condition.high)}"
    assert abs(condition.low - 0.25) < 0.03 and abs(condition.high - 0.75) < 0.03


def test_two_values_are_told_apart_by_being_equal():
    X = np.column_stack([np.arange(300) % 2, np.random.default_rng(0).normal(size=300)])
    made = pc.anchor(lambda X: X[:, 0], np.array([[1.0, 0.3]]), background=X)
    assert made.words() == "x0 = 1"


def test_an_answer_that_hardly_changes_needs_no_condition():
    made = pc.anchor(lambda X: np.zeros(len(X)), grid(1), background=grid())
    assert made.words() == "always" and made.coverage[0] == 1 and made.reached[0]
    assert "whatever the row" in made.sentence() and "no condition is needed" in made.receipt.warnings[0]


def test_no_rule_reaches_the_threshold_and_the_record_says_so():
    X = grid()

    def noise(X):
        return (np.abs(np.sin(1e4 * X @ np.arange(1, 6))) > 0.5).astype(int)  # no rule of two conditions is enough

    made = pc.anchor(noise, X[:4], pc.Anchors(max_size=1), background=X)
    assert not made.reached.any() and (made.low < 0.9).all()
    assert "no rule of at most 1 conditions reached a precision of 0.95 for 4 of 4 rows" in made.receipt.warnings[0]
    assert "no rule reached the threshold" in made.sentence(0)


def test_the_salary_example_weights_beside_the_rule():
    """LIME says how much each column weighs around the row; the anchor says what is enough, and for whom."""
    X, x = people(600), people(60, seed=1)

    def salary(frame):  # the chance of more than 50k
        score = frame["Education"].cat.codes - 1.5 + 0.03 * (frame["Age"] - 50) - 4.0 * (frame["Hours"] <= 30)
        return np.stack([1 / (1 + np.exp(4 * score)), 1 / (1 + np.exp(-4 * score))], axis=1)

    row = x[(x["Education"] == "Primary") & (x["Age"] < 30) & (x["Hours"] > 30)].head(1)
    weights = dict(pc.explain(salary, row, pc.LIME(samples=2000), target=1, background=X).top(5))
    rule = pc.anchor(salary, row, background=X)
    assert abs(weights["Education"]) > abs(weights["City"]) and weights["Age"] > 0  # older, more likely
    assert rule.answers == ("0",) and rule.reached[0] and "City" not in rule.words()
    assert {c.feature for c in rule.rules[0]} & {"Education", "Hours", "Age"}
    held = salary(X)[rule.applies(X)[0]].argmax(axis=1) == 0
    assert held.mean() >= 0.9 and rule.applies(row)[0, 0]


# --- what counts as the same answer -----------------------------------------------------------------------------------


def three(X):
    """Scores of three classes, (b, 3): the first column's size decides."""
    return np.stack([X[:, 0] < 2, X[:, 0] == 2, X[:, 0] > 2], axis=1).astype(float) + 0.01 * X[:, 1:2]


def test_targets_ask_different_questions():
    X = grid()
    x = np.array([[2, 0, 0, 0, 0.0], [4, 0, 0, 0, 0]])
    own = pc.anchor(three, x, background=X)
    assert own.answers == ("1", "2") and own.words(0) == "1 < x0 <= 2" and own.words(1) == "x0 > 2"
    asked = pc.anchor(three, x, target=0, background=X)
    assert asked.answers == ("not 0", "not 0") and asked.words(0) == asked.words(1) == "x0 > 1"
    sides = pc.anchor(three, x, target=pc.Margin(2, 0), background=X)
    assert sides.answers == ("0 rather than 2", "2 rather than 0") and sides.words(1) == "x0 > 2"
    limit = pc.anchor(three, x, target=lambda outputs: outputs[:, 2] > 0.5, background=X)
    assert limit.words(0) == "x0 <= 2" and limit.words(1) == "x0 > 2"


def test_class_names_are_told():
    X = grid()
    model = LogisticRegression(C=100).fit(X, np.where(planted(X), "good", "bad"))
    made = pc.anchor(model, X[:3], background=X)
    assert made.answers == tuple(model.predict(X[:3]))
    assert made.target == pc.Class(1, scale="probability")


def test_numbers_need_a_width_and_keep_it():
    X = np.random.default_rng(0).normal(size=(400, 3))
    model = LinearRegression().fit(X, 10 * X[:, 0] + 0.01 * X[:, 1])
    x = np.quantile(X, 0.9, axis=0)[None]
    with pytest.raises(pc.MethodError, match=r"hardly ever repeat.*Anchors\(within=...\)"):
        pc.anchor(model, x, background=X)
    made = pc.anchor(model, x, pc.Anchors(within=12.0, bins=8), background=X)
    assert made.reached[0] and {c.feature for c in made.rules[0]} == {"x0"} and "± 12" in made.answers[0]
    inside = X[made.applies(X)[0]]
    assert (np.abs(model.predict(inside) - model.predict(x)) <= 12.0).mean() > 0.9


# --- the search -------------------------------------------------------------------------------------------------------


def forked(X):
    """Two ways to a 1: a wide one, and a narrow one that starts better."""
    wide, narrow = (X[:, 0] >= 2) & (X[:, 1] >= 2), (X[:, 2] == 4) & (X[:, 3] >= 1)
    return (wide | narrow).astype(int)


def test_the_beam_widens_the_search():
    X, x = grid(1000), np.array([[3, 3, 4, 2, 0.0]])
    alone, beam = (pc.anchor(forked, x, pc.Anchors(beam_size=size), background=X) for size in (1, 6))
    assert alone.words() == "x2 > 3 and x3 > 0" and beam.words() == "x0 > 1 and x1 > 1"
    assert beam.coverage[0] > 2 * alone.coverage[0]


def test_the_widest_rule_that_is_precise_enough_is_taken():
    X = grid(1000)
    noisy = lambda X: ((X[:, 0] <= 3) | (X[:, 1] == 7)).astype(int)  # noqa: E731
    made = pc.anchor(noisy, np.array([[0, 0, 0, 0, 0.0]]), background=X)
    assert made.words() == "x0 <= 3"  # and not the narrower x0 <= 0, which is as precise


def test_the_same_seed_the_same_rules_and_rows_do_not_matter_to_each_other():
    X, x = people(200), people(4, seed=1)
    model = make_pipeline(
        make_column_transformer(
            (OrdinalEncoder(), make_column_selector(dtype_include=["object", "str", "category"])),
            remainder="passthrough",
        ),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ).fit(X, (X["Age"] + X["Hours"] + 10 * (X["City"] == "Rom") > 90).astype(int))
    whole, again = (pc.anchor(model, x, background=X) for _ in range(2))
    parts = [pc.anchor(model, x.iloc[[i]], background=X) for i in (3, 2)]
    other = pc.anchor(model, x, pc.Anchors(seed=1), background=X)
    for name in ("precision", "low", "high", "coverage", "samples"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))
        assert [getattr(part, name)[0] for part in parts] == [getattr(whole, name)[i] for i in (3, 2)]
    assert [part.words() for part in parts] == [whole.words(i) for i in (3, 2)]
    assert (whole.precision != other.precision).any()


def test_perturbations_keep_to_the_rule_and_leave_the_rest_to_the_background():
    X, x = people(300), people(3, seed=1)
    ready = pc.core.frames.Codec.learn(x, X)
    table = Table.of(pc.Anchors(), ready.encode(x), ready.encode(X), ready.schema, None)
    for row in range(3):
        said = table.statements(row)
        hours = [s for s in said if s.column == 1]
        rule = tuple(sorted([*hours, *(s for s in said if s.column in (3, 4))]))
        z, kept = table.draw(Pull(row, 2, rule, 0, 3000), known=True)
        assert len(z) + len(kept) == 3000
        whole, _ = table.draw(Pull(row, 2, rule, 0, 3000), known=False)
        made = Table.of(pc.Anchors(), ready.encode(x), whole, ready.schema, None)
        assert made.mask(rule).all()
        known = {tuple(pair) for pair in np.nan_to_num(table.background[:, [0, 2]], nan=-1).tolist()}
        assert {
            tuple(pair) for pair in np.nan_to_num(whole[:, [0, 2]], nan=-1).tolist()
        } <= known  # from one row together
        part, _ = table.draw(Pull(row, 2, rule, 1000, 1100), known=False)
        np.testing.assert_array_equal(part, whole[1000:1100])


def test_known_answers_of_the_background_change_nothing():
    """A perturbation that is a background row is not asked again: the same as asking for all, which `extra` has to."""
    X, x = grid(), grid(5, seed=3)
    usual = pc.anchor(planted, x, background=X)
    asked = pc.anchor(lambda X, by: planted(X), x, background=X, extra={"by": np.zeros(5)})
    np.testing.assert_array_equal(usual.precision, asked.precision)
    np.testing.assert_array_equal(usual.samples, asked.samples)
    assert usual.receipt.rows_forward < asked.receipt.rows_forward


def test_a_budget_ends_the_search_with_what_it_has():
    X, x = grid(), grid(6, seed=3)
    made = pc.anchor(planted, x, background=X, budget=pc.Budget(rows=3000))
    assert made.receipt.rows_forward <= 3000 and made.receipt.converged is False
    assert "were not finished" in made.receipt.warnings[0] and np.isfinite(made.precision).all()


# --- cuts and words ---------------------------------------------------------------------------------------------------


def test_cuts_lie_between_values_in_few_digits():
    assert short(0.24713, 0.31) == 0.3 and short(41, 45) == 41 and short(-0.52, -0.49) == -0.5
    assert str(short(-0.3, 1.5)) == "0.0"
    column = np.random.default_rng(0).lognormal(size=500)
    made = cuts(column, 4, whole=False)
    np.testing.assert_allclose([(column <= c).mean() for c in made], [0.25, 0.5, 0.75], atol=0.01)
    assert all(len(spelled(c)) <= 7 for c in made)
    skewed = np.array([0.0] * 95 + [10, 20, 30, 40, 50, 60, 70, 80, 90.0])
    assert cuts(skewed, 4, whole=True).tolist() == [0] and cuts(-skewed, 4, whole=True).tolist() == [-10]
    assert cuts(np.array([3.0, 3, np.nan]), 4, whole=True).tolist() == []


def test_more_bins_cut_finer():
    X = np.random.default_rng(0).uniform(size=(900, 2))
    rule = lambda X: (X[:, 0] <= 0.62).astype(int)  # noqa: E731
    high = [
        pc.anchor(rule, np.array([[0.1, 0.5]]), pc.Anchors(bins=bins), background=X).rules[0][0].high
        for bins in (4, 20)
    ]
    assert high[0] == pytest.approx(0.5, abs=0.03) and high[1] == pytest.approx(0.6, abs=0.03)


def test_rules_are_sliced_and_kept(tmp_path: Path):
    X, x = people(300), people(5, seed=1)
    made = pc.anchor(lambda f: (f["Age"] > 40).to_numpy().astype(int), x, background=X)
    back = pc.load(made.save(tmp_path / "rules.npz"))
    assert back.rules == made.rules and back.answers == made.answers and back.receipt == made.receipt
    np.testing.assert_array_equal(back.applies(X), made.applies(X))
    part = back[[3, 1]]
    assert len(part) == 2 and part.words(0) == made.words(3) and part.reached.shape == (2,)
    assert isinstance(part.rules[0][0], Condition)


def test_a_condition_on_single_values():
    levels = np.array(["a", None, "b", "c"], dtype=object)
    assert Condition("c", 0, "", values=("a", "c")).holds(levels).tolist() == [True, False, False, True]
    assert Condition("c", 0, "", missing=True).holds(levels).tolist() == [False, True, False, False]
    numbers = np.array([1.0, np.nan, 2.0, 3.0])
    assert Condition("c", 0, "", low=1.0, high=2.0).holds(numbers).tolist() == [False, False, True, False]
    assert Condition("c", 0, "", low=1.0).holds(numbers).tolist() == [False, False, True, True]


# --- parts of pictures and sequences ----------------------------------------------------------------------------------


def test_the_windows_of_a_picture_that_are_enough():
    def bright(X):
        return ((X[:, :3, :3].mean((1, 2)) > 0.5) & (X[:, 6:, 6:].mean((1, 2)) > 0.5)).astype(int)

    x = np.ones((2, 9, 9))
    x[1, :3, :3] = 0
    made = pc.anchor(bright, x, masker=pc.Grid(window=3))
    assert made.words(0) == "(0, 0) is shown and (6, 6) is shown" and made.coverage[0] == 0.25 and made.covered is None
    assert made.words(1) == "always" and made.labels.shape == (2, 9, 9)
    with pytest.raises(pc.InputError, match="they apply to no other"):
        made.applies(x)


def test_the_words_of_a_text_that_are_enough():
    def bad(texts):
        return np.array([float("boring" in text and "very" in text) for text in texts])

    texts = ["This was a very boring film, very long.", "boring?", "", "Great fun!"]
    made = pc.anchor(bad, texts[:1], masker=pc.Words())
    assert [c.feature for c in made.rules[0]] == [
        "very",
        "boring",
    ] and made.words() == "'very' is there and 'boring' is there"
    assert made.reached[0] and made.coverage[0] == 0.25 and made.covered is None
    assert pc.anchor(bad, texts, masker=pc.Words())[1:].answers == ("0", "0", "0")
    np.testing.assert_array_equal(made.applies([*texts, "very, VERY boring", "not very good"]), [[1, 0, 0, 0, 1, 0]])


def test_the_superpixels_of_a_picture_that_are_enough():
    x = np.zeros((1, 24, 24, 3))
    x[0, :, 12:] = 1.0
    made = pc.anchor(
        lambda X: (X[:, :, 12:].mean((1, 2, 3)) > 0.8).astype(int),
        x,
        masker=pc.Superpixels(by=pc.SLIC(segments=4), fill=0.0),
    )
    assert made.reached[0] and made.answers == ("1",)
    shown = np.isin(made.labels[0], [c.column for c in made.rules[0]])
    assert shown[:, 12:].mean() > 0.8 and shown[:, :12].mean() < 0.1


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_cannot_be_asked_is_refused_with_a_remedy():
    X = grid()
    with pytest.raises(pc.InputError, match="Anchors needs background rows"):
        pc.anchor(planted, X[:2])
    with pytest.raises(pc.MethodError, match="finds no rules"):
        pc.anchor(planted, X[:2], pc.LIME(), background=X)
    made = pc.anchor(planted, X[:1], background=X)
    with pytest.raises(pc.InputError, match="tables of 5 columns"):
        made.applies(X[:, :3])
    with pytest.raises(pc.InputError, match="no column 'x"):
        made[0].applies(pd.DataFrame(X, columns=list("abcde")))
    for wrong in (
        {"threshold": 1.5},
        {"delta": 0},
        {"tau": 0},
        {"batch": 2.5},
        {"bins": 1},
        {"beam_size": 0},
        {"max_size": 0},
    ):
        with pytest.raises(pc.MethodError, match=rf"Anchors\({next(iter(wrong))}="):
            pc.Anchors(**wrong)


# --- real data --------------------------------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.slow
def test_the_promise_holds_on_fresh_samples_of_a_real_table(data_dir: Path):
    """Adult, boosted trees on the raw frame: precision on 4,000 fresh samples of each of 200 rows' rules."""
    model, X, _ = adult(data_dir)
    method, background, x = pc.Anchors(), X[:1000], X[25_000:25_200]
    made = pc.anchor(model, x, method, background=background)
    fresh = fresh_precision(model, x, made, background)
    kept = fresh[made.reached] >= method.threshold - method.tau
    assert made.reached.mean() > 0.6 and kept.mean() >= 1 - method.delta


def adult(data_dir: Path):
    names = (
        "age workclass fnlwgt education years marital occupation relationship race sex gain loss hours country income"
    )
    X = pd.read_csv(data_dir / "tabular/adult.data", names=names.split(), na_values="?", skipinitialspace=True)
    y = X.pop("income")
    order = X.groupby("education")["years"].first().sort_values().index
    X["education"] = pd.Categorical(X["education"], categories=order, ordered=True)
    X = X.drop(columns=["fnlwgt", "years"])
    text = make_column_selector(dtype_exclude=np.number)
    encode = make_column_transformer((OrdinalEncoder(), text), remainder="passthrough")
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=60, random_state=0))
    return model.fit(X[:20_000], y[:20_000]), X, y


def fresh_precision(model, x, made, background, samples=4000):
    """(n,) by hand: background rows, with what breaks a rule replaced by the row's own value, or by values that keep to it."""
    rng, own, share = np.random.default_rng(99), model.predict(x), []
    for i, rule in enumerate(made.rules):
        z = background.iloc[rng.integers(len(background), size=samples)].reset_index(drop=True)
        for condition in rule:
            pool = background[condition.feature].to_numpy(dtype=object)
            pool = pool[condition.holds(pool)]
            if condition.low is None and condition.high is None and len(condition.values) <= 1:
                pool = np.array([x[condition.feature].iloc[i]], dtype=object)
            broken = ~condition.holds(z[condition.feature].to_numpy(dtype=object))
            column = z[condition.feature].to_numpy(dtype=object).copy()
            column[broken] = rng.choice(pool, broken.sum())
            z[condition.feature] = pd.Series(column).astype(background[condition.feature].dtype)
        share.append((model.predict(z) == own[i]).mean())
    return np.array(share)
