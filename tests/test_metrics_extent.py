"""Sparsity, SufficiencyNecessity and how few parts are enough: by hand, by slow loops, on texts."""

import numpy as np
import pytest

import pellucid as pc

RNG = np.random.default_rng(0)


def record(values, x, **kwargs):
    return pc.Attribution.from_arrays(values, data=x, target=None, **kwargs)


def total(z):
    return z.reshape(len(z), -1).sum(axis=1)


def sparsity(values):
    values = np.atleast_2d(values)
    return pc.evaluate(total, record(values, np.ones_like(values)), pc.Sparsity()).curves[0]


# -- sparsity ----------------------------------------------------------------------------------------------------------


def test_four_places_by_hand():
    made = sparsity([[0, 0, 0, -3.0], [1, 1, 1, 1.0], [1, 2, 3, 4.0], [0, 0, 5, -5.0]])
    assert made.value == pytest.approx([0.75, 0, 0.25, 0.5])
    assert made.detail["effective"][[0, 1, 3]] == pytest.approx([1, 4, 2])
    q = np.array([1, 2, 3, 4]) / 10
    assert made.detail["entropy"][2] == pytest.approx(-(q * np.log(q)).sum())
    assert made.detail["nine_tenths"].tolist() == [1, 4, 3, 2]


def test_gini_is_half_the_mean_difference_over_the_mean():
    values = RNG.normal(size=(5, 30))
    a = np.abs(values)
    expected = np.abs(a[:, :, None] - a[:, None, :]).mean(axis=(1, 2)) / (2 * a.mean(axis=1))
    np.testing.assert_allclose(sparsity(values).value, expected)
    np.testing.assert_allclose(sparsity(np.repeat(values, 3, axis=1)).value, expected)
    np.testing.assert_allclose(sparsity(-1e-200 * values).value, expected)


def test_noise_has_what_the_card_says():
    many = RNG.normal(size=(3, 20_000)), RNG.uniform(size=(3, 20_000))
    for values, level in zip(many, ("0.41", "0.33"), strict=True):
        assert sparsity(values).value == pytest.approx(float(level), abs=0.01)
        assert level in pc.Sparsity.card.chance


def test_channels_are_one_place_and_padding_is_none():
    values = np.array([[[[1.0, 1, 1, 1, 1]], [[-1, 1, 1, 1, 1]]]])  # (1, 2, 1, 5)
    made = pc.evaluate(total, record(values, np.ones_like(values)), pc.Sparsity()).curves[0]
    assert made.value == pytest.approx(0.2)
    counts = lambda texts: np.array([len(text.split()) for text in texts], float)  # noqa: E731
    told = pc.explain(counts, ["a b c", "a"], pc.ExactShapley())
    assert pc.evaluate(counts, told, pc.Sparsity()).curves[0].value == pytest.approx([0, 0], abs=1e-9)


# -- sufficiency and necessity -----------------------------------------------------------------------------------------


def test_both_numbers_and_the_value_by_plain_loops():
    x, values = RNG.normal(size=(4, 10)), RNG.normal(size=(4, 10))
    model = lambda z: np.tanh(z).sum(axis=1) + z[:, 0] * z[:, 1]  # noqa: E731
    shares = (0.1, 0.25, 0.5)
    made = pc.evaluate(model, record(values, x), pc.SufficiencyNecessity(shares=shares, fill=0.5)).curves[0]
    for row in range(4):
        order, only, without = np.argsort(-values[row]), [], []
        for count in (1, 2, 5):
            top = np.isin(np.arange(10), order[:count])
            only.append(model(np.where(top, x[row], 0.5)[None])[0])
            without.append(model(np.where(top, 0.5, x[row])[None])[0])
        score = model(x[row : row + 1])[0]
        np.testing.assert_allclose(made.detail["only_top"][row], only)
        np.testing.assert_allclose(made.detail["without_top"][row], without)
        assert made.detail["sufficiency"][row] == pytest.approx(np.mean(score - np.array(only)))
        assert made.detail["comprehensiveness"][row] == pytest.approx(np.mean(score - np.array(without)))
        assert made.value[row] == pytest.approx(np.mean(only) - np.mean(without))
    np.testing.assert_allclose(made.value, made.detail["comprehensiveness"] - made.detail["sufficiency"])
    assert made.labels == ("10 %", "25 %", "50 %")


def test_random_tops_are_exact_for_additive_models():
    """A random set of share q holds q of what there is: with the shares q and 1 - q the two differ by (2 q - 1) of it."""
    x = RNG.normal(size=(3, 8))
    made = pc.evaluate(total, record(x, x), pc.SufficiencyNecessity(shares=(0.5,), fill="zeros", randoms=2)).curves[0]
    np.testing.assert_allclose(made.chance, 0, atol=1e-12)
    np.testing.assert_allclose(made.reverse, -made.value, atol=1e-12)
    assert (made.advantage > 0).all()


def test_redundant_causes_are_sufficient_and_not_necessary():
    x, either = np.ones((1, 4)), lambda z: np.maximum(z[:, 0], z[:, 1])
    metric = pc.SufficiencyNecessity(shares=(0.25,), fill="zeros")
    made = pc.evaluate(either, record([[2.0, 1, 0, 0]], x), metric).curves[0]
    assert made.detail["sufficiency"] == 0 and made.detail["comprehensiveness"] == 0
    both = pc.evaluate(lambda z: np.minimum(z[:, 0], z[:, 1]), record([[2.0, 1, 0, 0]], x), metric).curves[0]
    assert both.detail["sufficiency"] == 1 and both.detail["comprehensiveness"] == 1


def test_with_background_rows_they_are_probabilities():
    background = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
    model = lambda z: ((z[:, 0] > 0.5) & (z[:, 1] > 0.5)).astype(float)  # noqa: E731
    metric = pc.SufficiencyNecessity(shares=(0.5,), fill="background")
    made = pc.evaluate(model, record([[2.0, 1]], np.ones((1, 2))), metric, background=background).curves[0]
    assert made.detail["only_top"] == pytest.approx(3 / 5)  # the second column is 1 in three of five
    assert made.detail["without_top"] == pytest.approx(3 / 5)


def test_texts_are_judged_word_by_word():
    weight = {"good": 2.0, "bad": -1.0, "fun": 3.0}
    model = lambda given: np.array([sum(weight.get(word, 0.0) for word in text.split()) for text in given])  # noqa: E731
    told = pc.explain(model, ["good but bad fun", ""], pc.ExactShapley())
    made = pc.evaluate(model, told, pc.SufficiencyNecessity(shares=(0.25, 0.5))).curves[0]
    np.testing.assert_allclose(made.detail["only_top"][0], [3, 5])
    np.testing.assert_allclose(made.detail["without_top"][0], [1, -1])
    assert made.value[0] == pytest.approx(4) and np.isnan(made.value[1]) and made.labels == ("25 %", "50 %")


@pytest.mark.parametrize(
    "wrong", [{"shares": ()}, {"shares": (0.0,)}, {"shares": (1,)}, {"shares": 0.5}, {"randoms": 0}]
)
def test_fields_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.SufficiencyNecessity(**wrong)


# -- enough for the model ----------------------------------------------------------------------------------------------


def test_nine_tenths_is_where_the_curve_has_arrived_for_good():
    x, w = np.ones((1, 5)), np.array([[5.0, 4, 0.5, 0.3, 0.2]])
    made = pc.evaluate(lambda z: z @ w[0], record(w, x), [pc.Insertion(fill="zeros"), pc.Deletion(fill="zeros")])
    assert made.curves[0].detail["nine_tenths"] == pytest.approx(2 / 5)
    assert made.curves[1].detail["nine_tenths"] == pytest.approx(2 / 5)
    backwards = pc.evaluate(lambda z: z @ w[0], record(-w, x), pc.Insertion(fill="zeros")).curves[0]
    assert backwards.detail["nine_tenths"] == pytest.approx(1)
    over = pc.evaluate(lambda z: z @ [2.0, -1.5, 0.5, 0, 0], record([[5.0, 4, 3, 2, 1]], x), pc.Deletion(fill="zeros"))
    assert over.curves[0].detail["nine_tenths"] == pytest.approx(3 / 5)  # beyond the end at 1/5, halfway back at 2/5
    flat = pc.evaluate(lambda z: np.ones(len(z)), record(w, x), pc.Insertion(fill="zeros")).curves[0]
    assert np.isnan(flat.detail["nine_tenths"]).all()
