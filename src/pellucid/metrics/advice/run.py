"""The engine of `advise`: first whether anything needs explaining, then the short list, then what was measured.

Rudin (2019): where an interpretable model is accurate enough, explaining a black box is the wrong question. So this is what every
advice says first; with an estimator, rows and labels it is measured, by cross-validation beside simple models (`rivals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from pellucid.core.advice import Advice
from pellucid.core.budget import Budget, Meter, Receipt, as_budget, receipt
from pellucid.core.errors import InputError, PellucidError
from pellucid.core.frames import is_frame
from pellucid.core.masking import Masker
from pellucid.core.rivals import Rivals
from pellucid.methods.run import as_masker
from pellucid.metrics.advice.measured import Case, Tried, tried
from pellucid.metrics.advice.shortlist import (
    Wish,
    as_access,
    as_verbs,
    asked,
    check_modality,
    shortlist,
    suggestion,
    verb_of,
)
from pellucid.models.prepare import Prepared, prepare

_ROWS = 16  # explained rows that candidates are tried on
_FIRST = "Before explaining: a model that can be read is better than an explanation, if it is accurate enough. "
_ASK = "pc.rivals(model, X, y) tells whether one is."
_SPACES = {2: "table", 3: "signal", 4: "image", 5: "volume"}  # by the number of axes of x


def advise(
    *,
    question: str | None = None,
    model: Any = None,
    x: Any = None,
    y: Any = None,
    access: str | Sequence[str] | None = None,
    modality: str | None = None,
    budget: Budget | float | str | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    margin: float = 0.01,
) -> Advice:
    """See `pellucid.api.advise`."""
    if (model is None) != (x is None):
        raise InputError(
            "advise measures where it is given model= and x= both, and reads cards where it is given neither."
        )
    verbs, limits = as_verbs(question), as_budget(budget)
    meter = Meter(limits)
    ready = None if model is None else prepare(model, _some(x), background=background, names=names, extra=None)
    has = as_access(access) if ready is None or access is not None else access_of(ready, model)
    kind = check_modality(modality) or (None if ready is None else modality_of(ready))
    wish = Wish(verbs, has, kind, limits.rows if ready is None else None)
    chosen, left_out = shortlist(wish)
    simple, first = _interpretable(model, x, y, margin, meter)
    found = Tried((), (), (), ())
    if ready is not None and "explain" in verbs:
        case = Case(model, x, target, background, as_masker(masker), names, extra, _taken)
        case = _taken(case, 1, _index(_count(x)))
        found = tried(case, [name for name in chosen if verb_of(name, verbs) == "explain"], meter)
    failed = {name for name, _ in found.unfit}
    return Advice(
        question=" ".join(verbs),
        asked=" ".join(asked(verb) for verb in verbs),
        access=has or (),
        modality=kind,
        first=first,
        suggestions=tuple(suggestion(name, verb_of(name, verbs)) for name in chosen if name not in failed),
        left_out=(*found.unfit, *found.untried, *left_out),
        trials=found.trials,
        rivals=simple,
        scorecards=found.cards,
        receipt=_receipt(meter, ready, found, verbs),
    )


def access_of(ready: Prepared, model: Any) -> tuple[str, ...]:
    """What a model that is at hand lets one do."""
    from pellucid.methods.shapley.suited import has_trees

    if ready.for_gradients().adapter.kind == "torch":  # a network of texts is differentiated at its embeddings
        return ("black box", "gradients", "inner layer")
    return ("black box", "structure") if has_trees(model) else ("black box",)


def modality_of(ready: Prepared) -> str:
    """The kind of input of prepared data."""
    if ready.inputs.form.text is not None:
        return "text"
    shape = ready.inputs.x.shape
    if len(shape) == 3 and ready.inputs.form.channels is None:
        return "image"  # a grey picture of a function
    return _SPACES.get(len(shape), "volume")


def _interpretable(model: Any, x: Any, y: Any, margin: float, meter: Meter) -> tuple[Rivals | None, str]:
    """Whether a simple model would do, and the sentence that comes first."""
    if y is None or model is None:
        return None, _FIRST + _ASK
    if not hasattr(model, "get_params"):
        return (
            None,
            _FIRST + f"A {type(model).__name__} cannot be fitted anew beside simple models, so that was not measured.",
        )
    from pellucid.methods.glassbox.rivals import rivals

    try:
        if (needed := _too_long(model, x, y, meter)) is not None:
            return (
                None,
                _FIRST + f"Measuring that would take about {needed:.0f} s of the budget, so it was left out. {_ASK}",
            )
        found = rivals(model, x, y, margin=margin)
    except PellucidError as error:
        return None, _FIRST + f"That could not be measured: {error}"
    return found, _FIRST + f"Here {found.verdict}."


def _too_long(model: Any, x: Any, y: Any, meter: Meter) -> float | None:
    """Seconds that fitting every fold would take, where that is more than half of what is left; None where there is time."""
    if meter.budget.seconds is None:
        return None
    from sklearn.base import clone

    n, before = len(y), meter.seconds
    few = np.linspace(0, n - 1, min(n, 200)).astype(int)
    clone(model).fit(_rows(x, few), np.asarray(y)[few])
    needed = 10 * (meter.seconds - before) * max(1.0, n / 200)  # five folds, and simple models beside
    return needed if needed > (meter.budget.seconds - meter.seconds) / 2 else None


def _some(x: Any) -> Any:
    """At most so many rows, evenly spread."""
    return _rows(x, _index(_count(x)))


def _count(x: Any) -> int:
    return int(x.shape[0]) if issparse(x) else len(x)


def _index(n: int) -> np.ndarray:
    return np.linspace(0, n - 1, min(n, _ROWS)).astype(int)


def _rows(x: Any, index: np.ndarray) -> Any:
    if is_frame(x):
        return x.iloc[index] if hasattr(x, "iloc") else x[index.tolist()]
    return [x[i] for i in index] if isinstance(x, list | tuple) else x[index]


def _taken(case: Case, step: int, index: np.ndarray | None = None) -> Case:
    """Every so manieth row with its target and further inputs, or those of an index."""
    n = _count(case.x)
    index = np.arange(0, n, step) if index is None else index
    per_row = isinstance(case.target, list | tuple | np.ndarray) and len(case.target) == n
    target = np.asarray(case.target)[index] if per_row else case.target
    extra = None if case.extra is None else {name: value[index] for name, value in case.extra.items()}
    masker = None if case.masker is None else case.masker.of(index)
    return replace(case, x=_rows(case.x, index), target=target, extra=extra, masker=masker)


def _receipt(meter: Meter, ready: Prepared | None, found: Tried, verbs: tuple[str, ...]) -> Receipt:
    warnings = []
    if ready is not None and "explain" not in verbs:
        warnings.append(
            f"nothing was measured: methods are tried where they explain single outputs, and this asks to {' or '.join(verbs)}"
        )
    if len(found.trials) == 1 or any(np.isnan(trial.faithfulness_low) for trial in found.trials):
        warnings.append("a single row or method gives no comparison")
    packages = () if ready is None else ready.adapter.packages
    names = tuple(trial.name for trial in found.trials)
    return receipt(names, meter, packages=packages, warnings=tuple(warnings))
