"""The numbers of `docs/lime_or_shap.md`: one forest of boosted trees on the California houses, asked by LIME and by TreeShap.

    PELLUCID_DATA=folder python docs/lime_or_shap.py

`folder` holds `california_housing/california_housing.csv`: scikit-learn's `fetch_california_housing` with MedHouseVal.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

import pellucid as pc

CHOSEN = 2  # the held-out row that the page shows
ROWS = 40  # held-out rows that are explained


@dataclass(frozen=True, eq=False)
class Answers:
    """What both methods say of the same held-out rows (n, 8)."""

    rows: pd.DataFrame
    background: pd.DataFrame
    shap: pc.Attribution
    lime: pc.Attribution
    r2: float

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """SHAP's values, LIME's coefficients, and how far the rows lie above the background's mean, in its deviations."""
        j, there = list(self.rows.columns).index(name), self.background[name]
        above = (self.rows[name] - there.mean()) / there.std()
        return self.shap.values[:, j], self.lime.values[:, j], above.to_numpy()


def ask(folder: Path) -> Answers:
    """Fit on 6,000 houses, explain 40 others."""
    houses = pd.read_csv(folder / "california_housing" / "california_housing.csv")
    price = houses.pop("MedHouseVal")
    train, test, y, truth = train_test_split(houses, price, test_size=0.2, random_state=42)
    train, y, rows = train.head(6000), y.head(6000), test.head(ROWS)
    model = HistGradientBoostingRegressor(random_state=0).fit(train, y)
    return answers(model, train, rows, float(model.score(test, truth)))


def answers(model: HistGradientBoostingRegressor, train: pd.DataFrame, rows: pd.DataFrame, r2: float) -> Answers:
    """Both methods, on the same rows, with references drawn from what the model was trained on."""
    background = train.sample(100, random_state=0)
    shap = pc.explain(model, rows, pc.TreeShap(), background=background)
    lime = pc.explain(model, rows, pc.LIME(), background=train.sample(min(2000, len(train)), random_state=1))
    return Answers(rows, background, shap, lime, r2)


def main() -> None:
    found = ask(Path(os.environ["PELLUCID_DATA"]))
    print(f"held-out R2 {found.r2:.3f}, base value {found.shap.base_values[0]:.3f}")
    print(f"row {CHOSEN}: score {found.shap.scores[CHOSEN]:.2f}, MedInc {found.rows['MedInc'].iloc[CHOSEN]:.2f}")
    for name in found.rows.columns:
        shap, lime, above = (part[CHOSEN] for part in found.column(name))
        print(f"  {name:<11} SHAP {shap:+.2f}   LIME {lime:+.2f}   above the background's mean {above:+.2f}")
    shap, lime, above = found.column("MedInc")
    poor = above < 0
    print(f"MedInc below the mean in {poor.sum()} of {ROWS} rows: there SHAP < 0 in {(shap[poor] < 0).sum()}", end=", ")
    print(f"LIME > 0 in {(lime[poor] > 0).sum()}, opposite signs in {(shap[poor] * lime[poor] < 0).sum()}")
    agree = np.sign(lime * above) == np.sign(shap)
    print(f"LIME's slope times that distance has SHAP's sign in {agree.sum()} of {ROWS} rows", end=", ")
    print(f"rank correlation {pd.Series(lime * above).corr(pd.Series(shap), method='spearman'):.2f}")


if __name__ == "__main__":
    main()
