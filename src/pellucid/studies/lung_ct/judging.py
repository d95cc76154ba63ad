"""One method on some patches: what it costs, whether it stays, whether it hits what the network looks at, and what readers drew.

    seconds     each patch by itself, warmed, the clock read when the device has finished; beside one forward pass of the same patch
    stability   mean cosine with the maps of 5 copies with noise N(0, 0.02^2) in [-1, 1] space, which may leave that range a little
    deletion    windows hidden in the map's order against random orders, under fills that are no method's baseline
    pointing    the highest voxel, and the share of relevance, where at least half of the readers drew the nodule

Gradients say how a voxel changes the score, not how much it contributes, so SmoothGrad and Saliency are judged by magnitude.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pellucid as pc
from pellucid.core.registry import need
from pellucid.studies.lung_ct.method_line import MethodLine, over_patients
from pellucid.studies.lung_ct.tried import Tried

TARGET = 1  # the network's number for a nodule
TRIALS, SIGMA = 5, 0.02
_TIMED = 4  # patches that are timed: a method's cost hardly depends on the patch
_MASS = ("magnitudes", "rank_accuracy", "iou", "iou_by_chance")

Heard = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Subject:
    """A network on its device, and the patches that it explains."""

    network: Any
    x: np.ndarray  # (n, 1, size, size, size)
    patients: np.ndarray  # (n,) pseudonyms
    inside: np.ndarray  # (n, size, size, size) where the readers agree on a nodule
    step: float  # mm along the side of a voxel
    diameter: float  # mm, the median of the nodules; NaN without any

    @property
    def size(self) -> int:
        return int(self.x.shape[-1])


def metrics(size: int, absolute: bool = False) -> tuple[Any, ...]:
    """What every method is judged by; windows of a 16th of the patch come and go at once. `absolute` judges magnitudes."""
    window = max(1, size // 16)
    return (
        pc.Stability(trials=TRIALS, sigma=SIGMA, relative=False),
        pc.Deletion(steps=16, window=window, absolute=absolute),
        pc.Insertion(steps=16, window=window, absolute=absolute),
        pc.PointingGame(absolute=absolute),
        pc.Localization(absolute=absolute),
    )


def latency() -> Any:
    """How explanations are timed: once to warm up, then so often."""
    return pc.Latency(warmup=1, repeats=5)


def _is_slope(method: Any) -> bool:
    """Whether a map says how fast the score moves, not what a voxel contributed."""
    return isinstance(method.method if isinstance(method, pc.SmoothGrad) else method, pc.Saliency)


def judge(subject: Subject, one: Tried, heard: Heard = lambda part: None) -> tuple[MethodLine, Any]:
    """The line of a method, and its maps (n, size, size, size)"""
    heard("explains")
    record = pc.explain(subject.network, subject.x, one.method, target=TARGET)
    heard("is timed")
    numbers: dict[str, Any] = _cost(subject, record)
    heard("is judged")
    nodules = int(subject.inside.any((1, 2, 3)).sum())
    judges = metrics(subject.size, _is_slope(one.method))
    chosen = [metric for metric in judges if nodules or "truth" not in metric.card.needs]
    card = pc.evaluate(subject.network, record, chosen, truth=subject.inside if nodules else None)
    numbers |= _stability(card, subject) | _orders(card, subject) | (_places(card, subject) if nodules else {})
    grain = grain_of(one.method, record, subject)
    said = (*_coarse(grain, subject), *_offset(one.method), *record.receipt.warnings, *card.receipt.warnings)
    patients = len(set(subject.patients))
    line = MethodLine(one.name, repr(one.method), len(record), patients, nodules=nodules, grain_mm=grain, **numbers)
    return dataclasses.replace(line, notes=tuple(dict.fromkeys(said))), record.collapse("sum")


def _cost(subject: Subject, record: Any) -> dict[str, float]:
    few = record[: min(_TIMED, len(record))]
    before = forward_seconds(subject)
    (curve,) = pc.evaluate(subject.network, few, latency()).curves
    forward = float(np.median([*before, *forward_seconds(subject)]))
    seconds = curve.detail["seconds"]
    return {
        "seconds": float(np.median(seconds)),
        "seconds_p95": float(np.quantile(seconds, 0.95)),
        "seconds_batch": float(np.median(curve.detail["together"])),
        "forward_seconds": forward,
        "forwards": float(np.median(seconds)) / forward,
        "rows_forward": float(curve.detail["rows_forward"].mean()),
        "rows_backward": float(curve.detail["rows_backward"].mean()),
        "peak_bytes": float(curve.detail["peak_bytes"].max()),
    }


def forward_seconds(subject: Subject, repeats: int = 10) -> list[float]:
    """One patch through the network as often as that, after two passes that nobody times; no gradient, nothing copied."""
    torch, seconds = need("torch", "Timing"), []
    device = next(subject.network.parameters()).device
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    x = torch.as_tensor(subject.x[:1]).to(device)
    with torch.no_grad():
        for _ in range(repeats + 2):
            wait()
            start = time.perf_counter()
            subject.network(x)
            wait()
            seconds.append(time.perf_counter() - start)
    return seconds[2:]


def _patterned(curve: Any, values: np.ndarray) -> np.ndarray:
    """values (n,), NaN where the map is constant"""
    return np.where(curve.degenerate, np.nan, values)


def _stability(card: Any, subject: Subject) -> dict[str, float]:
    curve = card["Stability"]
    mean, low, high = over_patients(_patterned(curve, curve.value), subject.patients)
    found = {
        name: over_patients(_patterned(curve, curve.detail[name]), subject.patients)[0]
        for name in ("centred_cosine", "rank_correlation")
    }
    return found | {
        "cosine": mean,
        "cosine_low": float(np.clip(low, -1, 1)),
        "cosine_high": float(np.clip(high, -1, 1)),
        "degenerate": float(curve.degenerate.mean()),
        "degenerate_copies": float(curve.detail["degenerate_share"].mean()),
    }


def _orders(card: Any, subject: Subject) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in ("Deletion", "Insertion"):
        curve, key = card[name], name.lower()
        ahead = over_patients(_patterned(curve, curve.advantage), subject.patients)
        found |= dict(zip((f"{key}_ahead", f"{key}_ahead_low", f"{key}_ahead_high"), ahead, strict=True))
        found[key] = over_patients(_patterned(curve, curve.value), subject.patients)[0]
        found[f"{key}_random"] = over_patients(_patterned(curve, curve.chance), subject.patients)[0]
    return found


def _places(card: Any, subject: Subject) -> dict[str, float]:
    pointing, mass = card["PointingGame"], card["Localization"]
    found: dict[str, float] = {}
    for key, curve in (("pointing", pointing), ("mass", mass)):
        told = over_patients(_patterned(curve, curve.value), subject.patients, hits=key == "pointing")
        found |= dict(zip((key, f"{key}_low", f"{key}_high"), np.clip(told, 0, 1).tolist(), strict=True))
        found[f"{key}_chance"] = over_patients(_patterned(curve, curve.chance), subject.patients)[0]
    names = ("energy", "rank_accuracy", "iou", "iou_chance")
    for name, detail in zip(names, _MASS, strict=True):
        found[name] = over_patients(_patterned(mass, mass.detail[detail]), subject.patients)[0]
    return found


def grain_of(method: Any, record: Any, subject: Subject) -> float:
    """mm along the side of the smallest thing that a map can show: a cell of its layer, a window, a voxel"""
    if record.raw is not None:
        return subject.size * subject.step / record.raw.shape[-1]
    window, cells = getattr(method, "window", None), getattr(method, "cells", None)
    if window is not None:
        return float(np.max(window)) * subject.step
    return subject.step * (subject.size / float(np.min(cells)) if cells is not None else 1.0)


def _offset(method: Any) -> list[str]:
    """What an offset that all voxels share does to numbers that see it."""
    if not method.card.offset:
        return []
    return [
        "all voxels share an offset, so the cosine and the share of relevance inside say little: see the centred cosine and the "
        "rank accuracy"
    ]


def _coarse(grain: float, subject: Subject) -> list[str]:
    if not grain > subject.diameter:
        return []
    return [
        f"the map is coarser than the nodule: its cells are {grain:.3g} mm wide, half of the nodules {subject.diameter:.3g} mm or "
        "less, so it cannot say where in a cell"
    ]
