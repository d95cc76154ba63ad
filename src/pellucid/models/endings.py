"""Sequences that a network has read, and the way on from them: what comes next, and after that."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pellucid.models.prefixes import Network

Held = tuple[Any, "np.ndarray | None"]  # each sequence's keys and values, and what of them is no padding


@dataclass(frozen=True, eq=False)
class Ending:
    """b sequences that were read to their end: `rows (b,)`, the logits (b, V) of what comes next, and the way on."""

    network: Network
    rows: np.ndarray
    sequences: list[list[int]]
    logits: Tensor
    kept: Any  # keys and values of a piece, or None
    where: tuple[np.ndarray, ...]  # each sequence's places there

    def parted(self) -> Iterator[Ending]:
        """Itself; sequences of one length at a time where a layer counts back, as padding would be counted."""
        if self.network.window is None:
            yield self
            return
        lengths = np.array([len(s) for s in self.sequences])
        for length in np.unique(lengths):
            some = np.flatnonzero(lengths == length)
            yield Ending(
                self.network,
                self.rows[some],
                [self.sequences[i] for i in some],
                self.logits[torch.as_tensor(some)],
                self.kept,
                tuple(self.where[i] for i in some),
            )

    def after(self, tokens: list[int], which: np.ndarray) -> Tensor:
        """What comes after each of k tokens if they are added to some of the sequences: -> logits (w, k, V)"""
        if self.kept is None:
            return self._anew([[*self.sequences[i], *tokens] for i in which], len(tokens))
        past, seen = _own(self.kept, [self.where[i] for i in which])
        return self._onward(np.tile(tokens, (len(which), 1)), (past, seen), which, 0)[0]

    def greedily(self, most: int, ends: frozenset[int]) -> list[list[int]]:
        """The likeliest next token again and again, until one that ends the answer (which is left out) or `most` tokens."""
        replies: list[list[int]] = [[] for _ in self.rows]
        which, logits, past = np.arange(len(self.rows)), self.logits, None
        for step in range(most):
            best = logits.argmax(dim=-1).cpu().numpy()
            going = np.array([int(token) not in ends for token in best], dtype=bool)
            for i, token in zip(which[going], best[going], strict=True):
                replies[i].append(int(token))
            if not going.any() or step == most - 1:
                break
            which, best = which[going], best[going][:, None]
            if self.kept is None:
                logits = self._anew([[*self.sequences[i], *replies[i]] for i in which], 1)[:, -1]
                continue
            if past is None:
                past = _own(self.kept, [self.where[i] for i in which])
            elif not going.all():
                past = _some(past, np.flatnonzero(going))
            logits, cache = self._onward(best, past, which, step)
            past, logits = (cache, past[1]), logits[:, -1]
        return replies

    def _onward(self, tokens: np.ndarray, past: Held, which: np.ndarray, done: int) -> tuple[Tensor, Any]:
        """tokens (w, k) after `done` others -> logits (w, k, V), keys and values"""
        cache, seen = past
        k = tokens.shape[1]
        start = np.array([len(self.sequences[i]) + done for i in which])
        if seen is not None:
            seen = np.pad(seen, ((0, 0), (0, done + k)), constant_values=True)
        return self.network.call(tokens, cache, start[:, None] + np.arange(k), keep=k, seen=seen)

    def _anew(self, sequences: list[list[int]], k: int) -> Tensor:
        """The last k logits of longer sequences, each length by itself."""
        made: dict[int, Tensor] = {}
        lengths = np.array([len(s) for s in sequences])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            places = np.tile(np.arange(length), (len(rows), 1))
            logits, _ = self.network.call(np.array([sequences[i] for i in rows]), None, places, keep=k)
            made.update(zip(rows.tolist(), logits, strict=True))
        return torch.stack([made[i] for i in range(len(sequences))])


def _with(kept: Any, index: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """The same kind of cache with other keys and values: what is added to it leaves the first as it is."""
    made = copy.copy(kept)
    made.layers = [copy.copy(layer) for layer in kept.layers]
    for layer in made.layers:
        here = index.to(layer.keys.device)
        layer.keys, layer.values = change(layer.keys, here), change(layer.values, here)
    return made


def path(kept: Any, where: np.ndarray) -> Any:
    """What stands at some places of a piece, (1, h, length, d) in each layer."""
    return _with(kept, torch.as_tensor(where), lambda known, index: known[:, :, index])


def _own(kept: Any, where: list[np.ndarray]) -> Held:
    """Each sequence's own keys and values (w, h, longest, d), filled up at the left, and what is no padding."""
    longest = max(map(len, where))
    index, seen = np.zeros((len(where), longest), dtype=np.int64), np.zeros((len(where), longest), dtype=bool)
    for row, here in enumerate(where):
        index[row, longest - len(here) :], seen[row, longest - len(here) :] = here, True
    made = _with(kept, torch.as_tensor(index), lambda known, index: known[0][:, index].transpose(0, 1))
    return made, None if seen.all() else seen


def _some(past: Held, rows: np.ndarray) -> Held:
    """Some of the sequences' keys and values."""
    cache, seen = past
    return _with(cache, torch.as_tensor(rows), lambda known, index: known[index]), None if seen is None else seen[rows]
