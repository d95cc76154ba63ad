"""SubmodularPick: the greedy choice by naive derivation, its guarantee by exhaustive search, words and players as features."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pellucid as pc

VALUES = st.sampled_from([0.0, 0.0, 0.0, 1.0, -2.0, 0.5, 4.0])


def attribution(W, names=None):
    W = np.asarray(W, float)
    return pc.Attribution.from_arrays(W, data=np.zeros(W.shape), target=0, names=names)


def covered(W, rows):
    """c(V) / c(all), straight from the paper's equations."""
    importance = [np.sqrt(sum(abs(W[i][j]) for i in range(len(W)))) for j in range(W.shape[1])]
    return sum(importance[j] for j in range(W.shape[1]) if any(W[i][j] != 0 for i in rows)) / (sum(importance) or 1)


def test_the_papers_example():
    """Figure 5: feature 2 matters most, and the second row adds what the first leaves out."""
    W = np.array([[0, 1, 1, 0, 0], [0, 1, 0, 1, 0], [1, 0, 0, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1.0]])
    made = pc.summarize(attribution(W, list("abcde")), pc.SubmodularPick(k=2, share=1.0))
    np.testing.assert_allclose(made.importance, np.sqrt([2, 3, 1, 2, 2]))
    assert made.names == tuple("abcde")
    assert made.indices.tolist() == [1, 2]  # b and d, then a and e
    total = np.sqrt([2, 3, 1, 2, 2]).sum()
    np.testing.assert_allclose(made.weights, [np.sqrt([3, 2]).sum() / total, np.sqrt([2, 2]).sum() / total])
    np.testing.assert_allclose(made.curve, made.weights.cumsum())


@given(arrays(float, (6, 5), elements=VALUES), st.integers(1, 4))
@settings(max_examples=80)
def test_greedy_is_what_a_naive_search_finds_and_keeps_its_guarantee(W, k):
    made = pc.summarize(attribution(W), pc.SubmodularPick(k=k, share=1.0))
    picked: list[int] = []
    for row in made.indices.tolist():
        gains = {i: covered(W, [*picked, i]) for i in range(len(W)) if i not in picked}
        assert gains[row] == pytest.approx(max(gains.values()), abs=1e-12)
        picked.append(row)
        assert made.curve[len(picked) - 1] == pytest.approx(covered(W, picked), abs=1e-12)
    best = max(covered(W, rows) for rows in itertools.combinations(range(len(W)), k))
    assert made.curve[-1] >= (1 - 1 / np.e) * best - 1e-12


def test_a_row_covers_the_features_that_its_share_rests_on():
    W = np.array([[5.0, 3, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [-9, 0, 1, 0]])
    made = pc.SubmodularPick(share=0.8).covers(W)
    assert made.tolist() == [[True, True, False, False], [False] * 4, [True] * 4, [True, False, False, False]]
    assert (pc.SubmodularPick(share=1.0).covers(W) == (W != 0)).all()


def test_any_attribution_of_a_table_and_the_picked_explanations():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])

    def model(frame):
        return np.where(frame["a"] > 0, 3 * frame["b"], frame["c"])

    explained = pc.explain(model, X, pc.ExactShapley(), background=X[:20])
    made = pc.summarize(explained, pc.SubmodularPick(k=3))
    part = explained[made.indices]
    assert len(made) == len(part) == 3 and part.feature_names == ("a", "b", "c")
    assert made.to_frame()["row"].tolist() == made.indices.tolist()
    assert len(set(made.indices.tolist())) == 3 and (np.diff(made.curve) >= -1e-12).all()


def test_words_are_features_across_texts():
    texts = ["boring film", "great film", "boring, boring!", "great fun"]
    score = lambda texts: np.array([t.count("great") - t.count("boring") for t in texts], float)  # noqa: E731
    explained = pc.explain(score, texts, pc.ExactShapley(), masker=pc.Words())
    made = pc.summarize(explained, pc.SubmodularPick(k=2))
    shown = dict(zip(made.names, made.importance, strict=True))
    assert shown["boring"] == pytest.approx(np.sqrt(3)) and shown["great"] == pytest.approx(np.sqrt(2))
    assert made.indices.tolist() == [0, 1] and made.curve[-1] == pytest.approx(1.0)


def test_rows_that_were_left_out_are_not_picked():
    from dataclasses import replace

    made = attribution(np.eye(4))
    half = replace(made, done=np.array([False, True, False, True]))
    picked = pc.summarize(half, "SubmodularPick(k=3)")
    assert picked.indices.tolist() == [1, 3] and "only 2 are explained" in picked.receipt.warnings[0]
    with pytest.raises(pc.InputError, match="no row of this attribution was finished"):
        pc.summarize(replace(made, done=np.zeros(4, bool)))


def test_it_says_when_rows_add_nothing_and_survives_the_disk(tmp_path: Path):
    made = pc.summarize(attribution(np.ones((4, 2))), pc.SubmodularPick(k=3))
    assert "2 of 3 rows add no feature" in made.receipt.warnings[0]
    back = pc.load(made.save(tmp_path / "picked.npz"))
    np.testing.assert_array_equal(back.indices, made.indices)
    assert back.method == made.method and back.names == made.names


def test_what_cannot_be_summarized():
    with pytest.raises(pc.InputError, match="explain some rows first"):
        pc.summarize(np.ones((3, 3)))
    with pytest.raises(pc.MethodError, match=r"give SubmodularPick\(k=5\)"):
        pc.summarize(attribution(np.eye(2)), pc.LIME())
    for wrong in ({"k": 0}, {"share": 0}, {"share": 1.5}):
        with pytest.raises(pc.MethodError, match=rf"SubmodularPick\({next(iter(wrong))}="):
            pc.SubmodularPick(**wrong)
