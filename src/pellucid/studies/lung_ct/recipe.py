"""How patches are made: what has to be the same for two sets of patches to be comparable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.geometry import AIR

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Recipe:
    """`size` voxels of `step` mm along each side; `window` in HU becomes [-1, 1]; positives need so many `readers`; so many
    `backgrounds` for each positive and at least one for each scan; `shares` of patients in training, validation and test."""

    size: int = 64
    step: float = 1.0
    window: tuple[float, float] = (AIR, 400.0)
    readers: int = 2
    backgrounds: int = 1
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 8 or not 0 < self.step < math.inf or self.readers < 1 or self.backgrounds < 0:
            raise InputError(f"{self}: expected size >= 8, step > 0, readers >= 1 and backgrounds >= 0.")
        if not -math.inf < self.window[0] < self.window[1] < math.inf:
            raise InputError(f"window={self.window}: the lower end in HU comes first.")
        if len(self.shares) != 3 or not min(self.shares) >= 0 or not abs(sum(self.shares) - 1) <= 1e-9:
            raise InputError(f"shares={self.shares}: three shares that sum to 1, of training, validation and test.")

    def windowed(self, hu: np.ndarray) -> np.ndarray:
        """HU -> float32 in [-1, 1]"""
        low, high = self.window
        return (np.clip((hu - low) / (high - low), 0, 1) * 2 - 1).astype(np.float32)

    def keep(self, folder: Path) -> None:
        """Write it into a folder of patches; a folder made by another recipe is refused."""
        text = json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        path = folder / "recipe.json"
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise InputError(
                f"{folder.name!r} holds patches of another recipe: give a new folder, or the same options."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with appearing(path) as partial:
            partial.write_text(text, encoding="utf-8")

    @classmethod
    def of(cls, folder: str | Path) -> Recipe:
        """The recipe of a folder of patches."""
        try:
            told = json.loads((Path(folder) / "recipe.json").read_text(encoding="utf-8"))
            fields: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
            return cls(**fields)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{Path(folder).name!r} holds no patches: give a folder that `prepare` made.") from error


def split(patients: set[str], shares: tuple[float, float, float], seed: int) -> dict[str, str]:
    """Which patient is in which split: patients in the order of a digest of (seed, identifier), cut by the shares.

    With at least three patients, every split whose share is above zero has at least one.
    """
    order = sorted(patients, key=lambda patient: hashlib.sha256(f"{seed}\0{patient}".encode()).digest())
    counts = [max(round(share * len(order)), min(1, len(order) // 3)) if share else 0 for share in shares[1:]]
    names = ["test"] * counts[1] + ["validation"] * counts[0]
    names += ["train"] * (len(order) - len(names))
    return dict(zip(order, names, strict=True))
