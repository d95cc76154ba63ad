"""How columns follow from each other: a structural causal model with additive noise, x_j = F_j(parents of j) + u_j.

Given as `{column: what}`, where what is an equation as text ("0.4 * education + 200 * age"), a function of a dict of arrays
(m,), or the
parents' names, in which case F_j is fitted to the background by least squares (levels one-hot). Columns that are not named have no
parents: graphs may be partial.

Abduction, action, prediction (Pearl 2009), for an act that moves column j by a_j from where it would be by itself:

    u_j = x_j - F_j(x_pa)        v_j = F_j(v_pa) + u_j + a_j = (x_j + a_j) + F_j(v_pa) - F_j(x_pa)

in the order of the graph. a_j = 0 is no act, and the column follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.inputs import plain_array
from pellucid.core.relations import linear
from pellucid.core.schema import Column

Mechanism = Callable[[np.ndarray], np.ndarray]  # rows (m, p) -> (m,)


@dataclass(frozen=True, eq=False)
class Structure:
    """Mechanisms by column, in an order in which parents come first; whole columns are rounded where they follow."""

    mechanisms: tuple[tuple[int, Mechanism], ...]
    whole: np.ndarray

    def settle(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """x (m, p), z = x + acts (m, p) -> the rows as they then are (m, p)"""
        v = z.copy()
        for j, follows in self.mechanisms:
            v[:, j] = z[:, j] + follows(v) - follows(x)
            if self.whole[j]:
                v[:, j] = np.where(np.isfinite(v[:, j]), np.rint(v[:, j]), v[:, j])
        return v

    @classmethod
    def of(cls, given: Any, columns: tuple[Column, ...], background: np.ndarray | None) -> Structure:
        """From what a user may give, bound to columns and background rows (b, p)"""
        if not isinstance(given, Mapping):
            raise MethodError(
                f"scm={given!r}: give {{column: equation}}, as in {{'income': '0.4 * education'}}, or {{column: (parents, ...)}}."
            )
        place = {column.name: j for j, column in enumerate(columns)}
        made: dict[int, tuple[set[int], Mechanism]] = {}
        for name, what in given.items():
            j = _place(name, place)
            if columns[j].kind == "level":
                raise InputError(
                    f"scm: column {name!r} holds levels, which follow from nothing by sum and noise: leave it out."
                )
            made[j] = _mechanism(j, name, what, columns, place, background)
        whole = np.array([column.kind == "integer" for column in columns])
        return cls(
            tuple((j, made[j][1]) for j in _order({j: parents for j, (parents, _) in made.items()}, columns)), whole
        )


def _place(name: str, place: dict[str, int]) -> int:
    if name not in place:
        raise InputError(f"scm: there is no column {name!r}; the columns are {', '.join(list(place)[:20])}.")
    return place[name]


def _mechanism(
    j: int, name: str, what: Any, columns: tuple[Column, ...], place: dict[str, int], background: np.ndarray | None
) -> tuple[set[int], Mechanism]:
    """The parents of a column and how it follows from them."""
    if isinstance(what, str):
        side = linear(what)
        parents = {_place(parent, place): weight for parent, weight in side.weights.items()}
        levels = [columns[k].name for k in parents if columns[k].kind == "level"]
        if levels:
            raise InputError(
                f"scm: {name!r} = {what!r} sums column {levels[0]!r}, which holds levels: name the parents instead."
            )
        return set(parents), lambda z: sum((w * z[:, k] for k, w in parents.items()), np.full(len(z), side.constant))
    if callable(what):
        names = [column.name for column in columns]

        def asked(z: np.ndarray) -> np.ndarray:
            said = plain_array(what({name: z[:, k] for k, name in enumerate(names)}), float)
            if said.shape != (len(z),):
                raise InputError(f"scm: the function of {name!r} returned shape {said.shape} for {len(z)} rows.")
            return said

        return _read(what, names, j, background), asked
    return _fitted(j, name, tuple(what), columns, place, background)


class _Watched(dict[str, np.ndarray]):
    """A dict that remembers what was read."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.read.add(name)
        return super().__getitem__(name)


def _read(function: Any, names: list[str], j: int, background: np.ndarray | None) -> set[int]:
    """The parents that a function reads, found by calling it once."""
    rows = np.ones((2, len(names))) if background is None else background[:2]
    watched = _Watched({name: rows[:, k] for k, name in enumerate(names)})
    function(watched)
    return {names.index(name) for name in watched.read}


def _fitted(
    j: int,
    name: str,
    parents: tuple[str, ...],
    columns: tuple[Column, ...],
    place: dict[str, int],
    background: np.ndarray | None,
) -> tuple[set[int], Mechanism]:
    """Least squares on the background's complete rows."""
    if background is None:
        raise InputError(
            f"scm: {name!r} is to be fitted from {', '.join(parents)}: pass background= rows, or an equation."
        )
    at = [_place(parent, place) for parent in parents]

    def design(z: np.ndarray) -> np.ndarray:
        parts = [np.ones((len(z), 1))]
        for k in at:
            column = columns[k]
            coded = np.arange(1, len(column.levels))
            parts.append((z[:, [k]] == coded).astype(float) if column.kind == "level" else z[:, [k]])
        return np.concatenate(parts, axis=1)

    whole = ~np.isnan(background[:, [j, *at]]).any(axis=1)
    weights = np.linalg.lstsq(design(background[whole]), background[whole, j], rcond=None)[0]
    return set(at), lambda z: np.asarray((design(z) * weights).sum(axis=1))  # row by row, whatever the batch


def _order(parents: dict[int, set[int]], columns: tuple[Column, ...]) -> list[int]:
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
