"""A transformers network and its tokenizer as one model of texts.

Texts are tokenized together, sorted by length, and cut into batches of bounded size, so that little is padding; the same text
is asked once. Where the tokenizer has no padding token a batch holds texts of one length, and where the network has none (it
then finds no end of a padded text) a single text. Padding stands where the tokenizer puts it, but at the right of networks that
are told, or count, the place of each token. What the limit cuts off is never seen: `seen` says up to
which character the network reads, and maskers leave the rest out of the game.

For methods that need gradients the same texts become token ids (`by_tokens`), which are explained at their embeddings.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from pellucid.core.errors import InputError, ModelError
from pellucid.core.inputs import plain_array
from pellucid.core.masking import Form, TextForm
from pellucid.core.pairs import BREAK, parted, ranges
from pellucid.core.text_maskers import Words
from pellucid.core.words import Span
from pellucid.models.adapter import Adapter, Extra, Inputs, Told
from pellucid.models.text import TextModel
from pellucid.models.torch import Fed, TorchAdapter

_TOKENS = 8192  # of one batch, padding included
_ROWS = 256
_COUNTED_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "data2vec-text", "ibert")


class TokenizedAdapter(Adapter):
    """Texts (b,) -> outputs (b, k)."""

    kind = "text"
    packages = ("torch", "transformers", "tokenizers")
    scales = TorchAdapter.scales
    batch_rows = 2048

    def __init__(self, given: TextModel) -> None:
        if not isinstance(given.model, nn.Module):
            raise ModelError(
                f"TextModel takes a torch network, and got a {type(given.model).__name__}: wrap it in a function of texts."
            )
        self.net = TorchAdapter(given.model)
        self.tokenizer = given.tokenizer
        self.limit = given.max_length or limit_of(given.model, given.tokenizer)
        # places counted from the left are those of the text alone only where padding stands at the right
        counted = "position_ids" in inspect.signature(given.model.forward).parameters
        self.side = "right" if counted else given.tokenizer.padding_side
        self.classes = self.net.classes = _classes(given.model)

    @property
    def text_form(self) -> Form:
        """What maskers may know."""
        fills = {} if self.tokenizer.pad_token is None else {"pad": self.tokenizer.pad_token}
        return Form(text=TextForm(self.tokenizer.mask_token, self.pieces, self.seen, fills), masker=Words())

    def forward(self, x: np.ndarray, scale: str, extra: Extra) -> np.ndarray:
        different = list(dict.fromkeys(x))
        place = {text: row for row, text in enumerate(different)}
        outputs = self._ask(self.encode(different), scale)
        return outputs[[place[text] for text in x]]

    def encode(self, texts: list[str]) -> Tokenized:
        """Token ids as the network reads them, the limit kept."""
        pairs = [parted(text) for text in texts]
        cut: dict[str, Any] = {}
        if self.limit:  # of a pair, the second text is cut
            cut = {"truncation": "only_second" if len(pairs[0]) == 2 else True, "max_length": self.limit}
        with as_found(self.tokenizer):
            made = self.tokenizer(
                *map(list, zip(*pairs, strict=True)), return_offsets_mapping=True, verbose=False, **cut
            )
        offsets = [_offsets(made, row, text) for row, text in enumerate(texts)]
        made.pop("offset_mapping")
        inputs = {name: [list(row) for row in rows] for name, rows in made.items()}
        return Tokenized(never_empty(inputs, self.tokenizer), offsets)

    def pieces(self, text: str) -> tuple[Span, ...]:
        """The characters of each token; tokens that share characters are one piece."""
        with as_found(self.tokenizer):
            texts = ([part] for part in parted(text))
            made = self.tokenizer(*texts, return_offsets_mapping=True, add_special_tokens=False, verbose=False)
        return merged(text, _offsets(made, 0, text))

    def seen(self, text: str) -> Span:
        """From which character to which the network reads."""
        if self.limit is None:
            return 0, len(text)
        with as_found(self.tokenizer):
            whole = self.tokenizer(*([part] for part in parted(text)), verbose=False)["input_ids"][0]
        offsets = [span for span in self.encode([text]).offsets[0] if span[1] > span[0]]
        if len(whole) <= self.limit or not offsets:
            return 0, len(text)
        return min(start for start, _ in offsets), max(stop for _, stop in offsets)

    def refuse(self, texts: np.ndarray) -> None:
        if self.limit is None or BREAK not in texts[0]:
            return
        for row, text in enumerate(texts):
            first, second = parted(text)
            with as_found(self.tokenizer):
                both = self.tokenizer([first, first], ["", second], verbose=False)["input_ids"]
            alone, whole = map(len, both)
            if alone >= self.limit:
                raise InputError(
                    f"the question of row {row} takes {alone} of the {self.limit} tokens that the model reads, so nothing is left "
                    "of its context: shorten it."
                )
            if whole > self.limit and self.tokenizer.truncation_side == "left":
                raise InputError(
                    f"row {row} has {whole} tokens, the model reads {self.limit}, and the tokenizer would cut the context at its "
                    "start: shorten it, or set tokenizer.truncation_side = 'right'."
                )

    def by_tokens(self, inputs: Inputs) -> tuple[TorchAdapter, Inputs]:
        """The same question on token ids, for methods that need gradients."""
        texts = inputs.x.tolist()
        encoded = self.encode(texts)
        padded = self._padded(encoded.inputs, np.arange(len(texts)))
        ids = padded.pop("input_ids")
        mask = self._mask(encoded, np.arange(len(texts)))
        told = _told(texts, encoded, ids, mask, self.tokenizer)
        cut = sum(self.seen(text) != (0, len(text)) for text in texts)
        said = (
            (f"{cut} of {len(texts)} texts are longer than the {self.limit} tokens that the model reads",)
            if cut
            else ()
        )
        return self.net, Inputs(ids, None, Form(), None, padded, inputs.batch_size, told, said)

    def padded(self, texts: list[str]) -> dict[str, np.ndarray]:
        """What the network takes by name, (n, t) each, all filled up to the longest text."""
        return self._padded(self.encode(texts).inputs, np.arange(len(texts)))

    def _ask(self, encoded: Tokenized, scale: str, more: Extra | None = None) -> np.ndarray:
        """Batches from short to long -> outputs (b, k); `more` further inputs, a row each"""
        outputs: list[Any] = [None] * len(encoded.lengths)
        for fed in self.fed(encoded):
            extra = {**fed.extra, **{name: value[fed.rows] for name, value in (more or {}).items()}}
            made = plain_array(self.net.forward(fed.x, scale, extra))
            for row, output in zip(fed.rows, made, strict=True):
                outputs[row] = output
        return np.stack(outputs)

    def fed(self, encoded: Tokenized) -> Iterator[Fed]:
        """The texts in batches from short to long, as the network takes them."""
        most = 1 if getattr(getattr(self.net.model, "config", None), "pad_token_id", 0) is None else _ROWS
        for rows in _batches(encoded.lengths, most, padding=self.tokenizer.pad_token_id is not None):
            given = self._padded(encoded.inputs, rows)
            ids, mask = given.pop("input_ids"), self._mask(encoded, rows)
            yield Fed(rows, ids, given, mask, int(encoded.lengths.max()))

    def _mask(self, encoded: Tokenized, rows: np.ndarray) -> np.ndarray:
        """(b, t) which places hold tokens, not padding"""
        lengths = encoded.lengths[rows][:, None]
        mask = np.arange(lengths.max()) < lengths
        return mask[:, ::-1] if self.side == "left" else mask

    def _padded(self, inputs: dict[str, list[list[int]]], rows: np.ndarray) -> dict[str, np.ndarray]:
        """Rows of tokens, filled up to the longest: (b, t) each"""
        tokenizer = self.tokenizer
        fill = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
        return {
            name: _square([known[row] for row in rows], fill.get(name, 0), self.side) for name, known in inputs.items()
        }

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        with self.net.session():
            yield


@dataclass(frozen=True, eq=False)
class Tokenized:
    """n texts as tokens: what the network takes by name, and the characters of each token."""

    inputs: dict[str, list[list[int]]]
    offsets: list[list[Span]]

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(row) for row in self.inputs["input_ids"]])


def _offsets(made: Any, row: int, text: str) -> list[Span]:
    """The characters of each token, in a pair those of both texts together."""
    starts = [start for start, _ in ranges(text)]
    known = zip(made["offset_mapping"][row], made.sequence_ids(row), strict=True)
    return [(a, b) if which is None else (starts[which] + a, starts[which] + b) for (a, b), which in known]


def merged(text: str, offsets: Sequence[Span]) -> tuple[Span, ...]:
    """Tokens that share characters (those of one emoji) as one piece, white space at their start left out."""
    found: list[Span] = []
    for start, stop in offsets:
        inner = text[start:stop]
        span = (start + len(inner) - len(inner.lstrip()), stop)
        if not inner.strip():
            continue
        if found and span[0] < found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append(span)
    return tuple(found)


def _told(texts: list[str], encoded: Tokenized, ids: np.ndarray, mask: np.ndarray, tokenizer: Any) -> Told:
    """The tokens' own strings, and which characters each stands for."""
    data = np.full(ids.shape, "", dtype=object)
    labels = np.full((len(texts), max(map(len, texts))), -1)
    for row, (text, offsets) in enumerate(zip(texts, encoded.offsets, strict=True)):
        special = tokenizer.convert_ids_to_tokens(encoded.inputs["input_ids"][row])
        spans = [*offsets, *[(0, 0)] * (len(special) - len(offsets))]
        data[row, mask[row]] = [text[a:b].strip() or name for (a, b), name in zip(spans, special, strict=True)]
        for player, (start, stop) in enumerate(spans):
            labels[row, start:stop] = player
    return Told(data, mask, tuple(texts), labels)


def _batches(lengths: np.ndarray, most: int, padding: bool) -> Iterator[np.ndarray]:
    """Rows from short to long, in batches of bounded size; of one length where nothing can be padded."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and stop - start < most:
            longest = lengths[order[stop]]
            if (stop + 1 - start) * longest > _TOKENS or (not padding and longest != lengths[order[start]]):
                break
            stop += 1
        yield order[start:stop]
        start = stop


def _square(rows: list[list[int]], fill: int, side: str) -> np.ndarray:
    """(b, t), filled up at one side"""
    width = max(map(len, rows))
    made = np.full((len(rows), width), fill)
    for row, known in enumerate(rows):
        made[row, slice(width - len(known), None) if side == "left" else slice(0, len(known))] = known
    return made


def never_empty(inputs: dict[str, list[list[int]]], tokenizer: Any) -> dict[str, list[list[int]]]:
    """A text without any token becomes one special token, because no network reads nothing."""
    known = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id)
    stand_in = next((token for token in known if token is not None), 0)
    for row, ids in enumerate(inputs["input_ids"]):
        if not ids:
            for name, rows in inputs.items():
                rows[row] = [{"input_ids": stand_in, "attention_mask": 1}.get(name, 0)]
    return inputs


@contextlib.contextmanager
def as_found(tokenizer: Any) -> Iterator[None]:
    """A call with truncation leaves its settings behind in the tokenizer's backend: put back what was there."""
    backend = tokenizer.backend_tokenizer
    truncation, padding = backend.truncation, backend.padding
    try:
        yield
    finally:
        backend.no_truncation() if truncation is None else backend.enable_truncation(**truncation)
        backend.no_padding() if padding is None else backend.enable_padding(**padding)


def limit_of(model: Any, tokenizer: Any) -> int | None:
    """Tokens that model and tokenizer can take, special ones included; None where neither says."""
    config: Any = getattr(model, "config", None)
    places = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if places is not None and getattr(config, "model_type", "") in _COUNTED_FROM_PADDING:
        places -= (config.pad_token_id or 0) + 1
    known = [limit for limit in (tokenizer.model_max_length, places) if limit is not None and limit < 10**9]
    return int(min(known)) if known else None


def _classes(model: Any) -> list[str] | None:
    names = getattr(getattr(model, "config", None), "id2label", None)
    return None if not names else [str(names[label]) for label in sorted(names)]
