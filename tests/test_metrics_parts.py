"""Deletion and Insertion beside the reverse order, part by part, and under several fills."""

import numpy as np
import pytest

import pellucid as pc
from pellucid.metrics.hiding import apart

RNG = np.random.default_rng(0)


def record(values, x, **kwargs):
    return pc.Attribution.from_arrays(values, data=x, target=None, **kwargs)


def curve(model, values, x, metric, **kwargs):
    return pc.evaluate(model, record(values, x), metric, **kwargs).curves[0]


def total(z):
    return z.reshape(len(z), -1).sum(axis=1)


# -- the reverse order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [pc.Deletion, pc.Insertion])
def test_the_reverse_order_is_the_opposite_explanation(metric):
    x = RNG.normal(size=(5, 7))
    model = lambda z: np.tanh(z).sum(axis=1) + z[:, 0] * z[:, 1]  # noqa: E731
    values = RNG.normal(size=x.shape)
    one, other = curve(model, values, x, metric()), curve(model, -values, x, metric())
    np.testing.assert_allclose(one.reverse, other.value, rtol=1e-12)
    np.testing.assert_allclose(one.reverse_curves, other.curves, rtol=1e-12)
    np.testing.assert_allclose(one.over_reverse, -other.over_reverse, rtol=1e-12)


def test_the_reverse_of_a_tie_is_its_reverse_too():
    """Equal values are ordered by one draw, so that the two orders are each other's mirror and their areas add up."""
    x = RNG.normal(size=(4, 6))
    made = curve(total, np.tile([1.0, 1, 1, 1, 0, 0], (4, 1)), x, pc.Deletion(fill="zeros"))
    np.testing.assert_allclose(made.value + made.reverse, total(x), rtol=1e-12)  # additive: the mean is the middle


def test_a_line_compares_with_the_reverse_row_by_row():
    from scipy import stats

    x = RNG.normal(size=(9, 5)) * 100
    card = pc.evaluate(total, record(x + RNG.normal(size=x.shape), x), pc.Deletion())
    line, lead = card.lines[0], card.curves[0].reverse - card.curves[0].value
    low, high = stats.t.interval(0.95, 8, lead.mean(), stats.sem(lead))
    assert (line.over_reverse, line.over_reverse_low, line.over_reverse_high) == pytest.approx((lead.mean(), low, high))
    assert line.reverse == pytest.approx(card.curves[0].reverse.mean()) and line.over_reverse_low > 0
    rises = pc.evaluate(total, record(x, x), pc.Insertion()).lines[0]
    assert rises.over_reverse > 0 and rises.over_reverse == pytest.approx(rises.mean - rises.reverse)
    alone = pc.evaluate(total, record(x[:1], x[:1]), pc.Deletion()).lines[0]
    assert alone.over_reverse > 0 and np.isnan([alone.over_reverse_low, alone.over_reverse_high]).all()
    none = pc.evaluate(total, record(x, x, base_values=0.0), pc.Completeness()).lines[0]
    assert none.reverse is none.over_reverse is none.over_reverse_low is None


# -- players -----------------------------------------------------------------------------------------------------------

LABELS = np.array([[0, 0, 1], [2, 2, 1], [2, 3, -1]])


def weighted(z):
    return total(z * (1 + np.arange(9.0).reshape(3, 3)))


def watching(model):
    seen = []

    def watched(z):
        seen.append(np.array(z))
        return model(z)

    return watched, seen


def test_players_come_and_go_at_once_and_in_their_order():
    x = np.full((2, 3, 3), 2.0)
    made = pc.explain(weighted, x, pc.ExactShapley(), masker=pc.LabelMap(LABELS, fill=0.0))
    watched, seen = watching(weighted)
    found = pc.evaluate(watched, made, pc.Deletion(fill="zeros")).curves[0]
    shown = np.concatenate(seen) != 0
    assert shown[:, 2, 2].all()  # a place of no player is never hidden
    for player in range(4):
        part = shown[:, player == LABELS]
        assert (part.all(axis=1) | ~part.any(axis=1)).all()
    shares = np.array([2 * (1 + np.arange(9.0).reshape(3, 3))[player == LABELS].sum() for player in range(4)])
    rest = 2 * 9.0
    expected = [shares.sum() + rest - np.sort(shares)[::-1][:k].sum() for k in range(5)]
    np.testing.assert_allclose(found.curves, [expected] * 2)
    np.testing.assert_allclose(found.x, np.arange(5) / 4)
    backwards = pc.evaluate(weighted, made, pc.Insertion(fill="zeros")).curves[0]
    np.testing.assert_allclose(backwards.curves[0], rest + np.cumsum([0, *np.sort(shares)[::-1]]))


def test_a_window_of_one_hides_single_places_of_a_record_with_players():
    x = np.full((1, 3, 3), 2.0)
    made = pc.explain(weighted, x, pc.ExactShapley(), masker=pc.LabelMap(LABELS, fill=0.0))
    assert len(pc.evaluate(weighted, made, pc.Deletion(fill="zeros", window=1)).curves[0].x) == 10
    assert len(pc.evaluate(weighted, made, pc.Deletion(fill="zeros", window=(3, 1))).curves[0].x) == 4


def test_rows_with_different_players_are_judged_as_if_alone():
    x = RNG.uniform(1, 2, size=(3, 3, 3))
    maps = [LABELS, np.arange(9).reshape(3, 3), np.array([[0, 0, 0], [1, 1, 1], [1, 1, 1]])]
    made = pc.explain(weighted, x, pc.KernelShap(), masker=pc.LabelMap(maps, fill=0.0))
    whole = pc.evaluate(weighted, made, pc.Deletion(fill="zeros", steps=6)).curves[0]
    assert whole.curves.shape == (3, 7)
    for row, points in enumerate((5, 7, 3)):
        alone = pc.evaluate(weighted, made[row], pc.Deletion(fill="zeros", steps=6)).curves[0]
        assert len(alone.x) == points
        assert alone.value[0] == pytest.approx(whole.value[row]) and alone.chance[0] == pytest.approx(whole.chance[row])
        np.testing.assert_allclose(whole.curves[row], np.interp(whole.x, alone.x, alone.curves[0]))


def test_groups_of_columns_are_one_part():
    x = RNG.normal(size=(4, 5))
    w = np.array([1.0, -2, 3, 0.5, -1])
    masker = pc.Groups({"pair": [0, 1]}, pc.Columns())
    made = pc.explain(lambda z: z @ w, x, pc.ExactShapley(), masker=masker, background=np.zeros((1, 5)))
    found = pc.evaluate(lambda z: z @ w, made, pc.Deletion(), background=np.zeros((1, 5))).curves[0]
    parts = np.stack([x[:, 0] - 2 * x[:, 1], 3 * x[:, 2], 0.5 * x[:, 3], -x[:, 4]], axis=1)
    falling = -np.sort(-parts, axis=1)
    expected = np.concatenate([np.zeros((4, 1)), np.cumsum(falling, axis=1)], axis=1)
    np.testing.assert_allclose(found.curves, parts.sum(1)[:, None] - expected, atol=1e-12)


def test_windows_of_occlusion_are_parts_and_overlapping_ones_are_not():
    x = RNG.uniform(1, 2, size=(2, 6, 6))
    apart_, over = (pc.explain(total, x, pc.Occlusion(window=3, stride=s)) for s in (3, 2))
    assert len(pc.evaluate(total, apart_, pc.Deletion()).curves[0].x) == 5
    assert len(pc.evaluate(total, over, pc.Deletion()).curves[0].x) == 33


def test_sparse_rows_are_refused_with_the_remedy():
    from scipy import sparse

    made = pc.explain(
        lambda z: np.asarray(z.sum(axis=1)).ravel(),
        sparse.random_array((3, 9), density=0.4, rng=0, format="csr"),
        pc.KernelShap(),
    )
    with pytest.raises(pc.InputError, match="toarray"):
        pc.evaluate(lambda z: np.asarray(z.sum(axis=1)).ravel(), made, pc.Deletion())


# -- several fills -----------------------------------------------------------------------------------------------------


def test_several_fills_are_averaged_and_each_is_told():
    x = RNG.uniform(size=(3, 8, 8))
    model = lambda z: (np.tanh(3 * z) ** 2).sum(axis=(1, 2))  # noqa: E731
    kinds = ("zeros", "blur", 0.5)
    made = curve(model, x, x, pc.Deletion(fill=kinds, steps=6))
    each = [curve(model, x, x, pc.Deletion(fill=fill, steps=6)) for fill in kinds]
    for name in ("value", "chance", "reverse", "curves", "chance_curves", "reverse_curves"):
        np.testing.assert_allclose(getattr(made, name), np.mean([getattr(one, name) for one in each], axis=0))
    np.testing.assert_allclose(made.detail["by_fill"], np.stack([one.value for one in each], axis=1))
    np.testing.assert_allclose(made.detail["chance_by_fill"], np.stack([one.chance for one in each], axis=1))
    np.testing.assert_allclose(made.detail["reverse_by_fill"], np.stack([one.reverse for one in each], axis=1))
    assert made.labels == ("zeros", "blur", "0.5") and each[0].labels == ("zeros",)
    assert made.detail.keys() == each[0].detail.keys()  # the kind of answer is the same
    together = curve(model, x, x, pc.Deletion(fill=pc.Together(kinds), steps=6))
    np.testing.assert_array_equal(made.value, together.value)


def test_a_tuple_of_numbers_is_one_fill():
    assert apart((0.0, 1.0)) == ((0.0, 1.0),) and apart(("zeros", 1.0)) == ("zeros", 1.0)
    x = RNG.normal(size=(2, 2))
    assert curve(total, x, x, pc.Deletion(fill=(0.25, 0.5))).curves[:, -1] == pytest.approx(0.75)


def test_a_fill_of_several_references_is_their_mean():
    x, background = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
    model = lambda z: np.sin(2 * z).sum(axis=1)  # noqa: E731
    made = curve(model, x, x, pc.Deletion(fill="background"), background=background)
    each = [curve(model, x, x, pc.Deletion(fill=tuple(row.tolist()))) for row in background]
    np.testing.assert_allclose(made.curves, np.mean([one.curves for one in each], axis=0))
    assert made.labels == ("background",) and made.detail["by_fill"].shape == (4, 1)


def test_parts_show_their_own_mean_or_are_painted_over():
    x = RNG.uniform(size=(2, 6, 6))
    end = lambda model, fill: curve(model, x, x, pc.Deletion(fill=fill, window=3)).curves[:, -1]  # noqa: E731
    np.testing.assert_allclose(end(lambda z: z[:, 0, 0], "own-mean"), x[:, :3, :3].mean(axis=(1, 2)))
    one = curve(lambda z: z[:, 1, 1], x, x, pc.Deletion(fill="inpaint", window=3)).curves
    assert (one[:, -1] != x[:, 1, 1]).all()
    with pytest.raises(pc.InputError, match="hides nothing"):
        curve(total, x, x, pc.Deletion(fill="own-mean"))


# -- noisy linear ------------------------------------------------------------------------------------------------------


def painted(x, gone, fill=None, channels=None):
    return (fill or pc.NoisyLinear(noise=0.0)).paint(np.asarray(x)[None], np.asarray(gone)[None, None], channels)[0, 0]


def test_a_hidden_stretch_of_a_signal_is_a_straight_line():
    x = np.array([[[1.0, 9, 9, 9, 5, 9, 9]]])
    gone = np.array([[[False, True, True, True, False, True, True]]])
    made = pc.NoisyLinear(noise=0.0).paint(x, gone, 1)
    np.testing.assert_allclose(made[0, 0, 0], [1, 2, 3, 4, 5, 5, 5])


def test_a_ramp_is_painted_back_and_edges_count_nothing():
    ramp = np.add.outer(np.arange(8.0), 2 * np.arange(8.0))
    hole = np.zeros((8, 8), bool)
    hole[2:6, 3:6] = True
    np.testing.assert_allclose(painted(ramp, hole), ramp)
    corner = np.zeros((3, 3), bool)
    corner[0, 0] = True
    x = np.arange(9.0).reshape(3, 3)
    assert painted(x, corner)[0, 0] == pytest.approx((1 + 3 + 4 / 2) / 2.5)


def test_the_middle_of_nine_takes_the_papers_weights():
    x, hole = RNG.normal(size=(3, 3)), np.zeros((3, 3), bool)
    hole[1, 1] = True
    sides, diagonals = x[[0, 1, 1, 2], [1, 0, 2, 1]], x[[0, 0, 2, 2], [0, 2, 0, 2]]
    assert painted(x, hole)[1, 1] == pytest.approx(sides.sum() / 6 + diagonals.sum() / 12)


@pytest.mark.parametrize("space", [(9,), (5, 6), (3, 4, 3)])
def test_every_hidden_place_is_the_mean_of_its_neighbours(space):
    """By plain loops over the answer: the equations hold, and shown places are as they were."""
    x = RNG.normal(size=(2, *space, 3))
    gone = RNG.uniform(size=(2, 2, *space)) < 0.6
    made = pc.NoisyLinear(noise=0.0).paint(x, gone, len(space) + 1)
    for s, row, *place in np.argwhere(gone):
        total_, weight = 0.0, 0.0
        for offset in np.ndindex(*[3] * len(space)):
            step = np.array(offset) - 1
            other = np.array(place) + step
            if step.any() and (other >= 0).all() and (other < space).all():
                w = 0.5 ** (np.abs(step).sum() - 1)
                total_, weight = total_ + w * made[(s, row, *other)], weight + w
        np.testing.assert_allclose(made[(s, row, *place)], total_ / weight, atol=1e-9)
    np.testing.assert_array_equal(made[~gone], np.broadcast_to(x, made.shape)[~gone])


def test_noise_is_a_share_of_the_range_the_same_for_every_row_and_only_where_hidden():
    x = np.zeros((2, 40, 40))
    x[:, 0, 0], x[1] = 10.0, 3 * x[1]
    x[1, 0, 0] = 30.0
    gone = np.ones((1, 2, 40, 40), bool)
    gone[:, :, 0, 0] = False
    plain, noisy = (pc.NoisyLinear(noise=noise).paint(x, gone, None)[0] for noise in (0.0, 0.05))
    noise = noisy - plain
    assert noise[0, 1:].std() == pytest.approx(0.5, rel=0.1) and (noise[:, 0, 0] == 0).all()
    np.testing.assert_allclose(noise[1], 3 * noise[0])
    other = pc.NoisyLinear(noise=0.05, seed=1).paint(x, gone, None)[0]
    assert (other[0, 1:] != noisy[0, 1:]).all()


def test_with_nothing_left_each_channel_shows_its_mean_and_whole_numbers_stay_whole():
    x = RNG.integers(0, 256, size=(1, 2, 4, 4)).astype(np.uint8)
    made = pc.NoisyLinear(noise=0.5).paint(x, np.ones((1, 1, 4, 4), bool), 1)
    assert made.dtype == np.uint8 and made.shape == (1, 1, 2, 4, 4)
    level = pc.NoisyLinear(noise=0.0).paint(x, np.ones((1, 1, 4, 4), bool), 1)[0, 0]
    np.testing.assert_array_equal(level, np.broadcast_to(np.rint(x[0].mean(axis=(1, 2), keepdims=True)), level.shape))


def test_road_is_deletion_under_this_fill_beside_the_reverse_order():
    """A patch that a flat fill gives away by its outline: brightness decides, and edges of any fill excite the model."""

    def model(z):
        edges = np.abs(np.diff(z, axis=1)).sum(axis=(1, 2)) + np.abs(np.diff(z, axis=2)).sum(axis=(1, 2))
        return z[:, 2:5, 2:5].mean(axis=(1, 2)) + 0.02 * edges

    x = np.full((3, 9, 9), 0.2)
    x[:, 2:5, 2:5] += 0.8
    truth = (x > 0.5).astype(float)
    road = curve(model, truth, x, pc.Deletion(fill=pc.NoisyLinear(), steps=9, randoms=2))
    assert (road.advantage > 0).all() and (road.over_reverse > 0).all()
    assert road.labels == ("NoisyLinear(noise=0.01, seed=0)",)
    both = curve(model, truth, x, pc.Deletion(fill=(pc.NoisyLinear(), "zeros"), steps=9, randoms=2))
    np.testing.assert_allclose(both.detail["by_fill"][:, 0], road.value)
    with pytest.raises(pc.MethodError, match="beside nothing"):
        curve(total, np.ones((2, 3)), np.ones((2, 3)), pc.Deletion(fill=pc.NoisyLinear()))
    with pytest.raises(pc.MethodError, match="noise"):
        pc.NoisyLinear(noise=-1)
