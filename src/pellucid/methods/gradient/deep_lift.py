"""DeepLIFT: how much of the change of the score, from a reference input to this one, each cell's change brought about.

Shrikumar, Greenside & Kundaje, "Learning Important Features Through Propagating Activation Differences" (ICML 2017). Each
function passes the change of its output back to the changes of its inputs by multipliers, which the chain rule combines:

    value_i = m_i * (x_i - x'_i)            sum_i value_i = F(x) - F(x')

Where a gradient sees only the slope at x, a multiplier sees the whole way from the reference, so saturation hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.errors import MethodError
from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable, pieces
from pellucid.methods.gradient.averaging import averaged

_PAIRS = 32  # rows compared at once where there are fewer rows than this to explain

Name = Literal["rescale", "reveal-cancel"]
Unruled = Literal["error", "gradient"]


@dataclass(frozen=True)
class DeepLift(GradientMethod):
    """How a score differs from that of a baseline, cell by cell.

    `baseline` as in IntegratedGradients, several averaged with an error bar. `rule`: "rescale", or "reveal-cancel", which
    keeps positive and negative contributions apart where a nonlinearity reads a linear layer (about four times the cost).
    `unruled="gradient"` lets functions without a rule keep their own gradient, and the receipt lists them.
    """

    baseline: BaselineLike = None
    rule: Name = "rescale"
    unruled: Unruled = "error"

    card: ClassVar[Card] = Card(
        question="What did each cell's change from the baseline contribute?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per cell, adding up to score - baseline score",
        cost="2 forward rows and 1 backward row per baseline; recurrent layers are unrolled, about 15 times slower",
        strengths="adds up to rounding; not blind to saturation; two passes where integrated gradients take dozens",
        weaknesses="the answer depends on the baseline and on how the network is written (two networks with equal outputs may "
        "get different values)",
        paper="Shrikumar, Greenside & Kundaje 2017",
        rows=1,
        complete=True,
    )

    def __post_init__(self) -> None:
        check_baseline(self.baseline)
        check_rule(self)

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        starts = references(self.baseline, x, background, channels=f.channels, schema=f.schema)
        return compared(f, x, starts, self.rule, self.unruled)


def compared(f: Differentiable, x: np.ndarray, starts: np.ndarray, rule: Name, unruled: Unruled) -> Parts:
    """x (n, *features), starts (r, n, *features) -> the mean over references, with its standard error"""
    from pellucid.models.rewire import deeplift, reveal

    table = {"rescale": deeplift, "reveal-cancel": reveal}[rule].table(unruled)
    base, met = np.zeros(len(x)), dict[str, None]()

    def each() -> Iterator[np.ndarray]:
        for part in pieces(len(starts), max(1, _PAIRS // len(x))):
            made = f.rewired(np.broadcast_to(x, starts[part].shape), starts[part], table)
            np.add(base, made.base_values.sum(axis=0) / len(starts), out=base)
            met.update(dict.fromkeys(made.unruled))
            yield from (x - starts[part]) * made.values

    mean, stderr = averaged(each())
    return Parts(mean, base_values=base, stderr=stderr, unruled=tuple(met))


def check_rule(method: object) -> None:
    """Refuse a rule that does not exist, when the method is made."""
    for name, known in (("rule", ("rescale", "reveal-cancel")), ("unruled", ("error", "gradient"))):
        given = getattr(method, name)
        if given not in known:
            raise MethodError(f"{type(method).__name__}({name}={given!r}): choose {known[0]!r} or {known[1]!r}.")
