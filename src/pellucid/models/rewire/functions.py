"""What a torch function is called, whether it writes, and what it is made of.

A function has many spellings: `F.relu`, `torch.relu_`, `Tensor.relu`, `x.relu()`; `x + y`, `x.add_(y)`, `x += y`. Rules are
kept by one canonical name. Functions written in Python (`F.multi_head_attention_forward`, `F.layer_norm`) are *opened*: they
announce themselves to a function mode in their first line and would hide their parts from it, so a twin of the function
that skips the announcement is run instead, with the mode still watching. What is left to rule are torch's own primitives.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


def names(text: str) -> frozenset[str]:
    """The words of a text: tables of function names read better that way."""
    return frozenset(text.split())


_ANNOUNCING = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
_WHOLE = frozenset({"einsum"})  # Python functions with a rule of their own

_ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "clip": "clamp",
    "divide": "div",
    "expit": "sigmoid",
    "fix": "trunc",
    "linalg_matmul": "matmul",
    "multiply": "mul",
    "subtract": "sub",
    "true_divide": "div",
    "truediv": "div",
}

# Linear in all their live inputs together: their own gradient is the right rule. Adding a constant counts as linear.
LINEAR = names(
    """
    add sub rsub neg negative positive sum mean cumsum trace diff reshape reshape_as view view_as flatten
    ravel unflatten squeeze unsqueeze transpose t T mT H mH adjoint permute movedim moveaxis swapaxes swapdims
    expand expand_as broadcast_to broadcast_tensors contiguous clone alias to type type_as float double half
    bfloat16 cpu cuda narrow select split split_with_sizes unsafe_split unsafe_split_with_sizes chunk
    unsafe_chunk tensor_split hsplit vsplit dsplit unbind getitem setitem index_select gather take
    take_along_dim masked_select index select_scatter slice_scatter diagonal_scatter as_strided
    as_strided_scatter roll flip fliplr flipud rot90 repeat repeat_interleave tile diagonal diag diag_embed
    diagflat tril triu unfold fold im2col col2im pixel_shuffle pixel_unshuffle channel_shuffle
    native_channel_shuffle cat concat concatenate stack hstack vstack dstack column_stack row_stack meshgrid
    block_diag atleast_1d atleast_2d atleast_3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
    adaptive_avg_pool2d adaptive_avg_pool3d pad constant_pad_nd reflection_pad1d reflection_pad2d
    reflection_pad3d replication_pad1d replication_pad2d replication_pad3d upsample_nearest1d
    upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d
    _upsample_bilinear2d_aa _upsample_bicubic2d_aa index_add index_copy index_fill index_put scatter
    scatter_add masked_scatter copy fill fill_diagonal zero sum_to_size real imag requires_grad retain_grad
    max_unpool2d max_unpool3d embedding
    """
)

# Linear in each of their tensors; linear altogether where only one of them lives.
MULTILINEAR = names(
    """
    mul matmul mm bmm mv dot vdot inner outer ger einsum kron bilinear linear conv1d conv2d conv3d conv_tbc
    conv_transpose1d conv_transpose2d conv_transpose3d addmm cross linalg_cross linalg_vecdot grid_sampler
    grid_sampler_2d grid_sampler_3d tensordot
    """
)


@functools.lru_cache(maxsize=4096)
def canonical(function: Callable[..., Any]) -> tuple[str, bool]:
    """(canonical name, whether the first argument is written to)"""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":  # an attribute such as x.T
        return getattr(function.__self__, "__name__", "attribute"), False  # type: ignore[attr-defined]
    writes = False
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        writes = name == "setitem" or (name[0] == "i" and hasattr(Tensor, f"__{name[1:]}__"))
        name = name[1:] if writes and name != "setitem" else name
    elif name.endswith("_"):
        name, writes = name[:-1], True
    name = name.removeprefix("special_")
    return _ALIASES.get(name, name), writes


@functools.lru_cache(maxsize=4096)
def opened(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """A Python function of torch that shows its parts to a mode; None for primitives."""
    if not isinstance(function, types.FunctionType) or function.__name__ in _WHOLE:
        return None
    body = inspect.unwrap(function)
    if body is not function:
        return body  # the announcement is in the wrapper
    if not set(_ANNOUNCING) & set(function.__code__.co_names):
        return None
    silent = function.__globals__ | dict.fromkeys(_ANNOUNCING, lambda *_: False)
    twin = types.FunctionType(function.__code__, silent, function.__name__, function.__defaults__, function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


@functools.lru_cache(maxsize=4096)
def out_of_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The twin of a function that writes into its first argument, which returns something new instead."""
    name = canonical(function)[0]
    for home in (Tensor, torch, torch._C._nn):
        twin = getattr(home, name, None)
        if twin is not None and isinstance(function, type(twin)):
            return twin

    def fresh(target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        copy = target.clone()
        function(copy, *args, **kwargs)
        return copy

    return fresh


def lives(tensor: Tensor) -> bool:
    """Whether a tensor depends on the input; parameters that a network keeps out of sight (in a list) ask for gradients too."""
    return tensor.requires_grad and not isinstance(tensor, nn.Parameter)


def tensors_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors among the arguments, also inside lists and tuples."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_of(tuple(value), {})


def exchanged(value: Any, new: Iterator[Tensor]) -> Any:
    """The same structure with the next of `new` in the place of each tensor."""
    if isinstance(value, Tensor):
        return next(new)
    if isinstance(value, list | tuple):
        items = [exchanged(item, new) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: exchanged(item, new) for key, item in value.items()}
    return value
