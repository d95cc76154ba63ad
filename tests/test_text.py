"""Explaining texts by hiding their words: additive and crossed games by closed form, what is left of a text, refusals."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import pellucid as pc
from pellucid import plot
from pellucid.core.masking import Form, TextForm
from pellucid.core.words import words

WEIGHT = {
    "great": 2.0,
    "boring": -3.0,
    "!": 0.5,
    "!!!": 1.5,
    "film": 0.25,
    "not": -1.0,
    "👍🏽": 4.0,
    "cafe\u0301": 7.0,
    "נהדר": 5.0,
}
TEXTS = [
    "A great film. Not boring!!!",
    "great, great film",
    "👍🏽 boring cafe\u0301 👍🏽",
    "סרט נהדר!",
    "great",
    "nothing here counts at all, or does it? No.",
]
SAMPLED = [pc.KernelShap(), pc.PermutationShap(orders=8), pc.PartitionShap(), pc.LIME(samples=400, penalty=0)]
METHODS = [pc.Occlusion(), pc.ExactShapley(), *SAMPLED]
FORM = Form(text=TextForm())


def said(text):
    return [text[start:stop].lower() for start, stop in words(text)]


def additive(texts):
    """1 plus the weight of every word: list of b -> (b,)"""
    assert isinstance(texts, list) and all(type(text) is str for text in texts)
    return np.array([1 + sum(WEIGHT.get(word, 0.0) for word in said(text)) for text in texts])


def crossed(texts):
    """Words act together: "not" turns round what stands right behind it; two greats are no better than one."""
    scores = []
    for text in texts:
        score, before = 0.0, ""
        for word in said(text):
            score += WEIGHT.get(word, 0.0) * (-1 if before == "not" else 1)
            before = word
        scores.append(score - 2 * max(0, said(text).count("great") - 1))
    return np.array(scores)


def bound(text, masker=None, form=FORM):
    return (masker or pc.Words()).bind(np.array([text], dtype=object), None, form)


def shown(text, *there, masker=None, form=FORM):
    return bound(text, masker, form).fill(np.array([there], dtype=bool))[0, 0, 0]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_words_of_an_additive_model_get_their_weights(method):
    a = pc.explain(additive, TEXTS, method)
    for row, text in enumerate(TEXTS):
        expected = [WEIGHT.get(word, 0.0) for word in said(text)]
        np.testing.assert_allclose(a.values[row, a.mask[row]], expected, atol=1e-9)
        np.testing.assert_allclose(a.players.row(row)[1], expected, atol=1e-9)
        assert a.data[row, a.mask[row]].tolist() == [text[start:stop] for start, stop in words(text)]
    assert a.layout == "tokens" and a.texts == tuple(TEXTS)
    assert (a.values[~a.mask] == 0).all() and (a.data[~a.mask] == "").all()
    np.testing.assert_allclose(a.scores, additive(TEXTS))
    if not isinstance(method, pc.LIME):
        np.testing.assert_allclose(a.base_values, 1)
        np.testing.assert_allclose(a.gap, 0, atol=1e-9)


def test_a_word_that_stands_twice_is_two_players():
    a = pc.explain(crossed, ["great and not great"], pc.Occlusion())
    assert a.data[0].tolist() == ["great", "and", "not", "great"]
    whole = crossed(["great and not great"])[0]
    drops = [
        whole - crossed([text])[0] for text in ("and not great", "great not great", "great and great", "great and not")
    ]
    np.testing.assert_allclose(a.values[0], drops)
    assert a.values[0, 0] != a.values[0, 3]


def test_shapley_values_by_the_definition():
    text = "great, not great film"
    p = len(words(text))
    value = {z: crossed([shown(text, *z)])[0] for z in product([0, 1], repeat=p)}
    from math import factorial

    expected = np.zeros(p)
    for i in range(p):
        for z in value:
            if not z[i]:
                s = sum(z)
                joined = tuple(1 if j == i else there for j, there in enumerate(z))
                expected[i] += factorial(s) * factorial(p - s - 1) / factorial(p) * (value[joined] - value[z])
    for method in (pc.ExactShapley(), pc.KernelShap()):
        np.testing.assert_allclose(pc.explain(crossed, [text], method).values[0], expected, atol=1e-9)


def test_top_names_the_words():
    assert pc.explain(additive, TEXTS, pc.Occlusion()).top(2) == [("boring", -3.0), ("great", 2.0)]
    assert pc.explain(additive, TEXTS, pc.Occlusion()).top(3, row=1)[0] == ("great", 2.0)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_row_is_the_same_to_the_last_bit_whatever_its_company(method):
    whole = pc.explain(crossed, TEXTS, method)
    for row in range(len(TEXTS)):
        alone = pc.explain(crossed, TEXTS[row : row + 1], method)
        t = alone.values.shape[1]
        np.testing.assert_array_equal(alone.values[0], whole.values[row, :t])
        np.testing.assert_array_equal(whole.values[row, t:], 0)
        assert alone.stderr is None or (alone.stderr[0] == whole.stderr[row, :t]).all()


# --- what is left of a text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "left"),
    [
        ((1, 1, 1, 1, 1), "  So, very boring!! "),
        ((1, 1, 1, 0, 1), "  So, very!! "),
        ((0, 1, 1, 1, 1), "  , very boring!! "),
        ((0, 0, 1, 1, 0), "  very boring "),
        ((0, 0, 0, 0, 0), "   "),
        ((1, 0, 0, 1, 1), "  So boring!! "),
    ],
)
def test_a_deleted_word_takes_the_space_before_it_along(there, left):
    assert shown("  So, very boring!! ", *there) == left


def test_a_replaced_word_leaves_its_place():
    text = "So, very boring!! "
    assert shown(text, 1, 1, 0, 0, 1, masker=pc.Words(fill="UNKWORDZ")) == "So, UNKWORDZ UNKWORDZ!! "
    masked = Form(text=TextForm(mask="[MASK]"))
    assert shown(text, 0, 1, 1, 1, 0, masker=pc.Words(fill="mask"), form=masked) == "[MASK], very boring[MASK] "
    assert shown(text, 0, 0, 0, 0, 0, masker=pc.Words(fill="mask"), form=masked) == "[MASK][MASK] [MASK] [MASK][MASK] "


def test_sentences_come_and_go_whole():
    text = "It was great. Not boring! Bye"
    assert bound(text, pc.Sentences()).names == ("It was great.", "Not boring!", "Bye")
    assert shown(text, 1, 0, 1, masker=pc.Sentences()) == "It was great. Bye"
    a = pc.explain(additive, [text], pc.ExactShapley(), masker=pc.Sentences())
    np.testing.assert_allclose(a.values[0], [2, -1 - 3 + 0.5, 0], atol=1e-12)


def test_what_a_model_never_sees_is_no_player():
    form = Form(text=TextForm(seen=lambda text: (0, 10)))
    b = bound("one, two three four.", form=form)
    assert b.names == ("one", ",", "two", "three") and b.parts[-2:] == ("four", ".")
    assert b.fill(np.array([[1, 1, 0, 1]], bool))[0, 0, 0] == "one, three"
    assert b.fill(np.ones((1, 4), bool))[0, 0, 0] == "one, two three four."
    np.testing.assert_array_equal(b.lift(np.array([[1.0, 2, 3, 4]])), [[1, 2, 3, 4, 0, 0]])
    assert bound("one, two three", form=Form(text=TextForm(seen=lambda text: (0, 9)))).names == ("one", ",", "two")
    tail = bound("one two three", form=Form(text=TextForm(seen=lambda text: (4, 13))))
    assert tail.names == ("two", "three") and tail.fill(np.array([[1, 0]], bool))[0, 0, 0] == "two"


def test_labels_say_whose_each_character_is():
    a = pc.explain(additive, ["so great!", "a"], pc.Occlusion())
    assert a.players.labels.tolist() == [[0, 0, -1, 1, 1, 1, 1, 1, 2], [0] + [-1] * 8]
    assert a.players.own == (("so", "great", "!"), ("a",))


def test_words_are_shared_out_among_sentences_first():
    text = "great film. not boring film at all."
    tree = pc.explain(crossed, [text], pc.PartitionShap())
    by_hand = pc.explain(
        crossed, [text], pc.PartitionShap(hierarchy=(((0,), (1, 2)), (((3,), (4, 5)), ((6,), (7, 8)))))
    )
    np.testing.assert_allclose(tree.values, by_hand.values, atol=1e-12)
    flat = pc.explain(crossed, [text], pc.ExactShapley())
    np.testing.assert_allclose(flat.values.sum(), tree.values.sum())
    assert not np.allclose(flat.values, tree.values)


# --- odd texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_texts_without_words_have_nothing_to_explain(method):
    a = pc.explain(additive, ["", "great film", " \n\t "], method)
    np.testing.assert_allclose(a.values, [[0, 0], [2, 0.25], [0, 0]], atol=1e-9)
    assert a.mask.tolist() == [[False, False], [True, True], [False, False]]
    assert a.done.all() and a.scores[0] == 1 and a.top(3) == []
    assert any("2 of 3 texts have no words" in warning for warning in a.receipt.warnings)
    none = pc.explain(additive, [""], method)
    assert none.values.shape == (1, 0) and none.scores[0] == 1


def test_one_word_takes_all():
    for method in METHODS:
        assert pc.explain(additive, ["boring"], method).top() == [("boring", pytest.approx(-3))]


def test_columns_arrays_and_tuples_of_texts_are_texts():
    expected = pc.explain(additive, TEXTS, pc.Occlusion()).values
    for given in (np.array(TEXTS), np.array(TEXTS, dtype=object), pd.Series(TEXTS, index=range(5, 11)), tuple(TEXTS)):
        np.testing.assert_array_equal(pc.explain(additive, given, pc.Occlusion()).values, expected)


def test_the_default_hides_one_word_after_the_other():
    a = pc.explain(additive, TEXTS)
    assert isinstance(a.method, pc.Occlusion) and a.receipt.masker == "Words(fill='delete')"


def test_long_texts_are_asked_in_bounded_pieces():
    largest = 0

    def watched(texts):
        nonlocal largest
        largest = max(largest, sum(map(len, texts)))
        return np.array([text.count("great") for text in texts], float)

    text = "it was great and so on and so forth " * 150  # 1,350 words
    a = pc.explain(watched, [text], pc.Occlusion())
    assert a.values.shape == (1, 1350) and a.values.sum() == pytest.approx(150)
    assert largest <= 2**22  # all coalitions together are 7 million characters


# --- pipelines --------------------------------------------------------------------------------------------------------

SPAM = [
    "free money now",
    "winner ! claim free prize",
    "click here to win",
    "lunch at noon ?",
    "see you at lunch",
    "notes of the talk",
]
IS_SPAM = ["spam", "spam", "spam", "ham", "ham", "ham"]


def filter_of_spam():
    return make_pipeline(CountVectorizer(token_pattern=r"\S+"), MultinomialNB()).fit(SPAM, IS_SPAM)


def test_a_spam_filter_by_class_name_on_both_scales():
    model, text = filter_of_spam(), ["free lunch at the prize talk"]
    a = pc.explain(model, text, pc.KernelShap(), target="spam")
    assert a.scores[0] == pytest.approx(model.predict_proba(text)[0, 1])
    assert {name for name, value in a.top(6) if value > 0} == {"free", "prize"}
    np.testing.assert_allclose(pc.explain(model, text, pc.KernelShap()).values, a.values)  # classes_[1] is spam
    linear = make_pipeline(CountVectorizer(), LogisticRegression()).fit(SPAM, IS_SPAM)
    margin = pc.explain(linear, ["free free lunch"], pc.ExactShapley(), target=pc.Class("spam", scale="margin"))
    weights = dict(zip(linear[0].get_feature_names_out(), linear[1].coef_[0], strict=True))
    np.testing.assert_allclose(margin.values[0], [weights[word] for word in ("free", "free", "lunch")], atol=1e-9)


def test_counts_stay_sparse_and_each_coalition_is_one_text():
    seen = []

    class Watching(LogisticRegression):
        def predict_proba(self, X):
            seen.append(X)
            return super().predict_proba(X)

    model = make_pipeline(CountVectorizer(), Watching()).fit(SPAM, IS_SPAM)
    a = pc.explain(model, ["free lunch now"], pc.ExactShapley())
    assert all(hasattr(counts, "tocsr") for counts in seen)
    assert a.receipt.rows_forward == sum(counts.shape[0] for counts in seen)


# --- plots, files, refusals -------------------------------------------------------------------------------------------


def test_the_record_survives_slicing_the_disk_and_a_frame(tmp_path):
    a = pc.explain(additive, TEXTS, pc.KernelShap())
    back = pc.load(a.save(tmp_path / "a.npz"))
    assert back.texts == a.texts and back.data.tolist() == a.data.tolist() and (back.mask == a.mask).all()
    assert back[2].texts == (TEXTS[2],) and back[2].top(1) == a.top(1, row=2)
    frame = a.to_frame()
    assert len(frame) == a.mask.sum() and frame.groupby("row")["value"].sum().tolist() == pytest.approx(
        (a.scores - a.base_values).tolist()
    )
    assert frame["data"].tolist()[:3] == ["A", "great", "film"]


def test_words_are_drawn_in_order():
    a = pc.explain(additive, TEXTS, pc.KernelShap())
    drawn = [label.get_text() for label in plot.show(a, 1).texts]
    assert drawn == ["great", ",", "great", "film"]
    assert {label.get_text() for label in plot.bar(a, 1).get_yticklabels()} == {"great", ",", "film"}


@pytest.mark.parametrize(
    ("x", "says"),
    [
        ("one text", "rows first"),
        (np.array([], dtype=object), "empty"),
        (["a", None], r"row 1 of x is missing \(NaN\)"),
        (["a", float("nan")], r"row 1 of x is missing \(NaN\)"),
        (["a", 3], "row 1 of x is a int, not a text"),
    ],
)
def test_things_that_are_no_texts(x, says):
    with pytest.raises(pc.InputError, match=says):
        pc.explain(additive, x, pc.Occlusion())


def test_refusals_name_the_remedy():
    with pytest.raises(pc.InputError, match="need no background"):
        pc.explain(additive, TEXTS, pc.KernelShap(), background=TEXTS)
    with pytest.raises(pc.MethodError, match=r"names no mask token.*fill='\[UNK\]'"):
        pc.explain(additive, TEXTS, pc.Occlusion(), masker=pc.Words(fill="mask"))
    with pytest.raises(pc.MethodError, match="tokenizer"):
        pc.explain(additive, TEXTS, pc.Occlusion(), masker=pc.Tokens())
    for masker in (pc.Columns(), pc.Grid(), pc.Baseline()):
        with pytest.raises(pc.MethodError, match="hides numbers, and x holds texts"):
            pc.explain(additive, TEXTS, pc.Occlusion(), masker=masker)
    with pytest.raises(pc.MethodError, match=r"Words.* is for texts"):
        pc.explain(lambda x: x.sum(1), np.ones((2, 3)), pc.Occlusion(), masker=pc.Words())
    with pytest.raises(pc.MethodError, match="texts have neither"):
        pc.explain(additive, TEXTS, pc.Occlusion(window=2))
    with pytest.raises(pc.MethodError, match="needs gradients"):
        pc.explain(additive, TEXTS, pc.IntegratedGradients())
    with pytest.raises(pc.MethodError, match="x holds texts"):
        pc.explain(filter_of_spam(), TEXTS, pc.TreeShap())
    with pytest.raises(pc.MethodError, match=r"RISE masks places of arrays.*LIME\(\)"):
        pc.explain(additive, TEXTS, pc.RISE())
    with pytest.raises(pc.MethodError, match="'delete', 'pad', 'mask', or the text"):
        pc.Words(fill="")
    with pytest.raises(pc.ModelError, match="raised ValueError: odd on a batch of 1 texts"):
        pc.explain(lambda texts: (_ for _ in ()).throw(ValueError("odd")), ["a b"], pc.Occlusion())
    with pytest.raises(pc.ModelError, match="takes a network and its tokenizer"):
        pc.TextModel(3, 4)
