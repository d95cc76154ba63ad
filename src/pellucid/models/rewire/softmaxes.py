"""Softmax and its kin under a change of input.

For y = softmax(x), log y - log y0 = (x - x0) - c with one number c for all entries. With the logarithmic mean

    L = (y - y0) / (log y - log y0)          y - y0 = L ((x - x0) - c)          c = sum(L (x - x0)) / sum(L)

since both y sum to 1. So a cotangent g becomes L (g - sum(g L) / sum(L)), exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.models.rewire.engine import Call, Rule


def softmax(call: Call) -> Tensor:
    """L (g - sum(g L) / sum(L))"""
    y, mean, dim = _logmean(call, log=False)
    total = mean.sum(dim, keepdim=True)

    def vjp(g: Tensor) -> tuple[Tensor]:
        return (mean * (g - (g * mean).sum(dim, keepdim=True) / total),)

    return call.bend(y, vjp)


def log_softmax(call: Call) -> Tensor:
    """x less its log-sum-exp, whose slopes are L / sum(L)."""
    y, mean, dim = _logmean(call, log=True)
    share = mean / mean.sum(dim, keepdim=True)
    return call.bend(y, lambda g: (g - share * g.sum(dim, keepdim=True),))


def logsumexp(call: Call) -> Tensor:
    """Slopes L / sum(L) of the softmax that belongs to it."""
    assert call.before is not None
    dim, y = call.argument(1, "dim"), call.value()
    x, x0 = call.tensors[0].detach(), call.before[0]
    total, total0 = (torch.logsumexp(t, dim, keepdim=True) for t in (x, x0))
    mean = _mean_of_softmax(x - total, x0 - total0)
    share = mean / mean.sum(dim, keepdim=True)
    return call.bend(y, lambda g: (share * g.reshape(total.shape),))


def _logmean(call: Call, log: bool) -> tuple[Tensor, Tensor, int]:
    """A softmax call's value, the logarithmic mean of both passes' softmax, and its axis."""
    assert call.before is not None
    dim = call.argument(1, "dim")
    with torch.no_grad():
        y = call.plain()
        now = y if log else torch.log_softmax(call.tensors[0], dim, dtype=y.dtype)
        then = torch.log_softmax(call.before[0], dim, dtype=y.dtype)
    return y, _mean_of_softmax(now, then), dim


def _mean_of_softmax(log_y: Tensor, log_y0: Tensor) -> Tensor:
    """(y - y0) / (log y - log y0), from the logarithms: max(y, y0) (1 - exp(-d)) / d with d = |log y - log y0|"""
    apart = (log_y - log_y0).abs()
    ratio = torch.where(apart == 0, 1, -torch.expm1(-apart) / apart)
    return (torch.maximum(log_y, log_y0).exp() * ratio).nan_to_num_(0)  # both hidden by a mask: no share


SOFTMAXES = {
    name: Rule(rule, lambda call: True)
    for name, rule in {"softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp}.items()
}
