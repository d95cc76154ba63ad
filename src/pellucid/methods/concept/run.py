"""The engine of `concepts`: one forward pass over all examples, one backward pass over the inputs, then small matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.concept_scores import ConceptScores
from pellucid.core.errors import InputError, MethodError
from pellucid.core.inputs import checked, plain_array
from pellucid.methods.activating import looked_into
from pellucid.methods.concept.directions import Directions, logistic, mean_differences
from pellucid.methods.concept.dissecting import dissect
from pellucid.methods.concept.draws import Plan
from pellucid.methods.concept.network_dissection import NetworkDissection
from pellucid.methods.concept.sets import FEW, as_examples
from pellucid.methods.concept.tcav import TCAV
from pellucid.methods.concept.testing import Told, holm, told_apart, two_sided
from pellucid.models.prepare import Prepared
from pellucid.models.text import as_texts


def concepts(
    model: Any,
    concepts: Any,
    method: TCAV | NetworkDissection | str | None = None,
    *,
    layer: str | Sequence[str],
    inputs: Any,
    target: Any = None,
    random: Any = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ConceptScores:
    """See `pellucid.api.concepts`."""
    chosen, meter = as_method(method), Meter(on_rows=progress)
    if isinstance(chosen, NetworkDissection):
        if target is not None or random is not None:
            raise MethodError(
                "NetworkDissection asks about no output and draws no random sets: leave target= and random= out."
            )
        return dissect(model, concepts, chosen, layer=layer, inputs=inputs, batch_size=batch_size, progress=progress)
    x = as_texts(inputs)
    x = checked(plain_array(inputs), "inputs") if x is None else x
    examples = as_examples(concepts, random, x)
    asked = looked_into(model, x, "concepts", batch_size=batch_size)
    shown = looked_into(model, examples.x, "concepts", batch_size=batch_size)
    from pellucid.models.activations import layers_of, network_of

    names = layers_of(network_of(asked.adapter).model, layer)
    with asked.adapter.session():
        looks, aimed = _look(chosen, asked, shown, names, target, meter)
    with threadpool_limits(1):  # matrices are small: threads would wait for each other
        found = [_at_layer(chosen, look, examples.plan) for look in looks]
    return _record(chosen, found, looks, examples.plan, (asked, aimed, meter))


def as_method(method: Any) -> TCAV | NetworkDissection:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    says = "does not score concepts: give TCAV() or NetworkDissection()."
    made: TCAV | NetworkDissection = spelling.as_value(
        TCAV if method is None else method, (TCAV, NetworkDissection), says
    )
    return made


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


def _look(
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


def _directions(method: TCAV, gram: np.ndarray, weights: np.ndarray) -> Directions:
    if method.cav == "mean-difference":
        return mean_differences(gram, weights)
    return logistic(gram, weights, method.penalty)


def _at_layer(method: TCAV, look: Look, plan: Plan) -> AtLayer:
    runs, slopes, directions, told = [], [], [], []
    for name in plan.concepts:
        weights = plan.weights(name, method.runs, method.seed)
        found = _directions(method, look.gram, weights)
        along = look.along @ found.alpha  # (n, r)
        runs.append(shares(along, look.live))
        slopes.append(along.mean(axis=1))
        directions.append(_mean_direction(found.alpha, look))
        others = np.concatenate(plan.against(name))
        told.append(told_apart(found.margins, weights, plan.concepts[name], others))
    weights_of_random = plan.reference(method.runs, method.seed)
    reference = None
    if weights_of_random is not None:
        reference = shares(look.along @ _directions(method, look.gram, weights_of_random).alpha, look.live)
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


def _record(
    method: TCAV, found: list[AtLayer], looks: list[Look], plan: Plan, how: tuple[Prepared, Any, Meter]
) -> ConceptScores:
    prepared, aimed, meter = how
    target = None if aimed.target is None else aimed.target.at(aimed.scale)
    runs = np.stack([layer.runs for layer in found], axis=1)  # (c, l, r)
    told = [[layer.told[i] for layer in found] for i in range(len(plan.concepts))]
    reasons = [[_reason(one, look, method) for one, look in zip(row, looks, strict=True)] for row in told]
    silent = np.array([[bool(reason) for reason in row] for row in reasons])
    p = np.array(
        [
            [np.nan if no else two_sided(one) for no, one in zip(*row, strict=True)]
            for row in zip(silent, runs, strict=True)
        ]
    )
    low, high = np.quantile(runs, [0.025, 0.975], axis=2)
    blank = np.where(silent, np.nan, 0.0)
    stderr = runs.std(axis=2, ddof=1) + blank
    references = [layer.reference for layer in found if layer.reference is not None]
    kept = receipt(
        method,
        meter,
        packages=prepared.adapter.packages,
        target=None if target is None else repr(target),
        scale=aimed.scale,
        layer=", ".join(look.name for look in looks),
        stderr=float(np.nanmax(stderr)) if np.isfinite(stderr).any() else None,
        warnings=_warnings(method, looks, plan, silent),
        notes=_notes(looks, plan),
    )
    return ConceptScores(
        concepts=tuple(plan.concepts),
        layers=tuple(look.name for look in looks),
        scores=runs.mean(axis=2) + blank,
        stderr=stderr,
        low=low + blank,
        high=high + blank,
        p=p,
        adjusted=holm(p),
        accuracy=np.array([[one.accuracy for one in row] for row in told]),
        accuracy_stderr=np.array([[one.stderr for one in row] for row in told]),
        reasons=tuple(map(tuple, reasons)),
        runs=runs,
        sensitivity=np.stack([layer.sensitivity for layer in found], axis=1),
        reference=np.stack(references) if references else None,
        directions=tuple(layer.directions for layer in found),
        target=target,
        level=method.level,
        method=method,
        receipt=kept,
    )


def _reason(told: Told, look: Look, method: TCAV) -> str:
    """Why a concept gets no score at a layer, "" where it gets one."""
    if not look.live.any():
        return "the score does not depend on this layer for any input"
    if not told.p <= method.level:
        return (
            f"its probe tells {told.accuracy:.0%} of held-out examples right, no better than chance (p = {told.p:.2g})"
        )
    return ""


def _warnings(method: TCAV, looks: list[Look], plan: Plan, silent: np.ndarray) -> tuple[str, ...]:
    said = [
        f"concept {name!r} has {len(rows)} examples: what these have in common by chance is part of it"
        for name, rows in plan.concepts.items()
        if len(rows) < FEW
    ]
    tests = int((~silent).sum())
    if tests and 2 * tests / (method.runs + 1) > method.level:
        said.append(
            f"{method.runs} runs are too few for {tests} tests at level {method.level:g}: nothing can be significant; give "
            f"TCAV(runs={int(np.ceil(2 * tests / method.level))})"
        )
    if not plan.relative and len(plan.random) == 1:
        largest = max(len(rows) for rows in plan.concepts.values())
        if len(plan.random[0]) < 2 * largest:
            said.append(
                f"{len(plan.random[0])} random examples for concepts of up to {largest}: random sets are smaller than the concept "
                "and overlap a good deal; more random examples make them better"
            )
    for look in looks:
        idle = int((~look.live).sum())
        if 0 < idle < len(look.live):
            said.append(
                f"the score of {idle} of {len(look.live)} inputs does not depend on {look.name}: they are left out there"
            )
    return tuple(said)


def _notes(looks: list[Look], plan: Plan) -> tuple[str, ...]:
    said = []
    for look in looks:
        width = look.centred.shape[1]
        if width > plan.total:
            said.append(
                f"{look.name} has {width:,} numbers for {plan.total:,} examples: any two sets can be told apart there, so only "
                "held-out examples say whether the layer knows a concept"
            )
    if plan.relative:
        said.append("each concept is told from the other concepts, for want of random examples")
    return tuple(said)
