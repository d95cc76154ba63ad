"""Pages of models that can be read: everything that a card says is on its picture."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid as pc
from test_rule_list import people


def words(ax) -> str:
    return "\n".join([*(text.get_text() for text in ax.texts), ax.get_title(loc="left"), ax.get_xlabel()])


@pytest.mark.parametrize("kind", [pc.RuleList, pc.DecisionSet])
def test_rules_have_words_answers_and_bars(kind):
    X, y = people()
    model = kind().fit(X, y)
    card = model.on_a_page()
    ax = pc.plot.show(card)
    assert words(pc.plot.show(model)) == words(ax)
    said = words(ax).replace("\n", " ")
    for rule in card.rules:
        assert (
            rule.words in said
            and f"then {rule.answer}" in said
            and f"{max(rule.shares):.0%} of {rule.rows:,.6g}" in said
        )
    assert ("else if" in said) == card.ordered and card.receipt.notes[0] in said
    widths = [patch.get_width() for patch in ax.patches]
    assert max(widths) == pytest.approx(0.12) and len(widths) == 2 * len(card.rules)
    assert widths[1] / widths[0] == pytest.approx(max(card.rules[0].shares))
    few = pc.plot.rule_card(card, k=1)
    assert len(few.patches) == 2 and "more not shown" in words(few)


def test_points_and_risks_are_on_the_page():
    X, y = people()
    model = pc.ScoringSystem(max_rounds=0, max_terms=6).fit(X, y)
    card, ax = model.on_a_page(), pc.plot.show(model)
    said = words(ax)
    assert all(term in said for term in card.terms) and "add up the points for >50k" in said
    assert all(f"{p:+.0f}".replace("-", "−") in said for p in card.points)
    bars = [patch.get_width() / 0.35 for patch in ax.patches]
    assert bars == sorted(bars) and len(bars) <= 12
    if len(card.totals) > 12:  # neighbours together: the mean risk of their rows
        assert np.isclose(bars[0], card.risks[0], atol=0.2)
