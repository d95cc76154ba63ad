"""Slopes of elementwise functions between two points: change over change, the derivative where the change vanishes.

    s = (f(x) - f(x0)) / (x - x0)

The quotient loses digits as x nears x0. Where f is smooth, the derivative half way replaces it below eps^(1/3): there its
error, f''' d^2 / 24, is that of the quotient. Where f has kinks, only a change within rounding is replaced; where its pieces
are copies or constants (ReLU, clamp), the quotient is exact and nothing is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.models.rewire.functions import names

EXACT = names(
    """
    relu relu6 hardtanh clamp clamp_min clamp_max abs threshold sign sgn round floor ceil trunc heaviside
    """
)
KINKED = names(
    """
    leaky_relu prelu rrelu elu celu selu hardswish hardsigmoid hardshrink softshrink remainder fmod frac
    nan_to_num
    """
)
SMOOTH = names(
    """
    gelu silu mish softplus sigmoid log_sigmoid logit tanh tanhshrink exp exp2 expm1 log log2 log10 log1p sqrt
    rsqrt square pow float_power reciprocal sin cos tan asin acos atan sinh cosh asinh acosh atanh erf erfc
    erfinv sinc xlogy xlog1py deg2rad rad2deg lgamma digamma i0 ndtr log_ndtr
    """
)
SINGULAR = names(
    """
    log log2 log10 sqrt rsqrt pow float_power square reciprocal xlogy
    """
)  # steep near zero
ELEMENTWISE = EXACT | KINKED | SMOOTH


def slope(name: str, function: Callable[[Tensor], Tensor], x: Tensor, x0: Tensor, y: Tensor, y0: Tensor) -> Tensor:
    """x, x0, y, y0 (broadcast) -> the slope of `function` between x0 and x"""
    change = x - x0
    near = ~(change.abs() > _tolerance(name, x, x0))  # NaN (both infinite) counts as near
    quotient = (y - y0).div_(change)
    if not near.any():
        return quotient
    return torch.where(near, derivative(function, (x + x0) / 2), quotient)


def _tolerance(name: str, x: Tensor, x0: Tensor) -> Tensor | float:
    if name in EXACT:
        return 0.0
    eps = torch.finfo(x.dtype).eps
    size = torch.maximum(x.abs(), x0.abs())
    if name in KINKED:
        return size * (10 * eps)
    return (size if name in SINGULAR else size.clamp_(min=1)) * eps ** (1 / 3)


def derivative(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The derivative of an elementwise function."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        (made,) = torch.autograd.grad(function(at).sum(), at)
    return made
