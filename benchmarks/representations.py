"""Similarity of layers and dissection of units: one pass and sums, beside Gram matrices by the definition.

    python -m benchmarks.representations [--only similarity|pass|dissection] [--inputs 4000] [--repeats 3]

Similarity: linear CKA of four layers with four others, 4,000 inputs, 64 to 256 features, beside the definition: centred
Gram matrices of all inputs, made once for each layer (`gram`), or anew for each pair (`gram, pair by pair`), as many scripts do.
Both give the same numbers, which is checked.

One pass: all innermost layers of two convolutional networks on 512 pictures, pooled over space, beside keeping
everything: activations gathered first, Gram matrices after. Also the most bytes that NumPy held at once.

Dissection: one layer of MobileNetV2 on the street scenes, where PELLUCID_DATA names the folder of real data.

CPU seconds of the process on one thread; *ratio* is theirs over ours. Medians of interleaved repeats.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

import pellucid as pc

Layers = dict[str, np.ndarray]


def gram(x: np.ndarray) -> np.ndarray:
    """(n, p) -> centred (n, n)"""
    K = x @ x.T
    return K - K.mean(axis=0) - K.mean(axis=1, keepdims=True) + K.mean()


def by_gram(A: Layers, B: Layers) -> np.ndarray:
    """Gram matrices made once."""
    K, L = ([gram(x.astype(float)) for x in side.values()] for side in (A, B))
    own = [[np.linalg.norm(one) for one in side] for side in (K, L)]
    return np.array(
        [[(k * m).sum() / (a * b) for m, b in zip(L, own[1], strict=True)] for k, a in zip(K, own[0], strict=True)]
    )


def pair_by_pair(A: Layers, B: Layers) -> np.ndarray:
    """Gram matrices made anew for each pair."""
    return np.array([[by_gram({"a": a}, {"b": b})[0, 0] for b in B.values()] for a in A.values()])


def timed(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of interleaved runs."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def tell(what: str, seconds: dict[str, float], more: str = "") -> None:
    ours = next(iter(seconds.values()))
    print(f"\n{what}{more}")
    for name, value in seconds.items():
        print(f"  {name:34s} {value:8.3f} s   ratio {value / ours:6.1f}")


def similarity(inputs: int, repeats: int) -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(inputs, 64))
    sides = [
        {
            f"{width}": np.tanh(hidden @ rng.normal(size=(64, width)) / 8).astype(np.float32)
            for width in (64, 96, 128, 256)
        }
        for _ in range(2)
    ]
    ways: dict[str, Callable[[], np.ndarray]] = {
        "pellucid, CKA()": lambda: pc.similarity(*sides).matrix,
        "pellucid, CKA(unbiased=True)": lambda: pc.similarity(*sides, pc.CKA(unbiased=True)).matrix,
        "gram": lambda: by_gram(*sides),
        "gram, pair by pair": lambda: pair_by_pair(*sides),
    }
    np.testing.assert_allclose(ways["pellucid, CKA()"](), by_gram(*sides), rtol=1e-6)
    tell(f"CKA of 4 x 4 layers, {inputs} inputs", timed(ways, repeats))


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for k in range(12):
        layers += [nn.Conv2d(3 if k == 0 else 32, 32, 3, padding=1, stride=2 if k in (4, 8) else 1), nn.ReLU()]
    return nn.Sequential(*layers)


def peak(run: Callable[[], Any]) -> float:
    """Megabytes that NumPy held at most."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def one_pass(repeats: int) -> None:
    one, two = network(0), network(1)
    x = np.random.default_rng(0).normal(size=(512, 3, 32, 32)).astype(np.float32)
    names = [name for name, _ in one.named_children()]

    def kept() -> np.ndarray:
        sides = [{k: v.mean((2, 3), dtype=float) for k, v in pc.activations(m, x, names).items()} for m in (one, two)]
        return by_gram(*sides)

    ways: dict[str, Callable[[], np.ndarray]] = {
        "pellucid, one pass": lambda: pc.similarity(one, two, inputs=x, pool=True).matrix,
        "activations kept, gram": kept,
    }
    np.testing.assert_allclose(ways["pellucid, one pass"](), kept(), rtol=1e-4, atol=1e-5)
    sizes = ", ".join(f"{name}: {peak(run):.0f} MB" for name, run in ways.items())
    tell(f"all pairs of {len(names)} layers of two networks, 512 pictures", timed(ways, repeats), f" ({sizes})")


def dissection() -> None:
    folder = os.environ.get("PELLUCID_DATA")
    if not folder:
        print("\ndissection: set PELLUCID_DATA to the folder of real data")
        return
    from PIL import Image

    sys.path.insert(0, str(Path(__file__).parents[1] / "notebooks"))
    from mobilenet import mobilenet

    files = sorted((Path(folder) / "camvid/images").glob("*.jpg"))
    pictures = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]) / 255
    labels = np.stack([np.asarray(Image.open(file.parents[1] / "masks" / f"{file.stem}.png")) for file in files])
    x = ((pictures - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(0, 3, 1, 2).astype(np.float32)
    net = mobilenet(Path(folder))
    ways: dict[str, Callable[[], Any]] = {
        f"NetworkDissection(quantile={q})": lambda q=q: pc.concepts(  # type: ignore[misc]
            net, labels, pc.NetworkDissection(quantile=q), layer="blocks.13.project", inputs=x
        )
        for q in (0.005, 0.05)
    }
    tell(f"one layer of MobileNetV2, {len(x)} street scenes of 360 x 480, 12 labels", timed(ways, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["similarity", "pass", "dissection"])
    parser.add_argument("--inputs", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if given.only in (None, "similarity"):
            similarity(given.inputs, given.repeats)
        if given.only in (None, "pass"):
            one_pass(given.repeats)
        if given.only in (None, "dissection"):
            dissection()


if __name__ == "__main__":
    main()
