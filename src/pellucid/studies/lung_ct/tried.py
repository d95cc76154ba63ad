"""The methods that are tried on patches, and what their names mean.

In [-1, 1] space zero is tissue in the middle of the window, not absence. What stands for absence is air, -1; integrated gradients
and occlusion are tried from tissue as well, so that a reader sees what the choice does.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import pellucid as pc
from pellucid.core import spelling
from pellucid.core.errors import InputError, PellucidError

AIR, TISSUE = -1.0, 0.0
ALL = "all"


@dataclass(frozen=True)
class Tried:
    """A method under the name that tables give it."""

    name: str
    method: Any


def standard(size: int, layer: str) -> tuple[Tried, ...]:
    """The methods for patches of `size` voxels along a side; class activation maps look at `layer`."""
    window = max(2, size // 8)
    return (
        Tried("Grad-CAM", pc.GradCAM(layer=layer)),
        Tried("Grad-CAM++", pc.GradCAMPlusPlus(layer=layer)),
        Tried("Score-CAM (air)", pc.ScoreCAM(layer=layer, baseline=AIR)),
        Tried("Integrated gradients (air)", pc.IntegratedGradients(steps=32, baseline=AIR)),
        Tried("Integrated gradients (tissue)", pc.IntegratedGradients(steps=32, baseline=TISSUE)),
        Tried("SmoothGrad", pc.SmoothGrad(samples=32)),
        Tried("LRP", pc.LRP()),
        Tried("Occlusion (air)", pc.Occlusion(window=window, baseline=AIR)),
        Tried("Occlusion (tissue)", pc.Occlusion(window=window, baseline=TISSUE)),
        Tried("RISE (air)", pc.RISE(samples=1000, baseline=AIR)),
    )


def tried(wanted: str, size: int, layer: str) -> tuple[Tried, ...]:
    """`all`, or names and spellings with commas between them: `GradCAM, Occlusion, RISE(samples=4000, baseline=-1.0)`

    A bare name, in capitals or not, means the standard settings, of which there may be two.
    """
    known, found = standard(size, layer), []
    for text in _apart(wanted):
        same = [one for one in known if text.lower() in (ALL, type(one.method).__name__.lower())]
        found += same or [_spelled(text, known)]
    return tuple(dict.fromkeys(found))


def _apart(wanted: str) -> list[str]:
    try:
        tree = ast.parse(f"({wanted},)", mode="eval").body
    except (SyntaxError, ValueError):
        raise InputError(f"{wanted!r} names no methods: write 'all', or names with commas between them.") from None
    return [ast.unparse(part) for part in getattr(tree, "elts", [])]


def _spelled(text: str, known: tuple[Tried, ...]) -> Tried:
    names = ", ".join(dict.fromkeys(type(one.method).__name__ for one in known))
    try:
        method = spelling.parse(text)
    except PellucidError as error:
        raise InputError(f"{text!r} is no method: {error} There are {names}, and 'all'.") from None
    if getattr(getattr(method, "card", None), "verb", None) != "explain":
        raise InputError(f"{text!r} does not explain single predictions. There are {names}, and 'all'.")
    return Tried(text, method)
