"""Fused primitives written out in smaller ones, each of which has a rule: attention, gates, recurrent layers.

An unrolled recurrent layer is exact, and costs about fifteen times the fused one. Packed sequences are refused: their rows
have no common length, so no row of a reference corresponds to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.core.errors import ModelError

Cell = Callable[[Tensor, Any, Sequence[Tensor]], Any]


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """query (..., l, e), key (..., s, e), value (..., s, v) -> (..., l, v); a query that may see nothing gets zeros"""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)  # (..., l, s)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    blind = None
    if attn_mask is not None:
        hidden = ~attn_mask if attn_mask.dtype == torch.bool else attn_mask == -torch.inf
        blind = hidden.all(-1, keepdim=True)
        scores = scores.masked_fill(hidden, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        scores = scores.masked_fill(blind, 0.0)
    weights = torch.softmax(scores, dim=-1)
    weights = weights if blind is None else weights.masked_fill(blind, 0.0)
    return F.dropout(weights, dropout_p) @ value if dropout_p else weights @ value


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half, gated by the second."""
    value, gate = input.chunk(2, dim)
    return value * torch.sigmoid(gate)


def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|^p)^(1/p); the largest magnitude for p = inf"""
    x = x if dtype is None else x.to(dtype)
    dim = tuple(range(x.ndim)) if dim is None else dim
    if ord == 2:
        return x.square().sum(dim, keepdim).sqrt()
    if math.isinf(ord):
        return x.abs().amax(dim, keepdim)
    return x.abs().pow(ord).sum(dim, keepdim).pow(1 / ord)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    return input + value * (tensor1 * tensor2)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    return input + value * (tensor1 / tensor2)


def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    return input + weight * (end - input)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return beta * input + alpha * (batch1 @ batch2)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return beta * input + alpha * (batch1 @ batch2).sum(0)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return beta * input + alpha * (vec1[:, None] * vec2)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


def norm(x: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, **dtype: Any) -> Tensor:
    """`torch.norm` and its Frobenius cousin."""
    return vector_norm(x, 2 if p in (None, "fro") else p, dim or None, keepdim, **dtype)


def frobenius_norm(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return vector_norm(x, 2, dim or None, keepdim)


def var_mean(
    x: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """The mean squared deviation, less `correction` degrees of freedom, and the mean."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    dim = tuple(range(x.ndim)) if dim is None else dim
    lost = correction if correction is not None else float(unbiased)
    mean = x.mean(dim, keepdim=True)
    square = (x - mean).square()
    many = x.numel() // mean.numel()
    return square.sum(dim, keepdim) / (many - lost), mean if keepdim else mean.sum(dim)


def var(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return var_mean(x, *args, **kwargs)[0]


def std_mean(x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    spread, mean = var_mean(x, *args, **kwargs)
    return spread.sqrt(), mean


def std(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return std_mean(x, *args, **kwargs)[0]


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    lengths = x1.square().sum(dim) * x2.square().sum(dim)
    return (x1 * x2).sum(dim) / lengths.clamp_min(eps**2).sqrt()


def packed(*_: Any, **__: Any) -> Any:
    """Packed sequences, met where they are made or where a recurrent layer reads them."""
    raise ModelError(
        "packed sequences have no backward rules: give the recurrent layer padded sequences (n, t, d) of one length."
    )


def _lstm_cell(x: Tensor, state: tuple[Tensor, Tensor], weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """x (n, d), state h (n, k), c (n, k) -> the next state; gates i, f, g, o"""
    h, c = state
    i, f, g, o = _affine(x, h, weights).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    projection = weights[-1] if len(weights) in (3, 5) else None
    return (h if projection is None else F.linear(h, projection)), c


def _gru_cell(x: Tensor, h: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """x (n, d), h (n, k) -> (n, k); gates r, z, n"""
    biases = weights[2:] or (None, None)
    from_x = F.linear(x, weights[0], biases[0]).chunk(3, -1)
    from_h = F.linear(h, weights[1], biases[1]).chunk(3, -1)
    r, z = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
    n = torch.tanh(from_x[2] + r * from_h[2])
    return n + z * (h - n)


def _plain_cell(act: Callable[[Tensor], Tensor]) -> Cell:
    return lambda x, h, weights: act(_affine(x, h, weights))


def _affine(x: Tensor, h: Tensor, weights: Sequence[Tensor]) -> Tensor:
    biases = weights[2:4] if len(weights) >= 4 else (None, None)
    return F.linear(x, weights[0], biases[0]) + F.linear(h, weights[1], biases[1])


def _layer(
    cell: Cell, xs: Sequence[Tensor], state: Any, weights: Sequence[Tensor], backward: bool
) -> tuple[list[Tensor], Any]:
    """One direction of one layer: outputs in the order of time, and the last state."""
    outs = []
    for x in reversed(xs) if backward else xs:
        state = cell(x, state, weights)
        outs.append(state[0] if isinstance(state, tuple) else state)
    return outs[::-1] if backward else outs, state


def _recurrent(cell: Cell, several: bool) -> Callable[..., Any]:
    """A fused recurrent layer, unrolled: `several` states (LSTM) or one."""

    def unrolled(
        input: Tensor,
        hx: Any,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool = False,
    ) -> Any:
        if isinstance(hx, Tensor) and not hx.is_floating_point():
            packed()
        ways = 2 if bidirectional else 1
        group = len(params) // (num_layers * ways)
        xs, lasts = list(input.unbind(1 if batch_first else 0)), []
        for layer in range(num_layers):
            runs = []
            for way in range(ways):
                k = layer * ways + way
                state = tuple(part[k] for part in hx) if several else hx[k]
                outs, last = _layer(cell, xs, state, params[k * group : (k + 1) * group], way == 1)
                runs.append(outs)
                lasts.append(last)
            xs = [torch.cat(both, -1) for both in zip(*runs, strict=True)] if bidirectional else runs[0]
            if dropout and train and layer + 1 < num_layers:
                xs = [F.dropout(x, dropout) for x in xs]
        out = torch.stack(xs, 1 if batch_first else 0)
        if several:
            return (out, *(torch.stack(parts) for parts in zip(*lasts, strict=True)))
        return out, torch.stack(lasts)

    return unrolled


def _one_step(cell: Cell) -> Callable[..., Any]:
    return lambda input, hx, w_ih, w_hh, b_ih=None, b_hh=None: cell(
        input, hx, (w_ih, w_hh) if b_ih is None else (w_ih, w_hh, b_ih, b_hh)
    )


_tanh_cell, _relu_cell = _plain_cell(torch.tanh), _plain_cell(torch.relu)

PARTS: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": attention,
    "glu": glu,
    "addbmm": addbmm,
    "addcdiv": addcdiv,
    "addcmul": addcmul,
    "addmv": baddbmm,
    "addr": addr,
    "baddbmm": baddbmm,
    "lerp": lerp,
    "cosine_similarity": cosine_similarity,
    "pairwise_distance": pairwise_distance,
    "lstm": _recurrent(_lstm_cell, several=True),
    "gru": _recurrent(_gru_cell, several=False),
    "rnn_tanh": _recurrent(_tanh_cell, several=False),
    "rnn_relu": _recurrent(_relu_cell, several=False),
    "lstm_cell": _one_step(_lstm_cell),
    "gru_cell": _one_step(_gru_cell),
    "rnn_tanh_cell": _one_step(_tanh_cell),
    "_pack_padded_sequence": packed,
    "rnn_relu_cell": _one_step(_relu_cell),
}

# Statistics: a method that holds scales constant has rules for these instead.
STATISTICS: dict[str, Callable[..., Any]] = {
    "linalg_vector_norm": vector_norm,
    "norm": norm,
    "frobenius_norm": frobenius_norm,
    "var": var,
    "std": std,
    "var_mean": var_mean,
    "std_mean": std_mean,
}
