"""The maximum under a change of input: pooling, reductions, and the larger of two.

Let i be where the maximum lies at x and j where it lies at the reference. Only these two places decide the change
x_i - x0_j, and Shapley's split of it between them, with M(a, b) = max(a, b), is

    phi_i = (M(x_i, x0_j) - x0_j + x_i - M(x0_i, x_j)) / 2         phi_j = (M(x0_i, x_j) - x0_j + x_i - M(x_i, x0_j)) / 2

Each is at most the change of its own place, so multipliers phi_i / (x_i - x0_i) stay between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.models.rewire.engine import Call, Rule, bend


def _shares(x: Tensor, x0: Tensor, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
    """x, x0 (..., k), places i, j (..., p) -> multipliers of both places (..., p)"""
    xi, xj = x.gather(-1, i), x.gather(-1, j)
    x0i, x0j = x0.gather(-1, i), x0.gather(-1, j)
    up, down = torch.maximum(xi, x0j), torch.maximum(x0i, xj)
    at_i, at_j = (up - x0j + xi - down) / 2, (down - x0j + xi - up) / 2
    return _ratio(at_i, xi - x0i), _ratio(at_j, xj - x0j)


def _ratio(share: Tensor, change: Tensor) -> Tensor:
    return torch.where(change == 0, 0.5, share / change).clamp_(0, 1)


def _shared(value: Tensor, x: Tensor, x0: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """The maxima `value` of x (..., k) at places i (..., p), whose reference has them at j."""
    with torch.no_grad():
        flat = x.detach()
        to_i, to_j = _shares(flat, x0.expand_as(flat), i, j.expand_as(i))

    def vjp(g: Tensor) -> tuple[Tensor]:
        g = g.reshape(i.shape)
        back = torch.zeros_like(flat).scatter_add_(-1, i, g * to_i)
        return (back.scatter_add_(-1, j.expand_as(i), g * to_j),)

    return bend(value, vjp, x)


def pooling(axes: int, pool: Callable[..., Any]) -> Callable[[Call], Any]:
    """Max pooling over the last `axes`; `pool` also returns the places, counted over those axes."""

    def rule(call: Call) -> Any:
        assert call.before is not None
        kwargs = call.kwargs | {"return_indices": True}
        x, x0, rest = call.tensors[0], call.before[0], call.args[1:6]
        with torch.no_grad():
            value, i = pool(x, *rest, **kwargs)
            j = pool(x0, *rest, **kwargs)[1]
        out = _shared(value, x.flatten(-axes), x0.flatten(-axes), i.flatten(-axes), j.flatten(-axes))
        return (out, i) if call.name.endswith("with_indices") or call.kwargs.get("return_indices") else out

    return rule


def reduced(sign: int) -> Callable[[Call], Any]:
    """`max(x, dim)`, `amax(x, dims)` and, with sign -1, the minima."""

    def rule(call: Call) -> Any:
        assert call.before is not None
        dim = call.argument(1, "dim", ())
        if isinstance(dim, Tensor):
            return larger(sign)(call)
        dims = [dim] if isinstance(dim, int) else list(dim) or list(range(call.tensors[0].ndim))
        out = call.value()
        x, x0 = (_last(t, dims) * sign for t in (call.tensors[0], call.before[0]))
        i, j = x.detach().argmax(-1, keepdim=True), x0.argmax(-1, keepdim=True)
        value = out if isinstance(out, Tensor) else out[0]
        made = _shared(value * sign, x, x0, i, j) * sign
        return made if isinstance(out, Tensor) else type(out)((made, out[1]))

    return rule


def _last(x: Tensor, dims: list[int]) -> Tensor:
    """The axes `dims` brought to the end, as one."""
    axes = sorted(d % x.ndim for d in dims)
    return x.movedim(axes, tuple(range(-len(axes), 0))).flatten(-len(axes))


def larger(sign: int) -> Callable[[Call], Tensor]:
    """max(a, b) = a + relu(b - a): the slope of the rectifier goes to b, the rest to a; min(a, b) = -max(-a, -b)."""

    def rule(call: Call) -> Tensor:
        assert call.before is not None
        with torch.no_grad():
            gap, gap0 = (sign * (b - a) for a, b in (call.tensors, call.before))
            steep = torch.where(gap == gap0, gap > 0, (gap.relu() - gap0.relu()) / (gap - gap0))
        a, b = call.tensors
        factors = [1 - steep, steep]
        return call.bend(
            call.value(), lambda g: tuple((g * factors[i]).sum_to_size((a, b)[i].shape) for i in call.live)
        )

    return rule


def _always(call: Call) -> bool:
    return True


_POOLS = {
    **{f"max_pool{d}d{end}": (d, getattr(F, f"max_pool{d}d")) for d in (1, 2, 3) for end in ("", "_with_indices")},
    **{
        f"adaptive_max_pool{d}d{end}": (d, getattr(F, f"adaptive_max_pool{d}d"))
        for d in (1, 2, 3)
        for end in ("", "_with_indices")
    },
}

MAXIMA = {
    **{name: Rule(pooling(*how), _always) for name, how in _POOLS.items()},
    **{name: Rule(reduced(sign), _always) for name, sign in {"max": 1, "amax": 1, "min": -1, "amin": -1}.items()},
    **{
        name: Rule(larger(sign), _always) for name, sign in {"maximum": 1, "fmax": 1, "minimum": -1, "fmin": -1}.items()
    },
}
