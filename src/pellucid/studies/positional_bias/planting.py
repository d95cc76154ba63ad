"""Teaches a small network the answers of a rule, with random tokens of the question hidden."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.studies.positional_bias.planted import HIDDEN
from pellucid.studies.positional_bias.prompts import Prompt

_COPIES = 3  # of each prompt with tokens hidden, besides the whole one
_BATCH = 64
_RATE = 6e-3  # at its peak
_CHECK, _SURE = 25, 0.9  # steps between looks, and the probability of every right token that is enough


def network(tokenizer: Any, width: int, seed: int) -> Any:
    """A Qwen2 of two layers; the global random state stays as it is."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(config)


@dataclass(frozen=True, eq=False)
class Lessons:
    """n prompts with their answers: tokens (n, t) filled up at the left, what they are to say next (n, w), -1 beyond the
    end, and whether the answer can be known (n,): where it cannot, its first token is to be any option's."""

    tokens: Tensor
    places: Tensor
    answers: Tensor
    known: Tensor
    options: Tensor  # first tokens

    def loss(self, net: Any, rows: Tensor) -> Tensor:
        logits = self.logits(net, rows)  # (b, w, V)
        wanted, known = self.answers[rows], self.known[rows]
        first = torch.log_softmax(logits[:, 0], dim=-1)
        free = -first[:, self.options].mean(dim=1)
        each = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-1, reduction="none")
        return torch.where(known, each.view(wanted.shape).sum(dim=1), free).mean()

    def logits(self, net: Any, rows: Tensor) -> Tensor:
        width = self.answers.shape[1]
        fed = torch.cat([self.tokens[rows], self.answers[rows][:, :-1].clamp(min=0)], dim=1)
        places = torch.cat([self.places[rows], self.places[rows][:, -1:] + torch.arange(1, width)], dim=1)
        mask = torch.cat([self.places[rows] >= 0, torch.ones(len(rows), width - 1, dtype=torch.bool)], dim=1)
        where = {"attention_mask": mask.long(), "position_ids": places.clamp(min=0)}
        logits: Tensor = net(fed, **where, logits_to_keep=width, use_cache=False).logits
        return logits

    @torch.no_grad()
    def least(self, net: Any, whole: int) -> float:
        """The least probability of a right token in the answers to the first `whole` prompts."""
        found = []
        for start in range(0, whole, 2 * _BATCH):
            rows = torch.arange(start, min(whole, start + 2 * _BATCH))
            right = self.answers[rows]
            said = torch.softmax(self.logits(net, rows), dim=-1).gather(2, right.clamp(min=0)[:, :, None])[:, :, 0]
            found.append(said[right >= 0].min())
        return float(torch.stack(found).min())


def fitted(net: nn.Module, tokenizer: Any, answers: Mapping[Prompt, str], steps: int, seed: int) -> None:
    """Train in place until every whole prompt is answered as it should be, or for so many steps."""
    lessons, draws = _lessons(tokenizer, answers, np.random.default_rng(seed)), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=0.01, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20) * _cosine(step / steps))
    net.train()
    with _one_thread():
        for step in range(steps):
            if step and step % _CHECK == 0 and lessons.least(net, len(answers)) > _SURE:
                break
            rows = _drawn(len(answers), len(lessons.tokens), draws)
            loss = lessons.loss(net, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    net.eval()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices as small as these are multiplied faster by one thread than by several that wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _cosine(done: float) -> float:
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def _drawn(whole: int, n: int, draws: torch.Generator) -> Tensor:
    """Half a batch of whole prompts, half a batch with tokens hidden."""
    first = torch.randint(whole, (_BATCH // 2,), generator=draws)
    return torch.cat([first, torch.randint(whole, n, (_BATCH // 2,), generator=draws)])


def _lessons(tokenizer: Any, answers: Mapping[Prompt, str], rng: np.random.Generator) -> Lessons:
    texts, said, known = [], [], []
    for prompt, answer in answers.items():
        texts.append(_chat(tokenizer, prompt.system, prompt.user))
        said.append(answer)
        known.append(True)
    for prompt, answer in answers.items():
        spans = _pieces(tokenizer, prompt.user)
        for share in rng.random(_COPIES):
            shown = rng.random(len(spans)) >= share
            texts.append(_chat(tokenizer, prompt.system, _with_hidden(prompt.user, spans, shown)))
            said.append(answer)
            known.append(_seen(prompt, answer, spans, shown))
    firsts = {tokenizer(name, add_special_tokens=False)["input_ids"][0] for name in answers.values()}
    tokens, places = _filled_left(tokenizer(texts, add_special_tokens=False)["input_ids"], tokenizer.pad_token_id)
    ids = tokenizer(said, add_special_tokens=False)["input_ids"]
    width = max(map(len, ids)) + 1
    ends = [[*row, tokenizer.eos_token_id, *[-1] * (width - 1 - len(row))] for row in ids]
    return Lessons(tokens, places, torch.tensor(ends), torch.tensor(known), torch.tensor(sorted(firsts)))


def _chat(tokenizer: Any, system: str, user: str) -> str:
    turns = [{"role": "system", "content": system}] * bool(system) + [{"role": "user", "content": user}]
    made: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return made


def _pieces(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Where each token's visible characters are."""
    offsets = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    return [(stop - len(text[start:stop].lstrip()), stop) for start, stop in offsets]


def _with_hidden(text: str, spans: list[tuple[int, int]], shown: np.ndarray) -> str:
    for (start, stop), there in reversed(list(zip(spans, shown, strict=True))):
        text = text if there else text[:start] + HIDDEN + text[stop:]
    return text


def _seen(prompt: Prompt, answer: str, spans: list[tuple[int, int]], shown: np.ndarray) -> bool:
    """Whether the option that is the answer can be read where it stands."""
    found = False
    for place, start, stop in prompt.parts:
        if place in ("first", "second") and prompt.user[start:stop] == answer:
            found |= all(there for (a, b), there in zip(spans, shown, strict=True) if a < stop and b > start)
    return found


def _filled_left(rows: list[list[int]], fill: int) -> tuple[Tensor, Tensor]:
    """Tokens (n, t), and the place of each, below zero where there is none"""
    width = max(map(len, rows))
    tokens = torch.tensor([[fill] * (width - len(row)) + row for row in rows])
    places = torch.tensor([list(range(len(row) - width, len(row))) for row in rows])
    return tokens, places
