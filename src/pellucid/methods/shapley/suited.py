"""Which Shapley method suits a model when nobody chose one: its trees are read where they can be, else it is asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import PellucidError
from pellucid.core.method import Method
from pellucid.methods.shapley.kernel import KernelShap
from pellucid.methods.shapley.tree import TreeShap
from pellucid.models.adapter import BlackBox
from pellucid.models.tabular import EstimatorAdapter, final, is_estimator


def suited(model: Any) -> Method:
    """TreeShap for the tree ensembles that it reads, KernelShap for anything else."""
    return TreeShap() if has_trees(model) else KernelShap()


def has_trees(model: Any) -> bool:
    """Whether a model is, or ends in, an ensemble of a kind that TreeShap reads."""
    if not is_estimator(model):
        return False
    from pellucid.models.tree.reading import READERS  # compiled kernels come with it

    return type(final(model)).__name__ in READERS


def has_sums(f: BlackBox, scores: np.ndarray) -> bool:
    """Whether this score (n,) is a sum of leaves that TreeShap can read: the steps of a pipeline and the scale decide too."""
    table = f.inputs.form.text is None and f.inputs.form.own is None and f.inputs.x.ndim == 2
    if not (table and isinstance(f.adapter, EstimatorAdapter) and has_trees(f.adapter.model)):
        return False
    from pellucid.models.tree.engine import goes_with_background
    from pellucid.models.tree.question import ask

    try:
        question = ask(f, scores)
    except PellucidError:
        return False
    against = f.inputs.background is not None
    return question.readout is not None and (not against or goes_with_background(question.known.forest))
