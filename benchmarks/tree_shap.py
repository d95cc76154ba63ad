"""TreeShap against shap and LightGBM's own `pred_contrib`, side by side in one process, equal results asserted.

    OMP_NUM_THREADS=2 python benchmarks/tree_shap.py [--rows 1000] [--repeats 3] [--only lightgbm,forest10]

A generated table of 20,640 rows and 8 columns. Every line gives the medians of interleaved runs in milliseconds and their
ratio (theirs over ours; above 1 means that this library is faster). The first call, which compiles or loads the kernels, and
the first reading of a model are timed apart.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import lightgbm
import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor

import pellucid as pc
from pellucid.models.tree import pool

ROWS, COLUMNS = 20_640, 8


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


def line(
    name: str, what: str, ours: Callable[[], np.ndarray], theirs: Callable[[], np.ndarray], repeats: int, close: float
) -> None:
    """Assert equality, then print one line."""
    off = np.abs(ours() - theirs()).max()
    assert off < close, f"{name}, {what}: results differ by {off:.3g}"
    a, b = interleaved(ours, theirs, repeats)
    print(f"{name:10} {what:34} {a:10.1f} {b:10.1f} {b / a:8.1f}   {off:.1e}", flush=True)


def measure(name: str, model: object, X: np.ndarray, rows: int, repeats: int) -> None:
    import shap

    x, background = X[:rows], X[-100:]
    some, many = x[: max(1, rows // 10)], (repeats + 2) * 4
    cover, against = shap.TreeExplainer(model), shap.TreeExplainer(model, background)
    values = lambda x, b=None: pc.explain(model, x, "TreeShap", background=b).values  # noqa: E731
    line(name, f"path-dependent, {rows} rows", lambda: values(x), lambda: cover.shap_values(x), repeats, 1e-6)
    if name in ("lightgbm", "wide"):
        own = lambda: model.predict(x, pred_contrib=True)[:, :-1]  # type: ignore[attr-defined] # noqa: E731
        line(name, f"pred_contrib, {rows} rows", lambda: values(x), own, repeats, 1e-6)
    line(name, "path-dependent, 1 row", lambda: values(x[:1]), lambda: cover.shap_values(x[:1]), many, 1e-6)
    if name != "forest":  # shap is off by 1e-3 for histogram boosting: it reads thresholds in float32
        loose = 0.05 if name == "histogram" else 1e-4
        theirs = lambda: against.shap_values(some, check_additivity=False)  # noqa: E731
        ours = lambda: values(x, background)[: len(some)]  # noqa: E731
        off = np.abs(ours() - theirs()).max()
        assert off < loose, f"{name}: interventional values differ by {off:.3g}"
        a, b = interleaved(ours, theirs, repeats)
        b *= len(x) / len(some)
        print(
            f"{name:10} {f'interventional, {rows} rows (shap: {len(some)})':34} {a:10.1f} {b:10.1f} {b / a:8.1f}   {off:.1e}",
            flush=True,
        )
        one = lambda: against.shap_values(x[:1], check_additivity=False)  # noqa: E731
        line(name, "interventional, 1 row", lambda: values(x[:1], background), one, many, loose)
        few = x[: max(1, rows // 50)]
        ours = lambda: pc.interact(model, x, "TreeShap").values[: len(few)]  # noqa: E731
        theirs = lambda: cover.shap_interaction_values(few)  # noqa: E731
        off = np.abs(ours() - theirs()).max()
        assert off < 1e-4, f"{name}: interactions differ by {off:.3g}"
        a, b = interleaved(ours, theirs, repeats)
        b *= len(x) / len(few)
        print(
            f"{name:10} {f'interactions, {rows} rows (shap: {len(few)})':34} {a:10.1f} {b:10.1f} {b / a:8.1f}   {off:.1e}",
            flush=True,
        )


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
