"""What moves the stability figure: methods on a small network of volumes, raw and min-max-scaled; the table of docs/stability.md.

python docs/figures/stability.py
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import pellucid as pc

PAGE = Path(__file__).parents[1] / "stability.md"
SIDE, ROWS = 16, 12
METHODS = (
    pc.GradCAM(),
    pc.GradCAM(layer="0"),
    pc.Saliency(),
    pc.IntegratedGradients(steps=16, baseline=-1.0),
    pc.Occlusion(window=4, stride=4, baseline=-1.0),
)


def volumes(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1, 16, 16, 16) noise from -1 to 1, half of them with a brighter ball, and which (n,)."""
    at, label = np.indices((SIDE,) * 3), np.arange(n) % 2
    x = rng.uniform(-1, 0.2, (n, 1, SIDE, SIDE, SIDE))
    for volume, with_ball in zip(x, label, strict=True):
        middle, radius = rng.uniform(5, 11, 3), rng.uniform(2.5, 4)
        ball = ((at - middle[:, None, None, None]) ** 2).sum(0) <= radius**2
        volume[0] += 0.8 * with_ball * ball
    return x.clip(-1, 1).astype("float32"), label


def network(steps: int) -> nn.Module:
    """Three convolutions, each halving the side, trained for some steps of 32 volumes."""
    torch.manual_seed(0)
    widths = (1, 8, 16, 16)
    layers = [part for a, b in pairwise(widths) for part in (nn.Conv3d(a, b, 3, 2, 1), nn.ReLU())]
    net, rng = nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 2)), np.random.default_rng(0)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(steps):
        x, y = volumes(32, rng)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(torch.tensor(x)), torch.tensor(y)).backward()
        optimiser.step()
    return net


def scaled(values: np.ndarray) -> np.ndarray:
    """Each map from 0 to 1; a constant one becomes 0."""
    flat = values.reshape(len(values), -1)
    low, width = flat.min(axis=1, keepdims=True), np.ptp(flat, axis=1, keepdims=True)
    return np.divide(flat - low, width, out=np.zeros(flat.shape), where=width > 0).reshape(values.shape)


def judged(net: nn.Module, x: np.ndarray, target: np.ndarray, method: Any, fold: Any) -> pc.Curve:
    """The stability of a method whose maps go through `fold`."""

    def again(model: Any, z: Any) -> pc.Attribution:
        made = pc.explain(model, z, method, target=pc.Class(tuple(target.tolist()), scale="probability"))
        return pc.Attribution.from_arrays(fold(made.values), data=z, target=made.target)

    return pc.evaluate(net, again(net, x), pc.Stability(), again=again).curves[0]


def table(net: nn.Module) -> str:
    """A line per method."""
    x, target = volumes(ROWS, np.random.default_rng(1))
    lines = [
        "| method | cosine | cosine after min-max | centred cosine | rank correlation | maps without a pattern |",
        "|---|---|---|---|---|---|",
    ]
    for method in METHODS:
        raw, lifted = (judged(net, x, target, method, fold) for fold in (np.asarray, scaled))
        numbers = [raw.value, lifted.value, raw.detail["centred_cosine"], raw.detail["rank_correlation"]]
        known = " | ".join("none" if np.isnan(one).all() else f"{np.nanmean(one):.3f}" for one in numbers)
        lines.append(f"| `{_name(method)}` | {known} | {raw.degenerate.mean():.0%} |")
    return "\n".join(lines)


def _name(method: Any) -> str:
    layer = getattr(method, "layer", None)
    return type(method).__name__ + (f"(layer={layer!r})" if layer else "()")


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    made = table(network(150))
    PAGE.write_text(
        re.sub(r"(<!-- measured -->\n).*?(<!-- end -->)", rf"\g<1>{made}\n\g<2>", text, flags=re.DOTALL), "utf-8"
    )
    print(made)
