"""Tree SHAP: exact Shapley values of tree ensembles, read from the trees instead of asked from the model.

Lundberg et al., "From local explanations to global understanding with explainable AI for trees" (Nature Machine
Intelligence 2020). An absent player

- without background follows both branches in the shares of the training cover (path-dependent):
  v(S) = sum over leaves of value * prod over edges of players outside S of their share of cover, on the paths that
  the row follows with its players in S;
- with background takes its value from each background row in turn (interventional): v(S) = mean over b of f(x_S, b_rest).

Both are exact: phi_i is the integral over t in [0, 1] of the derivative of the game's multilinear extension (Owen 1972), on
every path a polynomial of low degree (see `models/tree/table.py` and `quadrature.py`). Interventional values carry the
standard error of their mean over background rows, from the spread of 16 groups of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, Parts, TreeMethod
from pellucid.models.tree import engine
from pellucid.models.tree.question import Question


@dataclass(frozen=True)
class TreeShap(TreeMethod):
    """No hyper-parameters: `background=None` asks the trees' own cover, background rows are what absence looks like."""

    card: ClassVar[Card] = Card(
        question="What did each feature contribute to this tree ensemble's output?",
        scope="local",
        access="structure",
        inputs=("table",),
        output="a contribution per column, adding up to score - base value",
        cost="1 scoring pass; time grows with leaves and, with background, with leaves times background rows",
        strengths="exact; adds up; knows missing values, categories and encoded pipelines; a standard error over background rows",
        weaknesses="margins and forest probabilities only; path-dependent values depend on how trees happen to be laid out",
        paper="Lundberg et al. 2020",
        complete=True,
    )

    def attribute(self, trees: Question) -> Parts:
        n, p = trees.f.inputs.x.shape
        values, base, stderr = np.zeros((n, p)), np.zeros(n), np.zeros((n, p))
        for rows, part in trees.parts():
            if trees.background is None:
                values[rows], base[rows] = engine.path_dependent(part, trees.x[rows]), part.expected
            else:
                values[rows], stderr[rows] = engine.interventional(part, trees.x[rows], trees.background)
                base[rows] = part.mean(trees.background)
        known = trees.background is not None and len(trees.background) > 1
        return Parts(
            values,
            base_values=base,
            stderr=stderr if known else None,
            warnings=trees.warnings(base + values.sum(1)),
        )

    def interact(self, trees: Question) -> Parts:
        """values (n, p, p): each pair's interaction in two halves; rows add up to the Shapley values."""
        alone = self.attribute(trees)
        n, p = alone.values.shape
        found = np.zeros((n, p, p))
        for rows, part in trees.parts():
            found[rows] = 0.5 * engine.interactions(part, trees.x[rows], trees.background)
        own = np.arange(p)
        found[:, own, own] = alone.values - found.sum(2)
        return replace(alone, values=found, stderr=None)
