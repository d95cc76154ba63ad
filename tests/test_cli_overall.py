"""The commands about a model as a whole, about pairs of columns, and about what an explanation would cost."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from click.testing import CliRunner, Result
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from pellucid.cli.app import app

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=80), "b <i>": RNG.normal(size=80), "c": RNG.choice([0.0, 1.0], size=80)})
KIND = np.where(FRAME["a"] * np.where(FRAME["c"] > 0, 1, -1) > 0, "yes", "no")
TREE = DecisionTreeClassifier(max_depth=4, random_state=0).fit(FRAME, KIND)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    skops.io.dump(TREE, "tree.skops")
    skops.io.dump(LinearRegression().fit(FRAME.to_numpy(), FRAME.to_numpy() @ [1.0, 2.0, 0.0]), "line.skops")
    FRAME.assign(kind=KIND).to_csv("rows.csv", index=False)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


TABLE = ("--model", "tree.skops", "--data", "rows.csv", "--label", "kind")


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def test_importance_is_the_verbs_own(run):
    made = document(run("importance", *TABLE, "--repeats", 7, "--json"))
    known = pc.importance(TREE, FRAME, KIND, pc.PermutationImportance(repeats=7))
    assert made["names"] == list(FRAME.columns) and made["mean"] == pytest.approx(known.mean)
    assert np.shape(made["interval"]) == (3, 2) and made["metric"] == "accuracy"
    page = run("importance", *TABLE, "--group", "both=a,c", "--metric", "neg_log_loss", "--plot", "bars.png")
    assert (
        page.exit_code == 0 and "both" in page.stdout and "neg_log_loss" in page.stdout and Path("bars.png").is_file()
    )


def test_importance_by_shapley_values_needs_no_labels(run):
    made = document(
        run("importance", *TABLE[:4], "--label", "kind", "--method", "ShapImportance(TreeShap())", "--json")
    )
    known = pc.importance(TREE, FRAME, method=pc.ShapImportance(pc.TreeShap()))
    assert made["mean"] == pytest.approx(known.mean)


def test_importance_by_interaction(run):
    made = document(
        run("importance", *TABLE[:4], "--method", "FriedmanH", "--beside", "c", "--target", "yes", "--json")
    )
    known = pc.importance(TREE, FRAME, method=pc.FriedmanH(beside="c"), target="yes")
    assert (
        made["mean"][:2] == pytest.approx(known.mean[:2]) and made["mean"][2] is None and made["metric"] == "H² with c"
    )
    line = ("--model", "line.skops", *TABLE[2:], "--method", "FriedmanH", "--beside", "a", "--json")
    adds = document(run("importance", *line))  # fitted to an array: the columns have names in the file alone
    assert adds["names"] == list(FRAME.columns) and adds["metric"] == "H² with a" and adds["mean"] == [None, 0, 0]
    told = run("importance", *TABLE, "--method", "FriedmanH")
    assert told.exit_code == 0 and "mean score" in told.stdout


def test_importance_without_labels_says_so(run):
    result = run("importance", *TABLE[:4])
    assert result.exit_code == 1 and "needs the true labels" in result.stderr and "Traceback" not in result.output
    result = run("importance", *TABLE, "--group", "money")
    assert result.exit_code == 2 and "write money=income,debt" in result.stderr


def test_effect_of_one_column_and_of_two(run):
    made = document(run("effect", *TABLE, "--feature", "a", "--target", "yes", "--points", 5, "--json"))
    known = pc.effect(TREE, FRAME, "a", pc.PartialDependence(points=5), target="yes")
    assert made["mean"] == pytest.approx(known.mean) and made["grid"] == pytest.approx(known.grid)
    two = run(
        "effect", *TABLE, "--feature", "a", "--feature", "c", "--target", "yes", "--plot", "two.png", "--out", "two.npz"
    )
    assert two.exit_code == 0 and "receipt" in two.stdout and Path("two.png").is_file()
    assert pc.load("two.npz").features == ("a", "c")
    assert run("effect", *TABLE, "--feature", "age").exit_code == 1


def test_columns_of_a_model_of_arrays_keep_their_names(run):
    line = ("--model", "line.skops", "--data", "rows.csv", "--label", "kind", "--json")
    made = document(run("effect", *line, "--feature", "b <i>", "--points", 3))
    assert made["features"] == ["b <i>"] and np.ptp(made["mean"]) == pytest.approx(2 * np.ptp(made["grid"]))
    pairs = document(run("interact", *line, "--rows", "0:2"))
    assert pairs["feature_names"] == list(FRAME.columns)


def test_interact_shows_pairs_and_draws_them(run):
    args = ("interact", *TABLE, "--rows", "0:2", "--method", "TreeShap", "--background-size", 0, "--target", "yes")
    made = document(run(*args, "--json"))
    assert np.allclose(made["values"], pc.interact(TREE, FRAME[:2], pc.TreeShap(), target="yes").values)
    page = run(*args, "--plot", "pairs.png")
    assert page.exit_code == 0 and "row 0" in page.stdout and Path("pairs.png").is_file()


def test_summarize_reads_what_explain_kept(run):
    assert run("explain", *TABLE, "--rows", "0:30", "--out", "why.npz").exit_code == 0
    made = document(run("summarize", "why.npz", "--k", 2, "--json"))
    assert made["indices"] == pc.summarize(pc.load("why.npz"), pc.SubmodularPick(k=2)).indices.tolist()
    assert "receipt" in run("summarize", "why.npz").stdout
    result = run("summarize", "gone.npz")
    assert result.exit_code == 1 and "there is no file" in result.stderr


def test_estimate_says_what_explain_would_cost(run):
    args = (
        *TABLE[:4],
        "--label",
        "kind",
        "--method",
        "KernelShap(samples=6)",
        "--background-size",
        10,
        "--rows",
        "0:20",
    )
    made = document(run("estimate", *args, "--json"))
    spent = pc.load(kept(run, args)).receipt.rows_forward
    assert made["rows"] == 20 and made["rows_forward"] == spent
    assert "model rows" in run("estimate", *args).stdout


def kept(run, args) -> str:
    assert run("explain", *args, "--out", "all.npz").exit_code == 0
    return "all.npz"
