"""Advice: from cards alone, measured within a budget, and what is said first."""

import dataclasses
import itertools
import typing

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import pellucid as pc
from pellucid.core.advice import Trial
from pellucid.core.method import Card
from pellucid.core.registry import METHODS
from pellucid.metrics.advice import measured, shortlist

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
W = np.array([3.0, -2, 1, 0.5, 0.0])
ACCESSES = typing.get_args(typing.get_type_hints(Card)["access"])
INPUTS = ("table", "image", "volume", "signal", "text")


def linear(z):
    return np.asarray(z) @ W


def names(advice):
    return [one.name for one in advice.suggestions]


# -- from the cards ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("access", "modality"), list(itertools.product(ACCESSES, INPUTS)))
def test_whatever_is_suggested_fits_and_whatever_is_not_has_a_reason(access, modality):
    advice = pc.advise(access=access, modality=modality)
    asked = {name for name in METHODS if getattr(pc, name).card.verb == "explain"}
    assert {*names(advice), *(name for name, _ in advice.left_out)} == asked
    for name in names(advice):
        card = getattr(pc, name).card
        assert modality in card.inputs and (card.access in advice.access or card.agnostic)
    for name, why in advice.left_out:
        card = getattr(pc, name).card
        assert why in (f"needs {card.access}", f"is for {', '.join(card.inputs)}", "fits, but further down the list")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_suggested_to_somebody(name):
    """Of every family that is here, and of those to come: the card alone decides."""
    card = getattr(pc, name).card
    wish = shortlist.Wish((card.verb,), (card.access,), card.inputs[0], None)
    assert name in shortlist.shortlist(wish, None)[0]
    said = shortlist.suggestion(name, card.verb)
    assert card.strengths in said.reasons and card.weaknesses in said.beware and card.fails in said.beware


def test_a_method_registered_tomorrow_is_considered_tomorrow(monkeypatch):
    class Tomorrow:
        card = dataclasses.replace(pc.KernelShap.card, access="structure", rows=1, question="What does tomorrow bring?")

    monkeypatch.setitem(METHODS, "Tomorrow", "pellucid.methods.future.tomorrow")
    known = shortlist.resolve
    monkeypatch.setattr(shortlist, "resolve", lambda name: Tomorrow if name == "Tomorrow" else known(name))
    assert "Tomorrow" in names(pc.advise(access="structure", modality="table"))
    assert "Tomorrow" not in names(pc.advise(access="black box", modality="table"))


def test_the_list_starts_with_the_best_of_every_family():
    folders = [METHODS[name].split(".")[2] for name in names(pc.advise(modality="image", access="inner layer"))]
    assert len(set(folders[:4])) == 4
    everything = shortlist.shortlist(shortlist.Wish(("explain",), None, None, None), None)[0]
    failing = [name for name in everything if getattr(pc, name).card.fails]
    assert everything[-len(failing) :] == failing and failing


def test_methods_that_fail_a_check_take_no_ones_place(monkeypatch):
    wish = shortlist.Wish(("explain",), ("black box", "gradients", "inner layer"), "image", None)
    whole, known = shortlist.shortlist(wish, None)[0], shortlist.known()
    sound = [each for each in known if not each.card.fails]
    monkeypatch.setattr(shortlist, "known", lambda: sound)
    assert [name for name in whole if not getattr(pc, name).card.fails] == shortlist.shortlist(wish, None)[0]


@pytest.mark.parametrize(
    ("question", "verb"),
    [
        (None, "explain"),
        ("explain", "explain"),
        ("What is enough for this answer?", "anchor"),
        ("what is enough?", "anchor"),
        ("Why this output?", "explain"),
        ("How much does the model's performance rest on each column?", "importance"),
        ("interact", "interact"),
    ],
)
def test_questions_in_words_find_their_verb(question, verb):
    advice = pc.advise(question=question)
    assert advice.question == verb and advice.suggestions[0].verb == verb and advice.asked.endswith("?")


@pytest.mark.parametrize(("said", "scope"), [("local", "local"), ("one prediction", "local"), ("the model", "global")])
def test_one_prediction_or_the_whole_model(said, scope):
    advice = pc.advise(question=said)
    assert {getattr(pc, name).card.scope for name in names(advice)} == {scope}
    assert len({one.verb for one in advice.suggestions}) > 1


def test_a_budget_of_rows_without_a_model_is_what_a_row_may_cost():
    cheap = pc.advise(access="black box", modality="table", budget=pc.Budget(rows=50))
    assert names(cheap) == ["Occlusion"] and "costs thousands of model rows a row" in cheap.why("LIME")


def test_what_is_not_understood_is_said():
    for wrong, said in (
        ({"question": "what is the weather like?"}, "one of 'explain' .Why this output"),
        ({"access": "telepathy"}, "one or several of black box"),
        ({"modality": "smell"}, "image, signal, table"),
        ({"model": linear}, "model= and x= both"),
        ({"budget": "soon"}, "is no time"),
    ):
        with pytest.raises(pc.InputError, match=said):
            pc.advise(**wrong)
    with pytest.raises(pc.InputError, match="does not speak of"):
        pc.advise().why("Anchors")


# -- interpretable first -----------------------------------------------------------------------------------------------


def test_a_simple_model_that_is_accurate_enough_comes_first():
    rows = RNG.normal(size=(400, 3))
    labels = (rows[:, 0] > 0).astype(int)
    forest = RandomForestClassifier(20, random_state=0).fit(rows, labels)
    simple = pc.advise(model=forest, x=rows, y=labels, margin=0.05, background=rows[:5], budget=pc.Budget(rows=1))
    assert simple.rivals.best is not None and "consider it first" in simple.first
    crossed = (rows[:, 0] * rows[:, 1] > 0).astype(int)
    needed = pc.advise(
        model=forest.fit(rows, crossed), x=rows, y=crossed, background=rows[:5], budget=pc.Budget(rows=1)
    )
    assert needed.rivals.best is None or needed.rivals.best.startswith("tree")
    assert "logistic" not in (needed.rivals.best or "")


def test_it_is_said_where_it_could_not_be_measured():
    assert "pc.rivals" in pc.advise().first
    assert "cannot be fitted anew" in pc.advise(model=linear, x=X[:3], y=X[:3, 0], budget=pc.Budget(rows=1)).first
    ticks = itertools.count(0.0, 4.0)
    forest = RandomForestClassifier(2, random_state=0).fit(X, X[:, 0] > 0)
    late = pc.advise(model=forest, x=X, y=X[:, 0] > 0, budget=pc.Budget(seconds=60, clock=lambda: next(ticks)))
    assert late.rivals is None and "it was left out" in late.first


# -- measured ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def advice():
    return pc.advise(model=linear, x=X, background=np.zeros((1, 5)))


def test_candidates_are_measured_and_the_front_is_marked(advice):
    assert advice.access == ("black box",) and advice.modality == "table"
    assert {trial.name for trial in advice.trials} <= set(names(advice)) and len(advice.trials) >= 4
    by_name = {trial.name: trial for trial in advice.trials}
    assert by_name["KernelShap"].faithfulness == pytest.approx(by_name["Occlusion"].faithfulness)  # both exact here
    assert (
        by_name["KernelShap"].faithfulness_low > 0 and by_name["Occlusion"].rows == 8
    )  # five windows, all, none, and the target
    assert by_name["Occlusion"].front and not by_name["KernelShap"].front  # as good, and dearer
    assert advice.choice in [trial.name for trial in advice.trials if trial.front]
    judged = [a.receipt.rows_forward for a in advice.scorecards]
    unfit = [name for name, why in advice.left_out if "background row" in why]
    asked = 16 * len(unfit)  # it found out after the scores
    assert advice.receipt.rows_forward == sum(judged) + sum(t.rows * t.judged for t in advice.trials) + asked


def test_the_numbers_are_those_of_evaluate(advice):
    (trial,) = [trial for trial in advice.trials if trial.name == "Occlusion"]
    rows = X[np.linspace(0, 39, 16).astype(int)]
    card = pc.evaluate(
        linear,
        pc.explain(linear, rows, pc.Occlusion(), background=np.zeros((1, 5))),
        measured.JUDGES,
        background=np.zeros((1, 5)),
    )
    both = (card["Deletion"].advantage + card["Insertion"].advantage) / 2
    assert trial.faithfulness == pytest.approx(both.mean()) and trial.judged == 16
    assert trial.stability == pytest.approx(card["Stability"].value.mean())


def test_a_budget_of_rows_is_hard():
    calls = []

    def model(z):
        calls.append(len(z))
        return linear(z)

    budget = pc.Budget(rows=3000)
    found = pc.advise(model=model, x=X, background=np.zeros((1, 5)), budget=budget)
    assert sum(calls) <= 3000 + max(calls) and found.receipt.rows_forward <= 3000 + max(calls)
    assert found.trials and any("its share of the budget" in why for _, why in found.left_out)
    assert all(name in names(found) for name, why in found.left_out if "share" in why)  # suggested all the same
    assert any(trial.judged < 16 for trial in found.trials) or len(found.trials) < 5


def test_a_budget_of_seconds_is_hard_and_its_clock_is_the_budgets_own():
    clock = [0.0]

    def model(z):
        clock[0] += 1e-3 * len(z)
        return linear(z)

    found = pc.advise(
        model=model, x=X, background=np.zeros((1, 5)), budget=pc.Budget(seconds=5.0, clock=lambda: clock[0])
    )
    assert found.trials and clock[0] < 5.0 + 4.0  # one call of the model at most beyond it
    none = pc.advise(model=model, x=X, background=np.zeros((1, 5)), budget=pc.Budget(rows=1))
    assert not none.trials and none.suggestions and none.choice == names(none)[0]


def test_methods_that_this_model_is_not_for_are_no_suggestions():
    torch.manual_seed(0)
    body = (nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    found = pc.advise(model=nn.Sequential(*body).eval(), x=torch.randn(3, 1, 6, 6), budget=pc.Budget(rows=12000))
    assert found.access == ("black box", "gradients", "inner layer") and found.modality == "image"
    reasons = dict(found.left_out)
    assert "CAM" in reasons and "global average pooling" in reasons["CAM"] and "CAM" not in names(found)
    assert {"DeepLift"} <= {trial.name for trial in found.trials}


def test_kinds_of_input_and_access_are_seen():
    forest = RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0)
    frame = pd.DataFrame(X, columns=list("abcde"))
    few = pc.Budget(rows=1)
    assert pc.advise(model=forest, x=X[:2], budget=few).access == ("black box", "structure")
    texts = pc.advise(model=lambda batch: np.array([len(t) for t in batch]), x=["one two", "three"], budget=few)
    assert texts.modality == "text"
    named = RandomForestClassifier(3, random_state=0).fit(frame, X[:, 0] > 0)
    found = pc.advise(model=named, x=frame, background=frame[:3], target=[1] * 40, budget=pc.Budget(rows=4000))
    assert found.modality == "table" and {t.name for t in found.trials} >= {"TreeShap"}


def test_global_questions_are_not_measured_and_say_so():
    found = pc.advise(question="importance", model=linear, x=X)
    assert not found.trials and "nothing was measured" in found.receipt.warnings[0]


def test_the_front_holds_what_no_other_dominates():
    def trial(name, f, s, r):
        return Trial(name, f, f, f, s, s, s, r, 0.0, 4)

    rows = [
        trial("cheap", 0.2, 0.9, 10),
        trial("dear", 0.3, 0.9, 100),
        trial("worse", 0.1, 0.9, 10),
        trial("equal", 0.2, 0.9, 10),
        trial("unknown", np.nan, 0.95, 10),
        trial("rounding", 0.3 + 1e-12, 0.9, 101),
    ]
    found = {t.name for t in measured.on_front(rows) if t.front}
    assert found == {"cheap", "dear", "equal", "unknown"}
    table = RNG.normal(size=(30, 3)).round(1)
    marked = measured.on_front([trial(str(i), f, s, -c) for i, (f, s, c) in enumerate(table)])
    for i, one in enumerate(marked):
        beaten = any((table[j] >= table[i]).all() and (table[j] > table[i]).any() for j in range(30))
        assert one.front != beaten


def test_advice_survives_saving_and_becomes_a_frame(advice, tmp_path):
    back = pc.load(advice.save(tmp_path / "a.npz"))
    assert back.trials == advice.trials and back.suggestions == advice.suggestions and back.choice == advice.choice
    frame = advice.to_frame()
    assert frame["name"].tolist() == names(advice) and set(frame) >= {"reasons", "beware", "faithfulness", "front"}
    assert "faithfulness" not in pc.advise().to_frame()


def test_the_picture_has_the_cheapest_first_and_the_front_filled(advice):
    ax = pc.plot.show(advice)
    order = [label.get_text() for label in ax.get_yticklabels()]
    by_name = {trial.name: trial for trial in advice.trials}
    assert [by_name[name].rows for name in order] == sorted(trial.rows for trial in advice.trials)
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    for name, mark in zip(order, marks, strict=True):
        assert (mark.get_markerfacecolor() != "white") == by_name[name].front
        assert mark.get_xdata()[0] == pytest.approx(by_name[name].faithfulness)
    words = pc.plot.show(pc.advise(question="anchor")).texts[0].get_text()
    assert "nothing was measured" in words and "Anchors" in words
