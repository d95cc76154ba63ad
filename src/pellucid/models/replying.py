"""What a language model answers, and a target's number, from one pass over each prompt."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Meter
from pellucid.core.errors import TargetError
from pellucid.core.language import Answer
from pellucid.core.masking import Form
from pellucid.core.target import Custom, Output, Predicted, as_target
from pellucid.models.adapter import Inputs
from pellucid.models.causal import CausalAdapter, numbers
from pellucid.models.causal_tokens import ASKED
from pellucid.models.endings import Ending
from pellucid.models.language import CausalLM, Replies


def replies(given: CausalLM, texts: np.ndarray, target: Any, longest: int) -> Replies:
    """See `CausalLM.ask`."""
    adapter, meter = CausalAdapter(given), Meter(Budget(), None)
    adapter.refuse(texts)
    asked, scale = _columns(adapter, texts, target, meter)
    found: list[list[int]] = [[] for _ in texts]
    scores: np.ndarray | None = None if asked is None else np.full(asked.shape[:2], np.nan)

    def note(end: Ending) -> None:
        for row, ids in zip(end.rows, end.greedily(longest, adapter.ends), strict=True):
            found[row] = ids
        if asked is None or scores is None:
            return
        rows = asked[end.rows]  # (b, k, w)
        for column in range(rows.shape[1]):
            for answer in np.unique(rows[:, column], axis=0):
                which = np.flatnonzero((rows[:, column] == answer).all(axis=1))
                scores[end.rows[which], column] = numbers(end, which, answer[answer >= 0].tolist(), scale)

    with adapter.session():
        adapter.network.read(adapter.encode(texts.tolist()), note)
    said = tuple(adapter.tokenizer.decode(ids, skip_special_tokens=True) for ids in found)
    made = None if scores is None else scores[:, 0] - scores[:, 1:].sum(axis=1)
    network = adapter.network
    ids = tuple(map(tuple, found))
    return Replies(said, ids, made, len(texts), network.computed, network.whole, adapter.warnings)


def _columns(adapter: CausalAdapter, texts: np.ndarray, target: Any, meter: Meter) -> tuple[np.ndarray | None, str]:
    """The tokens that a target asks for (n, k, w), and the scale"""
    if target is None:
        return None, "raw"
    wanted = as_target(target, default=Output(0))
    if isinstance(wanted, Custom | Predicted) or (isinstance(wanted, Answer) and wanted.text is None):
        raise TargetError(f"ask(target={wanted!r}): name the answers, as in Token('yes') or LogOdds('yes', 'no').")
    wanted, inputs = adapter.declare(wanted, Inputs(texts, None, Form()), meter)
    return inputs.extra[ASKED], adapter.scale_of(wanted)
