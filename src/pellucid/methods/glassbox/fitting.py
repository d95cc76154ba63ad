"""What estimators of rules share: rows, labels and weights checked once, and answers from probabilities.

The contract is scikit-learn's, so that they stand in pipelines, searches and cross-validations. Frames of any kind of
column and with missing values are taken as they are; arrays are numbers.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from pellucid.core.errors import InputError
from pellucid.core.frames import is_frame
from pellucid.core.method import Card
from pellucid.core.model_card import PointsCard, RuleCard
from pellucid.core.schema import Column
from pellucid.methods.glassbox.columns import Columns

Progress = Callable[[str, float], None]  # what is being done, and the share that is done


@dataclass(frozen=True, eq=False)
class Material:
    """Training rows: codes (n, p), y (n,) places in `classes`, weights (n,) above zero."""

    codes: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    columns: tuple[Column, ...]

    def by_class(self, k: int) -> np.ndarray:
        """(n, k) each row's weight in the column of its class"""
        made = np.zeros((len(self.y), k))
        made[np.arange(len(self.y)), self.y] = self.weights
        return made


class Glassbox(ClassifierMixin, BaseEstimator, ABC):
    """A classifier that can be read."""

    card: ClassVar[Card]
    _binary: ClassVar[bool] = False
    classes_: np.ndarray
    names_: tuple[str, ...] | None = None  # of an array's columns, where somebody knows them
    _columns: Columns
    _seconds: float

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = not self._binary
        return tags

    @abstractmethod
    def _check(self) -> None:
        """Refuse hyper-parameters that mean nothing."""

    @abstractmethod
    def _learn(self, material: Material, began: float, progress: Progress | None) -> None:
        """Everything that a fit sets, but the classes and columns; `began` is when the clock of `time_limit` started."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, progress: Progress | None = None) -> Self:
        """Learn from rows (n, p) and labels (n,); `progress` hears what is being done and the share that is done."""
        self._check()
        began = time.monotonic()
        self._learn(self._material(X, y, sample_weight), began, progress)
        self._seconds = time.monotonic() - began
        return self

    @abstractmethod
    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) probabilities of the classes, in the order of `classes_`."""

    @abstractmethod
    def on_a_page(self) -> RuleCard | PointsCard:
        """The model as a record that is drawn, printed and kept."""

    def words(self) -> tuple[str, ...]:
        """The model as sentences."""
        return self.on_a_page().sentences()

    def predict(self, X: Any) -> np.ndarray:
        """(n,) the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _material(self, X: Any, y: Any, sample_weight: Any) -> Material:
        """What is fitted; sets `classes_` and what is known of the columns."""
        X, y = _rows(self, X, y)
        check_classification_targets(y)
        weights = _weights(sample_weight, len(y))
        kept = weights > 0
        self.classes_, places = np.unique(y[kept], return_inverse=True)
        self._check_classes(y)
        self._columns = Columns.learn(X, self.names_)
        codes = self._columns.encode(X)
        return Material(codes[kept], places, weights[kept], self._columns.columns)

    def _check_classes(self, y: np.ndarray) -> None:
        k = len(self.classes_)
        if k < 2:
            raise InputError(
                f"y has one class, {self.classes_.tolist()[0]!r}, in {len(y)} sample{'s' if len(y) > 1 else ''} of positive "
                "weight: rules that tell classes apart need at least two."
            )
        if self._binary and k > 2:
            raise InputError(
                f"Only binary classification is supported by {type(self).__name__}: y has {k} classes. Fit one for each class "
                "against the rest, as sklearn.multiclass.OneVsRestClassifier does, or take a RuleList."
            )

    def _codes(self, X: Any) -> np.ndarray:
        """(n, p) rows to answer, checked against those of the fit."""
        check_is_fitted(self)
        if is_frame(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            X = _named(X)
        else:
            X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return self._columns.encode(X)

    def _names(self) -> tuple[str, ...]:
        return tuple(map(str, self.classes_.tolist()))


def _rows(estimator: Any, X: Any, y: Any) -> tuple[Any, np.ndarray]:
    if y is None or not is_frame(X):
        X, y = validate_data(estimator, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        return X, np.asarray(y)
    validate_data(estimator, X, skip_check_array=True)
    X = _named(X)
    labels = column_or_1d(y, warn=True)
    if len(labels) != len(X) or not len(X):
        raise InputError(f"X has {len(X)} rows and y {len(labels)}: give one label a row, and at least one row.")
    if any(value is None or value != value for value in labels.tolist()):
        raise InputError("y misses a value: drop the rows without a label.")
    return X, labels


def _named(X: Any) -> Any:
    """A frame whose columns are called by texts, as a frame of numbered columns is not."""
    names = list(X.columns)
    return X if all(isinstance(name, str) for name in names) else X.set_axis(list(map(str, names)), axis=1)


def _weights(given: Any, n: int) -> np.ndarray:
    """(n,) one a row, 1 where none are given."""
    if given is None:
        return np.ones(n)
    weights = np.asarray(given, dtype=float)
    if weights.shape not in ((n,), ()) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise InputError(
            f"sample_weight has shape {weights.shape}: expected ({n},) finite numbers, none negative and not all zero."
        )
    return np.full(n, float(weights)) if weights.ndim == 0 else weights


def check_share(owner: Any, **given: float) -> None:
    """Hyper-parameters that are shares."""
    for name, value in given.items():
        if not 0 <= value < 1:
            raise InputError(f"{type(owner).__name__}({name}={value!r}): expected a number from 0 to below 1.")


def check_counts(owner: Any, **given: int | None) -> None:
    """Hyper-parameters that count something; None where there is no limit."""
    for name, value in given.items():
        if value is not None and not value >= 1:
            raise InputError(f"{type(owner).__name__}({name}={value!r}): expected at least 1.")
