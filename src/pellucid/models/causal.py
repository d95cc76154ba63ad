"""A causal language model as a model of texts: messages (b,) -> what is asked of the answer, (b, k).

Messages are put into their frame, cut into tokens and read through the prefixes that they share (`prefixes.py`). Which columns are
wanted is known before: what a target asks is cut into tokens once, and travels with each row as numbers (`Inputs.extra`), so that
every row has its own question and nothing as wide as the vocabulary is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError, TargetError
from pellucid.core.inputs import plain_array
from pellucid.core.language import Answer, LanguageTarget, LogOdds, Token
from pellucid.core.masking import Form, TextForm
from pellucid.core.target import Class, Custom, Margin, Predicted, Target
from pellucid.core.text_maskers import Tokens
from pellucid.core.words import Span
from pellucid.models.adapter import Adapter, Extra, Inputs
from pellucid.models.causal_tokens import ASKED, MessageAdapter, by_tokens
from pellucid.models.chat import frame_of
from pellucid.models.endings import Ending
from pellucid.models.language import CausalLM
from pellucid.models.prefixes import Network
from pellucid.models.stand_ins import Reader, fills, marked, tight
from pellucid.models.tokenized import as_found, limit_of, merged, never_empty
from pellucid.models.torch import TorchAdapter


class CausalAdapter(Adapter):
    """Messages (b,) -> outputs (b, k)."""

    kind = "text"
    packages = ("torch", "transformers", "tokenizers")
    scales = ("raw", "log probability", "probability")
    batch_rows = 2048
    usual_method = "PartitionShap"

    def __init__(self, given: CausalLM) -> None:
        if not isinstance(given.model, nn.Module):
            raise ModelError(f"CausalLM takes a torch network, and got a {type(given.model).__name__}.")
        self.given, self.net = given, TorchAdapter(given.model)
        self.tokenizer = given.tokenizer
        self.frame = frame_of(given.tokenizer, given.system, given.template)
        self.limit = limit_of(given.model, given.tokenizer)
        self.network = Network(given.model, given.cache)

    @property
    def text_form(self) -> Form:
        """What maskers may know."""
        return Form(text=TextForm(self.tokenizer.mask_token, self.pieces, fills=fills(self.tokenizer)), masker=Tokens())

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain facts of how the network was asked."""
        found = self.network
        shared = f"shared prefixes: {found.computed:,} of {found.whole:,} tokens of the prompts were computed"
        return (shared,) if found.cached and found.computed < found.whole else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its numbers lack."""
        kind = self.net.dtype
        if kind not in (torch.float16, torch.bfloat16):
            return ()
        coarse = "3 digits" if kind == torch.float16 else "2 digits"
        return (
            f"the network computes in 16-bit numbers ({str(kind).removeprefix('torch.')}, about {coarse}), so small differences "
            "are rounding: model.float() is exact enough",
        )

    def refuse(self, texts: np.ndarray) -> None:
        for row, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"row {row} of x is an empty message, so there is nothing to explain: leave it out.")
        lengths = [len(ids) for ids in self.encode(texts.tolist())]
        self._within(lengths)

    def encode(self, messages: list[str]) -> list[list[int]]:
        """Messages -> the tokens of their prompts"""
        if marked(messages):
            return self._reader([self.frame.around(tight(message)) for message in messages], self.frame.special)
        prompts = [self.frame.around(message) for message in messages]
        with as_found(self.tokenizer):
            made = self.tokenizer(
                prompts,
                add_special_tokens=self.frame.special,
                truncation=False,
                verbose=False,
            )["input_ids"]
        return never_empty({"input_ids": [list(ids) for ids in made]}, self.tokenizer)["input_ids"]

    def pieces(self, text: str) -> tuple[Span, ...]:
        """The characters of a message that each token stands for, as it is cut inside its frame."""
        return merged(text, [span for span in self.placed(text)[1] if span is not None])

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.tokenizer, self.network.vocabulary)

    def placed(self, text: str) -> tuple[list[int], list[Span | None]]:
        """The tokens of a prompt, and the characters of the message that each stands for, None for the frame's"""
        first = len(self.frame.before)
        if self.frame.trims:
            first -= len(text) - len(text.lstrip())
        with as_found(self.tokenizer):
            made = self.tokenizer(
                [self.frame.around(text)],
                return_offsets_mapping=True,
                add_special_tokens=self.frame.special,
                truncation=False,
                verbose=False,
            )
        spans = [(max(0, a - first), min(len(text), b - first)) for a, b in made["offset_mapping"][0]]
        return list(made["input_ids"][0]), [span if span[0] < span[1] else None for span in spans]

    def by_tokens(self, inputs: Inputs) -> tuple[MessageAdapter, Inputs]:
        """The same question on the message's tokens, for methods that need gradients."""
        return by_tokens(self, inputs)

    def declare(self, target: Target | None, inputs: Inputs, meter: Meter) -> tuple[Target, Inputs]:
        """What is asked, as tokens that travel with the rows."""
        wanted = self._asked(target, inputs.x, meter)
        if isinstance(wanted, Custom):
            return wanted, inputs
        assert isinstance(wanted, LanguageTarget)
        n = len(inputs.x)
        wrong = next((label for label in wanted.asked if isinstance(label, tuple) and len(label) != n), None)
        if wrong is not None:
            raise TargetError(f"{len(wrong)} answers for {n} rows: give one, or one a row.")
        rows = [self._of_row(wanted, row) for row in range(n)]
        width = max(len(ids) for answers in rows for ids in answers)
        asked = np.full((len(rows), len(rows[0]), width), -1)
        for row, answers in enumerate(rows):
            for column, ids in enumerate(answers):
                asked[row, column, : len(ids)] = ids
        return wanted, replace(inputs, extra={**inputs.extra, ASKED: asked})

    def scale_of(self, target: Target) -> str:
        whole = isinstance(target, LanguageTarget) and target.whole
        if whole and target.scale == "raw":
            raise TargetError(
                f"{target!r}: a whole answer has no logit of its own, only a probability: leave scale=None."
            )
        return target.scale or "log probability" if whole else super().scale_of(target)

    def forward(self, x: np.ndarray, scale: str, extra: Extra) -> np.ndarray:
        different = list(dict.fromkeys(x))
        place = {text: row for row, text in enumerate(different)}
        texts = np.array([place[text] for text in x])
        prompts = self.encode(different)
        asked = extra.get(ASKED)
        self._within([len(ids) + (0 if asked is None else asked.shape[2] - 1) for ids in prompts])
        if asked is None:
            return self._everything(prompts, scale)[texts]
        answers, column = np.unique(asked.reshape(-1, asked.shape[2]), axis=0, return_inverse=True)
        column = column.reshape(asked.shape[:2])
        known = np.full((len(different), len(answers)), np.nan)
        wanted = np.zeros(known.shape, dtype=bool)
        wanted[texts[:, None], column] = True

        def note(end: Ending) -> None:
            for number in np.flatnonzero(wanted[end.rows].any(axis=0)):
                which = np.flatnonzero(wanted[end.rows, number])
                ids = answers[number][answers[number] >= 0].tolist()
                known[end.rows[which], number] = numbers(end, which, ids, scale)

        self.network.read(prompts, note)
        found: np.ndarray = known[texts[:, None], column]
        return found

    def next_tokens(self, texts: list[str], longest: int, ends: frozenset[int], meter: Meter) -> list[list[int]]:
        """The greedy answers (n,) as tokens, up to one of `ends`."""
        replies: list[list[int]] = [[] for _ in texts]

        def note(end: Ending) -> None:
            for row, ids in zip(end.rows, end.greedily(longest, ends), strict=True):
                replies[row] = ids

        self.network.read(self.encode(texts), note)
        meter.add(forward=len(texts))
        return replies

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer."""
        config: Any = getattr(self.given.model, "generation_config", None)
        known = getattr(config, "eos_token_id", None)
        found = known if isinstance(known, list) else [known]
        return frozenset(int(token) for token in [*found, self.tokenizer.eos_token_id] if token is not None)

    def answer_ids(self, answer: int | str) -> list[int]:
        """The tokens of an answer where it would stand: right after the frame."""
        if not isinstance(answer, str):
            return [self._known_token(int(answer))]
        if not answer:
            raise TargetError("an empty answer has no token: give the text that the model might say.")
        before = self.frame.after or "a"
        with as_found(self.tokenizer):
            alone, both, bare = self.tokenizer(
                [before, before + answer, answer], add_special_tokens=False, verbose=False
            )["input_ids"]
        ids = both[len(alone) :] if both[: len(alone)] == alone and len(both) > len(alone) else bare
        if not ids:
            raise TargetError(f"the tokenizer makes no token of the answer {answer!r}: give another text.")
        return [int(token) for token in ids]

    def _asked(self, target: Target | None, texts: np.ndarray, meter: Meter) -> Target:
        """Forgiving targets as questions of ours, and what the model says itself where that is asked."""
        match target:
            case None:
                return self._predicted(texts, None, meter)
            case Predicted(scale=scale):
                return self._predicted(texts, scale, meter)
            case Answer(text=None):
                replies = self.next_tokens(texts.tolist(), target.longest, self.ends, meter)
                return replace(target, text=_compact([self._said(row, ids) for row, ids in enumerate(replies)]))
            case Class(label=label, scale=scale):
                return Token(label, scale)
            case Margin(a=str() | tuple() as a, b=str() | tuple() as b, scale=scale):
                return LogOdds(a, b, scale=scale)
            case LanguageTarget() | Custom():
                return target
        raise TargetError(
            f"{target!r} asks for columns, and a language model has a token for each: give Token('...'), LogOdds('...', '...') or "
            "Answer('...')."
        )

    def _predicted(self, texts: np.ndarray, scale: str | None, meter: Meter) -> Token:
        """The token that each row's answer begins with; by its text where that says which one it is."""
        likeliest = self.next_tokens(texts.tolist(), 1, frozenset(), meter)  # ends of answers included
        first = [ids[0] for ids in likeliest]
        named = [self.tokenizer.decode([token]) for token in first]
        sure = [bool(text) and self.answer_ids(text) == [token] for text, token in zip(named, first, strict=True)]
        return Token(_compact(named if all(sure) else first), scale)

    def _said(self, row: int, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True) if ids else ""
        if not text:
            raise TargetError(f"the model answers row {row} with nothing at all: name an answer, as in Answer('yes').")
        return text

    def _of_row(self, target: LanguageTarget, row: int) -> list[list[int]]:
        """The tokens of a row's answers: whole, or the first of each."""
        texts = [label[row] if isinstance(label, tuple) else label for label in target.asked]
        ids = [self.answer_ids(text) for text in texts]
        if target.whole:
            return ids
        if len(ids) == 2 and ids[0][0] == ids[1][0]:
            name = self.tokenizer.convert_ids_to_tokens(ids[0][0])
            raise TargetError(
                f"{texts[0]!r} and {texts[1]!r} begin with the same token {name!r}, so their first tokens say nothing: compare "
                f"whole answers, LogOdds({texts[0]!r}, {texts[1]!r}, tokens='all')."
            )
        return [one[:1] for one in ids]

    def _known_token(self, token: int) -> int:
        size = len(self.tokenizer)
        if not 0 <= token < size:
            raise TargetError(f"token {token} is out of range: the tokenizer knows {size} tokens, 0 to {size - 1}.")
        return token

    def _within(self, lengths: list[int]) -> None:
        longest = max(lengths)
        if self.limit is not None and longest > self.limit:
            raise InputError(
                f"prompt {lengths.index(longest)} of {len(lengths)} has {longest} tokens with its frame and answer, and the model "
                f"reads {self.limit}: shorten the message, because cutting it would cut the frame."
            )

    def _everything(self, prompts: list[list[int]], scale: str) -> np.ndarray:
        """The next token's distribution (b, V), for target functions."""
        found: list[Any] = [None] * len(prompts)

        def note(end: Ending) -> None:
            logits = _scaled(end.logits.double(), scale)
            for row, one in zip(end.rows, plain_array(logits), strict=True):
                found[row] = one

        self.network.read(prompts, note)
        return np.stack(found)

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        with self.net.session():
            yield


def numbers(end: Ending, which: np.ndarray, ids: list[int], scale: str) -> np.ndarray:
    """One answer's number for some of the sequences that ended: (w,)"""
    logits = end.logits if len(which) == len(end.rows) else end.logits[torch.as_tensor(which)]
    if scale == "raw":
        return plain_array(logits[:, ids[0]], float)
    total = _log_probability(logits, ids[0])
    if len(ids) > 1:
        onward = end.after(ids[:-1], which)  # (w, k - 1, V)
        for step, token in enumerate(ids[1:]):
            total = total + _log_probability(onward[:, step], token)
    found = plain_array(total, float)
    return np.exp(found) if scale == "probability" else found


def _log_probability(logits: Tensor, token: int) -> Tensor:
    """logits (w, V) -> (w,) double"""
    return logits[:, token].double() - torch.logsumexp(logits.double(), dim=-1)


def _scaled(logits: Tensor, scale: str) -> Tensor:
    if scale == "raw":
        return logits
    made = torch.log_softmax(logits, dim=-1)
    return made.exp() if scale == "probability" else made


def _compact(labels: list[Any]) -> Any:
    return labels[0] if len(set(labels)) == 1 else tuple(labels)
