"""Where methods disagree and which side the evidence supports: hand-made ranks, planted truths, and noise that takes no side."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_rel

import pellucid as pc
import plot_records as made
from pellucid.metrics.agreement import matrix
from pellucid.metrics.beside import beside
from pellucid.metrics.disputes import disputes
from pellucid.metrics.similarity import kendall

RNG = np.random.default_rng(0)
W = np.array([3.0, -2.5, 2, -1.5, 1, 0.5])
X = RNG.normal(size=(24, 6))
JUDGES = [pc.Deletion(randoms=4), pc.Insertion(randoms=4)]


def linear(z):
    return z @ W


def record(values, x=X, names=None):
    return pc.Attribution.from_arrays(values, data=x, target=None, names=names)


def compared(*values, metrics=JUDGES):
    """Records of the same rows beside each other, judged against random."""
    records = {f"m{i}": record(one) for i, one in enumerate(values)}
    return beside(records, {name: pc.evaluate(linear, one, metrics) for name, one in records.items()})


def test_the_places_of_largest_disagreement_by_hand():
    """Ranks 1 2 3 4 against 4 2 1 3: apart by -3, 0, 2, 1 of 3 ranks, a rank correlation of -0.4."""
    x = np.ones((1, 4))
    records = [record(np.array([row]), x, names="abcd") for row in ([1.0, 2, 3, 4], [40.0, 20, 10, 30])]
    ranked = matrix(records)["rank_correlation"]
    cards = [pc.evaluate(lambda z: z.sum(1), one, pc.Deletion(randoms=2)) for one in records]
    (found,) = disputes(records, cards, ["one", "two"], ranked)
    assert ranked[0, 0, 1] == pytest.approx(1 - 6 * (9 + 0 + 4 + 1) / (4 * 15))
    assert found.rows.tolist() == [0] and found.places == (("a", "c", "d"),) and found.features == ("a", "c", "d")
    np.testing.assert_allclose(found.apart, [[-1, 2 / 3, 1 / 3]])
    assert found.side is None and "a single row gives no interval" in found.sentence
    frame = found.to_frame()
    assert frame["row"].tolist() == [0, 0, 0] and frame["place"].tolist() == ["a", "c", "d"]


def test_the_evidence_is_for_the_truth_on_exactly_the_rows_that_are_disputed():
    truth = W * X
    wrong = np.where(np.arange(24)[:, None] < 9, -truth, truth + 1e-3 * RNG.normal(size=truth.shape))
    found = compared(truth, wrong)
    (dispute,) = found.disputes
    assert dispute.rows.tolist() == list(range(9)) and dispute.judged == 24 and dispute.side == "m0"
    for evidence, name in zip(dispute.evidence, ("Deletion", "Insertion"), strict=True):
        first, second = (card[name].advantage[:9] for card in found.scorecards)
        interval = ttest_rel(first, second).confidence_interval()
        assert (evidence.low, evidence.high) == pytest.approx((interval.low, interval.high))
        assert evidence.rows == 9 and evidence.difference == pytest.approx((first - second).mean())
    assert "rank differently in 9 of 24 rows" in dispute.sentence and "the evidence is for m0" in dispute.sentence


def test_whoever_comes_first_the_side_is_the_same():
    truth, noise = W * X, RNG.normal(size=X.shape)
    (one,), (two,) = compared(truth, noise).disputes, compared(noise, truth).disputes
    assert (one.side, two.side) == ("m0", "m1") and one.features == two.features
    np.testing.assert_allclose(one.apart, -two.apart)
    for a, b in zip(one.evidence, two.evidence, strict=True):
        assert (a.difference, a.low, a.high) == pytest.approx((-b.difference, -b.high, -b.low))


def test_two_explanations_that_know_nothing_rarely_get_a_side():
    sides = [
        evidence.side
        for seed in range(25)
        for dispute in compared(*np.random.default_rng(seed).normal(size=(2, 24, 6))).disputes
        for evidence in dispute.evidence
    ]
    assert len(sides) == 50 and sum(side is not None for side in sides) <= 7  # 2.5 by chance


def test_methods_that_agree_have_nothing_to_dispute():
    (dispute,) = compared(W * X, 2 * W * X).disputes
    assert not len(dispute.rows) and dispute.evidence == () and "rank alike in every row" in dispute.sentence
    assert dispute.apart.shape == (0, 0) and dispute.to_frame().empty


def test_constant_maps_and_metrics_without_a_chance_level_take_no_side():
    flat = np.where(np.arange(24)[:, None] < 20, 1.0, -W * X)
    (dispute,) = compared(W * X, flat).disputes
    assert dispute.judged == 4 and dispute.rows.tolist() == [20, 21, 22, 23]
    nowhere = compared(W * X, np.ones_like(X)).disputes[0]
    assert nowhere.judged == 0 and "no row where both have a pattern" in nowhere.sentence
    records = {"a": W * X, "b": -W * X}
    cards = {
        name: pc.evaluate(
            linear,
            pc.Attribution.from_arrays(v, data=X, target=None, base_values=0.0),
            pc.Completeness(),
        )
        for name, v in records.items()
    }
    (silent,) = beside({name: record(v) for name, v in records.items()}, cards).disputes
    assert silent.evidence == () and "no metric that measures against random" in silent.sentence


def test_contradictions_are_said():
    told = made.disputes()
    assert [dispute.side for dispute in told] == ["Saliency", None, None]
    assert told[0].sentence.endswith("the evidence is for Saliency: Deletion by 0.2 (0.1 to 0.3)")
    assert "contradict each other: Deletion by 0.2 (0.1 to 0.3) for Saliency, Insertion by 0.3 (0.1 to 0.5)" in (
        told[1].sentence
    )
    undecided = dataclasses.replace(told[0], evidence=told[0].evidence[1:])
    assert undecided.sentence.endswith("the evidence takes no side")


def test_pictures_are_told_by_windows():
    x = np.ones((3, 1, 24, 20))
    values = RNG.normal(size=(3, 24, 20))
    other = values.copy()
    other[:, 6:9, 3:6] = values.max() + np.arange(9).reshape(3, 3)  # the third window down, the second across
    records = [record(v[:, None], x) for v in (values, other)]
    cards = [pc.evaluate(lambda z: z.sum((1, 2, 3)), one, pc.Deletion(steps=2, randoms=1)) for one in records]
    (dispute,) = disputes(records, cards, ["a", "b"], np.full((3, 2, 2), -1.0))
    assert dispute.features[0] == "[6:9, 3:6]" and (dispute.apart[:, 0] < 0).all()


@pytest.fixture(scope="module")
def texts():
    def model(batch):
        return np.array([text.count("good") - 2 * text.count("bad") for text in batch], dtype=float)

    rows = ["good film bad end", "bad plot", "a good good film"]
    return pc.compare(model, rows, [pc.Occlusion(), pc.LIME(samples=50)], masker=pc.Words(), metrics=JUDGES)


def test_texts_are_compared_part_by_part(texts):
    assert texts.kendall.shape == (2, 2) and texts.kendall[0, 1] > 0.5
    (one,) = texts.disputes
    assert one.judged == 3 and not len(one.rows)
    reversed_ = dataclasses.replace(texts.attributions[0], values=-texts.attributions[0].values)
    pair = {"is": texts.attributions[0], "reversed": reversed_}
    (found,) = beside(pair, dict(zip(pair, texts.scorecards, strict=True))).disputes
    assert found.rows.tolist() == [0, 1, 2] and {"good", "bad"} & set(found.features)


@given(arrays(float, (2, 7), elements=st.integers(-3, 3).map(float)))
def test_kendall_counts_pairs(pair):
    """tau-b: pairs in the same order less pairs in the other, over the roots of the pairs that are no ties."""
    a, b = pair
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert np.isnan(kendall(a[None], b[None])).all()
        return
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in itertools.combinations(range(7), 2)]
    up, right = (sum(s[k] ** 2 for s in signs) for k in (0, 1))
    assert kendall(a[None], b[None]) == pytest.approx(sum(s * t for s, t in signs) / np.sqrt(up * right))


def test_comparisons_keep_their_disputes_in_a_file(tmp_path):
    found = compared(W * X, -W * X, RNG.normal(size=X.shape))
    back = pc.load(found.save(tmp_path / "c.npz"))
    for own, other in zip(found.disputes, back.disputes, strict=True):
        assert own.sentence == other.sentence and own.evidence == other.evidence and own.places == other.places
        np.testing.assert_array_equal(own.apart, other.apart)
    np.testing.assert_array_equal(found.kendall, back.kendall)
    frame = back.disputed()
    assert len(frame) == 6 and set(frame["side"].dropna()) <= {"m0", "m1", "m2"}
    assert frame["first"].tolist() == ["m0"] * 4 + ["m1"] * 2


def test_the_same_method_twice_is_one_and_names_are_handed_on():
    found = pc.compare(linear, X, ["Occlusion(baseline=0.0)", pc.Occlusion(baseline=0.0)], names=list("abcdef"))
    assert found.names == ("Occlusion",) and found.disputes == ()
    assert found.attributions[0].feature_names == tuple("abcdef")
    assert found.receipt.seconds == pytest.approx(
        sum(part.receipt.seconds for part in (*found.attributions, *found.scorecards))
    )


def test_the_picture_puts_the_supported_side_in_bold_and_fills_its_dot():
    ax = pc.plot.disputes(made.comparison())
    bold = [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    assert bold == ["Saliency", "Saliency", "IntegratedGradients"]
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] < 0 for line in marks] == [True, True, True, False, True]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, True, False, False, True]
    none = dataclasses.replace(made.comparison(), disputes=())
    assert pc.plot.disputes(none).texts[0].get_text() == "the methods rank alike in every row"


def test_other_measures_of_agreement_are_drawn():
    words = [text.get_text() for text in pc.plot.agreement(made.comparison(), measure="kendall").texts]
    assert words[1] == "0.32"
    assert "shared top 2" in pc.plot.agreement(made.comparison(), measure="overlap").get_title(loc="left")
    with pytest.raises(pc.InputError, match="row=None"):
        pc.plot.agreement(made.comparison(), 0, measure="overlap")
    with pytest.raises(pc.InputError, match="choose one of"):
        pc.plot.agreement(made.comparison(), measure="cosine")
