"""A stand-in for a language model that answers by a rule and counts what it is asked; a short plan; small trained models."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pellucid.core.positional import Combination, Reply
from pellucid.studies.positional_bias import BRIEF as SHORT
from pellucid.studies.positional_bias import Plan


@dataclass
class Said:
    texts: list[str]
    scores: list[float] | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Talker:
    """`rule(message, first, second)` -> the answer and the log-odds of the option named first"""

    rule: Callable[[str, str, str], tuple[str, float]]
    asked: list[tuple[str | None, str]] = field(default_factory=list)
    system: str | None = None
    template: str | None = None
    weights: str = "{}"
    model: Any = None
    tokenizer: Any = None

    def __post_init__(self) -> None:
        config = SimpleNamespace(to_json_string=lambda: self.weights)
        object.__setattr__(self, "model", SimpleNamespace(config=config, named_parameters=lambda: []))
        object.__setattr__(self, "tokenizer", SimpleNamespace(get_vocab=dict, chat_template=None))

    def ask(self, prompts: list[str], *, target: Any, longest: int) -> Said:
        self.asked.extend((self.system, prompt) for prompt in prompts)
        if target is None:
            return Said([self.rule(prompt, "", "")[0] for prompt in prompts], None)
        answers, scores = [], []
        for prompt, a, b in zip(prompts, target.a, target.b, strict=True):
            a_first = prompt.index(a) < prompt.index(b)
            answer, odds = self.rule(prompt, *((a, b) if a_first else (b, a)))
            answers.append(answer)
            scores.append(odds if a_first else -odds)
        return Said(answers, scores)


def always_first(message: str, first: str, second: str) -> tuple[str, float]:
    return first, 3.0


def combination(
    s_0: float, s_1: float, category: str = "c", style: str = "s", pair: tuple[str, str] = ("A", "B")
) -> Combination:
    """Log-odds of a with a first and with b first; the answers go by their sign."""
    a, b = pair
    said = [a if score > 0 else b for score in (s_0, s_1)]
    return Combination(
        *(
            Reply("question", a, b, category, style, order, "", "?", said[order], said[order], (s_0, s_1)[order])
            for order in (0, 1)
        )
    )


@functools.cache
def planted(rule: str, seed: int = 0, controls: bool = False) -> tuple[Any, Plan]:
    """A `CausalLM` that was taught the rule on a short plan, and the plan; once a process."""
    import pellucid as pc
    from pellucid.studies.positional_bias import Planted

    more: dict[str, Any] = {} if controls else {"nonsense": (), "identical": False}
    plan = Plan(**SHORT, most=4, **more)
    return pc.CausalLM(*Planted(rule, plan, seed).train()), plan
