"""The loss of a row by a model that was fitted without it, so that no wrong label vouches for itself.

Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 2021): labels are judged by
out-of-sample probabilities, from cross-validation,

    score_i = -log p_{-k(i)}(y_i | x_i)

with p_{-k} fitted without fold k, in which row i lies. Their ranking by "self-confidence" is this one. The model is cloned, never
fitted itself.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.inputs import take_rows
from pellucid.core.method import Card
from pellucid.methods.difficulty.base import probabilities
from pellucid.methods.label.base import Labelled, LabelMethod, Suspicion, loss
from pellucid.models.adapter import first_line
from pellucid.models.prepare import prepare


@dataclass(frozen=True)
class LeftOutLoss(LabelMethod):
    """`folds` is in how many parts the rows are left out; `seed` draws them."""

    folds: int = 5
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Which labels do the other rows contradict?",
        scope="global",
        access="training data",
        inputs=("table", "text"),
        output="one number per label, larger where it is more suspect",
        cost="one fit of the model for each fold",
        strengths="works on the training rows of models that learn by heart, such as forests",
        weaknesses="needs an estimator that can be fitted anew; finds hard rows as well as wrong labels",
        paper="Northcutt, Jiang & Chuang 2021",
        rows=1,
        verb="label_errors",
    )

    def __post_init__(self) -> None:
        if isinstance(self.folds, bool) or not isinstance(self.folds, int) or self.folds < 2:
            raise MethodError(f"LeftOutLoss(folds={self.folds!r}): expected a whole number from 2 on.")

    def suspect(self, rows: Labelled) -> Suspicion:
        from sklearn.base import clone
        from sklearn.model_selection import StratifiedKFold

        self._check(rows)
        found = np.zeros(rows.probabilities.shape)
        folds = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        for kept, out in folds.split(rows.columns, rows.columns):
            fitted = _fitted(clone(rows.model), take_rows(rows.X, kept), rows.labels[kept])
            ready = prepare(fitted, take_rows(rows.X, out))
            with ready.adapter.session():
                made = probabilities(ready, rows.meter)
            place = {name: column for column, name in enumerate(rows.classes or ())}
            found[np.ix_(out, [place[name] for name in ready.adapter.classes or ()])] = made
        return Suspicion(loss(found, rows.columns), found)

    def _check(self, rows: Labelled) -> None:
        if rows.classes is None or not hasattr(rows.model, "get_params"):
            raise MethodError(
                f"LeftOutLoss fits the model anew, and a {type(rows.model).__name__} is no classifier of the scikit-learn kind: "
                "give LargestLoss(), or SelfInfluence() for a network."
            )
        counts = np.bincount(rows.columns)
        fewest = int(counts[counts > 0].min())
        if fewest < self.folds:
            raise InputError(
                f"one class has {fewest} rows and each of {self.folds} folds needs one: ask for fewer folds or leave it out."
            )


def _fitted(model: Any, X: Any, y: np.ndarray) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits on a part of the rows, which nobody asked for
            return model.fit(X, y)
    except Exception as error:
        raise ModelError(f"{type(model).__name__}.fit raised {first_line(error)} on a part of the rows.") from error
