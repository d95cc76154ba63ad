"""Records in the form of the shap package, which draws them."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import pellucid as pc
import plot_records as made

shap = pytest.importorskip("shap")


@pytest.fixture
def pyplot():
    """Shap draws with pyplot and warns of what its own dependencies deprecate."""
    from matplotlib import pyplot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pyplot


def test_a_table_keeps_its_numbers():
    record = made.table()
    found = record.to_shap()
    np.testing.assert_array_equal(found.values, record.values)
    np.testing.assert_array_equal(found.base_values, record.base_values)
    np.testing.assert_array_equal(found.error_std, record.stderr)
    assert tuple(found.feature_names) == record.feature_names
    assert found.display_data[0, 3] == "f" and found.data[:, 3].astype(float)[:2].tolist() == [0, 1]
    assert np.isnan(found.data[2, 3])  # None is missing
    np.testing.assert_array_equal(found.data[:, 0].astype(float), record.data[:, 0].astype(float))


def test_an_array_has_numbered_columns():
    record = pc.explain(lambda x: x @ [1.0, 2], np.ones((2, 2)), pc.ExactShapley(), background=np.zeros((1, 2)))
    found = record.to_shap()
    assert found.feature_names == ["x0", "x1"] and found.error_std is None
    np.testing.assert_allclose(found.base_values + found.values.sum(1), record.scores)


@pytest.mark.parametrize("draw", ["waterfall", "bar", "beeswarm", "scatter", "heatmap", "decision", "force", "violin"])
def test_shap_draws_a_table(draw: str, pyplot):
    found = made.table(12).to_shap()
    if draw == "waterfall":
        shap.plots.waterfall(found[0], show=False)
    elif draw == "scatter":
        shap.plots.scatter(found[:, "hours"], show=False)
    elif draw == "decision":
        shap.plots.decision(0.5, found.values, found.data, feature_names=list(found.feature_names), show=False)
    elif draw == "force":
        shap.plots.force(found[0], matplotlib=True, show=False)
    else:
        getattr(shap.plots, draw)(found, show=False)
    assert pyplot.gcf().axes


@pytest.mark.parametrize(
    "layout, shape", [("channels-first", (3, 6, 8)), ("channels-last", (6, 8, 3)), ("map", (6, 8))]
)
def test_shap_draws_a_picture(layout: str, shape: tuple[int, ...], pyplot):
    values = np.random.default_rng(0).normal(size=(2, *shape))
    record = made.attribution(values, np.abs(values) / np.abs(values).max(), layout)
    found = record.to_shap()
    assert found.shape == ((2, 6, 8, 3) if layout != "map" else (2, 6, 8))
    np.testing.assert_allclose(np.asarray(found.values).sum(), values.sum())
    if layout != "map":
        np.testing.assert_array_equal(
            np.asarray(found.values)[0, 2, 5], values[0][:, 2, 5] if layout[9:] == "first" else values[0][2, 5]
        )
        shap.plots.image(found, show=False)
        assert pyplot.gcf().axes


def test_shap_writes_out_words():
    record = made.tokens()
    found = record.to_shap()
    assert [len(row) for row in found.values] == [4, 2] and list(found.data[1]) == ["great", "$5 or $6"]
    page = shap.plots.text(found, display=False)
    assert "good" in page and "&lt;pad&gt;" not in page and "<pad>" not in page


def test_rows_that_a_budget_left_out_stay_out():
    record = made.table(done=np.array([True, False, True, False, False, True, True]))
    np.testing.assert_array_equal(record.to_shap().values, record.values[[0, 2, 5, 6]])
    with pytest.raises(pc.InputError, match="no row of this record is done"):
        made.table(done=np.zeros(7, bool)).to_shap()


def test_without_base_values_there_are_none():
    assert made.table(base_values=np.full(7, np.nan)).to_shap().base_values is None


def test_without_shap_it_says_so():
    code = (
        "import sys; sys.modules['shap'] = None; sys.path.insert(0, 'tests')\n"
        "import plot_records as made\n"
        "try: made.table().to_shap()\nexcept ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "to_shap() needs shap: pip install shap" in done.stdout, done.stderr
