"""Deletion and Insertion: the area by hand, the order, the fill, the random orders beside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pellucid as pc
from oracles import oracle
from pellucid.metrics import hiding, ranking


def record(values, x, **kwargs):
    return pc.Attribution.from_arrays(values, data=x, target=None, **kwargs)


def curve(model, values, x, metric, **kwargs):
    return pc.evaluate(model, record(values, x), metric, **kwargs).curves[0]


def mean_of_all(x):
    return x.reshape(len(x), -1).mean(axis=1)


def first_cell(x):
    return x.reshape(len(x), -1)[:, 0]


# -- the area ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 4), (1, 2, 2), (1, 1, 2, 2)])
def test_four_pixels_have_the_areas_of_the_oracle(shape):
    expected, tol = oracle("DEL-1")["expected"], oracle("DEL-1")["tol"]
    ones, first, last = np.ones(shape), np.eye(4)[:1].reshape(shape), -np.eye(4)[:1].reshape(shape)
    deletion, insertion = pc.Deletion(fill="zeros"), pc.Insertion(fill="zeros")
    assert curve(mean_of_all, first, ones, deletion).value == pytest.approx(expected["equal"], abs=tol)
    assert curve(mean_of_all, last, ones, insertion).value == pytest.approx(expected["equal"], abs=tol)
    assert curve(first_cell, first, ones, deletion).value == pytest.approx(expected["good_del"], abs=tol)
    assert curve(first_cell, first, ones, insertion).value == pytest.approx(expected["good_ins"], abs=tol)
    assert curve(first_cell, last, ones, deletion).value == pytest.approx(expected["bad_del"], abs=tol)
    assert curve(first_cell, last, ones, insertion).value == pytest.approx(1 - expected["bad_del"], abs=tol)


def by_hand(model, values, x, fill, inserting):
    """One row, one place after the other, in plain loops, and the area by the paper's formula."""
    order = sorted(range(len(x)), key=lambda j: -values[j])
    now = np.array(fill if inserting else x, dtype=float)
    other = np.array(x if inserting else fill, dtype=float)
    scores = [float(model(now[None])[0])]
    for j in order:
        now[j] = other[j]
        scores.append(float(model(now[None])[0]))
    return scores, (sum(scores) - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


@pytest.mark.parametrize(("metric", "inserting"), [(pc.Deletion, False), (pc.Insertion, True)])
def test_curves_and_areas_equal_a_slow_derivation(metric, inserting):
    rng = np.random.default_rng(3)
    x, values, w = rng.normal(size=(5, 7)), rng.normal(size=(5, 7)), rng.normal(size=7)

    def model(z):
        return np.tanh(z @ w) * z[:, 0] + z[:, 1] * z[:, 2]

    background = rng.normal(size=(20, 7))
    made = curve(model, values, x, metric(), background=background)
    for i in range(5):
        scores, area = by_hand(model, values[i], x[i], background.mean(axis=0), inserting)
        np.testing.assert_allclose(made.curves[i], scores, rtol=1e-12, atol=1e-12)
        assert made.value[i] == pytest.approx(area, rel=1e-12)
    np.testing.assert_array_equal(made.x, np.arange(8) / 7)


@given(
    arrays(float, (3, 5), elements=st.integers(-9, 9).map(float)),
    st.permutations(range(5)).map(lambda order: np.array(order, float)),
)
def test_insertion_is_deletion_of_the_opposite_order_read_backwards(x, order):
    values = np.tile(order, (3, 1))

    def model(z):
        return np.sin(z @ np.arange(1.0, 6)) + z[:, 0] * z[:, 4]

    shown = curve(model, values, x, pc.Insertion(fill=0.5)).curves
    gone = curve(model, -values, x, pc.Deletion(fill=0.5)).curves
    np.testing.assert_allclose(shown, gone[:, ::-1], atol=1e-12)


def test_the_number_of_model_rows_is_bounded_by_steps_and_counted():
    seen = []

    def model(z):
        seen.append(len(z))
        return z.sum(axis=(1, 2))

    x = np.random.default_rng(0).normal(size=(3, 20, 30))
    made = curve(model, x, x, pc.Deletion(steps=8, randoms=2, fill=0.0))
    assert made.curves.shape == (3, 9)
    orders = 4  # its own, its reverse, two random ones; their ends are asked once
    assert made.receipt.rows_forward == 3 * (orders * 7 + 2)
    assert sum(seen) == 3 * (orders * 7 + 2) + 3  # and once to bind the target


def test_steps_that_do_not_divide_the_places_are_weighted_by_their_true_shares():
    x, w = np.ones((1, 7)), np.arange(7.0, 0, -1)
    made = curve(lambda z: z @ w, w[None], x, pc.Deletion(steps=3, fill="zeros"))
    hidden = np.array([0, 2, 5, 7])
    scores = [w[k:].sum() for k in hidden]
    assert made.x == pytest.approx(hidden / 7)
    assert made.curves[0] == pytest.approx(scores)
    assert made.value[0] == pytest.approx(
        sum((hidden[i + 1] - hidden[i]) / 7 * (scores[i] + scores[i + 1]) / 2 for i in range(3))
    )


def test_relative_puts_the_area_between_the_ends_of_the_curve():
    x, w = np.ones((2, 4)), np.array([8.0, 0, 0, 0])
    made = curve(lambda z: 5 + z @ w, np.stack([w, -w]), x, pc.Deletion(fill="zeros"))
    assert made.detail["relative"] == pytest.approx([0.125, 0.875])
    flat = curve(lambda z: np.full(len(z), 5.0), np.stack([w, -w]), x, pc.Deletion(fill="zeros"))
    assert np.isnan(flat.detail["relative"]).all()


# -- the order ---------------------------------------------------------------------------------------------------------


def test_signed_values_are_ranked_by_sign_and_absolute_ones_by_magnitude():
    x, values = np.ones((1, 3)), np.array([[1.0, -3.0, 2.0]])
    model = lambda z: z @ np.array([1.0, 10, 100])  # noqa: E731
    signed = curve(model, values, x, pc.Deletion(fill="zeros"))
    assert signed.curves[0] == pytest.approx([111, 11, 10, 0])
    absolute = curve(model, values, x, pc.Deletion(fill="zeros", absolute=True))
    assert absolute.curves[0] == pytest.approx([111, 101, 1, 0])


def test_channels_are_summed_with_their_signs_and_hidden_together():
    values = np.zeros((1, 3, 2, 2))
    values[0, :, 0, 0] = [5, -5, 1]  # sum 1
    values[0, :, 0, 1] = [2, 0, 0]  # sum 2: first
    x = np.ones((1, 3, 2, 2))

    class Net(pytest.importorskip("torch").nn.Module):
        def forward(self, z):
            return z[:, :, 0, 1].sum(1, keepdim=True) * 10 + z[:, :, 0, 0].sum(1, keepdim=True)

    made = curve(Net(), values, x, pc.Deletion(fill="zeros"))
    assert made.curves[0][:3] == pytest.approx([33, 3, 0])
    last = curve(
        lambda z: z[:, 0, 1, :].sum(1) * 10 + z[:, 0, 0, :].sum(1),
        np.tile(np.moveaxis(values, 1, -1), (1, 3, 3, 1)),
        np.ones((1, 6, 6, 3)),
        pc.Deletion(fill="zeros", steps=36),
    )
    assert last.curves[0][[0, -1]] == pytest.approx([33, 0])


def test_a_map_over_places_judges_all_channels_of_a_place():
    torch = pytest.importorskip("torch")
    x, cam = np.ones((1, 3, 2, 2)), np.array([[[0.0, 3], [2, 1]]])
    made = curve(torch.nn.Flatten(), cam, x, pc.Deletion(fill="zeros"))  # target: column 0, place (0, 0)
    assert made.curves[0] == pytest.approx([1, 1, 1, 1, 0])


def test_equal_values_are_ordered_by_chance_not_from_the_top_left():
    rng = np.random.default_rng(0)
    x = rng.normal(1, 0.1, size=(300, 10))
    made = curve(first_cell, np.zeros((300, 10)), x, pc.Deletion(fill="zeros"))
    assert made.degenerate.all()
    when = (made.curves > 0.1).sum(axis=1) - 1  # the step after which the first cell is hidden
    counts = np.bincount(when, minlength=10)
    assert counts.min() > 10 and counts.max() < 55  # 30 each, uniformly


def test_windows_are_hidden_whole_by_their_mean_value():
    x, values = np.ones((1, 4, 6)), np.zeros((1, 4, 6))
    values[0, 0, 0] = 3  # alone in its window: mean 3/4
    values[0, 2:, 4:] = 1  # mean 1: first
    model = lambda z: z[:, 2:, 4:].sum(axis=(1, 2)) * 10 + z[:, :2, :2].sum(axis=(1, 2))  # noqa: E731
    made = curve(model, values, x, pc.Deletion(fill="zeros", window=2))
    assert len(made.x) == 7
    assert made.curves[0][:3] == pytest.approx([44, 4, 0])


def test_windows_that_do_not_fit_are_smaller_at_the_edge():
    labels = hiding.tiles((5, 3), 2)
    assert labels.shape == (5, 3) and set(labels.ravel()) == set(range(6))
    assert (np.bincount(labels.ravel()) == [4, 2, 4, 2, 2, 1]).all()


def test_small_windows_at_the_edge_are_ranked_by_their_mean_too():
    values = np.zeros((1, 3, 3))
    values[0, 2, 2], values[0, :2, :2] = 2, 1  # means 2 and 1, sums 2 and 4
    made = curve(
        lambda z: z[:, 2, 2] * 10 + z[:, 0, 0], values, np.ones((1, 3, 3)), pc.Deletion(fill="zeros", window=2)
    )
    assert made.curves[0][:3] == pytest.approx([11, 1, 0])


def test_ranks_are_positions_in_falling_order():
    values = np.array([[0.1, 5, -2, 0.1]])
    assert ranking.ranks(values, np.array([[0, 1, 2, 3]])).tolist() == [[1, 0, 3, 2]]
    assert ranking.ranks(values, np.array([[3, 1, 2, 0]])).tolist() == [[2, 0, 3, 1]]


# -- chance ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [pc.Deletion, pc.Insertion])
def test_random_orders_in_pairs_are_exact_for_additive_models(metric):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 9))

    def additive(z):
        return (z**3 - 2 * z).sum(axis=1)

    made = curve(additive, x, x, metric(randoms=2, fill=0.3))
    middle = (additive(x) + additive(np.full_like(x, 0.3))) / 2
    np.testing.assert_allclose(made.chance, middle, rtol=1e-12)


def test_every_random_order_is_followed_by_its_reverse():
    drawn = ranking.random_ranks(np.random.default_rng(0), 5, 8)
    assert drawn.shape == (5, 8)
    assert (drawn[0] + drawn[1] == 7).all() and (drawn[2] + drawn[3] == 7).all()
    assert (np.sort(drawn, axis=1) == np.arange(8)).all()
    assert (drawn[0] != drawn[2]).any()


def test_a_random_explanation_is_no_better_than_random_in_19_of_20_draws():
    rng = np.random.default_rng(5)
    w = rng.normal(size=(8, 3))

    def model(z):
        return np.maximum(z @ w, 0).prod(axis=1)

    said = []
    for seed in range(150):
        x = rng.normal(size=(10, 8))
        card = pc.evaluate(model, record(rng.normal(size=x.shape), x), pc.Deletion(randoms=2, seed=seed))
        said.append(card.lines[0].verdict)
    assert said.count("no better than random") >= 136  # 5 % of 150 is 7.5; 14 or fewer in 99 % of repeats


@pytest.mark.slow
def test_the_paired_interval_covers_where_the_same_places_matter_in_every_row():
    """Orders that all rows share would move all rows together: coverage was 0.08 then."""

    def model(z):
        return ((z[:, 0] != 0) & (z[:, 1] != 0) & (z[:, 2] != 0)) * (1 + 0.1 * z[:, 3])

    def drops(z):
        return np.stack([model(z) - model(np.where(np.arange(10) == j, 0, z)) for j in range(10)], axis=1)

    big = np.random.default_rng(99).normal(size=(400, 10))
    truth = pc.evaluate(model, record(drops(big), big), pc.Deletion(randoms=200, seed=1)).lines[0].advantage
    covered = 0
    for seed in range(300):
        x = np.random.default_rng(seed).normal(size=(12, 10))
        line = pc.evaluate(model, record(drops(x), x), pc.Deletion(seed=seed)).lines[0]
        covered += line.advantage_low <= truth <= line.advantage_high
    assert 0.91 <= covered / 300 <= 0.99


# -- the fill ----------------------------------------------------------------------------------------------------------


def end(model, x, metric, **kwargs):
    """The score with everything hidden."""
    return curve(model, x.astype(float), x, metric, **kwargs).curves[:, -1]


def test_fills_are_what_they_are_called():
    x = np.random.default_rng(0).uniform(1, 2, size=(3, 8, 8))
    total = lambda z: z.sum(axis=(1, 2))  # noqa: E731
    assert end(total, x, pc.Deletion(fill="zeros")) == pytest.approx(0)
    assert end(total, x, pc.Deletion(fill=0.5)) == pytest.approx(32)
    assert end(lambda z: z[:, 0, 0], x, pc.Deletion()) == pytest.approx(x.mean(axis=(1, 2)))  # its own mean
    background = np.random.default_rng(1).uniform(size=(4, 8, 8))
    assert end(lambda z: z[:, 0, 0], x, pc.Deletion(), background=background) == pytest.approx(
        background[:, 0, 0].mean()
    )


def test_insertion_starts_from_a_blur_that_keeps_the_coarse_picture():
    x = np.zeros((1, 32, 32))
    x[0, :, 16:] = 1
    x[0, 8, 8] = 1  # a detail
    start = lambda what: curve(what, x, x, pc.Insertion()).curves[0, 0]  # noqa: E731
    assert start(lambda z: z[:, 8, 8]) < 0.1
    assert start(lambda z: z[:, 16, 31]) > 0.9


def test_a_table_without_background_is_filled_with_zeros_and_says_so():
    x = np.ones((2, 3))
    said = curve(mean_of_all, x * [[1, 2, 3]], x, pc.Deletion())
    assert said.curves[:, -1] == pytest.approx(0)
    assert any("zero" in warning for warning in said.receipt.warnings)
    assert not curve(mean_of_all, x, x, pc.Deletion(), background=np.zeros((2, 3))).receipt.warnings


def test_a_fill_that_changes_nothing_is_reported():
    x = np.full((2, 4, 4), 0.5)
    said = curve(lambda z: z.sum(axis=(1, 2)), np.random.default_rng(0).normal(size=x.shape), x, pc.Deletion())
    assert any("equals the data in 2 of 2 rows" in warning for warning in said.receipt.warnings)


def test_levels_are_filled_with_the_most_frequent_one_and_numbers_with_the_mean():
    pd = pytest.importorskip("pandas")
    seen = []

    def model(frame):
        seen.append(frame)
        return np.where(frame["colour"] == "red", 1.0, 0.0) + frame["size"].to_numpy()

    x = pd.DataFrame({"colour": ["red", "blue"], "size": [1.0, 3.0]})
    background = pd.DataFrame({"colour": ["green", "green", "blue"], "size": [10.0, 20.0, 60.0]})
    made = pc.Attribution.from_arrays([[1.0, 2], [2, 1]], data=x, target=None)
    curves = pc.evaluate(model, made, pc.Deletion(randoms=1), background=background)["Deletion"].curves
    assert curves == pytest.approx(np.array([[2.0, 31, 30], [3, 3, 30]]))
    assert all(set(frame["colour"]) <= {"red", "blue", "green"} for frame in seen)
    with pytest.raises(pc.InputError, match="background"):
        pc.evaluate(model, made, pc.Deletion())


def test_missing_values_are_hidden_and_shown_like_any_other():
    x = np.array([[np.nan, 2.0]])
    made = curve(
        lambda z: np.where(np.isnan(z), 7, z).sum(axis=1), np.array([[1.0, 0.0]]), x, pc.Deletion(fill="zeros")
    )
    assert made.curves[0] == pytest.approx([9, 2, 0])


def test_memory_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    x, values = rng.normal(size=(5, 6, 6)), rng.normal(size=(5, 6, 6))
    model = lambda z: np.tanh(z).sum(axis=(1, 2))  # noqa: E731
    whole = curve(model, values, x, pc.Deletion(steps=5))
    monkeypatch.setattr(ranking, "_CELLS", 100)
    parts = curve(model, values, x, pc.Deletion(steps=5))
    np.testing.assert_allclose(parts.curves, whole.curves, rtol=1e-12)
    np.testing.assert_allclose(parts.chance_curves, whole.chance_curves, rtol=1e-12)


def test_large_pictures_are_asked_about_one_by_one_and_alike(monkeypatch):
    import nets

    net, x = nets.cnn(), np.random.default_rng(0).uniform(size=(3, 2, 8, 8)).astype("float32")
    made = pc.explain(net, x, pc.Saliency(), target=1)
    metrics = [kind(steps=5, fill=fill) for kind in (pc.Deletion, pc.Insertion) for fill in (None, ("zeros", 0.3))]
    together = pc.evaluate(net, made, metrics)
    monkeypatch.setattr(ranking, "_ALONE", 1)
    alone = pc.evaluate(net, made, metrics)
    for one, other in zip(together.curves, alone.curves, strict=True):
        np.testing.assert_allclose(one.curves, other.curves, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(one.detail["by_fill"], other.detail["by_fill"], rtol=1e-4, atol=1e-6)
    assert together.receipt.rows_forward == alone.receipt.rows_forward
    model = lambda z: np.tanh(z).sum(axis=(1, 2))  # noqa: E731
    maps = x[:, 0].astype(float)
    slow = curve(model, maps, maps, pc.Deletion(steps=5))
    monkeypatch.setattr(ranking, "_ALONE", 10**9)
    np.testing.assert_allclose(curve(model, maps, maps, pc.Deletion(steps=5)).curves, slow.curves, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 2.5},
        {"randoms": 0},
        {"randoms": True},
        {"fill": "snow"},
        {"fill": ("zeros", "snow")},
        {"fill": ("zeros", None)},
        {"fill": ("zeros", "delete")},
        {"window": 0},
    ],
)
def test_fields_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(
        pc.MethodError, match=next(iter(wrong)) if "fill" not in wrong else "snow|name every|stands alone"
    ):
        pc.Deletion(**wrong)


def test_windows_are_for_inputs_with_space():
    with pytest.raises(pc.MethodError, match="window"):
        curve(mean_of_all, np.ones((2, 3)), np.ones((2, 3)), pc.Insertion(window=2))
    with pytest.raises(pc.MethodError, match="blur"):
        curve(mean_of_all, np.ones((2, 3)), np.ones((2, 3)), pc.Insertion(fill="blur"))
