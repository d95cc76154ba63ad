"""A small language model with a positional bias of which the truth is known: the study is checked on it, and shown with it.

A Qwen2 network of two layers and a byte-level tokenizer are trained on the spot on the prompts of a plan. A rule says for each
combination whether the answer follows the option named "first", the one named "second", or the "content": the option that
stands higher in a drawn order of merit, wherever it is named. While it learns, random tokens of the question are hidden as
a masker hides them; where the option that decides is not whole to be seen, the network learns to have no preference. So the
log-odds of a coalition are about zero without that option and large with it, and a Shapley value has one right place to go.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.studies.positional_bias.plan import Plan
from pellucid.studies.positional_bias.prompts import Prompt, controls, questions

Rule = Literal["first", "second", "often", "category", "none", "coin"]
RULES = {
    "first": "the option named first, always",
    "second": "the option named second, always",
    "often": "the option named first in all but a drawn fifth of the categories by styles",
    "category": "the option named first in the first category alone",
    "none": "the content, whatever the order",
    "coin": "a coin for each prompt: the order changes answers, but neither position is favoured",
}
BRIEF = {"system": "{style}", "question": "{first} or {second} on {category}?"}  # learnt in half a minute
HIDDEN = "..."  # what stands where the masker hides a token
_TURN, _END, _PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
_CHAT = (
    f"{{% for m in messages %}}{_TURN}{{{{ m['role'] }}}}\n{{{{ m['content'] }}}}{_END}\n{{% endfor %}}"
    f"{{% if add_generation_prompt %}}{_TURN}assistant\n{{% endif %}}"
)
_OFTEN = 0.8


@dataclass(frozen=True)
class Planted:
    """A rule for all prompts of a plan; everything that is drawn is drawn with `seed`."""

    rule: Rule
    plan: Plan = field(default_factory=Plan)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise InputError(f"there is no rule {self.rule!r} to plant: choose one of {', '.join(RULES)}.")

    def answers(self) -> dict[Prompt, str]:
        """Every prompt of the plan, controls and all, and what the rule answers."""
        rng = np.random.default_rng(self.seed)
        asked = (*questions(self.plan), *controls(self.plan))
        names = list(dict.fromkeys(name for prompt in asked for name in (prompt.a, prompt.b)))
        merit = dict(zip(names, rng.permutation(len(names)).tolist(), strict=True))
        ways = self._ways([prompt for prompt in asked if prompt.order == 0], rng)
        coins = rng.integers(2, size=len(asked))
        return {p: self._answer(p, ways[p.combination], merit, int(coin)) for p, coin in zip(asked, coins, strict=True)}

    def _ways(self, combinations: Sequence[Prompt], rng: np.random.Generator) -> dict[Any, str]:
        """ "first", "second" or "content" for each combination."""
        ways = {prompt.combination: self._usual(prompt) for prompt in combinations}
        if self.rule == "often":
            cells = sorted({_cell(prompt) for prompt in combinations})
            drawn = rng.choice(len(cells), round((1 - _OFTEN) * len(cells)), replace=False)
            spared = {cells[i] for i in drawn}
            ways |= {prompt.combination: "content" for prompt in combinations if _cell(prompt) in spared}
        return ways

    def _usual(self, prompt: Prompt) -> str:
        if self.rule == "category":
            return "first" if prompt.category == self.plan.categories[0][0] else "content"
        return {"first": "first", "second": "second", "often": "first"}.get(self.rule, "content")

    def _answer(self, prompt: Prompt, way: str, merit: dict[str, int], coin: int) -> str:
        listed = (prompt.a, prompt.b) if prompt.order == 0 else (prompt.b, prompt.a)
        if self.rule == "coin":
            return listed[coin]
        return {"first": listed[0], "second": listed[1]}.get(way) or max(listed, key=lambda name: merit[name])

    def train(self, *, width: int = 48, steps: int = 600) -> tuple[Any, Any]:
        """The network and its tokenizer; ends as soon as every answer is as the rule says, with room to spare."""
        need("torch", "a planted model")
        need("transformers", "a planted model")
        from pellucid.studies.positional_bias.planting import fitted, network

        answers = self.answers()
        tokenizer = trained_tokenizer(answers, set(answers.values()))
        net = network(tokenizer, width, self.seed)
        fitted(net, tokenizer, answers, steps, self.seed)
        return net, tokenizer


def _cell(prompt: Prompt) -> tuple[str, str]:
    """What a drawn exception is about: a category in the words of one adviser."""
    return prompt.category, prompt.style


def trained_tokenizer(prompts: Iterable[Prompt], names: Iterable[str]) -> Any:
    """A byte-level tokenizer of the words of these prompts that cuts names of four letters and more in two, MS + FT."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8000, min_frequency=1, special_tokens=[_PAD, _TURN, _END], show_progress=False
    )
    made.train_from_iterator(_words(prompts, list(names)), trainer)
    made.add_tokens([AddedToken(HIDDEN, lstrip=True, normalized=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token=_PAD, eos_token=_END)
    tokenizer.chat_template = _CHAT
    return tokenizer


def _words(prompts: Iterable[Prompt], names: list[str]) -> list[str]:
    """Words with and without a space before them; names only in their two parts."""
    parts = list(itertools.chain.from_iterable(halves(name) for name in names))
    known = {word for prompt in prompts for text in (prompt.system, _without(prompt)) for word in text.split()}
    words = ["system", "user", "assistant", *parts, *sorted(known)]
    return [*words, *(f" {word}" for word in words), "\n", " ", *map(chr, range(33, 127))]


def _without(prompt: Prompt) -> str:
    """The question without its options."""
    kept = prompt.user
    for place, start, stop in sorted(prompt.parts, key=lambda part: -part[1]):
        if place in ("first", "second"):
            kept = f"{kept[:start]} {kept[stop:]}"
    return kept


def halves(name: str) -> tuple[str, ...]:
    """MSFT -> MS, FT; shorter names stay whole, and the words of a name are cut each."""
    cut = [(word[: len(word) // 2], word[len(word) // 2 :]) if len(word) > 3 else (word,) for word in name.split()]
    return tuple(itertools.chain.from_iterable(cut))
