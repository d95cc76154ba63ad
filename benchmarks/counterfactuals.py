"""Counterfactuals beside the dice-ml package: the same rows, models and constraints, in one process.

    pip install dice-ml      (only this table needs it)
    python -m benchmarks.counterfactuals [--rows 20] [--answers 4] [--data FOLDER]

German credit and Adult (`tabular/` of the folder of real data), with logistic regression, boosted trees and a small network. Rows
are those that the model refuses. Columns that nobody can change are held fast in both. Each answer is judged by one function:
validity (the model's own prediction), sparsity (columns changed), distance (1-norm over median absolute deviations, 1 a level),
plausibility (the mean distance to the 5 nearest rows of the background) and constraints broken. CPU seconds of the process;
dice-ml by its random method, which is its fastest.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits
from torch import nn

import pellucid as pc

FIXED = {"german": ("Gender", "ForeignWorker", "Age"), "adult": ("sex", "race", "country", "age")}
ADULT = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital",
    "occupation",
    "relationship",
    "race",
    "sex",
    "gain",
    "loss",
    "hours",
    "country",
    "income",
]


def german(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(folder / "tabular" / "german_processed.csv")
    return table.drop(columns="GoodCustomer"), (table["GoodCustomer"] == 1).to_numpy().astype(int)


def adult(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(folder / "tabular" / "adult.data", names=ADULT, skipinitialspace=True).sample(
        6000, random_state=0
    )
    table = table.drop(columns=["fnlwgt", "education"]).reset_index(drop=True)
    return table.drop(columns="income"), (table["income"] == ">50K").to_numpy().astype(int)


class Network(ClassifierMixin, BaseEstimator):
    """A torch network of one hidden layer as the last step of a pipeline."""

    def fit(self, X: Any, y: np.ndarray) -> Network:
        torch.manual_seed(0)
        self.classes_ = np.array([0, 1])
        self.net_ = nn.Sequential(nn.Linear(X.shape[1], 24), nn.ReLU(), nn.Linear(24, 2))
        x, target = torch.tensor(np.asarray(X), dtype=torch.float32), torch.tensor(y)
        optimizer = torch.optim.Adam(self.net_.parameters(), lr=0.01)
        for _ in range(150):
            optimizer.zero_grad()
            nn.functional.cross_entropy(self.net_(x), target).backward()
            optimizer.step()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(torch.softmax(self.net_(torch.tensor(np.asarray(X), dtype=torch.float32)), dim=1))

    def predict(self, X: Any) -> np.ndarray:
        return np.asarray(self.predict_proba(X).argmax(axis=1))


def fitted(X: pd.DataFrame, y: np.ndarray, kind: str) -> Any:
    texts = make_column_selector(dtype_include=["object", "string"])
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts), remainder=StandardScaler()
    )
    last = {
        "logistic": LogisticRegression(max_iter=2000),
        "trees": HistGradientBoostingClassifier(max_iter=60, random_state=0),
        "network": Network(),
    }[kind]
    return make_pipeline(encode, last).fit(X, y)


def ours(model: Any, rows: pd.DataFrame, train: pd.DataFrame, fixed: tuple[str, ...], k: int) -> list[pd.DataFrame]:
    made = pc.counterfactual(
        model, rows, pc.Wachter(answers=k), target=1, background=train.iloc[:500], constraints=[pc.Immutable(fixed)]
    )
    found = []
    for row in range(len(rows)):
        some = made.alternatives[row][~np.isnan(made.costs[row])]
        found.append(pd.DataFrame(some, columns=rows.columns).astype(rows.dtypes))
    return found


def theirs(
    model: Any, rows: pd.DataFrame, train: pd.DataFrame, y: np.ndarray, fixed: tuple[str, ...], k: int
) -> list[pd.DataFrame]:
    import dice_ml

    numbers = list(train.select_dtypes("number").columns)
    data = dice_ml.Data(dataframe=train.assign(outcome=y), continuous_features=numbers, outcome_name="outcome")
    explainer = dice_ml.Dice(data, dice_ml.Model(model=model, backend="sklearn"), method="random")
    free, found = [name for name in train.columns if name not in fixed], []
    for row in range(len(rows)):
        try:
            one = explainer.generate_counterfactuals(
                rows.iloc[[row]], total_CFs=k, desired_class=1, features_to_vary=free, random_seed=0, verbose=False
            ).cf_examples_list[0]
            table = one.final_cfs_df
        except Exception:  # it raises where it finds none
            table = None
        empty = rows.iloc[:0]
        found.append(empty if table is None else table[list(rows.columns)].astype(rows.dtypes))
    return found


def judged(
    model: Any, rows: pd.DataFrame, train: pd.DataFrame, fixed: tuple[str, ...], found: list[pd.DataFrame], k: int
) -> dict[str, float]:
    """Both are judged by this, and by nothing of their own."""
    numbers = list(train.select_dtypes("number").columns)
    spread = {name: (train[name] - train[name].median()).abs().median() or train[name].std() or 1.0 for name in numbers}
    valid, moved, far, near, broken, count = 0, [], [], [], 0, 0
    for row, answers in enumerate(found):
        for i in range(min(k, len(answers))):
            count += 1
            after, before = answers.iloc[i], rows.iloc[row]
            good = model.predict(answers.iloc[[i]])[0] == 1
            valid += good
            broken += any(after[name] != before[name] for name in fixed)
            if good:
                moved.append(sum(after[name] != before[name] for name in train.columns))
                far.append(distance(before, after, spread, train.columns))
                near.append(
                    np.sort([distance(after, other, spread, train.columns) for _, other in train.iloc[:60].iterrows()])[
                        :5
                    ].mean()
                )
    asked = len(rows) * k
    return {
        "answers": count / asked,
        "valid": valid / max(1, count),
        "changed": float(np.mean(moved)),
        "distance": float(np.mean(far)),
        "nearest": float(np.mean(near)),
        "broken": broken / max(1, count),
    }


def distance(a: Any, b: Any, spread: dict[str, float], names: Any) -> float:
    return float(sum(abs(a[name] - b[name]) / spread[name] if name in spread else a[name] != b[name] for name in names))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--answers", type=int, default=4)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PELLUCID_DATA", ".")))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    columns = ("answers", "valid", "changed", "distance", "nearest", "broken", "seconds")
    print(f"{'data':8}{'model':10}{'by':10}" + "".join(f"{name:>10}" for name in columns) + f"{'ratio':>8}")
    with threadpool_limits(1):
        torch.set_num_threads(1)
        for name, load in (("german", german), ("adult", adult)):
            X, y = load(given.data)
            cut = int(0.7 * len(X))
            train = X.iloc[:cut].reset_index(drop=True)
            for kind in ("logistic", "trees", "network"):
                model = fitted(train, y[:cut], kind)
                rest = X.iloc[cut:].reset_index(drop=True)
                rows = rest[model.predict(rest) == 0].iloc[: given.rows].reset_index(drop=True)
                seconds = []
                for who in ("pellucid", "dice-ml"):
                    start = time.process_time()
                    if who == "pellucid":
                        found = ours(model, rows, train, FIXED[name], given.answers)
                    else:
                        found = theirs(model, rows, train, y[:cut], FIXED[name], given.answers)
                    seconds.append(time.process_time() - start)
                    told = judged(model, rows, train, FIXED[name], found, given.answers)
                    line = "".join(f"{value:10.2f}" for value in [*told.values(), seconds[-1]])
                    ratio = f"{seconds[-1] / seconds[0]:8.1f}" if len(seconds) == 2 else ""
                    print(f"{name:8}{kind:10}{who:10}{line}{ratio}", flush=True)


if __name__ == "__main__":
    main()
