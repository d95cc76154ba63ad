"""DeepLIFT's rules: what each function makes of a *change* of its inputs, so that contributions add up to the change of its output.

Shrikumar, Greenside & Kundaje, "Learning Important Features Through Propagating Activation Differences" (ICML 2017). With
multipliers m = contribution / change, the chain rule reads m_x = sum_y m_y * (m of y with respect to x), and

    elementwise f          (f(x) - f(x0)) / (x - x0)                                         (rescale)
    k changing factors     the derivative averaged along the diagonal: Shapley's share of each (k = 2: at the midpoint)
    softmax y              L (g - sum(g L) / sum(L)),  L = logarithmic mean of y and y0
    u / sigma (norms)      product of u and 1 / sigma, each with its own exact slope
    maximum                shared between the place of the maximum at x and its place at x0

Linear functions keep their own gradient. Every rule is exact: sum_x m_x (x - x0) = sum_y m_y (y - y0).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.models.rewire.conditional import CONDITIONAL
from pellucid.models.rewire.engine import Call, Rule, Table, bend
from pellucid.models.rewire.functions import LINEAR, MULTILINEAR, lives, names
from pellucid.models.rewire.maxima import MAXIMA
from pellucid.models.rewire.norms import NORMS
from pellucid.models.rewire.parts import PARTS, STATISTICS
from pellucid.models.rewire.slopes import ELEMENTWISE, slope

_NODES = 16  # of the path of last resort

_BY_PATH = names("prod cumprod logcumsumexp logaddexp logaddexp2 hypot atan2 linalg_det")


def changing(call: Call) -> list[int]:
    """The positions of tensors that differ between the passes: the live ones, and constants that were computed anew."""
    assert call.before is not None
    live = set(call.live)
    pairs = enumerate(zip(call.tensors, call.before, strict=True))
    return [i for i, (now, then) in pairs if i in live or _differ(now, then)]


def _differ(now: Tensor, then: Tensor) -> bool:
    same = now.data_ptr() == then.data_ptr() and now.shape == then.shape
    return not same and bool((now != then).any())


def rescale(call: Call) -> Tensor:
    """An elementwise function of one live tensor."""
    if len(call.live) > 1:
        return along_path(call, _NODES)
    (i,) = call.live
    assert call.before is not None
    with torch.no_grad():
        y, y0 = call.plain(), call.run(call.before)
        steep = _slope(call, i, y, y0)
    return call.bend(y, lambda g: (_shrink(g * steep, call.tensors[i].shape),))


def _slope(call: Call, i: int, y: Tensor, y0: Tensor) -> Tensor:
    """The slope of a call's value in its i-th tensor."""
    assert call.before is not None
    return slope(call.name, call.with_one(i), call.tensors[i].detach(), call.before[i], y, y0)


def _shrink(g: Tensor, shape: torch.Size) -> Tensor:
    """Sum a cotangent over the axes along which its tensor was broadcast."""
    return g if g.shape == shape else g.sum_to_size(shape)


def multilinear(call: Call) -> Tensor:
    """k factors that change together: exact with ceil(k / 2) points of Gauss-Legendre on the diagonal."""
    moving = [] if call.before is None else changing(call)
    if len(moving) < 2:
        return call.plain()  # linear in what is live
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


def along_path(call: Call, nodes: int) -> Tensor:
    """The call's own gradient averaged over the straight path from the reference, at Gauss-Legendre points."""
    assert call.before is not None
    start, live = call.before, call.live
    way = [None if not s.is_floating_point() else t.detach() - s for t, s in zip(call.tensors, start, strict=True)]
    points, weights = np.polynomial.legendre.leggauss(nodes)

    def vjp(g: Tensor) -> tuple[Tensor, ...]:
        total: list[Tensor] | None = None
        for t, w in zip((points + 1) / 2, weights / 2, strict=True):
            at = [s if v is None else s + t * v for s, v in zip(start, way, strict=True)]
            made = call.gradients(at, live, g * w)
            total = made if total is None else [a.add_(b) for a, b in zip(total, made, strict=True)]
        assert total is not None
        return tuple(total)

    return call.bend(call.value(), vjp)


def divide(call: Call) -> Tensor:
    """a / b as the product of a and 1 / b, whose slope is -1 / (b b0)."""
    a, b = call.argument(0, "input"), call.argument(1, "other")
    if call.argument(2, "rounding_mode") is not None:
        return rescale(call)
    if call.before is None or changing(call) == [0]:
        return call.plain()
    a0, b0 = call.before if isinstance(a, Tensor) else (a, call.before[0])
    with torch.no_grad():
        one, other = 1 / b, 1 / b0
        up, down = (one + other) / 2, -(a + a0) / 2 * one * other
    shapes = [t.shape for t in call.tensors]
    factors = [up, down] if isinstance(a, Tensor) else [down]
    live = call.live
    return call.bend(call.value(), lambda g: tuple(_shrink(g * factors[i], shapes[i]) for i in live))


def where(call: Call) -> Tensor:
    """A choice between a and b. Where the condition itself changed, each is given the change of the output in its share."""
    assert call.before is not None
    condition, a, b = (call.argument(i, name) for i, name in enumerate(("condition", "input", "other")))
    if condition.dtype != torch.bool:  # a.where(condition, b)
        call = _as_where(call, [1, 0, 2])
        condition, a, b = call.args
    assert call.before is not None
    condition0, *others = call.before
    if not _differ(condition, condition0):
        return call.plain()
    y, y0 = call.value(), call.run(call.before)
    rest = iter(others)
    a0, b0 = (next(rest) if isinstance(t, Tensor) else t for t in (a, b))
    a, b = (torch.as_tensor(t, dtype=y.dtype, device=y.device).expand(y.shape) for t in (a, b))
    with torch.no_grad():
        kept = (condition.to(y.dtype) + condition0.to(y.dtype)) / 2
        da, db = (a - a0) * float(lives(a)), (b - b0) * float(lives(b))
        size = da.abs() + db.abs()
        left = torch.where(size == 0, 0, (y - y0 - kept * da - (1 - kept) * db) / size)
        slopes = kept + left * da.sign(), 1 - kept + left * db.sign()
    live = [(t, s) for t, s in zip((a, b), slopes, strict=True) if lives(t)]
    return bend(y, lambda g: tuple(g * s for _, s in live), *(t for t, _ in live))


def _as_where(call: Call, order: list[int]) -> Call:
    """The same choice, spelled `torch.where` with the arguments in this order."""
    assert call.before is not None
    given = [*call.args, *call.kwargs.values()]
    then = iter(call.before)
    before = [next(then) if isinstance(one, Tensor) else None for one in given]
    inner = Call("where", torch.where, tuple(given[i] for i in order), {}, call.mode)
    inner.before = [t for t in (before[i] for i in order) if t is not None]
    return inner


def masked_fill(call: Call) -> Tensor:
    """A choice between a number and x: x.masked_fill(mask, value), x[mask] = value."""
    return where(_as_where(call, [1, 2, 0]))


def _fills(call: Call) -> bool:
    """Whether x[index] = value is a masked fill; other indices are linear."""
    target, index, value = call.args
    masks = isinstance(index, Tensor) and index.dtype == torch.bool and index.shape == target.shape
    return masks and not (isinstance(value, Tensor) and value.ndim > 0)


def setitem(call: Call) -> Any:
    return masked_fill(call) if _fills(call) else call.plain()


def softmax(call: Call) -> Tensor:
    """Exact through the logarithmic mean L of the two outputs."""
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


def several_change(call: Call) -> bool:
    """Whether a product has more than one factor that is not a constant of the network."""
    fixed = sum(isinstance(t, torch.nn.Parameter) for t in call.tensors)
    return len(call.tensors) - fixed > 1


def _always(call: Call) -> bool:
    return True


def _divisor_lives(call: Call) -> bool:
    return isinstance(call.argument(1, "other"), Tensor) or call.argument(2, "rounding_mode") is not None


RULES: dict[str, Rule] = {
    **{name: Rule(rescale, _always) for name in ELEMENTWISE},
    **{name: Rule(multilinear, several_change) for name in MULTILINEAR},
    **{name: Rule(lambda call: along_path(call, _NODES), _always) for name in _BY_PATH},
    **NORMS,
    **MAXIMA,
    **CONDITIONAL,
    "div": Rule(divide, _divisor_lives),
    "where": Rule(where, _always),
    "masked_fill": Rule(masked_fill, _always),
    "setitem": Rule(setitem, _fills),
    "softmax": Rule(softmax, _always),
    "log_softmax": Rule(log_softmax, _always),
    "logsumexp": Rule(logsumexp, _always),
}


def table(unruled: str = "error") -> Table:
    """DeepLIFT with the rescale rule."""
    return Table(RULES, LINEAR, PARTS | STATISTICS, unruled=unruled)
