"""The whole check: what it writes, what it warns about, what a budget leaves out, and what it leaves as found."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from audit_models import Clock, small_digits, small_network
from pellucid.report import enough, otherwise
from pellucid.report.choose import choose
from pellucid.report.folder import slug
from pellucid.report.ledger import Ledger, Part, as_budget
from pellucid.report.subject import subject

FAST = ["Occlusion", "ExactShapley"]


def table(n=60, seed=0):
    """A frame with a level column, and the answers that two of its columns make."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"age": rng.integers(20, 70, n), "kind": rng.choice(["a", "b"], n), "size": rng.normal(size=n)}
    )
    return frame, np.where(frame["size"] + (frame["kind"] == "a") - 0.5 + 0.3 * rng.normal(size=n) > 0, "yes", "no")


def model_of(frame):
    """A function of frames that uses two of the columns."""
    score = frame["size"].to_numpy() + (frame["kind"] == "a").to_numpy() - 0.5
    return np.stack([-score, score], axis=1)


def audited(tmp_path, **options):
    frame, y = table()
    return pc.audit(model_of, frame, y, classes=["no", "yes"], methods=FAST, rows=4, out=tmp_path, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One audit of a table, and where it was written."""
    folder = tmp_path_factory.mktemp("audit")
    return audited(folder), folder


# -- what it writes ----------------------------------------------------------------------------------------------------


def test_page_json_and_every_record_are_there_and_readable(finished):
    made, folder = finished
    assert (folder / "audit.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert set(made.records) == {
        *(
            "columns",
            "importance",
            "rules",
            "changes",
            "typical",
            "suspects",
            "Occlusion values",
            "Occlusion scorecard",
            "ExactShapley values",
            "ExactShapley scorecard",
        ),
    }
    for name in made.records.values():
        assert type(pc.load(folder / name)).__name__ in (
            "Attribution",
            "Scorecard",
            "Examples",
            "LabelErrors",
            "Importance",
            "ColumnTest",
            "Rules",
            "Counterfactuals",
        )
    assert not list(folder.rglob("*.part"))


def test_the_json_is_strict_and_holds_what_the_record_holds(finished):
    made, folder = finished
    found = json.loads((folder / "audit.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    (model,) = found["models"]
    assert found["format"] == 1 and found["warnings"] == [{"model": "model", **w} for w in made.warnings]
    assert model["kind"] == "callable" and model["input"] == "table" and model["task"] == "classification"
    assert model["classes"] == ["no", "yes"] and model["columns"] == ["age", "kind", "size"]
    assert [m["name"] for m in model["methods"]] == FAST
    metrics = {line["metric"] for method in model["methods"] for line in method["metrics"]}
    assert metrics == {"Deletion", "Insertion", "Stability", "Completeness"}
    assert model["performance"]["right"] == pytest.approx(
        (model_of(table()[0]).argmax(1) == (table()[1] == "yes")).mean()
    )
    assert model["importance"][0]["column"] == "size" and model["receipt"]["rows_forward"] > 0


def test_values_in_the_records_are_those_that_explain_gives(finished):
    made, folder = finished
    rows = [row["row"] for row in made.rows]
    frame = table()[0]
    free = np.setdiff1d(np.arange(60), rows)
    background = frame.iloc[free[np.linspace(0, len(free) - 1, 30).astype(int)]]
    again = pc.explain(model_of, frame.iloc[rows], pc.ExactShapley(), target=pc.Predicted(), background=background)
    kept = pc.load(folder / made.records["ExactShapley values"])
    np.testing.assert_allclose(kept.values, again.values, rtol=1e-12)


def test_rules_in_the_record_are_those_that_anchor_gives(finished):
    made, folder = finished
    rows, frame = [row["row"] for row in made.rows], table()[0]
    others = frame.iloc[np.setdiff1d(np.arange(60), rows)]
    again = pc.anchor(model_of, frame.iloc[rows], enough.METHOD, background=others)
    kept = pc.load(folder / made.records["rules"])
    assert list(map(kept.words, range(4))) == list(map(again.words, range(4)))
    assert kept.samples.tolist() == again.samples.tolist() and kept.low.tolist() == again.low.tolist()
    assert kept.applies(frame.iloc[rows]).diagonal().all()
    assert [row["predicted"] for row in made.rows] == list(kept.answers)
    said = json.loads((folder / "audit.json").read_text())["models"][0]["rules"]
    assert [one["row"] for one in said] == rows and [one["rule"] for one in said] == [kept.words(i) for i in range(4)]
    assert [(one["low"], one["high"]) for one in said] == list(zip(kept.low, kept.high, strict=True))


def test_a_search_for_rules_is_cut_short_at_its_share_and_says_so(monkeypatch):
    monkeypatch.setattr(enough, "MOST", 60)
    made = audited(None)
    (left,) = [one for one in made.left_out if one["part"] == "rules that are enough for an answer"]
    assert left["because"] == "budget" and "searches were not finished" in left["why"]
    assert len(made.rules) == 4 and not made.rules.receipt.converged


def test_rules_are_not_looked_for_among_too_few_rows():
    frame, y = table(33)
    made = pc.audit(model_of, frame, y, classes=["no", "yes"], methods=["Occlusion"], rows=4)
    assert made.rules is None
    assert "at least 30 rows beside those" in " ".join(one["why"] for one in made.left_out)
    assert pc.audit(model_of, frame, y, classes=["no", "yes"], methods=["Occlusion"], rows=3).rules is not None


def test_rules_of_a_probability_are_about_its_side_of_a_half():
    x = np.random.default_rng(0).random((200, 2))
    made = pc.audit(lambda rows: rows[:, 0], x, (x[:, 0] > 0.5).astype(int), methods=["Occlusion"], rows=4)
    assert made.facts["task"] == "classification" and len(made.rules) == 4
    for rule, answer in zip(made.rules.rules, made.rules.answers, strict=True):
        assert rule[0].column == 0 and {"0": rule[0].high, "1": rule[0].low}[answer] is not None


def test_changes_in_the_record_are_those_that_counterfactual_gives(finished):
    made, folder = finished
    rows, frame = [row["row"] for row in made.rows], table()[0]
    others = frame.iloc[np.setdiff1d(np.arange(60), rows)]
    again = pc.counterfactual(model_of, frame.iloc[rows], otherwise.METHOD, background=others)
    kept = pc.load(folder / made.records["changes"])
    assert kept.valid.all() and kept.values.tolist() == again.values.tolist()
    flipped = model_of(pd.DataFrame(dict(zip(frame.columns, kept.values.T, strict=True))).astype(frame.dtypes)).argmax(
        1
    )
    before = model_of(frame.iloc[rows]).argmax(1)
    assert (flipped == 1 - before).all()  # on the model itself, by hand
    assert kept.answers == tuple(f"“{['no', 'yes'][i]}”" for i in flipped)
    said = json.loads((folder / "audit.json").read_text())["models"][0]["changes"]
    assert [one["row"] for one in said] == rows
    assert [one["sentence"] for one in said] == [kept.sentence(i) for i in range(4)]
    assert all(one["changes"] and one["constraints"] == [] for one in said)


def test_a_search_for_changes_is_cut_short_at_its_share_and_says_so(monkeypatch):
    monkeypatch.setattr(otherwise, "MOST", 5)
    made = audited(None)
    (left,) = [one for one in made.left_out if one["part"] == "smallest changes that flip an answer"]
    assert left["because"] == "budget" and "budget" in left["why"]
    assert len(made.changes) == 4 and not made.changes.done.all()


def test_changes_of_a_probability_cross_a_half_and_no_further():
    x = np.random.default_rng(0).random((200, 2))
    made = pc.audit(lambda rows: rows[:, 0], x, (x[:, 0] > 0.5).astype(int), methods=["Occlusion"], rows=4)
    assert made.changes.valid.all() and made.changes.changed.tolist() == [[True, False]] * 4
    np.testing.assert_allclose(made.changes.values[:, 0], 0.5, atol=1e-6)
    sides = made.changes.original[:, 0] > 0.5
    assert ((made.changes.values[:, 0] > 0.5) == ~sides).all() and len(set(sides)) == 2
    assert made.changes.answers == tuple("“0”" if side else "“1”" for side in sides)


def test_of_several_classes_a_change_says_which_answer_is_left():
    x = np.random.default_rng(0).normal(size=(60, 3))
    made = pc.audit(lambda rows: rows, x, classes=["a", "b", "c"], methods=["Occlusion"], rows=2)
    assert made.changes.answers == tuple(f"another class than “{row['predicted']}”" for row in made.rows)
    assert (made.changes.values.argmax(1) != made.changes.original.argmax(1)).all()


def test_rules_take_at_most_their_share_of_what_is_left(monkeypatch):
    given = []

    def asked(subject, rows, names, budget):
        given.append(budget.rows)
        raise pc.InputError("seen enough")

    monkeypatch.setattr(enough, "search", asked)
    made = audited(None, budget=pc.Budget(rows=40_000))
    audited(None)
    assert 8_000 < given[0] <= 16_000 and given[1] == enough.MOST and made.rules is None
    assert "seen enough" in [one["why"] for one in made.left_out]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = audited(None)
    assert made.comparison is not None and not list(tmp_path.iterdir())


def test_an_audit_survives_a_file(finished, tmp_path):
    made = finished[0]
    again = pc.load(made.save(tmp_path / "audit.npz"))
    assert again.warnings == made.warnings and again.rows == made.rows and again.summary == made.summary
    np.testing.assert_array_equal(again.comparison.agreement, made.comparison.agreement)


def test_the_same_audit_twice(finished):
    made, again = finished[0], audited(None)
    assert again.rows == made.rows and again.performance == made.performance
    for ours, theirs in zip(made.comparison.attributions, again.comparison.attributions, strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
    assert [w["sentence"] for w in again.warnings] == [w["sentence"] for w in made.warnings]


def test_progress_is_told_and_never_goes_back():
    told = []
    audited(None, progress=lambda text, fraction: told.append((text, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert "explanations by Occlusion" in [text for text, _ in told]


def test_it_prints_nothing(capfd):
    audited(None)
    assert capfd.readouterr() == ("", "")


# -- what it warns about -----------------------------------------------------------------------------------------------


def codes(made):
    return [warning["code"] for warning in made.warnings]


@pytest.fixture(scope="module")
def cheating(tmp_path_factory):
    """The audit of a network that was trained with a mark, in full."""
    folder = tmp_path_factory.mktemp("cheating")
    return pc.audit(small_network(3), *small_digits(3).test, out=folder, held_out=True), folder


def test_the_planted_mark_is_the_headline_with_numbers_from_its_record(cheating):
    made, folder = cheating
    (warning,) = [w for w in made.warnings if w["about"] == "model"]
    assert warning["code"] == "shortcut" and warning["numbers"]["class"] == "3"
    assert made.summary == warning["headline"] and "top right corner" in made.summary
    record, numbers = pc.load(folder / warning["record"]), warning["numbers"]
    i = record.names.index("3")
    assert [numbers[key] for key in ("top", "left", "height", "width")] == record.boxes[i].tolist() == [0, 6, 2, 2]
    assert [numbers[key] for key in ("share", "share_low", "share_high")] == record.share[i].tolist()
    assert f"{100 * numbers['share']:.0f} %" in warning["sentence"]
    assert numbers["weight_by_method"]["IntegratedGradients"] > 0.15
    assert "3, which a warning is about" in made.rows[0]["why"] and made.rows[0]["predicted"] == "3"


def test_all_methods_and_metrics_that_fit_a_network_on_pictures_are_used(cheating):
    made = cheating[0].comparison
    assert made.names == ("IntegratedGradients", "LRP", "Saliency", "GradCAM", "LayerCAM", "Occlusion")
    for card in made.scorecards:
        assert {"Deletion", "Insertion", "Stability", "ModelRandomization"} <= {line.metric for line in card.lines}
    assert [line.metric for line in made.scorecards[0].lines].count("Completeness") == 1


def test_the_clean_network_raises_no_suspicion():
    made = pc.audit(small_network(), *small_digits().test, methods=["Saliency"], rows=3)
    assert not [w for w in made.warnings if w["about"] == "model"]
    assert made.summary == "Nothing suspicious was found: no small place decides alone."


def test_a_leak_is_a_warning():
    frame, y = table(200)
    frame["outcome_code"] = (y == "yes") * 1.0
    made = pc.audit(
        DecisionTreeClassifier(max_depth=2).fit(frame[["age", "size", "outcome_code"]], y), frame, y, methods=FAST
    )
    assert codes(made)[:2] == ["simpler-model", "leak"] and "“outcome_code” carries 100 %" in made.summary


def test_a_model_without_skill_is_a_warning():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 4)), rng.integers(0, 2, 100)
    made = pc.audit(lambda b: np.stack([b[:, 0], -b[:, 0]], 1), x, y, methods=["Occlusion"])
    assert "no-skill" in codes(made)


def test_unequal_groups_are_a_warning():
    frame, y = table(400)
    frame["city"] = np.where(np.arange(400) % 4 == 0, "small", "large")
    turned = np.where(frame["city"] == "small", np.where(y == "yes", "no", "yes"), y)
    made = pc.audit(model_of, frame, turned, by="city", classes=["no", "yes"], methods=["Occlusion"], rows=2)
    assert [(group["group"], group["rows"]) for group in made.groups] == [("large", 300), ("small", 100)]
    (warning,) = [w for w in made.warnings if w["code"] == "group-gap"]
    assert (
        warning["numbers"]["group"] == "small"
        and warning["numbers"]["right"] < 0.3 < warning["numbers"]["others"]["right"]
    )


class Misled(torch.nn.Module):
    """The score rests on three columns behind a step that is flat where the rows are; its slopes are those of the others."""

    def forward(self, x):
        score = torch.sign(x[:, :3].sum(1) - 1.5).detach() + 1e-3 * x[:, 3:].sum(1)
        return torch.stack([-score, score], dim=1)


def test_an_explanation_that_ranks_no_better_than_chance_is_a_warning():
    x = np.random.default_rng(0).random((60, 30)).astype(np.float32)
    made = pc.audit(Misled(), x, methods=["Saliency", "KernelShap(samples=200)"], rows=12)
    found = {w["numbers"]["method"]: w for w in made.warnings if w["code"] == "no-better-than-random"}
    assert set(found) == {"Saliency"}
    line = found["Saliency"]["numbers"]["Deletion"]
    assert line["advantage_low"] < line["advantage"] < line["advantage_high"] and line["advantage_low"] <= 0


def test_a_constant_map_is_a_warning():
    class Flat(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0] * 0, x[:, 0] * 0 + 1], dim=1)

    made = pc.audit(Flat(), np.random.default_rng(0).random((30, 4)).astype(np.float32), methods=["Saliency"])
    assert "degenerate" in codes(made)


def test_every_warning_has_its_numbers_and_its_record(cheating, finished):
    for made, folder in (cheating, finished):
        for warning in made.warnings:
            assert set(warning) == {"code", "about", "headline", "sentence", "numbers", "record"}
            assert warning["numbers"] and warning["about"] in ("model", "explanation", "audit")
            if warning["about"] == "explanation":
                assert (folder / warning["record"]).is_file()


# -- budgets and interruptions -----------------------------------------------------------------------------------------


def test_a_budget_is_kept_and_what_it_leaves_out_is_said(tmp_path):
    budget = pc.Budget(seconds=10, clock=Clock(0.2))
    made = audited(tmp_path, budget=budget)
    left = [one for one in made.left_out if one["because"] == "budget"]
    assert left and made.comparison is not None
    assert made.receipt.seconds < 15
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    for one in left:
        assert one["part"] in page
    assert "the budget of 10 seconds" in page and "left-out" in codes(made)
    found = json.loads((tmp_path / "audit.json").read_text())
    assert [one["part"] for one in found["left_out"]] == [one["part"] for one in made.left_out]


def test_a_budget_that_is_spent_at_once_leaves_out_everything(tmp_path):
    made = audited(tmp_path, budget=pc.Budget(seconds=1, clock=Clock(5)))
    assert made.comparison is None and made.rows == ()
    assert "explanations by Occlusion" in [one["part"] for one in made.left_out]
    assert (tmp_path / "audit.html").is_file()


def test_the_most_telling_parts_come_first():
    made = audited(None, budget=pc.Budget(rows=2000))
    assert made.columns is not None
    assert {one["part"].split(" of ")[0] for one in made.left_out} >= {"stability"}
    used = made.receipt.rows_forward + made.receipt.rows_backward
    assert used <= 2000 + 30 * 2**3  # a row that is begun is finished


def test_a_search_that_a_budget_shortens_begins_with_the_most_singular_class():
    net, split = small_network(3), small_digits(3)
    made = pc.audit(net, *split.test, methods=["Saliency"], budget=pc.Budget(rows=6000), rows=2)
    assert codes(made)[0] == "shortcut" and len(made.regions.names) == 1
    (left,) = [one for one in made.left_out if one["part"].startswith("search")]
    assert left["because"] == "budget" and "7" in left["why"]


@pytest.mark.parametrize(
    ("given", "seconds"), [(None, None), (60, 60), ("60s", 60), ("2m", 120), ("1.5 min", 90), ("1h", 3600), (0.5, 0.5)]
)
def test_budgets_are_read(given, seconds):
    assert as_budget(given).seconds == seconds


@pytest.mark.parametrize("given", ["soon", "60 parsecs", "", True])
def test_other_budgets_are_refused(given):
    with pytest.raises(pc.InputError, match="budget"):
        as_budget(given)


def test_an_interrupted_audit_leaves_finished_records_page_and_json(tmp_path):
    def interrupt(text, fraction):
        if text == "faithfulness of Occlusion":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audited(tmp_path, progress=interrupt)
    assert pc.load(tmp_path / "records" / "occlusion-values.npz").done.all()
    found = json.loads((tmp_path / "audit.json").read_text())
    interrupted = [one["part"] for one in found["left_out"] if one["because"] == "interrupted"]
    assert interrupted[0] == "faithfulness of Occlusion" and "stability of Occlusion" in interrupted
    assert "interrupted" in (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("*.part"))


def test_a_part_that_the_model_does_not_allow_is_named_and_the_rest_goes_on():
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    made = pc.audit(flat, *small_digits().test, methods=["GradCAM", "Saliency"], rows=2)
    (left,) = [one for one in made.left_out if one["part"] == "explanations by GradCAM"]
    assert "no layer" in left["why"] and left["because"] == "model"
    assert made.comparison.names == ("Saliency",) and "left-out" not in codes(made)


def test_a_model_that_fails_is_an_error_of_ours():
    def broken(batch):
        raise ValueError("out of order")

    with pytest.raises(pc.ModelError, match="out of order"):
        pc.audit(broken, np.ones((5, 3)))


def test_parts_run_in_order_until_the_money_is_gone():
    done = []
    parts = [Part(name, lambda budget, name=name: done.append(name), lambda: 1.0) for name in "abcdefgh"]
    clock = Clock(1)
    ledger = Ledger(pc.Budget(seconds=9, clock=clock))
    ledger.run(parts)
    assert done == list("abcdefgh")[: len(done)] and 0 < len(done) < 8
    assert [one["part"] for one in ledger.left_out] == list("abcdefgh")[len(done) :]


# -- kinds of models and data ------------------------------------------------------------------------------------------


def test_a_regression_with_its_largest_errors():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    y = x @ [1.0, 2.0, 0.0, 0.5] + rng.normal(size=80)
    made = pc.audit(LinearRegression().fit(x, y), x, y, methods=["Occlusion"], held_out=False)
    assert made.facts["task"] == "regression" and 0.5 < made.performance["r2"] < 1
    assert {"the largest prediction", "the smallest prediction", "furthest from the truth"} <= {
        r["why"] for r in made.rows
    }
    said = {left["part"]: left["why"] for left in made.left_out}
    assert made.rules is None and "this is regression" in said["rules that are enough for an answer"]
    assert made.changes is None and "this is regression" in said["smallest changes that flip an answer"]


def test_a_network_with_one_logit_has_two_sides():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    net = torch.nn.Linear(3, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, -1.0, 0.0]]))
        net.bias.zero_()
    made = pc.audit(net, x, (x @ [2.0, -1.0, 0.0] > 0).astype(int), methods=["Saliency", "InputXGradient"])
    assert made.facts["task"] == "classification" and made.performance["right"] == 1
    assert made.facts["classes"] == ["0", "1"]
    assert [row["predicted"] for row in made.rows] == list(made.rules.answers) and made.rules.reached.any()


def test_without_true_answers_nothing_is_said_of_performance():
    frame, _ = table()
    made = pc.audit(model_of, frame, methods=["Occlusion"], rows=2)
    assert made.performance == {} and made.importance is None
    assert made.rows[0]["truth"] is None and "pass y" in {one["why"].split(": ")[-1] for one in made.left_out}


def test_signals_are_explained_and_nothing_is_searched():
    net = torch.nn.Sequential(
        torch.nn.Conv1d(1, 2, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32, 2)
    )
    x = np.random.default_rng(0).normal(size=(30, 1, 16)).astype(np.float32)
    made = pc.audit(net, x, methods=["Saliency"], rows=2)
    assert made.facts["input"] == "signal" and "no search was made" in made.summary


def test_many_rows_are_looked_at_in_part():
    x = np.random.default_rng(0).normal(size=(5000, 3))
    made = subject(lambda batch: batch.sum(axis=1), x, None, None, None)
    assert len(made) == 2000 and made.given == 5000 and made.numbers[-1] == 4999
    np.testing.assert_array_equal(made.x[7], x[made.numbers[7]])


def test_the_user_s_world_is_left_as_found():
    net, (x, y) = small_network(3), small_digits(3).test
    net.train()
    net[0].weight.requires_grad_(False)
    before, drawn, numpy_state = x.copy(), torch.random.get_rng_state(), np.random.get_state()[1].copy()
    pc.audit(net, x, y, methods=["IntegratedGradients"], rows=2, budget=pc.Budget(rows=9000))
    assert net.training and not net[0].weight.requires_grad and net[3].weight.requires_grad
    np.testing.assert_array_equal(x, before)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    net[0].weight.requires_grad_(True)
    net.eval()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": [1, 2]}, "2 entries"),
        ({"y": ["maybe"] * 60}, "'maybe'"),
        ({"classes": ["only"]}, "classes= has 1"),
        ({"by": "town"}, "by='town'"),
        ({"by": [1, 2]}, "2 values"),
        ({"methods": ["Magic"]}, "Magic"),
        ({"budget": "soon"}, "budget"),
    ],
)
def test_bad_input_is_refused_by_name(change, said):
    frame, y = table()
    with pytest.raises(pc.PellucidError, match=re.escape(said)):
        pc.audit(model_of, frame, **{"y": y, "classes": ["no", "yes"], "methods": FAST, **change})


def test_groups_need_true_answers():
    with pytest.raises(pc.InputError, match="pass y"):
        pc.audit(model_of, table()[0], by="kind")


# -- which rows --------------------------------------------------------------------------------------------------------


def test_chosen_rows_are_the_ends_the_errors_and_a_spread():
    score = np.linspace(-4, 4, 41) + 0.01
    x = np.repeat(score[:, None], 3, axis=1)
    y = (score > 0).astype(int)
    y[[3, 30]] = 1 - y[[3, 30]]
    made = subject(lambda b: np.stack([-b[:, 0], b[:, 0]], axis=1), x, y, None, None)
    chosen = choose(made, 8)
    assert [row for row, _ in chosen[:4]] == [40, 20, 3, 30]
    assert len({row for row, _ in chosen}) == 8
    assert choose(made, 3, [(17, "asked for")])[0] == (17, "asked for")
    assert choose(made, 100) == choose(made, 100) and len(choose(made, 100)) == 41


def test_file_names_are_safe():
    assert slug("KernelShap(samples=512) values") == "kernelshap-samples-512-values"
    assert slug("../../etc/passwd") == "etc-passwd" and slug("§§") == "record"


def test_an_estimator_s_own_classes_are_used():
    frame, y = table()
    made = pc.audit(LogisticRegression().fit(frame[["age", "size"]], y), frame, y, methods=["Occlusion"], rows=3)
    assert made.facts["classes"] == ["no", "yes"] and {row["predicted"] for row in made.rows} <= {"no", "yes"}


@pytest.mark.parametrize("told", [bool, int, float, str])
def test_true_answers_are_known_by_their_value(told):
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(0).normal(size=(40, 2))
    model = LogisticRegression().fit(x, x[:, 0] > 0)
    asked = subject(model, x, np.array([told(answer) for answer in (x[:, 0] > 0)]), None, None)
    np.testing.assert_array_equal(asked.truth, x[:, 0] > 0)
