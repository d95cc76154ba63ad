"""What a folder of results holds -> one HTML page that needs nothing else: predictions, methods side by side, maps of one nodule.

Whatever a file or a model said is put in as text, escaped; the page runs no script and its style is allowed by its hash.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pellucid.core.errors import InputError
from pellucid.core.sealed import environment, policy
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.benchmarking import FACTS, PICTURES, Benchmark
from pellucid.studies.lung_ct.method_line import MethodLine
from pellucid.studies.lung_ct.overlay import overlay

PAGE = "report.html"
PUBLISHED = (  # milliseconds, MB, cosine: a guide's table, 192 patches on an AMD MI250X
    ("Grad-CAM", 85.1, 899.6, 1.000),
    ("Grad-CAM++", 34.6, 899.6, 1.000),
    ("Integrated gradients", 1130.4, 13914.6, 0.759),
    ("Occlusion", 1583.5, 576.8, 0.050),
)


@dataclass(frozen=True)
class Panel:
    """A picture of the page and what is under it."""

    name: str
    picture: str


def write_report(folder: str | Path) -> Path:
    """`report.html` of what `evaluate` and `benchmark` wrote into a folder"""
    folder = Path(folder)
    with appearing(folder / PAGE) as partial:
        partial.write_text(render(folder), encoding="utf-8")
    return folder / PAGE


def render(folder: Path) -> str:
    """The whole page as text."""
    assessed, found = _assessment(folder), Benchmark.of(folder) if (folder / FACTS).is_file() else None
    if assessed is None and found is None:
        raise InputError(f"{folder.name!r} holds no results: give a folder that `evaluate` or `benchmark` wrote.")
    style = "".join(_style(package, name) for package, name in (("human", "study.css"), ("lung_ct", "report.css")))
    env = environment("pellucid.studies.lung_ct")
    env.filters |= {"three": three, "share": share, "signed": signed, "digits": digits}
    page: str = env.get_template("report.html").render(
        assessed=assessed,
        about=None if found is None else found.about,
        lines=() if found is None else [line for line in found.lines if not line.failed],
        failed=() if found is None else [line for line in found.lines if line.failed],
        said=() if found is None else sentences(found.lines),
        panels=() if found is None else _panels(folder, found),
        published=PUBLISHED,
        policy=policy(style),
        style=Markup(style),
    )
    return page


def _style(package: str, name: str) -> str:
    return (files(f"pellucid.studies.{package}") / "templates" / name).read_text(encoding="utf-8")


def _assessment(folder: Path) -> dict[str, Any] | None:
    path = folder / "assessment.json"
    told: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return told


def _panels(folder: Path, found: Benchmark) -> list[Panel]:
    """The patch, and every map on it"""
    with np.load(folder / PICTURES, allow_pickle=False) as file:
        patch, inside, maps = file["patch"], file["inside"], file["maps"]
    first = Panel("the patch", overlay(patch, np.zeros_like(patch), inside))
    rest = zip(found.lines, maps, strict=True)
    return [first, *(Panel(line.name, overlay(patch, values, inside)) for line, values in rest if not line.failed)]


def sentences(lines: Sequence[MethodLine]) -> list[str]:
    """What the table comes to, in words that its intervals bear."""
    known = [line for line in lines if not line.failed]
    if not known:
        return ["No method has numbers."]
    quick, slow = (pick(known, key=lambda line: line.seconds) for pick in (min, max))
    said = [
        f"{quick.name} takes {three(1e3 * quick.seconds)} ms a patch, {three(quick.forwards)} times one forward pass; "
        f"{slow.name} {three(1e3 * slow.seconds)} ms, {three(slow.forwards)} times."
    ]
    if any(line.nodules for line in known):
        said.append(_named("Points at the nodule more often than chance", known, _points))
    said.append(_named("Ahead of random orders on deletion and on insertion", known, _faithful))
    blank = [f"{line.name} ({share(line.degenerate)})" for line in known if line.degenerate > 0]
    if blank:
        said.append(f"Maps without any pattern, which judge nothing: {', '.join(blank)}.")
    coarse = [line.name for line in known if any("coarser" in note for note in line.notes)]
    if coarse:
        said.append(f"Coarser than half of the nodules, so silent on where in a cell: {', '.join(coarse)}.")
    return said


def _points(line: MethodLine) -> bool:
    return line.pointing_low > line.pointing_chance


def _faithful(line: MethodLine) -> bool:
    return line.deletion_ahead_low > 0 and line.insertion_ahead_low > 0


def _named(what: str, lines: Sequence[MethodLine], holds: Any) -> str:
    names = [line.name for line in lines if holds(line)]
    return f"{what}, intervals considered: {', '.join(names) if names else 'none that can be told'}."


def three(value: float) -> str:
    """Three digits; a dash for what is not known."""
    if not math.isfinite(value):
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def digits(value: float) -> str:
    """Two digits behind the point, three close to one; a dash for what is not known."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if abs(value) > 0.99 else f"{value:.2f}".replace("-", "−")


def signed(value: float) -> str:
    """Two digits that count, and the sign; a dash for what is not known."""
    return f"{value:+.2g}".replace("-", "−") if math.isfinite(value) else "–"


def share(value: float) -> str:
    """A share in per cent."""
    return f"{100 * value:.0f}\u00a0%" if math.isfinite(value) else "–"
