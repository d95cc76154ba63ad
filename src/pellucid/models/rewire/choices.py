"""Choices between tensors under a change of input, where the condition may have been made from values and change with them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pellucid.models.rewire.engine import Call, Rule, bend
from pellucid.models.rewire.functions import lives
from pellucid.models.rewire.products import differ


def where(call: Call) -> Tensor:
    """A choice between a and b. Where the condition itself changed, each is given the change of the output in its share."""
    assert call.before is not None
    condition, a, b = (call.argument(i, name) for i, name in enumerate(("condition", "input", "other")))
    if condition.dtype != torch.bool:  # a.where(condition, b)
        call = _as_where(call, [1, 0, 2])
        condition, a, b = call.args
    assert call.before is not None
    condition0, *others = call.before
    if not differ(condition, condition0):
        return call.plain()
    y, y0 = call.value(), call.run(call.before)
    rest = iter(others)
    a0, b0 = (next(rest) if isinstance(t, Tensor) else t for t in (a, b))
    a, b = (torch.as_tensor(t, dtype=y.dtype, device=y.device).expand(y.shape) for t in (a, b))
    with torch.no_grad():
        kept = (condition.to(y.dtype) + condition0.to(y.dtype)) / 2
        da, db = (a - a0) * float(lives(a)), (b - b0) * float(lives(b))
        size = da.abs() + db.abs()
        left = torch.where(size == 0, 0, (y - y0 - kept * da - (1 - kept) * db) / size)
        slopes = kept + left * da.sign(), 1 - kept + left * db.sign()
    live = [(t, s) for t, s in zip((a, b), slopes, strict=True) if lives(t)]
    return bend(y, lambda g: tuple(g * s for _, s in live), *(t for t, _ in live))


def _as_where(call: Call, order: list[int]) -> Call:
    """The same choice, spelled `torch.where` with the arguments in this order."""
    assert call.before is not None
    given = [*call.args, *call.kwargs.values()]
    then = iter(call.before)
    before = [next(then) if isinstance(one, Tensor) else None for one in given]
    inner = Call("where", torch.where, tuple(given[i] for i in order), {}, call.mode)
    inner.before = [t for t in (before[i] for i in order) if t is not None]
    return inner


def masked_fill(call: Call) -> Tensor:
    """A choice between a number and x: x.masked_fill(mask, value), x[mask] = value."""
    return where(_as_where(call, [1, 2, 0]))


def _fills(call: Call) -> bool:
    """Whether x[index] = value is a masked fill; other indices are linear."""
    target, index, value = call.args
    masks = isinstance(index, Tensor) and index.dtype == torch.bool and index.shape == target.shape
    return masks and not (isinstance(value, Tensor) and value.ndim > 0)


def setitem(call: Call) -> Any:
    return masked_fill(call) if _fills(call) else call.plain()


CHOICES: dict[str, Rule] = {
    "where": Rule(where, lambda call: True),
    "masked_fill": Rule(masked_fill, lambda call: True),
    "setitem": Rule(setitem, _fills),
}
