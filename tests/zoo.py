"""One small network for everything that real ones run: what backward rules have to be right on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nets import Patches, Residual


class Block(nn.Module):
    """Batch norm, in-place, functional and reused rectifiers, residual adds in and out of place, max-pooling."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm_one, self.norm_two = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        for norm in (self.norm_one, self.norm_two):
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.normal_(norm.running_mean)
            nn.init.normal_(norm.weight)
        self.relu, self.pool, self.head = nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm_one(self.one(x)))
        z = self.norm_two(self.two(y))
        z += y
        z = F.relu(self.relu(z) - 0.5)
        z = self.pool(z)
        z += 1.0
        return self.head(F.adaptive_avg_pool2d(self.relu(z * 0.5 - 0.6), 1).flatten(1))


def encoder(norm_first: bool, activation: str) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first, activation=activation)
    return Pooled(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))


class Pooled(nn.Module):
    """A head on the mean over tokens of what an inner module returns (the first part, if it returns several)."""

    def __init__(self, inner: nn.Module, width: int = 8) -> None:
        super().__init__()
        self.inner, self.head = inner, nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        return self.head((y[0] if isinstance(y, tuple) else y).mean(1))


class Attention(nn.Module):
    """Fused attention, with whatever mask."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.project, self.options = nn.Linear(8, 24), options

    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(*self.project(x).chunk(3, -1), **self.options)


class Multihead(nn.Module):
    """torch's own attention module, with and without its weights."""

    def __init__(self, need_weights: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention, self.need_weights = nn.MultiheadAttention(8, 2, batch_first=True), need_weights

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=self.need_weights)[0]


def stack(rank: int, activation: nn.Module) -> nn.Module:
    """Plain and transposed convolutions, group and instance norm, every kind of pooling, in one to three dimensions."""
    torch.manual_seed(0)
    named = {
        name: getattr(nn, f"{name}{rank}d")
        for name in ("Conv", "ConvTranspose", "MaxPool", "AvgPool", "AdaptiveMaxPool", "InstanceNorm")
    }
    return nn.Sequential(
        named["Conv"](2, 6, 3, padding=1),
        activation,
        named["MaxPool"](2, stride=1),
        named["Conv"](6, 6, 3, padding="same", groups=3),
        nn.GroupNorm(3, 6),
        activation,
        named["ConvTranspose"](6, 4, 2, stride=2),
        named["InstanceNorm"](4, affine=True),
        activation,
        named["AvgPool"](2),
        named["AdaptiveMaxPool"](2),
        nn.Flatten(),
        nn.Linear(4 * 2**rank, 3),
    )


def mask() -> Tensor:
    """Which keys a query may see: the first query none, the last all."""
    return torch.ones(5, 5, dtype=torch.bool).tril(-1).index_fill(0, torch.tensor([4]), True)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "residual": (Block, (3, 8, 8)),
    "residual volumes": (lambda: Residual(3), (1, 4, 4, 4)),
    "vision transformer": (lambda: Patches(True), (2, 8, 8)),
    **{
        f"encoder {first} {act}": (lambda first=first, act=act: encoder(first, act), (5, 8))
        for first in (False, True)
        for act in ("relu", "gelu")
    },
    "attention": (lambda: Pooled(Attention()), (5, 8)),
    "causal attention": (lambda: Pooled(Attention(is_causal=True)), (5, 8)),
    "masked attention": (lambda: Pooled(Attention(attn_mask=mask())), (5, 8)),
    "biased attention": (
        lambda: Pooled(Attention(attn_mask=torch.linspace(-1, 1, 25, dtype=torch.float64).reshape(5, 5))),
        (5, 8),
    ),
    "multi-head": (lambda: Pooled(Multihead(False)), (5, 8)),
    "multi-head with weights": (lambda: Pooled(Multihead(True)), (5, 8)),
    "LSTM": (lambda: Pooled(nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True, dropout=0.5), 12), (5, 8)),
    "LSTM with projection": (lambda: Pooled(nn.LSTM(8, 6, batch_first=True, proj_size=3, bias=False), 3), (5, 8)),
    "GRU": (lambda: Pooled(nn.GRU(8, 6, 2, batch_first=True), 6), (5, 8)),
    "RNN": (lambda: Pooled(nn.RNN(8, 6, batch_first=True, nonlinearity="relu"), 6), (5, 8)),
    "signals": (lambda: stack(1, nn.ReLU()), (2, 16)),
    "volumes": (lambda: stack(3, nn.ReLU()), (2, 8, 8, 8)),
}
