"""The engine of `explain_when`: ask the model once, explain what the policy calls for, the most uncertain first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Budget, Meter, Receipt, as_budget, receipt
from pellucid.core.masking import Masker
from pellucid.core.method import Method
from pellucid.core.records import Attribution
from pellucid.core.selection import ExplainWhen, Selection
from pellucid.core.target import Output, as_target
from pellucid.methods import run
from pellucid.methods.difficulty.base import probabilities
from pellucid.models.prepare import Prepared, prepare


def explain_when(
    model: Any,
    x: Any,
    policy: ExplainWhen | str,
    method: Method | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
) -> Selection:
    """See `pellucid.api.explain_when`."""
    chosen = as_policy(policy)
    ready = prepare(model, x, background=background, names=names, extra=extra, batch_size=batch_size)
    meter = Meter()
    with ready.adapter.session():
        found = chosen.choose(probabilities(ready, meter))
    if not len(found.order):
        return replace(found, receipt=receipt(chosen, meter, packages=ready.adapter.packages))
    rows = found.order[: chosen.rows]
    wanted = None if target is None else as_target(target, default=Output(0)).take(rows)
    part = Prepared(ready.adapter, ready.inputs.take(rows))
    made = run.explained(part, method, target=wanted, masker=masker, budget=limits(chosen, budget))
    meter.absorb(made.receipt)
    reached = found.reached(made.done, made.receipt.seconds)
    return replace(reached, attribution=made, receipt=_receipt(chosen, meter, made))


def as_policy(policy: ExplainWhen | str) -> ExplainWhen:
    """A policy of what a user may give: a value, its class, or its spelling."""
    says = "says not when to explain: give ExplainWhen(above=0.5, lead=0.2, seconds=60)."
    made: ExplainWhen = spelling.as_value(policy, (ExplainWhen,), says)
    return made


def limits(policy: ExplainWhen, budget: Budget | float | str | None) -> Budget | float | str | None:
    """The policy's limit of time and the caller's, whichever is shorter; None where there is neither."""
    if policy.seconds is None:
        return budget
    whole = as_budget(budget)
    return replace(whole, seconds=min(policy.seconds, whole.seconds or np.inf))


def _receipt(policy: ExplainWhen, meter: Meter, made: Attribution) -> Receipt:
    told = made.receipt
    facts = {"warnings": told.warnings, "notes": (f"explained by {told.method}",)}
    return replace(receipt(policy, meter, target=told.target, scale=told.scale, **facts), versions=told.versions)
