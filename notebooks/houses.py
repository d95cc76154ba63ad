"""The table that the notebook on tables looks at: the California houses where they are on this machine, else a generated table with
the same columns, whose price is known to follow place, income and crowding, and not age or population.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.datasets import fetch_california_housing

import pellucid as pc
from pellucid.plot._style import Sheet

PRICE = "MedHouseVal"
_ROWS = 6000  # of a real table


@dataclass(frozen=True, eq=False)
class Houses:
    """Blocks of houses, and their median price in 100,000 dollars."""

    title: str
    X: pd.DataFrame
    y: pd.Series


def houses() -> Houses:
    """The folder of real data where PELLUCID_DATA names it, else what scikit-learn fetched before, else a generated table."""
    folder = os.environ.get("PELLUCID_DATA")
    if folder:
        table = pd.read_csv(Path(folder) / "california_housing" / "california_housing.csv")
    elif _fetched():
        table = fetch_california_housing(as_frame=True, download_if_missing=False).frame
    else:
        made = generated()
        return Houses("a generated table", made.drop(columns=PRICE), made[PRICE])
    part = table.sample(min(_ROWS, len(table)), random_state=0).reset_index(drop=True)
    return Houses("California Housing", part.drop(columns=PRICE), part[PRICE])


def _fetched() -> bool:
    """Whether scikit-learn has the houses on disk; asking its loader would make the folder, or go online."""
    home = Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser()
    return any((home / name).is_file() for name in ("cal_housing_py3.pkz", "cal_housing.pkz"))


def generated(rows: int = 2500, seed: int = 0) -> pd.DataFrame:
    """Two cities on a coast that runs from the south-east to the north-west, and villages inland."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    latitude = np.choose(kind, [rng.normal(33.9, 0.5, rows), rng.normal(37.7, 0.5, rows), rng.uniform(33, 41, rows)])
    from_coast = rng.exponential(np.choose(kind, [0.6, 0.5, 2.0]))
    income = np.clip(rng.lognormal(1.25, 0.45, rows), 0.5, 15)
    bedrooms = rng.normal(1.07, 0.05, rows)
    crowd = np.clip(rng.lognormal(1.05, 0.25, rows), 1.2, 9)
    place = 2.2 * np.exp(-from_coast / 0.6) - 0.08 * (latitude - 35.6)
    price = 0.4 + 0.34 * income + place - 0.28 * (crowd - 2.9) + rng.normal(0, 0.25, rows)
    return pd.DataFrame(
        {
            "MedInc": income,
            "HouseAge": np.clip(np.round(rng.normal(29, 12, rows)), 1, 52),
            "AveRooms": 3.6 + 0.45 * income + rng.normal(0, 0.5, rows),  # goes with income, and does nothing by itself
            "AveBedrms": bedrooms,
            "Population": np.round(rng.lognormal(7, 0.7, rows)),
            "AveOccup": crowd,
            "Latitude": latitude,
            "Longitude": coast(latitude) + from_coast,
            PRICE: np.clip(price, 0.15, 5.0),
        }
    )


def coast(latitude: np.ndarray) -> np.ndarray:
    """A straight line near California's coast: the longitude where it meets a latitude."""
    return np.asarray(-118.4 - 1.05 * (latitude - 34))


def region(X: pd.DataFrame) -> np.ndarray:
    """(n,) one of four parts: south or north of 36 degrees, within 0.6 degrees of the coast's line or inland."""
    side = np.where(X["Latitude"] < 36, "south", "north")
    inland = X["Longitude"] - coast(X["Latitude"].to_numpy()) > 0.6
    return np.char.add(side, np.where(inland, ", inland", ", coast"))


def pair(left: pc.Effect, right: pc.Effect, titles: tuple[str, str]) -> Sheet:
    """Two effects side by side."""
    figure = Sheet(figsize=(10, 3.6), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 2))
    for record, panel, title in zip((left, right), panels, titles, strict=True):
        pc.plot.effect(record, ax=panel)
        panel.set_title(title, loc="left", fontsize=10)
    return figure


def over(partial: pc.Effect, local: pc.Effect) -> Axes:
    """Both curves of one column from the same start: local effects as a line, partial dependence dashed."""
    ax = pc.plot.effect(local.centred())
    start = np.interp(float(partial.grid[0]), local.grid.astype(float), local.centred().mean)
    ax.plot(partial.grid, partial.centred().mean + start, "--", color="#d55e00", label="partial dependence")
    ax.plot([], [], color="black", label="accumulated local effects")
    ax.legend(fontsize=9, frameon=False)
    ax.set_title(f"Two answers · {partial.features[0]}", loc="left")
    return ax
