"""Why the order decides: Shapley values of the user's tokens for the log-odds of a against b, in both orders of a combination.

The log-odds are zero where the model prefers neither option, but a Shapley value's base is not that zero: it is the
log-odds when all of the user's tokens are hidden, and the values add up to score - base. Both orders are asked with the same a
and b, so a value above zero speaks for a in either; only the frame (system message, template) is never hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import pellucid as pc
from pellucid.core import spelling
from pellucid.core.records import Attribution
from pellucid.studies.positional_bias.journal import Journal
from pellucid.studies.positional_bias.plan import Plan
from pellucid.studies.positional_bias.prompts import Prompt
from pellucid.studies.positional_bias.screening import Tell, log_odds, talking

Both = tuple[Prompt, Prompt]


def sample(discordant: Sequence[int], plan: Plan) -> tuple[int, ...]:
    """The combinations that are explained: all, or `most` of them, drawn with the plan's seed."""
    if len(discordant) <= plan.most:
        return tuple(discordant)
    drawn = np.random.default_rng(plan.seed).choice(len(discordant), plan.most, replace=False)
    return tuple(discordant[i] for i in sorted(drawn.tolist()))


def explain_orders(
    model: Any, both: Sequence[Both], plan: Plan, journal: Journal, tell: Tell
) -> tuple[Attribution, ...]:
    """One record of two rows, a first and b first, for each combination; what was kept is taken over."""
    made = []
    for number, orders in enumerate(both):
        facts = ([list(one.key) for one in orders], plan.method, plan.masker)
        record = journal.explanation(*facts)
        if record is None:
            tell(f"explaining {number + 1} of {len(both)} combinations", number / len(both))
            record = _explain(model, orders, plan)
            journal.keep(record, *facts)
        made.append(record)
    return tuple(made)


def _explain(model: Any, orders: Both, plan: Plan) -> Attribution:
    return pc.explain(
        talking(model, orders[0].system),
        [one.user for one in orders],
        spelling.parse(plan.method),
        target=log_odds(orders, plan),
        masker=spelling.parse(plan.masker),
    )
