"""Tree SHAP: exact Shapley values of tree ensembles, read from the trees instead of asked from the model.

Lundberg et al., "From local explanations to global understanding with explainable AI for trees" (Nature Machine
Intelligence 2020). An absent player

- without background follows both branches in the shares of the training cover (path-dependent):
  v(S) = sum over leaves of value * prod over edges of players outside S of their share of cover, on the paths that
  the row follows with its players in S;
- with background takes its value from each background row in turn (interventional): v(S) = mean over b of f(x_S, b_rest).

Sums of leaves are explained exactly: phi_i is the integral over t in [0, 1] of the derivative of the game's multilinear
extension (Owen 1972), on every path a polynomial of low degree (see `models/tree/table.py` and `quadrature.py`).
Interventional values carry the standard error of their mean over background rows, from the spread of groups of rows.

A probability, a log loss (`target=Loss(y)`) or any other number behind a link needs background rows: each pair of a row and a
background row has its sums' values rescaled to the change behind the link (`models/tree/link.py`), as in the paper.
These add up, and the receipt says that they are not the Shapley values of the game behind the link.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Parts, TreeMethod
from pellucid.core.scalar import pieces
from pellucid.models.tree import engine, groups
from pellucid.models.tree.question import Question

_CELLS = 2**20  # pairs of rows whose slopes are held at a time


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
        weaknesses="behind a link (a boosted model's probability, a loss) values are rescaled, not exact; path-dependent values "
        "depend on how trees happen to be laid out",
        paper="Lundberg et al. 2020",
        rows=1,
        complete=True,
    )

    def attribute(self, trees: Question) -> Parts:
        if trees.readout is None:
            return _behind_link(trees)
        n, p = trees.f.inputs.x.shape
        values, base, stderr = np.zeros((n, p)), np.zeros(n), np.zeros((n, p))
        for rows, part in trees.parts():
            if trees.background is None:
                values[rows], base[rows] = engine.path_dependent(part, trees.x[rows]), part.expected
            else:
                values[rows], stderr[rows] = engine.interventional(part, trees.x[rows], trees.background)
                base[rows] = part.mean(trees.background)
        return Parts(
            values,
            base_values=base,
            stderr=stderr if _several(trees) else None,
            warnings=_alone(trees) + trees.warnings(base + values.sum(1)),
        )

    def interact(self, trees: Question) -> Parts:
        """values (n, p, p): each pair's interaction in two halves; rows add up to the Shapley values."""
        if trees.readout is None:
            raise MethodError(
                f"TreeShap has interactions of sums of leaves only, and {trees.why}: explain the sum, or use "
                "ExactShapley()."
            )
        alone = self.attribute(trees)
        n, p = alone.values.shape
        found = np.zeros((n, p, p))
        for rows, part in trees.parts():
            found[rows] = 0.5 * engine.interactions(part, trees.x[rows], trees.background)
        own = np.arange(p)
        found[:, own, own] = alone.values - found.sum(2)
        return replace(alone, values=found, stderr=None)


def _behind_link(trees: Question) -> Parts:
    """Values of a number that stands behind a link, against each background row in turn."""
    background = trees.background
    if background is None:
        raise MethodError(
            f"TreeShap follows the trees' cover for sums of leaves only, and {trees.why}: give background rows, "
            "explain the sum, or use KernelShap()."
        )
    n, p = trees.f.inputs.x.shape
    values, base, stderr = np.zeros((n, p)), np.zeros(n), np.zeros((n, p))
    references, held = trees.known.forest.predict(background), groups.sizes(len(background))
    for rows in pieces(n, max(1, _CELLS // references.size)):
        x, number = trees.x[rows], trees.number(rows)
        slopes = number.slopes(trees.known.forest.predict(x), references)
        parts = np.sum(
            [engine.behind_link(part, x, background, slopes[..., m]) for m, part in enumerate(trees.sums())], axis=0
        )
        values[rows] = parts @ (held / held.sum())
        stderr[rows] = groups.standard_error(values[rows], parts, held)
        base[rows] = number(np.broadcast_to(references, slopes.shape)).mean(1)
    said = (
        f"{trees.why}: values are contributions to the sum against each background row, rescaled to the change behind the link; "
        "they add up, and are not the Shapley values of the game behind it (ExactShapley() finds those)"
    )
    return Parts(
        values,
        base_values=base,
        stderr=stderr if _several(trees) else None,
        warnings=(said, *_alone(trees), *trees.warnings(base + values.sum(1))),
    )


def _several(trees: Question) -> bool:
    """Whether there are background rows enough for a standard error."""
    return trees.background is not None and len(trees.background) > 1


def _alone(trees: Question) -> tuple[str, ...]:
    if trees.background is None or _several(trees):
        return ()
    return ("the background is one row: values have no standard error, and answer for that row only",)
