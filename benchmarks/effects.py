"""Partial dependence and permutation importance beside scikit-learn's, in one process: equal numbers, then seconds and ratios.

    python benchmarks/effects.py [--rows 20640] [--repeats 3]

Columns: median seconds of scikit-learn's (`method="brute"`; all cores for importance), of ours, and their ratio. The first
call, which may compile the walk over trees, is not counted and shown by itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression

import pellucid as pc

POINTS = 50


def table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """As large as California Housing: eight columns, two of which go together."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 8))
    X[:, 7] = 0.9 * X[:, 6] + 0.4 * X[:, 7]
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 6] + 0.1 * rng.normal(size=rows)


def models() -> dict[str, Any]:
    return {
        "hist gradient boosting": HistGradientBoostingRegressor(random_state=0),
        "forest, depth 10": RandomForestRegressor(50, max_depth=10, random_state=0, n_jobs=2),
        "linear": LinearRegression(),
    }


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def beside(name: str, theirs: Callable[[], Any], ours: Callable[[], Any], repeats: int) -> None:
    """Interleaved, so that a busy moment hits both."""
    first = seconds(ours)
    pairs = np.median([(seconds(theirs), seconds(ours)) for _ in range(repeats)], axis=0)
    print(f"{name:48s} {pairs[0]:8.3f} {pairs[1]:8.3f} {pairs[0] / pairs[1]:7.1f}   first {first:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_640)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    X, y = table(asked.rows)
    print(f"{'':48s} {'sklearn':>8s} {'ours':>8s} {'ratio':>7s}")
    for name, model in models().items():
        model.fit(X[:5000], y[:5000])
        grid = pc.effect(model, X[:100], 0, pc.PartialDependence(points=POINTS)).grid
        given: dict[str, Any] = {"method": "brute", "kind": "both", "custom_values": {0: grid}}
        theirs = partial_dependence(model, X[:3000], [0], **given)["individual"][0]
        np.testing.assert_allclose(pc.effect(model, X[:3000], 0, grid=grid).curves, theirs, rtol=1e-9, atol=1e-9)
        beside(
            f"curves, {len(grid)} points: {name}",
            lambda model=model, given=given: partial_dependence(model, X, [0], **given),
            lambda model=model, grid=grid: pc.effect(model, X, 0, grid=grid),
            asked.repeats,
        )
        beside(
            f"importance, 5 repeats, r2: {name}",
            lambda model=model: permutation_importance(
                model, X, y, n_repeats=5, scoring="r2", n_jobs=-1, random_state=0
            ),
            lambda model=model: pc.importance(model, X, y, metric="r2"),
            asked.repeats,
        )
    small = X[:500]
    model = LinearRegression().fit(X[:5000], y[:5000])
    beside(
        "importance, 30 repeats, 500 rows: linear",
        lambda: permutation_importance(model, small, y[:500], n_repeats=30, scoring="r2", random_state=0),
        lambda: pc.importance(model, small, y[:500], pc.PermutationImportance(repeats=30), metric="r2"),
        asked.repeats,
    )


if __name__ == "__main__":
    main()
