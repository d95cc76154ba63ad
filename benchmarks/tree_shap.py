"""TreeShap against shap and LightGBM's own `pred_contrib`, side by side in one process, equal results asserted.

    OMP_NUM_THREADS=2 python benchmarks/tree_shap.py [--rows 1000] [--repeats 3] [--only lightgbm,forest10]

A generated table of 20,640 rows and 8 columns. Every line gives the medians of interleaved runs in milliseconds and their
ratio (theirs over ours; above 1 means that this library is faster). The first call, which compiles or loads the kernels, and
the first reading of a model are timed apart.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import xgboost
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor

import pellucid as pc
from pellucid.models.tree import pool

ROWS, COLUMNS = 20_640, 8
Work = Callable[[], np.ndarray]


def table(columns: int = COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """A table with interactions, a step and noise, so that trees grow deep."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, columns))
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + (X[:, 3] > 0) * X[:, 4] + 0.3 * rng.normal(size=ROWS)
    return X, y


def models() -> dict[str, Callable[[], object]]:
    """What is measured; each is fitted when its turn comes."""
    boosted = {"n_estimators": 100, "max_depth": 6}
    return {
        "lightgbm": lambda: lightgbm.LGBMRegressor(n_estimators=100, num_leaves=31, verbose=-1),
        "xgboost": lambda: xgboost.XGBRegressor(n_estimators=100, max_depth=6),
        "histogram": lambda: HistGradientBoostingRegressor(max_iter=100, early_stopping=False),
        "boosting6": lambda: GradientBoostingRegressor(**boosted, subsample=0.5),
        "forest10": lambda: RandomForestRegressor(100, max_depth=10, n_jobs=2, random_state=0),
        "forest": lambda: RandomForestRegressor(20, n_jobs=2, random_state=0),
        "wide": lambda: lightgbm.LGBMRegressor(n_estimators=100, num_leaves=63, verbose=-1),
    }


def interleaved(ours: Callable[[], np.ndarray], theirs: Callable[[], np.ndarray], repeats: int) -> tuple[float, float]:
    """Median milliseconds of both, run in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for spent, run in zip(times, (ours, theirs), strict=True):
            start = time.perf_counter()
            run()
            spent.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def line(name: str, what: str, ours: Work, theirs: Work, repeats: int, close: float, *, share: float = 1.0) -> None:
    """Assert equality where both answer, then print one line; `theirs` does a share of the rows, and is scaled up."""
    a, b = ours(), theirs()
    off = np.abs(a[: len(b)] - b).max()
    assert off < close, f"{name}, {what}: results differ by {off:.3g}"
    spent, other = interleaved(ours, theirs, repeats)
    other /= share
    print(f"{name:10} {what:34} {spent:10.2f} {other:10.1f} {other / spent:8.1f}   {off:.1e}", flush=True)


def in_turn(work: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> Work:
    """Another row each time, as a service meets them: a row that comes again and again is learned by the processor."""
    rows = itertools.cycle(x[:, None])
    return lambda: work(next(rows))


def measure(name: str, model: Any, X: np.ndarray, rows: int, repeats: int) -> None:
    import shap

    x, background, many = X[:rows], X[-100:], 10 * repeats
    loose = 0.05 if name == "histogram" else 1e-4  # shap reads float64 thresholds in float32
    slow, slower = (max(1, rows // k) for k in ((50, 250) if name.startswith("forest") else (10, 100)))
    cover, against = shap.TreeExplainer(model), shap.TreeExplainer(model, background)

    def values(z: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
        return pc.explain(model, z, "TreeShap", background=b).values

    def theirs(z: np.ndarray) -> Work:
        return lambda: against.shap_values(z, check_additivity=False)

    part = slow if name == "forest" else rows
    line(
        name,
        f"path-dependent, {rows} rows",
        lambda: values(x),
        lambda: cover.shap_values(x[:part]),
        repeats,
        loose,
        share=part / rows,
    )
    line(name, "path-dependent, 1 row", in_turn(values, x), in_turn(cover.shap_values, x), many, loose)
    both = lambda z: (model.predict(z), cover.shap_values(z))[1]  # noqa: E731
    line(name, "the same and a prediction, 1 row", in_turn(values, x), in_turn(both, x), many, loose)
    for kind, own in contributions(name, model, x):
        line(name, f"{kind}, {rows} rows", lambda: values(x), own, repeats, 1e-4)
    if name == "forest":
        return
    line(
        name,
        f"interventional, {rows} rows",
        lambda: values(x, background),
        theirs(x[:slow]),
        repeats,
        loose,
        share=slow / rows,
    )
    alone = in_turn(lambda z: values(z, background), x)
    line(name, "interventional, 1 row", alone, in_turn(lambda z: theirs(z)(), x), many, loose)
    pairs = lambda: pc.interact(model, x, "TreeShap").values  # noqa: E731
    few = lambda: cover.shap_interaction_values(x[:slower])  # noqa: E731
    line(name, f"interactions, {rows} rows", pairs, few, repeats, loose, share=slower / rows)


def contributions(name: str, model: Any, x: np.ndarray) -> list[tuple[str, Work]]:
    """The library's own contributions, where it has any."""
    if name in ("lightgbm", "wide"):
        return [("pred_contrib", lambda: model.predict(x, pred_contrib=True)[:, :-1])]
    if name == "xgboost":
        booster = model.get_booster()
        return [("pred_contribs", lambda: booster.predict(xgboost.DMatrix(x), pred_contribs=True)[:, :-1])]
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default=",".join(models()))
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(
        f"{pool.threads()} threads\n{'model':10} {'work':34} {'ours ms':>10} {'theirs ms':>10} {'ratio':>8}   difference"
    )
    for name, make in models().items():
        if name not in chosen.only.split(","):
            continue
        X, y = table(30 if name == "wide" else COLUMNS)
        model = make().fit(X, y)  # type: ignore[attr-defined]
        start = time.perf_counter()
        pc.explain(model, X[:1], "TreeShap")
        print(f"{name:10} {'first call: kernels and reading':34} {1000 * (time.perf_counter() - start):10.1f}")
        measure(name, model, X, chosen.rows, chosen.repeats)


if __name__ == "__main__":
    main()
