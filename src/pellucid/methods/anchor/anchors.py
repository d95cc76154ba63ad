"""Anchors: a rule that is enough for the model's answer, whatever the rest of the row is.

Ribeiro, Singh & Guestrin, "Anchors: High-Precision Model-Agnostic Explanations" (AAAI 2018). A rule A that holds for x is an
anchor if, under the perturbations D(z | A) of x that keep to it,

    prec(A) = E_{z ~ D(z|A)} [f(z) = f(x)] >= threshold   with probability 1 - delta,

and among anchors the one of greatest coverage, P(A(z)), is wanted. The search (`search.py`) is theirs: rules grow by one
condition at a time, the `beam_size` most precise ones are kept, chosen by KL-LUCB (Kaufmann & Kalyanakrishnan, COLT 2013),
and only rules of more coverage than the best anchor so far are looked at. A rule is taken as an anchor when its sampled
precision is at least `threshold` and its lower bound at least `threshold - tau`: that is the promise which holds, together
for all the rules and looks of one row's search, with probability 1 - delta.

Four things differ from the authors' package. `delta` covers the whole search of a row, not one comparison. Every rule that
looks precise enough is examined, the widest first, and not only the few most precise ones; and the anchor that was found is
widened, condition by condition, as long as what comes out is an anchor too: so rules are wider. Samples are drawn anew at each
size of rules, so that what made a rule be chosen does not speak for it again.

Tables (`table.py`): a number's conditions are cuts at quantiles of the background (`bins`), levels are kept, in their order
where they have one, and a missing value is a condition of its own. Parts of pictures and texts (`masks.py`): a part is there.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method, check_positive


@dataclass(frozen=True)
class Anchors(Method):
    """`threshold` is the precision wanted; `tau` how far its lower bound may stay below; `delta` the chance that a row's bounds
    do not hold; `beam_size` how many rules are grown further; `epsilon` how much precision the choice of those may lose;
    `batch` how many samples a rule gets first, doubled from look to look; `bins` how many quantile bins a number has;
    `max_size` how many conditions a rule may have at most; `within` how far numbers may differ and still be the same answer.
    """

    threshold: float = 0.95
    tau: float = 0.05
    delta: float = 0.05
    beam_size: int = 2
    epsilon: float = 0.15
    batch: int = 25
    bins: int = 4
    max_size: int | None = 6
    within: float | None = None
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="What is enough for this answer?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a rule per row, with its precision and how much of the data it applies to",
        cost="thousands of rows: more for rules near the threshold",
        strengths="says where it applies; precision with bounds that hold; one rule reads as one sentence",
        weaknesses="perturbed rows ignore that columns go together; near a border of the model rules get long and narrow",
        paper="Ribeiro, Singh & Guestrin 2018",
        rows=1000,
        verb="anchor",
        sampled=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "tau", "epsilon", "beam_size", "batch", "bins", *self._given())
        for name in ("beam_size", "batch", "bins", *(["max_size"] if self.max_size is not None else [])):
            if not isinstance(getattr(self, name), int):
                raise MethodError(f"Anchors({name}={getattr(self, name)!r}): expected a whole number.")
        for name in ("threshold", "delta"):
            if not 0 < getattr(self, name) < 1 and not (name == "threshold" and self.threshold == 1):
                raise MethodError(f"Anchors({name}={getattr(self, name)!r}): expected a share between 0 and 1.")
        if self.bins < 2:
            raise MethodError(f"Anchors(bins={self.bins}): a cut needs at least 2 bins.")

    def _given(self) -> list[str]:
        return ["max_size"] * (self.max_size is not None) + ["within"] * bool(self.within)

    def noise(self, level: int, block: int) -> np.random.Generator:
        """The stream of the samples of one size of rules, in blocks; the same for every row."""
        return np.random.default_rng((self.seed, zlib.crc32(b"Anchors"), level, block))
