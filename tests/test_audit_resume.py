"""An audit goes on from where an earlier run stopped, with the same result, or says why it starts anew."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from audit_models import small_digits, small_network
from pellucid.report import enough
from pellucid.report.diary import Diary
from pellucid.report.fingerprint import digest, fingerprints
from pellucid.report.folder import Folder
from pellucid.report.ledger import Part
from pellucid.report.subject import subject

METHODS = ["Occlusion", "ExactShapley"]


def table(n=60):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(20, 70, n), "size": rng.normal(size=n), "pay": rng.normal(size=n)})
    return frame, np.where(frame["size"] + 0.3 * rng.normal(size=n) > 0, "yes", "no")


class Counting:
    """A function of frames that counts the rows it was asked about."""

    rows = 0

    def __call__(self, frame):
        Counting.rows += len(frame)
        score = frame["size"].to_numpy() + 0.2 * frame["pay"].to_numpy()
        return np.stack([-score, score], axis=1)


class Stop(Exception):
    """What ends a run in the middle."""


def audited(folder, **options):
    frame, y = table()
    given = {"methods": METHODS, "rows": 3, "classes": ["no", "yes"], **options}
    return pc.audit(Counting(), frame, y, out=folder, **given)


def stopping(at):
    def progress(text, fraction):
        if text == at:
            raise Stop

    return progress


def told(made):
    return {
        "warnings": [w["sentence"] for w in made.warnings],
        "rows": made.rows,
        "names": made.comparison.names,
        "lines": [
            sorted(f"{line.metric} {line.mean:.9f} {line.verdict}" for line in card.lines)
            for card in made.comparison.scorecards
        ],
        "left_out": sorted(map(repr, made.left_out)),
        "rules": [made.rules.words(i) for i in range(len(made.rules))],
        "changes": [made.changes.sentence(i) for i in range(len(made.changes))],
        "typical": json.dumps(made.typical),
        "suspects": json.dumps(made.suspects),
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished audit and its folder."""
    folder = tmp_path_factory.mktemp("done")
    return audited(folder), folder


@pytest.fixture
def whole(done):
    return done[0]


@pytest.fixture
def copy(done, tmp_path):
    """A folder of one's own that holds the finished audit."""
    return shutil.copytree(done[1], tmp_path / "copy")


def test_a_stopped_audit_goes_on_and_ends_as_if_it_had_not_been_stopped(tmp_path, whole):
    with pytest.raises(Stop):
        audited(tmp_path, progress=stopping("faithfulness of ExactShapley"))
    assert json.loads((tmp_path / "audit.json").read_text())["left_out"]
    before = (tmp_path / "records" / "occlusion-values.npz").stat().st_mtime_ns
    Counting.rows = 0
    made = audited(tmp_path, resume=True)
    assert made.resumed["parts"] == [
        *("search for a column that decides alone", "explanations by Occlusion", "explanations by ExactShapley"),
        *("rows that stand for the data", "labels that are likely to be wrong", "faithfulness of Occlusion"),
    ]
    assert told(made) == told(whole) and made.resumed["anew"] is None
    assert (tmp_path / "records" / "occlusion-values.npz").stat().st_mtime_ns == before
    assert made.receipt.rows_forward == whole.receipt.rows_forward > Counting.rows
    for ours, theirs in zip(made.comparison.attributions, whole.comparison.attributions, strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
    found = json.loads((tmp_path / "audit.json").read_text())["models"][0]
    assert len(found["resumed"]["parts"]) == 6
    assert "6 finished parts were taken over" in (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("*.part"))


def test_a_finished_audit_is_read_back_whole(copy, whole):
    Counting.rows = 0
    made = audited(copy, resume=True)
    assert Counting.rows == 60 and told(made) == told(whole)


def test_what_a_budget_left_out_is_done_later(tmp_path, whole):
    short = audited(tmp_path, budget=pc.Budget(rows=2500))
    assert any(left["because"] == "budget" for left in short.left_out)
    made = audited(tmp_path, resume=True)
    assert told(made) == told(whole) and made.resumed["parts"]


def test_parts_that_were_cut_short_are_done_again(tmp_path, monkeypatch):
    name = "rules that are enough for an answer"
    with monkeypatch.context() as patched:
        patched.setattr(enough, "MOST", 60)
        short = audited(tmp_path, methods=["Occlusion"])
    assert name in {left["part"] for left in short.left_out if left["because"] == "budget"} and len(short.rules) == 3
    assert name not in json.loads((tmp_path / "records" / "progress.json").read_text())["finished"]
    made = audited(tmp_path, methods=["Occlusion"], resume=True)
    assert name not in made.resumed["parts"] and "stability of Occlusion" in made.resumed["parts"]
    assert made.rules.receipt.converged and not [left for left in made.left_out if left["because"] == "budget"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"methods": ["Occlusion", "LIME(seed=3)"]}, "the methods differ"),
        ({"rows": 2}, "the settings differ"),
        ({"background": table(20)[0]}, "the data differ"),
        ({"by": np.arange(60) % 2}, "the data differ"),
    ],
)
def test_other_questions_start_anew_and_say_so(copy, change, why):
    made = audited(copy, resume=True, budget=pc.Budget(rows=61), **change)
    assert not made.resumed["parts"] and made.resumed["anew"].startswith(why)
    assert f"done anew: {made.resumed['anew']}" in (copy / "audit.html").read_text(encoding="utf-8")


def test_other_data_models_and_versions_start_anew(tmp_path, monkeypatch):
    frame, y = table()
    model = LogisticRegression().fit(frame, y)

    def run(model, frame=frame):
        asked = {"methods": ["Occlusion"], "rows": 2, "budget": pc.Budget(rows=100)}
        return pc.audit(model, frame, y, out=tmp_path, resume=True, **asked).resumed["anew"]

    assert run(model) == "the folder holds no earlier run"
    assert run(model) is None
    changed = frame.copy()
    changed.loc[7, "pay"] += 1e-9
    assert "data" in run(model, changed)
    assert run(LogisticRegression(C=0.5).fit(frame, y)).startswith("the model ")
    monkeypatch.setattr("pellucid.report.fingerprint.versions", lambda *names: {"pellucid": "0.0"})
    assert "versions" in run(LogisticRegression(C=0.5).fit(frame, y))
    (tmp_path / "records" / "progress.json").write_text("{")
    assert "cannot be read" in run(model)


def test_without_resume_nothing_is_taken_over(copy):
    Counting.rows = 0
    made = audited(copy, budget=pc.Budget(rows=400))
    assert made.resumed == {} and Counting.rows > 100


def test_a_lost_record_is_made_again_and_what_rests_on_it_too(copy, whole):
    (copy / "records" / "occlusion-values.npz").write_bytes(b"half a record")
    made = audited(copy, resume=True)
    again = {"explanations by Occlusion", "faithfulness of Occlusion", "stability of Occlusion"}
    assert not again & set(made.resumed["parts"]) and told(made) == told(whole)


def test_metrics_of_both_runs_end_in_one_scorecard(copy, whole):
    """The earlier run had finished stability alone, which comes after what this one does first."""
    file, diary = copy / "records" / "occlusion-scorecard.npz", copy / "records" / "progress.json"
    card = pc.load(file)
    replace(
        card,
        lines=tuple(line for line in card.lines if line.metric == "Stability"),
        curves=tuple(curve for curve in card.curves if curve.metric == "Stability"),
    ).save(file)
    held = json.loads(diary.read_text())
    del held["finished"]["faithfulness of Occlusion"]
    diary.write_text(json.dumps(held))
    made = audited(copy, resume=True)
    assert told(made)["lines"] == told(whole)["lines"] and "stability of Occlusion" in made.resumed["parts"]
    assert {line.metric for line in pc.load(file).lines} == {line.metric for line in card.lines}


def test_a_part_is_recalled_for_the_same_rows_and_with_what_it_rests_on(tmp_path):
    folder, made_of = Folder(tmp_path), {"model": "m"}
    record = pc.Attribution.from_arrays(np.eye(2), data=np.eye(2), target=0)
    first = Part("explanations by A", lambda budget: None, record="A values", local=True)
    second = Part("stability of A", lambda budget: None, record="A scorecard", local=True, after=first.name)
    diary = Diary.begin(folder, made_of, resume=False)
    for part in (first, second):
        diary.note(part, record.receipt, folder.keep(record, part.record), [4, 2], [])
    again = Diary.begin(folder, made_of, resume=True)
    assert again.recall(second, [4, 2]) is None  # the explanation was not taken over
    assert again.recall(first, [2, 4]) is None  # a later search has chosen other rows
    kept, _ = again.recall(first, [4, 2])
    np.testing.assert_array_equal(kept.values, record.values)
    assert again.recall(second, [4, 2]) is not None and again.told()["parts"] == [first.name, second.name]
    assert "the model differs" in Diary.begin(folder, {"model": "n"}, resume=True).anew


def test_a_model_is_known_by_what_it_holds():
    frame, y = table()

    def known(model, x=frame):
        return fingerprints(subject(model, x, None, None, None), None, (), (), {})["model"]

    stump = HistGradientBoostingClassifier(max_iter=2, random_state=0)
    first, again = stump.fit(frame, y), HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(frame, y)
    assert known(first) == known(again)
    assert known(first) != known(HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(frame, y))

    tree = DecisionTreeClassifier(max_depth=1).fit(frame, y)
    before, answers = known(tree), tree.predict_proba(frame)
    tree.tree_.threshold[0] += 1e-9
    np.testing.assert_array_equal(tree.predict_proba(frame), answers)
    assert known(tree) != before  # the same answers on these rows, another model elsewhere

    def plain(rows):
        return rows["size"].to_numpy() * 1.0

    def other(rows):
        return 1.0 * rows["size"].to_numpy()

    assert known(plain) == known(plain) and known(plain) != known(other)  # the same answers, other code
    net, x = small_network(3), small_digits(3).test[0][:20]
    one = known(net, x)
    with __import__("torch").no_grad():
        bias = net[0].bias.clone()
        net[0].bias[0] += 1e-3
        changed = known(net, x)
        net[0].bias.copy_(bias)
    assert one == known(net, x) != changed


def test_digests_tell_values_types_and_borders_apart():
    a = np.arange(3.0)
    assert digest([a]) == digest([a.copy()]) != digest([a.astype(np.float32)])
    assert digest([a, a]) != digest([np.concatenate([a, a])]) and digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest([np.array(["a", 1], dtype=object)]) != digest([np.array(["a", 2], dtype=object)])
