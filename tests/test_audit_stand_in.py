"""The audit of a table tells what the model says by a small tree of its own answers, with the tree's fidelity."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

import pellucid as pc
from pellucid.report.page import render
from test_distill import forest
from test_rule_list import people


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    X, y = people(300)
    folder = tmp_path_factory.mktemp("audit")
    return pc.audit(forest(X, y), X, y, methods=["Occlusion"], rows=2, out=folder), folder, X


def test_the_tree_is_that_of_distill_and_stands_on_page_and_in_json(audited):
    found, folder, X = audited
    made = found.rivals
    own = pc.distill(forest(*people(300)), X, "tree")
    assert made.stand_in.sentences() == pc.model_card(own).sentences()
    assert np.array_equal(made.fidelity.fresh, own.fidelity_.fresh) and made.receipt.rows_forward >= 300
    told = json.loads((folder / "audit.json").read_text())["models"][0]["stand_in"]
    assert told["rules"] == list(made.stand_in.sentences()) and told["fresh"] == made.fidelity.fresh.tolist()
    page = (folder / "audit.html").read_text()
    assert ("told by a small tree" in page and "education &lt;= High School" in page) or "education" in page
    assert pc.load(folder / found.records["rivals"]).fidelity.sentence == made.fidelity.sentence
    assert made.fidelity.sentence.split(",")[0] in " ".join(page.replace("\u00a0", " ").split())


def test_a_model_that_says_the_same_of_all_rows_has_none(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = np.array([0] * 54 + [1] * 6)
    model = RandomForestClassifier(3, max_depth=1, random_state=0).fit(x, y)
    assert len(set(model.predict(x))) == 1
    found = pc.audit(model, x, y, methods=["Occlusion"], rows=1, out=tmp_path)
    assert found.rivals is not None and found.rivals.stand_in is None
    assert any(left["part"] == "a tree of the model's own answers" for left in found.left_out)
    assert "told by a small tree" not in render([found])
