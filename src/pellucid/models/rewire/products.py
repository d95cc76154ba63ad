"""Products and quotients under a change of input.

A product of k factors that all change is shared by the gradient averaged along the diagonal from the reference: for a function
that is linear in each factor this is Shapley's share of each, and ceil(k / 2) Gauss-Legendre points give it exactly (k = 2: the
gradient at the midpoint). A quotient y = a / b is read as a = y b. With bars for the mean of the two passes,

    a - a0 = bar(y) (b - b0) + bar(b) (y - y0)          y - y0 = ((a - a0) - bar(y) (b - b0)) / bar(b)

which is as complete, and stays small where one of the divisors nearly vanishes: a norm divides by almost nothing at a reference
of zeros, and Shapley's share would then be a difference of huge numbers. x * rsqrt(v) is such a quotient, too. Where divisors
change sign, the quotient is shared like the product of a and 1 / b.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pellucid.models.rewire.elementwise import rescale
from pellucid.models.rewire.engine import Call, Rule
from pellucid.models.rewire.functions import MULTILINEAR, names
from pellucid.models.rewire.paths import along_path

_BY_PATH = names("prod cumprod logcumsumexp logaddexp logaddexp2 hypot atan2 linalg_det")
_INVERSE = object()  # marks what is one over something


def changing(call: Call) -> list[int]:
    """The positions of tensors that differ between the passes: the live ones, and constants that were computed anew."""
    assert call.before is not None
    live = set(call.live)
    pairs = enumerate(zip(call.tensors, call.before, strict=True))
    return [i for i, (now, then) in pairs if i in live or differ(now, then)]


def differ(now: Tensor, then: Tensor) -> bool:
    """Whether a constant is not what it was."""
    same = now.data_ptr() == then.data_ptr() and now.shape == then.shape
    return not same and bool((now != then).any())


def multilinear(call: Call) -> Tensor:
    """k factors that change together: exact with ceil(k / 2) points of Gauss-Legendre on the diagonal."""
    moving = [] if call.before is None else changing(call)
    if len(moving) < 2:
        return _scale_of(call)
    if call.name == "mul" and len(call.live) == 2:
        inverse = [i for i in call.live if call.mode.marks.get(call.tensors[i]) is _INVERSE]
        if inverse:
            return _scaled(call, inverse[0])
    if call.name == "mul" and len(call.live) == 1 and call.value().shape == call.tensors[call.live[0]].shape:
        return _switched(call)
    return along_path(call, math.ceil(len(moving) / 2))


def _switched(call: Call) -> Tensor:
    """A live tensor times a mask that was made from values: x * (x > 0) is a rectifier, and gets a rectifier's slope."""
    (i,) = call.live
    assert call.before is not None
    with torch.no_grad():
        y = call.plain()
        change = call.tensors[i] - call.before[i]
        steep = torch.where(change == 0, 0, (y - call.run(call.before)) / change)
    return call.bend(y, lambda g: (g * steep,))


def _scale_of(call: Call) -> Tensor:
    """Linear in the one factor that changes; a number times an inverse is an inverse (1 / b is written so)."""
    out = call.plain()
    if len(call.tensors) == 1 and call.mode.marks.get(call.tensors[0]) is _INVERSE:
        call.mode.marks.put(out, _INVERSE)
    return out


def _scaled(call: Call, i: int) -> Tensor:
    """u v where v = 1 / s was made as an inverse (the i-th factor): the quotient u / s, in terms of v."""
    assert call.before is not None
    v, v0 = call.tensors[i].detach(), call.before[i]
    if not bool((v * v0 > 0).all()):
        return along_path(call, 1)
    with torch.no_grad():
        y, y0 = call.plain(), call.run(call.before)
        factors = {i: (y + y0) / (v + v0), 1 - i: 2 * v * v0 / (v + v0)}
    return _weighted(call, y, factors)


def _weighted(call: Call, y: Tensor, factors: dict[int, Tensor]) -> Tensor:
    """A call's value whose cotangent is multiplied by a factor for each live tensor."""
    shapes, live = [t.shape for t in call.tensors], call.live
    return call.bend(y, lambda g: tuple((g * factors[i]).sum_to_size(shapes[i]) for i in live))


def invert(call: Call) -> Tensor:
    """One over something, alone: rescaled, and remembered."""
    out = rescale(call)
    call.mode.marks.put(out, _INVERSE)
    return out


def divide(call: Call) -> Tensor:
    """a / b, read as a = y b."""
    if call.argument(2, "rounding_mode") is not None:
        return rescale(call)
    if call.before is None or changing(call) == [0]:
        return call.plain()
    a, b = call.argument(0, "input"), call.argument(1, "other")
    a0, b0 = call.before if isinstance(a, Tensor) else (a, call.before[0])
    with torch.no_grad():
        y, y0 = call.plain(), call.run(call.before)
        same = b * b0 > 0
        middle, one, other = torch.where(same, (b + b0) / 2, 1), 1 / b, 1 / b0
        up = torch.where(same, 1 / middle, (one + other) / 2)
        down = -torch.where(same, (y + y0) / 2 / middle, (a + a0) / 2 * one * other)
    return _weighted(call, y, dict(enumerate([up, down] if isinstance(a, Tensor) else [down])))


def _always(call: Call) -> bool:
    return True


def several_change(call: Call) -> bool:
    """Whether a product has more than one factor that is not a constant of the network."""
    fixed = sum(isinstance(t, torch.nn.Parameter) for t in call.tensors)
    return len(call.tensors) - fixed > 1


def _divisor_lives(call: Call) -> bool:
    return isinstance(call.argument(1, "other"), Tensor) or call.argument(2, "rounding_mode") is not None


PRODUCTS: dict[str, Rule] = {
    **dict.fromkeys(MULTILINEAR, Rule(multilinear, several_change)),
    **dict.fromkeys(_BY_PATH, Rule(along_path, _always)),
    **dict.fromkeys(["rsqrt", "reciprocal"], Rule(invert, _always)),
    "div": Rule(divide, _divisor_lives),
}
