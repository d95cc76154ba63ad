"""LIME beside the lime package: 100 rows x 5,000 samples of a table, a linear model and a forest, in one process.

    python -m benchmarks.lime [--rows 100] [--samples 5000] [--repeats 5]

"lime alike" draws the same neighbours as we do (Gaussian around each row) and fits the same ridge on all columns; "lime
default" is the package as it comes (quartiles of columns, drawn from the training data, columns selected). They take
turns; medians of CPU seconds are printed, with the time of the model's own answers to as many rows, which is in all of
them, and the median ratio of our slopes to those of "lime alike" on the three strongest columns, which should be 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from lime.lime_tabular import LimeTabularExplainer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_limits

import pellucid as pc
from pellucid.core.method import Neighbourhood


def ours(model: Any, x: np.ndarray, background: np.ndarray, samples: int) -> np.ndarray:
    """-> slopes (n, p)"""
    return pc.explain(model, x, pc.LIME(samples=samples), background=background).values


def theirs(model: Any, x: np.ndarray, background: np.ndarray, samples: int, **law: Any) -> np.ndarray:
    """-> slopes (n, p), row by row, as the package works; `law` turns it to the same neighbours and fit as ours."""
    explainer = LimeTabularExplainer(background, mode="regression", random_state=0, **law)
    slopes = np.zeros(x.shape)
    for i, row in enumerate(x):
        made = explainer.explain_instance(row, model.predict, num_samples=samples, num_features=x.shape[1])
        for j, value in made.local_exp[1]:
            slopes[i, j] = value
    return slopes


def alike(*arguments: Any) -> np.ndarray:
    """The package on Gaussian neighbours around the row, with no column left out."""
    law = {"discretize_continuous": False, "sample_around_instance": True, "feature_selection": "none"}
    return theirs(*arguments, **law)


def timed(task: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.process_time()
    made = task(*arguments)
    return time.process_time() - start, made


def answers(model: Any, points: np.ndarray) -> None:
    """The model's answers alone, (b, p) in batches of 16,384 rows."""
    for start in range(0, len(points), 16_384):
        model.predict(points[start : start + 16_384])


def compare(name: str, model: Any, x: np.ndarray, background: np.ndarray, samples: int, repeats: int) -> None:
    """Print one line: process CPU seconds, medians over repeats that take turns."""
    method = pc.LIME(samples=samples)
    near = method.neighbours(x, Neighbourhood(background, None), method.stream()).points.reshape(-1, x.shape[1])
    tasks: dict[str, Callable[..., Any]] = {"pellucid": ours, "lime alike": alike, "lime default": theirs}
    seconds: dict[str, list[float]] = {who: [] for who in (*tasks, "model")}
    slopes: dict[str, np.ndarray] = {}
    for _ in range(repeats):
        for who, task in tasks.items():
            spent, slopes[who] = timed(task, model, x, background, samples)
            seconds[who].append(spent)
        seconds["model"].append(timed(answers, model, near)[0])
    median = {who: float(np.median(times)) for who, times in seconds.items()}
    strong = np.argsort(-np.abs(slopes["lime alike"]).mean(axis=0))[:3]
    same = np.median(slopes["pellucid"][:, strong] / slopes["lime alike"][:, strong])
    print(name, *(f"{who} {value:.3f} s" for who, value in median.items()), sep="   ")
    for who in ("lime alike", "lime default"):
        ratio = median[who] / median["pellucid"]
        rest = (median[who] - median["model"]) / (median["pellucid"] - median["model"])
        print(f"    {who} / pellucid {ratio:.1f}, without the model's own time {rest:.1f}")
    print(f"    slopes of the three strongest columns, pellucid / lime alike: median {same:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    X, y = load_diabetes(return_X_y=True)
    forest = RandomForestRegressor(100, max_depth=10, random_state=0).fit(X, y)
    print(
        f"{options.rows} rows x {options.samples} samples, {X.shape[1]} columns, {options.repeats} repeats, CPU seconds"
    )
    for name, model in (("linear", LinearRegression().fit(X, y)), ("forest", forest)):
        with threadpool_limits(1):
            compare(name, model, X[: options.rows], X, options.samples, options.repeats)


if __name__ == "__main__":
    main()
