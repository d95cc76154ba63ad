"""Recourse: the numbers of `recourse.md`. `python docs/reasons/recourse.py` prints them, in some seconds.

Patients of scikit-learn's diabetes table, whom a model calls at risk of a fast course. What would have to be different, of what
can be?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pellucid as pc

NAMES = {"s1": "cholesterol", "s2": "ldl", "s3": "hdl", "s4": "ratio", "s5": "log triglycerides", "s6": "glucose"}
CAN = (
    pc.Actionable(("bmi", "bp", "log triglycerides", "glucose")),
    pc.Decreasing(("bmi", "bp")),
    pc.Range("bmi", 20, 45),
    pc.Range("bp", 70, 140),
    pc.Step("bmi", 0.5),
    pc.Step("bp", 1),
    pc.Step("glucose", 1),
    pc.Step("log triglycerides", 0.1),
)
ONLY_BP = (pc.Actionable("bp"), pc.Range("bp", 70, 140), pc.Decreasing("bp"))
SURE = (0.7, 1.0)  # the probability of "slow" that an answer has to reach
ROWS, AGAIN = 30, 20  # patients who ask, models fitted anew


@dataclass(frozen=True, eq=False)
class Clinic:
    """A model, the rows it learned from, and patients whom it calls at risk."""

    model: Any
    train: tuple[pd.DataFrame, np.ndarray]
    patients: pd.DataFrame
    right: float


def clinic() -> Clinic:
    """A logistic regression of whether the disease went on faster than in most."""
    data = load_diabetes(as_frame=True, scaled=False)
    X = data.data.rename(columns=NAMES)
    y = np.where(data.target > 140, "fast", "slow")
    order = np.random.default_rng(0).permutation(len(X))
    first, second = order[:300], order[300:]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X.iloc[first], y[first])
    held = X.iloc[second]
    at_risk = held[model.predict(held) == "fast"].head(ROWS)
    return Clinic(model, (X.iloc[first], y[first]), at_risk, float(model.score(held, y[second])))


def answers(at: Clinic, constraints: Any = None, target: Any = "slow", method: Any = None) -> pc.Counterfactuals:
    """The nearest rows that the model calls slow."""
    known = at.train[0]
    return pc.counterfactual(at.model, at.patients, method, target=target, background=known, constraints=constraints)


def impossible(found: pc.Counterfactuals) -> np.ndarray:
    """(n,) whether an answer asks somebody to be of another age or sex"""
    names = list(found.feature_names)
    return np.asarray(found.changed[:, [names.index("age"), names.index("sex")]].any(axis=1) & found.valid)


def still_hold(at: Clinic, found: pc.Counterfactuals) -> float:
    """The share of answers that models accept, too, which were fitted on other draws of the same rows."""
    X, y = at.train
    rng, rows = np.random.default_rng(0), pd.DataFrame(found.values[found.valid], columns=X.columns).astype(float)
    kept = []
    for _ in range(AGAIN):
        drawn = rng.integers(0, len(X), len(X))
        kept.append(clone(at.model).fit(X.iloc[drawn], y[drawn]).predict(rows) == "slow")
    return float(np.mean(kept))


def main() -> None:
    """Print what the page states."""
    at = clinic()
    print(f"right {at.right:.3f}; {len(at.patients)} patients")
    asked = {
        "anything": (None, "slow"),
        "what can be": (CAN, "slow"),
        "with room": (CAN, SURE),
        "only bp": (ONLY_BP, "slow"),
    }
    for name, (rules, target) in asked.items():
        found = answers(at, rules, target)
        print(f"{name}: {found.valid.sum()} answers, {impossible(found).sum()} of another age or sex")
        print(f"   {found.sparsity[found.valid].mean():.2f} changes; still hold: {still_hold(at, found):.3f}")
        print("  ", found.sentence(1))
        print(
            f"   proven to have none: {(~found.valid & found.proof).sum()}; {next((r for r in found.reason if r), '')}"
        )
    proven = answers(at, ONLY_BP, "slow", pc.Recourse())
    print(
        f"Recourse, only bp: {proven.valid.sum()} answers, proven to have none {(proven.proof & ~proven.valid).sum()}"
    )


if __name__ == "__main__":
    main()
