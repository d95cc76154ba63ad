"""Reasons: the evidence that a network of prototypical parts adds up, which is its answer and not a view of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.records import Record, per_row


@dataclass(frozen=True, eq=False, kw_only=True)
class Reasons(Record):
    """`logits (n, c) = similarity (n, m) @ weights (c, m).T`, exactly: what is shown is all there is.

    `maps (n, m, h, w)` is the similarity to each prototype at each patch of the input, `place (n, m, 2)` where it is largest.
    A prototype is a patch of a training image: `source (m,)` says which image (-1 before prototypes were projected),
    `source_place (m, 2)` which patch of it, `classes (m,)` which class it was learned for.
    """

    logits: np.ndarray = per_row()
    similarity: np.ndarray = per_row()
    maps: np.ndarray = per_row()
    place: np.ndarray = per_row()
    weights: np.ndarray
    classes: np.ndarray
    source: np.ndarray
    source_place: np.ndarray

    def __len__(self) -> int:
        return len(self.logits)

    def evidence(self, row: int, target: int | None = None) -> np.ndarray:
        """(m,) what each prototype adds to a logit, the predicted class's if none is named; their sum is that logit"""
        of = int(self.logits[row].argmax()) if target is None else target
        return np.asarray(self.similarity[row] * self.weights[of])

    def sentence(self, row: int, k: int = 3, target: int | None = None) -> str:
        """The k strongest reasons for a class, in words."""
        of = int(self.logits[row].argmax()) if target is None else target
        evidence = self.evidence(row, of)
        parts = [self._part(row, j, evidence[j]) for j in np.argsort(-evidence, kind="stable")[:k].tolist()]
        return f"class {of} ({self.logits[row, of]:+.2f}), because " + "; ".join(parts)

    def _part(self, row: int, j: int, evidence: float) -> str:
        here, there = self.place[row, j].tolist(), self.source_place[j].tolist()
        whose = f"patch {tuple(there)} of training image {self.source[j]}" if self.source[j] >= 0 else f"prototype {j}"
        return f"patch {tuple(here)} looks like {whose} ({evidence:+.2f})"
