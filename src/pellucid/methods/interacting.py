"""Which features act together? One path for all methods that answer it: coerce, bind, interact, account.

A method that can say so has an `interact` beside its `attribute`: values (n, p, p) in SHAP's convention, each pair's
interaction in two halves and rows that add up to the attribution.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Meter, receipt
from pellucid.core.errors import MethodError
from pellucid.core.masking import Game, Masker
from pellucid.core.method import GameMethod, Method, TreeMethod
from pellucid.core.records import Interactions
from pellucid.methods.run import as_masker, as_method, hiding
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import prepare


def interact(
    model: Any, x: Any, method: Method | str, *, target: Any = None, background: Any = None, masker: Any = None
) -> Interactions:
    """See `pellucid.api.interact`."""
    ready = prepare(model, x, background=background)
    chosen, removal, meter = _checked(as_method(method, ready)), as_masker(masker), Meter(Budget())
    with ready.adapter.session():
        f, scores = ready.bind(target, meter)
        parts, names, hidden = _parts(chosen, f, removal, scores)
    gap = scores - parts.base_values - parts.values.sum((1, 2))
    known = parts.stderr is not None and np.isfinite(parts.stderr).any()
    facts = {
        "target": repr(f.pick.target),
        "scale": f.scale,
        "masker": hidden,
        "gap": float(np.abs(gap).max()),
        "stderr": float(np.nanmax(parts.stderr)) if known else None,
        "converged": None if parts.converged is None else bool(parts.converged.all()),
        "warnings": (*ready.inputs.warnings, *parts.warnings),
    }
    return Interactions(
        values=parts.values,
        scores=scores,
        base_values=parts.base_values,
        gap=gap,
        stderr=parts.stderr,
        data=ready.inputs.readable,
        feature_names=names,
        target=f.pick.target,
        method=chosen,
        receipt=receipt(chosen, meter, packages=ready.adapter.packages, **facts),
    )


def _checked(method: Method) -> Any:
    if not hasattr(method, "interact"):
        raise MethodError(
            f"{type(method).__name__} finds no interactions: use TreeShap() for trees, ExactShapley() for few "
            "columns, or KernelShap(), which samples."
        )
    return method


def _parts(
    method: Any, f: BlackBox, masker: Masker | None, scores: np.ndarray
) -> tuple[Any, tuple[str, ...] | None, str | None]:
    """Parts with values (n, p, p), the players' names, and what was hidden by what."""
    inputs, removal = f.inputs, hiding(method, masker, f)
    if isinstance(method, TreeMethod):
        from pellucid.models.tree.question import ask  # compiled kernels: loaded when the first tree is met

        return method.interact(ask(f, scores)), inputs.form.names, None  # type: ignore[attr-defined]
    assert isinstance(method, GameMethod) and removal is not None
    if removal.apart and len(inputs.x) > 1:
        raise MethodError(
            f"with {removal!r} each row has players of its own, and x has {len(inputs.x)} rows: give one row a call."
        )
    bound = removal.bind(inputs.x, inputs.background, inputs.form)
    game = Game(f, bound, len(inputs.x))
    return method.interact(game), bound.names, repr(removal)  # type: ignore[attr-defined]
