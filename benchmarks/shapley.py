"""KernelShap, PermutationShap and ExactShapley beside shap: equal model rows, one process, results against exact values.

    OMP_NUM_THREADS=2 python benchmarks/shapley.py [--rows 20] [--repeats 3] [--only error,kernel,exact]

`error`: root mean square error of sampled values against all coalitions, for as many model rows, over seeds and models; a
ratio below 1 means that this library errs less. `kernel` and `exact`: medians of interleaved runs in milliseconds; "floor"
is the model alone, asked for the same rows in the same batches.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import shap
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.neural_network import MLPRegressor

import pellucid as pc

BACKGROUND = 20

Function = Callable[[np.ndarray], np.ndarray]


def table(columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The diabetes table for 10 columns, else a generated one with interactions and a step; standardised."""
    if columns == 10:
        X, y = load_diabetes(return_X_y=True)
    else:
        X = np.random.default_rng(0).normal(size=(1000, columns))
        y = (
            X[:, 0] * X[:, 1]
            + np.sin(2 * X[:, 2])
            + (X[:, 3] > 0) * X[:, 4]
            + X[:, 5:] @ np.linspace(-1, 1, columns - 5)
        )
    return (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()


def models(X: np.ndarray, y: np.ndarray) -> dict[str, Function]:
    """Fitted on the table."""
    made = {
        "network": MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=300, random_state=0),
        "boosting": HistGradientBoostingRegressor(max_iter=100, early_stopping=False, random_state=0),
        "forest": RandomForestRegressor(20, random_state=0),
    }
    return {name: model.fit(X, y).predict for name, model in made.items()}


def rms(errors: list[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def theirs(f: Any, rows: np.ndarray, background: np.ndarray, samples: int, seed: int, l1: Any = 0) -> np.ndarray:
    """shap's KernelExplainer -> (n, p); it draws from NumPy's global state."""
    np.random.seed(seed)
    return np.asarray(shap.KernelExplainer(f, background).shap_values(rows, nsamples=samples, l1_reg=l1, silent=True))


def permuted(f: Any, rows: np.ndarray, background: np.ndarray, orders: int, seed: int) -> np.ndarray:
    """shap's PermutationExplainer with as many orders, walked both ways -> (n, p)"""
    explainer = shap.PermutationExplainer(
        f, shap.maskers.Independent(background, max_samples=len(background)), seed=seed
    )
    return np.asarray(explainer(rows, max_evals=orders * 2 * (rows.shape[1] + 1), silent=True).values)


def tabulated(f: Function, row: np.ndarray, background: np.ndarray) -> Function:
    """The game of one row, worked out once on all coalitions: z (m, p) in 0 and 1 -> (m,). Errors do not depend on its price."""
    p = len(row)
    z = (np.arange(2**p)[:, None] >> np.arange(p) & 1).astype(bool)
    v = np.mean([f(np.where(z, row, absent)) for absent in background], axis=0)
    return lambda x: v[(np.asarray(x) > 0.5).astype(int) @ (1 << np.arange(p))]


def sampled(game: Function, p: int, samples: int, seed: int) -> list[np.ndarray]:
    """KernelShap, shap's kernel, PermutationShap, shap's permutations, less the exact values: four arrays (p,)"""
    one, none, orders = np.ones((1, p)), np.zeros((1, p)), samples // (2 * (p - 1))
    ours = [pc.KernelShap(samples=samples, seed=seed), pc.PermutationShap(orders=orders, seed=seed)]
    exact, kernel, walks = (pc.explain(game, one, m, background=none).values[0] for m in (pc.ExactShapley(), *ours))
    found = kernel, theirs(game, one, none, samples, seed)[0], walks, permuted(game, one, none, orders, seed)[0]
    return [values - exact for values in found]


def errors(rows: int, seeds: int) -> None:
    """Sampled against exact values, the same number of coalitions."""
    print("columns     model coalitions  KernelShap      shap ratio   PermutationShap      shap ratio")
    ratios = []
    for columns in (10, 12):
        X, y = table(columns)
        for name, f in models(X, y).items():
            games = [tabulated(f, row, X[:BACKGROUND]) for row in X[100 : 100 + rows]]
            for samples in (128, 256, 512):
                found = [sampled(game, columns, samples, seed) for game in games for seed in range(seeds)]
                a, b, c, d = (rms([one[i] for one in found]) for i in range(4))
                ratios.append(a / b)
                print(
                    f"{columns:>7} {name:>9} {samples:>10} {a:11.5f} {b:9.5f} {a / b:5.2f} {c:17.5f} {d:9.5f} {c / d:5.2f}"
                )
    print(f"KernelShap's error over shap's: median {statistics.median(ratios):.3f}, largest {max(ratios):.3f}")


def interleaved(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(spent) for name, spent in times.items()}


def floor(f: Function, explained: Callable[[Function], Any]) -> Callable[[], None]:
    """The model alone on the batches that an explanation asks for."""
    asked: list[np.ndarray] = []

    def listening(x: np.ndarray) -> np.ndarray:
        asked.append(x)
        return f(x)

    explained(listening)

    def run() -> None:
        for x in asked:
            f(x)

    return run


def line(name: str, medians: dict[str, float], against: str) -> None:
    ours, bare, other = medians["ours"], medians["floor"], medians[against]
    print(
        f"{name:<34} ours {ours:9.1f}  floor {bare:9.1f}  {ours / bare:5.2f} x floor  shap {other:9.1f}  {other / ours:5.1f} x ours"
    )


def kernel_line(name: str, f: Function, x: np.ndarray, background: np.ndarray, samples: int, repeats: int) -> None:
    """All of KernelShap against the model's own answers."""
    method = pc.KernelShap(samples=samples)
    runs = {
        "ours": lambda: pc.explain(f, x, method, background=background),
        "floor": floor(f, lambda g: pc.explain(g, x, method, background=background)),
        "shap": lambda: theirs(f, x, background, samples, 0),
    }
    line(f"KernelShap, {name}, {samples} coalitions", interleaved(runs, repeats), "shap")


def exact_line(name: str, f: Function, x: np.ndarray, background: np.ndarray, repeats: int) -> None:
    """All of ExactShapley against the model's own answers."""
    explainer = shap.ExactExplainer(f, shap.maskers.Independent(background, max_samples=len(background)))
    runs = {
        "ours": lambda: pc.explain(f, x, pc.ExactShapley(), background=background),
        "floor": floor(f, lambda g: pc.explain(g, x, pc.ExactShapley(), background=background)),
        "shap": lambda: explainer(x),
    }
    same = np.abs(runs["ours"]().values - runs["shap"]().values).max()
    assert same < 1e-6, f"{name}: values differ by {same}"
    line(f"ExactShapley, {name}, {x.shape[1]} columns", interleaved(runs, repeats), "shap")


def kernel_times(rows: int, repeats: int) -> None:
    """10 columns, 100 background rows."""
    X, y = table(10)
    for name, f in models(X, y).items():
        for samples in (512, 2**10 - 2):
            kernel_line(name, f, X[100 : 100 + rows], X[:100], samples, repeats)


def exact_times(repeats: int) -> None:
    """Rows and background rows become fewer as columns become more."""
    for columns, rows, width in ((12, 4, 10), (14, 2, 4), (16, 1, 2)):
        X, y = table(columns)
        for name, f in models(X, y).items():
            exact_line(name, f, X[100 : 100 + rows], X[:width], repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="error,kernel,exact")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("shap").setLevel(logging.ERROR)
    wanted = given.only.split(",")
    if "error" in wanted:
        errors(given.rows, given.seeds)
    if "kernel" in wanted:
        kernel_times(given.rows, given.repeats)
    if "exact" in wanted:
        exact_times(given.repeats)


if __name__ == "__main__":
    main()
