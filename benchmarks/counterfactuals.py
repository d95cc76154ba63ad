"""Counterfactuals beside the dice-ml package: the same rows, models and constraints, in one process.

    pip install dice-ml      (only this table needs it)
    python -m benchmarks.counterfactuals [--rows 20] [--answers 1] [--peers random kdtree genetic] [--data FOLDER]

German credit and Adult (`tabular/` of the folder of real data), with logistic regression, boosted trees and a small network. Rows
are those that the model refuses. Columns that nobody can change are held fast in all. Each answer is judged by one function:
validity (the model's own prediction), sparsity (columns changed), distance (1-norm over median absolute deviations, 1 a level),
plausibility (the mean distance to the 5 nearest of 1,000 training rows), constraints broken, and of several answers to a row how
many sets of columns they change. CPU seconds of the process. dice-ml's "random" is its fastest; "kdtree" answers with
training rows, "genetic" searches. Ours is `Wachter()` and, with a price on every change, `Wachter(sparsity=1)`.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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


@dataclass(frozen=True)
class Task:
    """Rows that a model refuses, the rows that it was trained on, and which columns stay."""

    model: Any
    rows: pd.DataFrame
    train: pd.DataFrame
    y: np.ndarray
    fixed: tuple[str, ...]
    k: int


def ours(task: Task, sparsity: float) -> list[pd.DataFrame]:
    rows = task.rows
    made = pc.counterfactual(
        task.model, rows, pc.Wachter(answers=task.k, sparsity=sparsity), target=1, background=task.train.iloc[:500],
        constraints=[pc.Immutable(task.fixed)],
    )  # fmt: skip
    found = []
    for row in range(len(rows)):
        some = made.alternatives[row][~np.isnan(made.costs[row])]
        found.append(pd.DataFrame(some, columns=rows.columns).astype(rows.dtypes))
    return found


def theirs(task: Task, method: str) -> list[pd.DataFrame]:
    import dice_ml

    rows, train = task.rows, task.train
    numbers = list(train.select_dtypes("number").columns)
    data = dice_ml.Data(dataframe=train.assign(outcome=task.y), continuous_features=numbers, outcome_name="outcome")
    explainer = dice_ml.Dice(data, dice_ml.Model(model=task.model, backend="sklearn"), method=method)
    free, found = [name for name in train.columns if name not in task.fixed], []
    seed = {"random_seed": 0} if method == "random" else {}
    for row in range(len(rows)):
        try:
            one = explainer.generate_counterfactuals(
                rows.iloc[[row]], total_CFs=task.k, desired_class=1, features_to_vary=free, verbose=False, **seed
            ).cf_examples_list[0]
            table = one.final_cfs_df
        except Exception:  # it raises where it finds none
            table = None
        empty = rows.iloc[:0]
        found.append(empty if table is None else table[list(rows.columns)].astype(rows.dtypes))
    return found


def judged(task: Task, found: list[pd.DataFrame]) -> dict[str, float]:
    """All are judged by this, and by nothing of their own."""
    train, names, near = task.train, list(task.train.columns), task.train.iloc[:1000]
    spread = np.array([_unit(train[name]) for name in names])
    valid, moved, far, plausible, ways, broken, count = 0, [], [], [], [], 0, 0
    for row, answers in enumerate(found):
        answers = answers.iloc[: task.k]
        count += len(answers)
        if not len(answers):
            continue
        good = task.model.predict(answers) == 1
        before = task.rows.iloc[[row] * len(answers)].reset_index(drop=True)
        changed = (answers.reset_index(drop=True) != before).to_numpy()
        valid += int(good.sum())
        broken += int(changed[:, [names.index(name) for name in task.fixed]].any(axis=1).sum())
        moved += changed[good].sum(axis=1).tolist()
        far += apart(answers, before, spread)[good].tolist()
        for i in np.flatnonzero(good).tolist():
            each = apart(near, answers.iloc[[i] * len(near)], spread)
            plausible.append(float(np.sort(each)[:5].mean()))
        ways.append(len(np.unique(changed[good], axis=0)))
    return {
        "answers": count / (len(found) * task.k),
        "valid": valid / max(1, count),
        "changed": float(np.mean(moved)),
        "distance": float(np.mean(far)),
        "nearest": float(np.mean(plausible)),
        "broken": broken / max(1, count),
        "ways": float(np.mean(ways)),
    }


def _unit(column: pd.Series[Any]) -> float:
    """What a column's moves are measured by; 0 for levels."""
    if column.dtype.kind not in "iuf":
        return 0.0
    return float((column - column.median()).abs().median() or column.std() or 1.0)


def apart(a: pd.DataFrame, b: pd.DataFrame, spread: np.ndarray) -> np.ndarray:
    """Two tables (m, p) -> the distance of each row from the other's (m,)"""
    made = np.zeros(len(a))
    for j, unit in enumerate(spread):
        one, other = a.iloc[:, j].to_numpy(), b.iloc[:, j].to_numpy()
        made += np.abs(one - other) / unit if unit else one != other
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--answers", type=int, default=1)
    parser.add_argument("--peers", nargs="*", default=["random"])
    parser.add_argument("--tables", nargs="*", default=["german", "adult"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PELLUCID_DATA", ".")))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    columns = ("answers", "valid", "changed", "distance", "nearest", "broken", "ways", "seconds")
    print(f"{'data':8}{'model':10}{'by':12}" + "".join(f"{name:>9}" for name in columns) + f"{'ratio':>8}")
    makers: dict[str, Callable[[Task], list[pd.DataFrame]]] = {
        "pellucid": partial(ours, sparsity=0.0),
        ", sparse": partial(ours, sparsity=1.0),
        **{name: partial(theirs, method=name) for name in given.peers},
    }
    with threadpool_limits(1):
        torch.set_num_threads(1)
        for name in given.tables:
            for kind in ("logistic", "trees", "network"):
                table(name, kind, _task(given, name, kind), makers)


def _task(given: argparse.Namespace, name: str, kind: str) -> Task:
    X, y = {"german": german, "adult": adult}[name](given.data)
    cut = int(0.7 * len(X))
    train, rest = X.iloc[:cut].reset_index(drop=True), X.iloc[cut:].reset_index(drop=True)
    model = fitted(train, y[:cut], kind)
    rows = rest[model.predict(rest) == 0].iloc[: given.rows].reset_index(drop=True)
    ours(Task(model, rows.iloc[:1], train, y[:cut], FIXED[name], 1), 0.0)  # what loads on first use is nobody's time
    return Task(model, rows, train, y[:cut], FIXED[name], given.answers)


def table(name: str, kind: str, task: Task, makers: dict[str, Callable[[Task], list[pd.DataFrame]]]) -> None:
    """The lines of one model."""
    first = 0.0
    for who, make in makers.items():
        start = time.process_time()
        found = make(task)
        seconds = time.process_time() - start
        first = first or seconds
        line = "".join(f"{value:9.2f}" for value in [*judged(task, found).values(), seconds])
        print(f"{name:8}{kind:10}{who:12}{line}{seconds / first:8.1f}", flush=True)


if __name__ == "__main__":
    main()
