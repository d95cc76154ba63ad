"""Remove a wrong feature and retrain: a person ticks what a model should not use, and what that gains is measured.

Ribeiro, Singh & Guestrin 2016, section 6.4: people without knowledge of machine learning remove words from a text classifier; it is
trained again without them and judged on data where the wrong words do not help. `retraining` makes the function that does so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.studies.human.blocks import Bars, Block, Panel
from pellucid.studies.human.drawing import explained, seen, tidy
from pellucid.studies.human.item import Item, with_and_without

if TYPE_CHECKING:
    from pellucid.core.records import Attribution, Importance

KIND = "remove features"
QUESTION = "Tick everything that the model should not use. It will be trained again without what you tick."

Retrain = Callable[[tuple[str, ...]], float]


def drop_features(
    record: Attribution | Importance, wrong: Sequence[str], *, task: tuple[Block, ...] = (), speaks_for: str = ""
) -> tuple[Item, ...]:
    """One item that lists the features of a model and asks which ones to take away.

    Parameters
    ----------
    record : what matters to the model overall, or explanations of some rows; its features are what can be ticked.
    wrong : the features that do not belong there; ticking just these is the right answer.
    task : what the model is for, shown to everybody.
    speaks_for : what positive values argue for, in words.
    """
    names = tuple(getattr(record, "names", None) or record.feature_names or ())  # type: ignore[union-attr]
    strange = sorted(set(wrong) - set(names))
    if strange:
        raise InputError(f"{', '.join(strange)} are no features of this record; it has {', '.join(names) or 'none'}.")
    help = with_and_without(_evidence(record, speaks_for))
    return (Item(KIND, QUESTION, names, tuple(name for name in names if name in wrong), task, help, several=True),)


def _evidence(record: Any, speaks_for: str) -> tuple[Block, ...]:
    if hasattr(record, "mean"):
        return (
            Bars(
                tidy(record.top(20)),
                "What the model rests on",
                "The longer the bar, the worse the model is without it.",
            ),
        )
    return tuple(
        Panel(f"Case {row + 1}", (*seen(record, row), *explained(record, row, speaks_for)))
        for row in range(len(record))
    )


def retraining(model: Any, train: tuple[Any, Any], test: tuple[Any, Any]) -> Retrain:
    """A function of the ticked columns: train a copy of the estimator without them, and score it on the test rows.

    Frames (n, p) and labels (n,); each set of columns is trained once. Without any column, the most frequent label is the answer.
    """
    from sklearn.base import clone

    (X, y), (X_test, y_test) = train, test

    @cache
    def score(kept: tuple[str, ...]) -> float:
        if not kept:
            known, counts = np.unique(np.asarray(y), return_counts=True)
            return float((np.asarray(y_test) == known[counts.argmax()]).mean())
        columns = list(kept)
        return float(clone(model).fit(X[columns], y).score(X_test[columns], y_test))

    return lambda dropped: score(tuple(name for name in X.columns if name not in dropped))
