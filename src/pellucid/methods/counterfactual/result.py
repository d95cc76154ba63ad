"""The answers of each row, while they come in and are held to the model once more."""

from __future__ import annotations

import numpy as np

from pellucid.methods.counterfactual.problem import Answers


class Result:
    """What is known of each row while answers come in."""

    def __init__(self, x: np.ndarray, k: int) -> None:
        n, p = x.shape
        self.values, self.costs = np.full((n, k, p), np.nan), np.full((n, k), np.nan)
        self.acted = np.zeros((n, k, p), dtype=bool)
        self.reasons = [""] * n
        self.proof, self.done = np.zeros(n, bool), np.ones(n, bool)

    def put(self, row: int, z: np.ndarray, cost: np.ndarray, acted: np.ndarray | None = None) -> None:
        count = min(len(z), self.costs.shape[1])
        if acted is not None:
            self.acted[row, :count] = acted[:count]
        self.values[row, :count], self.costs[row, :count] = z[:count], cost[:count]

    @property
    def found(self) -> np.ndarray:
        """(n,) rows with an answer"""
        return ~np.isnan(self.costs).all(axis=1)

    @property
    def first(self) -> np.ndarray:
        """(n,) the place of each row's first answer"""
        return (~np.isnan(self.costs)).argmax(axis=1)

    def drop(self, rows: np.ndarray, places: np.ndarray) -> None:
        self.values[rows, places], self.costs[rows, places] = np.nan, np.nan
        for row in np.unique(rows):
            if np.isnan(self.costs[row]).all():
                self.reasons[row] = "an answer was found, but the model did not repeat it when it was asked once more"

    def pack(self) -> None:
        """Answers to the front."""
        order = np.argsort(np.isnan(self.costs), axis=1, kind="stable")
        self.costs = np.take_along_axis(self.costs, order, 1)
        self.values = np.take_along_axis(self.values, order[:, :, None], 1)
        self.acted = np.take_along_axis(self.acted, order[:, :, None], 1)

    def none(self) -> Answers:
        return Answers.none(self.values.shape[2])
