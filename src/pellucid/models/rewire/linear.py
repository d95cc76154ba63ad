"""Linear layers as rules see them: an input, a weight, a bias, and batch norm folded into the layer before it.

Rules that treat positive and negative weights differently must see the layer that the next nonlinearity reads. In evaluation
mode batch norm is a scale and a shift per channel, so conv -> batch norm is one layer with weight w * scale; otherwise a
negative scale would exchange the roles of positive and negative contributions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from pellucid.models.rewire.engine import Call
from pellucid.models.rewire.functions import lives

CONVOLUTIONS = frozenset(f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3))
LINEAR_LAYERS = CONVOLUTIONS | {"linear"}
LAYERS = LINEAR_LAYERS | {"addmm", "matmul", "mm"}
Run = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, eq=False)
class Layer:
    """z = run(x, weight, bias), linear in x and in the weight; `x` is live, the rest is not."""

    name: str
    x: Tensor
    kernel: Tensor
    bias: Tensor | None
    run: Run
    x0: Tensor | None = None  # x in the reference pass
    version: int = 0  # of x, when the layer read it
    scale: Tensor | None = None  # of a batch norm behind it, laid out along the kernel

    @cached_property
    def weight(self) -> Tensor:
        """The kernel, scaled; not every rule needs it, and it may be as large as the network's parameters."""
        return self.kernel if self.scale is None else self.kernel * self.scale

    def still(self) -> bool:
        """Whether x is still what the layer read."""
        return self.x._version == self.version

    def laid_out(self, ndim: int, sign: int = 0) -> Tensor | None:
        """The bias along its axis of z, which has `ndim` axes; with a sign, its part of that sign."""
        if self.bias is None:
            return None
        bias = part(self.bias, sign) if sign else self.bias
        return per_axis(bias, ndim, 1 if self.name in CONVOLUTIONS else -1) if bias.ndim == 1 else bias

    def back(self, weight: Tensor, cotangent: Tensor) -> Tensor:
        """The cotangent of x for a layer with this weight, in the place of its own."""
        with torch.enable_grad():
            x = torch.zeros_like(self.x).requires_grad_()
            (made,) = torch.autograd.grad(self.run(x, weight, None), x, cotangent)
        return made


def layer_of(call: Call) -> Layer | None:
    """A call as a layer; None where its weight is live or computed, or where only its weight is live."""
    parts = _parts(call)
    if parts is None:
        return None
    i, x, weight, bias, run = parts
    if not lives(x) or lives(weight) or (bias is not None and lives(bias)):
        return None
    return Layer(call.name, x, weight, bias, run, None if call.before is None else call.before[i], x._version)


def _parts(call: Call) -> tuple[int, Tensor, Tensor, Tensor | None, Run] | None:
    """(which tensor is the input, input, weight, bias, how to run them)"""
    function, args = call.function, call.args
    if call.name in LINEAR_LAYERS:
        x, weight, bias = (call.argument(i, name) for i, name in enumerate(("input", "weight", "bias")))
        rest = {name: value for name, value in call.kwargs.items() if name not in ("input", "weight", "bias")}
        return 0, x, weight, bias, lambda x, w, b: function(x, w, b, *args[3:], **rest)
    if call.name == "addmm" and len(args) == 3 and not call.kwargs:
        return 1, args[1], args[2], args[0], lambda x, w, b: x @ w if b is None else x @ w + b
    if call.name in ("matmul", "mm") and isinstance(args[1], nn.Parameter):
        return 0, args[0], args[1], None, lambda x, w, b: function(x, w)
    if call.name in ("matmul", "mm") and isinstance(args[0], nn.Parameter):
        return 1, args[1], args[0], None, lambda x, w, b: function(w, x)
    return None


def per_axis(values: Tensor, ndim: int, axis: int) -> Tensor:
    """values (c,) laid out along one axis of a tensor with `ndim` axes."""
    shape = [1] * ndim
    shape[axis] = -1
    return values.reshape(shape)


def folded(call: Call, layer: Layer | None) -> Layer | None:
    """The layer before a batch norm and the norm, as one; None where they do not fold."""
    z, weight, bias, mean, var, training = call.args[:6]
    if layer is None or training or not layer.still() or (layer.name == "linear" and z.ndim != 2):
        return None
    if layer.name.startswith("conv_transpose") and layer.kernel.shape[1] != z.shape[1]:
        return None  # grouped: the channels of the output are spread over two axes of the weight
    eps = call.argument(7, "eps", 1e-5)
    scale = torch.rsqrt(var + eps) if weight is None else weight * torch.rsqrt(var + eps)
    shift = (0 if bias is None else bias) - (mean if layer.bias is None else mean - layer.bias) * scale
    out = 1 if layer.name.startswith("conv_transpose") else 0
    laid = per_axis(scale, layer.kernel.ndim, out)
    return replace(layer, bias=shift, scale=laid if layer.scale is None else layer.scale * laid)


def part(values: Tensor, sign: int) -> Tensor:
    """The positive (1) or the negative (-1) part."""
    return values.clamp(min=0) if sign > 0 else values.clamp(max=0)


def pair(values: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative part."""
    return part(values, 1), part(values, -1)
