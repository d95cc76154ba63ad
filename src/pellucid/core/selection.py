"""Which outputs are explained at all: a stated policy, a limit of time, the most uncertain first, and what that saves.

Of class probabilities p of a row, from the largest down p(1) >= p(2) >= ... >= p(k):

    lead = p(1) - p(2)        entropy = - sum_c p_c log p_c / log k, from 0 (certain) to 1 (all classes alike)

A row is called for where any condition of the policy holds; without conditions every row is. Rows that `above` calls for come
first, then the others, in both groups the most uncertain first, until a limit is reached. So whatever the limit, no row is left
out for the sake of a more certain one of its group.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.budget import Receipt
from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Record

if TYPE_CHECKING:
    import pandas as pd

NOT_CALLED, EVERY = "not called for", "every row"
EXPLAINED, OUT_OF_TIME = "explained", "limit reached"
_ROUNDING = 1e-9  # of differences and entropies
_SUM = 1e-3  # how far from 1 the probabilities of a row may add up


@dataclass(frozen=True)
class ExplainWhen:
    """When an output is explained.

    `above`: the `watched` class (a column; -1 is the last) has at least this probability. These rows come first.
    `band`: the probability of the watched class lies between these two, both included.
    `lead`: the most probable class is at most this far ahead of the next.
    `entropy`: at least this share of the largest entropy.
    `seconds`, `rows`: hard limits of what is explained.
    """

    above: float | None = None
    band: tuple[float, float] | None = None
    lead: float | None = None
    entropy: float | None = None
    seconds: float | None = None
    rows: int | None = None
    watched: int = -1

    def __post_init__(self) -> None:
        if self.band is not None and not (len(self.band) == 2 and 0 <= self.band[0] <= self.band[1] <= 1):
            raise InputError(f"band={self.band!r}: two probabilities, the lower one first, as in band=(0.3, 0.7).")
        for name in ("above", "lead", "entropy"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name}={value!r}: a number from 0 to 1, or None for no such condition.")
        for name in ("seconds", "rows"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name}={value!r}: a limit is a positive number, or None for none.")

    @property
    def words(self) -> str:
        """Its spelling without what was left at its default."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return f"ExplainWhen({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def choose(self, probabilities: Any, seconds_each: float | None = None) -> Selection:
        """Class probabilities (n, k), or (n,) of the second of two classes -> the rows that are explained, and why.

        With `seconds_each`, which one explanation takes, the limit of time is a plan: as many rows as fit. Without it, only a run
        can tell: `explain_when`.
        """
        p = _checked(probabilities, self.watched)
        reasons = self._reasons(p)
        entropy = uncertainty(p)
        called = np.flatnonzero([reason != NOT_CALLED for reason in reasons])
        first = np.array([reasons[row] == "above" for row in called], bool)
        order = called[np.lexsort((called, -entropy[called], ~first))]
        explained = np.zeros(len(p), bool)
        explained[order[: self._fits(len(order), seconds_each)]] = True
        return Selection(
            policy=self,
            probabilities=p,
            uncertainty=entropy,
            reasons=reasons,
            order=order,
            explained=explained,
            seconds_each=seconds_each,
            receipt=Receipt(method=repr(self)),
        )

    def _reasons(self, p: np.ndarray) -> tuple[str, ...]:
        """(n,) the first condition that holds"""
        watched, two = p[:, self.watched], np.sort(p, axis=1)[:, -2:]
        low, high = self.band or (None, None)
        held = {
            "above": None if self.above is None else watched >= self.above,
            "band": None if low is None or high is None else (low <= watched) & (watched <= high),
            "lead": None if self.lead is None else two[:, 1] - two[:, 0] <= self.lead + _ROUNDING,
            "entropy": None if self.entropy is None else uncertainty(p) >= self.entropy - _ROUNDING,
        }
        asked = {name: mask for name, mask in held.items() if mask is not None}
        if not asked:
            return (EVERY,) * len(p)
        return tuple(next((name for name, mask in asked.items() if mask[row]), NOT_CALLED) for row in range(len(p)))

    def _fits(self, called: int, seconds_each: float | None) -> int:
        """How many rows the limits leave room for"""
        most = called if self.rows is None else min(called, self.rows)
        if self.seconds is None or not seconds_each:
            return most
        return min(most, int(self.seconds / seconds_each + 1e-9))


def uncertainty(p: np.ndarray) -> np.ndarray:
    """(n, k) -> (n,): entropy as a share of the largest"""
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(np.clip(-(p * logs).sum(axis=1) / np.log(p.shape[1]), 0, 1))


def _checked(given: Any, watched: int) -> np.ndarray:
    p = np.asarray(given, dtype=float)
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    if p.ndim != 2 or not len(p) or p.shape[1] < 2:
        raise InputError(
            f"probabilities of shape {np.shape(given)}: expected (n, k) of k classes, or (n,) of one of two."
        )
    if not (p.min() >= -1e-9 and np.abs(p.sum(axis=1) - 1).max() < _SUM):
        raise InputError(
            "these are no probabilities: every row must be at least 0 and add up to 1; pass softmax(scores)."
        )
    if not -p.shape[1] <= watched < p.shape[1]:
        raise InputError(f"watched={watched}: there are {p.shape[1]} classes; give their column.")
    return np.clip(p, 0, 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection(Record):
    """Which rows were explained, why, and what was saved.

    `probabilities (n, k)`, `uncertainty (n,)` from 0 to 1, `reasons (n,)` the condition that called for each row, or "not called
    for"; `order (m,)` the rows that were called for, the first first, of which `explained (n,)` were reached within the limits.
    `attribution` explains rows `order`, in that order; its `done` is False where time was up. `seconds_each` is what one
    explanation took, or was said to take.
    """

    policy: ExplainWhen
    probabilities: np.ndarray
    uncertainty: np.ndarray
    reasons: tuple[str, ...]
    order: np.ndarray
    explained: np.ndarray
    attribution: Attribution | None = None
    seconds_each: float | None = None

    def __len__(self) -> int:
        return len(self.explained)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """(n,) what became of each row: explained, limit reached, not called for"""
        called = {True: EXPLAINED, False: OUT_OF_TIME}
        pairs = zip(self.reasons, self.explained.tolist(), strict=True)
        return tuple(NOT_CALLED if reason == NOT_CALLED else called[done] for reason, done in pairs)

    @property
    def called_by(self) -> dict[str, int]:
        """How many rows each condition called for."""
        return {reason: self.reasons.count(reason) for reason in dict.fromkeys(self.reasons) if reason != NOT_CALLED}

    @property
    def saved(self) -> float:
        """The share of rows that were not explained."""
        return float(1 - self.explained.mean())

    @property
    def seconds_saved(self) -> float | None:
        """An estimate: rows that were not explained, times what an explanation took; None where none was timed."""
        return None if self.seconds_each is None else float((~self.explained).sum() * self.seconds_each)

    def reached(self, done: np.ndarray, seconds: float) -> Selection:
        """The same after a run: `done (m,)` tells which of the first m rows of `order` were explained, `seconds` what it took."""
        if len(done) > len(self.order):
            raise InputError(f"{len(done)} explanations of {len(self.order)} rows: give those of rows `order`.")
        explained = np.zeros(len(self), bool)
        explained[self.order[: len(done)][done]] = True
        return replace(self, explained=explained, seconds_each=seconds / done.sum() if done.any() else None)

    def sentences(self) -> list[str]:
        """What was done, for people."""
        n, done, outcomes, why = len(self), int(self.explained.sum()), self.outcomes, self.called_by
        told = [f"{done} of {n} explained, {self.saved:.0%} saved, by {self.policy.words}"]
        told += [f"called for: {', '.join(f'{count} by {reason}' for reason, count in why.items())}"] if why else []
        if late := outcomes.count(OUT_OF_TIME):
            first = sum(o == OUT_OF_TIME and r == "above" for o, r in zip(outcomes, self.reasons, strict=True))
            told.append(f"{late} called for and left out when the limit was reached, {first} of them by above")
        if self.seconds_saved is not None and done:
            told.append(
                f"about {self.seconds_saved:.3g} s saved, at {self.seconds_each:.3g} s an explanation (an estimate)"
            )
        return told

    def to_frame(self) -> pd.DataFrame:
        """One line per row: the probability of the watched class, uncertainty, reason, outcome."""
        import pandas as pd

        watched = self.probabilities[:, self.policy.watched]
        made = {"row": np.arange(len(self)), "probability": watched, "uncertainty": self.uncertainty}
        return pd.DataFrame({**made, "reason": self.reasons, "outcome": self.outcomes})
