"""The picture and the numbers of `docs/why_rather.md`: why this class rather than the runner-up, on ImageNet photographs.

    PELLUCID_DATA=folder python docs/why_rather.py [--photos 20] [--picture why.png]

`folder` holds MobileNetV2's weights and the photographs. For each photograph a map is asked for the network's first class, and a
map for `Margin(first, second)`. Then the highest fifth of the places of either map is blurred, and it is counted how far the first
class's score falls, and how far its lead over the second.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import ttest_1samp

sys.path.insert(0, str(Path(__file__).parents[1] / "notebooks"))

import pellucid as pc
from mobilenet import mobilenet, picture, samples

SHARE = 0.2  # of the places that are blurred
METHODS = (pc.HiResCAM(), pc.GradCAM(relu=False))
BOXER, TABBY = 242, 281


@dataclass(frozen=True, eq=False)
class Fall:
    """What blurring the top places of two maps costs, (n,) each: the score of the first class, and its lead over the second."""

    score_by_class: np.ndarray
    lead_by_class: np.ndarray
    score_by_margin: np.ndarray
    lead_by_margin: np.ndarray

    @property
    def lead(self) -> np.ndarray:
        """(n,) how much more of the lead goes with the contrastive map's places"""
        return self.lead_by_margin - self.lead_by_class

    @property
    def score(self) -> np.ndarray:
        """(n,) how much more of the score goes with the contrastive map's places"""
        return self.score_by_margin - self.score_by_class


def outputs(network: Any, x: np.ndarray) -> np.ndarray:
    """(n, 1000)"""
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(x.astype(np.float32))))


def measured(network: Any, x: np.ndarray, method: Any) -> Fall:
    """Both maps of every photograph, and what their top places are worth."""
    scores, rows = outputs(network, x), np.arange(len(x))
    first, second = np.argsort(-scores, axis=1)[:, :2].T
    targets = (first, pc.Margin(tuple(first.tolist()), tuple(second.tolist())))
    found = []
    for target in targets:
        maps = pc.explain(network, x, method, target=target).collapse("sum")
        lost = scores - outputs(network, without_top(x, maps))
        found += [lost[rows, first], lost[rows, first] - lost[rows, second]]
    return Fall(*found)


def without_top(x: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """x (n, 3, h, w) with the highest share of places of maps (n, h, w) blurred."""
    flat = maps.reshape(len(maps), -1)
    top = np.argsort(-flat, axis=1, kind="stable")[:, : round(SHARE * flat.shape[1])]
    hidden = np.zeros(flat.shape, bool)
    np.put_along_axis(hidden, top, True, axis=1)
    blurred = gaussian_filter(x, (0, 0, 20, 20))
    return np.where(hidden.reshape(len(x), 1, *maps.shape[1:]), blurred, x)


def line(method: Any, fall: Fall) -> str:
    """One line of the page's table."""
    cells = [f"{part.mean():.2f}" for part in (fall.score_by_class, fall.score_by_margin)]
    cells.append(_interval(fall.score))
    cells += [f"{part.mean():.2f}" for part in (fall.lead_by_class, fall.lead_by_margin)]
    cells.append(_interval(fall.lead))
    return f"| `{type(method).__name__}` | {' | '.join(cells)} |"


def _interval(values: np.ndarray) -> str:
    found = ttest_1samp(values, 0).confidence_interval()
    return f"{values.mean():+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def drawn(network: Any, photo: np.ndarray, path: Path) -> None:
    """A dog and a cat: evidence for each, and for the one rather than the other."""
    from matplotlib.figure import Figure

    asked = {"why a boxer?": BOXER, "why a tabby?": TABBY, "boxer rather than tabby?": pc.Margin(BOXER, TABBY)}
    figure = Figure(figsize=(9.6, 2.8), layout="constrained")
    for ax, (title, target) in zip(figure.subplots(1, 3), asked.items(), strict=True):
        record = pc.explain(network, photo[None], pc.HiResCAM(), target=target)
        pc.plot.image(record, 0, ax)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("")
    figure.savefig(path, dpi=75)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    folder = Path(os.environ["PELLUCID_DATA"])
    network, (x, _) = mobilenet(folder), samples(folder, given.photos)
    for method in METHODS:
        print(line(method, measured(network, x, method)), flush=True)
    if given.picture is not None:
        drawn(network, picture(folder / "photos" / "gradcam_both.png"), given.picture)


if __name__ == "__main__":
    main()
