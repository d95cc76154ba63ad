"""Tokens that stand where a part of a message is hidden: padding, or an embedding of no word.

In a coalition's text they are written as marks of their own, which a copy of the tokenizer reads as one token each; a space before
one goes, as it is part of the hidden token for most tokenizers. The user's tokenizer is never added to. What has no row in the
vocabulary is numbered beyond it, and the network is fed embeddings there (`Network.call`).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

_OPEN = "\ue0b1"
MARKS = {name: f"{_OPEN}{number}\ue0b2" for number, name in enumerate(("pad", "zero-embedding", "mean-embedding"))}


def fills(tokenizer: Any) -> dict[str, str]:
    """The marks that a coalition's text may hold, by the name of the fill."""
    return {name: mark for name, mark in MARKS.items() if name != "pad" or tokenizer.pad_token_id is not None}


def marked(texts: list[str]) -> bool:
    """Whether any of the texts holds a mark."""
    return any(_OPEN in text for text in texts)


def tight(text: str) -> str:
    """Without the space before a mark."""
    return text.replace(f" {_OPEN}", _OPEN)


class Reader:
    """A copy of a tokenizer that knows the marks."""

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        from tokenizers import AddedToken

        self.tokenizer = copy.deepcopy(tokenizer)
        known = [AddedToken(mark, normalized=False, special=True) for mark in MARKS.values()]
        self.tokenizer.add_tokens(known, special_tokens=True)
        ids = self.tokenizer.convert_tokens_to_ids(list(MARKS.values()))
        self.number = dict(zip(ids, (tokenizer.pad_token_id, vocabulary, vocabulary + 1), strict=True))

    def __call__(self, texts: list[str], special: bool) -> list[list[int]]:
        made = self.tokenizer(texts, add_special_tokens=special, truncation=False, verbose=False)["input_ids"]
        return [[self.number.get(token, token) for token in ids] for ids in made]


def with_stand_ins(lookup: nn.Module, ids: Tensor) -> Tensor:
    """ids (b, t), some beyond the vocabulary -> embeddings (b, t, d)"""
    weight: Any = lookup.weight
    beyond = ids - len(weight)
    made: Tensor = lookup(ids.clamp(max=len(weight) - 1))
    made = torch.where((beyond == 0)[..., None], torch.zeros_like(made), made)
    if bool((beyond == 1).any()):
        mean = lookup(torch.arange(len(weight), device=ids.device)).mean(dim=0)
        made = torch.where((beyond == 1)[..., None], mean, made)
    return made
