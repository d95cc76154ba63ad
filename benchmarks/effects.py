"""Curves, local effects and permutation importance beside scikit-learn's and dalex's: equal numbers first, then seconds and ratios.

    python -m benchmarks.effects [--rows 20640] [--few 2000] [--repeats 3] [--only curves|cheap|trees|dalex]

On California Housing where PELLUCID_DATA is set, else on a generated table of its shape. The peer is scikit-learn (curves by
`method="brute"`; importance of trees with all cores) or dalex, which is asked about `--few` rows: its curves are data frames of
a line per row and point. Columns: median seconds of the peer and of ours, their ratio, and the ratio of the least CPU seconds
of a run, which a busy machine disturbs less. The first call of ours, which may compile the walk over trees, is not counted and
shown by itself.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.peers import dalex

import pellucid as pc

POINTS = 50


def table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight columns, two of which go together: California Housing, or a generated table of its shape."""
    folder = os.environ.get("PELLUCID_DATA")
    rng = np.random.default_rng(0)
    if folder:
        houses = pd.read_csv(Path(folder) / "california_housing" / "california_housing.csv")
        houses = houses.sample(min(rows, len(houses)), random_state=0)
        return houses.drop(columns="MedHouseVal").to_numpy(float), houses["MedHouseVal"].to_numpy()
    X = rng.normal(size=(rows, 8))
    X[:, 7] = 0.9 * X[:, 6] + 0.4 * X[:, 7]
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 6] + 0.1 * rng.normal(size=rows)


def models() -> dict[str, Any]:
    return {
        "linear": LinearRegression(),
        "hist gradient boosting": HistGradientBoostingRegressor(random_state=0),
        "forest, depth 10": RandomForestRegressor(50, max_depth=10, random_state=0, n_jobs=2),
    }


def seconds(run: Callable[[], Any]) -> tuple[float, float]:
    """On the clock, and of this process."""
    start = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def beside(name: str, theirs: Callable[[], Any], ours: Callable[[], Any], repeats: int) -> None:
    """Interleaved, so that a busy moment hits both; short runs are repeated more often."""
    first, _ = seconds(ours)
    pairs = [(seconds(theirs), seconds(ours))]
    more = repeats - 1 if pairs[0][0][0] > 1 else 5 * repeats
    runs = np.array(
        pairs + [(seconds(theirs), seconds(ours)) for _ in range(more)]
    )  # (repeats, peer and ours, clock and CPU)
    (their, our), (their_cpu, our_cpu) = np.median(runs[..., 0], axis=0), runs[..., 1].min(axis=0)
    ratios = f"{their / our:7.1f} {their_cpu / our_cpu:7.1f}"
    print(f"{name:58s} {their:8.3f} {our:8.3f} {ratios}   first {first:.2f}", flush=True)


def curves(X: np.ndarray, y: np.ndarray, repeats: int) -> None:
    for name, model in models().items():
        model.fit(X[::4], y[::4])
        grid = pc.effect(model, X, 0, pc.PartialDependence(points=POINTS)).grid
        given: dict[str, Any] = {"method": "brute", "kind": "both", "custom_values": {0: grid}}
        theirs = partial_dependence(model, X[:3000], [0], **given)["individual"][0]
        np.testing.assert_allclose(pc.effect(model, X[:3000], 0, grid=grid).curves, theirs, rtol=1e-9, atol=1e-9)
        beside(
            f"curves of {len(X)} rows, {len(grid)} points: {name}",
            lambda model=model, given=given: partial_dependence(model, X, [0], **given),
            lambda model=model, grid=grid: pc.effect(model, X, 0, grid=grid),
            repeats,
        )


def cheap(X: np.ndarray, y: np.ndarray, repeats: int) -> None:
    high = y > np.median(y)
    linear, logistic = LinearRegression(), make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    linear.fit(X[::4], y[::4]), logistic.fit(X[::4], high[::4])
    for n in dict.fromkeys(min(n, len(X)) for n in (500, 4000, len(X))):
        for metric in ("r2", "neg_mean_absolute_error"):
            shuffles(f"{metric}: linear", linear, X[:n], y[:n], metric, repeats)
        for metric in ("accuracy", "neg_log_loss", "roc_auc"):
            shuffles(f"{metric}: scaler, logistic", logistic, X[:n], high[:n], metric, repeats)


def trees(X: np.ndarray, y: np.ndarray, repeats: int) -> None:
    for name, model in models().items():
        if name != "linear":
            shuffles(f"r2: {name}", model.fit(X[::4], y[::4]), X, y, "r2", repeats, n_jobs=-1)


def shuffles(name: str, model: Any, X: np.ndarray, y: np.ndarray, metric: str, repeats: int, **jobs: Any) -> None:
    baseline = pc.importance(model, X, y, pc.PermutationImportance(repeats=1), metric=metric).baseline
    np.testing.assert_allclose(baseline, get_scorer(metric)(model, X, y))
    beside(
        f"importance of {len(X)} rows, 5 repeats, {name}",
        lambda: permutation_importance(model, X, y, n_repeats=5, scoring=metric, random_state=0, **jobs),
        lambda: pc.importance(model, X, y, metric=metric),
        repeats,
    )


def beside_dalex(X: np.ndarray, y: np.ndarray, repeats: int) -> None:
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    chosen = models()
    warnings.simplefilter("ignore", UserWarning)  # that one of its arguments overrides another
    for name in ("linear", "hist gradient boosting"):
        model = chosen[name].fit(frame, y)
        theirs = dalex().Explainer(model, frame, y, verbose=False)
        grid = pc.effect(model, frame, "c0", pc.PartialDependence(points=POINTS)).grid
        asked = {"variables": ["c0"], "variable_splits": {"c0": grid}, "N": None, "verbose": False, "center": False}
        _agree(name, theirs, frame, asked)
        for kind, method in (("partial", pc.PartialDependence()), ("accumulated", pc.AccumulatedLocalEffects())):
            beside(
                f"dalex, {kind}, {len(X)} rows, {len(grid)} points: {name}",
                lambda kind=kind, theirs=theirs, asked=asked: theirs.model_profile(type=kind, **asked),
                lambda model=model, method=method, grid=grid: pc.effect(model, frame, "c0", method, grid=grid),
                repeats,
            )
        loss = {"loss_function": "rmse", "type": "difference", "B": 5, "N": None, "processes": 1}
        beside(
            f"dalex, importance of {len(X)} rows, 5 repeats: {name}",
            lambda theirs=theirs, loss=loss: theirs.model_parts(**loss),
            lambda model=model: pc.importance(model, frame, y, metric="neg_root_mean_squared_error"),
            repeats,
        )


def _agree(name: str, theirs: Any, frame: pd.DataFrame, asked: dict[str, Any]) -> None:
    """Partial dependence is the same; how far its accumulated effects are from ours is said."""
    grid = asked["variable_splits"]["c0"]
    mean = pc.effect(theirs.model, frame, "c0", grid=grid).mean
    np.testing.assert_allclose(theirs.model_profile(type="partial", **asked).result["_yhat_"], mean, rtol=1e-9)
    step = theirs.model_profile(type="accumulated", **asked).result["_yhat_"].to_numpy()
    ours = pc.effect(theirs.model, frame, "c0", pc.AccumulatedLocalEffects(), grid=grid).mean
    apart = np.abs((step - step[0]) - (ours - ours[0])).max()
    print(f"dalex, accumulated effects of {name}: at most {apart:.2g} apart, of a range of {np.ptp(ours):.2g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_640)
    parser.add_argument("--few", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("curves", "cheap", "trees", "dalex"))
    asked = parser.parse_args()
    X, y = table(asked.rows)
    print(f"{'':58s} {'peer':>8s} {'ours':>8s} {'ratio':>7s} {'CPU':>7s}")
    for part in (curves, cheap, trees):
        if asked.only in (None, part.__name__):
            part(X, y, asked.repeats)
    if asked.only in (None, "dalex"):
        beside_dalex(X[: asked.few], y[: asked.few], asked.repeats)


if __name__ == "__main__":
    main()
