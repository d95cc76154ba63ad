"""The command line as a user meets it: what is printed where, which exit code, which files, and what goes wrong how."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import pellucid as pc
from pellucid.cli import screen
from pellucid.cli.app import app
from pellucid.core.registry import ESTIMATORS, METHODS

MODELS = """
    import ctypes, os, time
    import numpy as np

    WEIGHTS = np.array([1.0, -2.0, 0.5])

    def linear(rows):
        return np.asarray(rows, dtype=float)[:, :3] @ WEIGHTS

    def build_chatty():
        print("building")

        def chatty(rows):
            print("python talks")
            os.write(1, b"a descriptor talks\\n")
            libc = ctypes.CDLL(None)
            libc.printf(b"C talks\\n")
            return linear(rows)

        return chatty

    def slow(rows):
        open("started", "w").close()
        time.sleep(0.2)
        return linear(rows)

    def wrong(rows):
        raise ValueError("the cable is unplugged\\nsecond line")

    def picture(x):
        return np.asarray(x, dtype=float)[:, 0, 0, 0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: a pipeline on a mixed table, its rows, and a module of functions."""
    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 60),
            "income": rng.normal(2000, 500, 60).round(2),
            "city": rng.choice(["Paris", "Rome"], 60),
        }
    )
    kind = np.where(frame["age"] + 0.02 * frame["income"] > 90, "yes", "no")
    encode = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["age", "income"]))
    model = make_pipeline(encode, LogisticRegression()).fit(frame, kind)
    skops = pytest.importorskip("skops.io")
    skops.dump(model, folder / "model.skops")
    frame.assign(kind=kind).to_csv(folder / "rows.csv", index=False)
    numbers = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    numbers.to_csv(folder / "numbers.csv", index=False)
    np.save(folder / "pictures.npy", rng.normal(size=(3, 8, 8, 1)))
    (folder / "cli_probe_models.py").write_text(textwrap.dedent(MODELS))
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command line in the user's folder, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])
    sys.modules.pop("cli_probe_models", None)


def command(*args: Any) -> list[str]:
    return [sys.executable, "-m", "pellucid", *map(str, args)]


TABLE = ("--model", "model.skops", "--data", "rows.csv", "--label", "kind")
NUMBERS = ("--model", "cli_probe_models:linear", "--data", "numbers.csv")


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def failed(result: Result, code: int, said: str) -> None:
    """One line on stderr, nothing on stdout, no traceback."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pellucid: "), result.stderr
    assert re.search(said, lines[0]), result.stderr


# explain


def test_explain_prints_rows_labels_features_and_the_receipt(run):
    result = run("explain", *TABLE, "--rows", "2,0", "--method", "ExactShapley")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    text = result.stdout
    assert text.index("row 2") < text.index("row 0") < text.index("receipt")
    for part in ("age", "income", "city", "label yes", "for yes", "ExactShapley()", "probability"):
        assert part in text
    assert "58 rows of rows.csv, none of them explained here" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_explain_as_json_is_what_the_library_gives(run, folder: Path):
    told = document(run("explain", *TABLE, "--rows", "0:2", "--method", "KernelShap", "--seed", "3", "--json"))
    frame = pd.read_csv(folder / "rows.csv").drop(columns="kind")
    model = pytest.importorskip("skops.io").load(folder / "model.skops", trusted=[])
    record = pc.explain(model, frame.iloc[:2], pc.KernelShap(seed=3), background=frame.iloc[2:])
    assert np.allclose(told["values"], record.values, rtol=0, atol=1e-15)
    assert told["scores"] == record.scores.tolist() and told["feature_names"] == ["age", "income", "city"]
    assert told["data"][0] == [frame["age"][0], frame["income"][0], frame["city"][0]]
    assert told["rows"] == [0, 1] and told["classes"] == ["yes", "yes"]
    assert told["labels"] == pd.read_csv(folder / "rows.csv")["kind"].tolist()[:2]
    assert told["method"] == "KernelShap(samples=None, seed=3, tolerance=None)"
    assert told["receipt"]["rows_forward"] == record.receipt.rows_forward


@pytest.mark.parametrize(
    ("options", "spelled"),
    [
        (["--method", "LIME", "--samples", "60", "--seed", "3"], "LIME(samples=60, seed=3)"),
        (["--method", "LIME(samples=9)", "--samples", "60"], "LIME(samples=60)"),
        (["--method", "KernelShap", "--samples", "5"], "KernelShap(samples=5)"),
        (["--method", "Occlusion", "--baseline", "mean"], "Occlusion(baseline='mean')"),
    ],
)
def test_generated_options_give_the_record_of_the_spelled_method(run, options: list[str], spelled: str):
    by_options = document(run("explain", *NUMBERS, *options, "--json"))
    by_spelling = document(run("explain", *NUMBERS, "--method", spelled, "--json"))
    for one in (by_options, by_spelling):
        for measured in ("seconds", "peak_bytes"):
            del one["receipt"][measured]
    assert by_options == by_spelling


def test_a_field_changes_the_answer(run):
    few = document(run("explain", *NUMBERS, "--method", "LIME", "--samples", "60", "--json"))
    many = document(run("explain", *NUMBERS, "--method", "LIME", "--samples", "600", "--json"))
    assert few["values"] != many["values"]


def test_numbers_that_json_has_not_become_null(run):
    told = document(run("explain", *NUMBERS, "--method", "LIME", "--samples", "60", "--json"))
    assert told["base_values"] == told["gap"] == [None] * 5


def test_reference_rows_from_another_file_are_the_reference(run, folder: Path):
    pd.DataFrame({"a": [1.0], "b": [2.0], "c": [0.0]}).to_csv(folder / "one.csv", index=False)
    told = document(run("explain", *NUMBERS, "--method", "ExactShapley", "--background", "one.csv", "--json"))
    x, weights = np.array(told["data"]), np.array([1.0, -2.0, 0.5])
    assert np.allclose(told["values"], weights * (x - [1, 2, 0]), atol=1e-12)
    assert told["background"] == "1 row of one.csv, none of them explained here"


def test_target_and_masker(run):
    margin = document(run("explain", *TABLE, "--target", "Margin('no', 'yes')", "--method", "Occlusion", "--json"))
    plain = document(run("explain", *TABLE, "--target", "no", "--method", "Occlusion", "--json"))
    assert plain["classes"] == ["no"] * 5 and plain["receipt"]["target"] == "Class(label=0, scale='probability')"
    assert np.allclose(margin["values"], 2 * np.array(plain["values"]), atol=1e-12)
    masked = document(run("explain", *NUMBERS, "--method", "ExactShapley", "--masker", "Baseline(0.5)", "--json"))
    assert np.allclose(masked["values"], np.array([1.0, -2.0, 0.5]) * (np.array(masked["data"]) - 0.5), atol=1e-12)


def test_the_reference_rows_are_drawn_the_same_way_every_time(run):
    args = ("explain", *NUMBERS, "--method", "ExactShapley", "--background-size", "4", "--json")
    first, second = document(run(*args)), document(run(*args))
    assert first["values"] == second["values"] and first["background"].startswith("4 rows of numbers.csv")
    other = document(run(*args[:-3], "--background-size", "5", "--json"))
    assert other["values"] != first["values"]


def test_no_reference_rows_at_all(run):
    told = document(
        run("explain", *NUMBERS, "--method", "Occlusion(baseline='zeros')", "--background-size", "0", "--json")
    )
    assert told["background"] is None
    assert np.allclose(told["values"], np.array([1.0, -2.0, 0.5]) * told["data"], atol=1e-12)
    failed(run("explain", *NUMBERS, "--method", "LIME", "--background-size", "0"), 1, "needs background rows")


def test_record_and_picture_are_written(run, folder: Path):
    result = run("explain", *NUMBERS, "--method", "Occlusion", "--out", "made.npz", "--plot", "made.png", "--rows", "3")
    assert result.exit_code == 0, result.output
    assert "made.npz" in result.stdout and "made.png" in result.stdout and str(folder) not in result.stdout
    assert isinstance(pc.load(folder / "made.npz"), pc.Attribution)
    assert (folder / "made.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob("*.part"))


def test_pictures_have_no_reference_rows_unless_given(run):
    pictures = ("explain", "--model", "cli_probe_models:picture", "--data", "pictures.npy", "--rows", "0")
    told = document(run(*pictures, "--json"))
    assert told["background"] is None and told["receipt"]["method"].startswith("Occlusion(")
    given = document(run(*pictures, "--background", "pictures.npy", "--json"))
    assert given["background"].startswith("2 rows of pictures.npy") and given["values"] != told["values"]
    result = run(*pictures, "--top", "2")
    assert "others together" in result.stdout and "(0, 0)" in result.stdout


def test_a_budget_leaves_rows_out_and_says_so(run):
    told = document(run("explain", *NUMBERS, "--method", "Occlusion", "--budget", "0.000001s", "--json"))
    assert told["done"] == [True] + [False] * 4 and told["values"][1] == [None] * 3
    shown = run("explain", *NUMBERS, "--method", "Occlusion", "--budget", "0.000001s")
    assert "left out: the budget was spent" in shown.stdout


def test_markup_of_the_user_is_only_text(run, folder: Path):
    pd.DataFrame({"[red]a[/red]": [1.0, 2.0], "[/b]": [3.0, 4.0], "c": [0.0, 1.0]}).to_csv("odd.csv", index=False)
    result = run("explain", "--model", "cli_probe_models:linear", "--data", "odd.csv", "--rows", "0")
    assert result.exit_code == 0 and "[red]a[/red]" in result.stdout and "[/b]" in result.stdout


# anchor


def test_anchor_prints_the_rule_with_its_precision_and_coverage_and_keeps_it(run, folder: Path):
    result = run("anchor", *TABLE, "--rows", "2,0", "--threshold", "0.8", "--out", "rules.npz", "--plot", "rules.png")
    assert result.exit_code == 0 and result.stderr == "", result.output
    record, text = pc.load(folder / "rules.npz"), " ".join(result.stdout.split())
    assert isinstance(record, pc.Rules) and record.method == pc.Anchors(threshold=0.8)
    for i in range(2):
        interval = f"{record.precision[i]:.1%} of {record.samples[i]:,} perturbed rows, {record.low[i]:.1%} to"
        assert f"if {record.words(i)}, then {record.answers[i]} precision {interval} {record.high[i]:.1%}" in text
        assert f"applies to {record.coverage[i]:.1%} of 58 background rows" in text
    labels = pd.read_csv(folder / "rows.csv")["kind"]
    assert text.index(f"row 2 label {labels[2]}") < text.index(f"row 0 label {labels[0]}") < text.index("receipt")
    assert "58 rows of rows.csv, none of them explained here" in text and "rules.npz" in text
    assert (folder / "rules.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, result.stdout.splitlines())) <= 80 and "\x1b" not in result.stdout


def test_anchor_as_json_is_what_the_library_gives(run, folder: Path):
    told = document(run("anchor", *TABLE, "--rows", "0:2", "--beam-size", "1", "--seed", "3", "--json"))
    frame = pd.read_csv(folder / "rows.csv").drop(columns="kind")
    model = pytest.importorskip("skops.io").load(folder / "model.skops", trusted=[])
    record = pc.anchor(model, frame.iloc[:2], pc.Anchors(beam_size=1, seed=3), background=frame.iloc[2:])
    assert [[one["words"] for one in rule] for rule in told["rules"]] == [list(map(str, rule)) for rule in record.rules]
    assert told["precision"] == record.precision.tolist() and told["low"] == record.low.tolist()
    assert told["coverage"] == record.coverage.tolist() and told["answers"] == list(record.answers)
    assert told["sentences"] == [record.sentence(0), record.sentence(1)] and told["rows"] == [0, 1]
    assert told["labels"] == pd.read_csv(folder / "rows.csv")["kind"].tolist()[:2] and told["parts"] is None
    spelled = document(run("anchor", *TABLE, "--rows", "0:2", "--method", "Anchors(beam_size=1, seed=3)", "--json"))
    assert spelled["precision"] == told["precision"] and spelled["samples"] == told["samples"]


def test_anchor_says_where_no_rule_is_precise_enough(run):
    shown = run("anchor", *NUMBERS, "--within", "0.001", "--max-size", "1", "--rows", "0", "--budget", "20s")
    assert shown.exit_code == 0, shown.output
    assert "! no rule reached the threshold" in shown.stdout
    given = run("anchor", *NUMBERS, "--within", "100", "--rows", "0")
    assert "whatever the row, then" in given.stdout and "no rule reached" not in given.stdout


def test_help_of_anchor_shows_the_fields_of_its_method(run):
    shown = run("anchor", "--help")
    assert shown.exit_code == 0 and "Options of Anchors" in shown.stdout
    assert "--threshold" in shown.stdout and "the precision wanted" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((*TABLE, "--method", "LIME"), 1, "finds no rules: give Anchors"),
        ((*TABLE, "--threshold", "2"), 2, "expected a share between 0 and 1"),
        ((*TABLE, "--samples", "60"), 2, "No such option '?--samples"),
        ((*TABLE, "--background-size", "0"), 1, "needs background rows"),
        ((*TABLE, "--rows", "60"), 1, "no row 60"),
        ((*TABLE[:-1], "kin"), 1, "no column 'kin'; did you mean 'kind'"),
        (("--model", "cli_probe_models:wrong", "--data", "numbers.csv"), 1, "ValueError: the cable is unplugged on"),
    ],
)
def test_anchor_says_what_is_wrong(run, args: tuple[str, ...], code: int, said: str):
    failed(run("anchor", *args), code, said)


# evaluate


def test_evaluate_judges_a_kept_record(run):
    assert run("explain", *TABLE, "--method", "KernelShap", "--out", "kept.npz").exit_code == 0
    args = ("evaluate", "kept.npz", "--model", "model.skops", "--background", "rows.csv", "--label", "kind")
    told = document(run(*args, "--json"))
    assert [line["metric"] for line in told["lines"]] == ["Deletion", "Insertion", "Stability", "Completeness"]
    assert told["receipt"]["warnings"] == []  # the same reference rows were drawn, so explaining again agrees
    shown = run(*args, "--metric", "Deletion(steps=3)", "--metric", "Completeness")
    assert shown.exit_code == 0 and shown.stderr == ""
    assert "Deletion ↓" in shown.stdout and "passes" in shown.stdout and "Insertion" not in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_evaluate_leaves_out_what_a_record_cannot_answer(run):
    x = np.random.default_rng(0).normal(size=(4, 3))
    pc.Attribution.from_arrays(x, data=x, target=0).save("foreign.npz")
    told = document(run("evaluate", "foreign.npz", "--model", "cli_probe_models:linear", "--json"))
    assert [line["metric"] for line in told["lines"]] == ["Deletion", "Insertion"]
    asked = run("evaluate", "foreign.npz", "--model", "cli_probe_models:linear", "--metric", "Stability")
    failed(asked, 1, "Stability explains anew")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("rows.csv", "--model", "cli_probe_models:linear"), 1, "not a record of pellucid"),
        (("gone.npz", "--model", "cli_probe_models:linear"), 1, "there is no file gone.npz"),
        (("score.npz", "--model", "cli_probe_models:linear"), 1, "holds a Curve: give an Attribution"),
        (("rows.csv",), 2, "Missing option '--model'"),
        (("rows.csv", "--model", "x", "--metric", "Deletio"), 2, "no metric 'Deletio'. Did you mean 'Deletion'"),
        (("rows.csv", "--model", "x", "--metric", "Deletion(step=3)"), 2, "no field 'step'"),
    ],
)
def test_evaluate_says_what_is_wrong(run, args: tuple[str, ...], code: int, said: str):
    pc.Curve(metric="m", higher_is_better=True, value=np.ones(1), receipt=pc.Receipt(method="m")).save("score.npz")
    failed(run("evaluate", *args), code, said)


# compare


def test_compare_says_where_methods_disagree_and_whom_the_evidence_supports(run, folder: Path):
    args = ("compare", *TABLE, "--rows", "0:8", "--method", "ExactShapley", "--method", "LIME(samples=300)", "--metric")
    told = document(run(*args, "Deletion(steps=3)", "--json", "--out", "both.npz", "--plot", "both.png"))
    assert told["names"] == ["ExactShapley", "LIME"] and len(told["sentences"]) == len(told["disputes"]) == 1
    assert told["disputes"][0]["first"] == "ExactShapley" and (folder / "both.png").stat().st_size > 5000
    assert pc.load(folder / "both.npz").disputes[0].sentence == told["sentences"][0]
    shown = run(*args, "Deletion(steps=3)")
    assert shown.exit_code == 0 and shown.stderr == ""
    assert "rank correlation / Kendall's tau / shared top 1" in shown.stdout
    assert told["sentences"][0][:40] in " ".join(shown.stdout.split()) and "receipt" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    failed(run("compare", *TABLE, "--method", "Deletion"), 2, "there is no method 'Deletion'")


# advise


def test_advise_reads_the_cards_and_measures_where_there_is_a_model(run, folder: Path):
    told = document(run("advise", "--access", "black box", "--modality", "table", "--json"))
    assert told["choice"] == told["suggestions"][0]["name"] and not told["trials"]
    shown = run("advise", "--question", "what is enough?")
    assert shown.exit_code == 0 and "1. Anchors" in shown.stdout and "pc.rivals" in shown.stdout
    args = ("advise", *TABLE, "--background-size", "2", "--rows", "0:20", "--budget", "10min", "--plot", "advice.png")
    measured = run(*args, "--out", "advice.npz")
    assert measured.exit_code == 0, measured.output
    text = " ".join(measured.stdout.split())
    assert "measured faithfulness" in text and "choice" in text and "receipt" in text
    assert max(map(len, measured.stdout.splitlines())) <= 80
    assert pc.load(folder / "advice.npz").trials and (folder / "advice.png").stat().st_size > 5000
    failed(run("advise", "--model", "model.skops"), 2, "--model and --data go together")
    failed(run("advise", "--access", "telepathy"), 1, "one or several of black box")


# audit


QUICK = ("--method", "ExactShapley", "--rows", "3")


@pytest.mark.slow
def test_audit_writes_the_page_and_says_what_it_found(run, folder: Path):
    result = run("audit", *TABLE, *QUICK, "--by", "city", "--held-out", "--out", "checked")
    assert result.exit_code == 0, result.output
    assert result.stderr == "" and "\x1b" not in result.stdout and str(folder) not in result.stdout
    assert result.stdout.rstrip().endswith("checked/audit.html") and "ExactShapley" in result.stdout
    found = json.loads((folder / "checked" / "audit.json").read_text())
    (model,) = found["models"]
    assert model["name"] == "model.skops" and {group["group"] for group in model["groups"]} == {"Paris", "Rome"}
    assert [method["name"] for method in model["methods"]] == ["ExactShapley"]
    for name in model["records"].values():
        assert pc.load(folder / "checked" / name).receipt.method
    page = (folder / "checked" / "audit.html").read_text()
    assert "ExactShapley" in page and str(folder) not in page
    assert not list((folder / "checked").rglob("*.part"))


def test_audit_as_json_is_its_file(run, folder: Path):
    told = run("audit", *TABLE, *QUICK, "--out", "again", "--json")
    assert told.stdout == (folder / "again" / "audit.json").read_text()
    assert document(told)["models"][0]["methods"]


@pytest.mark.slow
def test_audit_of_functions_arrays_and_given_reference_rows(run, folder: Path):
    x = np.random.default_rng(0).normal(size=(30, 3))
    np.savez(folder / "both.npz", x=x, y=x @ [1.0, -2.0, 0.5])
    np.save(folder / "zero.npy", np.zeros((1, 3)))
    args = ("--model", "cli_probe_models:linear", "--data", "both.npz", "--label", "y", "--background", "zero.npy")
    told = document(run("audit", *args, *QUICK, "--out", "function", "--json"))
    assert told["models"][0]["performance"]["r2"] == pytest.approx(1)
    record = pc.load(folder / "function" / told["models"][0]["records"]["ExactShapley values"])
    assert np.allclose(record.values, record.data * [1.0, -2.0, 0.5], atol=1e-12)


def test_a_budget_is_kept_and_what_it_left_out_is_said(run, folder: Path):
    result = run("audit", *TABLE, "--budget", "0.000001s", "--out", "short")
    assert result.exit_code == 0, result.output
    assert "left out: " in result.stdout and "the budget of 1e-06 seconds" in result.stdout
    found = json.loads((folder / "short" / "audit.json").read_text())
    assert found["left_out"] and found["warnings"][-1]["code"] == "left-out"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((), 2, "Missing option '--model'; or audit --demo"),
        (("--model", "model.skops"), 2, "Missing option '--data'"),
        (("--demo", "--data", "rows.csv"), 2, "--demo brings its own models and data"),
        ((*TABLE, "--budget", "soon"), 2, "write 60s"),
        ((*TABLE, "--method", "shap"), 2, "there is no method 'shap'"),
        ((*TABLE, "--by", "town"), 1, "--by: rows.csv has no column 'town'; it has age, income, city"),
        ((*TABLE[:-1], "kin"), 1, "no column 'kin'; did you mean 'kind'"),
        ((*TABLE, "--method", "PermutationImportance"), 1, "does not explain single outputs"),
        (("--model", "cli_probe_models:wrong", "--data", "numbers.csv"), 1, "ValueError: the cable is unplugged on"),
    ],
)
def test_audit_says_what_is_wrong(run, folder: Path, args: tuple[str, ...], code: int, said: str):
    failed(run("audit", *args, "--out", "failed"), code, said)
    assert not (folder / "failed").exists()


# methods


def test_methods_lists_every_method_with_its_card(run):
    result = run("methods")
    assert result.exit_code == 0 and max(map(len, result.stdout.splitlines())) <= 80
    text = " ".join(result.stdout.split())
    for name in (*METHODS, *ESTIMATORS):
        card = getattr(pc, name).card
        assert name in text and " ".join(card.question.split()[:3]) in text
        assert f"{card.verb}, needs: {card.access}" in text
    listed = document(run("methods", "--json"))
    assert [one["name"] for one in listed] == [*METHODS, *ESTIMATORS]
    assert all(one["card"]["question"] == getattr(pc, one["name"]).card.question for one in listed)


@pytest.mark.parametrize("name", [*METHODS, *ESTIMATORS, "Deletion", "Grid", "Margin"])
def test_one_method_in_full(run, name: str):
    result = run("methods", name)
    assert result.exit_code == 0, result.output
    told = document(run("methods", name, "--json"))
    for field in told["fields"]:
        assert field["name"] in result.stdout
    if told["kind"] == "method":
        assert told["card"]["paper"] and told["about"]


def test_an_unknown_method(run):
    failed(run("methods", "kernelshap"), 2, "Did you mean 'KernelShap'")


# what goes wrong


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((), 2, "Missing option '--model'"),
        (("--model", "model.skops"), 2, "Missing option '--data'"),
        ((*TABLE, "--zzz"), 2, "No such option '?--zzz"),
        ((*TABLE, "--method", "kernelshap"), 2, "Did you mean 'KernelShap'"),
        ((*TABLE, "--method", "LIME", "--samples", "0"), 2, "expected a positive number"),
        ((*TABLE, "--method", "LIME", "--samples", "many"), 2, "expected: integer"),
        ((*TABLE, "--masker", "Colums()"), 2, "Did you mean 'Columns'"),
        ((*TABLE, "--rows", "one"), 2, "write 3, or 0:5"),
        ((*TABLE, "--budget", "soon"), 2, "write 60s"),
        ((*TABLE, "--out", "gone/record.npz"), 2, "there is no folder 'gone'"),
        ((*TABLE, "--out", "record.pkl"), 2, "has to end in .npz"),
        ((*TABLE, "--plot", "picture.txt"), 2, "has to end in .png"),
        ((*TABLE, "--rows", "60"), 1, "no row 60; rows.csv has 60 rows, numbered 0 to 59"),
        ((*TABLE, "--target", "maybe"), 1, "no class 'maybe'; its classes are no, yes"),
        ((*TABLE, "--target", "7"), 1, "target 7 is out of range"),
        ((*TABLE, "--method", "Saliency"), 1, "needs gradients"),
        ((*TABLE, "--method", "PermutationImportance"), 1, "does not explain single outputs"),
        ((*TABLE[:-1], "kin"), 1, "no column 'kin'; did you mean 'kind'"),
        (("--model", "model.skops", "--data", "numbers.csv"), 1, "no column 'age', which the model was fitted with"),
        (("--model", "model.skops", "--data", "gone.csv"), 1, "there is no file gone.csv"),
        (("--model", "gone.skops", "--data", "rows.csv"), 1, "there is no such file"),
        (("--model", "rows.csv", "--data", "rows.csv"), 1, "not a model that can be opened"),
        (("--model", "model.pkl", "--data", "rows.csv"), 1, "there is no such file|runs whatever code"),
        (("--model", "cli_probe_models:linaer", "--data", "numbers.csv"), 1, "Did you mean 'linear'"),
        (("--model", "cli_probe_models:wrong", "--data", "numbers.csv"), 1, "ValueError: the cable is unplugged on"),
    ],
)
def test_explain_says_what_is_wrong_in_one_line(run, args: tuple[str, ...], code: int, said: str):
    failed(run("explain", *args), code, said)
    failed(run("explain", *args, "--json"), code, said)


def test_no_such_command(run):
    failed(run("explian"), 2, "No such command 'explian'. Did you mean 'explain'")


def test_a_bad_line_of_the_data(run, folder: Path):
    (folder / "bad.csv").write_text("a,b,c\n1,2,3\n1,2\n")
    failed(run("explain", *NUMBERS[:-1], "bad.csv"), 1, "bad.csv, line 3: 2 fields, the header has 3")


def test_a_word_among_numbers_is_told_and_remembered_when_the_model_refuses(run, folder: Path):
    lines = (folder / "rows.csv").read_text().splitlines()
    lines[2] = "forty," + lines[2].partition(",")[2]
    (folder / "doubtful.csv").write_text("\n".join(lines))
    result = run("explain", *TABLE[:3], "doubtful.csv", *TABLE[4:], "--rows", "0:3", "--method", "Occlusion")
    assert result.exit_code == 1 and result.stdout == ""
    told, refused = result.stderr.splitlines()
    assert told == "warning: doubtful.csv, line 3: column 'age' holds 'forty', and almost every other row a number."
    assert "could not convert string to float: 'forty'" in refused and "line 3: column 'age'" in refused


def test_a_folder_that_cannot_be_written_to_is_an_error_in_one_line(run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device", "kept.npz")

    monkeypatch.setattr(np, "savez_compressed", full)
    failed(
        run("explain", *NUMBERS, "--method", "Occlusion", "--out", "full.npz"), 1, "No space left on device: kept.npz"
    )
    assert not (folder / "full.npz").exists() and not list(folder.glob("*.part"))


def test_a_message_of_several_lines_is_one_line(run, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: Any) -> None:
        raise pc.InputError("one\n  two")

    monkeypatch.setattr("pellucid.cli.data.choose", refuse)
    failed(run("explain", *NUMBERS), 1, "one two$")


def test_out_of_memory_is_one_line(run, monkeypatch: pytest.MonkeyPatch):
    def grow(*args: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("pellucid.cli.data.choose", grow)
    failed(run("explain", *NUMBERS), 1, "out of memory")


def test_warnings_of_other_libraries_name_no_place_on_this_machine(run, folder: Path):
    code = (
        "import warnings\ndef warner(rows):\n    warnings.warn('mind\\nthe gap', UserWarning)\n    return rows['a']\n"
    )
    (folder / "cli_probe_warner.py").write_text(code)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = run("explain", "--model", "cli_probe_warner:warner", *NUMBERS[2:], "--method", "Occlusion")
    assert result.exit_code == 0
    assert set(result.stderr.splitlines()) == {"warning: mind the gap"}


# stdout, terminals, interrupts: real processes


def test_what_a_model_prints_in_this_process_goes_to_stderr(run):
    result = run("explain", "--model", "cli_probe_models:build_chatty", *NUMBERS[2:], "--rows", "0", "--json")
    assert document(result)["rows"] == [0]
    assert "building" in result.stderr and "python talks" in result.stderr


@pytest.mark.slow
def test_what_a_model_prints_never_reaches_stdout(folder: Path):
    args = command("explain", "--model", "cli_probe_models:build_chatty", *NUMBERS[2:], "--rows", "0", "--json")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # C buffers only without it
    done = subprocess.run(args, cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == [0]
    for said in ("building", "python talks", "a descriptor talks", "C talks"):
        assert said in done.stderr


HEAVY = ("torch", "sklearn", "matplotlib", "pandas", "scipy", "numba", "skops")


def test_help_imports_nothing_heavy(folder: Path):
    code = f"""
import sys
from click.testing import CliRunner
from pellucid.cli.app import app
for args in (["--help"], ["--version"], *([name, "--help"] for name in app.commands)):
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.slow
def test_python_m_pellucid_and_its_exit_codes(folder: Path):
    def code(*args: str) -> tuple[int, str]:
        done = subprocess.run(command(*args), cwd=folder, capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    assert code("--version") == (0, "")
    assert code("explain")[0] == 2
    status, said = code("explain", "--model", "gone.skops", "--data", "numbers.csv")
    assert status == 1 and said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--out", "late.npz", "--plot", "late.png"], ["--json"]])
def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(folder: Path, options: list[str]):
    (folder / "started").unlink(missing_ok=True)
    (folder / "late.npz").write_bytes(b"an older record")
    before = {path.name for path in folder.iterdir() if path.name != "__pycache__"}
    args = command("explain", "--model", "cli_probe_models:slow", *NUMBERS[2:], "--method", "LIME", *options)
    process = subprocess.Popen(args, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "started").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == "" and err.split("\n") == ["", "pellucid: interrupted", ""]
    after = {path.name for path in folder.iterdir() if path.name not in ("__pycache__", "started")}
    assert after == before and (folder / "late.npz").read_bytes() == b"an older record"


@pytest.mark.slow
def test_an_interrupted_audit_leaves_its_finished_records_readable(folder: Path):
    (folder / "started").unlink(missing_ok=True)
    args = command(
        "audit", "--model", "cli_probe_models:slow", *NUMBERS[2:], "--method", "Occlusion", "--method", "LIME"
    )
    made = folder / "audit" / "records" / "occlusion-values.npz"
    process = subprocess.Popen(args, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not made.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert [line for line in err.splitlines() if line] == [
        "warning: what was finished is in audit/audit.html.",
        "pellucid: interrupted",
    ]
    assert len(pc.load(made)) == 8
    found = json.loads((folder / "audit" / "audit.json").read_text())
    assert found["models"][0]["records"] and "interrupted" in {left["why"] for left in found["left_out"]}
    assert not list((folder / "audit").rglob("*.part"))


def on_a_terminal(args: list[str], cwd: Path) -> tuple[int, str, str]:
    """Run with stderr on a terminal: exit code, stdout, what the terminal showed."""
    master, slave = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"}
    shown = b""
    with subprocess.Popen(args, cwd=cwd, stdout=subprocess.PIPE, stderr=slave, text=True, env=env) as process:
        os.close(slave)
        with contextlib.suppress(OSError):  # the terminal closes with the process
            while process.poll() is None or select.select([master], [], [], 0)[0]:
                if select.select([master], [], [], 0.1)[0]:
                    shown += os.read(master, 65536)
        os.close(master)
        assert process.stdout is not None
        return process.wait(), process.stdout.read(), shown.decode()


@pytest.mark.slow
def test_progress_with_the_time_left_is_on_the_terminal_only(folder: Path):
    args = command(
        "explain", "--model", "cli_probe_models:slow", *NUMBERS[2:], "--method", "Occlusion", "--rows", "0:3", "--json"
    )
    code, out, shown = on_a_terminal(args, folder)
    assert code == 0 and json.loads(out)["rows"] == [0, 1, 2]
    assert "explaining" in shown and "left" in shown
    assert re.search(r"/\d+ model rows", shown)


# the page


def test_bars_tell_the_sign_without_colour():
    up, down, none = (screen._bar(value, 2.0).plain for value in (2.0, -1.0, 0.0))
    assert up == " " * 8 + "│" + "█" * 8
    assert down == "    ████│" + " " * 8
    assert none == " " * 8 + "│" + " " * 8


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.23456, -0.5], ["+1.235", "-0.500"]),
        ([123456.7, 2], ["+123457", "+2"]),
        ([0.00123456, -0.0001], ["+0.001235", "-0.000100"]),
        ([1e-9, 0], ["+1.00e-09", "+0.00e+00"]),
        ([0, 0], ["+0.000", "+0.000"]),
        ([np.nan, 2.0], ["+nan", "+2.000"]),
    ],
)
def test_a_column_of_numbers_has_one_format(values: list[float], shown: list[str]):
    write = screen._writer(np.array(values))
    assert [write(value) for value in values] == shown


# counterfactual


def test_counterfactual_prints_sentences_and_keeps_to_its_constraints(run, folder: Path):
    rows = pd.read_csv(folder / "rows.csv")
    fixed = next(name for name in rows.columns if name != "kind")
    asked = ("counterfactual", *TABLE, "--rows", "0,3", "--constraint", f"Immutable({fixed!r})")
    result = run(*asked, "--answers", "2", "--out", "c.npz", "--plot", "c.png")
    assert result.exit_code == 0 and result.stderr == "", result.output
    record, text = pc.load(folder / "c.npz"), " ".join(result.stdout.split())
    assert isinstance(record, pc.Counterfactuals) and record.method == pc.Wachter(answers=2) and record.valid.all()
    assert " ".join(record.sentence(0).split()) in text and "row 3" in text and "receipt" in text
    assert not record.changed[:, list(record.feature_names).index(fixed)].any()
    assert (folder / "c.png").read_bytes().startswith(b"\x89PNG")
    told = document(run(*asked, "--method", "Recourse", "--json"))
    assert all(ok or "proven" in reason for ok, reason in zip(told["valid"], told["reason"], strict=True))
    hidden = run(*asked[:-2], "--method", "SEDC", "--masker", "Baseline('mean')", "--json")
    assert hidden.exit_code == 0, hidden.output + hidden.stderr
    assert document(hidden)["receipt"]["masker"] == "Baseline(value='mean')"
    wrong = run(*asked[:-1], "Immutable('nowhere')")
    assert wrong.exit_code != 0 and "no column 'nowhere'" in wrong.stderr
