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
        values, base, names, hidden = _values(chosen, f, removal, scores)
    gap = scores - base - values.sum((1, 2))
    facts = {"target": repr(f.pick.target), "scale": f.scale, "masker": hidden, "gap": float(np.abs(gap).max())}
    return Interactions(
        values=values,
        scores=scores,
        base_values=base,
        gap=gap,
        data=ready.inputs.readable,
        feature_names=names,
        target=f.pick.target,
        method=chosen,
        receipt=receipt(chosen, meter, packages=ready.adapter.packages, **facts),
    )


def _checked(method: Method) -> Any:
    if not hasattr(method, "interact"):
        raise MethodError(
            f"{type(method).__name__} finds no interactions: use TreeShap() for trees, or ExactShapley() for few columns."
        )
    return method


def _values(
    method: Any, f: BlackBox, masker: Masker | None, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...] | None, str | None]:
    """Values (n, p, p), base values (n,), the players' names, and what was hidden by what."""
    inputs, removal = f.inputs, hiding(method, masker, f)
    if isinstance(method, TreeMethod):
        from pellucid.models.tree.question import ask  # compiled kernels: loaded when the first tree is met

        parts = method.interact(ask(f, scores))  # type: ignore[attr-defined]
        return parts.values, parts.base_values, inputs.form.names, None
    assert isinstance(method, GameMethod) and removal is not None
    if removal.apart and len(inputs.x) > 1:
        raise MethodError(
            f"with {removal!r} each row has players of its own, and x has {len(inputs.x)} rows: give one row a call."
        )
    bound = removal.bind(inputs.x, inputs.background, inputs.form)
    game = Game(f, bound, len(inputs.x))
    base = game(np.zeros((1, game.players), dtype=bool))[:, 0]
    return method.interact(game), base, bound.names, repr(removal)  # type: ignore[attr-defined]
