"""A model that can be read, fitted to what a black box says (Craven & Shavlik, "Extracting tree-structured representations of
trained networks", 1996: fidelity is the agreement with the network on rows that the tree was not fitted to).

A part of the rows is kept from the fit. Fidelity on them says how well the student stands for the model where the data are. Rows
mixed of two of them, each cell from either with equal chance, say how far that goes beyond the data: where columns depend on each
other, such rows are rare or impossible, and a model may do anything there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Meter, as_budget, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.fidelity import Fidelity
from pellucid.core.intervals import ratio, wilson
from pellucid.methods.glassbox.fitting import Glassbox
from pellucid.methods.glassbox.simple import columns_of, student
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import Prepared, prepare


@dataclass(frozen=True)
class Wish:
    """How a distillation is checked, and what the receipt says of it."""

    into: str
    target: str | None
    fresh: float
    seed: int


def distill(
    model: Any,
    X: Any,
    into: Any = "tree",
    *,
    target: Any = None,
    fresh: float = 0.25,
    seed: int = 0,
    names: Sequence[str] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Any:
    """See `pellucid.api.distill`."""
    ready = prepare(model, X, names=names, batch_size=batch_size)
    x, meter = ready.inputs.x, Meter(as_budget(budget), progress)
    if x.ndim != 2 or ready.inputs.form.text is not None or not 0 < fresh < 1:
        raise InputError(
            f"x has shape {x.shape}, fresh={fresh}: distill takes tables (n, p), and a share between 0 and 1."
        )
    if min(round(fresh * len(x)), len(x) - round(fresh * len(x))) < 2:
        raise InputError(
            f"{len(x)} rows and fresh={fresh} leave fewer than two rows to fit, or to check: give more rows."
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    kept, used = np.sort(order[: round(fresh * len(x))]), np.sort(order[round(fresh * len(x)) :])
    mixed = np.where(rng.random((len(kept), x.shape[1])) < 0.5, x[kept], x[rng.permutation(kept)])
    with ready.adapter.session():
        teacher = _Teacher.of(ready, target, meter)
        pupil = student(into, teacher.classes is not None)
        teacher = teacher.for_pupil(pupil)
        answers = [teacher(rows) for rows in (x[used], x[kept], mixed)]
    rows = [_rows(ready, cells) for cells in (x[used], x[kept], mixed)]
    if ready.inputs.codec is None:
        pupil.names_ = ready.inputs.form.names
    made = _fitted(pupil, rows[0], answers[0])
    measured = [_measured(made, r, a, teacher.classes is not None) for r, a in zip(rows[1:], answers[1:], strict=True)]
    wish = Wish(repr(pupil), None if target is None else repr(target), fresh, seed)
    made.fidelity_ = Fidelity(
        measure="R²" if teacher.classes is None else "agreement",
        fresh=measured[0],
        mixed=measured[1],
        chance=0.0 if teacher.classes is None else _chance(answers[0], answers[1]),
        rows_fitted=len(used),
        rows_fresh=len(kept),
        receipt=receipt(wish, meter, packages=(*ready.adapter.packages, "scikit-learn")),
    )
    return made


@dataclass(frozen=True, eq=False)
class _Teacher:
    """What the black box says of encoded rows: classes (labels of `classes`), or numbers where there are none."""

    ready: Prepared
    meter: Meter
    classes: np.ndarray | None
    scores: BlackBox | None  # numbers under a target

    @classmethod
    def of(cls, ready: Prepared, target: Any, meter: Meter) -> _Teacher:
        adapter = ready.adapter
        if target is not None:
            return cls(ready, meter, None, ready.bind(target, meter)[0])
        if adapter.classes is not None:
            return cls(ready, meter, np.asarray(adapter.classes), None)
        one = ready.inputs.take(slice(0, 1))
        outputs = adapter.outputs(one.x, adapter.scales[0], {}, meter, one.batch_size)
        if outputs.ndim == 2 and outputs.shape[1] > 1:
            return cls(ready, meter, np.arange(outputs.shape[1]), None)
        return cls(ready, meter, None, ready.bind(None, meter)[0])

    def for_pupil(self, pupil: Any) -> _Teacher:
        """Scores for a regressor, classes for a classifier."""
        from sklearn.base import is_classifier

        if is_classifier(pupil) and self.classes is None:
            raise MethodError(
                f"the model's answers are numbers, and {type(pupil).__name__} learns classes: distill into a regressor such as "
                "DecisionTreeRegressor(), or 'tree' or 'linear'; without target= where the model knows classes."
            )
        if is_classifier(pupil) or self.classes is None:
            return self
        return _Teacher(self.ready, self.meter, None, self.ready.bind(None, self.meter)[0])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x (b, p) -> (b,)"""
        if self.scores is not None:
            return np.asarray(self.scores(x), dtype=float)
        adapter = self.ready.adapter
        assert self.classes is not None
        if adapter.kind == "estimator":
            self.meter.add(forward=len(x))
            return np.asarray(adapter.model.predict(_rows(self.ready, x)))  # type: ignore[attr-defined]
        outputs = adapter.outputs(x, adapter.scales[0], {}, self.meter, self.ready.inputs.batch_size)
        return np.asarray(self.classes[outputs.argmax(axis=1)])


def _rows(ready: Prepared, x: np.ndarray) -> Any:
    """Encoded rows as the user's own kind."""
    codec = ready.inputs.codec
    return x if codec is None else codec.decode(x)


def _fitted(pupil: Any, X: Any, answers: np.ndarray) -> Any:
    if len(np.unique(answers)) < 2:
        raise InputError(
            f"the model says {answers[0]!r} of all {len(answers)} rows that the student is fitted to: there is nothing to learn. "
            "Give rows on which its answers differ."
        )
    if isinstance(pupil, Glassbox) or hasattr(pupil, "steps"):
        return pupil.fit(X, answers)
    from sklearn.pipeline import make_pipeline

    numbers = isinstance(X, np.ndarray) and not np.isnan(X).any()
    return (
        pupil
        if numbers
        else make_pipeline(
            columns_of(X, scaled="Linear" in type(pupil).__name__ or "Logistic" in type(pupil).__name__), pupil
        )
    ).fit(X, answers)


def _measured(made: Any, X: Any, answers: np.ndarray, classes: bool) -> np.ndarray:
    """(3,) agreement or R², and its interval"""
    told = np.asarray(made.predict(X))
    if classes:
        hits = int((told == answers).sum())
        return np.array([hits / len(answers), *wilson(hits, len(answers))])
    if np.ptp(answers) == 0:
        return np.full(3, np.nan)
    share, low, high = ratio((told - answers) ** 2, (answers - answers.mean()) ** 2)
    return np.array([1 - share, 1 - high, 1 - low])


def _chance(fitted: np.ndarray, fresh: np.ndarray) -> float:
    """The agreement of the answer that is most frequent among the fitted rows."""
    values, counts = np.unique(fitted, return_counts=True)
    return float((fresh == values[counts.argmax()]).mean())
