"""Several players that come and go as one: a one-hot block, columns that go together, a phrase.

A coalition game over blocks of players is the game of the "quotient" (Owen 1977; for explanations Jullum, Redelmeier & Aas,
"groupShapley", 2021): `v_groups(G) = v(union of the groups in G)`, whatever hides the single players.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.maskers import Columns
from pellucid.core.masking import Bound, Form, Masker


@dataclass(frozen=True)
class Groups(Masker):
    """`groups` {name: [player, ...]} of the players of `masker`, by name or number; a player in no group stands alone.

    Where each row has players of its own (words), a name stands for all of them, and a row may lack some.
    """

    groups: Mapping[str, Sequence[str | int]] = field(hash=False)
    masker: Masker = Columns()

    def __post_init__(self) -> None:
        if not isinstance(self.groups, Mapping) or not self.groups:
            raise MethodError(f"Groups({self.groups!r}): expected {{name: [player, ...]}} with at least one group.")
        if not isinstance(self.masker, Masker):
            raise MethodError(f"Groups(masker={self.masker!r}): expected a masker, for example Columns().")
        tidy = {
            str(name): members if isinstance(members, str) else tuple(members) for name, members in self.groups.items()
        }
        object.__setattr__(self, "groups", tidy)
        object.__setattr__(self, "apart", self.masker.apart)
        object.__setattr__(self, "reads_sparse", self.masker.reads_sparse)

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        inner = self.masker.bind(x, background, form)
        players = _of_one_row(self.groups, inner.names) if self.apart else grouped(self.groups, inner.names)
        _apart_from_each_other(players, inner.names)
        return Blocks(inner, tuple(players.values()), tuple(players))


@dataclass(frozen=True, eq=False)
class Blocks:
    """Groups of the players of `inner`."""

    inner: Bound
    members: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    @property
    def draws(self) -> int:
        return self.inner.draws

    @property
    def labels(self) -> np.ndarray | None:
        if self.inner.labels is None:
            return None
        return np.where(self.inner.labels < 0, -1, self._group[self.inner.labels])

    def fill(self, z: np.ndarray) -> np.ndarray:
        return self.inner.fill(np.asarray(z[:, self._group]))

    def lift(self, values: np.ndarray) -> np.ndarray:
        """Each member of a group takes a share of its value, by the number of its cells where that is known."""
        size = np.ones(len(self._group))
        if self.inner.labels is not None:
            size = np.bincount(self.inner.labels[self.inner.labels >= 0].ravel(), minlength=len(size)).astype(float)
        whole = np.bincount(self._group, weights=size, minlength=len(self.names))
        return self.inner.lift(values[:, self._group] * size / whole[self._group])

    @property
    def _group(self) -> np.ndarray:
        """(p,) the number of each inner player's group"""
        group = np.empty(len(self.inner.names), dtype=int)
        for number, members in enumerate(self.members):
            group[members] = number
        return group


def grouped(groups: Mapping[str, Sequence[str | int]], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The groups by name, then every column that is in none: name -> column numbers."""
    made = {str(name): _numbers(str(name), members, names) for name, members in groups.items()}
    return _with_the_rest(made, names)


def _with_the_rest(made: dict[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    taken = {j for members in made.values() for j in members.tolist()}
    for j, name in enumerate(names):
        if j in taken:
            continue
        if name in made:
            raise InputError(f"group {name!r} has the name of a column that is in no group: call it otherwise.")
        made[name] = np.array([j])
    return made


def _numbers(group: str, members: Sequence[str | int], names: tuple[str, ...]) -> np.ndarray:
    if isinstance(members, str) or not len(members):
        raise InputError(f"group {group!r} is {members!r}: give a list of at least one column.")
    numbers = [_number(group, member, names) for member in members]
    if len(set(numbers)) < len(numbers):
        raise InputError(f"group {group!r} names a column twice: {list(members)}.")
    return np.array(numbers)


def _number(group: str, member: str | int, names: tuple[str, ...]) -> int:
    if member in names:
        return names.index(str(member))
    if isinstance(member, int | np.integer) and 0 <= member < len(names):
        return int(member)
    raise InputError(f"group {group!r} has no column {member!r} to take; the columns are {', '.join(names[:20])}.")


def _of_one_row(groups: Mapping[str, Sequence[str | int]], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """As `grouped`, for the players of one row: a name stands for all players that have it, and may be absent."""
    made: dict[str, np.ndarray] = {}
    taken: set[int] = set()
    for name, members in groups.items():
        if isinstance(members, str) or not len(members):
            raise InputError(f"group {name!r} is {members!r}: give a list of at least one player.")
        found = np.array([j for j, player in enumerate(names) if player in members or j in members], dtype=int)
        taken.update(found.tolist())
        if len(found):
            made[str(name)] = found
    rest: dict[str, np.ndarray] = {}
    for j, player in enumerate(names):
        if j not in taken:
            rest[_free(player, {**made, **rest})] = np.array([j])
    return {**made, **rest}


def _free(name: str, taken: Mapping[str, object]) -> str:
    """A name that nobody has: a word that comes twice is two players."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _apart_from_each_other(players: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    owner: dict[int, str] = {}
    for name, members in players.items():
        for j in members.tolist():
            if j in owner:
                raise InputError(
                    f"{names[j]!r} is in group {owner[j]!r} and in group {name!r}: give it to one of them."
                )
            owner[j] = name
