"""What TCAV sees at a layer, and what it makes of it: examples and gradients become small matrices, scored for all runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError
from pellucid.methods.concept.directions import Directions, logistic, mean_differences
from pellucid.methods.concept.draws import Plan
from pellucid.methods.concept.tcav import TCAV
from pellucid.methods.concept.testing import Told, told_apart
from pellucid.models.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Look:
    """One layer: `centred (N, d)` examples, their Gram matrix, and the inputs' gradients along them `(n, N)`.

    `shape` of one example's vector; `live (n,)` where the score depends on the layer at all.
    """

    name: str
    centred: np.ndarray
    gram: np.ndarray
    along: np.ndarray
    live: np.ndarray
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class AtLayer:
    """All concepts at one layer: scores of runs (c, r), slopes (c, n), unit vectors (c, d), probes, random sets (r,)."""

    runs: np.ndarray
    sensitivity: np.ndarray
    directions: np.ndarray
    told: list[Told]
    reference: np.ndarray | None


def look(
    method: TCAV, asked: Prepared, shown: Prepared, names: Sequence[str], target: Any, meter: Meter
) -> tuple[list[Look], Any]:
    """Examples first: gradients are kept along them only, so memory does not grow with inputs times layer size."""
    from pellucid.models.pooling import places_of, pooled, vectors
    from pellucid.models.slopes import Asked, slopes

    aimed, shapes = Asked.of(target, asked), dict[str, tuple[int, ...]]()
    texts = asked.inputs.x.dtype == object
    pool = method.pool or ("mean" if texts else "flatten")
    seen = vectors(shown, names, pool, meter)
    centred = {name: found - found.mean(axis=0) for name, found in seen.items()}
    n = len(asked.inputs.x)
    along = {name: np.empty((n, len(found))) for name, found in centred.items()}
    live = {name: np.empty(n, bool) for name in names}
    for part in slopes(asked, names, aimed, meter):
        for name, slope in part.layers.items():
            # a step along v at every place at once: the sum over places, where examples are means
            flat = pooled(slope, part.mask, "sum" if pool == "mean" else "flatten", places_of(asked))
            _check_width(name, flat, centred[name])
            along[name][part.rows] = flat @ centred[name].T
            live[name][part.rows] = flat.any(axis=1)
            shapes[name] = slope.shape[1:] if pool == "flatten" else flat.shape[1:]
    looks = [Look(name, c := centred[name], c @ c.T, along[name], live[name], shapes[name]) for name in names]
    return looks, aimed


def _check_width(name: str, flat: np.ndarray, examples: np.ndarray) -> None:
    if flat.shape[1] != examples.shape[1]:
        raise InputError(
            f"layer {name!r} gives {flat.shape[1]} numbers for an input and {examples.shape[1]} for an example: bring them to one "
            "length, or give TCAV(pool='mean')."
        )


def _directions(method: TCAV, seen: Look, weights: np.ndarray) -> Directions:
    if method.cav == "mean-difference":
        return mean_differences(seen.gram, weights)
    return logistic(seen.gram, weights, method.penalty, seen.centred.shape[1])


def at_layer(method: TCAV, seen: Look, plan: Plan) -> AtLayer:
    runs, slopes, directions, told = [], [], [], []
    for name in plan.concepts:
        weights = plan.weights(name, method.runs, method.seed)
        found = _directions(method, seen, weights)
        along = seen.along @ found.alpha  # (n, r)
        runs.append(shares(along, seen.live))
        slopes.append(along.mean(axis=1))
        directions.append(_mean_direction(found.alpha, seen))
        others = np.concatenate(plan.against(name))
        told.append(told_apart(found.margins, weights, plan.concepts[name], others))
    weights_of_random = plan.reference(method.runs, method.seed)
    reference = None
    if weights_of_random is not None:
        reference = shares(seen.along @ _directions(method, seen, weights_of_random).alpha, seen.live)
    return AtLayer(np.stack(runs), np.stack(slopes), np.stack(directions), told, reference)


def shares(along: np.ndarray, live: np.ndarray) -> np.ndarray:
    """along (n, r), live (n,) -> (r,) the share of inputs that depend on the layer whose slope is positive; 0 counts half"""
    if not live.any():
        return np.full(along.shape[1], np.nan)
    return np.asarray(((np.sign(along[live]) + 1) / 2).mean(axis=0))


def _mean_direction(alpha: np.ndarray, look: Look) -> np.ndarray:
    """alpha (N, r) -> the unit vector (*shape) along the mean of all runs' unit vectors"""
    made = alpha.mean(axis=1) @ look.centred
    length = np.linalg.norm(made)
    return np.asarray((made / length if length > 0 else made).reshape(look.shape))
