"""How much a changed row looks like the data: a penalty on the answers, and the plausibility that a record reports.

`density` is a word or a function of the user's own:

- "neighbours": the mean distance to the 5 nearest background rows, in the method's own distance;
- "lof": the local outlier factor (Breunig, Kriegel, Ng & Sander 2000) among the background rows, less 1;
- a function of rows (m, ...) -> (m,), or an object with `score_samples`: larger means likelier; a log-density, minus the
  reconstruction error of an autoencoder. It is given what the model is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.inputs import plain_array
from pellucid.methods.counterfactual.distance import Distance

_NEAR = 5
_MOST = 1000  # background rows that neighbours are looked for among
_USUAL = 300  # of those, rows that say how far rows usually are from their neighbours
_CELLS = 2**22

Penalty = Callable[[np.ndarray], np.ndarray]  # rows (m, p) -> (m,), larger is less plausible


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Background rows (b, p) and the distance between rows."""

    rows: np.ndarray
    distance: Distance

    @classmethod
    def of(cls, background: np.ndarray, distance: Distance) -> Neighbours:
        return cls(background[:: max(1, -(-len(background) // _MOST))], distance)

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> (m,) mean distance to the nearest rows"""
        return self._near(z, min(_NEAR, len(self.rows)))[:, :_NEAR].mean(axis=1)

    def usual(self) -> np.ndarray:
        """Sorted: the same of some hundreds of background rows, each without itself"""
        some = self.rows[:: max(1, -(-len(self.rows) // _USUAL))]
        near = self._near(some, min(_NEAR + 1, len(self.rows)))
        return np.sort(near[:, 1:].mean(axis=1) if near.shape[1] > 1 else near[:, 0])

    def plausibility(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> the share of background rows that stand at least as far from their neighbours"""
        usual = self.usual()
        return np.asarray(1 - np.searchsorted(usual, self(z) * (1 - 1e-9)) / len(usual))

    def _near(self, z: np.ndarray, k: int) -> np.ndarray:
        """(m, k) the smallest distances, in order"""
        room = max(1, _CELLS // len(self.rows))
        made = []
        for start in range(0, len(z), room):
            far = self.distance.between(z[start : start + room], self.rows)
            made.append(np.sort(np.partition(far, k - 1, axis=1)[:, :k], axis=1))
        return np.concatenate(made) if made else np.empty((0, k))


def penalty(
    density: Any, background: np.ndarray | None, distance: Distance, shown: Callable[[np.ndarray], Any]
) -> Penalty:
    """The penalty that `density` names; `shown` turns rows into what the model is given."""
    if isinstance(density, str):
        if density not in ("neighbours", "lof"):
            raise MethodError(f"density={density!r}: expected 'neighbours', 'lof' or a function of rows.")
        if background is None:
            raise InputError(f"density={density!r} needs background rows: pass background=.")
        near = Neighbours.of(background, distance)
        return near if density == "neighbours" else _outlier_factor(near)
    score = getattr(density, "score_samples", density)
    if not callable(score):
        raise MethodError(
            f"density={density!r}: expected 'neighbours', 'lof', a function of rows or an object with score_samples."
        )

    def asked(z: np.ndarray) -> np.ndarray:
        said = plain_array(score(shown(z)), float)
        if said.shape != (len(z),):
            raise InputError(
                f"density returned shape {said.shape} for {len(z)} rows: expected one number a row, ({len(z)},)."
            )
        return -said

    return asked


def _outlier_factor(near: Neighbours) -> Penalty:
    from sklearn.neighbors import LocalOutlierFactor

    columns = near.distance

    def scaled(rows: np.ndarray) -> np.ndarray:
        return np.where(columns.coded, rows, np.nan_to_num(rows) / columns.unit)

    def metric(a: np.ndarray, b: np.ndarray) -> float:
        moved = np.where(columns.coded, a != b, np.abs(a - b))
        return float(columns.total(moved[None])[0])

    plain = not columns.coded.any()
    name = {"l1": "manhattan", "l2": "euclidean", "linf": "chebyshev"}[columns.norm]
    model = LocalOutlierFactor(min(20, len(near.rows) - 1), novelty=True, metric=name if plain else metric)
    model.fit(scaled(near.rows))
    return lambda z: np.asarray(-model.score_samples(scaled(z)) - 1)
