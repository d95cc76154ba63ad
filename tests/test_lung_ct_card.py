"""The model card: what it says is what the folders hold, results of another network are refused, nobody's name is on it."""

import dataclasses
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("monai")

import pellucid as pc
from lung_patches import marked, saved
from pellucid.cli.app import app
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct.card_page import facts, render

EVIL = "<script>alert(1)</script>"
LOG = "epoch,phase,rate,loss,validation_loss,validation_auc,best,seconds\n1,head,0.1,0.7,0.6,0.8,True,1\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Patches, a network with the description that training leaves, and predictions with an assessment."""
    folder = tmp_path_factory.mktemp("card")
    patches = marked(folder / "patches")
    network = saved(folder / "network", patches)
    described = json.loads((network / "model.json").read_text())
    plan = dataclasses.asdict(lung_ct.phantom_plan())
    described |= {"plan": plan, "started_from": None, "best_epoch": 1, "validation_auc": 0.8}
    (network / "model.json").write_text(json.dumps(described))
    (network / "log.csv").write_text(LOG)
    told = {"used": 9, "refused": [["s1", "not CT", ""]], "reasons": {"not CT": 1}, "notes": {}}
    (patches / "summary.json").write_text(json.dumps(told))
    lung_ct.evaluate(network, patches, folder / "results", device="cpu")
    return network, patches, folder / "results"


def line(**values):
    plain = {
        "name": "Grad-CAM",
        "method": "GradCAM()",
        "pointing": 0.9,
        "pointing_low": 0.6,
        "pointing_high": 1.0,
        "pointing_chance": 0.05,
        "patients": 3,
    }
    return lung_ct.MethodLine(**{**plain, **values})


def digest(folders):
    return json.loads((folders[2] / "assessment.json").read_text())["network"]


def about(folders):
    return {"network": digest(folders), "nodules": 4, "patients": 3, "device": "a processor"}


def test_numbers_are_those_of_the_folders(folders):
    made = lung_ct.card(*folders, about="Nobody.")
    index = lung_ct.read_index(folders[1])
    for told, name in zip(made.splits, lung_ct.SPLITS, strict=True):
        part = index[index["split"] == name]
        assert (told["patches"], told["nodules"]) == (len(part), int(part["label"].sum()))
        assert told["patients"] == part["patient"].nunique() and told["median"] == 8.0
    assert made.assessment == json.loads((folders[2] / "assessment.json").read_text())
    assert made.network["plan"] == dataclasses.asdict(lung_ct.phantom_plan()) and made.training[0]["loss"] == "0.7"
    assert made.explanations is made.selection is made.audit is None
    assert any("No explanation of this network was judged" in limit for limit in made.limits)
    assert any("Only 3 patients" in limit for limit in made.limits)


def test_groups_by_hand(folders, tmp_path):
    index = lung_ct.read_index(folders[1], "test")
    said = np.where(index["label"] == 1, 0.5, 0.49)  # at the threshold a patch is called a nodule
    said[np.flatnonzero(index["label"] == 1)[0]] = 0.1
    results = tmp_path / "results"
    results.mkdir()
    (results / "assessment.json").write_text((folders[2] / "assessment.json").read_text())
    lines = [f"{name},0,{p}" for name, p in zip(index["name"], said, strict=True)]
    (results / "predictions.csv").write_text("\n".join(["name,label,probability", *lines]) + "\n")
    found = {group["group"]: group for group in lung_ct.card(*folders[:2], results).groups}
    assert set(found) == {"nodule of 6 to 8 mm", "background"} and found["background"]["called"] == 0
    nodules = index[index["label"] == 1]
    by_patient = (said[nodules.index] >= 0.5).astype(float)
    means = [by_patient[(nodules["patient"] == who).to_numpy()].mean() for who in sorted(set(nodules["patient"]))]
    assert found["nodule of 6 to 8 mm"]["called"] == pytest.approx(np.mean(means)) and np.mean(means) < 1


def test_what_explanations_are_worth_is_told(folders):
    made, lines = lung_ct.card(*folders), (line(), line(name="LRP", pointing_low=0.05), line(name="RISE", failed="no"))
    both = dataclasses.replace(made, explanations=lung_ct.Benchmark(about(folders), lines))
    page = render(both)
    assert page.count('<td class="good">90 %') == 1 and page.count('<td class="bad">90 %') == 1 and ">no</td>" in page
    from pellucid.studies.lung_ct.card import _of_explanations

    (said, _) = _of_explanations(both.explanations)
    assert (
        said
        == "Maps of Grad-CAM point at nodules more often than chance does, in 3 patients; those of LRP cannot be told from chance."
    )
    (none, _) = _of_explanations(lung_ct.Benchmark({}, lines[1:]))
    assert none.startswith("No method's maps point at nodules")
    assert "Nobody judged them" in render(made) and "Nobody judged them" not in page


def test_the_page_needs_nothing_and_names_nobody(folders, tmp_path):
    network, patches, results = folders
    lung_ct.explain_when(network, patches, results, pc.ExplainWhen(rows=1), pc.Saliency(), device="cpu")
    audit = tmp_path / "audit"
    audit.mkdir()
    found = {"code": "unstable", "about": "explanation", "headline": EVIL, "numbers": {}}
    told = {"summary": "It is fine.", "warnings": [found], "left_out": [{"part": "a search", "why": ""}]}
    (audit / "audit.json").write_text(json.dumps(told))
    given = ["--network", str(network), "--patches", str(patches), "--results", str(results), "--about", EVIL]
    done = CliRunner().invoke(app, ["lung-ct", "card", *given, "--audit", str(audit), "--out", str(tmp_path / "card")])
    assert done.exit_code == 0, done.output
    page, plain = ((tmp_path / "card" / f"card.{kind}").read_text() for kind in ("html", "json"))
    assert "<script" not in page and page.count("&lt;script&gt;") == 2
    assert not re.search(r'(src|href)="(?!data:)', page) and "default-src &#39;none&#39;" in page
    index = lung_ct.read_index(patches)
    names = {*index["name"], *index["patient"], *index["scan"]}
    assert not any(f"{name}" in text for name in names for text in (page, plain))
    for words in (
        "It is no medical device",
        "1 × not CT",
        "by ExplainWhen(rows=1)",
        "It is fine.",
        "Left out: a search",
    ):
        assert words in page
    assert "SHA-256" in page and digest(folders) in page
    read = json.loads(plain)
    assert read["assessment"]["auc"] == json.loads((results / "assessment.json").read_text())["auc"]
    assert read["selection"]["outcomes"]["explained"] == 1 and read["audit"]["warnings"][0]["code"] == "unstable"


def test_plain_values_hold_no_nan(folders):
    made = dataclasses.replace(lung_ct.card(*folders), explanations=lung_ct.Benchmark(about(folders), (line(),)))
    told = json.dumps(facts(made), allow_nan=False)
    assert json.loads(told)["explanations"]["methods"][0]["mass"] is None


def test_other_results_are_refused(folders, tmp_path):
    network, patches, results = folders
    other = saved(tmp_path / "other", patches, seed=1)
    with pytest.raises(pc.InputError, match="assessment is of another network"):
        lung_ct.card(other, patches, results)
    with pytest.raises(pc.InputError, match=r"holds no assessment.json"):
        lung_ct.card(network, patches, tmp_path)
    lung_ct.Benchmark({"network": "another"}, ()).write(tmp_path)
    (tmp_path / "assessment.json").write_text((results / "assessment.json").read_text())
    with pytest.raises(pc.InputError, match="benchmark is of another network"):
        lung_ct.card(network, patches, tmp_path)
    named = json.loads((results / "assessment.json").read_text()) | {"split": None}
    (tmp_path / "assessment.json").write_text(json.dumps(named))
    with pytest.raises(pc.InputError, match="single patches"):
        lung_ct.card(network, patches, tmp_path)
