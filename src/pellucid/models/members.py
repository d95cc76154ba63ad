"""The members of an ensemble: several models, the trees of a forest, or passes through a network with its dropout left on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import MethodError
from pellucid.core.inputs import plain_array
from pellucid.models.prepare import Prepared
from pellucid.models.tabular import final


def members(ready: Prepared, *, passes: int, seed: int, meter: Meter) -> Iterator[np.ndarray]:
    """Each member's class probabilities (n, k); call inside the adapter's session."""
    if ready.adapter.kind == "torch":
        yield from _with_dropout(ready, passes, seed, meter)
        return
    model = getattr(ready.adapter, "model", None)
    trees = getattr(final(model), "estimators_", None)
    if trees is None or not all(hasattr(tree, "predict_proba") for tree in np.ravel(trees)):
        raise MethodError(
            f"a {type(final(model)).__name__} has no members that could disagree: give a list of models, a forest or a network "
            "with dropout."
        )
    rows = ready.adapter.rows(ready.inputs.x)  # type: ignore[attr-defined]
    for step in _before(model):
        rows = step.transform(rows)
    for tree in np.ravel(trees):
        yield np.asarray(tree.predict_proba(plain_array(rows) if not hasattr(rows, "tocsr") else rows))
        meter.add(forward=len(ready.inputs.x))


def _before(model: Any) -> list[Any]:
    """The steps of a pipeline that rows go through before its last."""
    while hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    return [] if not hasattr(model, "steps") else [step for _, step in model.steps[:-1] if hasattr(step, "transform")]


def _with_dropout(ready: Prepared, passes: int, seed: int, meter: Meter) -> Iterator[np.ndarray]:
    import torch

    model: Any = ready.adapter.model  # type: ignore[attr-defined]
    noisy = [
        module for module in model.modules() if isinstance(module, torch.nn.modules.dropout._DropoutNd) and module.p > 0
    ]
    if not noisy:
        raise MethodError("this network has no dropout, so its passes cannot disagree: give a list of networks.")
    inputs = ready.inputs
    for i in range(passes):
        with _training(noisy), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + i)
            yield ready.adapter.outputs(inputs.x, "probability", inputs.extra, meter, inputs.batch_size)


@contextlib.contextmanager
def _training(modules: list[Any]) -> Iterator[None]:
    try:
        for module in modules:
            module.training = True
        yield
    finally:
        for module in modules:
            module.training = False  # as the session has them
