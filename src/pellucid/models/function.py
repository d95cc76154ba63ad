"""A plain function of tensors as a network, so that methods can differentiate it and no wrapper has to be written.

A function does not say what it takes. Where x is a tensor it is asked about the first row, outside all counts: what gives a tensor
back is a network on x's device and in x's dtype, anything else stays a function of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.core.inputs import plain_array
from pellucid.models.adapter import CallableAdapter


class TensorFunction(nn.Module):
    """A function `(b, *features) -> (b, ...)` of tensors. If it is a network's own method, the network is a part of it."""

    like: Tensor

    def __init__(self, function: Callable[..., Any], like: Tensor) -> None:
        super().__init__()
        self.function = function
        for name, owner in (("owner", getattr(function, "__self__", None)), ("inner", getattr(function, "func", None))):
            if isinstance(owner, nn.Module):
                self.add_module(name, owner)
        self.register_buffer("like", like.detach().new_empty(0), persistent=False)

    def forward(self, x: Tensor, **extra: Tensor) -> Any:
        """x (b, *features) -> whatever the function gives"""
        return self.function(x, **extra)


def of_tensors(function: Callable[..., Any], x: Tensor, extra: dict[str, Any]) -> TensorFunction | Callable[..., Any]:
    """x (n, *features) -> the function as a network if it takes tensors and gives them, else as it is"""
    first = {name: torch.as_tensor(plain_array(value)[:1], device=x.device) for name, value in extra.items()}
    with CallableAdapter(function).session(), torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            found = function(x.detach()[:1].clone(), **first)
        except Exception:  # whatever it is, the function will raise it again where it is asked for good
            return function
    return TensorFunction(function, x) if isinstance(found, Tensor) else function
