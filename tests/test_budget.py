"""Budgets, meters and estimates, all on injected clocks."""

import itertools

import numpy as np
import pytest

import pellucid as pc
from pellucid.core.budget import Meter


def ticking(step: float = 1.0):
    """A clock that moves on with every look."""
    return lambda counter=itertools.count(): step * next(counter)


def test_a_meter_counts_and_names_the_limit():
    meter = Meter(pc.Budget(rows=10))
    meter.add(forward=4, backward=3)
    assert (meter.rows_forward, meter.rows_backward, meter.spent, meter.rows_left()) == (4, 3, False, 3)
    meter.add(forward=3)
    assert meter.spent and meter.limit() == "10 model rows" and meter.rows_left() == 0
    assert Meter(pc.Budget(seconds=0.5, clock=ticking())).limit() == "0.5 seconds"
    assert Meter().limit() is None and Meter().rows_left() == float("inf")


def test_bytes_are_a_limit_too():
    meter = Meter(pc.Budget(bytes=1))
    meter.peak_bytes = 2
    assert meter.limit() == "1 bytes"


@pytest.mark.parametrize("limit", [{"seconds": 0}, {"rows": -1}, {"bytes": 0}])
def test_limits_are_positive(limit: dict):
    with pytest.raises(pc.InputError, match="positive"):
        pc.Budget(**limit)


def test_rows_are_finished_one_by_one_until_the_budget_is_spent():
    """Occlusion of 3 columns costs 5 rows per row, after 8 for the scores: 24 rows pay for three of eight."""
    record = pc.explain(
        lambda x: x.sum(1), np.ones((8, 3)), pc.Occlusion(), background=np.zeros((1, 3)), budget=pc.Budget(rows=8 + 15)
    )
    assert record.done.tolist() == [True] * 3 + [False] * 5
    assert record.receipt.rows_forward == 23
    assert record.receipt.warnings == ("the budget of 23 model rows left out 5 of 8 rows",)
    np.testing.assert_array_equal(record.values[:3], 1.0)
    assert np.isnan(record.values[3:]).all()


@pytest.mark.parametrize(("rows", "done"), [(1000, 0), (4 + 2**12 - 1, 0), (4 + 2**12, 1), (4 + 3 * 2**12 + 7, 3)])
def test_a_row_that_cannot_be_paid_for_is_not_begun(rows: int, done: int):
    """Exact values of 12 columns take 4,096 rows per row, after 4 for the scores: known before the first one."""
    x = np.ones((4, 12))
    record = pc.explain(
        lambda b: b.sum(1), x, pc.ExactShapley(), background=np.zeros((1, 12)), budget=pc.Budget(rows=rows)
    )
    assert record.done.tolist() == [True] * done + [False] * (4 - done)
    assert record.receipt.rows_forward == 4 + done * 2**12 <= rows
    assert record.receipt.warnings == (f"the budget of {rows:,} model rows left out {4 - done} of 4 rows",)
    np.testing.assert_allclose(record.values[:done], 1.0)
    assert np.isnan(record.values[done:]).all() and np.isnan(record.gap[done:]).all()


def test_an_exact_method_stops_before_the_budget_is_overrun():
    """Occlusion of 3 columns costs 5 rows per row: 8 + 17 pay for three rows, and the two left over for none."""
    record = pc.explain(
        lambda x: x.sum(1), np.ones((8, 3)), pc.Occlusion(), background=np.zeros((1, 3)), budget=pc.Budget(rows=8 + 17)
    )
    assert record.done.sum() == 3 and record.receipt.rows_forward == 8 + 15
    assert record.receipt.warnings == ("the budget of 25 model rows left out 5 of 8 rows",)


def test_a_large_budget_changes_nothing():
    x = np.random.default_rng(0).normal(size=(20, 3))
    free = pc.explain(np.tanh, x, pc.Occlusion(), background=x[:2], target=0)
    paid = pc.explain(np.tanh, x, pc.Occlusion(), background=x[:2], target=0, budget=pc.Budget(seconds=1e9, rows=10**9))
    np.testing.assert_array_equal(paid.values, free.values)


def test_progress_hears_of_every_row():
    heard: list[int] = []
    record = pc.explain(
        lambda x: x.sum(1), np.ones((2, 3)), pc.Occlusion(), background=np.zeros((1, 3)), progress=heard.append
    )
    assert sum(heard) == record.receipt.rows_forward


def test_an_estimate_is_extrapolated_from_two_rows():
    calls: list[int] = []

    def f(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return x.sum(1)

    cost = pc.estimate(
        f, np.ones((100, 3)), pc.Occlusion(), background=np.zeros((2, 3)), budget=pc.Budget(clock=ticking())
    )
    assert cost.rows_forward == 100 * (1 + 2 * 5)
    assert sum(calls) == 3 * (1 + 2 * 5)
    assert cost.seconds > 0 and cost.rows_backward == 0


def test_an_estimate_takes_what_explain_takes():
    x = np.ones((3, 2))
    made = pc.estimate(
        lambda z: z.sum(1), x, pc.KernelShap(samples=4), background=x * 0, names=["a", "b"], batch_size=2
    )
    assert (
        made.rows_forward
        == pc.explain(lambda z: z.sum(1), x, pc.KernelShap(samples=4), background=x * 0).receipt.rows_forward
    )


@pytest.mark.parametrize("method", [pc.KernelShap(), pc.PermutationShap(orders=200)])
def test_sampling_that_cannot_pay_for_the_next_round_says_so(method):
    x = np.random.default_rng(0).normal(size=(2, 13))
    ask = lambda **more: pc.explain(lambda z: z.prod(1), x, method, background=x[:1] * 0, **more)  # noqa: E731
    assert ask(budget=pc.Budget(rows=150)).receipt.warnings[-1] == "sampling stopped at the budget of 150 model rows"
    assert not any("budget" in said for said in ask(budget=pc.Budget(rows=10**6)).receipt.warnings)


def test_every_verb_takes_seconds_for_a_budget():
    x = np.random.default_rng(0).normal(size=(4, 2))
    for budget in (60, 60.0, "60s", "1m", pc.Budget(seconds=60)):
        assert pc.explain(lambda z: z.sum(1), x, pc.ExactShapley(), background=x, budget=budget).done.all()
    with pytest.raises(pc.InputError, match="a limit is a positive number"):
        pc.explain(lambda z: z.sum(1), x, pc.ExactShapley(), background=x, budget=0)
    with pytest.raises(pc.InputError, match="is no time"):
        pc.explain(lambda z: z.sum(1), x, pc.ExactShapley(), background=x, budget="soon")
    assert pc.estimate(lambda z: z.sum(1), x, pc.ExactShapley(), background=x, budget="1m").rows_forward
    assert pc.counterfactual(lambda z: z.sum(1) - 1, x, target=(0, 9), background=x, budget="1m").done.all()
    assert pc.anchor(lambda z: z.sum(1) > 0, x, background=x, target=lambda out: out[:, 0], budget="1m").done.all()


def test_counts_are_whole_numbers_of_any_library():
    assert repr(pc.KernelShap(samples=np.int64(6))) == "KernelShap(samples=6, seed=0, tolerance=None)"
    assert pc.IntegratedGradients(steps=np.int32(4)) == pc.IntegratedGradients(steps=4)
    for make in (
        lambda: pc.KernelShap(samples=1.5),
        lambda: pc.IntegratedGradients(steps=2.5),
        lambda: pc.LIME(samples=99.5),
    ):
        with pytest.raises(pc.MethodError, match=r"\.5\): expected a whole number"):
            make()
