"""What a scorer of scikit-learn says of many tables, the model asked about all of them in one go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.scalar import pieces
from pellucid.methods.effect.scores import Quick, Score
from pellucid.models.tabular import EstimatorAdapter


class Judge:
    """A scorer's numbers of many tables: all at once, where that is known to give the scorer's own, else one by one."""

    def __init__(self, scorer: Any, quick: Quick | None, estimator: EstimatorAdapter, meter: Meter) -> None:
        self.scorer, self.quick, self.estimator, self.meter = scorer, quick, estimator, meter
        self.known: tuple[np.ndarray, Score | None] | None = None  # the truth, and the score of all tables made for it

    def __call__(self, tables: np.ndarray, y: np.ndarray) -> Iterator[Any]:
        """tables (s, n, p), y -> one value a table"""
        answers = _Answers(self.estimator, tables.reshape(-1, tables.shape[-1]), len(y), self.meter)
        if self.known is None or self.known[0] is not y:
            self.known = y, self._agreed(answers, y)
        values = None if self.known[1] is None else self._at_once(self.known[1], answers, y)
        if values is None:
            return (self._by_scorer(answers, y, part) for part in pieces(len(answers.x), len(y)))
        return iter(values)

    def _agreed(self, answers: _Answers, y: np.ndarray) -> Score | None:
        """A score of all tables at once that gives the scorer's number of the first."""
        first = self._by_scorer(answers, y, slice(0, len(y)))
        if self.quick is None or y.ndim != 1:
            return None
        try:
            score = self.quick.of(y)
            values = self._at_once(score, answers, y)
        except Exception:  # y or answers of a kind that only the scorer knows how to read
            return None
        return score if values is not None and np.isclose(values[0], first, rtol=1e-6, atol=1e-9) else None

    def _by_scorer(self, answers: _Answers, y: np.ndarray, part: slice) -> Any:
        answers.part = part
        return self.scorer(answers, answers.rows[part], y)

    def _at_once(self, score: Score, answers: _Answers, y: np.ndarray) -> np.ndarray | None:
        """(s,), None where a number is missing: then the scorer has something to say."""
        assert self.quick is not None
        name = next(name for name in self.quick.asks if hasattr(self.estimator.model, name))
        said = np.asarray(answers.said(name))
        with np.errstate(all="ignore"):
            values = score(said.reshape(-1, len(y), *said.shape[1:]))
        return values if np.isfinite(values).all() else None


class _Answers:
    """An estimator that is asked about many tables at once and answers for one part of the rows at a time.

    Scorers choose among `predict`, `predict_proba` and `decision_function` themselves; whichever it is, the model is asked
    once. Everything else is the estimator's own.
    """

    def __init__(self, estimator: EstimatorAdapter, x: np.ndarray, size: int, meter: Meter) -> None:
        self.estimator, self.x, self.meter, self.part = estimator, x, meter, slice(0, size)
        self.rows = np.empty((len(x), 0))  # scorers hand this back and never look inside
        self.known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            return getattr(self.estimator.model, name)
        getattr(self.estimator.model, name)  # raises where the model has none

        def answer(rows: Any) -> Any:
            said = self.said(name)
            return [one[self.part] for one in said] if isinstance(said, list) else said[self.part]

        answer.__name__ = name  # scorers look at it
        return answer

    def said(self, name: str) -> Any:
        """The model's answers to all rows."""
        if name not in self.known:
            self.known[name] = getattr(self.estimator.model, name)(self.estimator.rows(self.x))
            self.meter.add(forward=len(self.x))
        return self.known[name]
