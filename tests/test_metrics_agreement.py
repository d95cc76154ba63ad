"""Agreement: with other methods, with a known truth, and what it takes for the top."""

import numpy as np
import pytest

import nets
import pellucid as pc
from pellucid.metrics.agreement import alike, matrix, top_of

X = np.random.default_rng(0).normal(size=(6, 5))
W = np.array([4.0, -3, 2, -1, 0.5])


def linear(z):
    return z @ W


def record(values, x=X):
    return pc.Attribution.from_arrays(values, data=x, target=None)


def test_agreement_with_the_truth_is_its_rank_correlation():
    card = pc.evaluate(linear, record(W * X), pc.Agreement(k=2), truth=W * X)
    assert card["Agreement"].value == pytest.approx(1) and card["Agreement"].labels == ("truth",)
    assert card["Agreement"].detail["top_overlap"] == pytest.approx(1)
    assert card.lines[0].chance == 0 and card.lines[0].verdict == "better than random"
    opposite = pc.evaluate(linear, record(-W * X), pc.Agreement(), truth=record(W * X))
    assert opposite["Agreement"].value == pytest.approx(-1) and opposite.lines[0].verdict == "worse than random"


def test_other_methods_explain_the_same_target_with_the_same_means():
    seen = []

    def model(z):
        seen.append(z)
        return np.stack([linear(z), -linear(z)], axis=1)

    made = pc.explain(model, X, pc.ExactShapley(), background=np.ones((1, 5)), target=1)
    metric = pc.Agreement(others=("Occlusion()", pc.Occlusion(baseline=1.0)))
    card = pc.evaluate(model, made, metric, background=np.ones((1, 5)))
    np.testing.assert_allclose(card["Agreement"].detail["rank_correlation"], 1)
    assert card["Agreement"].labels == tuple(map(repr, metric.others))
    assert card["Agreement"].receipt.rows_forward == 2 * (5 * 6 + 2 * 6 + 6)
    with pytest.raises(pc.InputError, match="background"):
        pc.evaluate(model, made, metric)


def test_the_value_is_the_mean_over_the_others_that_have_a_pattern():
    model = nets.linear([1.0] * 5)  # its gradient is constant and ranks nothing
    others = (pc.InputXGradient(), pc.Saliency(), pc.IntegratedGradients(steps=2, baseline=(3.0, 0.0, -3.0, 1.0, 0.0)))
    curve = pc.evaluate(model, record(W * X), pc.Agreement(others=others))["Agreement"]
    each = curve.detail["rank_correlation"]
    assert np.isnan(each[:, 1]).all() and not np.allclose(each[:, 0], each[:, 2])
    np.testing.assert_allclose(curve.value, (each[:, 0] + each[:, 2]) / 2)


def test_the_matrix_has_every_record_with_every_other():
    truth = W * X
    found = matrix([record(truth), record(np.ones((6, 5))), record(-truth)], k=2)
    assert np.isnan(found["rank_correlation"][:, 0, 1]).all()
    np.testing.assert_allclose(found["rank_correlation"][:, 0, 2], -1)
    np.testing.assert_allclose(found["top_overlap"][:, 0, 2], 1)
    assert found["k"] == 2


def test_alike_gives_rank_correlation_and_shared_top():
    a, b = np.array([[1.0, 2, 3, 4]]), np.array([[1.0, 2, 4, 3]])
    ranked, shared = alike(a, b, 1)
    assert ranked == pytest.approx(0.8) and shared == pytest.approx(0)


def test_the_top_is_a_tenth_and_never_more_than_there_is():
    assert [top_of(size, None) for size in (1, 4, 30, 64, 1000)] == [1, 1, 3, 6, 100]
    assert top_of(5, 3) == 3 and top_of(5, 9) == 5
    card = pc.evaluate(linear, record(W * X), pc.Agreement(k=3), truth=np.ones((6, 5)) * np.arange(5))
    assert card["Agreement"].detail["top_overlap_by_chance"] == pytest.approx(0.6)


def test_independent_rankings_agree_as_chance_says():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 3000, 12))
    ranked, shared = alike(a, b, 4)
    assert abs(ranked.mean()) < 0.02 and shared.mean() == pytest.approx(4 / 12, abs=0.01)


def test_others_are_methods_however_they_are_written():
    same = [
        pc.Agreement(others=o) for o in (("Saliency()",), ["Saliency"], (pc.Saliency,), pc.Saliency(), "Saliency()")
    ]
    assert len({repr(metric) for metric in same}) == 1 and same[0].others == (pc.Saliency(),)
    for wrong in ("Deletion()", 3):
        with pytest.raises(pc.MethodError):
            pc.Agreement(others=(wrong,))
    with pytest.raises(pc.MethodError, match="k"):
        pc.Agreement(k=0)


def test_nothing_to_compare_with_is_said():
    with pytest.raises(pc.InputError, match=r"others=.*truth="):
        pc.evaluate(linear, record(W * X), pc.Agreement())
    with pytest.raises(pc.InputError, match="shape"):
        pc.evaluate(linear, record(W * X), pc.Agreement(), truth=np.ones((6, 4)))


def test_only_maps_of_the_same_places_are_compared():
    with pytest.raises(pc.InputError, match="places"):
        matrix([record(W * X), record(X[:, :3], X[:, :3])])
