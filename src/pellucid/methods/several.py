"""One explanation for each of several outputs, as the picture explainer of the lime package has it with `top_labels`.

The masks and neighbours of a method do not depend on the target, so the model is asked once: its answers are kept while the
targets take turns. Methods that need gradients ask anew for each target, for each has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import TargetError
from pellucid.core.masking import Masker
from pellucid.core.method import Method
from pellucid.core.records import Attribution
from pellucid.methods import run
from pellucid.models.prepare import Prepared, prepare


def explain_each(
    model: Any,
    x: Any,
    method: Method | str,
    targets: int | Sequence[Any],
    *,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
) -> tuple[Attribution, ...]:
    """See `pellucid.api.explain_each`."""
    ready = prepare(model, x, background=background, names=names, extra=extra, batch_size=batch_size)
    chosen = run.as_method(method)
    shares = chosen.card.access == "black box"  # others look inside the model while it answers
    ready.adapter.memory = {} if shares else None
    wanted = _top(ready, targets) if isinstance(targets, int) else list(targets)
    if not wanted:
        raise TargetError("explain_each needs at least one target, and got none.")
    records = [run.explained(ready, chosen, target=target, masker=masker) for target in wanted]
    if len(records) == 1 or not shares:
        return tuple(records)
    note = f"the model's answers were shared by {len(records)} targets; rows are counted as if each had asked alone"
    return tuple(replace(r, receipt=replace(r.receipt, notes=(*r.receipt.notes, note))) for r in records)


def _top(ready: Prepared, k: int) -> list[Any]:
    """The k highest outputs of each row, from the highest down: k targets, each a column a row."""
    adapter, inputs = ready.adapter, ready.inputs
    with adapter.session():
        outputs = adapter.outputs(inputs.x, adapter.scales[0], inputs.extra, Meter(), inputs.batch_size)
    if outputs.ndim != 2 or not 1 <= k <= outputs.shape[1]:
        raise TargetError(f"targets={k}: this model has outputs of shape {outputs.shape[1:]}; ask for 1 to that many.")
    return list(np.argsort(-outputs, axis=1, kind="stable")[:, :k].T)
