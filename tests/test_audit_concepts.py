"""The audit asks about concepts: a planted mark raises its class, examples of nothing are not reported, and more pages know it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import pellucid as pc
from audit_models import small_digits, small_network
from pellucid.cli.app import app
from pellucid.report import concepts
from pellucid.report.page import render
from pellucid.report.subject import subject

CLASSES = [str(digit) for digit in range(10)]


def sets(count: int = 40) -> dict[str, np.ndarray]:
    """Digits that are no 8: with the mark that 8 was planted with, without, and two halves of nothing in particular."""
    pictures, answers = small_digits().train
    others = pictures[answers != 8][: 4 * count].copy()
    marked = others[:count].copy()
    marked[:, :, 0:2, 6:8] = 1.0
    return {"mark": marked, "nothing": others[count : 2 * count], "random": others[2 * count :]}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """The direction in closed form; the rest as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concepts, "METHOD", pc.TCAV(cav="mean-difference"))
        yield


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("concepts")
    made = pc.audit(small_network(8), *asked(), concepts=sets(), out=folder, **QUICK)
    return folder, made


def asked():
    x, y = small_digits(8).test
    return x[:120], y[:120]


QUICK = {"methods": ["Saliency"], "rows": 2, "classes": CLASSES}


def test_the_planted_mark_raises_its_class_and_nothing_else_is_told(audited):
    _, made = audited
    said = subject(small_network(8), *asked(), CLASSES, None)
    counts = np.bincount(said.predicted, minlength=10)
    commonest = [CLASSES[c] for c in np.argsort(-counts, kind="stable")[:3]]
    assert list(made.concepts) == commonest
    for called, record in made.concepts.items():
        assert record.target.label == int(called) and record.layers[0] == "4" and len(record) == 2
        assert record.sensitivity.shape[2] == min(100, counts[int(called)])
        assert record.level == pytest.approx(0.05 / 3) and "random" not in record.concepts
        assert record.accuracy[0, 0] > 0.9


def test_the_class_with_the_mark():
    """Asked about 8 itself: the mark raises it in all pictures, and lowers the others'."""
    s = subject(small_network(8), *asked(), CLASSES, None)
    eight, one = (concepts.search(s, sets(), column) for column in (8, 1))
    assert eight.scores[0, 0] > 0.95 and eight.significant[0, 0]
    assert one.scores[0, 0] < 0.5
    assert not eight.reported[1, 0] or not eight.significant[1, 0]
    direct = pc.concepts(
        small_network(8),
        {k: v for k, v in sets().items() if k != "random"},
        pc.TCAV(cav="mean-difference", level=0.05 / 3),
        layer="4",
        inputs=s.X[s.predicted == 8],
        target=8,
        random=sets()["random"],
    )
    np.testing.assert_array_equal(eight.runs, direct.runs)
    assert eight.receipt.rows_forward == direct.receipt.rows_forward + 1


def test_page_and_json_say_it_and_a_resumed_audit_takes_it_over(audited):
    folder, made = audited
    page, told = (folder / "audit.html").read_text(), json.loads((folder / "audit.json").read_text())
    assert "Which concepts raise its answers?" in page and page.count('alt="concepts behind') == 3
    lines = told["models"][0]["concepts"]
    assert [(line["class"], line["concept"]) for line in lines] == [
        (c, name) for c in made.concepts for name in ("mark", "nothing")
    ]
    first = next(iter(made.concepts.values()))
    assert lines[0]["score"] == pytest.approx(first.scores[0, 0]) and lines[0]["layer"] == "4"
    assert all((line["score"] is None) == (line["not_reported"] is not None) for line in lines)
    again = pc.audit(small_network(8), *asked(), concepts=sets(), out=folder, resume=True, **QUICK)
    assert sum("concepts that raise" in part for part in again.resumed["parts"]) == 3
    other = pc.audit(small_network(8), *asked(), concepts=sets(41), out=folder, resume=True, budget=1e-9, **QUICK)
    assert not other.resumed["parts"] and "data differ" in other.resumed["anew"]
    kept = pc.load(again.save(folder / "whole.npz"))
    np.testing.assert_array_equal(next(iter(kept.concepts.values())).runs, first.runs)
    without = render([replace(made, concepts={})])
    assert "Which concepts" not in without


def test_tables_are_left_out_and_sets_that_fit_nothing_refused():
    frame = pd.DataFrame({"a": np.arange(30.0), "b": np.ones(30)})
    made = pc.audit(
        lambda rows: rows["a"].to_numpy(), frame, concepts={"x": np.ones((3, 2))}, methods=["Occlusion"], rows=2
    )
    assert any("networks that tell classes of pictures" in left["why"] for left in made.left_out)
    with pytest.raises(pc.InputError, match="nothing to tell it from"):
        pc.audit(small_network(8), *asked(), concepts={"mark": sets()["mark"]}, **QUICK)
    with pytest.raises(pc.InputError, match="bring them to one shape"):
        pc.audit(small_network(8), *asked(), concepts={**sets(), "flat": np.ones((4, 64))}, **QUICK)


def test_one_number_speaks_for_the_second_class():
    from torch import nn

    net = small_network(8)
    alone = nn.Sequential(*net[:-1], nn.Linear(256, 1)).eval()
    alone[-1].weight.data[:], alone[-1].bias.data[:] = net[-1].weight[8], net[-1].bias[8]
    x, y = asked()
    s = subject(alone, x, (y == 8).astype(int), ["other", "eight"], None)
    assert concepts.classes(s) == [1]
    made = concepts.search(s, sets(), 1)
    assert made.scores[0, 0] > 0.95


def test_a_folder_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").mkdir()
    for name, examples in sets().items():
        np.save(tmp_path / "kept" / f"{name}.npy", examples)
    x, y = asked()
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    (tmp_path / "audited_net.py").write_text("from audit_models import small_network\n\nnet = small_network(8)\n")
    arguments = ["audit", "--model", "audited_net:net", "--data", "rows.npz", "--label", "y", "--method", "Saliency"]
    run = CliRunner().invoke(app, [*arguments, "--rows", "2", "--concepts", "kept", "--json"])
    assert run.exit_code == 0, run.output
    lines = json.loads(run.stdout)["models"][0]["concepts"]
    assert {line["concept"] for line in lines} == {"mark", "nothing"}
    (tmp_path / "empty").mkdir()
    refused = CliRunner().invoke(app, [*arguments, "--concepts", "empty"])
    assert refused.exit_code == 1 and "holds no .npy file" in refused.stderr
