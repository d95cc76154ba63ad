"""Self-influence: a label that nothing else in the data teaches rests on its own row.

Koh & Liang, "Understanding Black-box Predictions via Influence Functions" (ICML 2017), section 5.4; Pruthi, Liu, Kale &
Sundararajan, "Estimating Training Data Influence by Tracing Gradient Descent" (NeurIPS 2020):

    score_i = I(i, i)

how far training on row i lowered the loss of row i itself, by any method of influence that tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pellucid.core.errors import MethodError
from pellucid.core.influence import Influence
from pellucid.core.method import Card
from pellucid.methods.influence.base import InfluenceMethod
from pellucid.methods.influence.influence_functions import InfluenceFunctions
from pellucid.methods.influence.run import influence
from pellucid.methods.label.base import Labelled, LabelMethod, Suspicion


@dataclass(frozen=True)
class SelfInfluence(LabelMethod):
    """`method` is one of influence: InfluenceFunctions(l2=...), EKFAC(), TracIn() or GradientSimilarity()."""

    method: InfluenceMethod = InfluenceFunctions()

    card: ClassVar[Card] = Card(
        question="Which labels does no other training row teach?",
        scope="global",
        access="training data",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one number per label, larger where it is more suspect",
        cost="that of the influence method",
        strengths="sees what the network had to learn by heart",
        weaknesses="rare rows look like wrong labels; seldom beats the loss",
        paper="Koh & Liang 2017; Pruthi, Liu, Kale & Sundararajan 2020",
        rows=10,
        verb="label_errors",
    )

    def __post_init__(self) -> None:
        check_method(self, self.method)

    def suspect(self, rows: Labelled) -> Suspicion:
        made = traced(rows, (rows.X[:1], rows.columns[:1]), self.method)
        if made.self_influence is None:
            raise MethodError(f"{self.method!r} tells no self-influence: give InfluenceFunctions(), which is exact.")
        return Suspicion(made.self_influence, warnings=made.receipt.warnings, notes=made.receipt.notes)


def check_method(holder: LabelMethod, method: object) -> None:
    """Refuse what traces no training data, when the holder is made."""
    if not isinstance(method, InfluenceMethod):
        raise MethodError(
            f"{type(holder).__name__}(method={method!r}): expected InfluenceFunctions(), EKFAC(), TracIn() or GradientSimilarity()."
        )


def traced(rows: Labelled, query: Any, method: InfluenceMethod) -> Influence:
    """The influence of the labelled rows on some queries; its cost is counted."""
    kept = rows.checkpoints if method.checkpointed else None
    made = influence(rows.model, (rows.X, rows.columns), query, method, checkpoints=kept)
    rows.meter.add(forward=made.receipt.rows_forward, backward=made.receipt.rows_backward)
    return made
