"""A causal language model for methods that need gradients: the tokens of the user's message, the frame around them fixed.

x (n, t) holds the message's own tokens; they stand in their prompts, which are padded at the left so that all end alike. At the
embeddings (n, t, d) only those of the message are replaced: system message, template and answer keep theirs. Whole answers are
read by appending them, log p(a) = sum_t log p(a_t | prompt, a_<t), in one pass for each answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.budget import Meter
from pellucid.core.errors import TargetError
from pellucid.core.masking import Form
from pellucid.core.target import Custom, Target
from pellucid.core.words import Span
from pellucid.models.adapter import Extra, Inputs, Told
from pellucid.models.torch import TorchAdapter, TorchScalar

if TYPE_CHECKING:
    from pellucid.models.causal import CausalAdapter

ASKED = "asked tokens"  # (n, k, w) the tokens of each row's k answers, -1 beyond their end
_PROMPTS, _PLACES = (
    "prompt tokens",
    "message places",
)  # (n, T) -1 for padding; (n, T) which of x's tokens stands there, or -1


class MessageAdapter(TorchAdapter):
    """Tokens of messages (b, t) -> outputs (b, k)."""

    packages = ("torch", "transformers", "tokenizers")
    scales = ("raw", "log probability", "probability")

    def __init__(self, asker: CausalAdapter) -> None:
        super().__init__(asker.given.model)
        self.asker = asker

    def declare(self, target: Target | None, inputs: Inputs, meter: Meter) -> tuple[Target | None, Inputs]:
        """As the model of texts does, of the texts that the tokens came from."""
        assert inputs.told is not None
        texts = np.array(inputs.told.texts, dtype=object)
        wanted, asked = self.asker.declare(target, Inputs(texts, None, Form()), meter)
        if isinstance(wanted, Custom):
            raise TargetError(
                "a target function has no gradient here: give Token('...'), LogOdds('...', '...') or Answer('...')."
            )
        return wanted, replace(inputs, extra={**inputs.extra, **asked.extra})

    def scale_of(self, target: Target) -> str:
        return self.asker.scale_of(target)

    def at_embeddings(self, f: TorchScalar) -> MessageEmbeddings:
        return MessageEmbeddings(self.asker)

    def forward(self, x: np.ndarray | Tensor, scale: str, extra: Extra) -> Tensor:
        if not isinstance(x, Tensor):
            with torch.no_grad():
                return self.forward(self.input(x), scale, extra)
        asked = extra[ASKED]
        if asked.shape[2] == 1:
            logits = self._read(x, extra, np.empty((len(x), 0), dtype=np.int64))[:, -1]
            return self._columns(logits, torch.as_tensor(asked[:, :, 0], device=self.device), scale)
        columns = [self._answer(x, extra, asked[:, k], scale) for k in range(asked.shape[1])]
        return torch.stack(columns, dim=1)

    def _columns(self, logits: Tensor, tokens: Tensor, scale: str) -> Tensor:
        """logits (b, V), tokens (b, k) -> (b, k)"""
        if scale != "raw":
            logits = torch.log_softmax(logits, dim=-1)
        picked = torch.gather(logits, 1, tokens)
        return picked.exp() if scale == "probability" else picked

    def _answer(self, x: Tensor, extra: Extra, tokens: np.ndarray, scale: str) -> Tensor:
        """tokens (b, w) of one answer each, -1 beyond its end -> its log-probability (b,)"""
        logits = self._read(x, extra, np.maximum(tokens[:, :-1], 0))  # (b, w, V)
        told = torch.log_softmax(logits, dim=-1)
        wanted = torch.as_tensor(np.maximum(tokens, 0), device=self.device)
        steps = torch.gather(told, 2, wanted[:, :, None])[:, :, 0]
        there = torch.as_tensor(tokens >= 0, device=self.device)
        total = torch.where(there, steps, torch.zeros_like(steps)).sum(dim=1)
        return total.exp() if scale == "probability" else total

    def _read(self, x: Tensor, extra: Extra, more: np.ndarray) -> Tensor:
        """The prompts with x in their places and `more` (b, w) tokens behind -> logits (b, w + 1, V) of the last places"""
        prompts = extra[_PROMPTS]
        seen = np.pad(prompts >= 0, ((0, 0), (0, more.shape[1])), constant_values=True)
        ids = np.concatenate([np.maximum(prompts, 0), more], axis=1)
        given: dict[str, Any] = {"use_cache": False}
        if self.asker.network.positions:
            given["position_ids"] = torch.as_tensor(np.maximum(seen.cumsum(axis=1) - 1, 0), device=self.device)
        if not seen.all():
            given["attention_mask"] = torch.as_tensor(seen.astype(np.int64), device=self.device)
        if self.asker.network.keeps:
            given["logits_to_keep"] = more.shape[1] + 1
        places = np.pad(extra[_PLACES], ((0, 0), (0, more.shape[1])), constant_values=-1)
        out: Tensor = self._ask(x, torch.as_tensor(ids, device=self.device), places, given).logits
        return out[:, -(more.shape[1] + 1) :]

    def read(self, x: np.ndarray, extra: Extra) -> tuple[np.ndarray, np.ndarray]:
        """The prompts as they are, without an answer: places (b, T) of the whole prompts."""
        self._read(self.input(x), extra, np.empty((len(x), 0), dtype=np.int64))
        return extra[_PROMPTS] >= 0, extra[_PLACES]

    def _ask(self, x: Tensor, ids: Tensor, places: np.ndarray, given: dict[str, Any]) -> Any:
        return self.model(input_ids=self._placed(x, ids, places), **given)

    def _placed(self, x: Tensor, into: Tensor, places: np.ndarray) -> Tensor:
        """x (b, t, ...) where `places` (b, T) say so, `into` (b, T, ...) elsewhere"""
        where = torch.as_tensor(places, device=self.device)
        rows = torch.arange(len(x), device=self.device)[:, None]
        taken = x[rows, where.clamp(min=0)]
        return torch.where((where >= 0).reshape(*where.shape, *[1] * (x.ndim - 2)), taken, into)


class MessageEmbeddings(MessageAdapter):
    """Embeddings of messages (b, t, d) -> outputs (b, k)."""

    @property
    def lookup(self) -> nn.Module:
        found: nn.Module = self.asker.network.lookup
        return found

    def channels(self, x: np.ndarray) -> int | None:
        return None

    def input(self, x: np.ndarray) -> Tensor:
        return self.tensor(x)

    def _ask(self, x: Tensor, ids: Tensor, places: np.ndarray, given: dict[str, Any]) -> Any:
        handle = self.lookup.register_forward_hook(
            lambda _module, _inputs, looked_up: self._placed(x, looked_up, places)
        )
        try:
            return self.model(input_ids=ids, **given)
        finally:
            handle.remove()


def by_tokens(asker: CausalAdapter, inputs: Inputs) -> tuple[MessageAdapter, Inputs]:
    """A question about messages as one about their tokens, inside their prompts."""
    texts = inputs.x.tolist()
    prompts, spans = zip(
        *(asker.placed(text) for text in texts), strict=True
    )  # tokens; their characters in the message
    inner = [[place for place, span in enumerate(row) if span is not None] for row in spans]
    width, longest = max(map(len, inner)), max(map(len, prompts))
    ids, mask = np.zeros((len(texts), width), dtype=np.int64), np.zeros((len(texts), width), dtype=bool)
    table, places = np.full((len(texts), longest), -1), np.full((len(texts), longest), -1)
    for row, (prompt, own) in enumerate(zip(prompts, inner, strict=True)):
        pads = longest - len(prompt)
        table[row, pads:] = prompt
        places[row, [pads + place for place in own]] = np.arange(len(own))
        ids[row, : len(own)], mask[row, : len(own)] = [prompt[place] for place in own], True
    told = _told(texts, [[span for span in row if span is not None] for row in spans], mask)
    extra = {_PROMPTS: table, _PLACES: places}
    return MessageAdapter(asker), Inputs(ids, None, Form(), None, extra, inputs.batch_size, told, asker.warnings)


def _told(texts: list[str], spans: list[list[Span]], mask: np.ndarray) -> Told:
    """The tokens' own characters, and which characters each stands for."""
    data = np.full(mask.shape, "", dtype=object)
    labels = np.full((len(texts), max(map(len, texts))), -1)
    for row, (text, own) in enumerate(zip(texts, spans, strict=True)):
        data[row, : len(own)] = [text[a:b].strip() or "␣" for a, b in own]
        for player, (start, stop) in enumerate(own):
            labels[row, start:stop] = player
    return Told(data, mask, tuple(texts), labels)
