"""The engine of `importance`: coerce, group the columns, measure, account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.groups import grouped
from pellucid.core.maskers import column_names
from pellucid.core.method import Method
from pellucid.core.records import Importance
from pellucid.methods.effect.friedman_h import FriedmanH
from pellucid.methods.effect.interaction import of_interaction
from pellucid.methods.effect.permutation import PermutationImportance
from pellucid.methods.effect.scoring import as_metric, as_truth
from pellucid.methods.effect.seen import trained_on
from pellucid.methods.effect.shap_importance import ShapImportance
from pellucid.methods.effect.summing import of_values, stderr
from pellucid.methods.effect.together import stand_ins
from pellucid.models.adapter import Inputs
from pellucid.models.prepare import prepare

_SEEN = (
    "the model was trained on these very rows: columns that it overfits look more important than they are; give rows held "
    "out from training"
)


def importance(
    model: Any,
    X: Any,
    y: Any = None,
    method: Method | str | None = None,
    *,
    metric: Any = None,
    groups: Mapping[str, Sequence[str | int]] | None = None,
    **values: Any,
) -> Importance:
    """See `pellucid.api.importance`. `values`: target, background and masker of values that are summed up; target of H."""
    chosen = as_method(method)
    given = {name: value for name, value in values.items() if value is not None}
    if metric is not None and not isinstance(chosen, PermutationImportance):
        raise MethodError(f"{type(chosen).__name__} measures no performance, so it takes no metric: leave metric=None.")
    if isinstance(chosen, ShapImportance):
        return of_values(model, X, chosen, groups or {}, given)
    target = given.pop("target", None) if isinstance(chosen, FriedmanH) else None
    if given:
        does = (
            "puts rows at one another's points" if isinstance(chosen, FriedmanH) else "shuffles X and measures a metric"
        )
        raise MethodError(
            f"{type(chosen).__name__} {does}, so it takes no {' or '.join(given)}: leave it out, "
            "or ask for ShapImportance()."
        )
    if isinstance(chosen, FriedmanH):
        return of_interaction(model, X, chosen, groups or {}, target)
    return _of_shuffling(model, X, y, chosen, metric, groups or {})


def _of_shuffling(
    model: Any,
    X: Any,
    y: Any,
    chosen: PermutationImportance,
    metric: Any,
    groups: Mapping[str, Sequence[str | int]],
) -> Importance:
    """The drop of a metric. `groups` are shuffled together; columns in no group stand alone, after them."""
    ready, meter = prepare(model, X), Meter()
    x = _checked(ready.inputs)
    truth = as_truth(y, len(x))
    names, coded = column_names(x, ready.inputs.form), _coded(ready.inputs)
    players = grouped(groups, names)
    judge = as_metric(metric, ready.adapter, meter)
    with ready.adapter.session():
        whole, drops = chosen.measure(
            lambda tables: judge.qualities(tables, truth),
            x,
            list(players.values()),
            coded,
            chosen.stream(),
        )
    warnings = () if chosen.within else stand_ins(x, coded, names, list(players.values()))
    warnings = (*ready.inputs.warnings, *_still(x, names), *warnings)
    if trained_on(model, X):
        warnings = (_SEEN, *warnings)
    return Importance(
        mean=drops.mean(axis=1),
        stderr=stderr(drops),
        samples=drops,
        names=tuple(players),
        metric=judge.name,
        baseline=judge.sign * whole,
        receipt=receipt(chosen, meter, packages=ready.adapter.packages, warnings=warnings),
    )


def as_method(method: Any) -> PermutationImportance | ShapImportance | FriedmanH:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = PermutationImportance if method is None else method
    says = "does not measure importance: give PermutationImportance(), ShapImportance() or FriedmanH()."
    made: PermutationImportance | ShapImportance | FriedmanH = spelling.as_value(
        given, (PermutationImportance, ShapImportance, FriedmanH), says
    )
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


def _still(x: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    """A warning where columns of x (n, p) hold one value, missing or not, in all rows."""
    still = [name for name, column in zip(names, x.T, strict=True) if _is_constant(column)]
    if not still:
        return ()
    told = ", ".join(map(repr, still[:5])) + (" ..." if len(still) > 5 else "")
    return (
        f"{told}: constant in these rows, so that shuffling changes nothing and 0 is no finding; give rows in which it varies",
    )


def _is_constant(column: np.ndarray) -> bool:
    return bool((column == column[0]).all() or np.isnan(column.astype(float)).all())


def _coded(inputs: Inputs) -> np.ndarray:
    """(p,) True where a column holds codes of levels."""
    schema = inputs.form.schema
    return np.zeros(inputs.x.shape[1], bool) if schema is None else schema.coded
