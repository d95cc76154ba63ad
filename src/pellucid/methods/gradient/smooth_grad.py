"""SmoothGrad: any gradient method or class activation map, averaged over noisy copies of the input.

Smilkov et al., "SmoothGrad" (2017): M(x) = mean over s of M_c(x + e_s), e_s ~ N(0, sigma^2). `noise` is sigma in shares of each
row's own range (the paper's 10 to 20 %), or absolute. One noise stream serves all rows.

Averaging does not keep axioms: around a complete method the values add up to the mean of F(x + e) - F(x'), not to F(x) - F(x').
On x^2 at x = 1 with sigma = 0.5 that is 1.25 instead of 1. The record's gap says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, GradientMethod, LayerMethod, Parts, check_positive, differentiate
from pellucid.core.scalar import Differentiable, pieces
from pellucid.methods.gradient.averaging import Running
from pellucid.methods.gradient.saliency import Saliency

_CELLS = 2**20  # numbers of noisy copies explained at once


@dataclass(frozen=True)
class SmoothGrad(GradientMethod):
    """`method` is what is averaged; `noise` a share of each row's range, or absolute where `relative` is False."""

    method: GradientMethod | LayerMethod = Saliency()
    samples: int = 50
    noise: float = 0.15
    relative: bool = True
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Which cells matter around this input, not only at it?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal", "text"),
        output="the mean of another method's values, with its standard error",
        cost="`samples` times the method it wraps",
        strengths="removes visual noise; comes with an error bar; wraps any gradient method or class activation map",
        weaknesses="explains a blurred model; a complete method is no longer complete; the noise level is a choice",
        paper="Smilkov et al. 2017",
        rows=100,
        sampled=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "samples", "noise")
        if not isinstance(self.method, GradientMethod | LayerMethod):
            raise MethodError(f"SmoothGrad(method={self.method!r}): give a gradient method or a class activation map.")

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        n, room = len(x), max(1, _CELLS // x.size)
        sigma = self.noise * (np.ptp(x.reshape(n, -1), axis=1) if self.relative else np.ones(n))
        running: dict[str, Running] = {}
        first: Parts | None = None
        for part in pieces(self.samples, room):
            if first is not None and f.meter.spent:
                break
            copies = part.stop - part.start
            noise = rng.standard_normal((copies, 1, *x.shape[1:])) * sigma.reshape(n, *[1] * (x.ndim - 1))
            noisy = (x + noise).astype(x.dtype).reshape(-1, *x.shape[1:])  # (copies * n, *features)
            drawn = differentiate(self.method, f.take(np.tile(np.arange(n), copies)), noisy, background, rng)
            _add(running, drawn, n)
            first = first or drawn
        assert first is not None
        raw, base = (running[name].mean if name in running else None for name in ("raw", "base_values"))
        return Parts(
            running["values"].mean,
            stderr=running["values"].stderr,
            raw=raw,
            base_values=base,
            layer=first.layer,
            unruled=first.unruled,
            warnings=_still(sigma),
        )


def _still(sigma: np.ndarray) -> tuple[str, ...]:
    """sigma (n,) -> what to say of rows to which nothing was added"""
    still = int((sigma == 0).sum())
    if not still:
        return ()
    return (
        f"{still} of {len(sigma)} rows have no range, so they got no noise: relative=False gives noise in x's own unit",
    )


def _add(running: dict[str, Running], drawn: Parts, n: int) -> None:
    """Parts of (copies * n) rows join the means over copies, for n rows"""
    for name in ("values", "raw", "base_values"):
        part = getattr(drawn, name)
        if part is not None:
            running.setdefault(name, Running()).add(part.reshape(-1, n, *part.shape[1:]))
