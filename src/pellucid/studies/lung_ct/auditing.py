"""The audit of a trained network: the library's, with what only this study knows.

Explanations are held to the readers' outlines, where at least half of those who saw the nodule agree. Performance is told by the
size of the nodule, in the classes that guidelines for follow-up go by (MacMahon et al., Radiology 2017: below 6 mm, 6 to 8 mm,
above). Absence is air, which is -1 in patches, and class activation maps are made at a layer that still says where.

Row numbers on the page count the patches of the split from zero, in the order of the index and of `predictions.csv`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pellucid as pc
from pellucid.studies.lung_ct.benchmarking import placed
from pellucid.studies.lung_ct.evaluate import chosen_rows, opened
from pellucid.studies.lung_ct.network import CLASSES, map_layer
from pellucid.studies.lung_ct.patches import agreed, load
from pellucid.studies.lung_ct.tried import AIR

SIZES = ("nodule below 6 mm", "nodule of 6 to 8 mm", "nodule above 8 mm")


def audit(
    network: str | Path,
    patches: str | Path,
    folder: str | Path,
    *,
    split: str = "test",
    rows: int = 8,
    methods: Any = None,
    budget: Any = None,
    resume: bool = False,
    device: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> pc.Audit:
    """Audit a network on a split, into a folder: `audit.html`, `audit.json`, and the records."""
    model, described = opened(network, patches)
    index = chosen_rows(patches, split, ())
    with placed(model, device) as (ready, _):
        return pc.audit(
            ready,
            load(patches, index["name"]),
            index["label"].to_numpy(),
            budget=budget,
            out=folder,
            resume=resume,
            by=sizes(index),
            where=agreed(patches, index),
            methods=usual_methods(ready, described["recipe"]["size"]) if methods is None else methods,
            rows=rows,
            classes=CLASSES,
            held_out=split != "train",
            name="Lung nodules in CT",
            progress=progress,
        )


def usual_methods(model: Any, size: int) -> list[Any]:
    """Maps of patches of this size: against air where there is a reference"""
    cell = max(1, size // 8)
    whole, hidden = pc.IntegratedGradients(steps=24, baseline=AIR), pc.Occlusion(2 * cell, cell, AIR)
    return [whole, pc.GradCAM(layer=map_layer(model, size)), hidden]


def sizes(index: Any) -> np.ndarray:
    """(n,) the group of each patch: background, or the nodule's size"""
    diameter, nodule = index["diameter"].to_numpy(float), index["label"].to_numpy() == 1
    return np.select([~nodule, diameter < 6, diameter <= 8], ["background", *SIZES[:2]], SIZES[2])
