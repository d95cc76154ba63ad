"""Models that a person can read, on tables of any kind: a linear one, and a tree of a few questions."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.frames import Codec, is_frame
from pellucid.core.registry import resolve

_LEAVES = 8  # of a tree that is still read at a glance
_WORDS = 6  # terms of a linear model that are told


def simple_models(X: Any, classifies: bool) -> dict[str, Any]:
    """Unfitted pipelines by name, for frames with levels and gaps as for arrays."""
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if classifies:
        linear: Any = ("logistic regression", LogisticRegression(max_iter=1000))
        tree: Any = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, random_state=0)
    else:
        linear = ("linear regression", LinearRegression())
        tree = DecisionTreeRegressor(max_leaf_nodes=_LEAVES, random_state=0)
    name, model = linear
    return {
        name: make_pipeline(columns_of(X, scaled=True), model),
        f"tree of {_LEAVES} leaves": make_pipeline(columns_of(X, scaled=False), tree),
    }


def student(into: Any, classes: bool) -> Any:
    """An unfitted estimator: a copy of the one that is given, or by its name."""
    from sklearn.base import clone
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if not isinstance(into, str):
        if not hasattr(into, "get_params") or isinstance(into, type):
            raise MethodError(f"into={into!r} is no estimator to be fitted: give one, or one of {', '.join(_NAMED)}.")
        return clone(into)
    if into == "tree":
        kind: Any = DecisionTreeClassifier if classes else DecisionTreeRegressor
        return kind(max_leaf_nodes=_LEAVES, random_state=0)
    if into == "linear":
        return LogisticRegression(max_iter=1000) if classes else LinearRegression()
    if into not in _NAMED:
        raise MethodError(f"into={into!r}: expected an estimator, or one of {', '.join(_NAMED)}.")
    return resolve(_NAMED[into])()


_NAMED = {"tree": "", "linear": "", "rules": "RuleList", "set": "DecisionSet", "points": "ScoringSystem"}


def columns_of(X: Any, scaled: bool) -> Any:
    """Numbers with gaps filled by the median, levels one column each."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), *([StandardScaler()] if scaled else []))
    if not is_frame(X):
        return numbers
    known, coded = _kinds(X)  # texts are in neither and stay out
    rare: Any = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=20, sparse_output=False)
    if _has_na(X, coded):  # only then: a function hides from other readers which column is which
        rare = make_pipeline(FunctionTransformer(_without_na, feature_names_out="one-to-one"), rare)
    return make_column_transformer((numbers, known), (rare, coded), verbose_feature_names_out=False)


def _has_na(X: Any, names: list[str]) -> bool:
    """Whether one of these columns may hold pandas' own NA."""
    import pandas as pd

    return any(getattr(getattr(X[name], "dtype", None), "na_value", None) is pd.NA for name in names)


def _without_na(levels: Any) -> Any:
    """Columns of levels with None for what is missing: pandas' own NA has no order, and encoders sort."""
    return levels.astype(object).where(levels.notna(), None) if hasattr(levels, "notna") else levels


def _kinds(X: Any) -> tuple[list[str], list[str]]:
    """The columns of numbers, and those of levels."""
    import narwhals as nw

    schema, texts = nw.from_native(X, eager_only=True).schema, texts_of(X)
    numbers = [name for name, dtype in schema.items() if dtype.is_numeric()]
    return numbers, [name for name in schema if name not in numbers and name not in texts]


def texts_of(X: Any) -> tuple[str, ...]:
    """The columns of free text, of which a linear model or a small tree makes nothing that could be read."""
    return Codec.learn(X).schema.texts if is_frame(X) else ()


def in_words(model: Any) -> str:
    """A fitted pipeline of `simple_models` as a person reads it."""
    columns, final = model[:-1], model[-1]
    try:
        names = list(columns.get_feature_names_out())
    except (AttributeError, ValueError):
        names = [f"x{j}" for j in range(final.n_features_in_)]
    if hasattr(final, "tree_"):
        from sklearn.tree import export_text

        return str(export_text(final, feature_names=names, decimals=3))
    return "\n".join(_terms(one, names) for one in np.atleast_2d(final.coef_))


def _terms(weights: np.ndarray, names: list[str]) -> str:
    """The largest terms of one linear function."""
    order = np.argsort(-np.abs(weights), kind="stable")[:_WORDS]
    told = " ".join(f"{weights[j]:+.3g} {names[j]}" for j in order)
    return f"{told} (per standard deviation of a number)" + (" ..." if len(names) > _WORDS else "")
