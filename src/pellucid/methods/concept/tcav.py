"""TCAV: does the output rise when a layer's activations move towards a concept?

Kim, Wattenberg, Gilmer, Cai, Wexler, Viegas & Sayres, "Interpretability beyond feature attribution: quantitative testing with
concept activation vectors" (2018). A concept is a set of examples. At a layer a(x), a linear classifier tells the concept's
activations from those of a random set; the normal of its boundary, towards the concept, is the concept activation vector v. With
the score f(x) = h(a(x)),

    S(x) = dh/da (a(x)) . v / |v|                     the sensitivity of one input
    TCAV = share of inputs x with S(x) > 0            an input with S(x) = 0 counts half

v is the weight vector of a logistic regression, or in closed form the difference of the two means (FastCAV: Schmalwasser, Penzel,
Denzler & Niebling 2025). Both lie in the span of the examples, so gradients meet the examples once, and every further random set
costs products of small matrices.

The authors' own code takes the gradient of the *loss*, where moving towards a concept that helps a class lowers the number, and
counts S < 0; here the score itself is differentiated and positive means that the concept raises it. With a cross-entropy loss the
two differ by what the concept does to the other classes.

Each of many `runs` draws the concept's examples anew with replacement and meets another random set, so the spread over runs knows
of both samples. The score is the mean over runs, its standard error their standard deviation, and the two-sided p value

    p = 2 (1 + min(#runs <= 1/2, #runs >= 1/2)) / (runs + 1),

corrected over all concepts and layers after Holm (1979). (The usual t test over random sets keeps one and the same concept set, and
so takes a hundred runs for a hundred samples of the concept.) A CAV means nothing where its classifier does not tell concept from
random on examples left out of the run: such a concept gets no score, and the record says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method, check_positive

CAVS = ("logistic", "mean-difference")
POOLS = (None, "flatten", "mean")


@dataclass(frozen=True)
class TCAV(Method):
    """`cav` is how the direction is found, "logistic" or "mean-difference"; `penalty` is the weight of the squared norm in the
    logistic regression, where activations are scaled to length 1 on average.

    `runs` is how many times concept and random examples are drawn; `pool` says what is the vector of an example: the whole layer
    ("flatten"), the mean over its places ("mean"), or None for the whole layer where it has one size and the mean over the tokens
    of texts; `level` is that of all tests, after correction; `seed` draws the examples.
    """

    cav: Literal["logistic", "mean-difference"] = "logistic"
    penalty: float = 0.01
    runs: int = 400
    pool: Literal["flatten", "mean"] | None = None
    level: float = 0.05
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Does a concept that people have a word for raise this output?",
        scope="global",
        access="inner layer",
        inputs=("table", "image", "volume", "signal", "text"),
        output="per concept and layer: the share of inputs whose score it raises, with interval and test",
        cost="1 row forward per example, 1 forward and backward per input, whatever the number of concepts, layers and runs",
        strengths="speaks in the user's own words; tested against random sets; says when a layer does not know the concept",
        weaknesses="as good as the example sets: what else these have in common is part of the concept; a share, not a size",
        paper="Kim et al. 2018",
        sampled=True,
        rows=1,
        verb="concepts",
    )

    def __post_init__(self) -> None:
        check_positive(self, "penalty", "runs")
        if self.cav not in CAVS:
            raise MethodError(f"TCAV(cav={self.cav!r}): expected one of {', '.join(map(repr, CAVS))}.")
        if self.pool not in POOLS:
            raise MethodError(f"TCAV(pool={self.pool!r}): expected one of {', '.join(map(repr, POOLS))}.")
        if not 0 < self.level < 1:
            raise MethodError(f"TCAV(level={self.level!r}): expected a level between 0 and 1.")
        if self.runs < 20:
            raise MethodError(f"TCAV(runs={self.runs!r}): fewer than 20 runs bear no test: give at least 20.")
