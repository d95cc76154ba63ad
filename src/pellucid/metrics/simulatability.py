"""Simulatability: does the explanation help to foretell what the model answers, beyond giving the answer away?

Hase & Bansal, "Leakage-Adjusted Simulatability" (Findings of EMNLP 2020). Students in the place of people learn on other rows to
foretell the model's answer y from the input x, from the explanation e, and from both. On the rows under judgement,

    value_i = 1[y_i foretold from x and e] - 1[y_i foretold from x]
    leaking k_i = 1[y_i foretold from e alone]
    LAS = (mean of value where k = 0  +  mean of value where k = 1) / 2

An explanation that merely encodes the answer helps in leaking rows alone, and the macro average does not reward how often it
leaks. Where all rows are of one group, the mean is that group's, and a warning says so. The interval is Welch's, over the rows of
each group.

The students are forests (or logistic regressions) on the values of x, of e and, for both, of x e. The paper takes a language
model and texts; here they are numbers: columns, or pictures as means over windows. The model's answer is its class, or, where
it gives a number or all rows the same class, whether its number lies above the median of the rows that the students learn on.
Those rows are explained by the same method, with each row's predicted class as the target where the record names one per row: a
target that follows the prediction may leak it, which is what k is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts, places

_LEAST = 10  # rows that students learn on


@dataclass(frozen=True)
class Simulatability(Metric):
    """Students learn on `train=` of `evaluate`, whose labels are not used.

    `student` is a "forest" or "linear"; pictures are seen through at most `cells` windows along each axis; `seed` of the forest.
    """

    student: Literal["forest", "linear"] = "forest"
    cells: int = 8
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the explanation help to foretell the model's answer, beyond giving it away?",
        direction="higher",
        range=(-1.0, 1.0),
        chance="0: what tells nothing helps nobody; noise costs the students a little, so slightly below",
        cost="an explanation of every row of `train`, and three students",
        weaknesses="a student is no person: what helps a forest need not help a reader; says nothing of why the model answers "
        "so; values that add up to the score nearly always leak, so their number rests on few rows; rows that are foretold "
        "anyway cannot be helped",
        paper="Hase & Bansal 2020",
        needs=("again", "lessons"),
        takes=("train",),
        strata="leaking",
    )

    def __post_init__(self) -> None:
        check_counts(self, "cells")
        if self.student not in ("forest", "linear"):
            raise MethodError(f"Simulatability(student={self.student!r}): choose 'forest' or 'linear'.")

    def measure(self, case: Case) -> Reading:
        assert case.train is not None
        rows = case.encoded(case.train[0])
        if len(rows) < _LEAST:
            raise InputError(f"train= has {len(rows)} rows: students need at least {_LEAST} to learn anything.")
        answers, taught = _answers(case, rows)
        lessons = self._seen(case, rows, case.elsewhere(rows))
        exam = self._seen(case, case.x, case.record.values)
        sure = {name: self._sure(lessons[name], taught, exam[name], answers) for name in ("both", "x", "e")}
        right = {name: found[1] for name, found in sure.items()}
        leaking = right["e"].astype(float)
        return Reading(
            right["both"].astype(float) - right["x"],
            chance=np.zeros(len(answers)),
            detail={
                "leaking": leaking,
                "with": right["both"].astype(float),
                "without": right["x"].astype(float),
                "sure_with": sure["both"][0],
                "sure_without": sure["x"][0],
                "sure_alone": sure["e"][0],
            },
            warnings=_warnings(leaking, answers, taught),
        )

    def _seen(self, case: Case, x: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
        """x (n, *features), values -> what the students see: (n, q) of x, of e, and of both."""
        e = _flat(places(values, x, case.channels), self.cells)
        whole = np.asarray(x, dtype=float)
        channels = [whole] if case.channels is None else list(np.moveaxis(whole, case.channels, 0))
        parts = [_flat(channel, self.cells) for channel in channels]
        return {"x": np.hstack(parts), "e": e, "both": np.hstack([*parts, e, np.mean(parts, axis=0) * e])}

    def _sure(
        self, lessons: np.ndarray, taught: np.ndarray, exam: np.ndarray, answers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How sure a student is of each answer (n,), and whether it says that one (n,)."""
        if len(np.unique(taught)) < 2:
            known = answers == taught[0]
            return known.astype(float), known
        student = _student(self.student, self.seed).fit(lessons, taught)
        found, classes = student.predict_proba(exam), student.classes_
        place = np.searchsorted(classes, answers).clip(max=len(classes) - 1)
        sure = np.where(classes[place] == answers, found[np.arange(len(answers)), place], 0.0)
        return sure, classes[found.argmax(axis=1)] == answers


def _student(kind: str, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    if kind == "forest":
        return make_pipeline(filled, RandomForestClassifier(100, random_state=seed))
    return make_pipeline(filled, StandardScaler(), LogisticRegression(max_iter=1000))


def _answers(case: Case, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the model says of the rows under judgement (n,) and of those to learn on (m,): a class, or above the median."""
    own, others = case.outputs(case.x), case.outputs(rows)
    if own.ndim == 2 and own.shape[1] > 1:
        classes = others.argmax(axis=1)
        if len(np.unique(classes)) > 1:
            return own.argmax(axis=1), classes
        own, others = own[:, classes[0]], others[:, classes[0]]
    own, others = own.reshape(len(own), -1).sum(axis=1), others.reshape(len(others), -1).sum(axis=1)
    middle = np.median(others)
    return (own > middle).astype(int), (others > middle).astype(int)


def _flat(maps: np.ndarray, cells: int) -> np.ndarray:
    """maps (n, *space) -> (n, q): the columns of a table, the means over windows of a picture."""
    for axis in range(1, maps.ndim) if maps.ndim > 2 else ():
        size = maps.shape[axis]
        starts = np.arange(0, size, -(-size // cells))
        widths = np.diff([*starts, size]).reshape([-1 if k == axis else 1 for k in range(maps.ndim)])
        maps = np.add.reduceat(maps, starts, axis=axis) / widths
    return maps.reshape(len(maps), -1)


def _warnings(leaking: np.ndarray, answers: np.ndarray, taught: np.ndarray) -> tuple[str, ...]:
    said = []
    share = leaking.mean()
    if share in (0.0, 1.0):
        said.append(
            f"{'every' if share else 'no'} row leaks, so the mean is over {'leaking' if share else 'other'} rows alone"
        )
    elif share > 0.9:
        said.append(f"{share:.0%} of the rows leak the answer: the explanation alone gives it away")
    if len(np.unique(taught)) < 2:
        said.append("the model gives all rows of train= the same answer, so there is nothing to learn")
    return tuple(said)
