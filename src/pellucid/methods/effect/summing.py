"""The engine of `ShapImportance`: explain every row, sum values up by player or group, account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.groups import grouped
from pellucid.core.records import Attribution, Importance
from pellucid.methods.effect.shap_importance import MEAN_SIZE, ShapImportance
from pellucid.methods.run import explain
from pellucid.methods.shapley.suited import suited


def of_values(
    model: Any, X: Any, method: ShapImportance, groups: Mapping[str, Sequence[str | int]], given: dict[str, Any]
) -> Importance:
    """The mean size of values that share out the score; a group's value is the sum of its columns'."""
    inner = suited(model) if method.method is None else method.method
    record = explain(model, X, inner, **given)
    if record.layout != "table":
        raise InputError(
            f"importance is of the columns of a table (n, p); X has rows of shape {record.data.shape[1:]}."
        )
    values, errors, names = _by_player(record)
    players = grouped(groups, names)
    sizes = method.measure(values, list(players.values()))
    unheard = method.unheard(sizes, errors, list(players.values()))
    warnings = record.receipt.warnings
    if unheard.any():
        some = ", ".join(repr(name) for name, so in zip(players, unheard, strict=True) if so)
        warnings += (f"sampling alone may make the size of {some}: give the method more samples to tell",)
    return Importance(
        mean=sizes.mean(axis=1),
        stderr=stderr(sizes),
        samples=sizes,
        names=tuple(players),
        metric=MEAN_SIZE,
        baseline=float(record.base_values.mean()),
        receipt=replace(record.receipt, method=repr(replace(method, method=inner)), warnings=warnings),
    )


def _by_player(record: Attribution) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Values (n, p), their standard errors and names: of the players, where those are not simply the columns."""
    if record.players is not None:
        return record.players.values, record.players.stderr, record.players.names
    names = record.feature_names or tuple(f"x{j}" for j in range(record.values.shape[1]))
    return record.values, record.stderr, names


def stderr(samples: np.ndarray) -> np.ndarray:
    """samples (k, repeats or rows) -> (k,) of the mean; unknown of a single one."""
    count = samples.shape[1]
    if count == 1:
        return np.full(len(samples), np.nan)
    return np.asarray(samples.std(axis=1, ddof=1) / np.sqrt(count))
