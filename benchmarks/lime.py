"""LIME beside the lime package: 100 rows x 5,000 samples of a table, a linear model and a forest, in one process.

    python -m benchmarks.lime [--rows 100] [--samples 5000] [--repeats 3]

Two pairs take turns. "around": Gaussian neighbours around each row and the same ridge on all columns, in both. "quartiles":
the package as it comes (quartiles of columns, drawn from the training data, columns selected) beside the same law of ours.
Printed are medians of CPU seconds, with the time of the model's own answers to as many rows, which is in all of them;
and the quality at equal samples: the root mean square of the slopes' distance from a run of ours with 20 times as many
samples, as a share of those slopes' own, for the first 5 rows. It should be the same for both "around"; within a quartile the
package draws truncated normals and not the data's own values, so there its distance holds the difference of the laws too.
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


def ours(model: Any, x: np.ndarray, background: np.ndarray, samples: int, **law: Any) -> np.ndarray:
    """-> slopes (n, p)"""
    return pc.explain(model, x, pc.LIME(samples=samples, **law), background=background).values


def theirs(model: Any, x: np.ndarray, background: np.ndarray, samples: int, **law: Any) -> np.ndarray:
    """-> slopes (n, p), row by row, as the package works; `law` turns it to the same neighbours and fit as ours."""
    explainer = LimeTabularExplainer(background, mode="regression", random_state=0, **law)
    slopes = np.zeros(x.shape)
    for i, row in enumerate(x):
        made = explainer.explain_instance(row, model.predict, num_samples=samples, num_features=x.shape[1])
        for j, value in made.local_exp[1]:
            slopes[i, j] = value
    return slopes


# Our fields and the package's arguments for the same neighbours.
LAWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "around": ({}, {"discretize_continuous": False, "sample_around_instance": True, "feature_selection": "none"}),
    "quartiles": ({"sampling": "training", "bins": 4}, {}),
}


def timed(task: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.process_time()
    made = task(*arguments)
    return time.process_time() - start, made


def answers(model: Any, points: np.ndarray) -> None:
    """The model's answers alone, (b, p) in batches of 16,384 rows."""
    for start in range(0, len(points), 16_384):
        model.predict(points[start : start + 16_384])


def compare(name: str, model: Any, x: np.ndarray, background: np.ndarray, samples: int, repeats: int) -> None:
    """Print a line per law: process CPU seconds, medians over repeats that take turns, and how far from the truth."""
    method = pc.LIME(samples=samples)
    near = method.neighbours(x, Neighbourhood(background, None), method.stream()).points.reshape(-1, x.shape[1])
    floor = float(np.median([timed(answers, model, near)[0] for _ in range(repeats)]))
    ours(model, x[:2], background, 50)  # whatever is loaded on first use
    for law, (fields, arguments) in LAWS.items():
        seconds: dict[str, list[float]] = {"pellucid": [], "lime": []}
        slopes: dict[str, np.ndarray] = {}
        for _ in range(repeats):
            for who, task, extra in (("pellucid", ours, fields), ("lime", theirs, arguments)):
                spent, slopes[who] = timed(lambda t=task, e=extra: t(model, x, background, samples, **e))
                seconds[who].append(spent)
        fast, slow = (float(np.median(seconds[who])) for who in ("pellucid", "lime"))
        truth = ours(model, x[:5], background, 20 * samples, seed=1, **fields)
        off = {
            who: float(np.sqrt(((made[:5] - truth) ** 2).mean() / (truth**2).mean())) for who, made in slopes.items()
        }
        print(f"{name}, {law}: pellucid {fast:.3f} s, lime {slow:.3f} s, model alone {floor:.3f} s")
        print(
            f"    lime / pellucid {slow / fast:.1f}, without the model's own time {(slow - floor) / (fast - floor):.1f}"
        )
        print(f"    distance from the truth: pellucid {off['pellucid']:.4f}, lime {off['lime']:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
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
