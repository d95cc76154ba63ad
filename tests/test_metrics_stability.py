"""Similarity of maps against scipy and the oracles; Stability: the noise, its units, and what it says of constant maps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial import distance

import nets
import pellucid as pc
from oracles import oracle
from pellucid.metrics.similarity import (
    centred_cosine,
    constant,
    cosine,
    mean_known,
    rank_correlation,
    top_overlap,
)
from pellucid.metrics.stability import noisy

MAPS = arrays(float, (3, 6), elements=st.integers(-5, 5).map(float))


# -- similarity --------------------------------------------------------------------------------------------------------


@given(MAPS, MAPS)
def test_similarities_equal_scipys(a, b):
    for i in range(3):
        if np.ptp(a[i]) and np.ptp(b[i]):
            assert centred_cosine(a, b)[i] == pytest.approx(stats.pearsonr(a[i], b[i])[0], abs=1e-12)
            assert rank_correlation(a, b)[i] == pytest.approx(stats.spearmanr(a[i], b[i])[0], abs=1e-12)
        else:
            assert np.isnan(centred_cosine(a, b)[i]) and np.isnan(rank_correlation(a, b)[i])
        if a[i].any() and b[i].any():
            assert cosine(a, b)[i] == pytest.approx(1 - distance.cosine(a[i], b[i]), abs=1e-12)
        else:
            assert np.isnan(cosine(a, b)[i])


@given(MAPS, MAPS, st.floats(-300, 300))
def test_similarities_do_not_depend_on_scale_and_keep_signs(a, b, exponent):
    scale = 10.0**exponent / 5
    for alike in (cosine, centred_cosine, rank_correlation):
        plain = alike(a, b)
        np.testing.assert_allclose(alike(a * scale, b), plain, atol=1e-9)
        np.testing.assert_allclose(alike(-a, b), -plain, atol=1e-9)
        np.testing.assert_allclose(alike(b, a), plain, atol=1e-12)


def test_constant_and_uniform_maps_have_the_cosines_of_the_oracle():
    expected, tol = oracle("MET-COS")["expected"], oracle("MET-COS")["tol"]
    rng = np.random.default_rng(0)
    assert cosine(np.full((2, 5), 3.0), np.full((2, 5), 0.1)) == pytest.approx(expected["const"])
    uniform = rng.uniform(size=(2, 200, 5000))
    assert cosine(*uniform).mean() == pytest.approx(expected["uniform_expected"], abs=tol)
    assert abs(centred_cosine(*uniform).mean()) < 0.01 and abs(rank_correlation(*uniform).mean()) < 0.01


def test_constant_allows_for_single_precision():
    assert constant(np.array([[1.0, 1 + 1e-7], [0, 0], [1, 1.001], [1e-12, 2e-12]])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_top_overlap_counts_shared_magnitudes():
    a = np.array([[9.0, -8, 1, 0, 2]])
    b = np.array([[9.0, 0, 1, -8, 2]])
    assert [top_overlap(a, b, k)[0] for k in (1, 2, 3, 5)] == pytest.approx([1, 0.5, 2 / 3, 1])


def test_mean_known_ignores_holes():
    values = np.array([[1.0, np.nan], [3, np.nan]])
    np.testing.assert_array_equal(mean_known(values, axis=0), [2, np.nan])
    np.testing.assert_array_equal(mean_known(values, axis=1), [1, 3])


# -- stability ---------------------------------------------------------------------------------------------------------


def total(z):
    return z.reshape(len(z), -1).sum(axis=1)


def watch(explain, x, metric, model=total, **kwargs):
    """The curve of a metric, and all inputs that the explanation was asked for after the first, unperturbed one."""
    seen = []

    def again(model, z):
        seen.append(z)
        return pc.Attribution.from_arrays(explain(np.asarray(z, float)), data=z, target=None)

    made = pc.Attribution.from_arrays(explain(np.asarray(x, float)), data=x, target=None)
    card = pc.evaluate(model, made, metric, again=again, **kwargs)
    return card.curves[0], seen[1:]


def test_the_value_is_the_mean_cosine_over_noisy_copies():
    x = np.random.default_rng(0).normal(size=(4, 6))
    explain = lambda z: z**2 - 1  # noqa: E731
    made, seen = watch(explain, x, pc.Stability(trials=3, sigma=0.3))
    assert len(seen) == 3
    one_by_one = {
        None: lambda a, b: np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b),
        "centred_cosine": lambda a, b: np.corrcoef(a, b)[0, 1],
        "rank_correlation": lambda a, b: stats.spearmanr(a, b)[0],
    }
    for name, alike in one_by_one.items():
        expected = [[alike(a, b) for a, b in zip(explain(x), explain(z), strict=True)] for z in seen]
        found = made.value if name is None else made.detail[name]
        assert found == pytest.approx(np.mean(expected, axis=0)), name
    assert made.detail["degenerate_share"] == pytest.approx(0)
    slopes = [
        [np.linalg.norm(explain(a) - explain(b)) / np.linalg.norm(a - b) for a, b in zip(x, z, strict=True)]
        for z in seen
    ]
    assert made.detail["lipschitz"] == pytest.approx(np.max(slopes, axis=0))


def test_the_lipschitz_estimate_of_a_gradient_comes_near_the_largest_curvature_and_never_beyond():
    """f = x^T Q x / 2 has the gradient Q x, whose constant is the largest eigenvalue; a linear f has 0."""
    expected = oracle("MET-SENS")["expected"]
    x = np.random.default_rng(0).normal(size=(3, 2))
    curved = nets.Formula(lambda z: (3 * z[:, 0] ** 2 + z[:, 1] ** 2) / 2)
    made = pc.evaluate(curved, pc.explain(curved, x, pc.Saliency()), pc.Stability(trials=100)).curves[0]
    assert (made.detail["lipschitz"] <= expected["quad"] + 1e-9).all()
    assert made.detail["lipschitz"] == pytest.approx(expected["quad"], abs=0.01)
    straight = nets.linear([2.0, -1.0])
    made = pc.evaluate(straight, pc.explain(straight, x, pc.Saliency()), pc.Stability()).curves[0]
    assert made.detail["lipschitz"] == pytest.approx(expected["linear"], abs=1e-12)


@pytest.mark.parametrize(
    "method", [pc.IntegratedGradients(steps=4), pc.GradCAM(), pc.SmoothGrad(samples=3), pc.RISE(samples=20)]
)
@pytest.mark.parametrize("room", [2**20, 1, 2 * 512])
def test_copies_explained_together_say_what_copies_one_by_one_say(method, room, monkeypatch):
    """Rows of one record, each with a class of its own, several versions in one call or one at a time."""
    net, x = nets.cnn(), np.random.default_rng(0).uniform(size=(4, 2, 8, 8)).astype("float32")
    target = np.array([0, 1, 2, 1])
    made = pc.explain(net, x, method, target=target)
    alone = lambda model, z: pc.explain(model, z, method, target=target)  # noqa: E731
    metric = pc.Stability(trials=5)
    expected = pc.evaluate(net, made, metric, again=alone).curves[0]
    monkeypatch.setattr("pellucid.metrics.case._CELLS", room)
    found = pc.evaluate(net, made, metric).curves[0]
    assert found.value == pytest.approx(expected.value, abs=1e-5, nan_ok=True)
    assert found.detail["lipschitz"] == pytest.approx(expected.detail["lipschitz"], rel=1e-3)
    assert found.receipt.rows_forward == expected.receipt.rows_forward


def test_what_belongs_to_a_row_goes_with_its_copies():
    """Further inputs and a map of parts per row."""
    rng = np.random.default_rng(0)
    x, gate = rng.uniform(size=(3, 6, 6)), rng.normal(size=3)
    maps = [(np.arange(36).reshape(6, 6) // (6 * (i + 1))) for i in range(3)]
    model = lambda z, gate: (z**2).reshape(len(z), -1).sum(1) * gate  # noqa: E731
    ways = {"masker": pc.LabelMap(maps, fill=0.0), "extra": {"gate": gate}}
    made = pc.explain(model, x, pc.ExactShapley(), **ways)
    metric = pc.Stability(trials=3, sigma=0.3)
    found = pc.evaluate(model, made, metric, **ways).curves[0]
    alone = lambda model, z: pc.explain(model, z, pc.ExactShapley(), **ways)  # noqa: E731
    assert found.value == pytest.approx(pc.evaluate(model, made, metric, again=alone, **ways).curves[0].value)


def test_the_same_map_for_every_input_is_perfectly_stable():
    x = np.random.default_rng(0).normal(size=(3, 5))
    made, _ = watch(lambda z: np.tile([1.0, 2, 3, 4, -5], (len(z), 1)), x, pc.Stability())
    assert made.value == pytest.approx(1) and made.detail["rank_correlation"] == pytest.approx(1)


@pytest.mark.parametrize("sigma", [0.02, 0.5])
def test_noise_on_a_table_is_in_units_of_the_background_per_column(sigma):
    background = np.random.default_rng(1).normal(size=(50, 3)) * [1, 10, 0]
    x = np.zeros((40, 3))
    x[:, 0] = np.arange(40)  # rows differ, so that their noise does
    _, seen = watch(lambda z: z + np.arange(3), x, pc.Stability(trials=100, sigma=sigma), background=background)
    noise = np.array(seen) - x
    assert noise[..., :2].std(axis=(0, 1)) == pytest.approx(sigma * background[:, :2].std(axis=0), rel=0.05)
    assert (noise[..., 2] == 0).all()
    assert abs(np.corrcoef(noise[:, 0, 0], noise[:, 1, 0])[0, 1]) < 0.3  # each row has its own
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.06


@pytest.mark.parametrize("shape", [(2, 30, 40), (2, 3, 20, 20), (2, 60)])
def test_noise_without_a_background_is_in_units_of_each_rows_range(shape):
    x = np.random.default_rng(0).uniform(size=shape) * np.array([1, 100]).reshape(2, *[1] * (len(shape) - 1)) + 7
    _, seen = watch(lambda z: z, x, pc.Stability(trials=20, sigma=0.1))
    noise = (np.array(seen) - x).reshape(20, 2, -1)
    assert noise.std(axis=(0, 2)) == pytest.approx(0.1 * np.ptp(x.reshape(2, -1), axis=1), rel=0.1)


def test_levels_stay_and_whole_numbers_stay_whole():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(6.0), "b": list("xyxyxy"), "c": [0, 50, 10, 30, 20, 40]})
    seen = []

    def model(part):
        seen.append(part)
        return part["a"].to_numpy() * part["c"].to_numpy() + (part["b"] == "x")

    made = pc.explain(model, frame, pc.Occlusion(), background=frame)
    seen.clear()
    card = pc.evaluate(model, made, pc.Stability(trials=4, sigma=0.5), background=frame)
    assert np.isfinite(card.curves[0].value).all()
    copies = [part for part in seen if len(part) == 4 * 6]  # all noisy copies in one call
    assert copies and all(part["b"].tolist() == 4 * frame["b"].tolist() for part in copies[:1])
    assert all(part["c"].dtype == frame["c"].dtype for part in seen)
    assert copies[0]["c"].tolist() != 4 * frame["c"].tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "bool"])
def test_noisy_copies_keep_the_dtype_and_its_limits(dtype):
    x = np.random.default_rng(0).uniform(0, 255, size=(2, 8, 8))
    x = x > 128 if dtype == "bool" else x.astype(dtype)
    _, seen = watch(lambda z: z + 1e-3 * np.arange(8), x, pc.Stability(trials=3, sigma=0.4))
    for z in seen:
        assert z.dtype == x.dtype and (z != x).any()
        assert np.abs(z.astype(float) - x.astype(float)).max() <= 2.5 * 255 * 0.4 * 1.6
    if dtype == "uint8":
        assert min(z.min() for z in seen) == 0 and max(z.max() for z in seen) == 255  # clipped, not wrapped around


def test_constant_maps_get_a_cosine_of_1_and_are_called_degenerate():
    x = np.random.default_rng(0).normal(size=(3, 4))
    made, _ = watch(lambda z: np.ones_like(z) * z[:, :1], x, pc.Stability())
    assert np.abs(made.value) == pytest.approx(1)
    assert np.isnan(made.detail["centred_cosine"]).all() and np.isnan(made.detail["rank_correlation"]).all()
    assert made.detail["degenerate_share"] == pytest.approx(1) and made.degenerate.all()
    zero, _ = watch(np.zeros_like, x, pc.Stability())
    assert np.isnan(zero.value).all() and zero.degenerate.all()


def test_a_map_that_dies_under_noise_counts_as_unlike():
    x = np.random.default_rng(0).normal(size=(3, 4))
    made, _ = watch(lambda z: z * np.array_equal(z, x), x, pc.Stability(trials=2))
    assert made.value == pytest.approx(0) and made.detail["rank_correlation"] == pytest.approx(0)
    assert made.detail["degenerate_share"] == pytest.approx(1) and not made.degenerate.any()


def test_min_max_scaling_lifts_the_cosine_and_not_the_centred_one():
    """The founding text's table shows 1.000 for such maps; that is why the others stand beside it, with a sentence."""
    x = np.random.default_rng(0).normal(size=(5, 200))
    raw = lambda z: np.sin(40 * z)  # noqa: E731

    def scaled(z):
        v = raw(z)
        return (v - v.min(axis=1, keepdims=True)) / np.ptp(v, axis=1, keepdims=True)

    plain, lifted = (watch(how, x, pc.Stability(sigma=0.01))[0] for how in (raw, scaled))
    assert lifted.value.mean() > plain.value.mean() + 0.2
    assert lifted.detail["centred_cosine"] == pytest.approx(plain.detail["centred_cosine"], abs=1e-9)
    assert any("share an offset" in said for said in lifted.receipt.warnings) and not plain.receipt.warnings


def test_min_max_scaling_alone_lifts_the_gradient_of_a_volume_from_86_to_999():
    """A trained eye sees the same maps; the cosine only sees that all values lie around one level."""
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 16))
    peaks = np.random.default_rng(1).standard_t(
        2.5, size=(16, 16, 16)
    )  # few large values, as in the gradients of networks

    def raw(z):
        return peaks * np.sin(3 * z) * 4

    def scaled(z):
        v = raw(z)
        low, high = v.min(axis=(1, 2, 3), keepdims=True), v.max(axis=(1, 2, 3), keepdims=True)
        return (v - low) / (high - low)

    metric = pc.Stability(sigma=0.0265)
    plain, lifted = (watch(how, x, metric)[0] for how in (raw, scaled))
    assert plain.value.mean() == pytest.approx(0.86, abs=0.01)
    assert (lifted.value > 0.995).all()
    for made, how in ((plain, raw), (lifted, scaled)):
        assert made.detail["centred_cosine"] == pytest.approx(plain.detail["centred_cosine"])
        m, s = (fold(how(x).reshape(4, -1), axis=1) for fold in (np.mean, np.std))
        predicted = (m**2 + s**2 * made.detail["centred_cosine"]) / (m**2 + s**2)
        assert made.value == pytest.approx(predicted, abs=0.01)


def test_rows_without_spread_get_no_noise_and_that_is_said():
    made, seen = watch(lambda z: z + np.arange(4), np.full((2, 4), 3.0), pc.Stability(trials=1))
    assert (seen[0] == 3).all() and any("2 of 2 rows have no spread" in said for said in made.receipt.warnings)


def test_columns_of_the_background_that_are_unknown_get_no_noise():
    background = np.array([[1.0, np.nan, 2], [3, np.nan, np.nan]])
    _, seen = watch(lambda z: z, np.ones((2, 3)), pc.Stability(trials=1), background=background)
    assert (seen[0][:, 1:] == 1).all() and (seen[0][:, 0] != 1).all()


def test_absolute_noise_is_the_same_whatever_the_row_spans():
    """Where rows span the whole of [-1, 1], 0.02 in their units is 0.01 of their range, copy for copy."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (2, 1, 8, 8))
    x.reshape(2, -1)[:, :2] = (-1, 1)
    relative, absolute = (
        watch(lambda z: z, x, metric)[1] for metric in (pc.Stability(sigma=0.01), pc.Stability(relative=False))
    )
    assert all(np.array_equal(a, b) for a, b in zip(relative, absolute, strict=True))
    narrow = np.tile(np.linspace(-0.8, -0.7, 400), (2, 1)).reshape(2, 1, 20, 20)
    _, seen = watch(lambda z: z, narrow, pc.Stability(trials=20, sigma=0.02, relative=False))
    assert np.std(seen - narrow) == pytest.approx(0.02, rel=0.02)


def test_absolute_noise_leaves_levels_alone():
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": ["x", "y", "x"], "c": [5.0, 6, 7]})
    made = pc.explain(lambda z: z["a"].to_numpy(float) + z["c"], frame, pc.KernelShap(), background=frame)
    seen = []

    def again(model, z):
        seen.append(z)
        return made

    pc.evaluate(
        lambda z: z["a"].to_numpy(float) + z["c"], made, pc.Stability(relative=False), again=again, background=frame
    )
    steps = seen[-1][["a", "c"]].to_numpy() - frame[["a", "c"]].to_numpy()
    assert seen[-1]["b"].tolist() == ["x", "y", "x"] and (steps != 0).all() and np.abs(steps).max() < 0.1


@pytest.mark.parametrize("wrong", [{"trials": 0}, {"trials": 1.5}, {"sigma": 0}, {"sigma": -1.0}])
def test_fields_out_of_range_are_refused(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.Stability(**wrong)


def test_noise_on_whole_numbers_is_rounded_to_the_nearest():
    x = np.array([[10, 10, 0, 255]], dtype="uint8")
    assert noisy(x, np.array([[0.6, -0.6, -3.0, 3.0]])).tolist() == [[11, 9, 0, 255]]
    assert noisy(x > 5, np.array([[-0.4, -0.6, 0.6, 3.0]])).tolist() == [[True, False, True, True]]
