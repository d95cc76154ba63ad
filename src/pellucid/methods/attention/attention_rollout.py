"""Attention rollout: how much of each token has mixed into the output's token. A reference, not an explanation.

Abnar & Zuidema, "Quantifying Attention Flow in Transformers" (ACL 2020), section 3: with A_l the attention of layer l averaged over
heads and I for the residual connection,

    A~_l = (A_l + I) / 2, its rows made to add up to one,    R = A~_L A~_(L-1) ... A~_1,

and the values are the row of R of the token that the output is read from. Attention is no explanation of the score: it can be
exchanged without the output changing (Jain & Wallace, "Attention is not Explanation", NAACL 2019), it leaves out what the values
and the feed-forward layers do with what was attended to, it is never negative, and it is the same for every target. It is here
to be compared with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import AttentionMethod, Card, Parts
from pellucid.core.scalar import Attended

NO_EXPLANATION = (
    "attention is no explanation of the score (Jain & Wallace 2019): these values are shares of mixing, never negative and the "
    "same for every target; they add up to no score, so there is no base value and no gap"
)


@dataclass(frozen=True)
class AttentionRollout(AttentionMethod):
    """`token` is where the output is read: "first" ([CLS]), "last", or None, last where tokens only look back, else first."""

    token: Literal["first", "last"] | None = None

    card: ClassVar[Card] = Card(
        question="How much of each token has mixed into the output's token, by attention alone?",
        scope="local",
        access="inner layer",
        inputs=("text",),
        output="a share per token, never negative; a reference, not an explanation",
        cost="1 forward row",
        strengths="one pass and no gradients; the usual picture of attention, to compare explanations with",
        weaknesses="attention is no explanation of the score (Jain & Wallace 2019): it does not depend on the target, has no sign, "
        "adds up to nothing and leaves out the values and the feed-forward layers",
        paper="Abnar & Zuidema 2020",
        rows=1,
        fails="to depend on the target: every class gets the same values",
    )

    def __post_init__(self) -> None:
        if self.token not in (None, "first", "last"):
            raise MethodError(f"AttentionRollout(token={self.token!r}): choose 'first', 'last' or None.")

    def attribute(self, x: np.ndarray, batches: Iterable[Attended]) -> Parts:
        values, start, said = np.zeros(x.shape), 0, []
        for batch in batches:
            last = self.token == "last" or (self.token is None and batch.backwards)
            said.append(f"attention rolled out from the {'last' if last else 'first'} token")
            shares = rollout(batch, _output_token(batch.real, last))
            rows, places = np.nonzero(batch.places >= 0)
            values[start + rows, batch.places[rows, places]] = shares[rows, places]
            start += len(shares)
        return Parts(values, warnings=(NO_EXPLANATION,), notes=tuple(dict.fromkeys(said)))


def rollout(batch: Attended, token: np.ndarray) -> np.ndarray:
    """Token (b,) -> its row of A~_L ... A~_1, (b, T); from the left, so that only vectors are multiplied"""
    same = np.eye(batch.real.shape[1])
    shares: np.ndarray = same[token]
    for attention in reversed(batch.maps):
        mixed = (attention + same) / 2
        mixed /= mixed.sum(axis=2, keepdims=True)
        shares = np.einsum("bt,bts->bs", shares, mixed)
    return shares


def _output_token(real: np.ndarray, last: bool) -> np.ndarray:
    """real (b, T) -> the first or last place (b,) that holds a token"""
    return real.shape[1] - 1 - real[:, ::-1].argmax(axis=1) if last else real.argmax(axis=1)
