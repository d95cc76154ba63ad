"""Models of texts: what counts as texts, and how a function, a pipeline or a network with its tokenizer is fed them.

Inside, texts are an array (n,) of strings, a pair of texts (a question and its context) as one of them (`core/pairs.py`); what
is a word and what hiding one looks like is the maskers' business (`core/text_maskers.py`). A function and an estimator are handed
a list of strings, or of pairs. A transformers network and its tokenizer become one model of texts by `TextModel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, ModelError
from pellucid.core.pairs import BREAK, pair, parted


@dataclass(frozen=True, eq=False)
class TextModel:
    """A network that classifies texts or pairs of texts, or selects an answer in one, and its tokenizer; of the transformers kind.

    `max_length` in tokens, beyond which a text is cut; None is the limit that model and tokenizer state themselves.
    """

    model: Any
    tokenizer: Any
    max_length: int | None = None

    def __post_init__(self) -> None:
        check_tokenizer(self.model, self.tokenizer, "TextModel")
        if self.max_length is not None and not self.max_length > 0:
            raise ModelError(f"TextModel(max_length={self.max_length!r}): expected a positive number of tokens.")


def check_tokenizer(model: Any, tokenizer: Any, who: str) -> None:
    """Refuse what is no network and tokenizer, and tokenizers that do not know their characters."""
    if not callable(model) or not callable(tokenizer):
        given = f"{type(model).__name__} and {type(tokenizer).__name__}"
        raise ModelError(f"{who} takes a network and its tokenizer, and got {given}.")
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"a {type(tokenizer).__name__} does not say which characters its tokens stand for: load the fast "
            "tokenizer, AutoTokenizer.from_pretrained(..., use_fast=True)."
        )


class Texts:
    """Texts as a function or an estimator takes them."""

    def decode(self, x: np.ndarray, order: Sequence[str] | None = None) -> list[Any]:
        """(b,) -> a list; of pairs, as they came"""
        return [parted(text) if BREAK in text else text for text in x]


def as_texts(x: Any) -> np.ndarray | None:
    """An array (n,) of strings of a list, an array or a column that holds texts, or pairs of them; None of anything else."""
    if isinstance(x, str):
        raise InputError("x is a single text: expected rows first; for one text write [text].")
    kind = getattr(getattr(x, "dtype", None), "kind", "O")
    if kind not in "OUT" or getattr(x, "ndim", 1) != 1 or not (hasattr(x, "tolist") or isinstance(x, list | tuple)):
        return None
    items = x.tolist() if hasattr(x, "tolist") else list(x)
    items = [pair(*item) if _is_pair(item) else item for item in items]
    empty_array = not items and not isinstance(x, list | tuple)
    if not (empty_array or any(isinstance(item, str) for item in items)):
        return None
    if not items:
        raise InputError("x is empty: give at least one text.")
    for row, item in enumerate(items):
        if not isinstance(item, str):
            missing = item is None or item != item
            what = "missing (NaN)" if missing else f"a {type(item).__name__}"
            raise InputError(f"row {row} of x is {what}, not a text: fill it, or leave the row out.")
        if (BREAK in item) != (BREAK in items[0]):
            raise InputError(
                f"row {row} of x is {'a pair' if BREAK in item else 'one text'}, and row 0 is not: give either."
            )
    texts = np.empty(len(items), dtype=object)
    texts[:] = items
    return texts


def _is_pair(item: Any) -> bool:
    """A row (question, context)."""
    return isinstance(item, list | tuple) and len(item) == 2 and all(isinstance(text, str) for text in item)
