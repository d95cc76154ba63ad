"""Score-CAM: each channel is weighted by what the model says of the picture seen through it.

Wang et al., "Score-CAM" (CVPR Workshops 2020), eq. 5 to 7: with H^k the channel's activation at the input's size, scaled to
[0, 1], and X_b the baseline, zeros in the paper,

    C_k = f(X_b + H^k * (X - X_b)) - f(X_b)        alpha = softmax(C)        L = ReLU(sum_k alpha_k A^k)

f is the score on the target's own scale. A channel that is constant masks nothing and gets no weight. Several baselines are
averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import softmax

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable, pieces
from pellucid.methods.cam.maps import as_parts, weighted

_CELLS = 2**22  # numbers of masks held at once


@dataclass(frozen=True)
class ScoreCAM(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens; `baseline` is seen where a mask is dark."""

    layer: str | None = None
    grid: tuple[int, int] | None = None
    baseline: BaselineLike = "zeros"

    card: ClassVar[Card] = Card(
        question="Which channels' places keep the score up on their own?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a map over places",
        cost="one forward row per channel of the layer",
        strengths="weights come from answers of the model, not from gradients",
        weaknesses="hundreds of times the cost of Grad-CAM; the softmax lets one channel win where scores are large; "
        "on 5 photographs no better than a random order on deletion and no better than a random order on insertion "
        "(docs/evidence/gradient.md)",
        paper="Wang et al. 2020",
        rows=100,
    )

    def __post_init__(self) -> None:
        check_baseline(self.baseline)

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        empty = references(self.baseline, x, None, channels=f.channels, schema=f.schema)  # (draws, n, *features)
        rows = [_scores(f.take(slice(i, i + 1)), x[i : i + 1], empty[:, i : i + 1], layer, i) for i in range(len(x))]
        return as_parts(weighted(np.stack(rows), layer.activations), layer, relu=True)


def _scores(f: Differentiable, x: np.ndarray, empty: np.ndarray, layer: Captured, row: int) -> np.ndarray:
    """x (1, *features), empty (draws, 1, *features) -> alpha (k,)"""
    maps = layer.activations[row]  # (k, *spatial)
    space = tuple(range(1, maps.ndim))
    low, high = maps.min(axis=space, keepdims=True), maps.max(axis=space, keepdims=True)
    alive = (high > low).ravel()
    scaled = (maps[alive] - low[alive]) / (high[alive] - low[alive])
    scaled = scaled.astype(np.result_type(x, np.float32))
    cells = max(1, _CELLS // int(np.prod(x.shape[2:])))
    seen = [_seen(f, x, layer.upsample(scaled[part]), empty) for part in pieces(len(scaled), cells)]
    alpha = np.zeros(len(maps))
    if seen:
        alpha[alive] = softmax(np.concatenate(seen) - f(empty).mean())
    return alpha


def _seen(f: Differentiable, x: np.ndarray, masks: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """masks (m, *space) -> the score of x through each of them (m,), the mean over baselines"""
    return np.mean([f.blend(x, masks, reference)[0] for reference in empty], axis=0)
