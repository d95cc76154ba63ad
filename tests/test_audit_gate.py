"""An audit as a gate: a planted shortcut fails it, a clean model passes, and what was not looked for is neither."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from audit_models import small_digits, small_network
from pellucid.report.gate import FINDINGS, checked, gate
from pellucid.report.page import render
from pellucid.report.publish import publish


def table(n=120, leak=False):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    y = np.where(frame.sum(axis=1) + 0.5 * rng.normal(size=n) > 0, "yes", "no")
    if leak:
        frame["outcome_code"] = (y == "yes") * 1.0
    return frame, y


def audited(leak=False, **options):
    frame, y = table(leak=leak)
    model = DecisionTreeClassifier(min_samples_leaf=10, random_state=0).fit(frame, y)
    options = {"methods": ["TreeShap"], "rows": 3, "margin": 0.0, "budget": pc.Budget(rows=20_000), **options}
    return pc.audit(model, frame, y, **options)


@pytest.fixture(scope="module")
def clean():
    return audited()


@pytest.fixture(scope="module")
def cheating():
    return audited(leak=True, name="cheat")


def test_a_leak_fails_and_a_clean_model_passes(clean, cheating):
    found = gate([clean, cheating], ["shortcut", "unstable"])
    assert [(one["model"], one["finding"], one["code"]) for one in found.found] == [("cheat", "shortcut", "leak")]
    assert found.exit_code == 3 and not found.passed and not found.untold
    assert clean.gate("shortcut", "leak").passed and clean.gate("shortcut").exit_code == 0
    assert cheating.gate("no-skill").passed and not cheating.gate("leak").passed


def test_a_planted_mark_fails_and_the_clean_network_passes():
    options = {"methods": ["Saliency"], "rows": 2, "budget": pc.Budget(rows=110_000)}
    planted = pc.audit(small_network(3), *small_digits(3).test, **options)
    honest = pc.audit(small_network(), *small_digits().test, **options)
    assert planted.gate("shortcut").exit_code == 3 and honest.gate("shortcut").exit_code == 0


def test_what_was_not_looked_for_is_no_pass():
    made = audited(budget=pc.Budget(rows=121))
    found = made.gate("shortcut", "unfaithful", "left-out")
    assert {one["finding"] for one in found.untold} == {"shortcut", "unfaithful"} and found.exit_code == 3
    assert made.gate("shortcut").exit_code == 4 and not made.gate("shortcut").passed
    why = {one["finding"]: one["why"] for one in made.gate("blind", "group-gap", "disagreeing").untold}
    assert "network" in why["blind"] and "by" in why["group-gap"] and "two methods" in why["disagreeing"]


def test_a_search_cut_short_cannot_tell():
    made = pc.audit(small_network(), *small_digits().test, methods=["Saliency"], rows=2, budget=pc.Budget(rows=6000))
    assert "cut short" in made.gate("shortcut").untold[0]["why"]


def test_every_finding_is_told_by_a_full_audit_of_a_network():
    rng = np.random.default_rng(0)
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = (net(torch.as_tensor(x)).argmax(1)).numpy()
    made = pc.audit(net, x, y, by=np.arange(60) % 2, methods=["IntegratedGradients", "Occlusion"], rows=3)
    untold = {one["finding"] for one in gate([made], list(FINDINGS)).untold}
    assert untold == {"simpler-model", "misplaced"}  # a network is not fitted anew; nobody said where the answer lies


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["shortcut", " Unstable ", "shortcut"], ("shortcut", "unstable")),
        (["no-better-than-random", "gap"], ("unfaithful", "incomplete")),
        (["leak"], ("leak",)),
        ([], ()),
    ],
)
def test_names_and_codes_are_known(given, names):
    assert checked(given) == names


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(pc.InputError, match="did you mean 'shortcut'"):
        checked(["shortcuts"])
    with pytest.raises(pc.InputError, match="there are shortcut, leak, no-skill"):
        checked(["zzz"])


def test_page_and_json_hold_the_gate(tmp_path, clean, cheating):
    publish(tmp_path, [clean, cheating], "Both", ["shortcut", "blind"])
    held = json.loads((tmp_path / "audit.json").read_text())["gate"]
    assert held["fail_on"] == ["shortcut", "blind"] and held["exit_code"] == 3 and held["passed"] is False
    assert held["found"][0]["headline"] == cheating.warnings[1]["headline"] and len(held["untold"]) == 2
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "Not passed" in page and "shortcut in cheat: One column decides" in page
    assert "blind of model could not be told: only the weights of a network" in page
    assert "<b>Passed</b> as a gate on shortcut." in render([clean], "One", clean.gate("shortcut"))
    assert 'class="gate' not in render([clean])


def test_every_code_of_a_warning_can_be_failed_on():
    import re
    from pathlib import Path

    import pellucid.report

    source = "".join(path.read_text() for path in Path(pellucid.report.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'warning\(\s*"([a-z-]+)"', source))
    assert len(codes) >= 12 and codes == {code for finding in FINDINGS.values() for code in finding.codes}
