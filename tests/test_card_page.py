"""The page of a model that can be read, and `pellucid distill`: words, escaping, files, JSON, bad input."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import skops.io
from click.testing import CliRunner
from sklearn.ensemble import RandomForestClassifier

import pellucid as pc
from pellucid.cli.app import app
from pellucid.report.card_page import render
from test_rule_list import people

EVIL = "<script>alert(1)</script>"


@pytest.mark.parametrize("kind", [pc.RuleList, pc.DecisionSet, pc.ScoringSystem])
def test_a_card_is_one_page_with_all_that_it_says(kind, tmp_path):
    X, y = people()
    model = kind(**({"max_rounds": 0} if kind is pc.ScoringSystem else {})).fit(X, y)
    card = pc.model_card(model)
    page = pc.card_page(card, tmp_path / "card.html", title="Pay").read_text(encoding="utf-8")
    assert "<h1>Pay</h1>" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
    for line in card.terms if kind is pc.ScoringSystem else [rule.words for rule in card.rules]:
        assert line.replace("<", "&lt;").replace(">", "&gt;") in page
    if kind is pc.ScoringSystem:
        assert page.count("<tr>") == len(card.terms) + len(card.totals) + 3 and "____" in page
    assert card.receipt.notes[0] in page.replace("&#39;", "'")


def test_what_a_user_named_is_no_markup():
    X, y = people()
    X = X.rename(columns={"age": EVIL})
    for made in (pc.RuleList(penalty=0.0), pc.ScoringSystem(max_rounds=0)):
        page = render(pc.model_card(made.fit(X, np.where(y == ">50k", EVIL, "no"))), title=EVIL)
        assert "<script" not in page and "&lt;script&gt;" in page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("distill")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 3)), columns=["height", "weight", "age"])
    y = np.where((X["height"] > 0) & (X["age"] > -0.5), "yes", "no")
    skops.io.dump(RandomForestClassifier(20, random_state=0).fit(X.to_numpy(), y), path / "model.skops")
    X.assign(kind=y).to_csv(path / "rows.csv", index=False)
    return path


def run(folder, *more):
    given = ["distill", "--model", str(folder / "model.skops"), "--data", str(folder / "rows.csv"), "--label", "kind"]
    return CliRunner().invoke(app, [*given, *more])


def test_the_command_prints_rules_in_words_and_writes_the_card(folder):
    done = run(
        folder,
        "--into",
        "rules",
        "--page",
        str(folder / "c.html"),
        "--out",
        str(folder / "c.npz"),
        "--plot",
        str(folder / "c.png"),
    )
    assert done.exit_code == 0, done.output
    card = pc.load(folder / "c.npz")
    assert all(" ".join(line.split()) in " ".join(done.output.split()) for line in card.sentences())
    assert "height" in done.output and "fresh rows it gives the same answer in" in " ".join(done.output.split())
    assert (folder / "c.html").read_text().startswith("<!DOCTYPE html>") and (folder / "c.png").stat().st_size > 5000


def test_json_has_fidelity_card_and_sentences(folder):
    done = run(folder, "--into", "tree", "--fresh", "0.5", "--seed", "2", "--json")
    told = json.loads(done.stdout)
    assert told["fidelity"]["rows_fresh"] == 120 and told["fidelity"]["fresh"][0] > 0.9
    assert len(told["sentences"]) == len(told["card"]["rules"]) and any("height" in line for line in told["sentences"])
    assert told == json.loads(run(folder, "--into", "tree", "--fresh", "0.5", "--seed", "2", "--json").stdout) | {
        "fidelity": told["fidelity"]
    }


def test_scores_and_bad_input(folder):
    done = run(folder, "--into", "linear", "--target", "yes")
    assert done.exit_code == 0 and "R²" in done.output and "x height" in done.output
    assert run(folder, "--into", "net").exit_code == 2
    wrong = run(folder, "--into", "rules", "--target", "yes")
    assert wrong.exit_code == 1 and "learns classes" in " ".join(wrong.output.split())
