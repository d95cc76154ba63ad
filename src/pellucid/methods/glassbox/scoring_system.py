"""Scoring systems: a few conditions with small whole points; their sum says how likely the answer is.

Ustun & Rudin, "Learning optimized risk scores" (2019): over whole points p with |p_j| <= max_points, at most max_terms
of them not zero,

    objective(p) = mean_i log(1 + exp(-y_i s(x_i))) + penalty * |{j: p_j != 0}|,   s(x) = unit * (intercept + sum_j p_j x_j)

with y = 1 for `classes_[1]` and -1 else. A point is worth `unit` in log-odds, which is 1 in the paper; a smaller unit
is a finer scale (the multiplier of Liu et al., "FasterRisk", 2022). The intercept, which nobody has to add up, need not
be whole. The search is over the terms that `screening` keeps, and so is the bound.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from pellucid.core.budget import Receipt, versions
from pellucid.core.errors import InputError
from pellucid.core.method import Card
from pellucid.core.model_card import PointsCard
from pellucid.methods.glassbox.fitting import Glassbox, Material, Progress, check_counts, check_share
from pellucid.methods.glassbox.literals import Literal, literals_of, truth
from pellucid.methods.glassbox.mining import nothing_said
from pellucid.methods.glassbox.points_search import Search
from pellucid.methods.glassbox.points_task import Task
from pellucid.methods.glassbox.screening import screen

_NODES = 200  # branches of one program: more programs with more tangents prove more than one program of many branches
_PATIENCE = 10.0  # seconds that one program may take


class ScoringSystem(Glassbox):
    """Whole points for a few conditions of two classes, with a proof of how far from the best they may be.

    Up to `max_terms` conditions get points from -`max_points` to `max_points`, each worth `unit` in log-odds; a term
    has to earn `penalty`. Numbers are cut into `bins`, and conditions hold for at least `min_support` of the weight;
    the best `max_candidates` are searched. The proof ends after `max_rounds` programs, each of 10 seconds at most, or
    `time_limit` seconds. Afterwards `rules_` (condition, points), `intercept_`, `objective_`, `bound_`, `gap_` = 1 -
    bound / objective.
    """

    _binary = True

    card: ClassVar[Card] = Card(
        question="Which whole points for a few conditions add up to the chance of the second class?",
        scope="global",
        access="training data",
        inputs=("table",),
        output="a classifier of two classes: points per condition, the chance of every sum, and how far from the best they may be",
        cost="no row of another model; up to `max_rounds` mixed-integer programs",
        strengths="added up by hand; fitted by the likelihood, so that chances can be used; proven where the search ends",
        weaknesses="two classes only; numbers are cut into bins; one condition cannot depend on another",
        paper="Ustun & Rudin 2019",
        rows=0,
        verb="fit",
        intrinsic=True,
    )

    def __init__(
        self,
        max_terms: int = 10,
        max_points: int = 5,
        unit: float = 0.5,
        penalty: float = 0.001,
        bins: int = 6,
        min_support: float = 0.005,
        max_candidates: int = 25,
        max_rounds: int = 3,
        time_limit: float | None = None,
    ) -> None:
        self.max_terms = max_terms
        self.max_points = max_points
        self.unit = unit
        self.penalty = penalty
        self.bins = bins
        self.min_support = min_support
        self.max_candidates = max_candidates
        self.max_rounds = max_rounds
        self.time_limit = time_limit

    def _learn(self, material: Material, began: float, progress: Progress | None) -> None:
        literals, held = self._terms(material)
        by_class = material.by_class(2)
        chosen = screen(held, by_class, self.max_candidates)
        literals, held = tuple(literals[j] for j in chosen), held[chosen]
        task = Task.of(held, by_class, self.unit, self.penalty, self.max_points, self.max_terms)
        search = Search(task, self._clock(began, progress), _NODES)
        search.run()
        self._tell(search, literals, held, by_class)

    def _check(self) -> None:
        if not self.unit > 0 or not self.penalty >= 0:
            raise InputError(
                f"ScoringSystem(unit={self.unit!r}, penalty={self.penalty!r}): expected a unit > 0 and a penalty >= 0."
            )
        check_share(self, min_support=self.min_support)
        check_counts(self, max_terms=self.max_terms, max_points=self.max_points, bins=self.bins - 1)
        check_counts(self, max_candidates=self.max_candidates, max_rounds=self.max_rounds + 1)

    def _terms(self, material: Material) -> tuple[tuple[Literal, ...], np.ndarray]:
        """Conditions that enough rows meet and enough do not, and those rows, held (d, n)."""
        literals = literals_of(material.columns, material.codes, material.weights, self.bins, ranges=False)
        held = truth(literals, material.codes)
        share = held @ material.weights / material.weights.sum()
        if not (kept := np.minimum(share, 1 - share) >= self.min_support).any():
            raise InputError(nothing_said(literals, share, material, self.min_support))
        return tuple(one for one, keep in zip(literals, kept, strict=True) if keep), held[kept]

    def _clock(self, began: float, progress: Progress | None) -> Any:
        """Whether another program may be solved and for how long, told to whoever listens."""

        def go(rounds: int) -> tuple[bool, float | None]:
            seconds, limit = time.monotonic() - began, self.time_limit
            if progress is not None:
                share = (rounds + 1) / (self.max_rounds + 1) if limit is None else seconds / limit
                progress("searching points", min(1.0, share))
            left = None if limit is None else limit - seconds
            return rounds < self.max_rounds and (left is None or left > 0), min(_PATIENCE, left or _PATIENCE)

        return go

    def _tell(self, search: Search, literals: tuple[Literal, ...], held: np.ndarray, by_class: np.ndarray) -> None:
        """What was found; its terms by falling points."""
        points = search.best[:-1].astype(int)
        used = sorted(np.flatnonzero(points).tolist(), key=lambda j: (-points[j], j))
        self._literals = tuple(literals[j] for j in used)
        self.rules_ = tuple((literals[j].said, int(points[j])) for j in used)
        self.points_ = points[used]
        self.intercept_ = float(search.best[-1])
        self.objective_, self.bound_ = search.objective, search.bound
        self.gap_ = max(0.0, 1 - search.bound / search.objective) if search.objective > 0 else 0.0
        self.gap_ = 0.0 if self.gap_ <= 1e-5 else self.gap_
        self.n_rounds_ = search.rounds
        totals = self.points_ @ held[used]
        self._totals, place = np.unique(totals, return_inverse=True)
        self._counts = np.stack([np.bincount(place, w) for w in by_class.T], axis=1)

    def score_points(self, X: Any) -> np.ndarray:
        """(n,) the sum of each row's points."""
        codes = self._codes(X)
        return np.asarray(self.points_ @ truth(self._literals, codes))

    def decision_function(self, X: Any) -> np.ndarray:
        """(n,) the log-odds of `classes_[1]`."""
        points = self.score_points(X)
        return np.asarray(self.unit * (points + self.intercept_))

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, 2) what the sum of the points stands for."""
        risk = expit(self.decision_function(X))
        return np.stack([1 - risk, risk], axis=1)

    def on_a_page(self) -> PointsCard:
        """Points and what their sums mean, as a record that is drawn, printed and kept."""
        found = "proven to be the best points of these terms" if not self.gap_ else f"gap {self.gap_:.1%}"
        return PointsCard(
            kind="scoring system",
            answer=self._names()[1],
            terms=tuple(condition.words for condition, _ in self.rules_),
            points=self.points_,
            intercept=self.intercept_,
            totals=self._totals,
            risks=expit(self.unit * (self._totals + self.intercept_)),
            observed=self._counts[:, 1] / self._counts.sum(axis=1),
            rows=self._counts.sum(axis=1),
            objective=self.objective_,
            bound=self.bound_,
            receipt=Receipt(
                method=repr(self),
                seconds=self._seconds,
                converged=bool(self.gap_ == 0),
                notes=(f"programs solved: {self.n_rounds_}; {found}",),
                versions=versions("scikit-learn"),
            ),
        )
