"""Linear probes: can a label be read off a layer's activations by a linear classifier, and is that the layer's merit?

Alain & Bengio, "Understanding intermediate layers using linear classifier probes" (2016); Hewitt & Liang, "Designing and
interpreting probes with control tasks" (2019). The network is frozen; on vectors a_i of a layer (standardised) and labels y_i

    min over W, b of  mean_i cross-entropy(W a_i + b, y_i) + penalty / 2 |W|^2

is fitted on some rows and its accuracy measured on others. A probe that is strong enough learns anything, so the same probe is
given a *control task*: every type (a word, whatever its context) gets a label drawn once from the distribution of labels. Only
remembering types solves that, and

    selectivity = accuracy - control accuracy

is what the layer's structure, not the probe's memory, is good for. Where there are no types each example has a control label of
its own, which nothing can carry over to held-out rows: control accuracy is then chance, and `memorised`, the accuracy on the
control labels that the probe was *trained* on, says how much it can learn by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method, check_positive

POOLS = ("mean", "max", "flatten")


@dataclass(frozen=True)
class LinearProbe(Method):
    """`penalty` is the weight of the squared norm beside the mean cross-entropy; `test` is the share of rows held out.

    `controls` is how many control tasks are drawn, 0 for none; `pool` says what is the vector of a row whose label is about all of
    it: the mean or maximum over its places, or the whole layer; `seed` splits rows and draws control labels.
    """

    penalty: float = 1e-3
    test: float = 0.3
    controls: int = 2
    pool: Literal["mean", "max", "flatten"] = "mean"
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Can this label be read off a layer, and is that the layer's merit?",
        scope="global",
        access="inner layer",
        inputs=("table", "image", "volume", "signal", "text"),
        output="per layer: held-out accuracy with interval, the same on control labels, and their difference",
        cost="1 row forward per example, whatever the number of layers",
        strengths="all layers in one pass; a control task tells a good representation from a good probe",
        weaknesses="what can be read off a layer need not be used by the network: ask TCAV, or intervene",
        paper="Alain & Bengio 2016; Hewitt & Liang 2019",
        sampled=True,
        rows=1,
        verb="probe",
    )

    def __post_init__(self) -> None:
        check_positive(self, "penalty")
        if not 0 < self.test < 1:
            raise MethodError(f"LinearProbe(test={self.test!r}): expected a share of rows between 0 and 1.")
        if not (isinstance(self.controls, int) and self.controls >= 0):
            raise MethodError(f"LinearProbe(controls={self.controls!r}): expected a whole number from 0 on.")
        if self.pool not in POOLS:
            raise MethodError(f"LinearProbe(pool={self.pool!r}): expected one of {', '.join(map(repr, POOLS))}.")
