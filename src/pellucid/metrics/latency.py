"""Latency: what does one explanation cost in seconds, memory and model rows?

Each row is explained by itself, `warmup` times to load what is loaded once (kernels, caches, compiled code), then `repeats` times
against the clock, which is read only when the device has finished. The value is the median over repeats; `p95` their 95th
percentile, for the slow ones are what a user waits for; `seconds` all of them (n, repeats); `together` the median seconds a row
where all rows are explained at once, which is what a batch costs.

Model rows are counted, not timed: they are the same on every machine. Peak memory is the device's own figure where there is a
device (its counter is reset for that), else the growth of the process as sampled between model calls, and so approximate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.records import Attribution
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, Repeat, check_counts


@dataclass(frozen=True)
class Latency(Metric):
    """`warmup` explanations of each row that nobody times, then `repeats` against the clock."""

    warmup: int = 1
    repeats: int = 5

    card: ClassVar[MetricCard] = MetricCard(
        question="How long does one explanation take, and what does it cost?",
        direction="lower",
        range=(0.0, np.inf),
        chance="seconds mean something beside another method on the same machine",
        cost="`warmup` + `repeats` explanations of each row by itself, and as many of all rows together",
        weaknesses="the machine and all that runs on it are in the number: compare methods in one go, or by their model rows; "
        "memory on a processor is sampled between model calls, and is 0 where enough was at hand already",
        paper="Reddi et al. 2020 (MLPerf Inference), for warm-up and percentiles",
        needs=("again",),
        ranks=False,
    )

    def __post_init__(self) -> None:
        check_counts(self, "repeats")
        if isinstance(self.warmup, bool) or not isinstance(self.warmup, int) or self.warmup < 0:
            raise MethodError(f"Latency(warmup={self.warmup!r}): expected a whole number of at least 0.")

    def measure(self, case: Case) -> Reading:
        again, model, n = case.again, case.model, len(case.x)
        assert again is not None
        whole = self._timed(case, lambda: again(model, case.given(case.x)))
        if isinstance(again, Repeat):
            one = [(again.of(np.array([i])), case.given(case.x[[i]])) for i in range(n)]
            each = [self._timed(case, lambda way=way, x=x: way(model, x)) for way, x in one]  # type: ignore[misc]
        else:
            each = [_Times(whole.seconds / n, whole.bytes, whole.forward / n, whole.backward / n)] * n
        seconds = np.stack([times.seconds for times in each])  # (n, repeats)
        return Reading(
            np.median(seconds, axis=1),
            detail={
                "p95": np.quantile(seconds, 0.95, axis=1),
                "seconds": seconds,
                "together": np.full(n, np.median(whole.seconds) / n),
                "peak_bytes": np.array([times.bytes for times in each], float),
                "rows_forward": np.array([times.forward for times in each], float),
                "rows_backward": np.array([times.backward for times in each], float),
            },
            warnings=() if isinstance(again, Repeat) else (_SHARED,),
        )

    def _timed(self, case: Case, ask: Callable[[], Attribution]) -> _Times:
        adapter, clock, seconds = case.f.adapter, case.f.meter.budget.clock, []
        peak = adapter.fresh_peak()
        for _ in range(self.warmup):
            case.count(ask(), "again")
        for _ in range(self.repeats):
            adapter.wait()
            start = clock()
            made = ask()
            adapter.wait()
            seconds.append(clock() - start)
            case.count(made, "again")
        receipt = made.receipt
        held = receipt.peak_bytes if peak is None else peak()
        return _Times(np.array(seconds), held, receipt.rows_forward, receipt.rows_backward)


@dataclass(frozen=True, eq=False)
class _Times:
    """seconds (repeats,), and what the last explanation took besides"""

    seconds: np.ndarray
    bytes: int
    forward: float
    backward: float


_SHARED = "again explains all rows at once, so each row is told its share: a row by itself may take longer"
