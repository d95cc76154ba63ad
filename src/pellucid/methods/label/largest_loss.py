"""The loss: a label is suspect where the model finds it unlikely.

    score_i = -log p(y_i | x_i)

the ranking by "self-confidence" of Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR
2021), who ask models that have not seen the row. The rival that every other method has to beat: one pass. A model that has learned
its training labels by heart, the wrong ones among them, no longer shows it; ask it about rows that it was not trained on, or take
`LeftOutLoss`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.method import Card
from pellucid.methods.label.base import Labelled, LabelMethod, Suspicion, loss


@dataclass(frozen=True)
class LargestLoss(LabelMethod):
    """Has no fields: the model's own probability of each label says it all."""

    card: ClassVar[Card] = Card(
        question="Which labels does the model find unlikely?",
        scope="global",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one number per label, larger where it is more suspect",
        cost="each row once",
        strengths="one pass of any classifier; hard to beat where the model does not overfit",
        weaknesses="blind where the model has learned the wrong labels by heart",
        paper="Northcutt, Jiang & Chuang 2021",
        rows=1,
        verb="label_errors",
    )

    def suspect(self, rows: Labelled) -> Suspicion:
        return Suspicion(loss(rows.probabilities, rows.columns))
