"""The engine of `probe`: vectors of all layers in one pass, then a probe and its control tasks for each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError
from pellucid.core.probe_result import ProbeResult
from pellucid.methods.activating import looked_into
from pellucid.methods.representation.fitting import clustered, commonest_by_type, control_labels, fitted, interval
from pellucid.methods.representation.labels import Labels, as_labels, as_texts_of_words, is_words
from pellucid.methods.representation.linear_probe import LinearProbe
from pellucid.models.prepare import Prepared


def probe(
    model: Any,
    X: Any,
    y: Any,
    method: LinearProbe | str | None = None,
    *,
    layer: str | Sequence[str],
    control: Any = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ProbeResult:
    """See `pellucid.api.probe`."""
    chosen, meter = as_method(method), Meter(on_rows=progress)
    texts, spans = as_texts_of_words(X) if is_words(X) else (X, None)
    prepared = looked_into(model, texts, "probe", extra=extra, batch_size=batch_size)
    labels = as_labels(y, control, prepared.inputs.x, spans)
    from pellucid.models.activations import layers_of, network_of

    names = layers_of(network_of(prepared.adapter).model, layer)
    with prepared.adapter.session():
        vectors = _vectors(chosen, prepared, labels, names, meter)
    known = np.isfinite(next(iter(vectors.values()))[:, 0])
    labels = labels.take(known)
    split = _split(chosen, labels)
    found = [_at_layer(chosen, vectors[name][known], labels, split) for name in names]
    return _record(chosen, found, labels, split, (prepared, names, meter, int((~known).sum())))


def as_method(method: Any) -> LinearProbe:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    made: LinearProbe = spelling.as_value(
        LinearProbe if method is None else method, (LinearProbe,), "does not probe layers: give LinearProbe()."
    )
    return made


def _vectors(
    method: LinearProbe, prepared: Prepared, labels: Labels, names: Sequence[str], meter: Meter
) -> dict[str, np.ndarray]:
    """layer -> (m, d), a vector for each labelled example"""
    from pellucid.models.pooling import vectors
    from pellucid.models.word_vectors import place_vectors, token_places, word_places

    if labels.unit == "row":
        return vectors(prepared, names, method.pool, meter)
    if labels.spans is not None:
        places = word_places(prepared, labels.row, labels.place, labels.spans)
    else:
        places = token_places(labels.row, labels.place, len(prepared.inputs.x))
    return place_vectors(prepared, names, places, meter)


def _split(method: LinearProbe, labels: Labels) -> np.ndarray:
    """(m,) True where a probe may learn; rows stay whole, so no sentence is on both sides."""
    rows = np.unique(labels.row)
    held = max(1, round(method.test * len(rows)))
    if len(rows) < 5 or len(rows) - held < 2:
        raise InputError(f"{len(rows)} rows are too few to learn from some and hold out others: give 10 or more.")
    drawn = np.random.default_rng(method.seed).permutation(rows)[:held]
    train = ~np.isin(labels.row, drawn)
    if len(np.unique(labels.y[train])) < 2:
        raise InputError("all examples that the probe may learn from have one label: give more rows, or another seed.")
    return train


@dataclass(frozen=True, eq=False)
class AtLayer:
    """One layer: which held-out examples are right (k,), with control labels (controls, k), and accuracies in training."""

    width: int
    right: np.ndarray
    control: np.ndarray
    trained: float
    memorised: float
    finished: bool


def _at_layer(method: LinearProbe, vectors: np.ndarray, labels: Labels, train: np.ndarray) -> AtLayer:
    task = fitted(vectors, labels.y, train, method.penalty)
    rng = np.random.default_rng((method.seed, 1))  # the same control tasks at every layer
    drawn = [control_labels(labels.y, labels.types, rng) for _ in range(method.controls)]
    controls = [fitted(vectors, one, train, method.penalty) for one in drawn if len(np.unique(one[train])) > 1]
    return AtLayer(
        vectors.shape[1],
        task.held,
        np.stack([one.held for one in controls]) if controls else np.empty((0, len(task.held))),
        float(task.trained.mean()),
        float(np.mean([one.trained.mean() for one in controls])) if controls else float("nan"),
        task.finished and all(one.finished for one in controls),
    )


def _record(
    method: LinearProbe,
    found: list[AtLayer],
    labels: Labels,
    train: np.ndarray,
    how: tuple[Prepared, Sequence[str], Meter, int],
) -> ProbeResult:
    prepared, names, meter, lost = how
    rows, held = labels.row[~train], int((~train).sum())
    accuracy, stderr = np.array([clustered(one.right.astype(float), rows) for one in found]).T
    low, high = np.array([interval(*pair, held) for pair in zip(accuracy, stderr, strict=True)]).T
    gains = np.array([_gain(one, rows) for one in found])  # (l, 2)
    kept = receipt(
        method,
        meter,
        packages=(*prepared.adapter.packages, "scikit-learn"),
        layer=", ".join(names),
        stderr=float(np.nanmax(stderr)) if np.isfinite(stderr).any() else None,
        converged=all(one.finished for one in found),
        warnings=_warnings(found, names, int(train.sum()), lost, labels),
        notes=_notes(method, labels),
    )
    commonest = np.bincount(labels.y[train]).argmax()
    types = labels.types
    return ProbeResult(
        layers=tuple(names),
        accuracy=accuracy,
        stderr=stderr,
        low=low,
        high=high,
        control=accuracy - gains[:, 0],
        selectivity=gains[:, 0],
        selectivity_stderr=gains[:, 1],
        trained=np.array([one.trained for one in found]),
        memorised=np.array([one.memorised for one in found]),
        width=np.array([one.width for one in found]),
        majority=float((labels.y[~train] == commonest).mean()),
        by_type=float("nan") if types is None else float(commonest_by_type(labels.y, types, train).mean()),
        classes=labels.classes,
        train=int(train.sum()),
        test=held,
        unit=labels.unit,
        method=method,
        receipt=kept,
    )


def _gain(layer: AtLayer, rows: np.ndarray) -> tuple[float, float]:
    """Selectivity and its standard error: paired on examples, and over the control tasks drawn."""
    if not len(layer.control):
        return float("nan"), float("nan")
    gain, stderr = clustered(layer.right - layer.control.mean(axis=0), rows)
    k = len(layer.control)
    over_tasks = layer.control.mean(axis=1).var(ddof=1) / k if k > 1 else 0.0
    return gain, float(np.sqrt(stderr**2 + over_tasks))


def _warnings(found: list[AtLayer], names: Sequence[str], train: int, lost: int, labels: Labels) -> tuple[str, ...]:
    said = [
        f"{name} has {one.width:,} numbers for {train:,} examples to learn from: a probe can learn any labels there by heart"
        for name, one in zip(names, found, strict=True)
        if one.width >= train
    ]
    if lost:
        said.append(f"{lost:,} labelled {labels.unit}s have no token that the network reads, and are left out")
    if not all(one.finished for one in found):
        said.append("the fit of a probe was stopped before it came to its end: a larger penalty ends sooner")
    return tuple(said)


def _notes(method: LinearProbe, labels: Labels) -> tuple[str, ...]:
    if method.controls and labels.types is None:
        return (
            "no types are known (control=), so control labels are drawn for each example: their held-out accuracy is chance, and "
            "`memorised` says what the probe can learn by heart",
        )
    return ()
