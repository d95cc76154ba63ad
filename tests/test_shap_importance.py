"""Mean sizes of values over rows: closed forms, trees by themselves, groups, noise that looks like size, refusals."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pellucid as pc


def rows(n: int = 40, p: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, p))


def line(x: np.ndarray) -> np.ndarray:
    return x @ np.array([3.0, -2.0, 0.5, 0.0]) + 1


@pytest.mark.parametrize("method", [None, pc.ExactShapley(), pc.PermutationShap(), pc.PartitionShap(((0, 1), (2, 3)))])
def test_a_linear_model(method):
    """phi = w (x - mean of the background), so importance is |w| times the mean distance from that mean."""
    x, background = rows(), rows(5, seed=1)
    record = pc.importance(line, x, method=pc.ShapImportance(method), background=background)
    sizes = np.abs((x - background.mean(0)) * [3, -2, 0.5, 0])
    np.testing.assert_allclose(record.samples, sizes.T, atol=1e-9)
    np.testing.assert_allclose(record.mean, sizes.mean(0), atol=1e-9)
    np.testing.assert_allclose(record.stderr, sizes.std(0, ddof=1) / np.sqrt(40), atol=1e-9)
    assert record.metric == "mean |value|" and record.baseline == pytest.approx(line(background).mean())
    assert record.top(2)[0][0] == "x0" and record.names == ("x0", "x1", "x2", "x3")


def test_trees_are_read_without_being_told():
    x = rows(60)
    model = RandomForestRegressor(10, max_depth=4, random_state=0).fit(x, line(x))
    record = pc.importance(model, x, method=pc.ShapImportance())
    assert record.receipt.method == "ShapImportance(method=TreeShap())"
    np.testing.assert_allclose(record.mean, np.abs(pc.explain(model, x, pc.TreeShap()).values).mean(0))
    piped = make_pipeline(StandardScaler(), RandomForestRegressor(5, max_depth=3, random_state=0)).fit(x, line(x))
    assert "TreeShap" in pc.importance(piped, x, method="ShapImportance()").receipt.method
    other = pc.importance(LinearRegression().fit(x, line(x)), x, method=pc.ShapImportance, background=x[:5])
    assert other.receipt.method == "ShapImportance(method=KernelShap(samples=None, seed=0, tolerance=None))"


def test_the_target_is_the_one_asked_for():
    x = rows(60)
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(x, np.digitize(x[:, 0], [-0.5, 0.5]))
    low, high = (pc.importance(model, x, method=pc.ShapImportance(), target=k) for k in (0, 2))
    assert low.receipt.target == "Class(0)" or "0" in low.receipt.target
    assert np.abs(low.mean - high.mean).max() > 1e-6
    mixed = pc.importance(model, x, method=pc.ShapImportance(), background=x[:9], target=0)
    assert np.abs(mixed.mean - low.mean).max() > 1e-6


def test_the_values_of_a_group_are_summed_before_their_size_is_taken():
    x, background = rows(), np.zeros((1, 4))
    record = pc.importance(
        line, x, method=pc.ShapImportance(pc.ExactShapley()), background=background, groups={"both": [0, 1]}
    )
    assert record.names == ("both", "x2", "x3")
    np.testing.assert_allclose(record.mean[0], np.abs(3 * x[:, 0] - 2 * x[:, 1]).mean())
    with pytest.raises(pc.InputError, match="names a column twice"):
        pc.importance(line, x, method=pc.ShapImportance(), background=background, groups={"both": [0, 0]})


def test_a_frame_and_its_names():
    x = pd.DataFrame(rows(), columns=["a", "b", "c", "d"])
    record = pc.importance(
        lambda f: line(f.to_numpy()), x, method=pc.ShapImportance(), background=x.head(6), groups={"g": ["c", "d"]}
    )
    assert record.names == ("g", "a", "b") and record.top(1)[0][0] == "a"
    assert record.to_frame()["feature"].tolist() == ["a", "b", "g"]


def test_noise_alone_is_named():
    """A column that does nothing gets the size of its sampling errors, and a warning says so."""

    def model(x: np.ndarray) -> np.ndarray:
        return 5 * x[:, 0] + np.prod(np.sign(x[:, 1:8]), axis=1) * np.sign(x[:, 8])

    x, background = rows(20, 14), rows(3, 14, seed=1)
    record = pc.importance(model, x, method=pc.ShapImportance(pc.KernelShap(samples=60)), background=background)
    (warning,) = (w for w in record.receipt.warnings if "sampling alone" in w)
    assert "'x13'" in warning and "'x0'" not in warning
    sure = pc.importance(model, x, method=pc.ShapImportance(pc.ExactShapley()), background=background)
    assert not sure.receipt.warnings and sure.mean[13] == pytest.approx(0, abs=1e-12)


def test_one_row_has_no_error():
    record = pc.importance(line, rows(1), method=pc.ShapImportance(), background=np.zeros((1, 4)))
    assert np.isnan(record.stderr).all() and np.isfinite(record.mean).all()


def test_the_plot_says_what_it_shows():
    record = pc.importance(line, rows(), method=pc.ShapImportance(), background=np.zeros((1, 4)))
    ax = pc.plot.show(record)
    assert "moves the score from the base value, 1" in ax.get_xlabel() and "over 40 rows" in ax.get_xlabel()
    assert ax.get_title("left") == "ShapImportance · mean |value|"


@pytest.mark.parametrize(
    "arguments, says",
    [
        ({"method": pc.ShapImportance(), "metric": "r2"}, "takes no metric"),
        ({"y": np.ones(40), "background": np.ones((1, 4))}, "takes no background: leave it out"),
        ({"y": np.ones(40), "masker": pc.Baseline(), "target": 0}, "takes no target or masker"),
        ({"method": pc.KernelShap()}, "does not measure importance"),
    ],
)
def test_arguments_that_do_not_go_together(arguments: dict, says: str):
    with pytest.raises(pc.MethodError, match=says):
        pc.importance(line, rows(), **arguments)


@pytest.mark.parametrize(
    "given, says",
    [(pc.LIME(), "do not add up"), (3, "expected a method value"), (pc.PermutationImportance(), "expected")],
)
def test_methods_that_share_nothing_out(given, says: str):
    with pytest.raises(pc.MethodError, match=says):
        pc.ShapImportance(given)


def test_tables_only_and_a_background_where_the_model_is_asked():
    with pytest.raises(pc.InputError, match="columns of a table"):
        pc.importance(
            lambda x: x.sum((1, 2)), np.ones((3, 4, 4)), method=pc.ShapImportance(pc.PartitionShap()), masker=pc.Grid(2)
        )
    with pytest.raises(pc.InputError, match="background"):
        pc.importance(line, rows(), method=pc.ShapImportance())
