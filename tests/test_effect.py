"""Partial dependence and individual curves: closed forms, scikit-learn's own numbers, frames, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_friedman1
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

import pellucid as pc
from oracles import oracle


def product(x: np.ndarray) -> np.ndarray:
    return x[:, 0] * x[:, 1]


def test_curves_mean_and_variance_of_a_product():
    truth = oracle("PDP-1")["expected"]
    X = np.array([[0.0, 1], [1, 2], [2, 0], [3, 5]])
    made = pc.effect(product, X, 0, grid=[-1, 0, 2])
    np.testing.assert_allclose(made.curves, truth["ICE"], atol=1e-12)
    np.testing.assert_allclose(made.mean, truth["PDP"], atol=1e-12)
    np.testing.assert_allclose(made.variance, truth["Var"], atol=1e-12)
    np.testing.assert_allclose(made.stderr, made.curves.std(axis=0, ddof=1) / 2)


def test_the_worked_example_of_five_ages_and_two_people():
    """Two people whose risk differs by a constant 0.10 at every age."""
    truth = oracle("ICE-SEED")["expected"]
    ages, offset = np.array([20.0, 30, 40, 50, 60]), np.array([-0.05, 0.05])
    risk = np.array(truth["PDP"])

    def f(x: np.ndarray) -> np.ndarray:
        return np.interp(x[:, 0], ages, risk) + offset[x[:, 1].astype(int)]

    made = pc.effect(f, np.array([[33.0, 0], [47, 1]]), 0, grid=ages)
    np.testing.assert_allclose(made.mean, truth["PDP"])
    np.testing.assert_allclose(made.variance, truth["Var_ddof0"])
    np.testing.assert_allclose(np.ptp(made.curves, axis=0), 0.10)
    centred = made.centred()
    np.testing.assert_allclose(centred.curves, truth["centered_ICE_from_first"], atol=1e-12)
    np.testing.assert_allclose(centred.variance, 0, atol=1e-12)  # parallel curves: no interaction


@pytest.mark.parametrize("spacing", ["uniform", "quantile"])
@pytest.mark.parametrize("model", [LinearRegression(), GradientBoostingRegressor(n_estimators=20)], ids=repr)
def test_equal_to_scikit_learn_on_the_same_grid(model, spacing: str):
    X, y = make_friedman1(200, random_state=0)
    model.fit(X, y)
    made = pc.effect(model, X, 3, pc.PartialDependence(points=12, spacing=spacing))
    theirs = partial_dependence(
        model, X, [3], method="brute", kind="both", custom_values={3: made.grid}, response_method="auto"
    )
    np.testing.assert_allclose(made.curves, theirs["individual"][0], rtol=1e-12)
    np.testing.assert_allclose(made.mean, theirs["average"][0], rtol=1e-12)
    if spacing == "uniform":
        np.testing.assert_allclose(
            made.grid, partial_dependence(model, X, [3], grid_resolution=12)["grid_values"][0], atol=0.02
        )


def test_a_surface_is_equal_to_scikit_learns():
    X, y = make_friedman1(150, random_state=1)
    model = GradientBoostingRegressor(n_estimators=15, random_state=0).fit(X, y)
    theirs = partial_dependence(model, X, [(0, 1)], method="brute", grid_resolution=5)
    made = pc.effect(model, X, (0, 1), grid=theirs["grid_values"])
    np.testing.assert_allclose(made.surface, theirs["average"][0], rtol=1e-12)
    assert made.grid.shape == (25, 2) and made.curves.shape == (150, 25)
    np.testing.assert_array_equal(made.grid[1], [made.axes[0][0], made.axes[1][1]])
    assert list(made.to_frame().columns) == ["x0", "x1", "mean", "variance", "stderr", "density"]


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 70, n),
            "job": pd.Categorical(rng.choice(["none", "clerk", "judge"], n), ["none", "clerk", "judge"], ordered=True),
            "city": rng.choice(["Rom", "Bonn", "Ulm"], n),
            "member": rng.random(n) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "pay": np.where(rng.random(n) < 0.1, np.nan, rng.normal(30, 5, n)),
        }
    )


def salary(frame: pd.DataFrame) -> np.ndarray:
    """Reads every column as the user's own types."""
    rank = frame["job"].cat.codes.to_numpy()
    days = (frame["since"] - pd.Timestamp("2020-01-01")).dt.days.to_numpy()
    town = frame["city"].map({"Rom": 1.0, "Bonn": 2.0, "Ulm": 4.0}).to_numpy(float)
    return 0.5 * frame["age"].to_numpy() + 3 * rank + town + 2 * frame["member"].to_numpy() + days / 100


def test_columns_of_every_kind_are_varied_in_their_own_terms():
    X = people()
    job = pc.effect(salary, X, "job")
    assert job.grid.tolist() == ["none", "clerk", "judge"]
    np.testing.assert_allclose(np.diff(job.mean), [3, 3])
    city = pc.effect(salary, X, "city")
    assert city.grid.tolist() == ["Bonn", "Rom", "Ulm"]
    np.testing.assert_allclose(city.mean - city.mean[1], [1, 0, 3])
    member = pc.effect(salary, X, "member")
    assert member.grid.tolist() == [False, True]
    np.testing.assert_allclose(np.diff(member.mean), 2)
    since = pc.effect(salary, X, "since", pc.PartialDependence(points=7))
    assert len(since.grid) == 7 and (np.diff(since.mean) > 0).all()
    age = pc.effect(salary, X, "age", pc.PartialDependence(points=9))
    assert (age.grid == np.rint(age.grid)).all()
    np.testing.assert_allclose(np.diff(age.mean), 0.5 * np.diff(age.grid))
    np.testing.assert_array_equal(city.density, X["city"].value_counts()[["Bonn", "Rom", "Ulm"]])


def test_many_levels_are_cut_to_the_most_frequent_and_it_is_said():
    X = pd.DataFrame({"code": [f"c{i % 40}" for i in range(80)] + ["c7"] * 5, "z": np.arange(85.0)})
    made = pc.effect(lambda frame: frame["z"].to_numpy(), X, "code", pc.PartialDependence(points=10))
    assert len(made.grid) == 10 and "c7" in made.grid
    assert any("40 levels" in said for said in made.receipt.warnings)


def test_shuffled_columns_and_polars_frames_give_equal_numbers():
    X = people().drop(columns=["since", "pay", "member"])
    y = salary(people()) > 30
    encode = make_column_transformer((OneHotEncoder(), ["city"]), (OrdinalEncoder(), ["job"]), remainder="passthrough")
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(X, y)
    plain = pc.effect(model, X, "age")
    shuffled = pc.effect(model, X[["city", "age", "job"]], "age")
    np.testing.assert_array_equal(plain.curves, shuffled.curves)
    np.testing.assert_array_equal(plain.grid, shuffled.grid)


def test_the_effect_is_of_the_target_and_many_outputs_need_one():
    X, y = make_friedman1(120, random_state=0)
    model = RandomForestClassifier(5, random_state=0).fit(X, np.digitize(y, [10, 18]))
    with pytest.raises(pc.TargetError, match="name it"):
        pc.effect(model, X, 0)
    three = [pc.effect(model, X, 0, target=k).mean for k in range(3)]
    np.testing.assert_allclose(np.sum(three, axis=0), 1)
    binary = RandomForestClassifier(5, random_state=0).fit(X, y > 14)
    np.testing.assert_allclose(pc.effect(binary, X, 0).mean, pc.effect(binary, X, 0, target=1).mean)


def test_native_categories_and_missing_values_reach_the_model():
    X = people()[["job", "pay", "age"]]
    y = (salary(people()) > 30).astype(int)
    model = HistGradientBoostingClassifier(max_iter=15, categorical_features="from_dtype").fit(X, y)
    made = pc.effect(model, X, "job")
    expected = []
    for level in ["none", "clerk", "judge"]:
        moved = X.assign(job=pd.Categorical([level] * len(X), dtype=X["job"].dtype))
        expected.append(model.decision_function(moved).mean())
    np.testing.assert_allclose(made.mean, expected)
    assert np.isfinite(pc.effect(model, X, "pay").mean).all()


def test_columns_that_go_together_are_warned_of_with_the_measured_share():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 3))
    together = np.column_stack([z[:, 0], z[:, 0] + 0.1 * z[:, 1], z[:, 2]])
    (said,) = pc.effect(product, together, 0).receipt.warnings
    assert "'x0' and 'x1'" in said and "0.99" in said and "AccumulatedLocalEffects" in said
    share = float(said.partition("%")[0].rpartition(" ")[2])
    assert 60 < share <= 100
    assert pc.effect(product, z, 0).receipt.warnings == ()
    assert pc.effect(product, together, 0, pc.AccumulatedLocalEffects()).receipt.warnings == ()
    flat = rng.uniform(size=(2000, 2))
    wide = np.column_stack(
        [flat[:, 0], flat[:, 1] + 0.4 * flat[:, 0]]
    )  # correlated, and yet nearly every point is among the data
    assert pc.effect(product, wide, 0).receipt.warnings == ()


def test_memory_is_bounded_and_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch):
    X = np.random.default_rng(0).normal(size=(30, 3))
    whole = pc.effect(product, X, 0)
    from pellucid.methods.effect import effecting

    monkeypatch.setattr(effecting, "_CELLS", 100)
    largest = []

    def watched(x: np.ndarray) -> np.ndarray:
        largest.append(len(x))
        return product(x)

    np.testing.assert_array_equal(pc.effect(watched, X, 0).curves, whole.curves)
    assert max(largest) <= 30


def test_a_saved_effect_comes_back(tmp_path):
    made = pc.effect(salary, people(), ("city", "job"))
    back = pc.load(made.save(tmp_path / "e.npz"))
    np.testing.assert_array_equal(back.mean, made.mean)
    assert back.grid.tolist() == made.grid.tolist() and back.axes[1].tolist() == made.axes[1].tolist()
    assert back.method == made.method and back.receipt.to_json() == made.receipt.to_json()


BAD = {
    "a constant column": ({"feature": "b"}, pc.InputError, "'b' is constant"),
    "a column of missing values": ({"feature": "n"}, pc.InputError, "'n' holds missing values only"),
    "no such column": ({"feature": "q"}, pc.InputError, "no column 'q'"),
    "three columns": ({"feature": ["a", "b", "s"]}, pc.InputError, "two for a surface"),
    "one column twice": ({"feature": ["a", "a"]}, pc.InputError, "twice"),
    "an unseen level": ({"feature": "s", "grid": ["u", "w"]}, pc.InputError, "holds 'w'"),
    "words for a number": ({"feature": "a", "grid": ["low"]}, pc.InputError, "'a' holds numbers"),
    "an empty grid": ({"feature": "a", "grid": []}, pc.InputError, "empty"),
    "one grid for two": ({"feature": ["a", "s"], "grid": [[1.0]]}, pc.InputError, "1 grids for 2"),
    "a method for rows": ({"feature": "a", "method": pc.KernelShap()}, pc.MethodError, "does not follow a column"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_with_its_remedy(case: str):
    X = pd.DataFrame({"a": [1.0, 2, 3], "b": 1.0, "s": ["u", "v", "u"], "n": np.nan})
    asked, kind, says = BAD[case]
    with pytest.raises(kind, match=says):
        pc.effect(lambda frame: frame["a"].to_numpy(), X, **asked)
    if "grid" not in asked:
        return
    assert pc.effect(lambda frame: frame["a"].to_numpy(), X, "b", grid=[1, 2]).mean.tolist() == [2, 2]


@pytest.mark.parametrize("fields", [{"points": 1}, {"spacing": "log"}, {"span": (0.9, 0.1)}])
def test_impossible_grids_are_refused_when_the_method_is_made(fields):
    with pytest.raises(pc.MethodError):
        pc.PartialDependence(**fields)


WALKED = {
    "boosting": HistGradientBoostingClassifier(max_iter=8, random_state=0),
    "forest": RandomForestClassifier(4, max_depth=6, random_state=0),
    "linear": LogisticRegression(),
}


@pytest.mark.parametrize("scale", ["probability", "margin"])
@pytest.mark.parametrize("kind", WALKED)
def test_trees_are_walked_to_the_numbers_that_the_model_gives(kind: str, scale: str, monkeypatch: pytest.MonkeyPatch):
    if (kind, scale) == ("forest", "margin"):
        pytest.skip("a forest has probabilities only")
    X, y = make_friedman1(1200, random_state=0)
    model = WALKED[kind].fit(X, y > 14)
    asked = []
    predict = type(model).predict_proba if scale == "probability" else type(model).decision_function
    monkeypatch.setattr(type(model), predict.__name__, lambda self, X: asked.append(len(X)) or predict(self, X))
    fast = pc.effect(model, X, (3, 0), pc.PartialDependence(points=7), target=pc.Class(1, scale=scale))
    assert (sum(asked) == len(X)) == (kind != "linear")  # one scoring pass, and no more
    from pellucid.methods.effect import effecting

    monkeypatch.setattr(effecting, "_MANY", 10**9)
    slow = pc.effect(model, X, (3, 0), pc.PartialDependence(points=7), target=pc.Class(1, scale=scale))
    np.testing.assert_allclose(fast.curves, slow.curves, rtol=1e-12, atol=1e-13)


def test_rows_are_counted_at_the_grid_point_they_are_nearest_to():
    x = np.append(np.random.default_rng(0).normal(size=40), [0.5, 7])  # 0.5 is halfway between two points
    grid = np.array([1.0, -1, 0, 0.0, 0.1])
    X = pd.DataFrame({"a": np.append(x, np.nan), "b": 1.0})
    steps = np.array([-1, 0, 0.1, 1])
    expected = np.bincount(np.abs(x[:, None] - steps).argmin(axis=1), minlength=4)
    made = pc.effect(lambda frame: frame["b"].to_numpy(), X, "a", grid=grid)
    np.testing.assert_array_equal(made.density, [expected[3], expected[0], expected[1], 0, expected[2]])


def test_the_share_off_the_data_is_that_of_all_rows_at_all_points():
    """Brute force: every row at every point, and the distance to every row, on the scale of ranks."""
    from scipy.spatial.distance import cdist
    from scipy.stats import rankdata

    rng = np.random.default_rng(0)
    z = rng.normal(size=(700, 2))
    X = np.column_stack([np.exp(z[:, 0]), z[:, 0] + 0.3 * z[:, 1]])
    made = pc.effect(product, X, 0, pc.PartialDependence(points=15))
    (said,) = made.receipt.warnings
    ranks = rankdata(X, axis=0) / len(X)
    apart = cdist(ranks, ranks)
    np.fill_diagonal(apart, np.inf)
    at = np.interp(made.grid, np.sort(X[:, 0]), np.sort(ranks[:, 0]))
    asked = np.array([(a, other) for a in at for other in ranks[:, 1]])
    share = (cdist(asked, ranks).min(axis=1) > np.quantile(apart.min(axis=1), 0.99)).mean()
    assert abs(float(said.partition("%")[0].rpartition(" ")[2]) - 100 * share) < 2
