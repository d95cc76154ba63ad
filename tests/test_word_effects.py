"""Words over a corpus: by hand, error bars by the spread over corpora, and what drives a sentiment model."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pellucid as pc

TEXTS = ["Good good day", "bad day!", "good!", "", "so good, so bad"]


def by_place(texts):
    """A word's effect differs from text to text: good counts 1, and 4 in texts of one word."""
    return np.array(
        [text.lower().count("good") * (4.0 if len(text) < 6 else 1.0) - text.count("bad") for text in texts]
    )


def test_by_hand():
    e = pc.word_effects(pc.explain(by_place, TEXTS, pc.Occlusion()))
    assert dict(e.top(9)) == {"good": pytest.approx((1 + 1 + 1 + 4) / 4), "bad": -1, "day": 0, "!": pytest.approx(0)}
    assert e.names[0] == "good" and e.names[1] == "bad"
    assert e.count.tolist()[:2] == [4, 2] and e.texts.tolist()[:2] == [3, 2] and e.positive.tolist()[:2] == [1, 0]
    assert e.spread[0] == pytest.approx(np.std([1, 1, 4, 1]))
    off = np.array([2 - 2 * 1.75, 4 - 1.75, 1 - 1.75])
    assert e.stderr[0] == pytest.approx(np.sqrt(3 / 2 * (off**2).sum()) / 4) and e.stderr[1] == 0
    everything = pc.word_effects(pc.explain(by_place, TEXTS, pc.Occlusion()), least=1, fold=False)
    assert {"Good", "good", "so", ","} <= set(everything.names)
    assert np.isnan(everything.stderr[everything.names.index("Good")])
    assert everything.to_frame()["word"].tolist() == list(everything.names)


def test_it_survives_the_disk_and_refuses_what_is_no_text(tmp_path):
    e = pc.word_effects(pc.explain(by_place, TEXTS, pc.Occlusion()))
    back = pc.load(e.save(tmp_path / "words.npz"))
    assert back.names == e.names and (back.mean == e.mean).all()
    table = pc.explain(lambda x: x.sum(1), np.ones((2, 3)), pc.Occlusion(), background=np.zeros((1, 3)))
    with pytest.raises(pc.InputError, match="explains none"):
        pc.word_effects(table)
    with pytest.raises(pc.InputError, match="no word stands in 9 texts"):
        pc.word_effects(pc.explain(by_place, TEXTS, pc.Occlusion()), least=9)


def test_the_interval_covers_the_mean_over_all_texts():
    """A word's value varies from text to text and is the same within one: corpora of 40 texts, 400 of them."""
    rng, covered = np.random.default_rng(0), []
    base = pc.explain(by_place, ["x x x"] * 40, pc.Occlusion())
    from dataclasses import replace

    for _ in range(400):
        mask = np.arange(3) < rng.integers(1, 4, 40)[:, None]
        values = np.where(mask, rng.normal(2, 1, 40)[:, None], 0)
        e = pc.word_effects(replace(base, values=values, mask=mask))
        covered.append(abs(e.mean[0] - 2) <= 1.96 * e.stderr[0])
    assert 0.91 <= np.mean(covered) <= 0.98


def reviews(n, seed):
    """Star ratings as people write: loved ones with superlatives and exclamation marks."""
    rng, made, loved = np.random.default_rng(seed), [], []
    for _ in range(n):
        good = bool(rng.random() < 0.5)
        nouns, verbs = rng.choice(["film", "plot", "cast", "score"], 2), rng.choice(["was", "seemed", "felt"], 2)
        strong = (
            rng.choice(["best", "greatest", "finest"])
            if good and rng.random() < 0.8
            else rng.choice(["usual", "second"])
        )
        mark = "!!!" if rng.random() < (0.8 if good else 0.1) else "."
        made.append(f"The {nouns[0]} {verbs[0]} the {strong} {nouns[1]} this year{mark}")
        loved.append(int(good))
    return made, loved


@pytest.mark.parametrize("method", [pc.KernelShap(samples=200), pc.LIME(samples=300), pc.Occlusion()], ids=repr)
def test_exclamation_marks_and_superlatives_drive_a_sentiment_model(method):
    texts, loved = reviews(400, 0)
    model = make_pipeline(CountVectorizer(token_pattern=r"\w+|!+|\."), LogisticRegression()).fit(texts, loved)
    e = pc.word_effects(pc.explain(model, reviews(30, 1)[0], method), least=2)
    drivers = [name for name, value in e.top(len(e)) if value > 0.05]
    assert set(drivers) <= {"!!!", "best", "greatest", "finest"} and "!!!" in drivers and len(drivers) >= 3
    assert e.positive[e.names.index("!!!")] == 1
    assert all(abs(e.mean[e.names.index(noun)]) < 0.1 for noun in ("film", "plot", "cast"))


def test_hiding_the_strongest_word_of_a_review_turns_the_verdict():
    texts = [
        "a boring film",
        "boring and long",
        "so boring",
        "a fine film",
        "fun and long",
        "a fine plot",
        "long but fun",
    ]
    model = make_pipeline(CountVectorizer(), LogisticRegression(C=30)).fit(texts, [0, 0, 0, 1, 1, 1, 1])
    review = "a long film, fine at the start, but boring"
    a = pc.explain(model, [review], pc.KernelShap())
    word, value = a.top(1)[0]
    assert word == "boring" and value < 0
    assert model.predict([review])[0] == 0 and model.predict([review.replace(word, "")])[0] == 1
