"""Many sequences of tokens through a causal network, each token of the tree that they make computed once.

A causal network's keys and values at a place depend on what stands before it alone, so sequences that begin alike share them.
All coalitions of a prompt begin with the system's message and the template, and those that first differ at a later token share
more than that: together they are a tree of tokens. In alphabetical order neighbours share most, so the tree is read in pieces of
bounded size, one row of tokens each: what is new of each sequence one after the other, every token at the place that it has in its
own sequence, and a mask under which it sees those before it there and no others (tree attention, Miao et al. 2024, SpecInfer),

    token i sees token j  <=>  j stands in i's own sequence, at i's place or before.

From a piece to the next go the keys and values of the path to where it branches off, so no token is computed twice, nothing is
padded, and a call has as many tokens as the processor likes. Whether a network's numbers are the same that way is tried: the first
piece that branches, the first that goes on from another and each that is twice as long as those before are held against one of
their sequences alone. Where they are not, and in networks that take no positions or no mask of this kind, every sequence is
computed whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.core.errors import ModelError
from pellucid.models.endings import Ending, path
from pellucid.models.stand_ins import with_stand_ins
from pellucid.models.token_tree import tree

_ROWS, _TOKENS = 256, 8192  # of one batch of whole sequences
_PIECE = {"cpu": 384}  # new tokens of a piece; more where a call takes long to get going
_PIECE_ELSEWHERE = 2048
_BYTES = 2**28  # of keys and values that the sequences of one piece may take if each has its own
_WASTE = 0.1  # of a batch that may be padding; more where it saves a call
_CALL = 96  # tokens that could be computed while a call of the network gets going
_MASKED = (None, "eager", "sdpa")  # ways to compute attention that take any mask
_LAYERS = {"DynamicLayer", "DynamicSlidingWindowLayer"}  # keys and values that are kept place by place


@dataclass(eq=False)
class Network:
    """A causal network of the transformers kind, and what its forward takes."""

    model: Any
    cached: bool = True  # whether prefixes may be shared
    computed: int = 0  # tokens that went through the network
    whole: int = 0  # tokens of the sequences that were read
    checked: set[str] = field(default_factory=set, repr=False)  # kinds of pieces

    def __post_init__(self) -> None:
        known = inspect.signature(self.model.forward).parameters
        config = _config(self.model)
        self.positions, self.keeps = "position_ids" in known, "logits_to_keep" in known
        takes = {"past_key_values", "position_ids", "attention_mask"} <= set(known)
        self.cached = self.cached and takes and getattr(config, "_attn_implementation", None) in _MASKED
        first = next(self.model.parameters(), torch.zeros(()))
        self.device, self.dtype = first.device, first.dtype
        self.window, self.mixed = _window(config)
        self.lookup = self.model.get_input_embeddings()
        self.vocabulary = len(self.lookup.weight)
        self.in_all = max(1, _BYTES // _bytes_per_token(config, first.element_size()))

    def read(self, sequences: list[list[int]], use: Callable[[Ending], None]) -> None:
        """Runs all sequences; `use` is handed their ends, a batch at a time."""
        self.whole += sum(map(len, sequences))
        with torch.no_grad():
            if not self.cached or (self.mixed and max(map(len, sequences)) > (self.window or 0)):
                return self._each(sequences, use)
            for kind, ends in self._tree(sequences):
                if not kind <= self.checked and not self._right(ends):
                    self.cached = False
                    return self._each(sequences, use)
                self.checked |= kind
                for alike in ends.parted():
                    use(alike)

    def _tree(self, sequences: list[list[int]]) -> Iterator[tuple[set[str], Ending]]:
        """The pieces' kinds and ends; each goes on from what the one before has kept."""
        window, past = None if self.mixed else self.window, self._empty()
        pieces = tree(sequences, _PIECE.get(self.device.type, _PIECE_ELSEWHERE), self.in_all)
        piece = next(pieces, None)
        while piece is not None:
            seen = piece.seen(window)
            logits, kept = self.call(piece.ids[None], past, piece.places[None], keep=piece.ends, seen=seen)
            some = [sequences[row] for row in piece.rows]
            yield piece.kind, Ending(self, piece.rows, some, logits[0], kept, piece.where)
            last, piece = piece.where[-1], next(pieces, None)
            if piece is not None:
                past = path(kept, last[: piece.kept]) if piece.kept else self._empty()

    def _empty(self) -> Any:
        """Room for keys and values; the network's own kind, but of every place where a layer looks back a bounded way."""
        if self.window is None:
            return None
        from transformers import DynamicCache

        return DynamicCache()

    def _right(self, ends: Ending) -> bool:
        """Whether the last sequence's logits are those that it has alone, and what is kept is kept place by place."""
        if not {type(layer).__name__ for layer in getattr(ends.kept, "layers", [None])} <= _LAYERS:
            return False
        alone = np.array([ends.sequences[-1]])
        whole, _ = self.call(alone, self._empty(), np.arange(alone.size)[None])
        off = (ends.logits[-1] - whole[0, -1]).abs().max().item()
        return bool(off <= torch.finfo(whole.dtype).eps ** 0.5 * max(1.0, whole.abs().max().item()))

    def _each(self, sequences: list[list[int]], use: Callable[[Ending], None]) -> None:
        """All sequences from their first token on, from short to long."""
        lengths = np.array([len(s) for s in sequences])
        for part in self._batches(lengths):
            width, some = int(lengths[part].max()), [sequences[row] for row in part]
            pads = width - lengths[part]
            ids = np.array([[0] * pad + ids for pad, ids in zip(pads, some, strict=True)])
            places = np.arange(width) - pads[:, None]
            logits, _ = self.call(ids, None, np.maximum(places, 0), seen=places >= 0 if pads.any() else None)
            self.computed -= int(pads.sum())
            use(Ending(self, part, some, logits[:, -1], None, ()))

    def _batches(self, lengths: np.ndarray) -> Iterator[np.ndarray]:
        """Numbers of sequences by length, in batches of bounded size and little padding."""
        order = np.argsort(lengths, kind="stable")
        room = max(1, min(_ROWS, self.in_all // int(lengths.max())))
        start = 0
        while start < len(order):
            stop, tokens = start + 1, int(lengths[order[start]])
            while stop < len(order) and stop - start < room:
                longest, size = int(lengths[order[stop]]), stop + 1 - start
                tokens += longest
                padding = size * longest - tokens
                allowed = max(_WASTE * size * longest, _CALL) if self.positions and self.window is None else 0
                if size * longest > _TOKENS or padding > allowed:
                    break
                stop += 1
            yield order[start:stop]
            start = stop

    def call(
        self,
        ids: np.ndarray,
        past: Any,
        places: np.ndarray,
        *,
        keep: int | np.ndarray = 1,
        seen: np.ndarray | None = None,
    ) -> tuple[Tensor, Any]:
        """ids (b, t) at places (b, t) -> logits (b, keep, V) of the last or the named ones, and all keys and values

        `seen` (b, kept + t) is False for padding, or (b, t, kept + t) says what each token sees.
        """
        tokens = torch.as_tensor(ids, device=self.device)
        given: dict[str, Any] = {"input_ids": tokens, "use_cache": self.cached}
        if ids.max() >= self.vocabulary:
            given = {"inputs_embeds": with_stand_ins(self.lookup, tokens), "use_cache": self.cached}
        if self.positions:
            given["position_ids"] = torch.as_tensor(places, device=self.device)
        if seen is not None:
            given["attention_mask"] = self._mask(seen)
        if self.keeps:
            given["logits_to_keep"] = keep if isinstance(keep, int) else torch.as_tensor(keep, device=self.device)
        if past is not None:
            given["past_key_values"] = past
        out = self.model(**given)
        logits = getattr(out, "logits", None)
        if not isinstance(logits, Tensor) or logits.ndim != 3:
            raise ModelError(
                f"a {type(self.model).__name__} gives no logits for every token: give a causal language model."
            )
        self.computed += ids.size
        if isinstance(keep, int):
            logits = logits[:, -keep:]
        elif not self.keeps:
            logits = logits[:, keep]
        return logits, getattr(out, "past_key_values", None)

    def _mask(self, seen: np.ndarray) -> Tensor:
        known = torch.as_tensor(seen, device=self.device)
        if seen.ndim == 2:
            return known.long()
        hidden = torch.full(known.shape, torch.finfo(self.dtype).min, dtype=self.dtype, device=self.device)
        return hidden.masked_fill_(known, 0)[:, None]


def _config(model: Any) -> Any:
    """What is known of the part that reads texts."""
    config: Any = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _window(config: Any) -> tuple[int | None, bool]:
    """How far layers look back, None for all the way, and whether only some of them are bounded."""
    kinds = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
    window = getattr(config, "sliding_window", None)
    if kinds is None:
        return window, False
    bounded = {kind for kind in kinds if kind not in ("full_attention", "global")}
    if not bounded:
        return None, False
    return (window if bounded == {"sliding_attention"} else 0) or 0, len(set(kinds)) > 1 or not window


def _bytes_per_token(config: Any, size: int) -> int:
    """What the keys and values of one token take, in numbers of so many bytes."""
    layers = getattr(config, "num_hidden_layers", None) or 12
    heads = getattr(config, "num_attention_heads", None) or 1
    width = getattr(config, "head_dim", None) or (getattr(config, "hidden_size", None) or 768) // heads
    return int(2 * layers * (getattr(config, "num_key_value_heads", None) or heads) * width * size)
