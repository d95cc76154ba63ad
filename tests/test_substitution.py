"""Words that have to be others: against brute force over all sets and candidates, and in the words of texts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pellucid as pc
from pellucid.core.text_maskers import Words
from pellucid.methods.counterfactual.vocabulary import Vocabulary, in_case

TEXTS = [
    "a boring film", "a dull boring plot", "boring", "a fine film", "a great plot", "great fine cast", "dull", "A film, and fine!",
]  # fmt: skip
GOOD = ["bad", "bad", "bad", "good", "good", "good", "bad", "good"]


def reader():
    return make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(TEXTS, GOOD)


def weigher(weights):
    """A model that sums weights of words: margin of class 1."""

    def model(texts):
        margin = np.array([sum(weights.get(word, 0) for word in str(text).split()) for text in texts])
        margin = margin + weights.get("", 0)
        return np.stack([-margin, margin], axis=1)

    return model


def test_one_word_for_another():
    made = pc.counterfactual(reader(), ["A BORING film."], pc.Substitution(), target="good", background=TEXTS)
    assert made.valid[0] and made.removed == (("BORING",),)
    ((word,),) = made.instead
    assert word == word.upper() and made.values[0] == f"A {word} film."
    assert reader().predict(made.values) == ["good"]
    assert made.sentence() == f"With {word!r} for 'BORING', it would be good."
    assert made.changes() == {"BORING": ("BORING", word)} and made.cost.tolist() == [1.0]


def test_words_that_fit_their_neighbours_come_first():
    words = Vocabulary.of(["a fine film", "a fine film", "the great film", "a day", "nice nice nice"])
    assert words.fitting("a", "boring", "film", 4) == ["fine", "day", "great", "a"]
    assert words.fitting("a", "fine", "film", 1) == ["day"] and words.fitting("", "x", "", 1) == ["nice"]
    assert [in_case("word", like) for like in ("one", "One", "ONE", "I", "éA")] == [
        "word",
        "Word",
        "WORD",
        "Word",
        "word",
    ]


@pytest.mark.parametrize("seed", range(12))
def test_sets_are_the_smallest_with_the_words_that_are_best_alone(seed: int):
    """The best word for a place of a sum is the one of the largest weight; then sets by brute force."""
    rng = np.random.default_rng(seed)
    names = list("abcdefgh")
    weights = dict(zip(names, rng.normal(size=8).tolist(), strict=True))
    weights |= {"u": 0.2, "v": float(rng.uniform(0.2, 0.6))}
    model = weigher(weights)
    text = " ".join(names[:6])
    made = pc.counterfactual(model, [text], pc.Substitution(), target=1, background=["u", "v", "u"])
    start = sum(weights[name] for name in names[:6])
    best = "v"
    gains = {name: weights[best] - weights[name] for name in names[:6]}
    flips = [
        set(some)
        for size in range(7)
        for some in itertools.combinations(names[:6], size)
        if start + sum(gains[name] for name in some) > 0
    ]
    if not flips:
        assert not made.valid[0] and not made.proof[0] and "none was found" in made.reason[0]
        return
    assert len(made.removed[0]) == len(flips[0]) and set(made.removed[0]) in flips
    assert set(made.instead[0]) <= {best}
    assert model(made.values)[0, 1] > 0 and not any(one < set(made.removed[0]) for one in flips)


def test_records_keep_what_stands_there(tmp_path):
    made = pc.counterfactual(
        reader(), ["dull, boring", "great"], pc.Substitution(), target="good", background=TEXTS, masker=pc.Words()
    )
    kept = pc.load(made.save(tmp_path / "made.npz"))
    assert kept.instead == made.instead and kept[0].sentence() == made.sentence(0)
    assert made.sentence(1) == "Nothing has to change: it is good already." and made.instead[1] == ()
    assert made.to_frame()["after"][0] == made.instead[0][0]
    pc.plot.show(made)


def test_budgets_and_limits_are_kept_and_said():
    texts = ["dull boring dull boring"]
    short = pc.counterfactual(
        reader(), texts, pc.Substitution(search=pc.SEDC(queries=3)), target="good", background=TEXTS
    )
    assert not short.valid[0] and "none was found within" in short.reason[0] and short.done[0]
    spent = pc.counterfactual(
        reader(), texts, pc.Substitution(), target="good", background=TEXTS, budget=pc.Budget(rows=5)
    )
    assert spent.receipt.rows_forward <= 5 and not spent.done[0] and "budget" in spent.reason[0]
    empty = pc.counterfactual(reader(), ["!?", ""], pc.Substitution(), target="good", background=TEXTS)
    assert not empty.valid.any() or empty.removed == ((), ())


def test_what_does_not_fit_is_refused():
    with pytest.raises(pc.InputError, match="pass background= texts"):
        pc.counterfactual(reader(), TEXTS[:1], pc.Substitution())
    with pytest.raises(pc.MethodError, match="leave the masker out"):
        pc.counterfactual(reader(), TEXTS[:1], pc.Substitution(), background=TEXTS, masker=pc.Sentences())
    with pytest.raises(pc.MethodError, match="replaces words of texts"):
        pc.counterfactual(lambda x: x, np.ones((2, 3)), pc.Substitution(), background=TEXTS)
    with pytest.raises(pc.MethodError, match="changes no columns"):
        pc.counterfactual(reader(), TEXTS[:1], pc.Substitution(), background=TEXTS, constraints=["a <= b"])
    with pytest.raises(pc.MethodError):
        pc.Substitution(candidates=0)


def test_a_text_said_in_other_words_keeps_its_gaps():
    bound = Words().bind(np.array(["A film,  and  fine! "], object), None, _form())
    assert bound.said(["B", "c", ";", "d", "e", "?"]) == "B c;  d  e? "


def _form():
    from pellucid.core.masking import Form, TextForm

    return Form(text=TextForm())


def test_many_changes_are_named_by_a_few():
    rows = np.zeros((1, 30))
    made = pc.counterfactual(lambda z: z.sum(axis=1) - 30, rows, pc.Wachter("linf"), target=(0, np.inf))
    assert made.sparsity[0] == 30
    assert made.sentence() == (
        "If you increased x0 by 1, increased x1 by 1, increased x2 by 1 and made 27 further changes, it would be at least 0."
    )
    long = pc.counterfactual(
        weigher({**dict.fromkeys("abcdefgh", -2), "": 1}), ["a b c d e f g h"], pc.SEDC(), target=1
    )
    assert long.valid[0] and long.sentence() == "Without 'a', 'b', 'c' and 5 more, it would be 1."


def test_no_set_of_best_words_is_no_proof():
    made = pc.counterfactual(weigher({"a": -1, "u": -2}), ["a a"], pc.Substitution(), target=1, background=["u"])
    assert not made.valid[0] and not made.proof[0] and "none was found" in made.reason[0]
