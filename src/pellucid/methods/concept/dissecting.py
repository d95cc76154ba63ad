"""The engine of `concepts` with `NetworkDissection`: levels first, then regions against masks, one input at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pellucid.core.budget import Meter, receipt
from pellucid.core.concept_scores import ConceptScores
from pellucid.core.dissection import Dissection
from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.inputs import checked, plain_array
from pellucid.methods.activating import looked_into
from pellucid.methods.concept.masks import Masks, as_masks
from pellucid.methods.concept.network_dissection import NetworkDissection
from pellucid.methods.concept.overlap import GROUPS, Counts, above_chance, jackknife
from pellucid.methods.concept.tails import Tails
from pellucid.methods.concept.testing import holm
from pellucid.models.prepare import Prepared

HELD = 2**28  # bytes of activations that are kept between the two looks at them

Looked = Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]  # rows (b,), layer -> (b, u, *space)


def dissect(
    model: Any,
    concepts: Any,
    method: NetworkDissection,
    *,
    layer: str | Sequence[str],
    inputs: Any,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ConceptScores:
    """See `pellucid.api.concepts`."""
    meter, x = Meter(on_rows=progress), checked(plain_array(inputs), "inputs")
    prepared = looked_into(model, x, "concepts", batch_size=batch_size)
    if x.ndim < 3:
        raise InputError(f"inputs have shape {x.shape}: dissection needs space, (n, channels, *space).")
    masks = as_masks(concepts, x)
    from pellucid.models.activations import layers_of, network_of

    names = layers_of(network_of(prepared.adapter).model, layer)
    with prepared.adapter.session():
        twice = Twice(prepared, names, meter)
        tails = _tails(method, twice, len(x), masks)
        found = _regions(method, twice, tails, masks, len(x))
    return _record(method, names, found, masks, (prepared, meter, tails))


class Twice:
    """The activations of layers at all inputs, twice: kept in between where they fit into `HELD` bytes, else computed again."""

    def __init__(self, prepared: Prepared, names: Sequence[str], meter: Meter) -> None:
        self._how, self._kept = (prepared, names, meter), list[tuple[np.ndarray, dict[str, np.ndarray]]]()
        self._whole = False

    def __call__(self) -> Looked:
        if self._whole:
            yield from self._kept
            return
        from pellucid.models.activations import stream

        fits, held, done = True, 0, False
        for seen in stream(*self._how):
            layers = {name: _spatial(name, output, self._how[0]) for name, output in seen.layers.items()}
            held += sum(output.nbytes for output in layers.values())
            fits = fits and held <= HELD
            self._kept.append((seen.rows, layers))
            if not fits:
                self._kept.clear()
            yield seen.rows, layers
            done = True
        self._whole = fits and done


def _spatial(name: str, output: np.ndarray, prepared: Prepared) -> np.ndarray:
    if output.ndim != prepared.inputs.x.ndim or output.dtype.kind != "f":
        raise MethodError(
            f"layer {name!r} gives shape {output.shape[1:]} for an input of shape {prepared.inputs.x.shape[1:]}: dissection needs "
            "units with a map each, (units, *space); name an earlier layer."
        )
    if not np.isfinite(output).all():
        raise ModelError(f"layer {name!r} gives NaN or infinite numbers: check the inputs and the weights.")
    return output.astype(np.float32, copy=False)


def _tails(method: NetworkDissection, twice: Twice, n: int, masks: Masks) -> dict[str, Tails]:
    """The first look: the level of every unit."""
    tails: dict[str, Tails] = {}
    for _, layers in twice():
        for name, output in layers.items():
            units = np.moveaxis(output, 1, 0).reshape(output.shape[1], -1)  # (u, b * places)
            if name not in tails:
                total = n * int(np.prod(output.shape[2:]))
                tails[name] = Tails(len(units), total, method.quantile, method.stream())
            tails[name].add(units)
    return tails


@dataclass(eq=False)
class Regions:
    """What the second look finds of one layer: counts against an input's own masks and against another's; the top inputs."""

    levels: np.ndarray
    own: Counts
    other: Counts
    top: np.ndarray  # (u, t) rows, -1 where there is none yet
    peaks: np.ndarray
    maps: np.ndarray

    @classmethod
    def empty(cls, levels: np.ndarray, groups: int, masks: Masks, top: int, space: tuple[int, ...]) -> Regions:
        units, shape = len(levels), (groups, len(levels), len(masks.names))
        peaks = np.full((units, top), -np.inf, np.float32)
        maps = np.zeros((units, top, *space), np.float32)
        return cls(levels, Counts.empty(*shape), Counts.empty(*shape), np.full((units, top), -1), peaks, maps)

    def rank(self, rows: np.ndarray, output: np.ndarray) -> None:
        """output (b, u, *space): keep the inputs with the highest activations of each unit, the first of equals"""
        b, units = output.shape[:2]
        peaks = np.concatenate([self.peaks, output.reshape(b, units, -1).max(axis=2).T], axis=1)  # (u, t + b)
        order = np.argsort(-peaks, axis=1, kind="stable")[:, : self.top.shape[1]]
        rows = np.concatenate([self.top, np.broadcast_to(rows, (units, b))], axis=1)
        maps = np.concatenate([self.maps, output.swapaxes(0, 1)], axis=1)
        self.peaks, self.top = (np.take_along_axis(part, order, axis=1) for part in (peaks, rows))
        self.maps = np.take_along_axis(maps, order.reshape(*order.shape, *(1,) * (maps.ndim - 2)), axis=1)


def _regions(
    method: NetworkDissection, twice: Twice, tails: dict[str, Tails], masks: Masks, n: int
) -> dict[str, Regions]:
    """The second look: every unit's region on every input, against its masks and those of the input half the data away."""
    from pellucid.models.layers import upsample

    groups, found = min(n, GROUPS), dict[str, Regions]()
    for rows, layers in twice():
        for name, output in layers.items():
            if name not in found:
                found[name] = Regions.empty(tails[name].levels(), groups, masks, min(method.top, n), output.shape[2:])
            found[name].rank(rows, output)
        for place, row in enumerate(rows.tolist()):
            own, other = masks.of(row), masks.of((row + n // 2) % n) if n > 1 else None
            for name, output in layers.items():
                one = found[name]
                # interpolation exceeds no peak, so most units need not be looked at
                on = np.flatnonzero(output[place].reshape(len(one.levels), -1).max(axis=1) > one.levels)
                shown = upsample(np.ascontiguousarray(output[place][on]), masks.space).reshape(
                    len(on), math.prod(masks.space)
                )
                regions = (shown > one.levels[on, None]).astype(np.float32)
                group = row * groups // n
                one.own.add(group, on, regions, own)
                one.other.add(group, on, regions, own if other is None else other)
    return found


def _record(
    method: NetworkDissection,
    names: Sequence[str],
    found: dict[str, Regions],
    masks: Masks,
    how: tuple[Prepared, Meter, dict[str, Tails]],
) -> ConceptScores:
    prepared, meter, tails = how
    units = tuple(_dissection(method, found[name], masks, len(prepared.inputs.x)) for name in names)
    absent = units[0].share == 0
    blank = np.where(absent, np.nan, 0.0)[:, None]
    best = [np.nan_to_num(one.iou).argmax(axis=0) for one in units]  # (c,) of each layer
    every = np.arange(len(masks.names))
    scores, stderr = (
        np.stack([getattr(one, part)[k, every] for one, k in zip(units, best, strict=True)], axis=1) + blank
        for part in ("iou", "stderr")
    )
    p = np.stack(
        [
            np.minimum(above_chance(found[name].own, found[name].other)[k, every] * len(one), 1)
            for name, one, k in zip(names, units, best, strict=True)
        ],
        axis=1,
    )
    reach = stats.t.ppf(0.975, max(len(found[names[0]].own.both) - 1, 1)) * stderr
    return ConceptScores(
        concepts=masks.names,
        layers=tuple(names),
        scores=scores,
        stderr=stderr,
        low=np.maximum(scores - reach, 0),
        high=np.minimum(scores + reach, 1),
        p=p + blank,
        adjusted=holm(p + blank),
        reasons=tuple(("no pixel is marked as it" if no else "",) * len(names) for no in absent.tolist()),
        units=units,
        level=method.level,
        method=method,
        receipt=receipt(
            method,
            meter,
            packages=prepared.adapter.packages,
            layer=", ".join(names),
            stderr=float(np.nanmax(stderr)) if np.isfinite(stderr).any() else None,
            warnings=_warnings(method, units, masks),
            notes=_notes(prepared, masks, tails),
        ),
    )


def _dissection(method: NetworkDissection, one: Regions, masks: Masks, n: int) -> Dissection:
    pixels = n * float(np.prod(masks.space))
    return Dissection(
        iou=one.own.iou(),
        stderr=jackknife(one.own.left_out()),
        chance=one.other.iou() if n > 1 else np.full(one.own.iou().shape, np.nan),
        levels=one.levels.astype(float),
        area=one.own.region.sum(axis=0) / pixels,
        share=one.own.concept.sum(axis=0) / pixels,
        top=one.top,
        peaks=one.peaks.astype(float),
        maps=one.maps,
        threshold=method.threshold,
    )


def _warnings(method: NetworkDissection, units: tuple[Dissection, ...], masks: Masks) -> tuple[str, ...]:
    said = []
    share = units[0].share
    large = [
        f"{name} ({part:.1%})"
        for name, part in zip(masks.names, share.tolist(), strict=True)
        if part * method.threshold > method.quantile
    ]
    if large:
        said.append(
            f"too large to be detected, for regions of {method.quantile:.2%} of all places: {', '.join(large)} of all pixels; a "
            "larger quantile, as in NetworkDissection(quantile=0.05), gives them a chance"
        )
    if len(units[0].iou) and not np.isfinite(units[0].stderr).all():
        said.append("a single input gives no error bar and no chance level")
    for one in units:
        silent = int((one.area == 0).sum())
        if silent:
            said.append(f"{silent} of {len(one)} units exceed their level nowhere: they are constant")
    return tuple(said)


def _notes(prepared: Prepared, masks: Masks, tails: dict[str, Tails]) -> tuple[str, ...]:
    space = prepared.inputs.x.shape[2:]
    size = " x ".join(map(str, masks.space))
    resized = () if space == masks.space else (f"regions are drawn at the masks' size, {size} pixels",)
    return (*resized, *dict.fromkeys(note for one in tails.values() for note in one.note))
