"""Absent columns drawn from what they are likely to be, given the present ones: v(S) = E[f(x_S, X_rest) | X_S = x_S].

Aas, Jullum & Loland, "Explaining individual predictions when features are dependent" (Artificial Intelligence 2021). `Columns`
takes absent values from the background whatever is present (the marginal distribution), and so asks a model about people of
two metres who weigh twenty kilograms. Two laws are offered here:

    gaussian   the background's mean and covariance, and the exact conditional of a normal distribution (their eq. 10, 11)
                   X_A | x_P ~ N(mu_A + C_AP C_PP^-1 (x_P - mu_P),  C_AA - C_AP C_PP^-1 C_PA)
               drawn by noise that all rows and coalitions share, and by its mirror image: linear models are exact
    nearest    the background rows that are nearest in the present columns; numbers in standard deviations, levels 0 or 1

Their "empirical" law weighs all rows by their nearness; here the nearest count alike and the others not at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.spatial.distance import cdist

from pellucid.core.errors import InputError, MethodError
from pellucid.core.maskers import column_names
from pellucid.core.masking import Bound, Form, Masker

Law = Literal["gaussian", "nearest"]
_DRAWS = 100
_SINGULAR = 1e-10  # of a correlation matrix's eigenvalues
_BROKEN = 1e-3  # standard deviations from what a row's other columns say


@dataclass(frozen=True)
class Conditional(Masker):
    """`draws` per coalition (even, for Gaussian ones), None: 100 Gaussian ones, or about the root of the background's rows."""

    law: Law = "gaussian"
    draws: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.law not in get_args(Law):
            raise MethodError(f"Conditional(law={self.law!r}): choose one of {', '.join(get_args(Law))}.")
        if self.draws is not None and (not isinstance(self.draws, int) or self.draws < 1):
            raise MethodError(f"Conditional(draws={self.draws!r}): expected a whole number, at least 1.")
        if self.law == "gaussian" and (self.draws or 2) % 2:
            raise MethodError(
                f"Conditional(draws={self.draws}): Gaussian draws come in mirrored pairs; give an even number."
            )

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        if x.ndim != 2:
            raise MethodError(
                f"Conditional() is for tables (n, p); x has shape {x.shape}: use Grid() for pictures and volumes."
            )
        if background is None:
            raise InputError(
                "Conditional() learns from background rows and got none: pass background=, for example 1,000 of the training data."
            )
        names, known, rng = column_names(x, form), background.astype(float), np.random.default_rng(self.seed)
        if self.law == "gaussian":
            half = rng.standard_normal(((self.draws or _DRAWS) // 2, x.shape[1]))
            return Drawn(x, names, _gaussian(x, known, np.concatenate([half, -half]), form, names))
        draws = min(len(known), self.draws or max(2, round(np.sqrt(len(known)))))
        return Drawn(x, names, _nearest(x, known[rng.permutation(len(known))], draws, form))


class _Draws(ABC):
    """A law of absent columns."""

    draws: int

    @abstractmethod
    def absent(self, present: np.ndarray) -> np.ndarray:
        """present (p,) bool, not all -> (draws, n, absent columns)"""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The columns of n rows are the players; absent ones are drawn by a law that looks at the present ones."""

    x: np.ndarray  # (n, p)
    names: tuple[str, ...]
    law: _Draws

    @property
    def draws(self) -> int:
        return self.law.draws

    @property
    def labels(self) -> np.ndarray:
        return np.arange(self.x.shape[1])

    def fill(self, z: np.ndarray) -> np.ndarray:
        dtype = self.x.dtype if self.x.dtype.kind == "f" else float
        filled = np.empty((len(z), self.draws, *self.x.shape), dtype)
        for made, present in zip(filled, z, strict=True):
            made[...] = self.x
            if not present.all():
                made[:, :, ~present] = self.law.absent(present)
        return filled

    def lift(self, values: np.ndarray) -> np.ndarray:
        return values


@dataclass(frozen=True, eq=False)
class _Gaussian(_Draws):
    """Numbers of n rows, the law's mean (p,), standard deviations (p,) and correlation (p, p), and the noise (draws, p) that all
    share. Where columns determine each other the correlation is singular; its pseudo-inverse is exact for rows that keep to that.
    """

    x: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    correlation: np.ndarray
    noise: np.ndarray
    draws: int

    def absent(self, present: np.ndarray) -> np.ndarray:
        c, away = self.correlation, (self.x - self.mean)[:, present] / self.scale[present]
        known = np.linalg.pinv(c[np.ix_(present, present)], rcond=_SINGULAR, hermitian=True)
        slopes = known @ c[np.ix_(present, ~present)]  # (present, absent)
        left = c[np.ix_(~present, ~present)] - c[np.ix_(~present, present)] @ slopes
        spread = self.noise[:, ~present] @ _root(left)
        return np.asarray(self.mean[~present] + (away @ slopes + spread[:, None]) * self.scale[~present])


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root (q, q), of a singular one too."""
    size, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(size, 0))) @ vectors.T)


@dataclass(frozen=True, eq=False)
class _Nearest(_Draws):
    """Background rows (b, p), and how rows and background look to a distance: (n, q) and (b, q), columns of owner (q,)."""

    background: np.ndarray
    rows: np.ndarray
    known: np.ndarray
    owner: np.ndarray
    draws: int

    def absent(self, present: np.ndarray) -> np.ndarray:
        looked = present[self.owner]
        if looked.any():
            away = cdist(self.rows[:, looked], self.known[:, looked], "sqeuclidean")  # (n, b)
        else:
            away = np.zeros((len(self.rows), len(self.known)))
        near = np.argsort(away, axis=1, kind="stable")[:, : self.draws]  # equally near rows in their drawn order
        return np.asarray(self.background[near][:, :, ~present].transpose(1, 0, 2))


def _gaussian(x: np.ndarray, known: np.ndarray, noise: np.ndarray, form: Form, names: tuple[str, ...]) -> _Gaussian:
    """x (n, p), background (b, p), refused where no normal distribution can be learned or conditioned on."""
    other = "or take Conditional('nearest'), which needs no covariance."
    if form.schema is not None and form.schema.coded.any():
        name = form.schema.names[int(np.argmax(form.schema.coded))]
        raise InputError(
            f"Conditional('gaussian') is for numbers, and column {name!r} holds levels: leave it out, {other}"
        )
    for what, rows in (("x", x), ("the background", known)):
        bad = ~np.isfinite(rows).all(axis=0)
        if bad.any():
            raise InputError(f"{what} misses values in column {names[int(np.argmax(bad))]!r}: impute them, {other}")
    if len(known) <= x.shape[1]:
        raise InputError(
            f"{len(known)} background rows are too few for the covariance of {x.shape[1]} columns: give at least "
            f"{x.shape[1] + 1}, better ten times as many, {other}"
        )
    mean, scale = known.mean(axis=0), known.std(axis=0, ddof=1)
    scale = np.where(known.max(axis=0) == known.min(axis=0), 1.0, scale)  # a constant column stays where it is
    correlation = np.atleast_2d(np.cov((known - mean) / scale, rowvar=False))
    _check_tied((x - mean) / scale, correlation, names, other)
    return _Gaussian(x.astype(float), mean, scale, correlation, noise, len(noise))


def _check_tied(away: np.ndarray, correlation: np.ndarray, names: tuple[str, ...], other: str) -> None:
    """Rows (n, p), in standard deviations from the mean: those that break what ties the background's columns are refused."""
    size, vectors = np.linalg.eigh(correlation)
    ties = vectors[:, size < _SINGULAR * len(size)]  # (p, ties)
    broken = np.argwhere(np.abs(away @ ties) > _BROKEN)
    if len(broken):
        row, tie = broken[0]
        tied = [repr(names[j]) for j in np.flatnonzero(np.abs(ties[:, tie]) > 0.1)[:5]]
        said = f"columns {', '.join(tied)} determine each other" if len(tied) > 1 else f"column {tied[0]} is constant"
        raise InputError(
            f"{said} in the background, and row {row} of x breaks that, which has no chance under Conditional('gaussian'): "
            f"give background rows as varied as x, leave one out, {other}"
        )


def _nearest(x: np.ndarray, known: np.ndarray, draws: int, form: Form) -> _Nearest:
    """x (n, p), background (b, p) in the order in which equally near rows are taken."""
    coded = np.zeros(x.shape[1], bool) if form.schema is None else form.schema.coded
    rows, seen, owner = [], [], []
    for j in range(x.shape[1]):
        both = np.concatenate([x[:, j].astype(float), known[:, j]])
        looks = _levels(both) if coded[j] else _number(both, known[:, j])  # (n + b, columns)
        rows.append(looks[: len(x)])
        seen.append(looks[len(x) :])
        owner += [j] * looks.shape[1]
    return _Nearest(known, np.concatenate(rows, axis=1), np.concatenate(seen, axis=1), np.array(owner), draws)


def _levels(column: np.ndarray) -> np.ndarray:
    """Codes (m,) -> (m, levels): squared distance 1 between any two levels; missing is a level."""
    values, place = np.unique(column, return_inverse=True)
    return np.asarray(np.eye(len(values))[place.ravel()] / np.sqrt(2))


def _number(column: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Numbers (m,) -> (m, 2): in the background's standard deviations, and whether missing, which is the mean and one more."""
    missing = np.isnan(column)
    there = known[~np.isnan(known)]
    mean, scale = (there.mean(), there.std()) if len(there) else (0.0, 0.0)
    return np.column_stack([np.where(missing, 0, column - mean) / (scale or 1.0), missing])
