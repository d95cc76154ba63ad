"""Layer, group, instance and RMS norm under a change of input, in closed form.

With u = x - mean(x) (RMS norm: u = x), s2 = mean(u^2) + eps and y = u / s, both factors of the product change. With bars for
the mean of the two passes,

    y - y0   = bar(1/s) (u - u0) + bar(u) (1/s - 1/s0)
    1/s - 1/s0 = -(s2 - s2_0) / (s s0 (s + s0))         s2 - s2_0 = 2 mean(bar(u) (u - u0))

so a cotangent g becomes bar(1/s) g - bar(u) * 2 mean(bar(u) g) / (s s0 (s + s0)), less its mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pellucid.models.rewire.engine import Call, Rule

Group = Callable[[Tensor], Tensor]  # brings the axes that are normalised together to the end, as one


def normalised(call: Call, group: Group, weight: Tensor | None, eps: float, centred: bool) -> Tensor:
    """A norm's value, with the exact share of each input; the weight is laid out like the value's last or channel axes."""
    assert call.before is not None
    shape = call.tensors[0].shape
    with torch.no_grad():
        u, s = _deviation(group(call.tensors[0]), eps, centred)
        u0, s0 = _deviation(group(call.before[0]), eps, centred)
        middle, inverse = (u + u0) / 2, (1 / s + 1 / s0) / 2
        pull = 2 / u.shape[-1] / (s * s0 * (s + s0))

    def vjp(g: Tensor) -> tuple[Tensor]:
        g = group(g if weight is None else g * weight)
        g = inverse * g - middle * (pull * (g * middle).sum(-1, keepdim=True))
        return ((g - g.mean(-1, keepdim=True) if centred else g).reshape(shape),)

    return call.bend(call.value(), vjp)


def _deviation(x: Tensor, eps: float, centred: bool) -> tuple[Tensor, Tensor]:
    """x (..., k) -> u (..., k) and its standard deviation s (..., 1)"""
    u = x - x.mean(-1, keepdim=True) if centred else x
    return u, (u.square().mean(-1, keepdim=True) + eps).sqrt()


def last_axes(shape: Any) -> Group:
    """The axes of layer norm and RMS norm."""
    axes = 1 if isinstance(shape, int) else len(shape)
    return lambda x: x.flatten(-axes)


def channel_groups(groups: int) -> Group:
    """(n, c, *space) -> (n, groups, ...)"""
    return lambda x: x.reshape(len(x), groups, -1)


def per_channel(weight: Tensor | None, x: Tensor) -> Tensor | None:
    """A weight (c,) laid out for x (n, c, *space)."""
    return None if weight is None else weight.reshape(-1, *[1] * (x.ndim - 2))


def layer_norm(call: Call) -> Tensor:
    weight, eps = call.argument(2, "weight"), call.argument(4, "eps", 1e-5)
    return normalised(call, last_axes(call.argument(1, "normalized_shape")), weight, eps, centred=True)


def rms_norm(call: Call) -> Tensor:
    weight, eps = call.argument(2, "weight"), call.argument(3, "eps")
    eps = torch.finfo(call.tensors[0].dtype).eps if eps is None else eps
    return normalised(call, last_axes(call.argument(1, "normalized_shape")), weight, eps, centred=False)


def group_norm(call: Call) -> Tensor:
    groups, eps = call.argument(1, "num_groups"), call.argument(4, "eps", 1e-5)
    weight = per_channel(call.argument(2, "weight"), call.tensors[0])
    return normalised(call, channel_groups(groups), weight, eps, centred=True)


def instance_norm(call: Call) -> Tensor:
    """Linear with running statistics, one group per channel without."""
    x, own = call.tensors[0], call.argument(5, "use_input_stats", True)
    if not own:
        return call.plain()
    weight = per_channel(call.argument(1, "weight"), x)
    return normalised(call, channel_groups(x.shape[1]), weight, call.argument(7, "eps", 1e-5), centred=True)


NORMS = {
    name: Rule(rule, lambda call: True)
    for name, rule in {
        "layer_norm": layer_norm,
        "rms_norm": rms_norm,
        "group_norm": group_norm,
        "instance_norm": instance_norm,
    }.items()
}
