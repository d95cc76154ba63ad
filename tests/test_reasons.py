"""The walk-throughs tell the truth: what each page states is measured again."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import pellucid as pc

FOLDER = Path(__file__).parents[1] / "docs" / "reasons"


def script(name):
    spec = importlib.util.spec_from_file_location(f"reasons_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their names
    spec.loader.exec_module(module)
    return module


def page(name):
    return " ".join((FOLDER / f"{name}.md").read_text(encoding="utf-8").replace("−", "-").split())


@pytest.mark.slow
def test_debugging():
    made, text = script("debugging"), page("debugging")
    for missing, row in (
        (0.0, "0"),
        (float("nan"), "missing (NaN)"),
        ("median", "the column's median"),
        ("left out", "nothing: the column is left out"),
    ):
        at = made.tables(missing)
        fitted = made.model(at)
        assert f"| {row} | {fitted.score(*at.held):.1%} | {fitted.score(*at.clinic):.1%} |".replace("%", " %") in text
    at = made.tables()
    fitted = made.model(at)
    wrong = int((fitted.predict(at.clinic[0]) != at.clinic[1]).sum())
    assert f"{wrong} of {len(at.clinic[1])} answers wrong" in text
    (first, second, *_) = made.blamed(fitted, at)
    assert f"| {first[0]} | {first[1]:+.2f} | {first[2]:+.2f} |" in text and first[0] == made.COLUMN
    assert first[1] - first[2] > 10 * (second[1] - second[2])
    at_zero, *elsewhere = made.jump(fitted, at)[1]
    assert f"is {at_zero:+.2f} at 0 and between {min(elsewhere):.2f} and {max(elsewhere):.2f}" in text


@pytest.mark.slow
def test_trust():
    made, text = script("trust"), page("trust")
    x, held, y, truth = made.pictures()
    found = made.signals(made.network(x, y), held, truth)
    assert (
        abs(found.wrong.sum() - int(re.search(r"(\d+) of its answers are wrong", text)[1])) <= 8
    )  # threads, libraries
    measured = made.measured(found)
    rows = {"confidence": "confidence", "little agreement": "agreement", "little faithfulness": "faithfulness"}
    rows |= {"little stability": "stability", "agreement, faithfulness and stability together": "evidence"}
    for row, name in (rows | {"all together": "together"}).items():
        stated = re.search(rf"\| {row} \| ([\d.]+) \(([\d.]+) to ([\d.]+)\)", text).groups()
        assert [float(one) for one in stated] == pytest.approx(measured[name], abs=0.03), row
    gain, low, _ = measured["gain"]
    assert 0 < low < gain < 0.06  # the evidence adds a little to the confidence, and more than chance
    assert measured["faithfulness"][2] < 0.5  # and misleads by itself
    for (sure, right, rows_), line in zip(
        made.calibration(found), re.findall(r"\| (0\.\d+) \| ([01]\.\d+) \| (\d+) \|", text), strict=True
    ):
        assert [float(one) for one in line] == pytest.approx([sure, right, rows_], abs=0.03)


@pytest.mark.slow
def test_recourse():
    made, text = script("recourse"), page("recourse")
    at = made.clinic()
    assert f"right in {at.right:.1%}".replace("%", " %") in text and len(at.patients) == made.ROWS == 30
    rows = {
        "the nearest, of anything": (None, "slow"),
        "the nearest, of what can be": (made.CAN, "slow"),
        "what can be, with a probability of at least 0.7": (made.CAN, made.SURE),
        "blood pressure only": (made.ONLY_BP, "slow"),
    }
    for row, (rules, target) in rows.items():
        found = made.answers(at, rules, target)
        stated = re.search(rf"\| {row} \| (\d+) of 30 \| (\d+) \| ([\d.]+) \| (\d+) % \|", text).groups()
        changes, holds = found.sparsity[found.valid].mean(), 100 * made.still_hold(at, found)
        known = [found.valid.sum(), made.impossible(found).sum(), changes, holds]
        # a search may come to another row as it gets better; what is told of it stays
        assert [float(one) for one in stated] == [
            pytest.approx(v, abs=t) for v, t in zip(known, (2, 2, 0.3, 8), strict=True)
        ]
    assert not found.valid.all() and not (found.proof & ~found.valid).any()
    proven = made.answers(at, made.ONLY_BP, "slow", pc.Recourse())
    assert f"proves for {(proven.proof & ~proven.valid).sum()} of the 30" in text
    assert made.still_hold(at, made.answers(at, made.CAN, made.SURE)) > made.still_hold(at, made.answers(at)) + 0.2


@pytest.mark.slow
def test_vetting(tmp_path):
    made, text = script("vetting"), page("vetting")
    made.fill(tmp_path)
    config = re.search(
        r"```yaml\n# audit.yaml\n(.*?)```", (FOLDER / "vetting.md").read_text(encoding="utf-8"), re.DOTALL
    )[1]
    assert config == made.CONFIG
    for name in ("with_code", "without_code"):
        code, found = made.vetted(tmp_path, name)
        assert re.search(
            rf"--model {name}.skops +# exit code {code}\b", (FOLDER / "vetting.md").read_text(encoding="utf-8")
        )
        assert f"{found['models'][0]['performance']['right']:.1%}".replace(".0%", "%").replace("%", " %") in text
        assert {one["finding"] for one in found["gate"]["found"]} == ({"shortcut"} if code == 3 else set())
    most = max(column["share"] for column in found["models"][0]["columns_alone"])
    assert f"no column carries more than {most:.0%} alone".replace("%", " %") in text


def test_every_finding_of_the_gate_is_on_the_page():
    from pellucid.report.gate import FINDINGS

    for name in FINDINGS:
        assert f"`{name}`" in page("vetting")
