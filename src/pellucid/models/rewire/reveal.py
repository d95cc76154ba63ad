"""DeepLIFT's reveal-cancel rule: positive and negative contributions to a unit are passed on separately.

Shrikumar et al. 2017, section 3.5.2. A unit y = f(z), z = sum_i w_i x_i + b, changes by p + n, the sums of the positive and of
the negative contributions w_i (x_i - x0_i). Each side gets its share averaged over the two orders in which they could arrive:

    y+ = (f(z0 + p) - f(z0) + f(z0 + p + n) - f(z0 + n)) / 2        y- = (f(z0 + n) - f(z0) + f(z0 + p + n) - f(z0 + p)) / 2

and multipliers y+ / p and y- / n. Where rescale sees that nothing changed because two inputs cancelled, this sees both: the
minimum of two numbers, i1 - ReLU(i1 - i2), is shared by both of them. As in the authors' own code, the sides are
told apart by each input's whole change. It applies where a nonlinearity reads a linear layer, with batch norm in between
folded in; everywhere else the rescale rule does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.models.rewire import conditional, deeplift
from pellucid.models.rewire.engine import Call, Rule, Table, bend
from pellucid.models.rewire.functions import LINEAR
from pellucid.models.rewire.linear import LAYERS, Layer, folded, layer_of, pair
from pellucid.models.rewire.slopes import ELEMENTWISE, slope


def _remembering(rule: Rule) -> Rule:
    """A linear function whose output remembers the layer that made it, with the layer's input in both passes."""

    def apply(call: Call) -> Any:
        out = rule.apply(call)
        layer = layer_of(call)
        if layer is not None:
            call.mode.marks.put(out, layer)
        return out

    return Rule(apply, lambda call: True)


def _batch_norm(call: Call) -> Tensor:
    out = conditional.batch_norm(call)
    layer = folded(call, call.mode.marks.get(call.args[0]))
    if layer is not None:
        call.mode.marks.put(out, layer)
    return out


def _reveal_cancel(call: Call) -> Tensor:
    layer = call.mode.marks.get(call.tensors[call.live[0]])
    value = call.value()
    if layer is None or len(call.live) > 1 or not layer.still() or value.shape != call.tensors[call.live[0]].shape:
        return deeplift.RULES[call.name].apply(call)
    (i,) = call.live
    assert call.before is not None
    with torch.no_grad():
        up, down = _sides(call, i, call.before[i], layer)
    change = layer.x.detach() - layer.x0

    def vjp(g: Tensor) -> tuple[Tensor]:
        more, less = pair(layer.weight)
        rising = layer.back(more, g * up) + layer.back(less, g * down)
        falling = layer.back(less, g * up) + layer.back(more, g * down)
        return (torch.where(change > 0, rising, torch.where(change < 0, falling, (rising + falling) / 2)),)

    return bend(value, vjp, layer.x)


def _sides(call: Call, i: int, z0: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """The multipliers of positive and of negative contributions to the call's input."""
    assert layer.x0 is not None
    rising, falling = pair(layer.x - layer.x0)
    more, less = pair(layer.weight)
    p = layer.run(rising, more, None) + layer.run(falling, less, None)
    n = layer.run(rising, less, None) + layer.run(falling, more, None)
    function = call.with_one(i)
    z0 = z0.expand_as(p)
    f0, fp, fn, f = (function(z) for z in (z0, z0 + p, z0 + n, z0 + p + n))

    def steep(z: Tensor, y: Tensor, z_then: Tensor, y_then: Tensor) -> Tensor:
        return slope(call.name, function, z, z_then, y, y_then)

    up = steep(z0 + p, fp, z0, f0) + steep(z0 + p + n, f, z0 + n, fn)
    down = steep(z0 + n, fn, z0, f0) + steep(z0 + p + n, f, z0 + p, fp)
    return up / 2, down / 2


_RULES = deeplift.RULES | {
    **{name: _remembering(deeplift.RULES[name]) for name in LAYERS},
    **{name: Rule(_reveal_cancel, lambda call: True) for name in ELEMENTWISE},
    "batch_norm": replace(deeplift.RULES["batch_norm"], apply=_batch_norm),
}


def table(unruled: str = "error") -> Table:
    """DeepLIFT with the reveal-cancel rule."""
    return Table(_RULES, LINEAR, deeplift.PARTS | deeplift.STATISTICS, unruled=unruled)
