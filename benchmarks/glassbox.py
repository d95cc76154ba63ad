"""Models that can be read beside gradient boosting and other libraries, on Adult and COMPAS: AUC, accuracy, size, gap, seconds.

    PELLUCID_DATA=... python -m benchmarks.glassbox [--rows 32561] [--repeats 1] [--only adult|compas]

Each model is fitted to the same 70 % of the rows and judged on the others; intervals are DeLong's standard error of the AUC, times
1.96. Gradient boosting is scikit-learn's HistGradientBoostingClassifier with its defaults, on levels as they are. Where they are
installed: imodels' FIGS and greedy rule list and interpret's explainable boosting machine, on one-hot columns. Seconds are those of
the process on however many cores are free.
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
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc

_ADULT = "age workclass fnlwgt education education_num marital occupation relationship race sex gain loss hours country"
_COMPAS = "sex age race juv_fel_count juv_misd_count juv_other_count priors_count c_charge_degree"


def adult(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """32,561 people, and whether they earn more than 50,000 dollars a year."""
    names = [*_ADULT.split(), "income"]
    table = pd.read_csv(folder / "tabular/adult.data", names=names, skipinitialspace=True, na_values="?")
    return table.drop(columns=["fnlwgt", "education", "income"]), (table["income"] == ">50K").to_numpy()


def compas(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """7,214 defendants, and whether they were charged again within two years."""
    table = pd.read_csv(folder / "tabular/compas-scores-two-years.csv")
    return table[_COMPAS.split()], table["two_year_recid"].to_numpy() == 1


def auc(truth: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """The AUC and DeLong's standard error (1988)."""
    ones, zeros = score[truth], np.sort(score[~truth])
    above = (np.searchsorted(zeros, ones, "left") + np.searchsorted(zeros, ones, "right")) / (2 * len(zeros))
    back = np.sort(ones)
    below = 1 - (np.searchsorted(back, zeros, "left") + np.searchsorted(back, zeros, "right")) / (2 * len(ones))
    error = np.sqrt(above.var(ddof=1) / len(ones) + below.var(ddof=1) / len(zeros))
    return float(roc_auc_score(truth, score)), float(error)


def encoded(model: Any) -> Any:
    """Behind one-hot levels and scaled numbers."""
    numbers = make_column_selector(dtype_include="number")
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    return make_pipeline(make_column_transformer((StandardScaler(), numbers), remainder=words), model)


def models() -> dict[str, Any]:
    """By name, unfitted."""
    made = {
        "gradient boosting": None,
        "`RuleList()`": pc.RuleList(),
        '`RuleList(loss="errors", penalty=0.005)`': pc.RuleList(loss="errors", penalty=0.005),
        "`DecisionSet()`": pc.DecisionSet(),
        "`ScoringSystem()`": pc.ScoringSystem(),
        "tree of 8 leaves": encoded(DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)),
        "logistic regression": encoded(LogisticRegression(max_iter=2000)),
    }
    return made | _peers()


def _peers() -> dict[str, Any]:
    """Of other libraries, where they are installed."""
    made: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from imodels import FIGSClassifier, GreedyRuleListClassifier

            made["imodels FIGS, 12 rules"] = encoded(FIGSClassifier(max_rules=12))
            made["imodels greedy rule list"] = encoded(GreedyRuleListClassifier(max_depth=8))
        except ImportError:
            print("imodels is not installed")
        try:
            from interpret.glassbox import ExplainableBoostingClassifier

            made["interpret EBM, no pairs"] = ExplainableBoostingClassifier(interactions=0, n_jobs=1, outer_bags=4)
        except ImportError:
            print("interpret is not installed")
    return made


def boosting(X: pd.DataFrame) -> Any:
    """With levels as categories."""
    words = X.select_dtypes(exclude="number").columns
    return HistGradientBoostingClassifier(categorical_features=list(words), random_state=0)


def size(model: Any) -> str:
    """How much there is to read."""
    if not hasattr(model, "on_a_page"):
        return ""
    card = model.on_a_page()
    count = f"{len(card.terms)} terms" if hasattr(card, "terms") else f"{len(card.rules)} rules"
    gap = getattr(model, "gap_", None)
    return count if gap is None else f"{count}, gap {gap:.1%}"


def main() -> None:
    """One line a model and data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--only", choices=["adult", "compas"])
    asked, folder = parser.parse_args(), Path(os.environ["PELLUCID_DATA"])
    print("| data | model | AUC | accuracy | to read | seconds |\n|---|---|---|---|---|---|")
    for name, read in (("compas", compas), ("adult", adult)):
        if asked.only in (None, name):
            X, y = read(folder)
            _table(name, X[: asked.rows], y[: asked.rows])


def _table(data: str, X: pd.DataFrame, y: np.ndarray) -> None:
    words = X.select_dtypes(exclude="number").columns
    levels = X.assign(**{name: X[name].astype("category") for name in words})
    train, test = train_test_split(np.arange(len(X)), test_size=0.3, random_state=0, stratify=y)
    for name, model in models().items():
        rows, chosen = (levels, boosting(X)) if model is None else (X, model)
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                chosen.fit(rows.iloc[train], y[train])
                score = chosen.predict_proba(rows.iloc[test])[:, 1]
        except Exception as error:  # a peer that cannot take these rows
            print(f"| {data} | {name} | {type(error).__name__} | | | |", flush=True)
            continue
        took = time.process_time() - start
        value, error = auc(y[test], score)
        right = ((score > 0.5) == y[test]).mean()
        print(
            f"| {data} | {name} | {value:.3f} ± {1.96 * error:.3f} | {right:.1%} | {size(chosen)} | {took:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
