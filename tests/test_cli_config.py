"""A whole audit in a file: what is read, what the command line overrides, and what is wrong with it, by name."""

import json
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from pellucid.cli import config
from pellucid.cli.app import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two models, rows that hold a leak, and functions."""
    skops = pytest.importorskip("skops.io")
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 4)), columns=list("abcd"))
    kind = np.where(frame.sum(axis=1) + 0.3 * rng.normal(size=80) > 0, "yes", "no")
    skops.dump(LogisticRegression().fit(frame, kind), folder / "honest.skops")
    leaking = frame.assign(code=(kind == "yes") * 1.0)
    tree = DecisionTreeClassifier(max_depth=2).fit(leaking, kind)
    skops.dump(tree, folder / "cheat.skops")
    leaking.assign(kind=kind).to_csv(folder / "rows.csv", index=False)
    return folder


@pytest.fixture
def run(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(app, list(args))


def written(folder: Path, text: str, name: str = "audit.yaml") -> str:
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return str(folder / name)


BOTH = """
    data: rows.csv
    label: kind
    methods: [Occlusion]
    rows: 2
    margin: 0
    out: both
    title: Two models
    fail-on: [shortcut]
    models:
      - model: honest.skops
      - model: cheat.skops
        name: a cheat
"""


def test_two_models_in_one_file_and_a_gate_that_one_fails(run, folder):
    result = run("audit", "--config", written(folder, BOTH))
    assert result.exit_code == 3, result.output
    assert "fails on shortcut: a cheat: One column decides" in " ".join(result.stdout.split())
    found = json.loads((folder / "both" / "audit.json").read_text())  # beside the file, not where the command ran
    assert [model["name"] for model in found["models"]] == ["honest.skops", "a cheat"] and found[
        "title"
    ] == "Two models"
    assert [model["methods"][0]["name"] for model in found["models"]] == ["Occlusion", "Occlusion"]
    assert found["gate"]["exit_code"] == 3 and [one["model"] for one in found["gate"]["found"]] == ["a cheat"]
    for model in found["models"]:
        for file in model["records"].values():
            pc.load(folder / "both" / file)


def test_a_clean_model_passes_and_the_command_line_overrides_the_file(run, folder, tmp_path):
    file = written(folder, BOTH.split("models:")[0] + "model: honest.skops\n", "one.yaml")
    result = run("audit", "--config", file, "--rows", "1", "--out", str(tmp_path / "mine"))
    assert result.exit_code == 0, result.output
    assert "gate  passed on shortcut" in result.stdout
    found = json.loads((tmp_path / "mine" / "audit.json").read_text())
    assert len(found["models"][0]["rows"]) == 1 and found["gate"]["passed"]
    again = run("audit", "--config", file, "--rows", "1", "--out", str(tmp_path / "mine"), "--resume", "--json")
    assert again.exit_code == 0 and len(json.loads(again.stdout)["models"][0]["resumed"]["parts"]) > 4


def test_what_could_not_be_told_ends_with_4(run, folder):
    args = ("--model", str(folder / "honest.skops"), "--data", str(folder / "rows.csv"), "--label", "kind")
    result = run("audit", *args, "--budget", "0.000001s", "--fail-on", "shortcut,unstable", "--out", "short")
    assert result.exit_code == 4, result.output
    assert "cannot tell shortcut: honest.skops: no search" in " ".join(result.stdout.split())
    assert json.loads(Path("short/audit.json").read_text())["gate"]["fail_on"] == ["shortcut", "unstable"]


def test_a_misspelled_finding_is_an_error_before_any_work(run, folder):
    result = run("audit", "--model", "no.skops", "--data", "no.csv", "--fail-on", "shortcut,unstabel")
    assert result.exit_code == 2 and "did you mean 'unstable'" in result.stderr and not Path("audit").exists()


def test_the_file_that_is_shown_says_the_same_again(folder, tmp_path):
    args = ["--model", "m.skops", "--data", "rows.csv", "--label", "kind", "--method", "LIME(samples=500)"]
    more = ["--held-out", "--budget", "2m", "--fail-on", "shortcut,unstable", "--trust", "mine.A", "--margin", "0.02"]
    said = CliRunner().invoke(app, ["audit", *args, *more, "--show-config"])
    assert said.exit_code == 0, said.output
    (tmp_path / "a.yaml").write_text(said.stdout)
    made = config.orders(config.read(tmp_path / "a.yaml"), {})
    (one,) = made.models
    assert one.source.given == str(tmp_path / "m.skops") and one.source.trusted == ("mine.A",)
    assert one.data == tmp_path / "rows.csv" and one.label == "kind" and one.held_out is True and one.margin == 0.02
    assert one.methods == (pc.LIME(samples=500),) and made.seconds == 120 and made.fail_on == ("shortcut", "unstable")
    assert made.title == "Audit" and made.out == Path("audit") and one.rows == 8


def test_without_options_an_example_is_shown_that_can_be_read(tmp_path):
    said = CliRunner().invoke(app, ["audit", "--show-config"]).stdout
    (tmp_path / "a.yaml").write_text(said)
    assert config.orders(config.read(tmp_path / "a.yaml"), {}).models[0].name == "model.skops"
    (tmp_path / "b.yaml").write_text(said.replace("\n# ", "\n"))  # every example in it, too
    made = config.orders(config.read(tmp_path / "b.yaml"), {})
    assert set(config.MODEL) | set(config.WHOLE) == {
        line.split(":")[0].lstrip("# ") for line in said.splitlines()[1:] if line
    }
    assert made.models[0].classes == ("no", "yes") and made.seconds == 300


def test_several_models_are_shown_too(folder, tmp_path):
    said = CliRunner().invoke(app, ["audit", "--config", written(folder, BOTH), "--show-config", "--rows", "5"]).stdout
    (tmp_path / "c.yaml").write_text(said)
    made = config.orders(config.read(tmp_path / "c.yaml"), {})
    assert [one.name for one in made.models] == ["honest.skops", "a cheat"]
    assert {one.rows for one in made.models} == {5} and made.title == "Two models"


def test_module_factories_stay_what_they_are(tmp_path):
    (tmp_path / "m.yaml").write_text("model: app.models:build\ndata: x.npy\nclasses: [0, 1]\nheld_out: false\n")
    (one,) = config.orders(config.read(tmp_path / "m.yaml"), {}).models
    assert one.source.given == "app.models:build" and one.classes == ("0", "1") and one.held_out is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labl: kind", "there is no key 'labl': did you mean 'label'?"),
        ("zzz: 1", "there is no key 'zzz': there are model, data"),
        ("rows: many", "rows: expected a whole number from 1 on, got 'many'"),
        ("rows: true", "rows: expected a whole number from 1 on, got True"),
        ("label: no", "label: expected a text, got False: put it in quotes"),
        ("label:", "label: it is empty"),
        ("held-out: maybe", "held-out: expected true or false, got 'maybe'"),
        ("margin: -1", "margin: expected a number from 0 on, got -1"),
        ("methods: [LIMEE]", "methods: there is no method 'LIMEE'. Did you mean 'LIME'?"),
        ("methods: [LIME(sample=3)]", "methods: LIME has no field 'sample'"),
        ("budget: soon", "budget: 'soon' is no length of time"),
        ("fail-on: [shortcuts]", "fail-on: there is no finding 'shortcuts' to fail on: did you mean 'shortcut'?"),
        ("classes: [no, yes]", "classes: yes, no, on and off are read as true and false: put them in quotes"),
        ("classes: no", "classes: expected a list of names, got False"),
        ("label: a\nlabel: b", "the key 'label' is written twice"),
        ("models: []", "models: expected a list, each with its keys"),
        ("models:\n  - model: m.skops\n    out: there", "models[0]: there is no key 'out': it is for the whole audit"),
        ("models:\n  - modle: m.skops", "models[0]: there is no key 'modle': did you mean 'model'?"),
        ("- a\n- b", "holds no keys"),
        ("", "holds no keys"),
        ("label: [", "is no YAML that can be read"),
        ("label: !!python/object/apply:os.system [echo]", "is no YAML that can be read"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(run, tmp_path, text, said):
    (tmp_path / "bad.yaml").write_text(text)
    result = run("audit", "--config", "bad.yaml")
    assert result.exit_code == 1 and said in result.stderr, result.stderr
    assert "bad.yaml" in result.stderr and not (tmp_path / "audit").exists()


def test_what_is_missing_or_double_is_said(run, folder, tmp_path):
    assert "there is no file none.yaml" in run("audit", "--config", "none.yaml").stderr
    (tmp_path / "half.yaml").write_text("model: m.skops\n")
    result = run("audit", "--config", "half.yaml")
    assert result.exit_code == 2 and "Missing option '--data'" in result.stderr
    twice = "data: x.csv\nmodels:\n  - model: a/m.skops\n  - model: b/m.skops\n"
    (tmp_path / "twice.yaml").write_text(twice)
    assert "two models are called 'm.skops'" in run("audit", "--config", "twice.yaml").stderr
    result = run("audit", "--config", written(folder, BOTH), "--model", "other.skops")
    assert result.exit_code == 2 and "--model is for one model, and the file has 2" in result.stderr
    assert "leave --model, --data and --config out" in run("audit", "--demo", "--config", "half.yaml").stderr
