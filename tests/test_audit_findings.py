"""Doubts about explanations: each sentence appears exactly when its numbers say so."""

import numpy as np
import pytest

import pellucid as pc
from pellucid.core.budget import Receipt
from pellucid.core.scores import Line
from pellucid.report import doubts, findings, page_methods
from pellucid.report.suspicions import uneven
from pellucid.report.together import comparison, merged

FILES = {"A scorecard": "records/a-scorecard.npz", "A values": "records/a-values.npz"}


def line(metric, verdict, mean=0.5, advantage=None):
    low, high = (None, None) if advantage is None else (advantage - 0.1, advantage + 0.1)
    return Line(metric, mean, mean - 0.1, mean + 0.1, None, advantage, low, high, True, verdict, rows=8)


def record(values, method=None):
    made = pc.Attribution.from_arrays(values, data=np.arange(values.size).reshape(values.shape), target=0)
    return type(made)(**{**vars(made), "method": method})


def card(*lines):
    return pc.Scorecard(lines=lines, curves=(), method="A()", receipt=Receipt(method="A()"))


def compared(*lines, method=None, values=((1.0, 2.0, 3.0), (3.0, 1.0, 2.0))):
    return comparison({"A": record(np.array(values), method)}, {"A": card(*lines)})


@pytest.mark.parametrize(
    ("deletion", "insertion", "warned", "words"),
    [
        ("no better than random", "no better than random", True, "cannot be told from a random ranking"),
        ("worse than random", "worse than random", True, "ranks worse than at random"),
        ("worse than random", "no better than random", True, "cannot be told"),
        ("better than random", "no better than random", False, ""),
        ("no better than random", "better than random; degenerate (all values equal) in 1 of 8 rows", False, ""),
        ("one row gives no interval; it is worse than random", "no better than random", False, ""),
    ],
)
def test_a_ranking_is_doubted_when_neither_curve_beats_chance(deletion, insertion, warned, words):
    lines = line("Deletion", deletion, advantage=-0.05), line("Insertion", insertion, advantage=0.05)
    found = list(doubts.unfaithful(compared(*lines), FILES))
    assert bool(found) == warned
    for warning in found:
        assert words in warning["sentence"] and "−0.05 (−0.15 to +0.05)" in warning["sentence"]
        assert warning["record"] == FILES["A scorecard"] and warning["numbers"]["Deletion"]["advantage"] == -0.05


@pytest.mark.parametrize(
    ("doubt", "metric", "code"),
    [(doubts.unstable, "Stability", "unstable"), (doubts.blind, "ModelRandomization", "fails-sanity-check")],
)
def test_a_failed_bar_is_a_doubt_and_an_undecided_one_is_not(doubt, metric, code):
    (warning,) = doubt(compared(line(metric, "fails", 0.62)), FILES)
    assert warning["code"] == code and "0.62 (0.52 to 0.72)" in warning["sentence"]
    assert not list(doubt(compared(line(metric, "undecided: the interval holds the bar of 0.9")), FILES))
    assert not list(doubt(compared(line("Deletion", "fails")), FILES))


def test_only_methods_that_promise_to_add_up_are_held_to_it():
    failed = line("Completeness", "fails", 0.3)
    (warning,) = doubts.incomplete(compared(failed, method=pc.IntegratedGradients()), FILES)
    assert warning["code"] == "gap" and "30 %" in warning["sentence"]
    assert not list(doubts.incomplete(compared(failed, method=pc.Occlusion()), FILES))


def test_methods_disagree_by_a_stated_number_and_slopes_are_not_asked():
    up, down = np.arange(12.0).reshape(1, 12), -np.arange(12.0).reshape(1, 12)
    apart = comparison({"A": record(up), "B": record(down)}, {})
    (warning,) = doubts.disagreeing(apart, FILES)
    assert warning["numbers"] == {"mean": -1.0, "lowest": -1.0, "pair": ["A", "B"], "bar": 0.3}
    assert "below 0.3" in warning["sentence"]
    assert not list(doubts.disagreeing(comparison({"A": record(up), "B": record(2 * up)}, {}), FILES))
    assert not list(doubts.disagreeing(comparison({"A": record(up), "B": record(down, pc.Saliency())}, {}), FILES))


def test_the_warning_and_the_page_say_where_methods_disagree_and_whom_the_evidence_supports():
    up = np.arange(12.0).reshape(1, 12).repeat(3, axis=0)
    cards = {}
    for name, advantage in (("A", [0.5, 0.55, 0.6]), ("B", [0.1, 0.15, 0.2])):
        curve = pc.Curve(
            metric="Deletion",
            higher_is_better=False,
            value=-np.array(advantage),
            chance=np.zeros(3),
            receipt=Receipt(method="Deletion()"),
        )
        cards[name] = pc.Scorecard(lines=(), curves=(curve,), method=name, receipt=Receipt(method=name))
    apart = comparison({"A": record(up), "B": record(-up)}, cards)
    (warning,) = doubts.disagreeing(apart, FILES)
    assert "rank differently in 3 of 3 rows" in warning["sentence"] and "the evidence is for A" in warning["sentence"]
    assert page_methods.disputes(apart) == [apart.disputes[0].sentence] and apart.disputes[0].side == "A"
    assert page_methods.disputes(comparison({"A": record(up), "B": record(2 * up)}, {})) == []


def test_constant_maps_are_counted():
    (warning,) = doubts.degenerate(compared(values=((1.0, 1.0, 1.0), (1.0, 2.0, 3.0))), FILES)
    assert (warning["numbers"]["rows"], warning["numbers"]["of"]) == (1, 2) and "1 of 2 rows" in warning["sentence"]
    assert not list(doubts.degenerate(compared(), FILES))


def test_groups_are_unequal_when_their_intervals_do_not_meet():
    def group(right, low, high, others):
        return {"group": "g", "rows": 50, "right": right, "low": low, "high": high, "others": others}

    others = {"rows": 100, "right": 0.9, "low": 0.8, "high": 0.95}
    assert len(list(uneven((group(0.5, 0.4, 0.6, others), group(0.75, 0.6, 0.85, others))))) == 1
    assert not list(uneven((group(0.1, 0.0, 0.2, {"rows": 0, "right": None, "low": None, "high": None}),)))


def test_the_headline_is_the_gravest_suspicion_or_what_was_searched():
    doubt, suspicion = ({"about": about, "headline": f"about the {about}"} for about in ("explanation", "model"))
    assert findings.summary((doubt, suspicion), "x") == "about the model"
    assert (
        findings.summary((doubt,), "no column decides alone")
        == "Nothing suspicious was found: no column decides alone."
    )
    assert "no search was made" in findings.summary((doubt,), None)


def test_scorecards_of_one_explanation_are_joined():
    both = merged(card(line("Deletion", "x")), card(line("Stability", "y")))
    assert [one.metric for one in both.lines] == ["Deletion", "Stability"]
    assert merged(None, both) is both


def test_rankings_are_compared_on_rows_that_every_method_finished():
    whole = record(np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]))
    part = type(whole)(**{**vars(whole), "done": np.array([False, True])})
    made = comparison({"A": whole, "B": part}, {})
    assert made.by_row[1, 0, 1] == pytest.approx(1) and np.isnan(made.by_row[0]).all()
    assert made.agreement[0, 1] == pytest.approx(1)
    none = type(whole)(**{**vars(whole), "done": np.array([False, False])})
    assert np.isnan(comparison({"A": whole, "B": none}, {}).agreement).all()
    assert comparison({}, {}) is None
