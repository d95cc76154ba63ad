"""What the notebooks and the gallery look at: a network, pictures, the class each is asked about, and the evidence for a map.

Two scenes: a small network on scikit-image's photographs, trained on the spot, and ImageNet's MobileNetV2 where the folder of
real data is there. In the collages it is known where each class is, so maps can be marked.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import mobilenet
import pellucid as pc
import photographs
from pellucid.plot._style import Sheet

COLLAGES = (
    ("cat", "coffee", "astronaut", "rocket"),
    ("motorcycle", "cat", "rocket", "coffee"),
    ("coffee", "rocket", "motorcycle", "astronaut"),
    ("rocket", "astronaut", "cat", "motorcycle"),
)


@dataclasses.dataclass(frozen=True)
class Scene:
    """A network, pictures (n, 3, h, w) and the class that each is asked about."""

    title: str
    model: nn.Module
    x: np.ndarray
    targets: np.ndarray  # (n,)
    words: dict[int, str]  # what classes are called
    captions: tuple[str, ...]
    background: np.ndarray  # (b, 3, h, w)
    where: np.ndarray | None = None  # (n, h, w) True where the class is known to be, all False where it is not known

    @property
    def asked(self) -> tuple[str, ...]:
        """The name of the class that each picture is asked about."""
        return tuple(self.words[int(k)] for k in self.targets)


def scene() -> Scene:
    """MobileNetV2 where PELLUCID_DATA names the folder of real data, else the small network."""
    folder = os.environ.get("PELLUCID_DATA")
    return imagenet(Path(folder)) if folder else small()


def small(model: nn.Module | None = None) -> Scene:
    """The network that is trained on the spot: two subjects, and four collages asked about one quarter each."""
    names, made = photographs.NAMES, [photographs.collage(*four) for four in COLLAGES]
    alone = np.array([names.index(name) for name in ("cat", "motorcycle")])
    asked = np.array([names.index(name) for name in ("cat", "coffee", "motorcycle", "rocket")])
    subjects = photographs.subjects()[alone]
    unknown = np.zeros((len(alone), *subjects.shape[2:]), bool)
    return Scene(
        title="A small network on photographs",
        model=photographs.network() if model is None else model,
        x=np.concatenate([subjects, *(picture for picture, _ in made)]),
        targets=np.concatenate([alone, asked]),
        words=dict(enumerate(names)),
        captions=(*(names[k] for k in alone), *(f"collage, asked for “{names[k]}”" for k in asked)),
        background=photographs.crops(8, np.random.default_rng(1))[0].numpy(),
        where=np.concatenate([unknown, np.stack([place == k for (_, place), k in zip(made, asked, strict=True)])]),
    )


def imagenet(folder: Path) -> Scene:
    """MobileNetV2 on a zebra, a goldfish, and a picture of a dog and a cat, asked about each of them."""
    asked = (("captum_zebra.jpg", 340), ("rise_goldfish.jpg", 1), ("gradcam_both.png", 242), ("gradcam_both.png", 281))
    words = {340: "zebra", 1: "goldfish", 242: "boxer", 281: "tabby cat"}
    blank = np.zeros((1, 3, 224, 224), np.float32)
    return Scene(
        title="ImageNet's MobileNetV2",
        model=mobilenet.mobilenet(folder),
        x=np.stack([mobilenet.picture(folder / "photos" / file) for file, _ in asked]),
        targets=np.array([k for _, k in asked]),
        words=words,
        captions=("zebra", "goldfish", "dog and cat, asked for “boxer”", "dog and cat, asked for “tabby cat”"),
        background=np.concatenate([blank - 1, blank, blank + 1]),
    )


def judged(at: Scene, record: pc.Attribution, *, anew: bool = True) -> pc.Scorecard:
    """Deletion and insertion beside random orders, windows at once, and the map of networks with other weights."""
    window = at.x.shape[-1] // 12
    metrics: list[Any] = [metric(steps=8, randoms=3, window=window) for metric in (pc.Deletion, pc.Insertion)]
    draws = [pc.ModelRandomization(stages=2, draws=1)] if anew else []
    return pc.evaluate(at.model, record, [*metrics, *draws], background=at.background)


def inside(at: Scene, record: pc.Attribution) -> float:
    """The mean share of positive values that lie where the class is, over the pictures in which that is known."""
    assert at.where is not None
    known = at.where.any(axis=(1, 2)) & record.done
    raised = np.maximum(record.collapse("sum")[known], 0).reshape(-1, at.where[0].size)
    total = raised.sum(1)
    shares = (raised * at.where[known].reshape(raised.shape)).sum(1) / np.where(total, total, 1)
    return float(shares[total > 0].mean()) if total.any() else np.nan


def evidence(at: Scene, record: pc.Attribution) -> dict[str, str]:
    """What a reader must see beside the picture, in words."""
    card = judged(at, record)
    lines = {line.metric: line for line in card.lines}
    told = {name.lower(): interval(lines[name]) for name in ("Deletion", "Insertion")}
    told["half / all weights anew"] = " / ".join(map(signed, anew(card)))
    if at.where is not None:
        told["in its quarter"] = f"{inside(at, record):.0%}"
    if np.isfinite(record.gap).any():
        told["largest gap"] = f"{np.nanmax(np.abs(record.gap)):.1g}"
    return told


def anew(card: pc.Scorecard) -> list[float]:
    """Rank correlation with the map of the network of which the upper half of the layers, and all, have other weights."""
    found = [curve for curve in card.curves if curve.metric == "ModelRandomization"]
    return [float(value) for curve in found for value in np.nanmean(curve.detail["by_depth"], axis=0)]


def interval(line: Any) -> str:
    """A metric's advantage over chance, with its 95 % interval over pictures."""
    return f"{signed(line.advantage)} [{signed(line.advantage_low)}, {signed(line.advantage_high)}]"


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def beside(at: Scene, record: pc.Attribution, rows: tuple[int, ...] = (0, 2)) -> Sheet:
    """Pictures with their maps, and the evidence below them."""
    side = 2.3
    figure = Sheet(figsize=(2 * side * len(rows), side + 0.8), layout="constrained")
    axes = figure.subplots(1, 2 * len(rows)).reshape(-1, 2)
    for row, (left, right) in zip(rows, axes, strict=True):
        pc.plot.picture(record, row, left)
        left.set_title(f"asked for “{at.asked[row]}”", loc="left", fontsize=9)
        pc.plot.image(record, row, right, key="none")
        right.set_title(type(record.method).__name__, loc="left", fontsize=9)
    told = evidence(at, record)
    figure.supxlabel("   ".join(f"{name} {value}" for name, value in told.items()), fontsize=9)
    return figure
