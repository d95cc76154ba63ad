"""SmoothGrad: any gradient method or class activation map, averaged over noisy copies of the input.

Smilkov et al., "SmoothGrad" (2017): M(x) = mean over s of M_c(x + e_s), e_s ~ N(0, sigma^2). `noise` is sigma in shares of each
row's own range (the paper's 10 to 20 %), or absolute. One noise stream serves all rows.

Averaging does not keep axioms: around a complete method the values add up to the mean of F(x + e) - F(x'), not to F(x) - F(x').
On x^2 at x = 1 with sigma = 0.5 that is 1.25 instead of 1. The record's gap says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, GradientMethod, LayerMethod, Parts, check_positive, differentiate
from pellucid.core.scalar import Differentiable, pieces
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
        drawn: list[Parts] = []
        for part in pieces(self.samples, room):
            if drawn and f.meter.spent:
                break
            copies = part.stop - part.start
            noise = rng.standard_normal((copies, 1, *x.shape[1:])) * sigma.reshape(n, *[1] * (x.ndim - 1))
            noisy = (x + noise).astype(x.dtype).reshape(-1, *x.shape[1:])  # (copies * n, *features)
            drawn.append(differentiate(self.method, f.take(np.tile(np.arange(n), copies)), noisy, background, rng))
        return replace(_mean(drawn, n), warnings=_still(sigma))


def _still(sigma: np.ndarray) -> tuple[str, ...]:
    """sigma (n,) -> what to say of rows to which nothing was added"""
    still = int((sigma == 0).sum())
    if not still:
        return ()
    return (
        f"{still} of {len(sigma)} rows have no range, so they got no noise: relative=False gives noise in x's own unit",
    )


def _mean(drawn: list[Parts], n: int) -> Parts:
    """Parts of (copies * n) rows each -> their mean over copies and its standard error, for n rows"""
    values, stderr = _over_copies([part.values for part in drawn], n)
    first = drawn[0]
    raws = [part.raw for part in drawn if part.raw is not None]
    bases = [part.base_values for part in drawn if part.base_values is not None]
    return Parts(
        values,
        stderr=stderr,
        raw=_over_copies(raws, n)[0] if raws else None,
        base_values=_over_copies(bases, n)[0] if bases else None,
        layer=first.layer,
        unruled=first.unruled,
    )


def _over_copies(parts: list[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    whole = np.concatenate([part.reshape(-1, n, *part.shape[1:]) for part in parts])  # (samples, n, ...)
    spread = whole.std(axis=0, ddof=1) if len(whole) > 1 else np.full(whole.shape[1:], np.nan)
    return whole.mean(axis=0), spread / np.sqrt(len(whole))
