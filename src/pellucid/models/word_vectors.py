"""A vector for each labelled example of a pass over layers: of a row, of a word (the mean of its pieces), or of a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import MethodError
from pellucid.core.scalar import finite
from pellucid.core.words import Span
from pellucid.models.activations import stream
from pellucid.models.prepare import Prepared
from pellucid.models.tokenized import TokenizedAdapter

Places = list[list[np.ndarray]]  # of each row and example: the tokens that it stands for, counted without padding


def token_places(rows: np.ndarray, places: np.ndarray, n: int) -> Places:
    """Examples that are tokens themselves."""
    found: Places = [[] for _ in range(n)]
    for row, place in zip(rows, places, strict=True):
        found[row].append(np.array([place]))
    return found


def word_places(prepared: Prepared, rows: np.ndarray, places: np.ndarray, spans: list[list[Span]]) -> Places:
    """Examples that are words: the tokens that begin inside each; none where a limit cut the word off."""
    adapter = prepared.adapter
    if not isinstance(adapter, TokenizedAdapter):
        raise MethodError("labels of words need the tokens of texts: give TextModel(model, tokenizer).")
    offsets = adapter.encode(prepared.inputs.x.tolist()).offsets
    found: Places = [[] for _ in offsets]
    for row, place in zip(rows, places, strict=True):
        start, stop = spans[row][place]
        tokens = [j for j, (a, b) in enumerate(offsets[row]) if b > a and _begins(a, b, start, stop)]
        found[row].append(np.array(tokens, int))
    return found


def _begins(a: int, b: int, start: int, stop: int) -> bool:
    """Whether a token at characters a to b belongs to the word at start to stop; its first character may be a space."""
    return start <= a < stop or (a < start < b)


def place_vectors(prepared: Prepared, layers: Sequence[str], places: Places, meter: Meter) -> dict[str, np.ndarray]:
    """layer -> (m, d), examples in order of rows; NaN of an example without tokens. Call inside `prepared.adapter.session()`."""
    ends = np.cumsum([0, *map(len, places)])
    whole: dict[str, np.ndarray] = {}
    for seen in stream(prepared, layers, meter):
        for name, output in seen.layers.items():
            if output.ndim != 3 or output.shape[1] < 1:
                raise MethodError(
                    f"layer {name!r} gives shape {output.shape}, which has no tokens: labels of words and places need (n, t, d)."
                )
            if name not in whole:
                whole[name] = np.full((ends[-1], output.shape[2]), np.nan, np.result_type(output.dtype, np.float32))
            for at, row in enumerate(seen.rows):
                tokens = output[at] if seen.mask is None else output[at][seen.mask[at]]
                whole[name][ends[row] : ends[row + 1]] = _means(name, tokens, places[row])
    return whole


def _means(name: str, tokens: np.ndarray, examples: list[np.ndarray]) -> np.ndarray:
    """tokens (t, d) -> (k, d)"""
    made = np.full((len(examples), tokens.shape[1]), np.nan, tokens.dtype)
    for k, places in enumerate(examples):
        inside = places[places < len(tokens)]
        if len(inside):
            made[k] = finite(tokens[inside].mean(axis=0), f"activations of layer {name!r}")
    return made
