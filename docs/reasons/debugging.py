"""Debugging: the numbers of `debugging.md`. `python docs/reasons/debugging.py` prints them, in some seconds.

Breast-cancer measurements, in which a value that nobody took was saved as 0. In the rows to learn from that happened mostly to
malignant tumours; in the clinic where the model is used it happens to any row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

import pellucid as pc

COLUMN = "worst smoothness"
GONE = {"malignant": 0.8, "benign": 0.02}  # share of rows without a value, where the model learns
ELSEWHERE = 0.4  # the same in the clinic, whatever the tumour


@dataclass(frozen=True, eq=False)
class Tables:
    """Rows to learn from, held-out rows of the same kind, and rows of the clinic; answers are "malignant" or "benign"."""

    train: tuple[pd.DataFrame, np.ndarray]
    held: tuple[pd.DataFrame, np.ndarray]
    clinic: tuple[pd.DataFrame, np.ndarray]


def tables(missing: Any = 0.0) -> Tables:
    """What is saved for a value that nobody took: 0, as it happened, or NaN, or the "median"; or the column is "left out"."""
    data = load_breast_cancer(as_frame=True)
    y = np.asarray(data.target_names)[data.target.to_numpy()]
    X, held, answers, truth = train_test_split(data.data, y, test_size=0.5, stratify=y, random_state=0)
    usual = X[COLUMN].median()
    rng = np.random.default_rng(0)

    def without(rows: pd.DataFrame, share: np.ndarray) -> pd.DataFrame:
        if missing == "left out":
            return rows.drop(columns=COLUMN)
        filled = usual if missing == "median" else missing
        return rows.assign(**{COLUMN: np.where(rng.random(len(rows)) < share, filled, rows[COLUMN])})

    def learned(rows: pd.DataFrame, kinds: np.ndarray) -> pd.DataFrame:
        return without(rows, np.array([GONE[kind] for kind in kinds]))

    same = learned(held, truth)
    return Tables((learned(X, answers), answers), (same, truth), (without(held, np.full(len(held), ELSEWHERE)), truth))


def model(at: Tables) -> HistGradientBoostingClassifier:
    """Boosted trees."""
    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0).fit(*at.train)


def blamed(fitted: Any, at: Tables) -> list[tuple[str, float, float]]:
    """How far each column pushed towards the answer, in wrong answers of the clinic and in right ones; log-odds."""
    rows, truth = at.clinic
    wrong = fitted.predict(rows) != truth
    record = pc.explain(fitted, rows, pc.TreeShap(), target=pc.Predicted(), background=at.train[0].head(100))
    pushed = [
        (name, *(record.values[part, j].mean() for part in (wrong, ~wrong))) for j, name in enumerate(rows.columns)
    ]
    return [(name, float(a), float(b)) for name, a, b in sorted(pushed, key=lambda one: one[2] - one[1])]


def jump(fitted: Any, at: Tables) -> tuple[np.ndarray, np.ndarray]:
    """The score of "malignant" as the column goes from 0, which stands for nothing, through the values that there are."""
    rows = at.held[0]
    low, high = (float(rows[COLUMN][rows[COLUMN] > 0].quantile(q)) for q in (0.05, 0.95))
    grid = [0.0, *np.linspace(low, high, 5).tolist()]
    found = pc.effect(fitted, rows, COLUMN, target="malignant", grid=grid)
    return found.grid.astype(float), found.mean


def main() -> None:
    """Print what the page states."""
    for name in (0.0, float("nan"), "median", "left out"):
        at = tables(name)
        fitted = model(at)
        print(f"{name}: held-out {fitted.score(*at.held):.3f}, clinic {fitted.score(*at.clinic):.3f}")
    at = tables()
    fitted = model(at)
    print(f"{(fitted.predict(at.clinic[0]) != at.clinic[1]).sum()} of {len(at.clinic[1])} wrong in the clinic")
    for name, wrong, right in blamed(fitted, at)[:3]:
        print(f"{name}: {wrong:+.2f} in wrong answers, {right:+.2f} in right ones")
    for at_value, score in zip(*jump(fitted, at), strict=True):
        print(f"{COLUMN} {at_value:.3f}: {score:+.2f}")


if __name__ == "__main__":
    main()
