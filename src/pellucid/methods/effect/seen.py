"""Was the model trained on these very rows? Where it remembers enough of its training to tell.

A tree keeps how many rows reached each node: rows that fill every node with exactly these numbers are the ones it grew on. A
neighbours' model and a Gaussian process keep the rows themselves. A model that keeps neither is given the benefit of the doubt.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def trained_on(model: Any, X: Any) -> bool:
    """Whether a fitted estimator or pipeline remembers exactly these rows as its training data."""
    try:
        final, rows = _unwrapped(model, X)
        return _keeps(final, rows) or _fills(_first_tree(final), rows)
    except Exception:  # what a user's transformer or estimator refuses here is no matter of importance
        return False


def _unwrapped(model: Any, X: Any) -> tuple[Any, np.ndarray]:
    """The last estimator of pipelines and searches, and the rows as it is fed them."""
    model = getattr(model, "best_estimator_", model)
    if hasattr(model, "steps"):
        return model.steps[-1][1], _plain(model[:-1].transform(X) if len(model.steps) > 1 else X)
    return model, _plain(X)


def _plain(rows: Any) -> np.ndarray:
    rows = rows.toarray() if hasattr(rows, "toarray") else rows
    return np.asarray(rows, dtype=float)


def _keeps(model: Any, rows: np.ndarray) -> bool:
    for name in ("_fit_X", "X_train_"):
        kept = getattr(model, name, None)
        if isinstance(kept, np.ndarray) and kept.shape == rows.shape:
            return bool((np.sort(kept, axis=0) == np.sort(rows, axis=0)).all())
    return False


def _first_tree(model: Any) -> Any:
    """A tree of scikit-learn that grew on all training rows, if there is one."""
    if hasattr(model, "tree_"):
        return model.tree_
    members = getattr(model, "estimators_", None)
    if members is None or getattr(model, "bootstrap", False) or getattr(model, "subsample", 1.0) != 1.0:
        return None
    return getattr(np.ravel(np.asarray(members, dtype=object))[0], "tree_", None)


def _fills(tree: Any, rows: np.ndarray) -> bool:
    """Whether these rows reach every node as often as the training rows did."""
    if tree is None or tree.n_node_samples[0] != len(rows) or tree.node_count < 3:
        return False
    reached = np.asarray(tree.decision_path(rows.astype(np.float32)).sum(axis=0)).ravel()
    return bool((reached == tree.n_node_samples).all())
