"""Pipelines before a tree model: which input column does each encoded column come from?

Encoders that work column by column leave that question an answer, and then all encoded columns of one source are one
player: it satisfies a split or not with all of them at once, so the values are exactly those of a game over the columns
that the user knows. A step that mixes columns (PCA, row normalisation) has no such answer and is refused by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import MethodError

# OneToOneFeatureMixin is no proof: Normalizer has it, and mixes columns
_ONE_TO_ONE = frozenset(
    [
        "StandardScaler",
        "MinMaxScaler",
        "MaxAbsScaler",
        "RobustScaler",
        "QuantileTransformer",
        "PowerTransformer",
        "OrdinalEncoder",
        "Binarizer",
    ]
)


def sources(step: Any, columns: np.ndarray) -> np.ndarray:
    """columns (k,): the source of each column that a fitted step takes -> the source of each that it gives."""
    name = type(step).__name__
    if isinstance(step, str) or step is None or (name == "FunctionTransformer" and step.func is None):
        return columns  # passthrough
    if hasattr(step, "steps"):
        for _, inner in step.steps:
            columns = sources(inner, columns)
        return columns
    if name == "ColumnTransformer":
        return _column_transformer(step, columns)
    if name in _ONE_TO_ONE:
        return columns
    if name == "OneHotEncoder":
        return np.repeat(columns, step._n_features_outs)
    if name == "SimpleImputer":
        return _imputer(step, columns)
    if hasattr(step, "get_support"):
        return columns[step.get_support()]
    raise MethodError(
        f"the pipeline's {name} may mix columns, so its outputs are no single column's: TreeShap explains pipelines of "
        f"encoders that work column by column ({', '.join(sorted(_ONE_TO_ONE))}, OneHotEncoder, SimpleImputer, "
        "ColumnTransformer). Use KernelShap(), or explain the last step on encoded rows."
    )


def _column_transformer(step: Any, columns: np.ndarray) -> np.ndarray:
    inputs = step._transformer_to_input_indices
    spans = step.output_indices_
    width = max((span.stop for span in spans.values()), default=0)
    made = np.full(width, -1)
    for name, inner, _ in step.transformers_:
        span = spans.get(name, slice(0, 0))
        if span.stop > span.start:
            made[span] = sources(inner, columns[inputs[name]])
    return made


def _imputer(step: Any, columns: np.ndarray) -> np.ndarray:
    kept = columns
    if not step.keep_empty_features and step.strategy != "constant":
        known = np.array([not (isinstance(v, float) and np.isnan(v)) for v in step.statistics_])
        kept = columns[known]
    return kept if not step.add_indicator else np.concatenate([kept, columns[step.indicator_.features_]])
