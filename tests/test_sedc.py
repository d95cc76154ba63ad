"""Removal: sets found are checked against all subsets, by brute force on models that are tables of answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pellucid as pc

WORDS = "abcdef"
TEXT = " ".join(WORDS)


def lookup(seed, share=0.25):
    """A model that answers each set of the six words as a coin fell: (text -> two outputs, {set: margin of class 1})."""
    rng = np.random.default_rng(seed)
    table = {}
    for kept in itertools.product([False, True], repeat=len(WORDS)):
        table[kept] = rng.normal() if rng.random() < share else -abs(rng.normal())
    table[(True,) * len(WORDS)] = -1.0

    def model(texts):
        margin = np.array([table[tuple(word in text for word in WORDS)] for text in texts])
        return np.stack([-margin, margin], axis=1) / 2

    return model, table


def flips(table, hidden):
    return table[tuple(word not in hidden for word in WORDS)] > 0


def subsets(hidden):
    return (set(some) for size in range(1, len(hidden)) for some in itertools.combinations(sorted(hidden), size))


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.0])
def test_no_proper_subset_flips_and_none_means_none(beam, share):
    found = 0
    for seed in range(25):
        model, table = lookup(seed, share)
        made = pc.counterfactual(model, [TEXT], pc.SEDC(beam=beam), target=1)
        any_flips = any(flips(table, set(s)) for k in range(1, 7) for s in itertools.combinations(WORDS, k))
        assert bool(made.valid[0]) == any_flips and bool(made.proof[0]) == (not any_flips)
        if not any_flips:
            assert made.reason[0] == "whichever of its 6 parts are hidden, it is not 1" and made.values[0] is None
            continue
        hidden = set(made.removed[0])
        assert flips(table, hidden) and not any(flips(table, one) for one in subsets(hidden))
        assert made.values[0].split() == [word for word in WORDS if word not in hidden]
        assert made.cost[0] == made.sparsity[0] == len(hidden) and made.receipt.notes == ()
        found += 1
    assert found >= 15 or share < 0.25


def test_a_set_that_is_too_large_for_its_subsets_gives_parts_back_one_by_one():
    """Flips without a, b and c, and without b and c; the search adds a first, and b, c bring nothing alone."""

    def model(texts):
        margin = [
            1.0 if not set("bc") & set(t) else -0.1 - 0.1 * ("a" in t) - 0.01 * ("b" in t) for t in map(str, texts)
        ]
        return np.stack([np.zeros(len(margin)), margin], axis=1)

    for exhaustive in (1, 8):
        made = pc.counterfactual(model, ["a b c d"], pc.SEDC(exhaustive=exhaustive), target=1)
        assert made.removed == (("b", "c"),) and made.values.tolist() == ["a d"]
        assert bool(made.receipt.notes) == (exhaustive == 1)


def test_sums_lose_their_largest_parts():
    rng = np.random.default_rng(0)
    for _ in range(10):
        weights = rng.normal(size=12)
        weights *= np.sign(weights.sum())
        made = pc.counterfactual(
            lambda x, w=weights: np.stack([x @ w, np.zeros(len(x))], 1), np.ones((1, 12)), pc.SEDC(),
            masker=pc.Baseline(0.0),
        )  # fmt: skip
        order = np.argsort(-weights)
        need = 1 + int(np.flatnonzero(weights.sum() - np.cumsum(weights[order]) < 0)[0])
        assert made.removed[0] == tuple(f"x{j}" for j in sorted(order[:need]))
        assert made.values[0].tolist() == [0.0 if j in order[:need] else 1.0 for j in range(12)]


def reader():
    texts = ["a boring film", "a dull boring plot", "boring", "a fine film", "a great plot", "great fine cast", "dull"]
    return make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(
        texts, ["bad", "bad", "bad", "good", "good", "good", "bad"]
    )


def test_a_review_in_words(tmp_path):
    texts = np.array(
        ["A boring film with a great cast.", "great", "It was dull. The plot was fine, a great plot."], object
    )
    model = reader()
    made = pc.counterfactual(model, texts, pc.SEDC(), target="good", masker=pc.Words())
    assert model.predict(texts)[0] == "bad" and made.removed[0] == ("boring",)
    assert made.sentence(0) == "Without 'boring', it would be good."
    assert made.values[0] == "A film with a great cast." and model.predict([made.values[0]]) == ["good"]
    assert made.sentence(1) == "Nothing has to change: it is good already." and made.values[1] == "great"
    assert made.changes(0) == {"boring": ("boring", None)}
    kept = pc.load(made.save(tmp_path / "made.npz"))
    assert kept.removed == made.removed and kept.values.tolist() == made.values.tolist()
    assert kept[0].sentence() == made.sentence(0)
    assert made.to_frame()["feature"].tolist()[0] == "boring"
    pc.plot.show(made)
    whole = pc.counterfactual(model, texts[2:], pc.SEDC(), masker=pc.Sentences())
    assert (
        whole.answers == ("bad",)
        and whole.sentence(0) == "Without 'The plot was fine, a great plot.', it would be bad."
    )


def test_the_smallest_region_of_a_picture():
    x = np.zeros((2, 8, 8), np.float32)
    x[0, 2:4, 4:8] = 1.0  # two windows wide, and the model looks at the brighter half
    x[0, 2:4, 4:6] = 3.0
    x[1, 6:8, 0:2] = 2.0

    def model(pictures):
        light = pictures.reshape(len(pictures), -1).sum(1)
        return np.stack([light - 6.0, 6.0 - light], axis=1)

    made = pc.counterfactual(model, x, pc.SEDC(), masker=pc.Grid(window=2, fill=0.0))
    assert made.removed == (("(2, 4)",), ("(6, 0)",)) and made.valid.all()
    assert made.sentence(0) == "With (2, 4) hidden, it would be not 0."
    expected = x.copy()
    expected[0, 2:4, 4:6] = 0
    np.testing.assert_array_equal(made.values[0], expected[0])
    assert (made.changed[0] == (expected[0] != x[0])).all()


def test_a_network_of_pictures_answers_otherwise_by_itself():
    torch.manual_seed(4)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 3))
    x = np.random.default_rng(2).normal(size=(4, 3, 8, 8)).astype(np.float32)
    made = pc.counterfactual(net, x, pc.SEDC(), masker=pc.Grid(window=4, fill="blur"))
    with torch.no_grad():
        before = net(torch.tensor(x)).argmax(1).numpy()
        after = net(torch.tensor(np.nan_to_num(made.values).astype(np.float32))).argmax(1).numpy()
    assert made.valid.any() and (after != before)[made.valid].all()
    assert np.isnan(made.values[~made.valid]).all() and made.proof[~made.valid].all()  # 4 windows: all were asked


def test_limits_are_kept_and_said():
    model, _ = lookup(0, 0.0)
    made = pc.counterfactual(model, [TEXT], pc.SEDC(queries=10), target=1)
    assert made.reason[0] == "none was found within 6 model rows" and made.done[0] and not made.proof[0]
    made = pc.counterfactual(model, [TEXT], pc.SEDC(), target=1, budget=pc.Budget(rows=10))
    assert "budget of 10 model rows" in made.reason[0] and not made.done[0] and made.receipt.rows_forward <= 10
    made = pc.counterfactual(model, [TEXT, ""], pc.SEDC(max_size=2), target=1)
    assert made.reason[0] == "whichever of its 6 parts are hidden, at most 2 at once, it is not 1" and made.proof.all()
    assert made.reason[1] == "it has no parts that could be hidden"
    assert "2 of 2 rows have no answer, 2 of them provably so" in made.receipt.warnings[0]


def test_what_does_not_fit_is_refused():
    model, _ = lookup(0)
    with pytest.raises(pc.MethodError, match="constraints= says nothing to it"):
        pc.counterfactual(model, [TEXT], pc.SEDC(), constraints=["a <= b"])
    table = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(pc.MethodError, match="give SEDC"):
        pc.counterfactual(lambda x: x, table, pc.Wachter(), masker=pc.Columns())
    with pytest.raises(pc.MethodError, match="hides a part in 9 ways at once"):
        pc.counterfactual(lambda x: x, table, pc.SEDC(), background=table)
    for bad in ({"beam": 0}, {"queries": 2.5}, {"max_size": 0}, {"exhaustive": 17}):
        with pytest.raises(pc.MethodError):
            pc.SEDC(**bad)


def test_pairs_that_growing_passed_by_are_found_within_the_most_that_may_go():
    """Alone a looks best, and only c and d together flip."""

    def model(texts):
        margin = [1.0 if str(t) == "a b" else -1.0 + 0.5 * ("a" not in t) for t in texts]
        return np.stack([np.zeros(len(margin)), margin], axis=1)

    made = pc.counterfactual(model, ["a b c d"], pc.SEDC(max_size=2), target=1)
    assert made.removed == (("c", "d"),)
    made = pc.counterfactual(model, ["a b c d"], pc.SEDC(max_size=2, exhaustive=3), target=1)
    assert not made.valid[0] and not made.proof[0]  # not all pairs were asked


@pytest.mark.parametrize("masker", [pc.Tokens(), pc.Tokens(fill="mask"), pc.Words()])
def test_a_transformer_answers_otherwise_without_some_of_its_pieces(masker):
    from small_bert import bert, tokenizer

    network, pieces = bert(), tokenizer()
    model = pc.TextModel(network, pieces)
    texts = ["a great film, so boring!", "not fun, not great.", "the end bored"]

    def answers(given):
        coded = pieces(list(map(str, given)), return_tensors="pt", padding=True)
        with torch.no_grad():
            return network.eval()(input_ids=coded["input_ids"], attention_mask=coded["attention_mask"]).logits.argmax(1)

    made = pc.counterfactual(model, texts, pc.SEDC(beam=3), masker=masker)
    before = answers(texts)
    assert made.valid.any() and (made.valid | made.proof | (made.reason != "")).all()
    for i in np.flatnonzero(made.valid):
        assert answers([made.values[i]])[0] != before[i] and len(made.removed[i]) >= 1
        if masker == pc.Tokens():
            assert "".join(made.removed[i]).replace(" ", "") != "" and len(made.values[i]) < len(texts[i])
    other = pc.counterfactual(
        model, texts, pc.Substitution(candidates=9), background=[*texts, "so fun", "a boring end"]
    )
    for i in np.flatnonzero(other.valid):
        assert answers([other.values[i]])[0] != before[i]


@pytest.mark.slow
@pytest.mark.realdata
def test_the_smallest_region_of_real_photographs(data_dir):
    """Hidden superpixels turn MobileNetV2's answer; by themselves none of them does, where more than one has to go."""
    from mobilenet import mobilenet, samples

    x, _ = samples(data_dir, 3)
    net = mobilenet(data_dir)
    masker = pc.Superpixels(pc.SLIC(segments=25), fill="blur")
    made = pc.counterfactual(net, x, pc.SEDC(max_size=12), masker=masker)
    with torch.no_grad():
        before = net(torch.as_tensor(x)).argmax(1)
        after = net(torch.as_tensor(np.nan_to_num(made.values).astype(np.float32))).argmax(1)
    assert made.valid.sum() >= 2 and (after != before).numpy()[made.valid].all()
    share = made.changed.any(axis=1).reshape(len(made), -1).mean(axis=1)
    assert (share[made.valid] < 0.6).all() and (made.sparsity[made.valid] <= 12).all()
