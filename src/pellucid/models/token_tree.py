"""Sequences of tokens as a tree that is read piece by piece: in alphabetical order neighbours share most, so each piece has what
is new of some of them, one after the other, and goes on from tokens of the piece before (`prefixes.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Piece:
    """The tokens of some sequences that no piece before had, t of them, after k kept ones that all or some go on from."""

    rows: np.ndarray  # (b,) the sequences' numbers
    ids: np.ndarray  # (t,)
    places: np.ndarray  # (t,) of each token in its sequence
    shared: tuple[int, ...]  # how many tokens of each sequence stand there already
    where: tuple[np.ndarray, ...]  # for each sequence the k + t places of its tokens, first to last
    kept: int

    @classmethod
    def of(cls, sequences: list[list[int]], rows: np.ndarray, shared: np.ndarray) -> Piece:
        kept = int(shared[0])
        here, where = np.arange(kept), []
        ids: list[int] = []
        places: list[int] = []
        for row, q in zip(rows, shared, strict=True):
            new = sequences[row][q:]
            here = np.concatenate([here[:q], kept + len(ids) + np.arange(len(new))])
            ids.extend(new)
            places.extend(range(q, q + len(new)))
            where.append(here)
        return cls(rows, np.array(ids), np.array(places), tuple(shared.tolist()), tuple(where), kept)

    @property
    def kind(self) -> set[str]:
        """What may go wrong with it; nothing, where it is one sequence from its first token on."""
        found = {"branches"} if len(self.rows) > 1 else set()
        found |= {"goes on"} if self.kept else set()
        return found | ({f"2^{(self.kept + len(self.ids)).bit_length()} places"} if found else set())

    @property
    def ends(self) -> np.ndarray:
        """Where among the new tokens each sequence ends: (b,)"""
        return np.array([here[-1] for here in self.where]) - self.kept

    def seen(self, window: int | None) -> np.ndarray | None:
        """Which tokens each new one sees (1, t, k + t), the last `window` of its own sequence; None where it is all before it."""
        if len(self.rows) == 1 and window is None:
            return None
        made = np.zeros((1, len(self.ids), self.kept + len(self.ids)), dtype=bool)
        for here, q in zip(self.where, self.shared, strict=True):
            new = len(here) - q
            before = np.tri(new, len(here), q, dtype=bool)
            if window is not None:
                before &= ~np.tri(new, len(here), q - window, dtype=bool)
            made[0, (here[q:] - self.kept)[:, None], here] = before
        return made


def tree(sequences: list[list[int]], tokens: int, in_all: int) -> Iterator[Piece]:
    """Sequences in pieces of at most so many new tokens, and so many in all if each sequence is counted by itself."""
    order = np.array(sorted(range(len(sequences)), key=sequences.__getitem__))
    lengths = np.array([len(sequences[row]) for row in order])
    shared = _alike([sequences[row] for row in order], lengths)
    start = 0
    while start < len(order):
        new, whole = np.cumsum((lengths - shared)[start:]), np.cumsum(lengths[start:])
        inside = (new <= tokens) & (whole <= in_all) | (new == new[0])  # one at least, and its twins
        stop = start + int(inside.sum())
        yield Piece.of(sequences, order[start:stop], shared[start:stop])
        start = stop


def _alike(sequences: list[list[int]], lengths: np.ndarray) -> np.ndarray:
    """How many tokens each sequence begins with as the one before it does: (m,)"""
    table = np.full((len(sequences), lengths.max()), -1)
    for row, known in enumerate(sequences):
        table[row, : len(known)] = known
    same = np.logical_and.accumulate(table[1:] == table[:-1], axis=1).sum(axis=1)
    return np.append(0, np.minimum(same, lengths[1:]))
