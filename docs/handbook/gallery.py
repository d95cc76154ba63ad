"""The gallery: every method that explains pictures, on the same pictures, with the evidence for each below.

The scenes are those of the notebooks: a small network on photographs, and where the folder of real data is given also ImageNet's
MobileNetV2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pellucid as pc
import scenes
from handbook import worlds
from handbook.pages import table
from handbook.prose import plain
from pellucid.core.method import GameMethod, SurrogateMethod
from pellucid.core.registry import METHODS, resolve
from pellucid.plot._style import Sheet
from scenes import Scene

ACROSS, INCHES, DOTS = 5, 2.1, 110
ANEW = {"gradients", "inner layer"}  # access of methods that are asked again with weights drawn anew,
OFFSET = {"RISE"}  # methods whose maps mean something only in their differences
NEED_BACKGROUND = {"ExpectedGradients", "DeepShap"}
CHEAP = 150  # where they ask at most so many rows a picture


@dataclasses.dataclass(frozen=True)
class Room:
    """A scene, the pictures of it that are drawn, and the rows that a method which only asks may spend on all of them."""

    scene: Scene
    drawn: tuple[int, ...]
    rows: int


@dataclasses.dataclass(frozen=True)
class Shown:
    """One method in a scene: its record, and what the metrics say of it."""

    name: str
    record: pc.Attribution
    card: pc.Scorecard


def write(folder: Path, real: Path | None, tell: Callable[[str], None]) -> None:
    """The page and its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [LEAD]
    rooms = [Room(scenes.small(worlds.network()), (0, 2), 1500)]
    if real is not None:
        rooms.append(Room(scenes.imagenet(real), (0, 2, 3), 2400))
    for number, room in enumerate(rooms):
        parts.append(_section(room, folder, f"{number}", tell))
    if real is None:
        parts.append(WITHOUT)
    (folder / "index.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


LEAD = """---
hide:
  - toc
  - navigation
---

# Gallery

Every method that explains pictures, asked the same question. Red raises the score of the class, blue lowers it; each map has its
own scale, because methods differ in unit. RISE's maps have an offset and are drawn less their mean. A map that looks convincing is
no evidence: the table below the pictures is."""

WITHOUT = "`make gallery` adds ImageNet's MobileNetV2, where `PELLUCID_DATA` names the folder of real data."


def explained(room: Room, name: str) -> pc.Attribution:
    """One method on all pictures of a scene; one that only asks gets parts as players, and a limit on rows."""
    made, scene = worlds.SHOWN.get(name) or resolve(name)(), room.scene
    ask: dict[str, Any] = {"target": scene.targets}
    if made.card.access != "black box":
        needed = scene.background if name in NEED_BACKGROUND else None
        return pc.explain(scene.model, scene.x, made, background=needed, **ask)
    ask["budget"] = pc.Budget(rows=room.rows)
    if isinstance(made, SurrogateMethod):
        made = dataclasses.replace(made, samples=room.rows // len(scene.x))  # every picture has parts of its own
        return pc.explain(scene.model, scene.x, made, masker=pc.Superpixels(), **ask)
    if not isinstance(made, GameMethod) or made.masker(scene.x) is not None:
        return pc.explain(scene.model, scene.x, made, **ask)
    if name == "ExactShapley":  # 2^9 coalitions for every picture, whatever the budget
        return pc.explain(scene.model, scene.x, made, masker=_windows(scene, 3), target=scene.targets)
    return pc.explain(scene.model, scene.x, made, masker=_windows(scene, 4), **ask)


def _windows(scene: Scene, across: int) -> Any:
    return pc.Grid(window=scene.x.shape[-1] // across)


def shown(room: Room, name: str) -> Shown:
    """A method's record and its scorecard."""
    record = explained(room, name)
    if name in OFFSET:
        record = dataclasses.replace(record, values=record.values - record.values.mean(axis=(1, 2), keepdims=True))
    spent = (record.receipt.rows_forward + record.receipt.rows_backward) / len(record)
    anew = resolve(name).card.access in ANEW and spent <= CHEAP
    return Shown(name, record, scenes.judged(room.scene, record, anew=anew))


def _section(room: Room, folder: Path, prefix: str, tell: Callable[[str], None]) -> str:
    made, left_out, scene = [], [], room.scene
    for name in METHODS:
        card = resolve(name).card
        if card.scope != "local" or "image" not in card.inputs:
            continue
        try:
            made.append(shown(room, name))
        except (pc.PellucidError, ImportError) as error:
            tell(f"not in the gallery: {name}: {error}")
            left_out.append(f"{name} ({plain(str(error))})")
    parts = [f"## {scene.title}"]
    for row in room.drawn:
        file = folder / f"{prefix}-{row}.png"
        _draw([one.record for one in made], [one.name for one in made], row).savefig(file, dpi=DOTS)
        caption = scene.captions[row]
        parts.append(f"### {caption[0].upper()}{caption[1:]}\n\n![Every method on: {caption}]({file.name})")
    parts.append(_evidence(scene, made))
    if left_out:
        parts.append(f"Left out: {'; '.join(left_out)}.")
    return "\n\n".join(parts)


def _draw(records: list[pc.Attribution], names: list[str], row: int) -> Sheet:
    """The picture and every map of it."""
    down = -(-(1 + len(records)) // ACROSS)
    figure = Sheet(figsize=(ACROSS * INCHES, down * INCHES * 1.12), layout="constrained")
    axes = figure.subplots(down, ACROSS).ravel()
    pc.plot.picture(records[0], row, axes[0])
    for record, name, ax in zip(records, names, axes[1:], strict=False):
        pc.plot.image(record, row, ax, key="none")
        ax.set_title(name, loc="left", fontsize=9)
        ax.set_xlabel("")
    for ax in axes[1 + len(records) :]:
        ax.set_axis_off()
    return figure


def _evidence(scene: Scene, made: list[Shown]) -> str:
    """A line per method: what hiding and showing does beside random orders, what is left without the weights, what it cost."""
    head = ["method", "deletion", "insertion", "half the weights", "all weights", "gap", "rows a picture"]
    said = f"Means over {len(scene.x)} pictures. {EXPLAINED}"
    if scene.where is not None:
        head.insert(3, "in its quarter")
        said += " **In its quarter**: the share of positive values inside the class's quarter of a collage; chance gets 25 %."
    return f"### The evidence\n\n{said}\n\n{table(head, [_line(scene, one) for one in made])}"


EXPLAINED = (
    "**Deletion** and **insertion**: the advantage over random orders with its 95 % interval, in units of the score; an interval "
    "above zero is better than random. **Half the weights, all weights**: the rank correlation with the map of the same network "
    "with so many of its layers, counted from the output, drawn anew; only for methods that ask few rows. Near zero is right: a "
    "map that stays the same explains the picture and not the network. **Gap**: the largest difference between the score and base "
    "value plus values, where a method says that it adds up."
)


def _line(scene: Scene, one: Shown) -> list[str]:
    lines = {line.metric: line for line in one.card.lines}
    adds_up, receipt = resolve(one.name).card.complete, one.record.receipt
    cells = [f"[{one.name}](../methods/{one.name}.md)"]
    cells += [scenes.interval(lines[name]) for name in ("Deletion", "Insertion")]
    if scene.where is not None:
        cells.append(f"{scenes.inside(scene, one.record):.0%}")
    cells += [scenes.signed(value) for value in scenes.anew(one.card)] or ["", ""]
    cells.append(f"{np.nanmax(np.abs(one.record.gap)):.1g}" if adds_up else "")
    cells.append(f"{(receipt.rows_forward + receipt.rows_backward) / len(scene.x):,.0f}")
    return cells
