"""Layer-wise relevance propagation: the score handed back layer by layer, in proportion to what each unit contributed.

Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation" (2015). In
its plainest form (LRP-0) the relevance of input i of a linear layer z_j = sum_i x_i w_ij + b_j is

    R_i = sum_j  x_i w_ij / z_j * R_j

and other rules change the shares (`Epsilon`, `Gamma`, `AlphaBeta`, `ZPlus`; for the first layer `WSquare`, `Flat`, `ZBox`).
There is no baseline input. What biases and stabilisers keep is counted on the way: `base_values` is that absorbed relevance,
`score = base value + sum of values + gap`, and the gap is what a function without a conserving rule made or lost. A network
without biases has base values near zero and values that add up to the score.

Which rule a layer gets goes by its kind and place (composites; Montavon et al. 2019, Kohlbrenner et al. 2020):

    layer                        LRP()        epsilon_plus_flat   epsilon_gamma_box   epsilon_alpha2_beta1_flat
    linear, matmul by a weight   `rule`       Epsilon             Epsilon             Epsilon
    convolution, transposed too  `conv`       ZPlus               Gamma               AlphaBeta(2, 1)
    what reads the input         `first`      Flat                ZBox(low, high)     Flat

and in all of them: batch norm is one layer with the convolution or linear layer before it; a layer, group or RMS norm
holds its standard deviation constant; activations pass relevance unchanged; max-pooling gives all to the winner, mean-pooling
shares by contribution; products of two live factors halve; attention by `attention`. `LRP(Epsilon(0), None)` is LRP-0 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable
from pellucid.methods.gradient.deep_lift import Unruled
from pellucid.models.rewire.recipes import (
    FIRST_ONLY,
    AlphaBeta,
    Bound,
    Epsilon,
    Flat,
    Gamma,
    LayerRule,
    ZBox,
    ZPlus,
    as_rule,
)


@dataclass(frozen=True)
class LRP(GradientMethod):
    """Relevance of each cell for the score; best asked of a raw score, not of a probability.

    `rule` is for linear layers, `conv` for convolutions and `first` for layers that read the input; None means the rule of
    the next more general kind. Each is a rule or its name: "epsilon", "gamma", "alpha-beta", "z-plus", and for `first` also
    "w-square", "flat" and "z-box", whose bounds are those of what the first layer reads. `LRP.epsilon_plus_flat()` and its
    like are the usual composites. `attention`: "CP-LRP" (weights and gates are constants, conserving) or "AttnLRP" (half to
    the weights, the softmax by its gradient, which does not conserve). `unruled` as in DeepLift.
    """

    rule: LayerRule | str = Epsilon()
    conv: LayerRule | str | None = Gamma()
    first: LayerRule | str | None = None
    attention: Literal["CP-LRP", "AttnLRP"] = "CP-LRP"
    unruled: Unruled = "error"

    card: ClassVar[Card] = Card(
        question="How is the score shared among the cells, layer by layer?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a relevance per cell, adding up to score - relevance absorbed by biases",
        cost="1 forward and 1 backward row, and another forward per layer with a rule other than epsilon; recurrent layers are "
        "unrolled, about 15 times slower",
        strengths="one pass; needs no baseline; smooth maps with gamma; says how much the biases kept; rules by kind of layer: "
        "epsilon for linear layers and gamma for convolutions by default, composites with z-plus, alpha-beta, flat and z-box "
        "by name",
        weaknesses="many rules to choose from, and the choice decides the picture; z-plus alone hardly depends on the upper "
        "layers (Sixt, Granz & Landgraf 2020); biases keep what they contributed",
        paper="Bach et al. 2015",
        rows=1,
        complete=True,
    )

    def __post_init__(self) -> None:
        for name in ("rule", "conv", "first"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _checked(name, given))
        for name, known in (("attention", ("CP-LRP", "AttnLRP")), ("unruled", ("error", "gradient"))):
            if getattr(self, name) not in known:
                raise MethodError(f"LRP({name}={getattr(self, name)!r}): choose {known[0]!r} or {known[1]!r}.")

    @classmethod
    def epsilon_plus_flat(cls, **fields: Any) -> LRP:
        """Epsilon for linear layers, z-plus for convolutions, flat for the first."""
        return cls(Epsilon(), ZPlus(), Flat(), **fields)

    @classmethod
    def epsilon_gamma_box(cls, low: Bound, high: Bound, **fields: Any) -> LRP:
        """Epsilon for linear layers, gamma for convolutions, z-box for the first."""
        return cls(Epsilon(), Gamma(), ZBox(low, high), **fields)

    @classmethod
    def epsilon_alpha2_beta1_flat(cls, **fields: Any) -> LRP:
        """Epsilon for linear layers, alpha 2 beta 1 for convolutions, flat for the first."""
        return cls(Epsilon(), AlphaBeta(2.0, 1.0), Flat(), **fields)

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        from pellucid.models.rewire.lrp import FIRST_LAYER, table

        rule, conv = as_rule(self.rule), as_rule(self.rule if self.conv is None else self.conv)
        first = None if self.first is None else as_rule(self.first)
        made = f.rewired(x, None, table(rule, conv, first, cp=self.attention == "CP-LRP", unruled=self.unruled))
        unread = first is not None and FIRST_LAYER not in made.met
        said = (f"no linear layer reads the input itself, so first={first!r} had nothing to do",) if unread else ()
        return Parts(made.values, base_values=made.base_values, unruled=made.unruled, warnings=said)


def _checked(name: str, given: Any) -> LayerRule:
    rule = as_rule(given)
    if name != "first" and isinstance(rule, FIRST_ONLY):
        raise MethodError(
            f"LRP({name}={rule!r}): this rule also serves cells that are zero, so it stands only as first=."
        )
    return rule
