"""Linear layers under the relevance rules: from the cotangent of a layer's output to those of the sums that it is shared by.

Cotangents are in gradient units, g = R / value, so that relevance never has to be divided by an input that may be zero. A rule
shares R_j = g_j z_j in proportion to the summands of z_j, of z_j+ (positive contributions x_i w_ij and positive bias) or of
z_j-: it multiplies their gradients by coefficients a, c+, c- for which

    a z_j + c+ z_j+ + c- z_j- = R_j

z_j+ is a layer too, or two: x_i w_ij is positive where x_i > 0 meets w_ij+ and where x_i < 0 meets w_ij-. The first-layer
rules, which give relevance where x_i = 0, return relevance itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.models.rewire.linear import Layer, pair, part, per_axis
from pellucid.models.rewire.recipes import AlphaBeta, Epsilon, Flat, Gamma, LayerRule, WSquare, ZBox, ZPlus


@dataclass(frozen=True, eq=False)
class Shares:
    """The coefficients of z, z+ and z-, and z+ and z- with their graphs; None where a rule does not use one."""

    whole: Tensor | None = None
    more: Tensor | None = None
    less: Tensor | None = None
    z_more: Tensor | None = None
    z_less: Tensor | None = None

    def of_input(self, x: Tensor) -> Tensor | None:
        """The cotangent of x through z+ and z-."""
        pairs = [(z, c) for z, c in ((self.z_more, self.more), (self.z_less, self.less)) if z is not None]
        if not pairs:
            return None
        return torch.autograd.grad([z for z, _ in pairs], x, [c for _, c in pairs])[0]

    def kept(self, layer: Layer, g: Tensor, z: Tensor) -> Tensor | None:
        """What of the relevance g z does not reach the input: the share of the bias, and what a stabiliser holds back."""
        ndim = z.ndim
        if self.more is None and self.less is None:
            assert self.whole is not None
            return _kept_whole(self.whole, g, z, layer.laid_out(ndim))
        relevance = g * z
        for c, total, bias in (
            (self.whole, z, layer.laid_out(ndim)),
            (self.more, self.z_more, layer.laid_out(ndim, 1)),
            (self.less, self.z_less, layer.laid_out(ndim, -1)),
        ):
            if c is not None and total is not None:
                relevance = relevance - c * (total.detach() if bias is None else total.detach() - bias)
        return relevance


def _kept_whole(c: Tensor, g: Tensor, z: Tensor, bias: Tensor | None) -> Tensor | None:
    """g z - c (z - bias) of a rule that shares z alone; None where nothing is kept"""
    if c is g:
        return None if bias is None else c * bias
    held = torch.sub(g, c).mul_(z)
    return held if bias is None else held.addcmul_(c, bias)


def shares(rule: LayerRule, layer: Layer, x: Tensor, z: Tensor, g: Tensor) -> Shares:
    """How a rule shares the relevance g z of z = layer(x); x is a leaf."""
    match rule:
        case Epsilon():
            return Shares(whole=_let_through(g, z, rule.epsilon))
        case Gamma():
            return _gamma(rule.gamma, layer, x, z, g * z)
        case ZPlus():
            return _alpha_beta(1, 0, layer, x, g * z)
        case AlphaBeta():
            return _alpha_beta(rule.alpha, rule.beta, layer, x, g * z)
    raise TypeError(f"{rule!r} has no implementation")


def spread(rule: LayerRule, layer: Layer, x: Tensor, present: Tensor, relevance: Tensor) -> Tensor:
    """First-layer rules: the relevance of z -> that of x, none where `present` is 0 (cells added by padding)."""
    match rule:
        case WSquare():
            return _evenly(layer, present, layer.weight.square(), relevance)
        case Flat():
            return _evenly(layer, present, torch.ones_like(layer.weight), relevance)
        case ZBox():
            return _box(rule, layer, x, present, relevance)
    raise TypeError(f"{rule!r} has no implementation")


def _let_through(g: Tensor, z: Tensor, epsilon: float) -> Tensor:
    """g z / (z + epsilon sign z)"""
    if not epsilon:
        return g
    size = z.abs()
    return size.div_(size + epsilon).mul_(g)


def _ratio(relevance: Tensor, total: Tensor) -> Tensor:
    """relevance / total, nothing where there is nothing to share it"""
    return torch.where(total == 0, 0, relevance / total)


def _gamma(gamma: float, layer: Layer, x: Tensor, z: Tensor, relevance: Tensor) -> Shares:
    """Where z > 0 by z + gamma z+, elsewhere by z + gamma z-, which is (1 + gamma) z - gamma z+."""
    z_more = _one_sign(layer, x, 1)
    above = z > 0
    stretched = gamma * z_more.detach()
    c = _ratio(relevance, torch.where(above, z + stretched, (1 + gamma) * z - stretched))
    return Shares(
        whole=torch.where(above, c, (1 + gamma) * c), more=torch.where(above, gamma * c, -gamma * c), z_more=z_more
    )


def _alpha_beta(alpha: float, beta: float, layer: Layer, x: Tensor, relevance: Tensor) -> Shares:
    z_more, z_less = _one_sign(layer, x, 1), _one_sign(layer, x, -1) if beta else None
    more = alpha * _ratio(relevance, z_more.detach())
    less = None if z_less is None else -beta * _ratio(relevance, z_less.detach())
    return Shares(more=more, less=less, z_more=z_more, z_less=z_less)


def _one_sign(layer: Layer, x: Tensor, sign: int) -> Tensor:
    """z+ or z- with its graph: the sum of contributions of one sign, the bias among them"""
    same, bias = part(layer.weight, sign), None if layer.bias is None else part(layer.bias, sign)
    with torch.enable_grad():
        if x.detach().amin() >= 0:
            return layer.run(x, same, bias)
        rising = F.relu(x)
        return layer.run(rising, same, bias) + layer.run(x - rising, part(layer.weight, -sign), None)


def _evenly(layer: Layer, present: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
    """Relevance in proportion to `weight`, whatever the input."""
    total = layer.run(present, weight, None)
    return present * layer.back(weight, _ratio(relevance, total))


def _box(rule: ZBox, layer: Layer, x: Tensor, present: Tensor, relevance: Tensor) -> Tensor:
    low, high = (_bound(value, x, layer) * present for value in (rule.low, rule.high))
    more, less = pair(layer.weight)
    total = layer.run(x, layer.weight, None) - layer.run(low, more, None) - layer.run(high, less, None)
    c = _ratio(relevance, total)
    return x * layer.back(layer.weight, c) - low * layer.back(more, c) - high * layer.back(less, c)


def _bound(value: float | tuple[float, ...], x: Tensor, layer: Layer) -> Tensor:
    """A bound on inputs; several numbers lie along the channels."""
    made = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    return per_axis(made, x.ndim, 1 if layer.name.startswith("conv") else -1) if made.ndim else made
