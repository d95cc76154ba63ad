"""Many sequences of tokens through a causal network, each prefix that they share computed once.

A causal network's keys and values at a place depend on what stands before it alone, so sequences that begin alike share them.
All coalitions of a prompt begin with the system's message and the template, and those that first differ at a later token share
more than that: together they are a tree of prefixes. The tree is walked from cut to cut,

    cost(p, q) = (different prefixes of length q) (q - p) + sum over sequences that end before q of (length - p) + a call,

and the cuts 0 = p_0 < p_1 < ... that cost least are found by dynamic programming. At each cut all prefixes have one length, so
no hole is left in what is kept and positions stay what they are; only ends of different length are padded, at the left of what
is new, and not where a layer looks back a bounded number of places. Whether a network's numbers are the same that way is tried
once; where they are not, and in networks that take no positions, every sequence is computed whole.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.core.errors import ModelError
from pellucid.core.scalar import pieces
from pellucid.models.stand_ins import with_stand_ins

_ROWS, _TOKENS = 256, 8192  # of one batch
_BYTES = 2**28  # of keys and values that are kept at one time
_CALL = 96  # tokens that could be computed while a call of the network gets going
_CUTS = 96  # places that are considered for cuts
_WASTE = 0.1  # of a batch that may be padding; more where it saves a call

Held = tuple[Any, np.ndarray]  # kept keys and values, and which of them each row goes on from


@dataclass(frozen=True, eq=False)
class Plan:
    """Where to cut m sequences: `cuts` from 0 to the longest length, and `owner` {cut: (m,)} the prefix of each sequence there."""

    cuts: tuple[int, ...]
    owner: dict[int, np.ndarray]

    @classmethod
    def of(cls, sequences: list[list[int]], bytes_per_token: int) -> Plan:
        lengths = np.array([len(s) for s in sequences])
        owner, alive = _prefixes(sequences, lengths), np.array([(lengths > q).sum() for q in range(lengths.max() + 1)])
        distinct = np.array([owner[q].max() + 1 for q in range(len(owner))])  # among those that go on
        known = [0, *_places(distinct, alive, bytes_per_token), int(lengths.max())]
        chosen = _cheapest(known, distinct, lengths)
        return cls(tuple(chosen), {q: owner[q] for q in chosen[:-1]})


def _prefixes(sequences: list[list[int]], lengths: np.ndarray) -> list[np.ndarray]:
    """For each length q the number of each sequence's prefix (m,), -1 where it does not go on beyond it."""
    table = np.full((len(sequences), lengths.max()), -1)
    for row, known in enumerate(sequences):
        table[row, : len(known)] = known
    owner = [np.zeros(len(sequences), dtype=np.int64)]
    for q in range(1, lengths.max()):
        going = lengths > q
        both = owner[-1][going] * (table.max() + 1) + table[going, q - 1]
        made = np.full(len(sequences), -1)
        made[going] = np.unique(both, return_inverse=True)[1].reshape(-1)
        owner.append(made)
    return owner


def _places(distinct: np.ndarray, alive: np.ndarray, bytes_per_token: int) -> list[int]:
    """Where a cut can pay: several sequences go on from fewer prefixes, and the prefixes fit in memory."""
    q = np.arange(len(distinct))
    fits = distinct * q * bytes_per_token <= _BYTES
    branches = np.append(distinct[1:] != distinct[:-1], True) | np.append(np.diff(alive[: len(distinct)]) != 0, True)
    found = q[(q > 0) & fits & branches & (distinct < alive[: len(distinct)])]
    return [int(i) for i in found[:: -(-len(found) // _CUTS)]] if len(found) else []


def _cheapest(places: list[int], distinct: np.ndarray, lengths: np.ndarray) -> list[int]:
    """The cuts among places, first and last included, that cost least."""
    p = np.array(places)
    ended, tokens = (lengths <= p[:, None]).sum(axis=1), np.where(lengths <= p[:, None], lengths, 0).sum(axis=1)
    total, before = np.zeros(len(p)), np.zeros(len(p), dtype=np.int64)
    for j in range(1, len(p)):
        ending = tokens[j] - tokens[:j] - p[:j] * (ended[j] - ended[:j])
        onward = distinct[p[j]] * (p[j] - p[:j]) if p[j] < len(distinct) else 0
        costs = total[:j] + ending + onward + _CALL
        before[j], total[j] = np.argmin(costs), costs.min()
    chosen, j = [places[-1]], len(places) - 1
    while j:
        j = int(before[j])
        chosen.append(places[j])
    return chosen[::-1]


@dataclass(eq=False)
class Network:
    """A causal network of the transformers kind, and what its forward takes."""

    model: Any
    cached: bool = True  # whether prefixes may be shared
    batch_rows: int = _ROWS
    computed: int = 0  # tokens that went through the network
    whole: int = 0  # tokens of the sequences that were read
    checked: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        known = inspect.signature(self.model.forward).parameters
        self.positions, self.keeps = "position_ids" in known, "logits_to_keep" in known
        self.cached = self.cached and "past_key_values" in known and self.positions
        self.device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        self.pads = self.positions and not _slides(self.model)
        self.lookup = self.model.get_input_embeddings()
        self.vocabulary = len(self.lookup.weight)
        self.bytes_per_token = _bytes_per_token(self.model)

    def read(self, sequences: list[list[int]], use: Callable[[Ending], None]) -> None:
        """Runs all sequences; `use` is handed their ends, a batch at a time."""
        self.whole += sum(map(len, sequences))
        with torch.no_grad():
            if not (self.cached and len(sequences) > 1):
                return self._finish(sequences, np.arange(len(sequences)), 0, None, use)
            plan = Plan.of(sequences, self.bytes_per_token)
            if len(plan.cuts) > 2 and not self.checked and not self._agrees(sequences, plan):
                return self._finish(sequences, np.arange(len(sequences)), 0, None, use)
            self._walk(sequences, plan, use)

    def _walk(self, sequences: list[list[int]], plan: Plan, use: Callable[[Ending], None]) -> None:
        """From cut to cut: sequences that end on the way are finished, prefixes of the others are carried on."""
        lengths, held = np.array([len(s) for s in sequences]), None
        for p, q in pairwise(plan.cuts):
            here = plan.owner[p]
            ends = np.flatnonzero((lengths > p) & (lengths <= q))
            if len(ends):
                self._finish(sequences, ends, p, None if held is None else (held, here), use)
            if q in plan.owner:
                numbers, first = np.unique(plan.owner[q], return_index=True)
                rows = first[numbers >= 0]  # one sequence for each prefix, in the prefixes' order
                held = self._carry(sequences, rows, (p, q), None if held is None else (held, here[rows]))

    def _carry(self, sequences: list[list[int]], rows: np.ndarray, span: tuple[int, int], held: Held | None) -> Any:
        """Prefixes of length p -> those of length q, batch by batch"""
        p, q = span
        made = []
        for part in pieces(len(rows), max(1, min(self.batch_rows, _TOKENS // q))):
            past = None if held is None else _picked(held[0], held[1][part])
            ids = np.array([sequences[row][p:q] for row in rows[part]])
            made.append(self.call(ids, past, np.full(len(ids), p))[1])
        return _joined(made)

    def _finish(
        self, sequences: list[list[int]], rows: np.ndarray, p: int, held: Held | None, use: Callable[[Ending], None]
    ) -> None:
        """The rest of some sequences, from place p on, from short to long."""
        rest = np.array([len(sequences[row]) - p for row in rows])
        for part in self._batches(rest, p):
            few, pads = rows[part], rest[part].max() - rest[part]
            past = None if held is None else _picked(held[0], held[1][few])
            ids = np.array([[0] * pad + sequences[row][p:] for row, pad in zip(few, pads, strict=True)])
            seen = None
            if pads.any():
                new = np.arange(ids.shape[1]) >= pads[:, None]
                seen = np.concatenate([np.ones((len(few), p), dtype=bool), new], axis=1)
            logits, kept = self.call(ids, past, p - pads, seen=seen)
            self.computed -= int(pads.sum())
            use(Ending(self, few, [sequences[row] for row in few], logits[:, -1], kept, seen))

    def _batches(self, rest: np.ndarray, p: int) -> Iterator[np.ndarray]:
        """Numbers of sequences by length, in batches of bounded size and little padding."""
        order = np.argsort(rest, kind="stable")
        room = max(1, min(self.batch_rows, _BYTES // (self.bytes_per_token * (p + int(rest.max())))))
        start = 0
        while start < len(order):
            stop, tokens = start + 1, int(rest[order[start]])
            while stop < len(order) and stop - start < room:
                longest, size = int(rest[order[stop]]), stop + 1 - start
                tokens += longest
                padding, allowed = size * longest - tokens, max(_WASTE * size * longest, _CALL) if self.pads else 0
                if size * longest > _TOKENS or padding > allowed:
                    break
                stop += 1
            yield order[start:stop]
            start = stop

    def call(
        self, ids: np.ndarray, past: Any, start: np.ndarray, *, keep: int = 1, seen: np.ndarray | None = None
    ) -> tuple[Tensor, Any]:
        """ids (b, t) at places start (b,) and on -> logits (b, keep, V) of the last places, and all keys and values

        `seen` (b, kept + t) is False for padding.
        """
        tokens = torch.as_tensor(ids, device=self.device)
        given: dict[str, Any] = {"input_ids": tokens, "use_cache": self.cached}
        if ids.max() >= self.vocabulary:
            given = {"inputs_embeds": with_stand_ins(self.lookup, tokens), "use_cache": self.cached}
        if self.positions:
            places = np.maximum(start[:, None] + np.arange(ids.shape[1]), 0)
            given["position_ids"] = torch.as_tensor(places, device=self.device)
        if seen is not None:
            given["attention_mask"] = torch.as_tensor(seen.astype(np.int64), device=self.device)
        if self.keeps:
            given["logits_to_keep"] = keep
        if past is not None:
            given["past_key_values"] = past
        out = self.model(**given)
        logits = getattr(out, "logits", None)
        if not isinstance(logits, Tensor) or logits.ndim != 3:
            raise ModelError(
                f"a {type(self.model).__name__} gives no logits for every token: give a causal language model."
            )
        self.computed += ids.size
        return logits[:, -keep:], getattr(out, "past_key_values", None)

    def _agrees(self, sequences: list[list[int]], plan: Plan) -> bool:
        """Whether the longest sequence's logits are the same from a kept prefix as from its first token."""
        self.checked = True
        longest, cut, zero = max(sequences, key=len), plan.cuts[1], np.zeros(1, int)
        whole, kept = self.call(np.array([longest]), None, zero)
        kinds = {type(layer).__name__ for layer in getattr(kept, "layers", [None])}
        same = kinds <= {"DynamicLayer", "DynamicSlidingWindowLayer"}
        if same:
            _, past = self.call(np.array([longest[:cut]]), None, zero)
            rest, _ = self.call(np.array([longest[cut:]]), past, zero + cut)
            off = (rest - whole).abs().max().item()
            same = off <= torch.finfo(whole.dtype).eps ** 0.5 * max(1.0, whole.abs().max().item())
        self.cached = same
        return same


@dataclass(frozen=True, eq=False)
class Ending:
    """b sequences that were read to their end: `rows (b,)`, the logits (b, V) of what comes next, and the way on."""

    network: Network
    rows: np.ndarray
    sequences: list[list[int]]
    logits: Tensor
    held: Any
    seen: np.ndarray | None  # (b, kept) False for padding

    def after(self, tokens: list[int], which: np.ndarray) -> Tensor:
        """What comes after each of k tokens if they are added to some of the sequences: -> logits (w, k, V)"""
        if not self.network.cached:
            return self._anew([[*self.sequences[i], *tokens] for i in which], len(tokens))
        return self._onward(np.tile(tokens, (len(which), 1)), _picked(self.held, which), which, 0)[0]

    def greedily(self, most: int, ends: frozenset[int]) -> list[list[int]]:
        """The likeliest next token again and again, until one that ends the answer (which is left out) or `most` tokens."""
        replies: list[list[int]] = [[] for _ in self.rows]
        which, logits, past = np.arange(len(self.rows)), self.logits, _apart(self.held)
        for step in range(most):
            best = logits.argmax(dim=-1).cpu().numpy()
            going = np.array([int(token) not in ends for token in best], dtype=bool)
            for i, token in zip(which[going], best[going], strict=True):
                replies[i].append(int(token))
            which = which[going]
            if not len(which) or step == most - 1:
                break
            if self.network.cached:
                past = past if going.all() else _picked(past, np.flatnonzero(going))
                logits, past = self._onward(best[going][:, None], past, which, step)
                logits = logits[:, -1]
            else:
                logits = self._anew([[*self.sequences[i], *replies[i]] for i in which], 1)[:, -1]
        return replies

    def _onward(self, tokens: np.ndarray, past: Any, which: np.ndarray, done: int) -> tuple[Tensor, Any]:
        """tokens (w, k) after `done` others -> logits (w, k, V), keys and values"""
        start = np.array([len(self.sequences[i]) + done for i in which])
        k, seen = tokens.shape[1], None
        if self.seen is not None:
            seen = np.pad(self.seen[which], ((0, 0), (0, done + k)), constant_values=True)
        return self.network.call(tokens, past, start, keep=k, seen=seen)

    def _anew(self, sequences: list[list[int]], k: int) -> Tensor:
        """The last k logits of longer sequences, each length by itself."""
        made: dict[int, Tensor] = {}
        lengths = np.array([len(s) for s in sequences])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            logits, _ = self.network.call(
                np.array([sequences[i] for i in rows]), None, np.zeros(len(rows), int), keep=k
            )
            made.update(zip(rows.tolist(), logits, strict=True))
        return torch.stack([made[i] for i in range(len(sequences))])


def _apart(held: Any) -> Any:
    """The same keys and values in a cache of their own: what is added to it leaves the other as it is."""
    made = copy.copy(held)
    if made is not None:
        made.layers = [copy.copy(layer) for layer in held.layers]
    return made


def _picked(held: Any, index: np.ndarray) -> Any:
    """Some of the kept prefixes, as keys and values of their own: those that they came from stay as they are."""
    made = _apart(held)
    made.batch_select_indices(torch.as_tensor(index, device=made.layers[0].keys.device))
    return made


def _joined(held: list[Any]) -> Any:
    if len(held) == 1:
        return held[0]
    made = _apart(held[0])
    for depth, layer in enumerate(made.layers):
        layer.keys = torch.cat([one.layers[depth].keys for one in held])
        layer.values = torch.cat([one.layers[depth].values for one in held])
    return made


def _config(model: Any) -> Any:
    """What is known of the part that reads texts."""
    config: Any = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _slides(model: Any) -> bool:
    """Whether some layer looks back a bounded way: counted in places, which padding between prefix and rest would take up."""
    config = _config(model)
    kinds = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
    if kinds is not None:
        return any(kind not in ("full_attention", "global") for kind in kinds)
    return getattr(config, "sliding_window", None) is not None


def _bytes_per_token(model: Any) -> int:
    """What the keys and values of one token take."""
    config = _config(model)
    layers = getattr(config, "num_hidden_layers", None) or 12
    heads = getattr(config, "num_attention_heads", None) or 1
    width = getattr(config, "head_dim", None) or (getattr(config, "hidden_size", None) or 768) // heads
    size = next((p.element_size() for p in model.parameters()), 4)
    return int(2 * layers * (getattr(config, "num_key_value_heads", None) or heads) * width * size)
