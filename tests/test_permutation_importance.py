"""Permutation importance: closed forms by full enumeration, scikit-learn on the same permutations, direction, groups, refusals."""

import itertools
import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import pellucid as pc
from oracles import oracle

PFI = pc.PermutationImportance


def mse(y, prediction):
    return float(np.mean((y - prediction) ** 2))


def accuracy(y, prediction):
    return float(np.mean(y == prediction))


MSE, ACCURACY = (mse, False), (accuracy, True)


def use_permutations(monkeypatch, orders):
    """Shuffle by these orders (repeats, rows), whatever the seed."""
    monkeypatch.setattr(PFI, "permutations", lambda self, rows, rng: np.asarray(orders))


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_the_founding_texts_table_of_three_columns(monkeypatch):
    """A row's column shows its number; one that disagrees with the other two was shuffled, and spoils some answers."""
    rows, right = 100, {"none": 85, "Age": 70, "Income": 83, "Gender": 85}

    def model(X):
        age, income, gender = X.T
        number = np.where(age == income, age, gender)
        limit = np.select(
            [(age == income) & (income == gender), age == income, age == gender],
            [right["none"], right["Gender"], right["Income"]],
            right["Age"],
        )
        return (number < limit).astype(float)

    X = np.repeat(np.arange(rows, dtype=float)[:, None], 3, axis=1)
    use_permutations(monkeypatch, [np.arange(rows)[::-1], np.roll(np.arange(rows), 3)])  # nobody stays in place
    names = pd.DataFrame(X, columns=["Age", "Income", "Gender"])
    found = pc.importance(lambda frame: model(frame.to_numpy()), names, np.ones(rows), PFI(repeats=2), metric=ACCURACY)
    entry = oracle("PFI-SEED")
    assert found.baseline == 0.85
    assert dict(zip(found.names, found.mean, strict=True)) == pytest.approx(entry["expected"], abs=entry["tol"])
    assert found.top(2) == [("Age", pytest.approx(0.15)), ("Income", pytest.approx(0.02))]


def test_all_permutations_of_four_rows_give_twice_the_variance(monkeypatch):
    x1 = np.array([1.0, 2, 3, 4])
    X = np.column_stack([x1, [0.0, 1, 0, 1]])
    y = 2 * X[:, 0] + X[:, 1]
    use_permutations(monkeypatch, list(itertools.permutations(range(4))))
    found = pc.importance(lambda X: 2 * X[:, 0] + X[:, 1], X, y, metric=MSE)
    entry = oracle("PFI-1")
    assert found.mean[0] == pytest.approx(entry["expected"]["mean"], abs=entry["tol"])
    assert found.mean[1] == pytest.approx(2 * 1**2 * X[:, 1].var())
    assert found.samples.shape == (2, 24) and found.samples[0].std() == pytest.approx(5.7735, abs=1e-4)


def test_random_permutations_tend_to_the_enumerated_mean():
    X = np.column_stack([[1.0, 2, 3, 4], [0.0, 1, 0, 1]])
    y = 2 * X[:, 0] + X[:, 1]
    found = pc.importance(lambda X: 2 * X[:, 0] + X[:, 1], X, y, PFI(repeats=4000, seed=3), metric=MSE)
    assert found.mean[0] == pytest.approx(10, abs=3 * 5.7735 / np.sqrt(4000))
    assert found.stderr[0] == pytest.approx(5.7735 / np.sqrt(4000), rel=0.03)


def test_a_loss_and_a_score_both_make_important_columns_large():
    X, y = load_diabetes(return_X_y=True)
    model = LinearRegression().fit(X, y)
    loss = pc.importance(model, X, y, metric=(root_mean_squared_error, False))
    scorer = pc.importance(model, X, y, metric="neg_root_mean_squared_error")
    score = pc.importance(model, X, y)  # r2
    strongest = int(np.argmax(np.abs(model.coef_ * X.std(0))))
    assert oracle("PFI-RMSE")["expected"]["sign"] == "positive for important features"
    for found in (loss, scorer, score):
        assert found.mean[strongest] == found.mean.max() > 0
    np.testing.assert_allclose(loss.samples, scorer.samples, rtol=1e-12)
    assert loss.baseline == pytest.approx(root_mean_squared_error(y, model.predict(X)))
    assert scorer.baseline == pytest.approx(-loss.baseline)
    assert score.metric == "r2" and score.baseline == pytest.approx(model.score(X, y))


def test_a_column_that_the_model_ignores_gets_exactly_nothing():
    X = np.random.default_rng(0).normal(size=(50, 3))
    found = pc.importance(lambda X: X[:, 0], X, X[:, 0], metric=MSE)
    assert found.mean[0] > 0
    assert not found.samples[1:].any() and not found.stderr[1:].any()


# --- scikit-learn on the same permutations ----------------------------------------------------------------------------


def sklearn_orders(random_state, rows, repeats):
    """The compound orders that scikit-learn's loop puts a column in: it shuffles what it shuffled before."""
    stream = np.random.RandomState(random_state)
    seed = stream.randint(np.iinfo(np.int32).max + 1)
    stream, index = np.random.RandomState(seed), np.arange(rows)
    order, orders = np.arange(rows), []
    for _ in range(repeats):
        stream.shuffle(index)
        order = order[index]
        orders.append(order)
    return np.stack(orders)


def iris_frame():
    X, y = load_iris(return_X_y=True, as_frame=True)
    return X, y.map({0: "setosa", 1: "versicolor", 2: "virginica"})


CASES = {
    "classes": (lambda X, y: LogisticRegression(max_iter=500).fit(X, y), iris_frame, None, "accuracy"),
    "probabilities": (lambda X, y: DecisionTreeClassifier(max_depth=3).fit(X, y), iris_frame, "neg_log_loss", None),
    "auc": (
        lambda X, y: make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        lambda: load_breast_cancer(return_X_y=True),
        "roc_auc",
        None,
    ),
    "values": (
        lambda X, y: LinearRegression().fit(X, y),
        lambda: load_diabetes(return_X_y=True, as_frame=True),
        None,
        "r2",
    ),
    "several outputs": (
        lambda X, y: LinearRegression().fit(X, y),
        lambda: (load_diabetes().data[:, :5], load_diabetes().data[:, 5:8]),
        "neg_mean_absolute_error",
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_scikit_learn_on_its_own_permutations(case, monkeypatch):
    make, data, metric, default = CASES[case]
    X, y = data()
    model = make(X, y)
    theirs = permutation_importance(model, X, y, scoring=metric or default, n_repeats=3, random_state=7)
    use_permutations(monkeypatch, sklearn_orders(7, len(X), 3))
    ours = pc.importance(model, X, y, metric=metric)
    np.testing.assert_allclose(ours.samples, theirs.importances, atol=1e-12)
    np.testing.assert_allclose(ours.mean, theirs.importances_mean, atol=1e-12)
    np.testing.assert_allclose(ours.stderr, theirs.importances_std * np.sqrt(3 / 2) / np.sqrt(3), atol=1e-12)
    assert ours.metric == (metric or default)


# --- permutations -----------------------------------------------------------------------------------------------------


@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 9))
def test_orders_are_permutations_and_repeat(rows, repeats, seed):
    method = PFI(repeats=repeats, seed=seed)
    orders = method.permutations(rows, method.stream())
    assert orders.shape == (repeats, rows)
    assert (np.sort(orders, axis=1) == np.arange(rows)).all()
    np.testing.assert_array_equal(orders, method.permutations(rows, method.stream()))


def test_a_column_gets_the_same_whatever_its_place_and_company():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    y = (X["a"] * 2 + X["b"]).to_numpy()

    def model(frame):
        return frame["a"] * 2 + frame["b"] * 0.5

    one, other = (pc.importance(model, frame, y, metric=MSE) for frame in (X, X[["d", "b", "a"]]))
    for name in ("a", "b", "d"):
        np.testing.assert_array_equal(one.samples[one.names.index(name)], other.samples[other.names.index(name)])


def test_every_field_matters():
    X = np.random.default_rng(2).normal(size=(30, 2))
    run = lambda method: pc.importance(lambda X: X.sum(1), X, X.sum(1), method, metric=MSE)  # noqa: E731
    base = run(PFI(repeats=3, seed=0))
    assert (run(PFI(repeats=3, seed=1)).mean != base.mean).all()
    np.testing.assert_array_equal(run(PFI(repeats=4)).samples[:, :3], base.samples)
    assert run(None).samples.shape == (2, 5)
    assert run("PermutationImportance(repeats=2)").samples.shape == (2, 2)
    assert run(PFI).receipt.method == "PermutationImportance(repeats=5, seed=0, within=None)"


def test_one_repeat_has_no_standard_error():
    X = np.random.default_rng(2).normal(size=(30, 2))
    found = pc.importance(lambda X: X[:, 0], X, X[:, 0], PFI(repeats=1), metric=MSE)
    assert np.isnan(found.stderr).all() and (found.mean == found.samples[:, 0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [5, 40])
def test_the_interval_covers_the_mean_over_all_permutations(repeats):
    """For f = y = a x1 + x2 and squared error that mean is 2 a^2 var(x1); Student's t with R - 1 degrees of freedom."""
    X = np.random.default_rng(4).normal(size=(80, 2))
    y = 3 * X[:, 0] + X[:, 1]
    truth, reach = 2 * 9 * X[:, 0].var(), student.ppf(0.975, repeats - 1)
    hits = 0
    for seed in range(1000):
        found = pc.importance(lambda X: 3 * X[:, 0] + X[:, 1], X, y, PFI(repeats, seed), metric=MSE)
        hits += abs(found.mean[0] - truth) <= reach * found.stderr[0]
    assert 930 <= hits <= 970


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_is_shuffled_as_one_and_the_rest_stands_alone():
    """Columns a and b are copies of which the model sees the difference: alone each matters, together they cannot."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    X = pd.DataFrame({"a": a, "b": a, "c": rng.normal(size=200), "d": rng.normal(size=200)})

    def model(frame):
        return frame["a"] - frame["b"] + frame["c"]

    y = X["c"].to_numpy()
    alone = pc.importance(model, X, y, metric=MSE)
    grouped = pc.importance(model, X, y, metric=MSE, groups={"pair": ["a", "b"]})
    assert alone.names == ("a", "b", "c", "d") and grouped.names == ("pair", "c", "d")
    assert alone.mean[0] > 1 and alone.mean[1] > 1
    assert grouped.mean[0] == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(grouped.samples[1:], alone.samples[2:])  # same permutations


def test_groups_of_an_arrays_columns_by_number_or_name():
    X = np.random.default_rng(0).normal(size=(40, 3))
    by_number, by_name = (
        pc.importance(lambda X: X.sum(1), X, X.sum(1), metric=MSE, groups={"g": members})
        for members in ([0, 2], ["x0", "x2"])
    )
    assert by_number.names == ("g", "x1")
    np.testing.assert_array_equal(by_number.samples, by_name.samples)


def test_columns_that_go_together_are_named_until_they_are_grouped():
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    X = pd.DataFrame({"a": a, "near": a + 0.1 * rng.normal(size=300), "far": rng.normal(size=300)})
    X["still"], X["gaps"] = 1.0, np.where(a > 0, a, np.nan)
    y, model = a, lambda frame: frame["a"]
    still, together = pc.importance(model, X, y, metric=MSE).receipt.warnings
    assert "'a' and 'near' go together (rank correlation 0.99)" in together
    assert still.startswith("'still': constant in these rows")
    assert pc.importance(model, X, y, metric=MSE, groups={"g": ["near", "a"]}).receipt.warnings == (still,)


# --- models and data of many kinds ------------------------------------------------------------------------------------


def mixed(rows=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "colour": pd.Categorical(rng.choice(["red", "green", "blue"], rows)),
            "size": rng.integers(1, 9, rows),
            "weight": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)).astype("float32"),
            "ok": rng.random(rows) < 0.5,
        }
    )
    return frame, np.where(frame["colour"] == "red", 5.0, 0.0) + frame["size"].to_numpy()


def mixed_model(frame, y):
    encode = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingRegressor(max_iter=20)).fit(frame, y)


def test_frames_with_levels_gaps_and_shuffled_columns():
    frame, y = mixed()
    model = mixed_model(frame, y)
    found = pc.importance(model, frame, y)
    moved = pc.importance(model, frame.iloc[:, ::-1], pd.Series(y, index=frame.index[::-1]))
    assert found.top(2)[0][0] in ("colour", "size") and set(found.names) == set(frame)
    for name in frame:
        np.testing.assert_allclose(
            found.samples[found.names.index(name)], moved.samples[moved.names.index(name)], rtol=1e-12
        )


def test_a_column_that_the_model_never_saw_plays_no_part():
    frame, y = mixed()
    model = mixed_model(frame, y)
    assert pc.importance(model, frame.assign(id=np.arange(len(frame))), y).names == tuple(frame)


def test_polars_frames():
    frame, y = mixed()
    frame = frame.drop(columns="colour")
    seen = []

    def model(rows):
        seen.append(type(rows))
        return rows["size"].to_numpy().astype(float)

    found = pc.importance(model, pl.from_pandas(frame), pl.Series(y), metric=MSE)
    assert set(seen) == {pl.DataFrame}
    assert found.top(1)[0][0] == "size"


def test_a_network_is_asked_on_its_outputs_and_left_in_its_mode():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1)).train()
    X = torch.randn(50, 3)
    y = net.eval()(X).detach()[:, 0]
    net.train()
    found = pc.importance(net, X, y, metric=MSE)
    assert net.training
    assert found.baseline == pytest.approx(0, abs=1e-10) and (found.mean > 0).all()
    assert found.receipt.rows_forward == 50 * (1 + 5 * 3)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_a_single_output_column_never_makes_a_table_of_differences(shape):
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = X.sum(1).reshape(shape)
    found = pc.importance(lambda X: X.sum(1, keepdims=True), X, y, metric=(lambda y, f: ((y - f) ** 2).mean(), False))
    assert found.baseline == pytest.approx(0)


class LabelsOnly(ClassifierMixin, BaseEstimator):
    """Says a class and nothing more."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(np.asarray(X)[:, 0] > 0, "yes", "no")


def test_a_classifier_without_probabilities_has_its_accuracy():
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.where(X[:, 0] > 0, "yes", "no")
    found = pc.importance(LabelsOnly().fit(X, y), X, y)
    assert found.baseline == 1 and found.mean[0] > 0.4 and found.mean[1] == 0
    with pytest.raises(pc.ModelError, match="gives class labels only"):
        pc.explain(LabelsOnly().fit(X, y), X[:3], pc.Occlusion(), background=X)


def test_the_receipt_counts_the_rows():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    receipt = pc.importance(model, X, y, PFI(repeats=3, seed=5), groups={"petal": [2, 3]}).receipt
    assert receipt.rows_forward == 150 * (1 + 3 * 3)
    assert receipt.seed == 5 and "scikit-learn" in receipt.versions


@pytest.mark.slow
@pytest.mark.realdata
def test_california_houses(data_dir):
    """The founding text's figure: the error grows most without the place, and hardly without Population."""
    houses = pd.read_csv(data_dir / "california_housing" / "california_housing.csv")
    y = houses.pop("MedHouseVal")
    held = np.random.default_rng(0).random(len(houses)) < 0.2
    model = HistGradientBoostingRegressor(random_state=0).fit(houses[~held], y[~held])
    found = pc.importance(model, houses[held], y[held], PFI(repeats=3), metric=(root_mean_squared_error, False))
    assert {name for name, _ in found.top(2)} == {"Latitude", "Longitude"}
    small = dict(found.top(8))
    assert small["HouseAge"] < 0.1 * small["Latitude"] and small["Population"] < 0.05 * small["Latitude"]
    assert (found.mean > 3 * found.stderr).all()
    assert any("'Latitude' and 'Longitude' go together" in warning for warning in found.receipt.warnings)


# --- left as found ----------------------------------------------------------------------------------------------------


def test_data_and_random_states_are_left_as_found():
    class Scribbler(DecisionTreeRegressor):
        def predict(self, X):
            made = super().predict(X)
            np.random.rand(), random.random()
            if isinstance(X, np.ndarray):
                X[:] = -1
            return made

    X, y = load_diabetes(return_X_y=True)
    kept, y_kept, state, python = X.copy(), y.copy(), np.random.get_state(), random.getstate()
    model = Scribbler(max_depth=3).fit(X, y)
    found = pc.importance(model, X, y, PFI(repeats=2))
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(y, y_kept)
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])
    assert random.getstate() == python and found.mean.max() > 0

    frame, values = mixed()
    before = frame.copy()
    pc.importance(mixed_model(frame, values), frame, values, PFI(repeats=2))
    pd.testing.assert_frame_equal(frame, before)


def test_an_importance_survives_saving(tmp_path):
    X, y = load_iris(return_X_y=True, as_frame=True)
    found = pc.importance(DecisionTreeClassifier(max_depth=2).fit(X, y), X, y)
    loaded = pc.load(found.save(tmp_path / "i.npz"))
    np.testing.assert_array_equal(loaded.samples, found.samples)
    assert loaded.names == found.names and loaded.receipt == found.receipt
    assert list(found.to_frame()["mean"]) == sorted(found.mean, reverse=True)


# --- refusals ---------------------------------------------------------------------------------------------------------

X4, Y4 = np.arange(8.0).reshape(4, 2), np.arange(4.0)


def identity(X):
    return X[:, 0]


def fitted():
    return LinearRegression().fit(X4, Y4)


REFUSED = {
    "y too long": (identity, X4, np.arange(5), {"metric": MSE}, pc.InputError, r"y has shape \(5,\) for 4 rows"),
    "no y": (identity, X4, None, {"metric": MSE}, pc.InputError, "y=None"),
    "y a number": (identity, X4, 1.0, {"metric": MSE}, pc.InputError, r"y has shape \(\) for 4 rows"),
    "a function without metric": (identity, X4, Y4, {}, pc.MethodError, "no default metric"),
    "a scorer for a function": (identity, X4, Y4, {"metric": "r2"}, pc.MethodError, "needs an estimator"),
    "unknown scorer": (fitted, X4, Y4, {"metric": "neg_mse_error"}, pc.MethodError, "did you mean 'neg_m"),
    "far from any scorer": (fitted, X4, Y4, {"metric": "zzz"}, pc.MethodError, "get_scorer_names"),
    "no direction": (fitted, X4, Y4, {"metric": mse}, pc.MethodError, "greater_is_better"),
    "direction no bool": (fitted, X4, Y4, {"metric": (mse, -1)}, pc.MethodError, "False for a loss"),
    "metric gives a table": (
        identity,
        X4,
        Y4,
        {"metric": (lambda y, f: (y - f) ** 2, False)},
        pc.MethodError,
        "one finite number",
    ),
    "metric gives NaN": (
        identity,
        X4,
        Y4,
        {"metric": (lambda y, f: np.nan, True)},
        pc.MethodError,
        "one finite number",
    ),
    "metric raises": (
        identity,
        X4,
        Y4,
        {"metric": (lambda y, f: 1 // 0, True)},
        pc.ModelError,
        "raised ZeroDivisionError",
    ),
    "wrong kind of y": (fitted, X4, list("abcd"), {}, pc.ModelError, "measuring 'r2'"),
    "unknown column": (
        fitted,
        X4,
        Y4,
        {"groups": {"g": ["x9"]}},
        pc.InputError,
        "group 'g' has no column 'x9' to take; the columns are x0, x1",
    ),
    "column number out of range": (fitted, X4, Y4, {"groups": {"g": [2]}}, pc.InputError, "no column 2"),
    "column twice": (fitted, X4, Y4, {"groups": {"g": ["x0", 0]}}, pc.InputError, "names a column twice"),
    "empty group": (fitted, X4, Y4, {"groups": {"g": []}}, pc.InputError, "at least one column"),
    "a word for a group": (fitted, X4, Y4, {"groups": {"g": "x0"}}, pc.InputError, "give a list"),
    "a group called as a column": (fitted, X4, Y4, {"groups": {"x1": ["x0"]}}, pc.InputError, "call it otherwise"),
    "one row": (identity, X4[:1], Y4[:1], {"metric": MSE}, pc.InputError, "one row"),
    "no rows": (identity, X4[:0], Y4[:0], {"metric": MSE}, pc.InputError, "empty"),
    "pictures": (identity, np.zeros((4, 2, 2)), Y4, {"metric": MSE}, pc.InputError, "a table"),
    "another method": (fitted, X4, Y4, {"method": pc.Occlusion()}, pc.MethodError, "does not measure importance"),
    "columns of one name": (
        identity,
        pd.DataFrame(X4, columns=["a", "a"]),
        Y4,
        {"metric": MSE},
        pc.InputError,
        "more than one column 'a'",
    ),
    "a model that raises": (
        lambda X: [][0],
        X4,
        Y4,
        {"metric": MSE},
        pc.ModelError,
        "the model raised IndexError",
    ),
    "NaN that the model refuses": (
        fitted,
        np.where(X4 == 3, np.nan, X4),
        Y4,
        {},
        pc.InputError,
        "column 'x1' of x holds NaN",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_cause_and_remedy(case):
    model, X, y, arguments, error, match = REFUSED[case]
    arguments = dict(arguments)
    with pytest.raises(error, match=match):
        pc.importance(fitted() if model is fitted else model, X, y, arguments.pop("method", None), **arguments)


def test_a_metric_of_probabilities_needs_them():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LinearSVC()).fit(X, y)
    with pytest.raises(
        pc.MethodError, match=r"'neg_log_loss' asks the model for what it does not have .*predict_proba"
    ):
        pc.importance(model, X, y, metric="neg_log_loss")
    assert pc.importance(model, X, y, PFI(repeats=1), metric="roc_auc").baseline > 0.99  # from its margin


@pytest.mark.parametrize("repeats", [0, -1, 2.5, "5", None])
def test_repeats_is_a_whole_number(repeats):
    with pytest.raises(pc.MethodError, match="repeats"):
        PFI(repeats=repeats)
