"""The layers of a network as outer products: the gradient of a weight matrix is slopes at its outputs times its inputs.

A `TorchFunctionMode` sees `linear`, `conv1d` to `conv3d` and `embedding` whoever calls them (a module, attention's packed
projections, functional code, tied weights), and recognises the weight by identity. Every use is brought to one form: inputs
a (b, t, d), with a 1 for the bias, slopes g (b, t, c), so that an example's gradient is sum_t g_t a_t', with positions of a
convolution, tokens and further uses of the same weight along t. Of an embedding's matrix g are the one-hot rows, and a
the slopes. Grouped convolutions and parameters of no such layer are left to the caller to name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from pellucid.models.rewire.functions import opened

Pair = tuple[Tensor, Tensor]
Key = tuple[str, str | None]  # a weight and the bias beside it
Sides = dict[Key, tuple[np.ndarray, np.ndarray]]  # a (b, t, d) and g (b, t, c) of each layer

_CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)


@dataclass(eq=False)
class Use:
    """One call of a layer: which parameters, the output, and what the slope there makes of a (b, t, d) and g (b, t, c)."""

    weight: str
    bias: str | None
    output: Tensor
    sides: Callable[[Tensor], Pair]


class Watching(TorchFunctionMode):
    """Inside, every use of one of the parameters `{id: name}` in a layer that sees `examples` rows is noted."""

    def __init__(self, names: dict[int, str], examples: int) -> None:
        super().__init__()
        self.names, self.examples, self.uses = names, examples, list[Use]()
        self.rows: Callable[[Tensor], Tensor] = _rows

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func is functional.multi_head_attention_forward:
            return self._attention(func, args, given)
        made = func(*args, **given)
        reads = _READERS.get(func)
        use = None if reads is None else reads(self, made, *args, **given)
        if use is not None:
            self.uses.append(use)
        return made

    def _attention(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Entered, so that its projections are seen; in there tokens come first, (t, b, d) or (t * b, d)."""
        query = args[0] if args else kwargs["query"]
        if query.ndim == 3:
            self.rows = lambda values: values.reshape(-1, query.shape[1], values.shape[-1]).transpose(0, 1)
        try:
            with self:
                return opened(func)(*args, **kwargs)  # type: ignore[misc]
        finally:
            self.rows = _rows

    def name(self, parameter: Tensor | None) -> str | None:
        return None if parameter is None else self.names.get(id(parameter))

    def use(
        self, weight: Tensor, bias: str | None, out: Tensor, a: Tensor, slopes: Callable[[Tensor], Tensor]
    ) -> Use | None:
        """None where the first axis is not that of the examples"""
        if len(a) != self.examples:
            return None
        a = a if bias is None else torch.cat([a, torch.ones_like(a[..., :1])], dim=-1)
        return Use(self.names[id(weight)], bias, out, lambda slope: (a, slopes(slope)))


def gradients(uses: Sequence[Use], loss: Tensor, keep: bool = False) -> Sides:
    """Of a loss that sums over examples; several uses of one weight stand one after the other along t. `keep` the graph."""
    if not uses:
        return {}
    found = torch.autograd.grad(loss, [use.output for use in uses], retain_graph=keep, allow_unused=True)
    parts: dict[Key, list[Pair]] = {}
    for use, slope in zip(uses, found, strict=True):
        if slope is not None:
            parts.setdefault((use.weight, use.bias), []).append(use.sides(slope))
    return {key: (_numbers([a for a, _ in pairs]), _numbers([g for _, g in pairs])) for key, pairs in parts.items()}


def _numbers(parts: list[Tensor]) -> np.ndarray:
    return np.asarray(torch.cat(parts, dim=1).detach().double().cpu().numpy())


def _linear(watch: Watching, out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Use | None:
    if watch.name(weight) is None:
        return None
    return watch.use(weight, watch.name(bias), out, watch.rows(x.detach()), watch.rows)


def _convolution(
    watch: Watching,
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Use | None:
    if watch.name(weight) is None or groups != 1 or isinstance(padding, str):
        return None
    a = _patches(x.detach(), weight.shape[2:], stride, padding, dilation)
    return watch.use(weight, watch.name(bias), out, a, lambda slope: slope.flatten(2).transpose(1, 2))


def _embedding(watch: Watching, out: Tensor, ids: Tensor, weight: Tensor, *_: Any, **__: Any) -> Use | None:
    name = watch.name(weight)
    if name is None or len(ids) != watch.examples:
        return None
    one_hot = functional.one_hot(ids.flatten(1), weight.shape[0]).to(weight.dtype)
    return Use(name, None, out, lambda slope: (_rows(slope), one_hot))


def _rows(values: Tensor) -> Tensor:
    """(b, ..., d) -> (b, t, d)"""
    return values.flatten(1, -2) if values.ndim > 2 else values[:, None]


def _patches(x: Tensor, size: Sequence[int], stride: Any, padding: Any, dilation: Any) -> Tensor:
    """x (b, c, *space) -> (b, places, c * prod(size)), what the kernel sees at each place"""
    rank = len(size)
    steps, pads, gaps = (_each(value, rank) for value in (stride, padding, dilation))
    x = functional.pad(x, [pad for one in reversed(pads) for pad in (one, one)])
    for i, (width, step, gap) in enumerate(zip(size, steps, gaps, strict=True)):
        x = x.unfold(2 + i, gap * (width - 1) + 1, step)[..., ::gap]
    x = x.flatten(2, 1 + rank) if rank else x  # (b, c, places, *size)
    return x.transpose(1, 2).flatten(2)


def _each(value: Any, rank: int) -> list[int]:
    given = list(value) if isinstance(value, Sequence) else [value]
    return given * rank if len(given) == 1 else given


_READERS: dict[Any, Callable[..., Use | None]] = {
    functional.linear: _linear,
    functional.embedding: _embedding,
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
}
