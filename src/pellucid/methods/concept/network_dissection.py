"""Network dissection: which units of a layer are detectors of concepts that people can mark in pictures.

Bau, Zhou, Khosla, Oliva & Torralba, "Network Dissection: Quantifying Interpretability of Deep Visual Representations" (CVPR 2017).
For unit k, T_k is the level that its activation exceeds at a share `quantile` of all places of all inputs; its activation map,
interpolated to the size of the masks, gives the region M_k = [S_k > T_k], and over the whole data set

    IoU(k, c) = sum |M_k and L_c| / sum |M_k or L_c|

with L_c the pixels marked as concept c. A unit is a detector of its best concept if IoU > `threshold`, 0.04 in the paper.

Where this differs: M_k is above T_k, not at it, so a unit that is silent at nearly all places does not cover all of them; maps are
interpolated between pixel centres, without offsets of receptive fields; all pixels of all inputs count, except those marked
with a negative number. A region of share a and a concept of share b overlap min(a, b) / max(a, b) at most: with 0.005 of all
places, no unit can be a detector of what covers more than an eighth of all pixels. Each overlap has an error bar (a jackknife over
up to 20 groups of consecutive inputs, levels kept) and a chance level, the overlap with the masks of the inputs half the data set
away; a concept's p is that of its best unit being above chance, times the number of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method, check_positive


@dataclass(frozen=True)
class NetworkDissection(Method):
    """`quantile` is the share of places where a unit counts as on, `threshold` the IoU above which it is a detector.

    `top` is how many inputs are kept for each unit; `level` is that of the test against the masks of other inputs.
    """

    quantile: float = 0.005
    threshold: float = 0.04
    top: int = 4
    level: float = 0.05

    card: ClassVar[Card] = Card(
        question="Which units of a layer detect things that people have words for?",
        scope="global",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="for each unit its concept, their overlap beside chance, and the inputs that excite it most",
        cost="each input once, or twice where activations do not fit into memory",
        strengths="says what single units hold, by a number that can be checked by eye; needs no gradient and no target",
        weaknesses="needs pixel masks; knows only the concepts given; concepts spread over many units go unseen",
        paper="Bau, Zhou, Khosla, Oliva & Torralba 2017",
        rows=1,
        verb="concepts",
    )

    def __post_init__(self) -> None:
        check_positive(self, "top")
        if isinstance(self.top, bool) or not isinstance(self.top, int):
            raise MethodError(f"NetworkDissection(top={self.top!r}): expected a whole number from 1 on.")
        for name in ("quantile", "threshold", "level"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                raise MethodError(f"NetworkDissection({name}={value!r}): expected a share between 0 and 1.")
