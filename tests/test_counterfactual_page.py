"""The page on counterfactuals: its code runs, from the first block to the last, and says what the page says that it says."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pellucid as pc

PAGE = Path(__file__).parents[1] / "docs" / "counterfactuals.md"


def world() -> dict:
    rng = np.random.default_rng(0)
    n = 600
    education, hours = rng.integers(8, 20, n), rng.integers(10, 60, n)
    income = np.rint(800 * education + 300 * hours + rng.normal(0, 3000, n)).astype(int)
    table = pd.DataFrame(
        {"age": rng.integers(20, 70, n), "sex": rng.integers(0, 2, n), "education": education, "hours": hours}
    )
    table = table.assign(income=income, debt=np.rint(0.2 * income + rng.normal(0, 1500, n)).clip(0).astype(int))
    plain = table.drop(columns="sex")
    y = np.where(income - 2 * table["debt"] + 1000 * rng.normal(size=n) > 14000, "granted", "refused")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, y)
    rest = table[450:]
    texts = ["a boring film", "a dull boring plot", "a fine film", "a great plot", "great fine cast", "dull"]
    reader = make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(
        texts, ["bad", "bad", "good", "good", "good", "bad"]
    )
    refused = rest[model.predict(rest) == "refused"][:8].reset_index(drop=True)
    assert len(plain) and len(refused) == 8
    return {
        "pc": pc,
        "model": model,
        "train": table[:450],
        "refused": refused,
        "reader": reader,
        "texts": texts[:2],
        "corpus": texts,
    }


def test_every_block_runs_and_keeps_to_what_it_was_told():
    blocks, at = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S), world()
    assert len(blocks) == 6
    found = []
    for block in blocks:
        exec(compile(block, "counterfactuals.md", "exec"), at)
        found.append(at["found"])
    plt.close("all")
    assert all(one.valid.any() for one in found)
    for one in found[1:4]:
        values = pd.DataFrame(one.values[one.valid], columns=one.feature_names)
        before = pd.DataFrame(one.original[one.valid], columns=one.feature_names)
        assert (values["age"] == before["age"]).all() and (values["education"] >= before["education"]).all()
        assert (values["debt"] <= values["income"]).all() and (values["hours"] <= 60).all()
    assert found[3].receipt.notes[0].startswith("income from education, hours by splines: foretells")
    assert at["summary"].by == "sex" and at["less"].valid.any() and at["other"].valid.all()


@pytest.mark.parametrize(
    "name", ["Wachter", "Recourse", "CausalCounterfactual", "VariationalCounterfactual", "SEDC", "Substitution"]
)
def test_every_method_that_the_page_names_answers_this_verb(name: str):
    assert f"`{name}()`" in PAGE.read_text(encoding="utf-8") and getattr(pc, name).card.verb == "counterfactual"
