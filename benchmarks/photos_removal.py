"""Methods by removal beside Grad-CAM on photographs: deletion and insertion in one table, as in the RISE paper's table 1.

    PELLUCID_DATA=folder python -m benchmarks.photos_removal [--photos 10] [--masks 1000] [--out table.md] [--pictures folder]

ImageNet photographs and MobileNetV2 (real weights, from the data folder). The score is the probability of the predicted
class. Deletion (lower is better) and insertion (higher is better) are areas under the curve; beside each stands the same
area of random orders with the same fill. With 1,000 masks on two cores this takes about an hour: begin with fewer.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pellucid as pc

sys.path.insert(0, str(Path(__file__).parents[1] / "notebooks"))
from mobilenet import mobilenet, samples


def contestants(masks: int, steps: int) -> dict[str, tuple[Any, Any]]:
    """Name -> (method, masker)."""
    quickshift = pc.Superpixels(pc.Quickshift())
    return {
        "LIME, quickshift": (pc.LIME(samples=masks), quickshift),
        "LIME, SLIC": (pc.LIME(samples=masks), pc.Superpixels(pc.SLIC(segments=50))),
        "RISE": (pc.RISE(samples=masks), None),
        "Occlusion": (pc.Occlusion(window=32), None),
        "MeaningfulPerturbation": (pc.MeaningfulPerturbation(steps=steps), None),
        "GradCAM": (pc.GradCAM(), None),
    }


def line(name: str, record: pc.Attribution, card: pc.Scorecard) -> str:
    """One row of the table: means over photographs, and CPU seconds a photograph."""
    cells = [name]
    for curve in card.curves:
        cells += [f"{curve.value.mean():.3f}", f"{curve.chance.mean():.3f}"]
    forward, backward = record.receipt.rows_forward, record.receipt.rows_backward
    cells += [f"{forward / len(record):,.0f}", f"{backward / len(record):,.0f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=10)
    parser.add_argument("--masks", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--randoms", type=int, default=4)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    data = Path(os.environ["PELLUCID_DATA"])
    net, (x, _) = mobilenet(data), samples(data, options.photos)
    metrics = [pc.Deletion(steps=28, randoms=options.randoms), pc.Insertion(steps=28, randoms=options.randoms)]
    target = pc.Predicted(scale="probability")
    lines = [
        f"{options.photos} photographs, {options.masks:,} masks or samples, {options.steps} steps",
        "",
        "| method | deletion | random | insertion | random | rows forward | backward |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    records = []
    for name, (method, masker) in contestants(options.masks, options.steps).items():
        record = pc.explain(net, x, method, target=target, masker=masker)
        lines.append(line(name, record, pc.evaluate(net, record, metrics)))
        records.append(record)
        print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        for row in range(len(x)):
            pc.plot.gallery(records, row)[0].figure.savefig(options.pictures / f"{row}.png", dpi=100)


if __name__ == "__main__":
    np.set_printoptions(precision=3)
    main()
