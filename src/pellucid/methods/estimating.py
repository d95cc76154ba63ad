"""What would it cost? One row and then two are explained for real; the difference is the price of each further row.

`FriedmanH` explains no rows, and its cost goes by their square: its model rows are counted beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from pellucid.core import spelling
from pellucid.core.budget import Budget, Cost, Meter, as_budget
from pellucid.core.frames import is_frame
from pellucid.methods.effect.friedman_h import FriedmanH
from pellucid.methods.effect.interaction import price
from pellucid.methods.run import explain
from pellucid.models.text import as_texts


def estimate(
    model: Any, x: Any, method: Any, *, budget: Budget | float | str | None = None, extra: Any = None, **arguments: Any
) -> Cost:
    """See `pellucid.api.estimate`."""
    clock = as_budget(budget).clock
    made = spelling.parse(method) if isinstance(method, str) else method
    made = FriedmanH() if made is FriedmanH else made
    if isinstance(made, FriedmanH):
        return price(model, x, made, arguments.get("target"), clock)
    n = x.shape[0] if issparse(x) else len(x)
    one = _measure(model, _head(x, 1), method, clock, _extra_head(extra, 1), arguments)
    if n < 2:
        return one
    two = _measure(model, _head(x, 2), method, clock, _extra_head(extra, 2), arguments)
    return Cost(
        *(first + (n - 1) * max(0, second - first) for first, second in zip(_facts(one), _facts(two), strict=True))
    )


def _measure(model: Any, x: Any, method: Any, clock: Any, extra: Any, arguments: dict[str, Any]) -> Cost:
    meter = Meter(Budget(clock=clock))
    receipt = explain(model, x, method, extra=extra, **arguments).receipt
    return Cost(receipt.rows_forward, receipt.rows_backward, meter.seconds, receipt.peak_bytes)


def _facts(cost: Cost) -> tuple[Any, ...]:
    return cost.rows_forward, cost.rows_backward, cost.seconds, cost.peak_bytes


def _head(x: Any, rows: int) -> Any:
    texts = None if is_frame(x) else as_texts(x)
    if texts is not None:  # their price goes by their length: those nearest to the middle are typical
        length = np.array([len(text) for text in texts])
        return texts[np.argsort(np.abs(length - length.mean()), kind="stable")[:rows]]
    return x.head(rows) if is_frame(x) else x[:rows]


def _extra_head(extra: Any, rows: int) -> Any:
    return None if extra is None else {name: value[:rows] for name, value in extra.items()}
