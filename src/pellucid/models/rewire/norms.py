"""Layer, group, instance and RMS norm under a change of input, in closed form.

With u = x - mean(x) (RMS norm: u = x), s2 = mean(u^2) + eps and y = u / s. As every quotient (see `products`), with bars for
the mean of the two passes,

    y - y0 = ((u - u0) - bar(y) (s - s0)) / bar(s)        s - s0 = mean(bar(u) (u - u0)) / bar(s)

so a cotangent g becomes (g - bar(u) mean(g bar(y)) / bar(s)) / bar(s), less its mean. Nothing in it grows where one of the two
inputs hardly varies, as a reference of zeros does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.models.rewire.engine import Call, Rule

Group = Callable[[Tensor], Tensor]  # brings the axes that are normalised together to the end, as one


@dataclass(frozen=True, eq=False)
class Norm:
    """What a call normalises, and what it scales and shifts the result with (laid out like the value)."""

    group: Group
    weight: Tensor | None
    bias: Tensor | None
    eps: float
    centred: bool = True

    def deviation(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x -> grouped deviations u (..., k) and their standard deviation s (..., 1)"""
        grouped = self.group(x)
        u = grouped - grouped.mean(-1, keepdim=True) if self.centred else grouped
        return u, (u.square().mean(-1, keepdim=True) + self.eps).sqrt()

    def scaled(self, g: Tensor) -> Tensor:
        """A cotangent of the value as one of u / s."""
        return self.group(g if self.weight is None else g * self.weight)

    def of_input(self, g: Tensor, shape: torch.Size) -> Tensor:
        """A cotangent of u as one of the input."""
        return (g - g.mean(-1, keepdim=True) if self.centred else g).reshape(shape)


def norm_of(call: Call) -> Norm | None:
    """The norm that a call computes; None for an instance norm with running statistics, which is linear."""
    x = call.tensors[0]
    if call.name == "layer_norm":
        axes, weight, bias = (
            call.argument(i, name) for i, name in ((1, "normalized_shape"), (2, "weight"), (3, "bias"))
        )
        return Norm(_last_axes(axes), weight, bias, call.argument(4, "eps", 1e-5))
    if call.name == "rms_norm":
        eps = call.argument(3, "eps")
        eps = torch.finfo(x.dtype).eps if eps is None else eps
        return Norm(
            _last_axes(call.argument(1, "normalized_shape")), call.argument(2, "weight"), None, eps, centred=False
        )
    if call.name == "group_norm":
        weight, bias = (_per_channel(call.argument(i, name), x) for i, name in ((2, "weight"), (3, "bias")))
        return Norm(_channel_groups(call.argument(1, "num_groups")), weight, bias, call.argument(4, "eps", 1e-5))
    if not call.argument(5, "use_input_stats", True):
        return None
    weight, bias = (_per_channel(call.argument(i, name), x) for i, name in ((1, "weight"), (2, "bias")))
    return Norm(_channel_groups(x.shape[1]), weight, bias, call.argument(7, "eps", 1e-5))


def _last_axes(shape: Any) -> Group:
    axes = 1 if isinstance(shape, int) else len(shape)
    return lambda x: x.flatten(-axes)


def _channel_groups(groups: int) -> Group:
    """(n, c, *space) -> (n, groups, ...)"""
    return lambda x: x.reshape(len(x), groups, -1)


def _per_channel(weight: Tensor | None, x: Tensor) -> Tensor | None:
    """A weight (c,) laid out for x (n, c, *space)."""
    return None if weight is None else weight.reshape(-1, *[1] * (x.ndim - 2))


def normalised(call: Call) -> Tensor:
    """A norm's value, with the exact share of each input."""
    norm = norm_of(call)
    if norm is None:
        return call.plain()
    assert call.before is not None
    shape = call.tensors[0].shape
    with torch.no_grad():
        (u, s), (u0, s0) = norm.deviation(call.tensors[0]), norm.deviation(call.before[0])
        y_bar, u_bar, s_bar = (u / s + u0 / s0) / 2, (u + u0) / 2, (s + s0) / 2

    def vjp(g: Tensor) -> tuple[Tensor]:
        g = norm.scaled(g)
        return (norm.of_input((g - u_bar * (g * y_bar).mean(-1, keepdim=True) / s_bar) / s_bar, shape),)

    return call.bend(call.value(), vjp)


NORM_NAMES = ("layer_norm", "rms_norm", "group_norm", "instance_norm")
NORMS = dict.fromkeys(NORM_NAMES, Rule(normalised, lambda call: True))
