"""DeepSHAP: DeepLIFT averaged over background rows, as an approximation of Shapley values.

Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions" (NeurIPS 2017), section 4.2; Chen, Lundberg & Lee (2022).
With background rows b_1 ... b_r,

    value_i = mean_k DeepLIFT_i(x, b_k)            sum_i value_i = F(x) - mean_k F(b_k)

Exact Shapley values for a linear network and for products of two factors; an approximation otherwise. The standard error
says how much the answer would change with another background of the same size from the same source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.baseline import references
from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable
from pellucid.methods.gradient.deep_lift import Name, Unruled, check_rule, compared


@dataclass(frozen=True)
class DeepShap(GradientMethod):
    """`rule` and `unruled` as in DeepLift; every background row is one reference."""

    rule: Name = "rescale"
    unruled: Unruled = "error"

    card: ClassVar[Card] = Card(
        question="What did each cell contribute, compared with typical data?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal"),
        output="a contribution per cell, adding up to score - mean background score",
        cost="1 forward and 1 backward row per background row, and the background's own forward rows",
        strengths="adds up to rounding; far cheaper than sampling coalitions; says how far it depends on the background drawn",
        weaknesses="only approximates Shapley values; the answer depends on the background and on how the network is written",
        paper="Lundberg & Lee 2017",
        rows=1,
        complete=True,
    )

    def __post_init__(self) -> None:
        check_rule(self)

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        starts = references("background", x, background, channels=f.channels, schema=f.schema)
        return compared(f, x, starts, self.rule, self.unruled)
