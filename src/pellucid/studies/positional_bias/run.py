"""The whole study: ask, count, explain, try remedies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Meter, Receipt, receipt
from pellucid.core.errors import InputError, ModelError
from pellucid.core.positional import PositionalBias, Reply, paired
from pellucid.core.records import Attribution
from pellucid.studies.positional_bias import counting
from pellucid.studies.positional_bias.explaining import explain_orders, sample
from pellucid.studies.positional_bias.journal import Journal, digest
from pellucid.studies.positional_bias.plan import Plan
from pellucid.studies.positional_bias.prompts import Prompt, controls, questions
from pellucid.studies.positional_bias.remedies import remedies
from pellucid.studies.positional_bias.roles import role_lines
from pellucid.studies.positional_bias.screening import Screening, Tell, screen

_SCREENED = (
    "options",
    "pairs",
    "categories",
    "styles",
    "question",
    "system",
    "tokens",
    "answer_tokens",
    "nonsense",
    "identical",
)


def run(
    model: Any,
    plan: Plan | None = None,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    name: str = "",
    batch: int = 64,
    progress: Tell | None = None,
) -> PositionalBias:
    """Ask a `CausalLM` every prompt of the plan and say what the order of the options does.

    With `out`, a folder, what is finished is kept as it goes, and `resume` goes on with what is there. `name` is what the
    record calls the model; `progress` is told what is being done and the share that is done.
    """
    plan = Plan() if plan is None else plan
    if not hasattr(model, "ask"):
        raise ModelError(
            f"the study asks a language model, and got a {type(model).__name__}: give pc.CausalLM(model, tokenizer)."
        )
    if batch < 1:
        raise InputError(f"batch={batch}: ask at least one prompt at a time.")
    tell = progress or (lambda text, share: None)
    meter = Meter(Budget())
    journal = Journal(out, identity(model, plan), resume)
    asked = questions(plan)
    screening = screen(model, (*asked, *controls(plan)), plan, journal, tell, batch)
    meter.add(forward=screening.asked)
    combinations = paired(screening.replies, "question")
    discordant = [i for i, one in enumerate(combinations) if one.discordant]
    explained = sample(discordant, plan)
    both = [(asked[2 * i], asked[2 * i + 1]) for i in explained]
    records = explain_orders(model, both, plan, journal, tell)
    for record in records:
        meter.absorb(record.receipt)
    made = receipt_of(plan, meter, screening, records, len(discordant))
    return result(name or type(model.model).__name__, plan, screening.replies, (explained, records, both), made)


def result(
    name: str,
    plan: Plan,
    replies: tuple[Reply, ...],
    explained: tuple[tuple[int, ...], tuple[Attribution, ...], Sequence[tuple[Prompt, Prompt]]],
    made: Receipt,
) -> PositionalBias:
    """Answers and explanations -> the record; asks nothing."""
    combinations, unknown = paired(replies, "question"), paired(replies, "nonsense")
    same = [reply for reply in replies if reply.kind == "identical"]
    numbers, records, both = explained
    return PositionalBias(
        title=plan.title,
        model=name,
        plan=plan.as_dict(),
        replies=replies,
        lines=counting.lines(combinations, unknown),
        p_pairs=counting.over_pairs(combinations, plan.seed),
        explained=numbers,
        attributions=records,
        roles=role_lines(records, both),
        remedies=remedies(combinations, unknown),
        identical=len(same),
        misnamed=sum(reply.chosen is None for reply in same),
        receipt=made,
    )


def identity(model: Any, plan: Plan) -> dict[str, str]:
    """What answers depend on: the model's weights and tokenizer, and the prompts."""
    asked = {name: value for name, value in plan.as_dict().items() if name in _SCREENED}
    return {"model": _model_digest(model), "plan": digest(asked)}


def _model_digest(model: Any) -> str:
    """Of the configuration, the tokenizer's words and frame, and the first numbers of every weight."""
    seen = hashlib.sha256()
    facts = (model.model.config.to_json_string(), sorted(model.tokenizer.get_vocab().items()))
    seen.update(repr((*facts, model.tokenizer.chat_template, model.template)).encode())
    for _, weight in model.model.named_parameters():
        seen.update(np.asarray(weight.detach().flatten()[:64].float().cpu().numpy()).tobytes())
    return seen.hexdigest()[:16]


def receipt_of(
    plan: Plan, meter: Meter, screening: Screening, records: Sequence[Attribution], discordant: int
) -> Receipt:
    """How it was made, and what was taken over or left out."""
    made = receipt(plan.method, meter, packages=("torch", "transformers", "tokenizers"))
    kept = len(screening.replies) - screening.asked
    notes = [f"{screening.asked} prompts asked, each read once"]
    notes += [f"{kept} answers taken over from a run before"] * bool(kept)
    notes += [f"{len(records)} of {discordant} discordant combinations explained"]
    notes += [f"these were drawn with seed {plan.seed}"] * (len(records) < discordant)
    warned = dict.fromkeys(screening.warnings)
    warned |= dict.fromkeys(warning for record in records for warning in record.receipt.warnings)
    return replace(
        made,
        method=plan.method,
        target=f"LogOdds(a, b, tokens={plan.tokens!r})",
        masker=plan.masker,
        seed=plan.seed,
        gap=max((float(np.abs(record.gap).max()) for record in records), default=None),
        stderr=max((value for record in records if (value := record.receipt.stderr) is not None), default=None),
        notes=tuple(notes),
        warnings=tuple(warned),
    )
