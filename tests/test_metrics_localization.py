"""PointingGame and Localization: hand-made maps, independent slow counts, chance, boxes, and what is refused."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nets
import pellucid as pc
from pellucid.metrics.localization import _expected_iou


def total(z):
    return z.reshape(len(z), -1).sum(axis=1)


def judged(maps, truth, metric, data=None):
    """The curve of maps (n, *space); the data have no channels."""
    maps = np.asarray(maps, float)
    data = np.random.default_rng(0).normal(size=maps.shape) if data is None else data
    made = pc.Attribution.from_arrays(maps, data=data, target=None)
    return pc.evaluate(total, made, metric, truth=truth)


MAP = np.array([[[9.0, 1, 0], [4, -5, 0], [0, 3, 3]]])
MASK = np.array([[[0, 0, 0], [1, 1, 0], [0, 1, 0]]], bool)


def test_localization_by_hand():
    made = judged(MAP, MASK, pc.Localization()).curves[0]
    assert made.value == pytest.approx((4 + 3) / 20) and made.chance == pytest.approx(3 / 9)
    assert made.detail["weighted"] == pytest.approx(7 / 20 * 3)
    assert made.detail["magnitudes"] == pytest.approx((4 + 5 + 3) / 25)
    # the 3 highest are 9, 4 and one of two 3s, one of which is inside
    assert made.detail["rank_accuracy"] == pytest.approx(1.5 / 3)
    assert made.detail["iou"] == pytest.approx(1.5 / (6 - 1.5))
    made = judged(MAP, MASK, pc.Localization(absolute=True)).curves[0]
    assert made.value == pytest.approx(12 / 25)
    assert made.detail["rank_accuracy"] == pytest.approx(2 / 3) and made.detail["iou"] == pytest.approx(2 / 4)


def test_pointing_by_hand():
    made = judged(MAP, MASK, pc.PointingGame()).curves[0]
    assert (
        made.value == 0 and made.chance == pytest.approx(3 / 9) and made.detail["places_before"] == pytest.approx(1 / 9)
    )
    near = judged(MAP, MASK, pc.PointingGame(tolerance=1)).curves[0]  # the 9 is right above the 4
    assert near.value == 1 and near.chance == pytest.approx(8 / 9)
    assert judged(-MAP, MASK, pc.PointingGame()).curves[0].value == 1
    assert judged(-MAP, MASK, pc.PointingGame(absolute=True)).curves[0].value == 0


def test_several_highest_places_share_the_hit():
    made = judged([[[1.0, 1], [1, 0]]], [[[1, 0], [0, 1]]], pc.PointingGame()).curves[0]
    assert made.value == pytest.approx(1 / 3) and made.detail["places_before"] == 0


@given(
    arrays(float, (2, 4, 5), elements=st.integers(-3, 3).map(float)),
    arrays(bool, (2, 4, 5)),
    st.sampled_from([0, 1, 1.5, 2]),
)
def test_counts_agree_with_loops_over_places(maps, masks, tolerance):
    masks[:, 0, 0] = True
    maps[:, 0, 1] += 0.5  # never constant
    point = judged(maps, masks, pc.PointingGame(tolerance=tolerance)).curves[0]
    spread = judged(maps, masks, pc.Localization()).curves[0]
    for row, (values, mask) in enumerate(zip(maps, masks, strict=True)):
        places = list(itertools.product(range(4), range(5)))
        inside = [p for p in places if mask[p]]
        hits = [p for p in places if min(np.hypot(p[0] - q[0], p[1] - q[1]) for q in inside) <= tolerance]
        best = [p for p in places if values[p] == values.max()]
        assert point.value[row] == pytest.approx(len(set(best) & set(hits)) / len(best))
        assert point.chance[row] == pytest.approx(len(hits) / 20)
        positive = sum(max(values[p], 0) for p in places)
        share = sum(max(values[p], 0) for p in inside) / positive if positive else 0
        assert spread.value[row] == pytest.approx(share) and spread.chance[row] == pytest.approx(len(inside) / 20)


def test_the_share_for_equal_values_is_the_mean_over_all_ways_to_break_the_tie():
    rng = np.random.default_rng(0)
    maps, masks = rng.integers(0, 3, (5, 1, 8)).astype(float), rng.uniform(size=(5, 1, 8)) < 0.4
    masks[:, :, 0] = True
    found = judged(maps, masks, pc.Localization()).curves[0].detail["rank_accuracy"]
    for row in range(5):
        k, met = masks[row].sum(), []
        for _ in range(4000):
            order = np.lexsort((rng.uniform(size=8), -maps[row, 0]))[:k]
            met.append(masks[row, 0][order].mean())
        assert found[row] == pytest.approx(np.mean(met), abs=0.02)


def test_chance_is_what_random_maps_get():
    rng = np.random.default_rng(0)
    masks = np.zeros((400, 6, 6), bool)
    masks[:, 1:4, 2:6] = True
    maps = rng.uniform(size=masks.shape)
    card = judged(maps, masks, [pc.Localization(), pc.PointingGame(), pc.PointingGame(tolerance=1)])
    for line, curve in zip(card.lines, card.curves, strict=True):
        assert line.mean == pytest.approx(line.chance, abs=0.07) and line.advantage_low < 0 < line.advantage_high
        assert curve.receipt.rows_forward == 0
    detail = card.curves[0].detail
    assert detail["iou"].mean() == pytest.approx(detail["iou_by_chance"].mean(), abs=0.01)
    assert detail["weighted"].mean() == pytest.approx(1, abs=0.02)
    assert detail["rank_accuracy"].mean() == pytest.approx(12 / 36, abs=0.02)


@pytest.mark.parametrize(("k", "n"), [(1, 4), (2, 5), (3, 4), (4, 4), (0, 3)])
def test_the_expected_overlap_is_the_mean_over_all_sets(k, n):
    own = set(range(k))
    every = [len(own & set(s)) / max(1, len(own | set(s))) for s in itertools.combinations(range(n), k)]
    assert _expected_iou(k, n) == pytest.approx(np.mean(every))


def test_the_true_map_is_preferred_to_corrupted_ones_and_is_better_than_random():
    won = {"Localization": 0, "PointingGame": 0}
    for draw in range(40):
        rng = np.random.default_rng(draw)
        masks = np.zeros((12, 10, 10), bool)
        for mask, (i, j) in zip(masks, rng.integers(0, 7, (12, 2)), strict=True):
            mask[i : i + 3, j : j + 4] = True
        true = masks + 0.3 * rng.normal(size=masks.shape)
        wrong = [np.roll(true, 5, axis=1), -true, rng.permuted(true.reshape(12, -1), axis=1).reshape(true.shape)]
        metrics = [pc.Localization(), pc.PointingGame(tolerance=0)]
        good = judged(true, masks, metrics)
        assert all(line.verdict == "better than random" for line in good.lines)
        bad = [judged(maps, masks, metrics) for maps in wrong]
        for place, name in enumerate(won):
            won[name] += all(good.lines[place].mean > card.lines[place].mean for card in bad)
    assert min(won.values()) >= 0.95 * 40


def test_boxes_are_masks_from_where_to_where():
    maps = np.random.default_rng(0).normal(size=(2, 5, 7))
    boxes = np.array([[[[1, 3], [2, 6]], [[0, 1], [0, 1]]], [[[0, 5], [6, 7]], [[0, 0], [0, 0]]]])
    masks = np.zeros((2, 5, 7), bool)
    masks[0, 1:3, 2:6] = masks[0, 0, 0] = True
    masks[1, :, 6] = True
    for metric in (pc.Localization(), pc.PointingGame()):
        one, other = judged(maps, masks, metric).curves[0], judged(maps, boxes, metric).curves[0]
        np.testing.assert_array_equal(one.value, other.value)
        np.testing.assert_array_equal(one.chance, other.chance)
    single = judged(maps, boxes[:, 0], pc.Localization()).curves[0]
    assert single.chance == pytest.approx([8 / 35, 5 / 35])


def test_volumes_pictures_with_channels_and_tables():
    rng = np.random.default_rng(0)
    volume, mask = rng.normal(size=(2, 1, 4, 5, 6)), rng.uniform(size=(2, 4, 5, 6)) < 0.3
    box = np.array([[[0, 2], [1, 4], [0, 6]]] * 2)
    made = judged(volume, mask, pc.PointingGame(tolerance=1)).curves[0]
    assert (made.chance > mask.reshape(2, -1).mean(1)).all()
    assert judged(volume, box, pc.Localization()).curves[0].chance == pytest.approx(36 / 120)
    picture = pc.Attribution.from_arrays(rng.normal(size=(2, 3, 6, 6)), data=rng.normal(size=(2, 3, 6, 6)), target=None)
    net = nets.Formula(lambda z: z.flatten(1).sum(1))
    places, where = picture.values.sum(axis=1), rng.uniform(size=(2, 6, 6)) < 0.4
    for truth in (where, where[:, None]):  # with and without an axis for the channel
        made = pc.evaluate(net, picture, pc.Localization(), truth=truth).curves[0]
        share = (np.maximum(places, 0) * where).sum((1, 2)) / np.maximum(places, 0).sum((1, 2))
        assert made.value == pytest.approx(share)
    table, relevant = np.array([[3.0, 1, -2], [0, 1, 1]]), np.array([[1, 0, 0], [0, 1, 0]])
    assert judged(table, relevant, pc.Localization()).curves[0].value == pytest.approx([3 / 4, 1 / 2])
    assert judged(table, relevant, pc.PointingGame()).curves[0].value == pytest.approx([1, 1 / 2])


def test_rows_without_an_answer_are_left_out_and_named():
    masks = MASK.repeat(3, 0)
    masks[1] = False
    masks[2] = True
    card = judged(MAP.repeat(3, 0), masks, [pc.Localization(), pc.PointingGame()])
    for curve, line in zip(card.curves, card.lines, strict=True):
        assert np.isnan(curve.value[1]) and np.isnan(curve.chance[1]) and line.rows == 2
        assert "1 of 3 rows have no place" in curve.receipt.warnings[0]
        assert "in 1 of 3 rows every place" in curve.receipt.warnings[1] and curve.chance[2] == 1


def test_maps_without_positive_relevance_have_none_inside():
    made = judged(-np.abs(MAP) - 1, MASK, pc.Localization()).curves[0]
    assert made.value == 0 and "no positive relevance" in made.receipt.warnings[0]


def test_a_few_lucky_hits_are_not_sold_as_evidence():
    masks = np.ones((3, 3, 3), bool)
    masks[:, 0, 1:] = False  # 7 of 9 places count
    lucky = judged(MAP.repeat(3, 0) - 9 * (np.arange(9) == 0).reshape(3, 3), masks, pc.PointingGame()).curves[0]
    assert lucky.value == pytest.approx(1) and f"{(7 / 9) ** 3:.0%}" in lucky.receipt.warnings[0]
    masks = np.zeros((3, 3, 3), bool)
    masks[:, 0, 0] = True
    assert not judged(MAP.repeat(3, 0), masks, pc.PointingGame()).curves[0].receipt.warnings


@pytest.mark.parametrize("metric", [pc.Localization(), pc.PointingGame()])
@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (np.ones((1, 2, 3)), r"shape \(1, 2, 3\): expected masks \(1, 3, 3\)"),
        (np.full((1, 3, 3), 0.5), "other than 0 and 1"),
        ([[[0, 4], [0, 2]]], "leaves the map"),
        ([[[2, 1], [0, 2]]], "stops before it starts"),
        ([[[-1, 1], [0, 2]]], "leaves the map"),
        (pc.Attribution.from_arrays(MAP, data=MAP, target=None), "masks or boxes"),
        (np.ones((2, 3, 3)), "2 rows|shape"),
    ],
)
def test_truth_that_is_neither_masks_nor_boxes_is_refused(metric, truth, said):
    with pytest.raises(pc.InputError, match=said):
        judged(MAP, truth, metric)


def test_what_is_missing_or_out_of_range_is_named():
    made = pc.Attribution.from_arrays(MAP, data=MAP, target=None)
    for metric in (pc.Localization(), pc.PointingGame()):
        with pytest.raises(pc.MethodError, match=r"truth=, masks"):
            pc.evaluate(total, made, metric)
    with pytest.raises(pc.MethodError, match="no neighbours"):
        judged([[1.0, 2]], [[1, 0]], pc.PointingGame(tolerance=1))
    with pytest.raises(pc.MethodError, match="tolerance"):
        pc.PointingGame(tolerance=-1)


def test_truth_follows_the_rows_that_are_done():
    maps, masks = MAP.repeat(2, 0), MASK.repeat(2, 0)
    masks[0] = ~masks[0]
    made = pc.Attribution.from_arrays(maps, data=maps, target=None)
    half = dataclasses.replace(made, done=np.array([False, True]))
    found = pc.evaluate(total, half, pc.Localization(), truth=masks).curves[0]
    assert np.isnan(found.value[0]) and found.value[1] == pytest.approx(7 / 20)


@pytest.mark.parametrize("hits", [0, 1, 7, 8])
def test_the_interval_of_a_share_of_hits_is_wilsons_and_stays_between_0_and_1(hits):
    from scipy.stats import binomtest

    maps = np.zeros((8, 3, 3))
    maps[:hits, 0, 0], maps[hits:, 2, 2] = 1, 1
    masks = np.zeros((8, 3, 3), bool)
    masks[:, 0, 0] = True
    (line,) = judged(maps, masks, pc.PointingGame()).lines
    expected = binomtest(hits, 8).proportion_ci(method="wilson")
    assert (line.low, line.high) == pytest.approx((expected.low, expected.high)) and 0 <= line.low < line.high <= 1
    assert line.advantage_low == pytest.approx(expected.low - 1 / 9) and line.advantage == pytest.approx(
        hits / 8 - 1 / 9
    )
    assert line.verdict == {0: "no better", 1: "no better", 7: "better", 8: "better"}[hits] + " than random"


def test_shares_of_mass_have_intervals_within_their_range():
    maps = np.eye(9)[[0, 0, 0, 0, 8, 8]].reshape(6, 3, 3)
    masks = np.zeros((6, 3, 3), bool)
    masks[:, 0, 0] = True
    maps[4:, 0, 0] = 3.0
    (line,) = judged(maps, masks, pc.Localization()).lines
    values = np.array([1, 1, 1, 1, 0.75, 0.75])
    half = 2.570582 * values.std(ddof=1) / np.sqrt(6)
    assert line.mean + half > 1 == line.high and line.low == pytest.approx(line.mean - half, abs=1e-6)
