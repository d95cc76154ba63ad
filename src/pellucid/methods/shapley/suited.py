"""Which Shapley method suits a model when nobody chose one: its trees are read where they can be, else it is asked."""

from __future__ import annotations

from typing import Any

from pellucid.core.method import Method
from pellucid.methods.shapley.kernel import KernelShap
from pellucid.methods.shapley.tree import TreeShap
from pellucid.models.tabular import final, is_estimator


def suited(model: Any) -> Method:
    """TreeShap for the tree ensembles that it reads, KernelShap for anything else."""
    return TreeShap() if has_trees(model) else KernelShap()


def has_trees(model: Any) -> bool:
    """Whether a model is, or ends in, an ensemble of a kind that TreeShap reads."""
    if not is_estimator(model):
        return False
    from pellucid.models.tree.reading import READERS  # compiled kernels come with it

    return type(final(model)).__name__ in READERS
