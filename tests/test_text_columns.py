"""Frames with a column of free text: a pipeline that reads it, one player as a whole, and a clear word wherever that matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

import pellucid as pc
from pellucid.core.frames import Codec

NOUNS = ("film", "plot", "actor", "score", "scene", "ending", "camera", "story", "dialogue", "pace", "set", "cut")


def reviews(n: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    """A review is good where it says so; stars and town go with it a little."""
    rng = np.random.default_rng(0)
    good = rng.random(n) < 0.5
    words = [
        " ".join(rng.permutation([*rng.choice(NOUNS, 6, replace=False), "good" if yes else "awful"])) for yes in good
    ]
    stars = good + rng.normal(size=n)
    return pd.DataFrame({"stars": stars, "review": words, "town": rng.choice(["Rom", "Ulm"], n)}), good


def fitted(frame: pd.DataFrame, y: np.ndarray) -> Pipeline:
    columns = make_column_transformer(
        (TfidfVectorizer(), "review"), (OneHotEncoder(), ["town"]), remainder="passthrough"
    )
    return make_pipeline(columns, LogisticRegression(C=10)).fit(frame, y)


@pytest.fixture(scope="module")
def world() -> tuple[Pipeline, pd.DataFrame, np.ndarray]:
    X, y = reviews()
    return fitted(X, y), X, y


TEXTS = [f"the number {i} is one of many" for i in range(20)]


@pytest.mark.parametrize(
    ("values", "is_text"),
    [
        (TEXTS, True),
        (TEXTS[:9], False),  # too few to tell
        (TEXTS[:15] + TEXTS[:5], False),  # told apart only three times in four
        ([f"id-{i}" for i in range(20)], False),  # a name, not a text
        (["existing credits paid back duly till now", "no credits taken"] * 10, False),  # wordy levels
        ([None if i % 3 == 0 else text for i, text in enumerate(TEXTS)], True),
        (pd.Categorical(TEXTS), False),  # the user says that these are categories
        (list(range(20)), False),
        ([text if i else i for i, text in enumerate(TEXTS)], False),
    ],
)
def test_what_counts_as_free_text(values: Any, is_text: bool):
    frame = pd.DataFrame({"a": pd.Series(values, dtype=None)})
    assert Codec.learn(frame).schema.texts == (("a",) if is_text else ())
    both = Codec.learn(frame[:5], frame)  # rows to explain may be few, or among the background
    assert both.schema.texts == (("a",) if is_text else ())


def test_polars_texts_too():
    assert Codec.learn(pl.DataFrame({"a": TEXTS, "b": range(20)})).schema.texts == ("a",)


@pytest.mark.parametrize("method", [pc.KernelShap(samples=64), pc.LIME(samples=200), pc.ExactShapley()])
def test_the_text_is_one_player_and_it_is_said(world, method: pc.Method):
    model, X, _ = world
    a = pc.explain(model, X[:4], method, background=X[50:100])
    assert a.feature_names == ("stars", "review", "town") and a.values.shape == (4, 3)
    assert (np.abs(a.values).argmax(axis=1) == 1).all() and a.data[0, 1] == X["review"][0]
    (said,) = [text for text in a.receipt.warnings if "free text" in text]
    assert "'review'" in said and "one player as a whole" in said and "left to the text methods" in said


def test_importance_shuffles_whole_texts(world):
    model, X, y = world
    for method in (pc.PermutationImportance(repeats=3), pc.PermutationImportance(repeats=3, within="neighbours")):
        found = pc.importance(model, X, y, method)
        assert found.top(1)[0][0] == "review" and found.mean[1] > 0.3
        assert any("'review' holds free text" in said for said in found.receipt.warnings)


def test_trees_behind_a_vectorizer_are_explained(world):
    _, X, y = world
    columns = make_column_transformer((TfidfVectorizer(), "review"), remainder="passthrough")
    model = make_pipeline(columns, RandomForestClassifier(5, random_state=0)).fit(X[["stars", "review"]], y)
    a = pc.explain(model, X[:3], background=X[50:80])
    assert a.feature_names == ("stars", "review") and np.abs(a.gap).max() < 1e-9
    assert (np.abs(a.values[:, 1]) > np.abs(a.values[:, 0])).all()


@pytest.mark.parametrize("method", [pc.PartialDependence(), pc.AccumulatedLocalEffects()])
def test_a_curve_along_texts_is_refused_with_the_remedy(world, method: pc.Method):
    model, X, _ = world
    with pytest.raises(pc.InputError, match=r"'review' holds free text .* grid=.* left to the text methods"):
        pc.effect(model, X, "review", method)
    with pytest.raises(pc.InputError, match="'review' holds free text"):
        pc.effect(model, X, ("stars", "review"), method)
    stars = pc.effect(model, X, "stars", method)  # other columns are free to move
    assert not any("text" in said for said in stars.receipt.warnings) and stars.mean[-1] > stars.mean[0]


def test_texts_that_are_named_are_compared(world):
    model, X, y = world
    worst, best = X["review"][~y].iloc[0], X["review"][y].iloc[0]
    made = pc.effect(model, X, "review", grid=[worst, best])
    assert made.mean[0] < 0.4 < 0.6 < made.mean[1]


def test_the_remedy_that_is_named_does_what_it_says(world):
    """The text methods explain the words of one row's text; a function puts each text into the row."""
    model, X, y = world
    row = X[y].iloc[[0]]

    def f(texts: list[str]) -> np.ndarray:
        return model.predict_proba(row.loc[row.index.repeat(len(texts))].assign(review=texts))

    a = pc.explain(f, row["review"].tolist(), pc.KernelShap(samples=500), target=1)
    assert a.top(1)[0][0].strip() == "good"


def test_rules_and_pairs_say_it_too(world):
    model, X, _ = world
    rules = pc.anchor(model, X[:1], background=X[50:])
    pairs = pc.interact(model, X[:2], pc.ExactShapley(), background=X[50:70])
    for record in (rules, pairs):
        assert any("'review' holds free text" in said for said in record.receipt.warnings)


def test_simple_models_go_without_texts_and_say_so(world):
    _, X, y = world
    model = make_pipeline(
        make_column_transformer((TfidfVectorizer(), "review"), remainder="drop"), LogisticRegression(C=10)
    )
    found = pc.rivals(model, X, y)
    assert found.best is None and any("'review' holds free text" in said for said in found.receipt.warnings)
    assert not any("review" in rule for rule in found.rules)


def test_a_saved_record_remembers_which_columns_are_texts(world, tmp_path):
    model, X, _ = world
    a = pc.explain(model, X[:2], pc.KernelShap(samples=32), background=X[50:70])
    assert pc.load(a.save(tmp_path / "a.npz")).schema == a.schema and a.schema.texts == ("review",)


def test_rare_levels_make_no_rows_alike():
    """Thousands of names never become thousands of columns."""
    from pellucid.methods.effect.conditional import _LEVELS, _numbers

    x = np.column_stack([np.arange(5000.0) % 4000, np.arange(5000.0) % 3])
    assert _numbers(x, np.array([True, True])).shape == (5000, _LEVELS + 3)
    kept = _numbers(x, np.array([True, False]))[:, :_LEVELS]
    assert (kept.sum(axis=0) == 2).all()  # the frequent ones
