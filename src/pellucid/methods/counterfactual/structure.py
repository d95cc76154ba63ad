"""How columns follow from each other: a structural causal model with additive noise, x_j = F_j(parents of j) + u_j.

Given as `{column: what}`, where what is an equation as text ("0.4 * education + 200 * age"), a function of a dict of arrays
(m,), or the parents' names, in which case F_j is fitted to the background (`fits.py`). Columns that are not named have no parents:
graphs may be partial, and equations may stand beside fits.

Abduction, action, prediction (Pearl 2009), for an act that moves column j by a_j from where it would be by itself:

    u_j = x_j - F_j(x_pa)        v_j = F_j(v_pa) + u_j + a_j = (x_j + a_j) + F_j(v_pa) - F_j(x_pa)

in the order of the graph. a_j = 0 is no act, and the column follows. Read from right to left the same line says which acts lead
to rows that are wished for: x_j + a_j = v_j - F_j(v_pa) + F_j(x_pa).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.inputs import plain_array
from pellucid.core.relations import linear
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.fits import Fit, Follows, fitted, foretold


@dataclass(frozen=True, eq=False)
class Mechanism:
    """Column `column` is `follows(rows (m, p)) -> (m,)` of its parents, plus noise."""

    column: int
    parents: frozenset[int]
    follows: Follows
    note: str = ""  # how well it foretells, where it was fitted

    def moved(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """x, v (m, p) -> F(v) - F(x), how far the column follows (m,): not at all where a parent is missing"""
        known = ~np.isnan(x[:, sorted(self.parents)]).any(axis=1)
        made = np.zeros(len(x))
        if known.any():
            made[known] = self.follows(v[known]) - self.follows(x[known])
        return made


@dataclass(frozen=True, eq=False)
class Structure:
    """Mechanisms in an order in which parents come first; whole columns are rounded where they follow."""

    mechanisms: tuple[Mechanism, ...]
    whole: np.ndarray

    def settle(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """x (m, p), z = x + acts (m, p) -> the rows as they then are (m, p)"""
        v = z.copy()
        for one in self.mechanisms:
            j = one.column
            v[:, j] = z[:, j] + one.moved(x, v)
            if self.whole[j]:
                v[:, j] = np.where(np.isfinite(v[:, j]), np.rint(v[:, j]), v[:, j])
        return v

    def acts(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """x (m, p), rows as they are to be (m, p) -> x + acts (m, p) that lead there"""
        z = v.copy()
        for one in self.mechanisms:
            z[:, one.column] = v[:, one.column] - one.moved(x, v)
        return z

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(one.note for one in self.mechanisms if one.note)

    @classmethod
    def of(
        cls, given: Any, columns: tuple[Column, ...], background: np.ndarray | None, fit: Fit = "linear"
    ) -> Structure:
        """From what a user may give, bound to columns and background rows (b, p)"""
        if not isinstance(given, Mapping):
            raise MethodError(
                f"scm={given!r}: give {{column: equation}}, as in {{'income': '0.4 * education'}}, or {{column: (parents, ...)}}."
            )
        made: dict[int, Mechanism] = {}
        world = _World(columns, background, fit)
        for name, what in given.items():
            j = world.place(name)
            if columns[j].kind == "level":
                raise InputError(
                    f"scm: column {name!r} holds levels, which follow from nothing by sum and noise: leave it out."
                )
            made[j] = world.mechanism(j, name, what)
        whole = np.array([column.kind == "integer" for column in columns])
        order = _order({j: one.parents for j, one in made.items()}, columns)
        return cls(tuple(made[j] for j in order), whole)


@dataclass(frozen=True, eq=False)
class _World:
    """What a structure is bound to."""

    columns: tuple[Column, ...]
    background: np.ndarray | None
    fit: Fit

    def place(self, name: str) -> int:
        names = [column.name for column in self.columns]
        if name not in names:
            raise InputError(f"scm: there is no column {name!r}; the columns are {', '.join(names[:20])}.")
        return names.index(name)

    def mechanism(self, j: int, name: str, what: Any) -> Mechanism:
        """How a column follows, of what a user may give."""
        if isinstance(what, str):
            return self._equation(j, name, what)
        return self._function(j, name, what) if callable(what) else self._fitted(j, name, tuple(what))

    def _equation(self, j: int, name: str, what: str) -> Mechanism:
        side = linear(what)
        weights = {self.place(parent): weight for parent, weight in side.weights.items()}
        levels = [self.columns[k].name for k in weights if self.columns[k].kind == "level"]
        if levels:
            raise InputError(
                f"scm: {name!r} = {what!r} sums column {levels[0]!r}, which holds levels: name the parents instead."
            )

        def follows(z: np.ndarray) -> np.ndarray:
            return sum((w * z[:, k] for k, w in weights.items()), np.full(len(z), side.constant))

        return Mechanism(j, frozenset(weights), follows)

    def _function(self, j: int, name: str, what: Any) -> Mechanism:
        names = [column.name for column in self.columns]

        def asked(z: np.ndarray) -> np.ndarray:
            said = plain_array(what({name: z[:, k] for k, name in enumerate(names)}), float)
            if said.shape != (len(z),):
                raise InputError(f"scm: the function of {name!r} returned shape {said.shape} for {len(z)} rows.")
            return said

        return Mechanism(j, _read(what, names, self.background), asked)

    def _fitted(self, j: int, name: str, parents: tuple[str, ...]) -> Mechanism:
        """By the background's complete rows."""
        said = ", ".join(parents)
        if self.background is None:
            raise InputError(f"scm: {name!r} is to be fitted from {said}: pass background= rows, or an equation.")
        at = [self.place(parent) for parent in parents]
        rows = self.background[~np.isnan(self.background[:, [j, *at]]).any(axis=1)]
        if not at or not len(rows):
            why = "no parents are named" if not at else "no background row has a value in all of these columns"
            raise InputError(f"scm: {name!r} cannot be fitted from ({said}): {why}.")
        share = foretold(self.fit, rows, j, at, self.columns)
        told = "too few rows to say how well it foretells" if np.isnan(share) else f"foretells {max(share, 0.0):.0%}"
        note = f"{name} from {said} by {self.fit}: {told}" + " of its variance on rows not seen" * bool(share == share)
        return Mechanism(j, frozenset(at), fitted(self.fit, rows, j, at, self.columns), note)


class _Watched(dict[str, np.ndarray]):
    """A dict that remembers what was read."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.read.add(name)
        return super().__getitem__(name)


def _read(function: Any, names: list[str], background: np.ndarray | None) -> frozenset[int]:
    """The parents that a function reads, found by calling it once."""
    rows = np.ones((2, len(names))) if background is None else background[:2]
    watched = _Watched({name: rows[:, k] for k, name in enumerate(names)})
    function(watched)
    return frozenset(names.index(name) for name in watched.read)


def _order(parents: dict[int, frozenset[int]], columns: tuple[Column, ...]) -> list[int]:
    """Columns with a mechanism so that parents come first; a circle is an error."""
    left, made = dict(parents), list[int]()
    while left:
        ready = [j for j, above in left.items() if not (above & left.keys())]
        if not ready:
            circle = ", ".join(columns[j].name for j in left)
            raise InputError(f"scm: {circle} follow from each other in a circle: a causal graph has none.")
        made += ready
        for j in ready:
            del left[j]
    return made
