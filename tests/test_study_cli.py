"""`pellucid study`: from kept records to a result without a line of Python."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pandas as pd
import pytest
from click.testing import CliRunner

import pellucid as pc
from pellucid.cli.app import app
from pellucid.studies import human
from study_world import WRONG, simple, world


def run(*arguments):
    return CliRunner().invoke(app, ["study", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def files(tmp_path):
    w = world()
    w.record.save(tmp_path / "sound.npz")
    w.record_broken.save(tmp_path / "broken.npz")
    labels = {
        "predicted": w.said,
        "predicted_other": w.said_broken,
        "predicted_changed": w.said[::-1],
        "truth": w.truth,
        "given": w.said,
    }
    pd.DataFrame(labels).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def made(files, task, *more):
    done = run(
        "make", task, "--labels", files / "labels.csv", "--record", files / "sound.npz", "--out", files / "study", *more
    )
    assert done.exit_code == 0, done.output
    return human.Study.load(files / "study" / "study.json")


BOTH = ("--record", "broken.npz")


@pytest.mark.parametrize(
    ("task", "more", "kind", "questions"),
    [
        ("forward-simulation", ("--examples", 3), "forward simulation", 9),
        ("counterfactual-simulation", BOTH, "counterfactual simulation", 12),
        ("find-bug", BOTH, "find the bug", 12),
        ("better-model", BOTH, "better model", 12),
        ("fix-label", (), "wrong label", 12),
        ("drop-features", ("--wrong", WRONG), "remove features", 1),
        ("decide", ("--accuracy", 0.9), "decide", 12),
    ],
)
def test_every_task_is_made_from_files(files, task, more, kind, questions):
    study = made(files, task, *(files / word if word == "broken.npz" else word for word in more), "--title", "Mine")
    assert {item.kind for item in study.items} == {kind} and len(study.questions) == questions and study.title == "Mine"
    assert study.id in (files / "study" / "study.html").read_text()


def test_from_records_to_a_result(files):
    (files / "consent.txt").write_text("Do you agree?\n")
    study = made(
        files, "forward-simulation", "--when", "beside", "--examples", 0, "--consent", files / "consent.txt", "--within"
    )
    assert study.consent == "Do you agree?" and study.within
    own = files / "study" / "study.json"
    shares = ("--accuracy", "without=0.5", "--accuracy", "with=0.9")
    done = run("rehearse", own, *shares, "--participants", 20, "--out", files / "a.jsonl")
    assert done.exit_code == 0 and "240 answers of 20" in done.output
    result = files / "result.npz"
    done = run(
        "analyze", own, files / "a.jsonl", "--out", result, "--plot", files / "a.png", "--page", files / "a.html"
    )
    told = " ".join(done.output.split())
    assert done.exit_code == 0 and "more than chance explains" in told and "accuracy with 20" in told
    assert (files / "a.png").stat().st_size > 5000 and "data:image/png" in (files / "a.html").read_text()
    told = json.loads(run("analyze", own, files / "a.jsonl", "--json").output)
    assert told["participants"] == 20 and told["verdict"] == pc.load(result).verdict
    assert told["contrasts"][0]["p"] == pc.load(result).contrasts[0].p and told["contrasts"][0]["p_fisher"] is None


def test_power_in_words_and_as_json():
    given = ("--baseline", 0.6, "--effect", 0.15, "--items", 10, "--icc", 0.1)
    plan = human.participants_needed(0.6, 0.15, 10, 0.1)
    assert run("power", *given).output.strip() == f"{plan}."
    told = json.loads(run("power", *given, "--within", "--power", 0.9, "--json").output)
    assert told["each"] == human.participants_needed(0.6, 0.15, 10, 0.1, within=True, power=0.9).each


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("analyze", "ghost.json", "a.jsonl"), "there is no file ghost.json"),
        (("power", "--baseline", 0.9, "--effect", 0.2, "--items", 1, "--icc", 0), "lie between 0 and 1"),
        (("make", "decide", "--record", "sound.npz", "--labels", "labels.csv", "--out", "s"), "needs --accuracy"),
        (("make", "find-bug", "--record", "sound.npz", "--labels", "labels.csv", "--out", "s"), "needs two records"),
        (("make", "fix-label", "--record", "sound.npz", "--out", "s"), "needs a column 'given'"),
        (("make", "fix-label", "--record", "ghost.npz", "--out", "s"), "there is no file ghost.npz"),
    ],
)
def test_what_goes_wrong_is_one_line(files, monkeypatch, arguments, said):
    monkeypatch.chdir(files)
    done = run(*arguments)
    assert done.exit_code == 1 and said in done.output and "Traceback" not in done.output


def test_a_share_that_is_none_is_a_usage_error(files):
    simple().save(files / "study.json")
    done = run("rehearse", files / "study.json", "--accuracy", "with", "--out", files / "a.jsonl")
    assert done.exit_code == 2 and "NAME=SHARE" in done.output


@pytest.mark.slow
def test_the_server_runs_until_it_is_interrupted(tmp_path):
    simple().save(tmp_path / "study.json")
    command = [sys.executable, "-m", "pellucid", "study", "serve", "study.json", "--answers", "a.jsonl", "--port", "0"]
    server = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    try:
        url = server.stdout.readline().split(" is at ")[1].split(",")[0]
        with urllib.request.urlopen(url, timeout=20) as reply:
            assert b"A quiz" in reply.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
