"""Latency on clocks of our own, and ErrorCalibration on methods whose true spread is known."""

import dataclasses

import numpy as np
import pytest

import nets
import pellucid as pc
from contract.metric_cases import differs
from pellucid.core.budget import Budget, Meter
from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.metrics import run
from pellucid.models.torch import TorchAdapter

X = np.random.default_rng(0).uniform(size=(4, 2, 8, 8)).astype("float32")


class Clock:
    """Time that passes only when something is done."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(run, "Meter", lambda **known: Meter(Budget(clock=made), **known))
    return made


def slow(monkeypatch, clock, seconds):
    """Every model call takes its seconds: a number, or the next of many."""
    forward, left = TorchAdapter.forward, iter(seconds) if hasattr(seconds, "__iter__") else None

    def timed(self, x, scale, extra):
        out = forward(self, x, scale, extra)
        if not isinstance(x, np.ndarray) and x.requires_grad:
            clock.now += seconds if left is None else next(left)
        return out

    monkeypatch.setattr(TorchAdapter, "forward", timed)


# -- latency -----------------------------------------------------------------------------------------------------------


def test_each_row_is_timed_by_itself_after_a_warm_up(clock, monkeypatch):
    net = nets.cnn()
    made = pc.explain(net, X[:2], pc.Saliency(), target=1)
    # all together: one to warm up and three to time; then the same of each row. One check that the record repeats comes first.
    slow(monkeypatch, clock, [99, 50, 8, 6, 7, 70, 1, 2, 9, 70, 5, 4, 3])
    curve = pc.evaluate(net, made, pc.Latency(warmup=1, repeats=3)).curves[0]
    assert curve.value.tolist() == [2, 4] and not curve.higher_is_better
    assert curve.detail["p95"] == pytest.approx([np.quantile([1, 2, 9], 0.95), np.quantile([5, 4, 3], 0.95)])
    assert curve.detail["together"].tolist() == [7 / 2, 7 / 2]
    assert curve.detail["rows_backward"].tolist() == [1, 1] and curve.detail["rows_forward"].tolist() == [2, 2]
    assert (curve.detail["peak_bytes"] >= 0).all()


def test_the_clock_is_read_when_the_device_has_finished(clock, monkeypatch):
    """A device that works behind the caller's back: what it was told is done only when somebody waits."""
    net, told = nets.cnn(), []
    made = pc.explain(net, X[:1], pc.Saliency(), target=1)
    forward = TorchAdapter.forward

    def later(self, x, scale, extra):
        told.extend([] if isinstance(x, np.ndarray) else [3.0])  # an array comes back as a tensor
        return forward(self, x, scale, extra)

    monkeypatch.setattr(TorchAdapter, "forward", later)

    def wait(self):
        clock.now += sum(told)
        told.clear()

    monkeypatch.setattr(TorchAdapter, "wait", wait)
    curve = pc.evaluate(net, made, pc.Latency(warmup=1, repeats=2)).curves[0]
    assert curve.value == pytest.approx(2 * 3.0)  # one pass binds the target, one is differentiated


def test_fields_change_what_is_measured(clock, monkeypatch):
    net = nets.cnn()
    made, curves = pc.explain(net, X[:2], pc.Saliency(), target=1), []
    for metric in (pc.Latency(warmup=0), pc.Latency(warmup=1), pc.Latency(warmup=0, repeats=2)):
        with monkeypatch.context() as patch:
            slow(patch, clock, (1.1**k for k in range(100)))
            curves.append(pc.evaluate(net, made, metric).curves[0])
    assert differs(curves[0], curves[1]) and differs(curves[0], curves[2])


def test_a_users_own_function_explains_all_rows_and_each_is_told_its_share(clock):
    def again(model, z):
        clock.now += 12
        return pc.Attribution.from_arrays(np.asarray(z) * 2, data=z, target=1)

    net = nets.cnn()
    curve = pc.evaluate(net, again(net, X), pc.Latency(warmup=0, repeats=2), again=again).curves[0]
    assert curve.value.tolist() == [3] * 4 == curve.detail["together"].tolist()
    assert "told its share" in curve.receipt.warnings[0]


def test_a_constant_map_has_a_price_too_and_rows_keep_what_is_theirs(clock):
    flat = pc.Attribution.from_arrays(np.ones((4, 3)), data=np.arange(12.0).reshape(4, 3), target=None)

    def again(model, z):
        clock.now += 4
        return flat

    line = pc.evaluate(lambda z: z.sum(1), flat, pc.Latency(warmup=0), again=again).lines[0]
    assert line.mean == 1 and line.rows == 4 and line.verdict.startswith("no verdict: seconds mean something")


def test_the_device_tells_its_own_peak(monkeypatch):
    net = nets.cnn()
    made = pc.explain(net, X[:1], pc.Saliency(), target=1)
    monkeypatch.setattr(TorchAdapter, "fresh_peak", lambda self: lambda: 4321)
    assert pc.evaluate(net, made, pc.Latency(repeats=1)).curves[0].detail["peak_bytes"].tolist() == [4321]


def test_targets_and_further_inputs_follow_the_row_that_is_timed(clock):
    gate = np.array([1.0, -2.0, 3.0])
    seen = []

    def model(z, gate):
        seen.append((len(z), gate.tolist()))
        return z.sum(1) * gate

    made = pc.explain(model, np.eye(3), pc.Occlusion(baseline=0.0), extra={"gate": gate})
    seen.clear()
    pc.evaluate(model, made, pc.Latency(warmup=0, repeats=1), extra={"gate": gate})
    assert {(1, (g,)) for g in gate} <= {(n, tuple(g)) for n, g in seen}


@pytest.mark.parametrize("wrong", [{"warmup": -1}, {"warmup": 0.5}, {"repeats": 0}])
def test_latency_refuses_fields_out_of_range(wrong):
    with pytest.raises(pc.MethodError, match=next(iter(wrong))):
        pc.Latency(**wrong)


# -- error bars --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Noisy(GradientMethod):
    """Values of standard deviation `true`, said to be `said`, in every cell; with `still` cells that do not vary."""

    true: float = 1.0
    said: float | None = 1.0
    still: int = 0
    seed: int = 0

    card = Card("why?", "local", "gradients", ("table",), "", "", "", "", "", sampled=True)

    def attribute(self, f, x, *, background, rng):
        noise = self.true * rng.normal(size=x.shape)
        noise[:, : self.still] = 0
        error = None if self.said is None else np.full(x.shape, self.said)
        if error is not None:
            error[:, : self.still] = 0
        return Parts(10.0 + np.arange(x.shape[1]) + noise, stderr=error)


TABLE = np.random.default_rng(1).normal(size=(5, 40))
LINEAR = nets.linear([1.0] * 40)


def calibrated(method, **fields):
    made = pc.explain(LINEAR, TABLE, method)
    return pc.evaluate(LINEAR, made, pc.ErrorCalibration(**fields))


@pytest.mark.parametrize(("said", "expected"), [(1.0, 0), (2.0, 1), (0.5, -1)])
def test_the_value_is_how_far_off_the_error_bars_are_in_doublings(said, expected):
    card = calibrated(Noisy(said=said), seeds=30)
    curve, line = card.curves[0], card.lines[0]
    assert curve.value == pytest.approx(expected, abs=0.15)
    assert curve.detail["z_sd"] == pytest.approx(2.0**-expected, rel=0.1)
    normal = {1.0: 0.95, 2.0: 0.9999, 0.5: 0.673}[said]  # P(|N(0, 1)| < 1.96 said)
    assert curve.detail["coverage"] == pytest.approx(normal, abs=0.03)
    assert line.verdict == ("passes" if said == 1 else "fails")
    assert curve.detail["stated"] == pytest.approx(said * np.sqrt(40))
    assert curve.detail["spread"] == pytest.approx(np.sqrt(40), rel=0.1)


def test_z_is_unbiased_even_with_two_seeds():
    """The values' own mean is nearer to them than the truth: sqrt(1 - 1/S) makes up for it."""
    curves = [calibrated(Noisy(), seeds=2, seed=seed).curves[0] for seed in range(20)]
    assert np.mean([curve.detail["z_sd"] ** 2 for curve in curves]) == pytest.approx(1, abs=0.08)
    assert np.mean([curve.detail["spread"] ** 2 for curve in curves]) == pytest.approx(40, rel=0.08)


def test_cells_that_are_known_exactly_count_for_nothing():
    curve = calibrated(Noisy(still=20), seeds=30).curves[0]
    assert curve.value == pytest.approx(0, abs=0.15) and curve.detail["coverage"] == pytest.approx(0.95, abs=0.03)
    exact = calibrated(Noisy(still=40), seeds=3).curves[0]
    assert np.isnan(exact.value).all() and "5 of 5 rows do not vary" in exact.receipt.warnings[0]


def test_bars_of_nothing_around_values_that_vary_cover_nothing():
    curve = calibrated(Noisy(said=0.0), seeds=10).curves[0]
    assert (curve.value < -5).all() and (curve.detail["coverage"] == 0).all() and np.isfinite(curve.value).all()


@pytest.mark.parametrize(
    ("method", "wider"),
    [
        (pc.SmoothGrad(samples=30), 0),
        (pc.ExpectedGradients(samples=40), 0),
        (pc.KernelShap(samples=80), 0.4),  # a third of all 256 coalitions: its bars do not know how few are left
    ],
)
def test_methods_of_ours_state_errors_that_are_right_or_too_wide(method, wider):
    net = nets.mlp(8)
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(6, 8)).astype("float32"), rng.normal(size=(10, 8)).astype("float32")
    told = {} if isinstance(method, pc.SmoothGrad) else {"background": background}
    made = pc.explain(net, x, method, target=1, **told)
    card = pc.evaluate(net, made, pc.ErrorCalibration(seeds=30), **told)
    assert card.lines[0].mean == pytest.approx(wider, abs=0.25)
    assert 0.88 < card.curves[0].detail["coverage"].mean() <= 1


def test_methods_without_error_bars_or_seeds_are_named():
    for method in (pc.Saliency(), Noisy(said=None)):
        made = pc.explain(LINEAR, TABLE, method)
        with pytest.raises(pc.MethodError, match="no error bar or no seed"):
            pc.evaluate(LINEAR, made, pc.ErrorCalibration())
    with pytest.raises(pc.MethodError, match="states no standard errors"):
        pc.evaluate(LINEAR, made, pc.ErrorCalibration(), method=Noisy(said=None, seed=5))
    made = pc.explain(LINEAR, TABLE, Noisy())
    with pytest.raises(pc.MethodError, match="no error bar or no seed"):
        pc.evaluate(LINEAR, made, pc.ErrorCalibration(), again=lambda model, z: made)
    for seeds in (1, 2.0):
        with pytest.raises(pc.MethodError, match="seeds"):
            pc.ErrorCalibration(seeds=seeds)


def test_comparisons_leave_it_out_where_it_does_not_apply():
    x = TABLE[:3, :4]
    net = nets.linear([1.0, 2, 3, 4])
    made = pc.compare(net, x, [pc.Saliency(), pc.SmoothGrad(samples=4)], metrics=[pc.ErrorCalibration(seeds=3)])
    assert [len(card.lines) for card in made.scorecards] == [0, 1]
