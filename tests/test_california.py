"""The California houses: what dominates one of them, and why LIME and SHAP disagree on the sign of income."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid as pc

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def page() -> Any:
    spec = importlib.util.spec_from_file_location("page", Path(__file__).parents[1] / "docs" / "lime_or_shap.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["page"] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def found(page: Any, data_dir: Path) -> Any:
    return page.ask(data_dir)


def test_where_and_how_crowded_decide_the_chosen_house(page: Any, found: Any):
    assert [name.partition(" = ")[0] for name, _ in found.shap.top(2, page.CHOSEN)] == ["Longitude", "AveOccup"]
    assert abs(found.shap.values[page.CHOSEN, 0]) < 0.1 < found.lime.values[page.CHOSEN, 0]
    assert found.lime.top(1, page.CHOSEN)[0][0].startswith("MedInc")


def test_values_add_up_from_the_mean_of_the_background(found: Any):
    assert np.abs(found.shap.gap).max() < 1e-9
    assert 1.9 < found.shap.base_values[0] < 2.3


def test_the_sign_of_income_is_another_question(found: Any):
    """LIME: would more income raise the price of this house? SHAP: did this income raise it above the average?"""
    shap, lime, above = found.column("MedInc")
    poor = above < -0.25
    assert poor.sum() >= 10
    assert (shap[poor] < 0).mean() > 0.9 and (lime > 0).all()
    assert (np.sign(lime * above) == np.sign(shap)).mean() > 0.85  # a slope times a distance is a contribution


def test_which_columns_matter_overall(found: Any):
    """The mean size of values, and the drop of the score when columns are shuffled, name the same columns."""
    means = np.abs(found.shap.values).mean(0)
    names = np.array(found.shap.feature_names)[np.argsort(-means)]
    assert set(names[:4]) == {"Latitude", "Longitude", "MedInc", "AveOccup"}
    assert "Population" in names[-3:]
    assert pc.plot.beeswarm(found.shap).get_figure() is not None
