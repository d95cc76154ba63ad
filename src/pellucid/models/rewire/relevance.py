"""Linear layers under the relevance rules: from the cotangent of a layer's output to those of the sums that it is shared by.

Cotangents are in gradient units, g = R / value, so that relevance never has to be divided by an input that may be zero. A rule
shares R_j = g_j z_j in proportion to the summands of z_j, of z_j+ (positive contributions x_i w_ij and positive bias), of
z_j- or of |z|_j, their difference: it multiplies the gradients of such sums s by coefficients c for which

    sum_s c_sj s_j = R_j

z_j+ is a layer too, or two: x_i w_ij is positive where x_i > 0 meets w_ij+ and where x_i < 0 meets w_ij-. The first-layer
rules, which give relevance where x_i = 0, return relevance itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.models.rewire.linear import Layer, pair, part, per_axis
from pellucid.models.rewire.recipes import AlphaBeta, Epsilon, Flat, Gamma, LayerRule, WSquare, ZBox, ZPlus


@dataclass(frozen=True, eq=False)
class Shares:
    """The coefficients of z and of other sums, which come with their graphs; and the relevance that reaches no input."""

    whole: Tensor | None = None
    sums: tuple[tuple[Tensor, Tensor], ...] = ()  # (sum, its coefficient)
    kept: Tensor | None = None

    def of_input(self, x: Tensor) -> Tensor | None:
        """The cotangent of x through the sums other than z."""
        if not self.sums:
            return None
        sums, coefficients = zip(*self.sums, strict=True)
        return torch.autograd.grad(sums, x, coefficients)[0]


def shares(rule: LayerRule, layer: Layer, x: Tensor, z: Tensor, g: Tensor) -> Shares:
    """How a rule shares the relevance g z of z = layer(x); x is a leaf."""
    match rule:
        case Epsilon():
            return _epsilon(rule.epsilon, layer, z, g)
        case Gamma():
            return _gamma(rule.gamma, layer, x, z, g)
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


def _epsilon(epsilon: float, layer: Layer, z: Tensor, g: Tensor) -> Shares:
    """c = g z / (z + epsilon sign z); kept are g z - c (z - bias)."""
    bias = layer.laid_out(z.ndim)
    if not epsilon:
        return Shares(g, kept=None if bias is None else g * bias)
    size = z.abs()
    c = size.div_(size + epsilon).mul_(g)
    held = torch.sub(g, c).mul_(z)
    return Shares(c, kept=held if bias is None else held.addcmul_(c, bias))


def _gamma(gamma: float, layer: Layer, x: Tensor, z: Tensor, g: Tensor) -> Shares:
    """With sizes A_j = sum_i |z_ij| + |b_j| and k = gamma / (2 + gamma), z_ij + k |z_ij| sign z_j over z_j + k A_j sign z_j.

    That is the rule of both signs, since z+ = (z + A) / 2 and z- = (z - A) / 2.
    """
    positive = bool(x.detach().amin() >= 0)
    if positive and not (z.clamp(max=0) * g).count_nonzero():
        return _gamma_above(gamma, layer, x, z, g)
    k, size, bias = gamma / (2 + gamma), z.abs(), layer.laid_out(z.ndim)
    with torch.enable_grad():
        reach = x if positive else x.abs()
        sizes = layer.run(reach, layer.weight.abs(), None if layer.bias is None else layer.bias.abs())
    c = _fraction(size, torch.add(size, sizes.detach(), alpha=k)).mul_(g)
    at_sizes = z.sign().mul_(c).mul_(k)
    kept = None if bias is None else (c * bias).addcmul_(at_sizes, bias.abs())
    return Shares(c, ((sizes, at_sizes),), kept)


def _gamma_above(gamma: float, layer: Layer, x: Tensor, z: Tensor, g: Tensor) -> Shares:
    """No input is negative and relevance only at z > 0, as between ReLUs: z + gamma z+ is one layer (here over 1 + gamma)."""
    weak = 1 / (1 + gamma)
    bias = None if layer.bias is None else F.leaky_relu(layer.bias, weak)
    with torch.enable_grad():
        total = layer.run(x, F.leaky_relu(layer.weight, weak), bias)
    c = _fraction(z.relu(), total.detach()).mul_(g)
    laid = replace(layer, bias=bias).laid_out(z.ndim)
    return Shares(None, ((total, c),), None if laid is None else c * laid)


def _fraction(z: Tensor, total: Tensor) -> Tensor:
    """z / total, written over z, for 0 <= z <= total but for rounding; 0 where z is"""
    return z.div_(torch.maximum(z, total).clamp_(min=torch.finfo(z.dtype).tiny))


def _alpha_beta(alpha: float, beta: float, layer: Layer, x: Tensor, relevance: Tensor) -> Shares:
    """c+ = alpha R / z+ and c- = -beta R / z-; kept are R - c+ (z+ - bias+) - c- (z- - bias-)."""
    sums, kept = [], relevance
    for sign, factor in ((1, alpha), (-1, -beta)):
        if factor:
            total, bias = _one_sign(layer, x, sign), layer.laid_out(relevance.ndim, sign)
            c = factor * _ratio(relevance, total.detach())
            kept = kept - c * (total.detach() if bias is None else total.detach() - bias)
            sums.append((total, c))
    return Shares(sums=tuple(sums), kept=kept)


def _ratio(relevance: Tensor, total: Tensor) -> Tensor:
    """relevance / total, nothing where there is nothing to share it"""
    return torch.where(total == 0, 0, relevance / total)


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
