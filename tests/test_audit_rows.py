"""The audit on the rows themselves: which stand for the data and where the model errs, and which labels are likely to be wrong."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

import pellucid as pc
from pellucid.core.intervals import wilson
from pellucid.methods.label.largest_loss import LargestLoss
from pellucid.report import suspects, typical
from pellucid.report.page import render
from pellucid.report.subject import subject


def two_heaps(n=60):
    """Two heaps of rows, 40 left and 20 right; the model is right in the left one and wrong in half of the right one."""
    rng = np.random.default_rng(0)
    right = np.arange(n) % 3 == 0
    frame = pd.DataFrame({"a": np.where(right, 8.0, 0.0) + 0.1 * rng.normal(size=n), "b": 0.1 * rng.normal(size=n)})
    truth = right.astype(int)
    err = right & (np.arange(n) % 2 == 0)

    def model(rows):
        found = np.asarray(rows["a"] > 4, dtype=int)
        blind = np.isin(rows["a"].to_numpy(), frame["a"].to_numpy()[err])
        said = np.where(blind, 0, found)
        return np.stack([1.0 - said, said * 1.0], axis=1) * 0.8 + 0.1

    return frame, model, truth, right, err


def test_prototypes_tell_around_which_rows_the_model_errs():
    frame, model, truth, right, err = two_heaps()
    s = subject(model, frame, truth, None, None)
    record = typical.search(s)
    told = typical.told(s, record)
    assert told["accuracy"] == 1.0 and len(told["prototypes"]) == 6 and len(told["criticisms"]) == 3
    for k, one in enumerate(told["prototypes"]):
        around = record.nearest == k
        assert one["rows"] == around.sum() and one["share"] == pytest.approx(around.mean())
        assert one["right"] == pytest.approx(1 - err[around].mean()) and one["picture"] is None
        hits, level = int((~err)[around].sum()), 1 - 0.05 / 6
        assert (one["low"], one["high"]) == pytest.approx(wilson(hits, one["rows"], level))
        assert one["elsewhere"] == pytest.approx(1 - err[~around].mean())
        assert one["worse"] == (one["high"] < one["elsewhere"])
        assert one["truth"] == str(truth[one["row"]]) and bool(right[one["row"]]) == bool(right[around].all())
    assert sum(one["rows"] for one in told["prototypes"]) == 60
    assert {bool(right[one["row"]]) for one in told["prototypes"] if one["worse"]} <= {True}


def test_of_numbers_the_mean_error_is_told_and_without_truth_nothing():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 3))
    y = X[:, 0]
    model = DecisionTreeRegressor(max_depth=2, random_state=0).fit(X, y)
    s = subject(model, X, y, None, None)
    record = typical.search(s)
    off, around = np.abs(model.predict(X) - y), record.nearest == 2
    one = typical.told(s, record)["prototypes"][2]
    assert one["error"] == pytest.approx(off[around].mean()) and one["elsewhere"] == pytest.approx(off[~around].mean())
    assert suspects.applies(s) == "labels are wrong or right; this is regression"
    blind = subject(model, X, None, None, None)
    assert "right" not in typical.told(blind, record)["prototypes"][0]
    assert suspects.applies(blind) == "it needs the true answers: pass y"
    assert "there are 10" in typical.applies(subject(model, X[:10], y[:10], None, None))


def labelled(n=80):
    """A table with words for labels, five of them wrong, and an estimator that has learned it."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    frame["a"] += np.where(np.arange(n) % 2 == 0, 3, -3)
    y = np.where(np.arange(n) % 2 == 0, "up", "down")
    wrong = np.array([3, 10, 31, 44, 70])
    y[wrong] = np.where(y[wrong] == "up", "down", "up")
    return frame, y, wrong, LogisticRegression().fit(frame, y)


def test_labels_are_judged_by_models_that_have_not_seen_them(tmp_path):
    frame, y, wrong, model = labelled()
    made = pc.audit(model, frame, y, out=tmp_path, methods="ExactShapley", rows=2, budget=pc.Budget(rows=40_000))
    told = made.suspects
    assert told["anew"] and {one["row"] for one in told["first"][:5]} == set(wrong.tolist()) and told["labels"] == 80
    kept = pc.load(tmp_path / made.records["suspects"])
    contradicted = (kept.support <= 0.05) & (kept.suggested != y)
    assert (
        told["contradicted"] == contradicted.sum() == 4 and told["first"][0]["label"] != told["first"][0]["suggested"]
    )
    assert told["page"] == "labels.html" and "Row 3: “" in (tmp_path / "labels.html").read_text(encoding="utf-8")
    document = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["models"][0]
    assert [one["row"] for one in document["suspects"]["first"]] == [one["row"] for one in told["first"]]
    assert len(document["typical"]["prototypes"]) == 6 and "picture" not in document["typical"]["prototypes"][0]
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "Which rows stand for the data?" in page and '<a href="labels.html">' in page
    assert kept.labels.tolist() == y.tolist()
    assert isinstance(pc.load(tmp_path / made.records["typical"]), pc.Examples)


def test_other_models_are_asked_for_their_own_loss_in_the_users_words():
    frame, y, wrong, model = labelled()

    def function(rows):
        return model.predict_proba(rows)

    s = subject(function, frame, y, ["down", "up"], None)
    record = suspects.search(s, LargestLoss())
    assert record.labels.tolist() == y.tolist() and record.classes == ("down", "up")
    assert set(record.order[:5]) == set(wrong.tolist()) and record.suggested[3] != y[3]
    told = suspects.told(s, record, None)
    assert not told["anew"] and told["page"] is None
    one = {"row": 3, "label": y[3], "suggested": "up" if y[3] == "down" else "down"}
    first = next(line for line in told["first"] if line["row"] == 3)
    assert {key: first[key] for key in one} == one and first["support"] == pytest.approx(record.support[3])


def test_rows_keep_their_numbers_where_not_all_are_looked_at(tmp_path, monkeypatch):
    frame, y, _, model = labelled(200)
    monkeypatch.setattr("pellucid.report.subject.MOST_ROWS", 67)
    s = subject(model, frame, y, None, None)
    record = suspects.search(s, LargestLoss())
    assert len(record) == 67 and suspects.page_of(s, record, tmp_path, "") is None
    told = suspects.told(s, record, None)
    assert all(y[one["row"]] == one["label"] for one in told["first"])
    assert [one["row"] for one in told["first"]] == s.numbers[record.order[:8]].tolist()


def test_pictures_are_shown_and_the_page_says_where_the_model_errs():
    frame, y, _, model = labelled()
    pictures = np.random.default_rng(0).random((40, 1, 6, 6))

    def seen(x):
        score = x[:, 0, 0, 0]
        return np.stack([score, 1 - score], axis=1)

    s = subject(seen, pictures, (pictures[:, 0, 0, 0] < 0.5).astype(int), None, None)
    told = typical.told(s, typical.search(s))
    assert told["pictures"] and all(one["picture"].startswith("data:image/png") for one in told["prototypes"])
    made = pc.audit(model, frame, y, methods="ExactShapley", rows=1, budget=pc.Budget(rows=500))
    worse = [{**one, "worse": True, "picture": told["prototypes"][0]["picture"]} for one in made.typical["prototypes"]]
    for shown in ({**made.typical, "prototypes": worse}, {**made.typical, "prototypes": worse, "pictures": True}):
        page = render([type(made)(**{**vars(made), "typical": shown})])
        assert "Red: around this row the model is right less often" in page
    assert "Red: around" not in render([type(made)(**{**vars(made), "typical": {}})])
