"""The command line on a file with a single column of texts."""

from __future__ import annotations

import json

import pandas as pd
import skops.io
from click.testing import CliRunner
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pellucid.cli.app import app

TEXTS = ["a boring film", "a great film !", "great fun", "boring , dull", "so dull", "what fun !"]
LOVED = [0, 1, 1, 0, 0, 1]


def test_a_column_of_texts_is_explained_word_by_word(tmp_path):
    model, rows = tmp_path / "reader.skops", tmp_path / "reviews.csv"
    skops.io.dump(make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(TEXTS, LOVED), model)
    pd.DataFrame({"review": TEXTS, "loved": LOVED}).to_csv(rows, index=False)
    arguments = ["explain", "--model", str(model), "--data", str(rows), "--label", "loved", "--rows", "0:2"]
    shown = CliRunner().invoke(app, [*arguments, "--method", "KernelShap"])
    assert shown.exit_code == 0, shown.output
    assert "boring" in shown.output and "great" in shown.output and "Words(fill='delete')" in shown.output
    told = CliRunner().invoke(app, [*arguments, "--method", "Occlusion", "--masker", "Sentences()", "--json"])
    assert told.exit_code == 0 and json.loads(told.stdout)["background"] is None
