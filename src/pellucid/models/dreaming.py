"""Gradient ascent on an input: its Fourier coefficients, random transformations, and one unit of a network to excite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pellucid.core.errors import MethodError
from pellucid.core.visualization import Unit
from pellucid.models.activations import layers_of, noting
from pellucid.models.torch import TorchAdapter


@dataclass(eq=False)
class Watched:
    """A unit of a network, and what the last pass said at its layer (k, c, *space)."""

    adapter: TorchAdapter
    unit: Unit
    seen: Tensor = field(init=False)
    noted: dict[str, Tensor] = field(init=False, default_factory=dict)

    def activation(self, x: Tensor) -> Tensor:
        """x (k, channels, *space) -> (k,)"""
        self.noted.clear()
        out = self.adapter.run(x, "raw", {})
        layer = out if self.unit.layer is None else self._noted(self.unit.layer)
        self.seen = layer = layer if layer.ndim > 1 else layer[:, None]
        if self.unit.place is not None:
            layer = self._at_place(layer, self.unit.place)
        channels = layer.flatten(2).mean(dim=2) if layer.ndim > 2 else layer
        return self._picked(channels)

    def gram(self) -> Tensor:
        """(k, c * c) how the layer's channels go together in each picture, each of length 1"""
        flat = self.seen.flatten(2) if self.seen.ndim > 2 else self.seen[..., None]
        return functional.normalize((flat @ flat.transpose(1, 2)).flatten(1), dim=1)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, passes leave what the layer gave in `seen`."""
        layers = () if self.unit.layer is None else layers_of(self.adapter.model, self.unit.layer)
        with noting(self.adapter.model, layers) as self.noted:
            yield

    def _noted(self, name: str) -> Tensor:
        if name not in self.noted:
            raise MethodError(f"layer {name!r} gave no tensor in this pass: name one that runs, and gives one.")
        return self.noted[name]

    def _at_place(self, layer: Tensor, place: tuple[int, ...]) -> Tensor:
        space = tuple(layer.shape[2:])
        if len(place) != len(space) or any(not 0 <= at < size for at, size in zip(place, space, strict=False)):
            raise MethodError(f"{self.unit!r}: the layer's space is {space}.")
        for at in place:
            layer = layer[:, :, at]
        return layer

    def _picked(self, channels: Tensor) -> Tensor:
        """(k, c) -> (k,)"""
        count = channels.shape[1]
        if self.unit.direction is not None:
            if len(self.unit.direction) != count:
                raise MethodError(
                    f"the direction has {len(self.unit.direction)} weights, and the layer {count} channels."
                )
            return channels @ torch.tensor(self.unit.direction).to(channels)
        if self.unit.channel is None or not -count <= self.unit.channel < count:
            raise MethodError(f"{self.unit!r}: the layer has {count} channels, 0 to {count - 1}.")
        return channels[:, self.unit.channel]


class Canvas:
    """k pictures by their Fourier coefficients; `colours` mixes decorrelated channels as real pictures do."""

    def __init__(self, count: int, shape: tuple[int, ...], seed: int, like: np.ndarray | None) -> None:
        self._space = shape[1:]
        axes = [torch.fft.fftfreq(size) for size in self._space[:-1]] + [torch.fft.rfftfreq(self._space[-1])]
        frequency = torch.sqrt(sum(axis**2 for axis in torch.meshgrid(*axes, indexing="ij")))  # type: ignore[arg-type]
        self._scale = (1 / frequency.clamp_min(1 / max(self._space))) / 4
        start = 0.01 * torch.randn(
            (2, count, shape[0], *frequency.shape), generator=torch.Generator().manual_seed(seed)
        )
        self.spectrum = start.requires_grad_()
        low, high, colours = (0.0, 1.0, torch.eye(shape[0])) if like is None else _statistics(like)
        self._low, self._high, self._colours = low, high, colours

    def pictures(self) -> Tensor:
        """(k, channels, *space)"""
        coefficients = torch.complex(self.spectrum[0], self.spectrum[1]) * self._scale
        flat = torch.fft.irfftn(coefficients, s=self._space, norm="ortho")
        mixed = torch.einsum("cd,kd...->kc...", self._colours, flat)
        return self._low + (self._high - self._low) * torch.sigmoid(mixed)


def _statistics(like: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Real pictures (n, channels, *space) -> the lowest and highest value of each channel, and a root of their correlations"""
    flat = np.moveaxis(like.astype(float), 1, 0).reshape(like.shape[1], -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(flat)))
    root = vectors * np.sqrt(np.maximum(values, 1e-10))
    root = root / np.linalg.norm(root, axis=1).max()
    ends = (torch.tensor(end, dtype=torch.float32).reshape(-1, *[1] * (like.ndim - 2)) for end in (low, high))
    first, second = ends
    return first, torch.maximum(second, first + 1e-6), torch.tensor(root, dtype=torch.float32)


@dataclass(frozen=True)
class Shake:
    """The largest shift in pixels, change of size as a share, and turn in degrees; turns and sizes of flat pictures only."""

    jitter: int
    scale: float
    rotate: float

    def __call__(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        space = x.shape[2:]
        if self.jitter:
            shifts = rng.integers(-self.jitter, self.jitter + 1, len(space)).tolist()
            x = torch.roll(x, shifts, dims=list(range(2, x.ndim)))
        if len(space) != 2 or not (self.scale or self.rotate):
            return x
        angle, size = np.deg2rad(self.rotate * rng.uniform(-1, 1)), 1 + self.scale * rng.uniform(-1, 1)
        turn = (
            torch.tensor([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]], dtype=x.dtype) / size
        )
        grid = functional.affine_grid(turn.expand(len(x), 2, 3).to(x.device), list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def variation(x: Tensor) -> Tensor:
    """(k, channels, *space) -> (k,) the mean absolute difference of neighbours, summed over the axes of space"""
    parts = [x.diff(dim=axis).abs().flatten(1).mean(dim=1) for axis in range(2, x.ndim) if x.shape[axis] > 1]
    return torch.stack(parts).sum(dim=0) if parts else x.new_zeros(len(x))


def alike(gram: Tensor) -> Tensor:
    """The mean cosine between the Gram matrices of different pictures; 0 of a single one."""
    k = len(gram)
    return gram.new_zeros(()) if k < 2 else ((gram @ gram.T).sum() - k) / (k * (k - 1))
