"""Inner layers of a network: which ones a forward pass runs, and how to look at one.

A layer is cut out of the graph: its output becomes a leaf, so the backward pass ends there and costs no more than what lies
above it. Token layers of vision transformers `(n, t, d)` are laid out on their grid of patches as `(n, d, h, w)`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.errors import MethodError, ModelError

_EXTRA_TOKENS = 8  # class and register tokens that may stand before the patches


@dataclass(frozen=True)
class Met:
    """A module that ran, and the shape of its output."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A module by name, looked at on its last call in a forward pass; `grid` where its output is tokens."""

    name: str
    grid: tuple[int, int] | None = None

    def spatial(self, seen: np.ndarray) -> np.ndarray:
        """What was seen there -> (n, c, *spatial); tokens before the patches (class, registers) are left out."""
        if self.grid is None:
            return seen
        patches = seen[:, -self.grid[0] * self.grid[1] :]  # (n, h * w, d)
        return patches.reshape(len(seen), *self.grid, -1).transpose(0, 3, 1, 2)


@dataclass(eq=False)
class Trace:
    """A forward pass that was followed: the modules that finished, in order, and where the graph was cut last."""

    met: list[Met] = field(default_factory=list)
    last: str | None = None
    leaf: Tensor | None = None


@contextlib.contextmanager
def searching(model: nn.Module, rank: int, wanted: str | None) -> Iterator[Trace]:
    """Follow a forward pass, and cut the graph at the layer of this name, or at the last layer with space.

    Which one is the last is known at the end only, so every layer with space is cut, from the last one with a kernel on
    (by registration): a cut costs a copy of the layer's output (see `watching`), and what comes last is small.
    """
    trace = Trace()
    start = _last_with_kernel(model, rank) if wanted is None else wanted

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if not isinstance(output, Tensor) or not output.is_floating_point():
                return None
            shape = tuple(output.shape)
            trace.met.append(Met(name, shape))
            begun = name == start or (wanted is None and (start is None or trace.last is not None))
            if not begun or (wanted is None and not _has_space(shape, rank)):
                return None
            trace.last, trace.leaf = name, output.detach().requires_grad_()
            return trace.leaf.clone()

        return hook

    modules = list(visible(model))
    handles = [module.register_forward_hook(note(name)) for name, module in modules]
    try:
        yield trace
    finally:
        for handle in handles:
            handle.remove()


def visible(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that a hook may watch: scripted ones take none, compiled ones may run past theirs."""
    for name, module in model.named_modules():
        if type(module).__name__ == "OptimizedModule":
            raise ModelError(
                f"module {name or '(the network itself)'} is compiled, so its layers cannot be looked at: pass the module that it "
                "was made from (compiled._orig_mod)."
            )
        if name and not isinstance(module, torch.jit.ScriptModule):
            yield name, module


def _last_with_kernel(model: nn.Module, rank: int) -> str | None:
    """The last registered module with a parameter of the inputs' rank: a convolution."""
    kernels = (name for name, m in model.named_modules() if any(p.ndim == rank for p in m.parameters(recurse=False)))
    return next(reversed([name for name in kernels if name]), None)


@contextlib.contextmanager
def watching(model: nn.Module, layer: Layer) -> Iterator[list[Tensor]]:
    """Cut the graph at a layer: the output of each of its calls becomes a leaf, listed in what is yielded.

    The layer's successors receive a copy, so an in-place activation behind it cannot change what was seen.
    """
    seen: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()

    handle = model.get_submodule(layer.name).register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def candidates(met: list[Met], x: np.ndarray, wanted: str | None, grid: tuple[int, int] | None) -> list[Layer]:
    """The layers to look at, best first: the one of this name; else token layers from the last, then the last with space.

    Behind the last attention, the patches of a vision transformer no longer reach a class token: there, the first
    candidate with a gradient is the one to take.
    """
    if wanted is not None:
        return [_named(met, x, wanted, grid)]
    spatial = [Layer(m.name) for m in met if _has_space(m.shape, x.ndim)]
    found = _token_layers(met, x, grid)[::-1] + spatial[-1:]
    if not found:
        raise MethodError(
            "this network has no layer whose output has spatial axes, so there is no map to draw (scripted modules hide theirs: "
            "pass the module that they were made from): use a method on the input such as IntegratedGradients(), or name a layer "
            "(and grid=(h, w) for tokens)."
        )
    return found


def _named(met: list[Met], x: np.ndarray, wanted: str, grid: tuple[int, int] | None) -> Layer:
    shapes = [m.shape for m in met if m.name == wanted]
    if not shapes:
        known = ", ".join(dict.fromkeys(m.name for m in met))
        raise MethodError(f"the network runs no layer {wanted!r} with one output; it runs {known}.")
    shape = shapes[-1]
    if len(shape) == x.ndim > 2:
        return Layer(wanted)
    if len(shape) == 3 and x.ndim == 4:
        return Layer(wanted, _grid_of(wanted, shape[1], grid))
    raise MethodError(f"layer {wanted!r} gives shape {shape}, which has no spatial axes: choose an earlier layer.")


def _token_layers(met: list[Met], x: np.ndarray, grid: tuple[int, int] | None) -> list[Layer]:
    """Layers (1, t, d) whose tokens are the patches of the last layer with space, or of the grid that was given."""
    if x.ndim != 4:
        return []
    spatial = [i for i, m in enumerate(met) if _has_space(m.shape, 4)]
    patches = grid or (met[spatial[-1]].shape[2:] if spatial else None)
    if patches is None:
        return []
    count, behind = int(np.prod(patches)), met[spatial[-1] + 1 if spatial else 0 :]
    fits = [m for m in behind if len(m.shape) == 3 and 0 <= m.shape[1] - count <= _EXTRA_TOKENS]
    return [Layer(m.name, (int(patches[0]), int(patches[1]))) for m in fits]


def _grid_of(name: str, tokens: int, grid: tuple[int, int] | None) -> tuple[int, int]:
    """The grid that was given, or a square one behind at most one class token."""
    if grid is not None and 0 <= tokens - grid[0] * grid[1] <= _EXTRA_TOKENS:
        return grid
    side = int(np.sqrt(tokens))
    if grid is None and tokens - side * side <= 1:
        return side, side
    raise MethodError(
        f"layer {name!r} gives {tokens} tokens: say how they are laid out, grid=(h, w); given was grid={grid}."
    )


def _has_space(shape: tuple[int, ...], rank: int) -> bool:
    return len(shape) == rank > 2 and math.prod(shape[2:]) > 1


def gradient(picked: Tensor, of: Tensor, where: str) -> Tensor:
    """picked (b,), of (b, ...) -> d picked / d of"""
    if not picked.requires_grad:
        raise ModelError(
            f"the score does not depend on {where} through differentiable steps (detach, argmax, numpy, no_grad or rounding "
            "on the way): use a method that only asks, such as KernelShap() or Occlusion()."
        )
    (slope,) = torch.autograd.grad(picked.sum(), of, allow_unused=True)
    return torch.zeros_like(of) if slope is None else slope


def upsample(maps: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """(n, *spatial) -> (n, *space), linear in each direction, pixel centres aligned."""
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(space)]
    made = nn.functional.interpolate(torch.from_numpy(maps)[:, None], size=space, mode=mode, align_corners=False)
    return made[:, 0].numpy()
