"""Texts with labels as what a transformers network was trained on: token ids and whatever else the tokenizer gives, then the label.

Each set of texts is filled up to its longest; the attention mask tells the network what is no text. Inputs go to the network by
name, since transformers networks differ in what comes second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from pellucid.core.errors import InputError, MethodError
from pellucid.models.text import TextModel, as_texts
from pellucid.models.tokenized import TokenizedAdapter
from pellucid.models.training.losses import Loss


@dataclass(frozen=True, repr=False)
class Named(Loss):
    """A loss of a network that takes what it reads by these names."""

    loss: Loss
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return repr(self.loss)

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        def by_name(*parts: Tensor) -> Any:
            return model(**dict(zip(self.names, parts, strict=True)))

        return self.loss.outputs(by_name, batch)

    def each(self, outputs: Tensor, y: Tensor) -> Tensor:
        return self.loss.each(outputs, y)

    def roots(self, outputs: Tensor) -> Tensor:
        return self.loss.roots(outputs)


class Reader:
    """Examples (texts, labels) -> examples (token ids, ..., labels), and losses that hand these to the network by name."""

    def __init__(self, model: TextModel) -> None:
        self._adapter = TokenizedAdapter(model)
        self._names: tuple[str, ...] = ()
        if model.tokenizer.pad_token_id is None or getattr(model.model.config, "pad_token_id", 0) is None:
            raise MethodError(
                "texts of different lengths are learned from together, and this tokenizer or network has no padding token: "
                "set tokenizer.pad_token and model.config.pad_token_id."
            )

    def examples(self, given: Any, who: str) -> tuple[np.ndarray, ...]:
        """(texts (n,), labels (n, ...)) -> arrays (n, t) in the order of `names`, and the labels"""
        texts = as_texts(given[0]) if isinstance(given, tuple | list) and len(given) == 2 else None
        if texts is None:
            raise InputError(f"{who} of a model of texts is (texts, labels), a list of strings and one label for each.")
        found = self._adapter.padded(texts.tolist())
        self._names = tuple(found)
        return (*found.values(), np.asarray(given[1]))

    def loss(self, task: Any) -> Any:
        """The same loss by name; a function of the user's own is handed the parts in the tokenizer's order, and the label last."""
        return Named(task, self._names) if isinstance(task, Loss) else task
