"""The engine of `importance`: coerce, group the columns, measure, account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.groups import grouped
from pellucid.core.records import Importance
from pellucid.methods.effect.permutation import PermutationImportance
from pellucid.methods.effect.scoring import as_metric, as_truth
from pellucid.methods.effect.seen import trained_on
from pellucid.models.adapter import Inputs
from pellucid.models.prepare import prepare

_SEEN = (
    "the model was trained on these very rows: columns that it overfits look more important than they are; give rows held "
    "out from training"
)
_TOGETHER = 0.8  # rank correlation from which two columns stand in for each other


def importance(
    model: Any,
    X: Any,
    y: Any,
    method: PermutationImportance | str | None = None,
    *,
    metric: Any = None,
    groups: Mapping[str, Sequence[str | int]] | None = None,
) -> Importance:
    """See `pellucid.api.importance`. `groups` are shuffled together; columns in no group stand alone, after them."""
    chosen, ready, meter = as_method(method), prepare(model, X), Meter()
    x = _checked(ready.inputs)
    truth = as_truth(y, len(x))
    names = ready.inputs.form.names or tuple(f"x{j}" for j in range(x.shape[1]))
    players = grouped(groups or {}, names)
    judge = as_metric(metric, ready.adapter, meter)
    with ready.adapter.session():
        whole, drops = chosen.measure(
            lambda tables: judge.qualities(tables, truth),
            x,
            list(players.values()),
            _coded(ready.inputs),
            chosen.stream(),
        )
    warnings = () if chosen.within else _together(ready.inputs, names, list(players.values()))
    if trained_on(model, X):
        warnings = (_SEEN, *warnings)
    return Importance(
        mean=drops.mean(axis=1),
        stderr=_stderr(drops),
        samples=drops,
        names=tuple(players),
        metric=judge.name,
        baseline=judge.sign * whole,
        receipt=receipt(chosen, meter, packages=ready.adapter.packages, warnings=warnings),
    )


def as_method(method: Any) -> PermutationImportance:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    made = PermutationImportance() if method is None else method
    made = spelling.parse(made) if isinstance(made, str) else made
    made = made() if isinstance(made, type) and issubclass(made, PermutationImportance) else made
    if not isinstance(made, PermutationImportance):
        raise MethodError(f"{made!r} does not measure importance: give PermutationImportance().")
    return made


def _checked(inputs: Inputs) -> np.ndarray:
    x = inputs.x
    if inputs.form.own is not None:
        raise InputError("importance shuffles whole columns, and X is a sparse matrix: give X.toarray().")
    if x.ndim != 2:
        raise InputError(f"importance shuffles the columns of a table (n, p); X has shape {x.shape}.")
    if len(x) < 2:
        raise InputError("X has one row: there is nothing to shuffle it with; give many, held out from training.")
    return x


def _stderr(drops: np.ndarray) -> np.ndarray:
    """drops (groups, repeats) -> (groups,) of the mean; unknown after a single repeat."""
    repeats = drops.shape[1]
    if repeats == 1:
        return np.full(len(drops), np.nan)
    return np.asarray(drops.std(axis=1, ddof=1) / np.sqrt(repeats))


def _coded(inputs: Inputs) -> np.ndarray:
    """(p,) True where a column holds codes of levels."""
    schema = inputs.form.schema
    return np.zeros(inputs.x.shape[1], bool) if schema is None else schema.coded


def _together(inputs: Inputs, names: tuple[str, ...], groups: list[np.ndarray]) -> tuple[str, ...]:
    """Pairs of number columns in different groups that are near copies of each other."""
    numbers = np.flatnonzero(~_coded(inputs))
    ranks = rankdata(inputs.x[:, numbers].astype(float), axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0))
    likeness = ranks.T @ ranks / np.maximum(np.outer(size, size), 1e-300)
    likeness[~(np.abs(likeness) >= _TOGETHER)] = 0  # NaN of columns with missing values too
    pairs = [(numbers[i], numbers[j], likeness[i, j]) for i, j in np.argwhere(np.triu(likeness, 1))]
    apart = [pair for pair in pairs if not any(pair[0] in group and pair[1] in group for group in groups)]
    apart.sort(key=lambda pair: -abs(pair[2]))
    return tuple(
        f"columns {names[i]!r} and {names[j]!r} go together (rank correlation {r:.2f}): while one is shuffled the other "
        "still tells, so each may look less important than it is; put them into one group, or shuffle within 'leaves'"
        for i, j, r in apart[:3]
    )
