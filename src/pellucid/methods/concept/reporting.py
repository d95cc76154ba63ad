"""The record of TCAV: what is reported, what is not and why, and what a reader should be warned of."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.concept_scores import ConceptScores
from pellucid.methods.concept.draws import Plan
from pellucid.methods.concept.looks import AtLayer, Look
from pellucid.methods.concept.sets import FEW
from pellucid.methods.concept.tcav import TCAV
from pellucid.methods.concept.testing import Told, holm, two_sided
from pellucid.models.prepare import Prepared


def record(
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
