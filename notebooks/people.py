"""The table of the notebook on bias: ProPublica's COMPAS table where PELLUCID_DATA names the folder of real data, else a generated
one with the same columns and groups of no name, in which the score is known to be made from record and age alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SCORE, AGAIN = "decile_score", "two_year_recid"
COLUMNS = [
    "sex",
    "age",
    "race",
    "juv_fel_count",
    "juv_misd_count",
    "juv_other_count",
    "priors_count",
    "c_charge_degree",
]


@dataclass(frozen=True, eq=False)
class People:
    """Who they are (n, 8), the score that they were given from 1 to 10, and whether they were charged again within two years."""

    title: str
    X: pd.DataFrame
    score: pd.Series
    again: pd.Series


def people() -> People:
    folder = os.environ.get("PELLUCID_DATA")
    if folder:
        table, title = pd.read_csv(Path(folder) / "tabular" / "compas-scores-two-years.csv"), "COMPAS, two years"
    else:
        table, title = generated(), "a generated table"
    table = table[table[SCORE] > 0].reset_index(drop=True)
    levels = dict.fromkeys(("sex", "race", "c_charge_degree"), "category")
    return People(title, table[COLUMNS].astype(levels), table[SCORE], table[AGAIN])


def generated(rows: int = 2500, seed: int = 0) -> pd.DataFrame:
    """Groups differ in how many priors were recorded and in age; the score knows record, age and charge, and no group."""
    rng = np.random.default_rng(seed)
    group = rng.choice(3, rows, p=[0.5, 0.35, 0.15])
    age = np.clip(np.round(18 + rng.gamma(1.6, np.array([9.0, 11.5, 10.5])[group])), 18, 90)
    priors = rng.negative_binomial(0.7, 1 / (1 + np.array([6.0, 3.5, 3.0])[group] * np.clip((age - 14) / 18, 0.3, 1.3)))
    juvenile = rng.poisson(np.array([0.12, 0.06, 0.07])[group][:, None], (rows, 3))
    felony = rng.random(rows) < 0.62
    raw = 3.6 + 1.5 * np.log1p(priors) - 0.075 * (age - 30) + 0.5 * juvenile.sum(axis=1) + 0.4 * felony
    score = np.clip(np.round(raw + rng.normal(0, 1.5, rows)), 1, 10)
    again = rng.random(rows) < 1 / (1 + np.exp(1.9 - 0.33 * raw))
    names = dict(zip(COLUMNS[3:6], juvenile.T, strict=True))
    return pd.DataFrame(
        {
            "sex": np.where(rng.random(rows) < 0.8, "Male", "Female"),
            "age": age,
            "race": np.array(["group A", "group B", "group C"])[group],
            **names,
            "priors_count": priors,
            "c_charge_degree": np.where(felony, "F", "M"),
            SCORE: score.astype(int),
            AGAIN: again.astype(int),
        }
    )


def rate(hits: pd.Series) -> dict[str, float]:
    """A share with Wilson's 95 % interval, which holds for few rows too."""
    n, share, z = len(hits), float(hits.mean()), 1.96
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return {
        "rows": n,
        "share": share,
        "low": (middle - reach) / (1 + z**2 / n),
        "high": (middle + reach) / (1 + z**2 / n),
    }
