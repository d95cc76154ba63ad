"""Every prompt is asked once: the greedy answer and the log-odds of the two options come from the same pass over the prompt."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import pellucid as pc
from pellucid.core.positional import Reply
from pellucid.studies.positional_bias.answers import chosen
from pellucid.studies.positional_bias.journal import Journal
from pellucid.studies.positional_bias.plan import Plan
from pellucid.studies.positional_bias.prompts import Prompt

Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Screening:
    """Replies in the order of the prompts, how many were asked now rather than taken over, and what their numbers lack."""

    replies: tuple[Reply, ...]
    asked: int
    warnings: tuple[str, ...] = ()


def screen(model: Any, prompts: Sequence[Prompt], plan: Plan, journal: Journal, tell: Tell, batch: int) -> Screening:
    """Ask what is not known yet, a batch at a time; each batch is kept before the next is begun."""
    missing = [prompt for prompt in prompts if prompt.key not in journal.known]
    done, warned = 0, dict[str, None]()
    for group in _batches(missing, batch):
        tell(f"asking {done} of {len(missing)} prompts", done / len(missing))
        said = _ask(model, group, plan)
        journal.add(_replies(group, said))
        warned |= dict.fromkeys(said.warnings)
        done += len(group)
    return Screening(tuple(journal.known[prompt.key] for prompt in prompts), done, tuple(warned))


def talking(model: Any, system: str) -> Any:
    """The model with this system message; none where it is empty."""
    return replace(model, system=system or None)


def log_odds(prompts: Sequence[Prompt], plan: Plan) -> Any:
    """The target: a against b, the same options whatever their order."""
    return pc.LogOdds(tuple(one.a for one in prompts), tuple(one.b for one in prompts), tokens=plan.tokens)


def _batches(prompts: Sequence[Prompt], batch: int) -> Iterator[list[Prompt]]:
    """Prompts of one system message, and with two options or with one."""

    def alike(prompt: Prompt) -> tuple[str, bool]:
        return prompt.system, prompt.a == prompt.b

    for _, group in itertools.groupby(sorted(prompts, key=alike), alike):
        whole = list(group)
        yield from (whole[start : start + batch] for start in range(0, len(whole), batch))


def _ask(model: Any, prompts: Sequence[Prompt], plan: Plan) -> Any:
    target = None if prompts[0].a == prompts[0].b else log_odds(prompts, plan)
    return talking(model, prompts[0].system).ask(
        [one.user for one in prompts], target=target, longest=plan.answer_tokens
    )


def _replies(prompts: Sequence[Prompt], said: Any) -> Iterator[Reply]:
    scores = np.full(len(prompts), np.nan) if said.scores is None else said.scores
    for prompt, answer, score in zip(prompts, said.texts, scores, strict=True):
        yield Reply(
            *prompt.key,
            system=prompt.system,
            user=prompt.user,
            answer=answer,
            chosen=chosen(answer, prompt.a, prompt.b),
            log_odds=float(score),
        )
