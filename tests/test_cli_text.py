"""The command line on a file with a single column of texts."""

from __future__ import annotations

import json

import pandas as pd
import skops.io
from click.testing import CliRunner
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pellucid as pc
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


def test_other_words_come_from_the_other_rows_or_from_a_file(tmp_path):
    model, rows, more = tmp_path / "reader.skops", tmp_path / "reviews.csv", tmp_path / "more.csv"
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(TEXTS, LOVED)
    skops.io.dump(pipeline, model)
    pd.DataFrame({"review": TEXTS, "loved": LOVED}).to_csv(rows, index=False)
    pd.DataFrame({"review": ["fun", "more fun"], "loved": [1, 1]}).to_csv(more, index=False)
    arguments = ["counterfactual", "--model", str(model), "--data", str(rows), "--label", "loved", "--rows", "0:1"]
    arguments += ["--method", "Substitution", "--json"]
    for extra, known in (([], TEXTS[1:]), (["--background", str(more)], ["fun", "more fun"])):
        told = CliRunner().invoke(app, [*arguments, *extra])
        assert told.exit_code == 0, told.output
        made = pc.counterfactual(pipeline, TEXTS[:1], pc.Substitution(), background=known)
        assert made.valid.all() and json.loads(told.stdout)["sentences"] == [made.sentence()]
    refused = CliRunner().invoke(app, [*arguments, "--background-size", "0"])
    assert refused.exit_code == 1 and "takes its words from texts" in refused.stderr


def test_the_hardest_texts(tmp_path):
    model, rows = tmp_path / "reader.skops", tmp_path / "reviews.csv"
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(TEXTS, LOVED)
    skops.io.dump(pipeline, model)
    pd.DataFrame({"review": [*TEXTS, "a film"], "loved": [*LOVED, 0]}).to_csv(rows, index=False)
    told = CliRunner().invoke(
        app, ["hardest", "--model", str(model), "--data", str(rows), "--label", "loved", "--json"]
    )
    assert told.exit_code == 0, told.output
    sure = pipeline.predict_proba([*TEXTS, "a film"]).max(axis=1)
    assert json.loads(told.stdout)["order"] == sure.argsort(kind="stable").tolist()
