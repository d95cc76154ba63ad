"""Maps of photographs against random rankings: deletion and insertion on ImageNet photographs with MobileNetV2's real weights.

    PELLUCID_DATA=/path/to/data python -m benchmarks.photos [--photos 20] [--out docs/evidence/gradient.md]

Each method orders the 14 x 14 windows of 16 pixels of a photograph; random orders of the same windows, drawn per photograph,
are measured beside it. The score is the network's own output for the class it predicts. Intervals are paired: Student's t
over photographs, on each photograph's difference between its explanation and its random orders.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from notebooks.mobilenet import mobilenet, samples

import pellucid as pc

METRICS = [kind(steps=6, randoms=2, window=16) for kind in (pc.Deletion, pc.Insertion)]
METHODS: dict[Any, int | None] = {  # how many photographs at most
    pc.GradCAM(): None,
    pc.GradCAMPlusPlus(): None,
    pc.LayerCAM(): None,
    pc.IntegratedGradients(steps=10): None,
    pc.LRP(): None,
    pc.ScoreCAM(layer="blocks"): 5,
    pc.LRP.epsilon_plus_flat(): None,
    pc.DeepLift(): None,
    pc.GuidedBackprop(): None,
}
HEAD = """\
# Gradient methods and class activation maps on photographs

Does the order in which a map ranks places mean more than a random order? {count} ImageNet photographs, MobileNetV2 with its
real weights; windows of 16 pixels are hidden (deletion, by the picture's mean colour) or shown (insertion, on its blurred
copy) in the order of the map, and in {randoms} random orders drawn for each photograph. *Advantage* is the area between the two
curves of the class score, positive where the map is better, with the paired 95 % interval over photographs.

| method | photographs | deletion: advantage | verdict | insertion: advantage | verdict | CPU s per map |
|---|---|---|---|---|---|---|
"""
FOOT = """
Made by `python -m benchmarks.photos` on one thread of a busy machine.
Values per pixel are summed over colours and averaged over a window.
"""


def row(model: torch.nn.Module, x: Any, method: Any) -> str:
    """One line of the table."""
    start = time.process_time()
    record = pc.explain(model, x, method)
    seconds = (time.process_time() - start) / len(x)
    card = pc.evaluate(model, record, METRICS)
    cells = [repr(method).replace("layer=None, grid=None", "").replace(", relu=True", "").replace("relu=True", "")]
    cells = [f"`{cells[0].replace('(, ', '(')}`", str(len(x))]
    for line in card.lines:
        cells += [f"{line.advantage:+.2f} ({line.advantage_low:+.2f} to {line.advantage_high:+.2f})", line.verdict]
    return f"| {' | '.join([*cells, f'{seconds:.2f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ["PELLUCID_DATA"])
    model, (x, _) = mobilenet(data), samples(data, chosen.photos)
    head, lines = HEAD.format(count=chosen.photos, randoms=METRICS[0].randoms), list[str]()
    for method, most in METHODS.items():
        lines.append(row(model, x[:most], method))
        print(lines[-1], flush=True)
        if chosen.out is not None:
            chosen.out.parent.mkdir(parents=True, exist_ok=True)
            chosen.out.write_text(head + "\n".join(lines) + "\n" + FOOT, encoding="utf-8")


if __name__ == "__main__":
    main()
