"""Opponents: a label is suspect where training on it raises the loss of rows that are known to be right.

Koh & Liang, "Understanding Black-box Predictions via Influence Functions" (ICML 2017), and Pruthi et al. (NeurIPS 2020), whose
"opponents" of a query are the training rows of negative influence. Over a set T of rows whose labels are trusted,

    score_i = - mean_{t in T} I(t, i)

positive where row i harms. Unlike self-influence it does not mistake what is rare for what is wrong, and it needs the trusted rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.errors import MethodError
from pellucid.core.method import Card
from pellucid.methods.influence.base import InfluenceMethod
from pellucid.methods.influence.influence_functions import InfluenceFunctions
from pellucid.methods.label.base import Labelled, LabelMethod, Suspicion
from pellucid.methods.label.self_influence import check_method, traced


@dataclass(frozen=True)
class Opponents(LabelMethod):
    """`method` is one of influence: InfluenceFunctions(l2=...), EKFAC(), TracIn() or GradientSimilarity()."""

    method: InfluenceMethod = InfluenceFunctions()

    card: ClassVar[Card] = Card(
        question="Which labels speak against rows that are known to be right?",
        scope="global",
        access="training data",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one number per label, positive where it harms the trusted rows",
        cost="that of the influence method, with the trusted rows as queries",
        strengths="tells wrong from rare; says what harms, whatever the reason",
        weaknesses="needs rows with labels that can be trusted, of every kind",
        paper="Koh & Liang 2017; Pruthi, Liu, Kale & Sundararajan 2020",
        rows=10,
        verb="label_errors",
    )

    def __post_init__(self) -> None:
        check_method(self, self.method)

    def suspect(self, rows: Labelled) -> Suspicion:
        if rows.trusted is None:
            raise MethodError("Opponents needs trusted=(X, y), rows whose labels are known to be right.")
        made = traced(rows, rows.trusted, self.method)
        return Suspicion(-made.helpful, warnings=made.receipt.warnings, notes=made.receipt.notes)
