"""Fitted models that can be read -> their card: our own, and scikit-learn's trees and linear models, alone or behind
prepared columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Receipt, versions
from pellucid.core.errors import ModelError
from pellucid.core.model_card import PointsCard, Rule, RuleCard
from pellucid.core.rules import Condition
from pellucid.methods.anchor.cuts import between, spelled


def model_card(model: Any) -> RuleCard | PointsCard:
    """A model that can be read, on one page: rules of a list, a set or a tree, points of a score or a linear model.

    Parameters
    ----------
    model : a fitted RuleList, DecisionSet or ScoringSystem, a decision tree or a linear model of scikit-learn with one output, or a
        pipeline of prepared columns that ends in one; what `distill` hands back.
    """
    if hasattr(model, "on_a_page"):
        made: RuleCard | PointsCard = model.on_a_page()
        return made
    final = model[-1] if hasattr(model, "steps") else model
    if hasattr(final, "tree_"):
        leaves = _leaves(final, _features(model, final))
        return RuleCard(kind="tree", classes=_classes(final), rules=leaves, receipt=_receipt(model))
    if hasattr(final, "coef_") and np.atleast_2d(final.coef_).shape[0] == 1:
        return _linear(model, final, _features(model, final))
    raise ModelError(
        f"a {type(final).__name__} has no card: give a RuleList, a DecisionSet, a ScoringSystem, a fitted decision tree, or a "
        "linear model with one output."
    )


def _receipt(model: Any) -> Receipt:
    fidelity = getattr(model, "fidelity_", None)
    notes = () if fidelity is None else (fidelity.sentence,)
    return Receipt(method=repr(model), notes=notes, versions=versions("scikit-learn"))


@dataclass(frozen=True)
class _Feature:
    """A column of what the final step sees: its own, or whether a column has a level (`here`), of all its `levels`."""

    name: str
    column: int
    level: Any = None
    here: tuple[Any, ...] = ()
    levels: tuple[Any, ...] = ()

    @property
    def words(self) -> str:
        return self._said(True) if self.levels else self.name

    def within(self, low: float | None, high: float | None) -> Condition:
        """Above low and at most high, as a reader knows it."""
        if not self.levels:
            return Condition(self.name, self.column, between(self.name, low, high, spelled), low=low, high=high)
        there = high is None
        known = tuple(value for value in (self.here if there else self.levels) if there or value not in self.here)
        if there and _missing(self.level):
            return Condition(self.name, self.column, self._said(True), missing=True)
        return Condition(self.name, self.column, self._said(there), values=tuple(v for v in known if not _missing(v)))

    def _said(self, there: bool) -> str:
        if isinstance(self.level, bool):
            return self.name if self.level == there else f"not {self.name}"
        if _missing(self.level):
            return f"{self.name} is {'missing' if there else 'known'}"
        return f"{self.name} {'=' if there else 'is not'} {self.level}"


def _missing(value: Any) -> bool:
    return value is None or value != value


def _features(model: Any, final: Any) -> list[_Feature]:
    """What the final step's columns stand for."""
    count = int(final.n_features_in_)
    told = getattr(final, "names_", None) or getattr(model, "feature_names_in_", None)
    names = [f"x{j}" for j in range(count)] if told is None else [str(name) for name in told]
    prepared: Any = model[0] if hasattr(model, "steps") and len(model.steps) > 1 else None
    if not hasattr(prepared, "transformers_"):
        return [_Feature(names[j] if len(names) == count else f"x{j}", j) for j in range(count)]
    made: list[_Feature] = []
    for _, step, columns in prepared.transformers_:
        columns = [str(column) for column in columns]
        if isinstance(step, str) or not columns:
            continue
        encoder = step[-1] if hasattr(step, "steps") else step
        if not hasattr(encoder, "categories_"):
            made += [_Feature(name, names.index(name)) for name in columns]
            continue
        for column, told, all_levels in zip(columns, _told(encoder, columns), encoder.categories_, strict=True):
            levels = tuple(map(_plain, all_levels))
            made += [_Feature(column, names.index(column), level, here, levels) for level, here in told]
    if len(made) != count:
        raise ModelError(
            "the pipeline prepares its columns in a way that is not known here: give the final step alone."
        )
    return made


def _told(encoder: Any, columns: list[str]) -> list[list[tuple[Any, tuple[Any, ...]]]]:
    """What each column of a one-hot encoder stands for, and its levels; rare levels share one, the last."""
    rare = getattr(encoder, "infrequent_categories_", [None] * len(columns))
    made = []
    for all_levels, few in zip(encoder.categories_, rare, strict=True):
        hidden = () if few is None else tuple(map(_plain, few))
        told = [(value, (value,)) for value in map(_plain, all_levels) if value not in hidden]
        made.append([*told, ("one of the rare ones", hidden)] if hidden else told)
    return made


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _classes(final: Any) -> tuple[str, ...]:
    return tuple(map(str, getattr(final, "classes_", np.array([])).tolist()))


def _leaves(final: Any, features: list[_Feature]) -> tuple[Rule, ...]:
    """One rule a leaf, from left to right."""
    tree, classes = final.tree_, _classes(final)
    made: list[Rule] = []

    def walk(node: int, held: dict[int, tuple[float | None, float | None]]) -> None:
        j, cut = int(tree.feature[node]), float(tree.threshold[node])
        if tree.children_left[node] < 0:
            conditions = tuple(features[at].within(*span) for at, span in held.items())
            made.append(_leaf(conditions, tree.value[node].ravel(), classes, float(tree.weighted_n_node_samples[node])))
            return
        low, high = held.get(j, (None, None))
        walk(int(tree.children_left[node]), {**held, j: (low, cut)})
        walk(int(tree.children_right[node]), {**held, j: (cut, high)})

    walk(0, {})
    return tuple(made)


def _leaf(conditions: tuple[Condition, ...], value: np.ndarray, classes: tuple[str, ...], rows: float) -> Rule:
    if not classes:
        return Rule(conditions, f"{float(value[0]):.4g}", (), rows)
    shares = value / value.sum()
    return Rule(conditions, classes[int(shares.argmax())], tuple(shares.tolist()), rows)


def _linear(model: Any, final: Any, features: list[_Feature]) -> PointsCard:
    """Terms by falling size of their weights."""
    weights = np.atleast_2d(final.coef_)[0]
    order = [j for j in np.argsort(-np.abs(weights), kind="stable").tolist() if weights[j]]
    classes, none = _classes(final), np.empty(0)
    return PointsCard(
        kind="linear model",
        answer=classes[1] if len(classes) == 2 else "the score",
        terms=tuple(features[j].words for j in order),
        points=weights[order],
        intercept=float(np.ravel(final.intercept_)[0]),
        totals=none,
        risks=none,
        observed=none,
        rows=none,
        receipt=_receipt(model),
    )
