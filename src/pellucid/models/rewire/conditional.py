"""Functions that are harmless in evaluation mode, unless the network asks for the other mode itself."""

from __future__ import annotations

from typing import Any

from pellucid.models.rewire.engine import Call, Rule

_DROPOUTS = ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "native_dropout")


def check_statistics(call: Call) -> None:
    """With the statistics of the batch, batch norm mixes rows, and no row has a contribution of its own."""
    if call.argument(5, "training"):
        call.mode.without_rule("batch_norm with the statistics of the batch")


def batch_norm(call: Call) -> Any:
    """Linear with running statistics."""
    check_statistics(call)
    return call.plain()


def dropout(call: Call) -> Any:
    """Nothing, in evaluation mode."""
    if call.argument(2, "train", call.kwargs.get("training")) and call.argument(1, "p"):
        call.mode.without_rule(f"{call.name} that stays active in evaluation mode (pass training=self.training)")
    return call.plain()


CONDITIONAL = {"batch_norm": Rule(batch_norm), **dict.fromkeys(_DROPOUTS, Rule(dropout))}
