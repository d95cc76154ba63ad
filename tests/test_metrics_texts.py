"""Metrics on texts: deletion and insertion by hand, company, groups of characters, refusals, records side by side."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid as pc
from pellucid.core.words import words

WEIGHT = {"good": 2.0, "bad": -1.0, "fun": 3.0, "!": 0.5}
TEXTS = ["good but bad fun!", "fun", "good , good bad day in the long and sunny end of it", ""]


def additive(texts):
    return np.array([sum(WEIGHT.get(text[a:b], 0.0) for a, b in words(text)) for text in texts])


def explained(texts=TEXTS):
    return pc.explain(additive, texts, pc.ExactShapley() if texts is not TEXTS else pc.KernelShap())


def by_hand(values, steps=32):
    """Scores while parts vanish from the largest value down; trapezoid over equal shares of the parts."""
    counts = np.rint(np.linspace(0, len(values), min(steps, len(values)) + 1)).astype(int)
    falling = np.sort(values)[::-1]
    scores = [values.sum() - falling[:count].sum() for count in counts]
    return np.trapezoid(scores, counts / len(values)), np.interp(
        np.linspace(0, 1, 1 + min(steps, 13)), counts / len(values), scores
    )


@pytest.mark.parametrize("steps", [32, 4])
def test_deletion_and_insertion_by_hand(steps):
    a = explained()
    card = pc.evaluate(additive, a, [pc.Deletion(steps=steps), pc.Insertion(steps=steps)])
    deletion, insertion = card.curves
    for row, text in enumerate(TEXTS[:3]):
        values = np.array([WEIGHT.get(text[start:stop], 0.0) for start, stop in words(text)])
        area, scores = by_hand(values, steps)
        assert deletion.value[row] == pytest.approx(area)
        assert deletion.curves[row, [0, -1]].tolist() == pytest.approx([values.sum(), 0])
        assert insertion.value[row] == pytest.approx(values.sum() - area)
        np.testing.assert_allclose(deletion.curves[row], scores, atol=1e-12)
        if steps == 32:  # every part is a step: orders and their reverse are exact on an additive model
            assert deletion.chance[row] == pytest.approx(values.sum() / 2)
    assert (deletion.value[[0, 2]] < deletion.chance[[0, 2]]).all()
    assert (insertion.value[[0, 2]] > insertion.chance[[0, 2]]).all()
    assert deletion.degenerate.tolist() == [False, True, False, True]
    assert np.isfinite(deletion.value).tolist() == [True, True, True, False]  # nothing to hide, nothing to say


def test_a_text_is_judged_alike_in_any_company():
    a = explained()
    whole = pc.evaluate(additive, a, pc.Deletion()).curves[0]
    alone = pc.evaluate(additive, pc.explain(additive, TEXTS[:1], pc.KernelShap()), pc.Deletion()).curves[0]
    assert whole.value[0] == alone.value[0] and whole.chance[0] == alone.chance[0]
    back = pc.evaluate(additive, a[[2, 0]], pc.Deletion()).curves[0]
    assert back.value.tolist() == whole.value[[2, 0]].tolist() and back.chance.tolist() == whole.chance[[2, 0]].tolist()


def test_a_wrong_ranking_is_worse_than_the_right_one():
    from dataclasses import replace

    a = explained()
    wrong = replace(a, values=-a.values, players=replace(a.players, values=-a.players.values))
    right, reverse = (pc.evaluate(additive, record, pc.Deletion()).curves[0].advantage for record in (a, wrong))
    assert (right[[0, 2]] > 0).all() and (reverse[[0, 2]] < 0).all()


def test_groups_of_words_vanish_together():
    asked = []

    def watched(texts):
        asked.extend(texts)
        return additive(texts)

    masker = pc.Groups({"feelings": ["good", "fun"]}, pc.Words())
    a = pc.explain(watched, TEXTS[:1], pc.ExactShapley(), masker=masker)
    assert a.players.own == (("feelings", "but", "bad", "!"),)
    np.testing.assert_allclose(a.players.values[0], [5, 0, -1, 0.5], atol=1e-12)
    asked.clear()
    card = pc.evaluate(watched, a, pc.Deletion())
    assert "but bad!" in [text.strip() for text in asked] and not any(("good" in t) != ("fun" in t) for t in asked)
    assert card.curves[0].value[0] == pytest.approx(by_hand(np.array([5, 0, -1, 0.5]))[0])


def test_completeness_and_refusals():
    a = explained()
    assert pc.evaluate(additive, a, pc.Completeness()).curves[0].value.max() < 1e-9
    for metric in (pc.Stability(), pc.Agreement()):
        with pytest.raises(pc.MethodError, match="works on numbers, and this record explains texts"):
            pc.evaluate(additive, a, metric)
    with pytest.raises(pc.MethodError, match="deleted or masked"):
        pc.evaluate(additive, a, pc.Deletion(fill="mean"))
    with pytest.raises(pc.MethodError, match="no mask token"):
        pc.evaluate(additive, a, pc.Deletion(fill="mask"))
    table = pc.explain(lambda x: x.sum(1), np.ones((2, 3)), pc.Occlusion(), background=np.zeros((1, 3)))
    with pytest.raises(pc.MethodError, match="is for texts"):
        pc.evaluate(lambda x: x.sum(1), table, pc.Deletion(fill="delete"))


def test_methods_side_by_side_on_texts():
    found = pc.compare(additive, TEXTS, [pc.KernelShap(), pc.Occlusion(), pc.LIME(samples=300)])
    assert [len(card.lines) for card in found.scorecards] == [3, 3, 2]  # Stability is left out, LIME has no base value
    np.testing.assert_allclose(found.by_row[0], 1)  # all three know an additive model
    pair = pc.compare(additive, TEXTS[:1], [pc.KernelShap(), pc.Occlusion()])
    np.testing.assert_array_equal(pair.by_row[0], found.by_row[0][:2, :2])
