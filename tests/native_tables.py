"""Models that take a frame's categories as they are, every verb asked of them, and a record of what they were fed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import pellucid as pc

KINDS = ("HistGradientBoosting", "LightGBM", "XGBoost")


def booster(kind: str) -> Any:
    """A small classifier."""
    if kind == "LightGBM":
        lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is an optional framework")
        return lightgbm.LGBMClassifier(n_estimators=20, num_leaves=8, verbose=-1, n_jobs=1)
    if kind == "XGBoost":
        xgboost = pytest.importorskip("xgboost", reason="XGBoost is no dependency: pip install xgboost-cpu")
        return xgboost.XGBClassifier(n_estimators=20, max_depth=4, enable_categorical=True, n_jobs=1)
    return HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype", random_state=0)


def watched(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[pd.DataFrame]:
    """The frames that a fitted model is fed from now on."""
    fed: list[pd.DataFrame] = []
    for name in ("predict", "predict_proba", "decision_function"):
        if (asked := getattr(type(model), name, None)) is None:
            continue

        def spy(self: Any, X: Any, *rest: Any, asked: Any = asked, **options: Any) -> Any:
            fed.append(X)
            return asked(self, X, *rest, **options)

        monkeypatch.setattr(type(model), name, spy)
    return fed


def check_fed(fed: list[pd.DataFrame], X: pd.DataFrame) -> None:
    """Frames as the model was fitted on: columns, order, dtypes with their categories, and only levels that X knows."""
    assert fed
    for frame in fed:
        assert isinstance(frame, pd.DataFrame) and list(frame.columns) == list(X.columns)
        pd.testing.assert_series_equal(frame.dtypes, X.dtypes)


def ask_everything(model: Any, held: pd.DataFrame, y: Any, level: str, number: str) -> dict[str, np.ndarray]:
    """What each verb says of a frame, every answer checked for what must hold of it; columns in alphabetical order."""
    found: dict[str, np.ndarray] = {}
    order = np.argsort(held.columns)
    background = held[40:80]
    for method in (pc.TreeShap(), pc.KernelShap(samples=200), pc.LIME(samples=400)):
        asked = {} if isinstance(method, pc.TreeShap) else {"background": background}
        made = pc.explain(model, held[:5], method, **asked)
        assert made.feature_names == tuple(held.columns) and np.isfinite(made.values).all()
        if not isinstance(method, pc.LIME):
            assert np.abs(made.gap).max() < 1e-5
        found[type(method).__name__] = made.values[:, order]
    for within in (None, "leaves"):
        important = pc.importance(model, held, y, pc.PermutationImportance(repeats=2, within=within), metric="roc_auc")
        assert important.names == tuple(held.columns) and important.mean.max() > 0.01
        found[f"importance {within}"] = important.mean[order]
    curve, local = pc.PartialDependence(points=6), pc.AccumulatedLocalEffects(bins=5)
    for feature, way in ((level, curve), (number, curve), ((level, number), curve), (level, local), (number, local)):
        made = pc.effect(model, held, feature, way)
        assert np.isfinite(made.mean).all()
        found[f"{type(way).__name__} {feature}"] = made.mean
    levels = pc.effect(model, held, level)
    assert set(levels.grid) <= set(held[level].cat.categories) and np.ptp(levels.mean) > 0
    return found


def check_brute(model: Any, held: pd.DataFrame, level: str) -> None:
    """The curve of levels is the mean margin of the frame with each level written into it."""
    made = pc.effect(model, held, level, target=pc.Class(1, scale="probability"))
    for value, mean in zip(made.grid, made.mean, strict=True):
        moved = held.assign(**{level: pd.Categorical([value] * len(held), dtype=held[level].dtype)})
        np.testing.assert_allclose(mean, model.predict_proba(moved)[:, 1].mean(), rtol=1e-5)
