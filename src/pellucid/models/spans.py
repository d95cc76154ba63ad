"""Networks that select an answer in a context: pairs (question, context) -> the number of a span, (b, k).

A transformers `...ForQuestionAnswering` gives each token a logit that the answer starts there and one that it ends there; which
span is asked about is a target (`core/span.py`). A target names characters; they travel with each row as spots, and where parts
of a text are hidden the masker says where they have gone. The tokens that they stand in are looked up in the text as it is then:
the first that reaches into the span and the last.
"""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError, TargetError
from pellucid.core.inputs import plain_array
from pellucid.core.language import LogOdds
from pellucid.core.masking import Form
from pellucid.core.pairs import BREAK, carried, carrying, ranges
from pellucid.core.span import Span
from pellucid.core.target import Class, Margin, Predicted, Target
from pellucid.core.text_maskers import Words
from pellucid.models.adapter import Extra, Inputs
from pellucid.models.embedding import EmbeddedAdapter, by_lookup
from pellucid.models.text import TextModel
from pellucid.models.tokenized import Tokenized, TokenizedAdapter
from pellucid.models.torch import TorchAdapter, TorchScalar

_SPOTS, _LENGTH = "spots", "length of the text"  # (n, k, 2) characters of the answers; (n,)
_PLACES = "places of the answers"  # (n, k, 2) their first and last tokens


def reader(given: TextModel) -> TokenizedAdapter:
    """The adapter of a network of texts: one that selects spans, or one that classifies."""
    forward = getattr(given.model, "forward", given.model)
    known = inspect.signature(forward).parameters if callable(forward) else {}
    return SpanAdapter(given) if "start_positions" in known else TokenizedAdapter(given)


class SpanNet(TorchAdapter):
    """Token ids (b, t) -> the numbers of spans (b, k), whose first and last tokens travel with the rows."""

    packages = ("torch", "transformers", "tokenizers")
    scales = ("raw", "log probability", "probability")
    asker: SpanAdapter

    def declare(self, target: Target | None, inputs: Inputs, meter: Meter) -> tuple[Target | None, Inputs]:
        """As the model of texts does, of the texts that the tokens came from."""
        assert inputs.told is not None
        texts = np.array(inputs.told.texts, dtype=object)
        wanted, asked = self.asker.declare(target, Inputs(texts, None, Form()), meter)
        places = self.asker.places(self.asker.encode(list(texts)), asked.extra[_SPOTS])
        return wanted, replace(inputs, extra={**inputs.extra, _PLACES: places})

    def scale_of(self, target: Target) -> str:
        return self.asker.scale_of(target)

    def at_embeddings(self, f: TorchScalar) -> TorchAdapter:
        return by_lookup(f, SpanEmbeddings)

    def forward(self, x: np.ndarray | Tensor, scale: str, extra: Extra) -> Tensor:
        if not isinstance(x, Tensor):
            with torch.no_grad():
                return self.forward(self.input(x), scale, extra)
        pads = np.argmax(extra["attention_mask"], axis=1) if "attention_mask" in extra else np.zeros(len(x), dtype=int)
        places = torch.as_tensor(extra[_PLACES] + pads[:, None, None], device=self.device)  # padding may stand first
        starts, ends = self.logits(x, {name: value for name, value in extra.items() if name != _PLACES})
        if scale != "raw":
            starts, ends = torch.log_softmax(starts, dim=-1), torch.log_softmax(ends, dim=-1)
        found = torch.gather(starts, 1, places[:, :, 0]) + torch.gather(ends, 1, places[:, :, 1])
        return found.exp() if scale == "probability" else found

    def logits(self, x: Tensor, extra: Extra) -> tuple[Tensor, Tensor]:
        """(b, t) -> of each token that the answer starts and ends there, (b, t) each, minus infinity for padding"""
        out = self.call(x, extra)
        found = getattr(out, "start_logits", None), getattr(out, "end_logits", None)
        if not all(isinstance(one, Tensor) and one.shape == x.shape[:2] for one in found):
            raise ModelError(
                f"a {type(self.model).__name__} gives no start_logits and end_logits for every token: load the network with "
                "AutoModelForQuestionAnswering."
            )
        if "attention_mask" not in extra:
            return found  # type: ignore[return-value]
        padding = self.tensor(extra["attention_mask"]) == 0
        starts, ends = (one.masked_fill(padding, -torch.inf) for one in found)  # type: ignore[union-attr]
        return starts, ends


class SpanEmbeddings(EmbeddedAdapter, SpanNet):
    """Embeddings (b, t, d) -> the numbers of spans (b, k)."""


class SpanAdapter(TokenizedAdapter):
    """Pairs (b,) -> the numbers of spans (b, k)."""

    scales = SpanNet.scales

    def __init__(self, given: TextModel) -> None:
        super().__init__(given)
        self.net: SpanNet = SpanNet(given.model)
        self.net.asker, self.classes = self, None

    @property
    def text_form(self) -> Form:
        """Hidden words keep their place: the answer may be one of them."""
        form, tokenizer = super().text_form, self.tokenizer
        put = "mask" if tokenizer.mask_token else "pad" if tokenizer.pad_token else tokenizer.unk_token or "_"
        return replace(form, masker=Words(fill=put))

    def refuse(self, texts: np.ndarray) -> None:
        if BREAK not in texts[0]:
            raise InputError(
                "this network finds answers in a context: give rows (question, context), as in [('Who has it?', 'Ann has it.')]."
            )
        super().refuse(texts)

    def declare(self, target: Target | None, inputs: Inputs, meter: Meter) -> tuple[Target, Inputs]:
        """What is asked, as spots that travel with the rows."""
        texts = inputs.x.tolist()
        wanted = self._asked(target, texts, meter)
        both = (Span(wanted.a), Span(wanted.b)) if isinstance(wanted, LogOdds) else (wanted,)
        spots = np.stack([one.places(texts) for one in both], axis=1)
        self.places(self.encode(texts), spots)  # refuses what the model never sees
        extra = {**inputs.extra, _SPOTS: spots, _LENGTH: np.array([len(text) for text in texts])}
        return wanted, replace(inputs, extra=extra, form=replace(inputs.form, spots=spots))

    def _asked(self, target: Target | None, texts: list[str], meter: Meter) -> Span | LogOdds:
        match target:
            case None:
                return self._best(texts, Span(), meter)
            case Predicted(scale=scale):
                return self._best(texts, Span(scale=scale), meter)
            case Span():
                return target if target.known else self._best(texts, target, meter)
            case Class(label=str() | tuple() as label, scale=scale):
                return Span(label, scale=scale)
            case Margin(a=str() | tuple() as a, b=str() | tuple() as b, scale=scale):
                return LogOdds(a, b, tokens="all", scale=scale)
            case LogOdds(tokens="all"):
                return target
        raise TargetError(
            f"{target!r} asks for no span: give Span('the answer'), Span(start, stop), Span() for the network's own answer, or "
            "LogOdds('one answer', 'another', tokens='all')."
        )

    def _best(self, texts: list[str], target: Span, meter: Meter) -> Span:
        """Where each row's own answer stands: the tokens i <= j of the context with the largest s_i + e_j."""
        encoded, found = self.encode(texts), [(0, 0)] * len(texts)
        for fed in self.fed(encoded):
            with torch.no_grad():
                starts, ends = (plain_array(one, float) for one in self.net.logits(self.net.input(fed.x), fed.extra))
            for i, row in enumerate(fed.rows.tolist()):
                spans = encoded.offsets[row]
                shift = starts.shape[1] - len(spans) if self.side == "left" else 0
                first = ranges(texts[row])[1][0]
                inside = np.array([k for k, (a, b) in enumerate(spans) if first <= a < b])
                if not len(inside):
                    raise InputError(f"row {row} has no context in which an answer could stand.")
                i0, i1 = _largest(starts[i, shift + inside], ends[i, shift + inside], target.longest)
                found[row] = (spans[inside[i0]][0] - first, spans[inside[i1]][1] - first)
        meter.add(forward=len(texts))
        start, stop = (tuple(int(one[side]) for one in found) for side in (0, 1))
        return replace(target, answer=start, stop=stop)

    def forward(self, x: np.ndarray, scale: str, extra: Extra) -> np.ndarray:
        told = [self._told(text, extra, row) for row, text in enumerate(x)]
        different = list(dict.fromkeys(told))
        place = {text: row for row, text in enumerate(different)}
        texts, spots = zip(*map(carried, different), strict=True)
        encoded = self.encode(list(texts))
        outputs = self._ask(encoded, scale, {_PLACES: self.places(encoded, np.stack(spots))})
        return outputs[[place[text] for text in told]]

    def _told(self, text: str, extra: Extra, row: int) -> str:
        """A text that tells its spots: a coalition's own, or those of the row that it is."""
        if carried(text)[1] is not None:
            return text
        if _SPOTS not in extra or len(text) != extra[_LENGTH][row]:
            raise TargetError(
                "this network's number is that of an answer, and where it stands in a text that was written anew is not known: "
                "explain with target=Span(...), by a method that hides parts of texts."
            )
        return carrying(text, extra[_SPOTS][row])

    def places(self, encoded: Tokenized, spots: np.ndarray) -> np.ndarray:
        """Spots (n, k, 2) -> the first and the last token of each, (n, k, 2)"""
        found = np.empty(spots.shape, dtype=np.int64)
        for row, (spans, asked) in enumerate(zip(encoded.offsets, spots.tolist(), strict=True)):
            for k, (start, stop) in enumerate(asked):
                inside = [at for at, (a, b) in enumerate(spans) if a < stop and b > start]
                if not inside:
                    raise TargetError(
                        f"the answer of row {row} lies beyond the {self.limit} tokens that the model reads, or the tokenizer makes "
                        "no token of it: shorten the context before it."
                    )
                found[row, k] = inside[0], inside[-1]
        return found


def _largest(starts: np.ndarray, ends: np.ndarray, longest: int) -> tuple[int, int]:
    """(i, j) with i <= j < i + longest and the largest s_i + e_j"""
    total = starts[:, None] + ends[None, :]
    apart = np.arange(len(ends))[None, :] - np.arange(len(starts))[:, None]
    total[(apart < 0) | (apart >= longest)] = -np.inf
    first, last = np.unravel_index(total.argmax(), total.shape)
    return int(first), int(last)
