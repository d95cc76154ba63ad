"""TCAV beside captum's on the same sets, in one process; the share of positive slopes from either.

    python -m benchmarks.concepts [--repeats 3] [--sets 5] [--data]

A convolutional network on pictures of 32 x 32 (made up, no data needed) and, with `--data`, MobileNetV2 on ImageNet photographs and
striped textures from the folder that PELLUCID_DATA names. One concept meets each of several random sets of its size, at two layers;
the score is taken over the inputs. captum trains one stochastic-gradient classifier for each pair of sets and layer and passes
gradients over the inputs once for each layer; its store of activations is empty at each repeat.
Ours is asked for as many runs as there are random sets and more (at least 20), and for its default of 400, which also
gives interval, test and held-out accuracy.

CPU seconds of the process on one thread; *ratio* is captum's over ours. Medians of interleaved repeats. Scores: ours is the mean
over runs, captum's the mean over random sets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from captum.concept import TCAV as CaptumTCAV
from captum.concept import Concept
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.data import DataLoader

import pellucid as pc


def small() -> tuple[nn.Module, list[str], np.ndarray, np.ndarray, np.ndarray, int]:
    """Network, layers, concept (40), random pictures (n, ...), inputs (60), target"""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(3, 16, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )
    rng = np.random.default_rng(0)
    concept = rng.normal(size=(40, 3, 32, 32)).astype(np.float32)
    concept[:, 0] += np.sin(np.arange(32) * 1.5).astype(np.float32)
    return net.eval(), ["3", "5"], concept, _noise(rng, 400), _noise(rng, 60), 3


def _noise(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=(n, 3, 32, 32)).astype(np.float32)


def photographs() -> tuple[nn.Module, list[str], np.ndarray, np.ndarray, np.ndarray, int]:
    """Stripes and the zebra's score at two layers of MobileNetV2"""
    sys.path.insert(0, str(Path(__file__).parents[1] / "notebooks"))
    from mobilenet import mobilenet, picture, samples

    data = Path(os.environ["PELLUCID_DATA"])
    photos, _ = samples(data, 100)
    stripes = np.stack([picture(path) for path in sorted((data / "tcav_striped").glob("*.jpg"))[:20]])
    return (
        mobilenet(data),
        ["blocks.14", "blocks.16"],
        stripes,
        photos.astype(np.float32),
        photos[:40].astype(np.float32),
        340,
    )


def captum(net: nn.Module, layers: list[str], sets: list[np.ndarray], inputs: np.ndarray, target: int) -> np.ndarray:
    """sets: the concept, then random ones -> (l,) the mean share of positive slopes"""
    named = [Concept(i, f"set{i}", DataLoader(torch.from_numpy(one), 16)) for i, one in enumerate(sets)]
    with tempfile.TemporaryDirectory() as folder:
        tcav = CaptumTCAV(net, layers, save_path=folder)
        found = tcav.interpret(torch.from_numpy(inputs), [[named[0], other] for other in named[1:]], target=target)
    counts = [[found[pair][layer]["sign_count"][0].item() for pair in found] for layer in layers]
    return np.mean(counts, axis=1)


def compare(title: str, case: tuple[Any, ...], sets: int, repeats: int) -> None:
    net, layers, concept, others, inputs, target = case
    size = len(concept)
    random = [others[i * size : (i + 1) * size] for i in range(min(sets, len(others) // size))]

    def ours(method: pc.TCAV) -> np.ndarray:
        record = pc.concepts(net, {"c": concept}, method, layer=layers, inputs=inputs, target=target, random=random)
        return record.runs[0].mean(axis=1)

    work: dict[str, Callable[[], np.ndarray]] = {
        "captum": lambda: captum(net, layers, [concept, *random], inputs, target),
        "mean difference, 20 runs": lambda: ours(pc.TCAV(cav="mean-difference", runs=20)),
        "mean difference, 400 runs": lambda: ours(pc.TCAV(cav="mean-difference")),
        "logistic, 20 runs": lambda: ours(pc.TCAV(runs=20)),
        "logistic, 400 runs": lambda: ours(pc.TCAV()),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    made = {}
    for _ in range(repeats):
        for name, run in work.items():
            start = time.process_time()
            made[name] = run()
            taken[name].append(time.process_time() - start)
    print(f"\n{title}: {size} examples, {len(random)} random sets, {len(inputs)} inputs, layers {', '.join(layers)}")
    theirs = statistics.median(taken["captum"])
    for name, each in taken.items():
        middle = statistics.median(each)
        scores = ", ".join(f"{score:.2f}" for score in made[name])
        print(f"  {name:28s} {middle:8.3f} s   ratio {theirs / middle:6.2f}   scores {scores}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--data", action="store_true", help="MobileNetV2 and photographs too")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        compare("pictures of 32 x 32", small(), given.sets, given.repeats)
        if given.data:
            compare("MobileNetV2", photographs(), min(given.sets, 5), given.repeats)


if __name__ == "__main__":
    main()
