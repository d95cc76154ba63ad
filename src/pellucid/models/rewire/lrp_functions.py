"""How relevance passes through functions that are not linear layers, and what constants keep of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pellucid.models.rewire.conditional import CONDITIONAL
from pellucid.models.rewire.engine import Call, Rule
from pellucid.models.rewire.functions import lives, names
from pellucid.models.rewire.ledger import Ledger
from pellucid.models.rewire.maxima import MAXIMA
from pellucid.models.rewire.norms import NORM_NAMES, norm_of
from pellucid.models.rewire.parts import STATISTICS
from pellucid.models.rewire.slopes import ELEMENTWISE, derivative

OWN_GRADIENT = frozenset(MAXIMA) | names("relu leaky_relu prelu rrelu abs hardshrink")  # value = slope * input

_STABILISER = 1e-9  # of activations that are not zero at zero
_SPATIAL = names("batch_norm group_norm instance_norm")  # rows first, by definition
_GATES = names("sigmoid hardsigmoid softmax")
_AFFINE = names(
    """
    add sub rsub cat concat concatenate stack hstack vstack dstack column_stack where masked_fill setitem
    index_put index_fill index_copy index_add scatter scatter_add masked_scatter pad constant_pad_nd
    select_scatter slice_scatter fill copy
    """
)
_SEEN_THROUGH = names(  # nodes that only show a gate in another shape, or with parts hidden
    """
    View UnsafeView Unsqueeze Squeeze Expand Transpose T Permute Slice Select Split Unbind Clone Alias ToCopy
    AsStrided MaskedFill torch::autograd::Copy
    """
)


def ledger(call: Call) -> Ledger:
    assert call.mode.ledger is not None
    return call.mode.ledger


def affine(call: Call) -> Any:
    """A linear function's own gradient; what its constants absorb is counted."""
    out = call.plain()
    if call.name in ("add", "sub") and len(call.live) > 1:
        return out  # no constant
    if isinstance(out, Tensor) and lives(out):
        constant = call.run([torch.zeros_like(t) if lives(t) else t for t in call.tensors])
        _count(call, out, constant)
    return out


def _count(call: Call, out: Tensor, constant: Tensor) -> None:
    """Enter into the ledger what a constant summand of `out` absorbs."""
    if bool((constant != 0).any()):
        book, kept = ledger(call), constant.detach().clone()
        axis = book.axis(out.shape, spatial=call.name in _SPATIAL)
        out.register_hook(lambda g: book.add(torch.where(g == 0, 0, g * kept), axis))


def is_gate(tensor: Tensor) -> bool:
    """Whether a tensor is the output of a gate, perhaps looked at in another shape."""
    node = tensor.grad_fn
    while node is not None and not hasattr(node, "gate"):
        above = [one for one, _ in node.next_functions if one is not None]
        node = above[-1] if node.name().partition("Backward")[0] in _SEEN_THROUGH and above else None
    return node is not None and node.gate


def _activation(call: Call) -> Tensor:
    """Relevance unchanged: output over input, the derivative where the input vanishes."""
    if len(call.live) > 1 or call.name not in ELEMENTWISE:
        return call.mode.own(call)
    (i,) = call.live
    with torch.no_grad():
        x, y = call.tensors[i].detach(), call.plain()
        zero = x.new_zeros([1] * x.ndim)
        if bool(call.with_one(i)(zero).any()):
            ratio = y * x.sign() / (x.abs() + _STABILISER)
        else:
            ratio = torch.where(x == 0, derivative(call.with_one(i), zero), y / x)
    return call.bend(y, lambda g: (g * ratio,), gate=call.name in _GATES)


def _softmax(call: Call) -> Tensor:
    """Its own gradient."""
    y, dim = call.value(), call.argument(1, "dim")
    kept = call.mode.keeper.keep(y)

    def vjp(g: Tensor) -> tuple[Tensor]:
        share = kept.get()
        return (share * (g - (g * share).sum(dim, keepdim=True)),)

    return call.bend(y, vjp, gate=True)


def _log_softmax(call: Call) -> Tensor:
    """The normaliser is a constant: relevance goes to the score itself."""
    y = call.value()
    out = call.bend(y, lambda g: (g,))
    _count(call, out, y - call.tensors[0].detach())
    return out


def _constant(call: Call) -> Any:
    """A scale, through which no relevance flows; the mean that comes with it is linear."""
    out = call.plain()
    return out.detach() if isinstance(out, Tensor) else (out[0].detach(), *out[1:])


def _divided(call: Call) -> Any:
    """The divisor is a constant, unless nothing else is live."""
    other = call.argument(1, "other")
    if not (isinstance(other, Tensor) and lives(other)):
        return call.plain()
    if len(call.live) > 1:
        return call.args[0] / other.detach()
    y, x = call.value(), other.detach()
    return call.bend(y, lambda g: ((g * y / x).sum_to_size(x.shape),))


def _larger(call: Call) -> Any:
    """The larger of two: all to the winner; against a constant, relevance unchanged."""
    if len(call.live) > 1 or len(call.tensors) < 2:
        return call.plain()
    x, y = call.tensors[call.live[0]].detach(), call.value()
    ratio = torch.where(x == 0, 0, y / x)
    return call.bend(y, lambda g: ((g * ratio).sum_to_size(x.shape),))


def _norm(call: Call) -> Any:
    """The standard deviation is a constant: centring and scaling are linear, the shift absorbs."""
    norm = norm_of(call)
    if norm is None:
        return affine(call)
    x = call.tensors[0].detach()
    with torch.no_grad():
        s = norm.deviation(x)[1]
    out = call.bend(call.value(), lambda g: (norm.of_input(norm.scaled(g) / s, x.shape),))
    if norm.bias is not None:
        _count(call, out, norm.bias.expand(out.shape))
    return out


RULES: dict[str, Rule] = {
    **dict.fromkeys(_AFFINE, Rule(affine)),
    **dict.fromkeys(ELEMENTWISE - OWN_GRADIENT, Rule(_activation)),
    **dict.fromkeys(NORM_NAMES, Rule(_norm)),
    **dict.fromkeys([*STATISTICS, "rsqrt"], Rule(_constant)),
    **dict.fromkeys(["maximum", "minimum", "fmax", "fmin"], Rule(_larger)),
    **CONDITIONAL,
    "div": Rule(_divided),
    "softmax": Rule(_softmax),
    "log_softmax": Rule(_log_softmax),
}
