"""Anchors beside the anchor-exp package: the same rows, background, model and threshold, in one process.

    pip install anchor-exp      (it brings spaCy, so it is no dependency of the development environment)
    python -m benchmarks.anchors [--rows 20] [--background 1000]

The package takes a `beam_size` and does not hand it on, so its search has a beam of one: it is compared with ours at one, and
our wider beams stand below. Precision is measured for every rule on the same number of fresh perturbed rows, drawn by one
function for both; coverage is counted on the background. CPU seconds of the process. The table is made up: twelve columns of
whole numbers, and boosted trees on a rule of five of them.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

import pellucid as pc

Span = tuple[float, float]  # above the first, at most the second
_FRESH = 2000


def table(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 8, (rows, 12)).astype(float)
    y = (X[:, 0] + X[:, 1] > 9) & (X[:, 2] > 1) | (X[:, 3] == 7) & (X[:, 4] < 4)
    return X, (y ^ (rng.random(rows) < 0.02)).astype(int)


def ours(model: Any, x: np.ndarray, background: np.ndarray, beam: int) -> list[dict[int, Span]]:
    made = pc.anchor(model, x, pc.Anchors(beam_size=beam, delta=0.05, epsilon=0.15), background=background)
    return [
        {c.column: (-np.inf if c.low is None else c.low, np.inf if c.high is None else c.high) for c in rule}
        for rule in made.rules
    ]


def theirs(model: Any, x: np.ndarray, background: np.ndarray) -> list[dict[int, Span]]:
    """Row by row, as the package works; its rules are read from what it says: '2.00 < x3 <= 5.00'."""
    from anchor.anchor_tabular import AnchorTabularExplainer

    names = [f"x{j}" for j in range(x.shape[1])]
    explainer = AnchorTabularExplainer(["0", "1"], names, background)
    np.random.seed(0)
    made = [explainer.explain_instance(row, model.predict, threshold=0.95, delta=0.05, tau=0.15) for row in x]
    return [dict(read(name) for name in one.names()) for one in made]


def read(words: str) -> tuple[int, Span]:
    low, high, column = -np.inf, np.inf, -1
    parts = words.split()
    for i, part in enumerate(parts):
        if part.startswith("x"):
            column = int(part[1:])
        elif part == "<":
            low = float(parts[i - 1])
        elif part == ">":
            low = float(parts[i + 1])
        elif part == "<=":
            high = float(parts[i + 1])
    return column, (low, high)


def fresh(model: Any, x: np.ndarray, rules: list[dict[int, Span]], background: np.ndarray) -> np.ndarray:
    """(n,) precision on fresh perturbed rows."""
    rng, own, found = np.random.default_rng(1), model.predict(x), []
    for i, rule in enumerate(rules):
        z = background[rng.integers(len(background), size=_FRESH)]
        for column, (low, high) in rule.items():
            pool = background[(background[:, column] > low) & (background[:, column] <= high), column]
            off = (z[:, column] <= low) | (z[:, column] > high)
            z[off, column] = rng.choice(pool, off.sum())
        found.append((model.predict(z) == own[i]).mean())
    return np.array(found)


def coverage(rules: list[dict[int, Span]], background: np.ndarray) -> np.ndarray:
    def held(rule: dict[int, Span]) -> float:
        kept = [(background[:, j] > low) & (background[:, j] <= high) for j, (low, high) in rule.items()]
        return float(np.logical_and.reduce([np.ones(len(background), bool), *kept]).mean())

    return np.array([held(rule) for rule in rules])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--background", type=int, default=1000)
    options = parser.parse_args()
    X, y = table(4000, 0)
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(X, y)
    background, x = X[: options.background], table(options.rows, 1)[0]
    searches = {
        "anchor-exp": lambda: theirs(model, x, background),
        **{f"pellucid, beam {beam}": lambda beam=beam: ours(model, x, background, beam) for beam in (1, 2, 4)},
    }
    print(f"{options.rows} rows, {options.background} background rows, CPU seconds; means over rows")
    seconds = {}
    for name, search in searches.items():
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.process_time()
            rules = search()
            seconds[name] = time.process_time() - start
            precision = fresh(model, x, rules, background)
        ratio = seconds["anchor-exp"] / seconds[name]
        print(
            f"{name:18s} {seconds[name]:7.2f} s   ratio {ratio:5.1f}   precision {precision.mean():.3f} "
            f"(least {precision.min():.3f})   coverage {coverage(rules, background).mean():.3f}   "
            f"conditions {np.mean([len(rule) for rule in rules]):.1f}"
        )


if __name__ == "__main__":
    main()
