"""Pictures by removal beside the network's own time: LIME, RISE and a plain RISE loop, 224 x 224, in one process.

    python -m benchmarks.removal [--masks 4000] [--samples 1000] [--repeats 3]

They take turns; medians of process CPU seconds and ratios are printed. "forward alone" is the network on as many ready
inputs in batches of the same size; "plain RISE" enlarges each mask by scipy and asks batch by batch, as the authors'
reference does. "cut out" is how pictures were masked before masks were blended on the device: whole pictures in NumPy. Memory
is the largest resident size during a run less that before it, sampled every 2 ms, less the same for the network alone.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import torch
from scipy.ndimage import zoom
from skimage.data import astronaut
from torch import nn

import pellucid as pc
from pellucid.core.masking import Form

SIDE, BATCH = 224, 27


def small_network() -> nn.Module:
    """Six convolutions: milliseconds a picture, so that overhead would show."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for wide, wider, stride in ((3, 16, 2), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 96, 2)):
        layers += [nn.Conv2d(wide, wider, 3, stride=stride, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10)).eval()


def forward(net: nn.Module, x: np.ndarray, rows: int) -> None:
    """The network on so many ready pictures."""
    ready = torch.from_numpy(np.repeat(x, BATCH, 0))
    with torch.no_grad():
        for start in range(0, rows, BATCH):
            net(ready[: min(BATCH, rows - start)])


def plain_rise(net: nn.Module, x: np.ndarray, masks: int) -> np.ndarray:
    """The reference's loop: 7 x 7 cells enlarged to 256 x 256, cropped at random, averaged."""
    rng, total = np.random.default_rng(0), np.zeros((SIDE, SIDE))
    with torch.no_grad():
        for start in range(0, masks, BATCH):
            drawn = []
            for _ in range(min(BATCH, masks - start)):
                large = zoom((rng.random((7, 7)) < 0.5).astype(np.float32), 256 / 7, order=1)
                down, across = rng.integers(0, 32, 2)
                drawn.append(large[down : down + SIDE, across : across + SIDE])
            shown = np.stack(drawn)
            scores = net(torch.from_numpy(x * shown[:, None]))[:, 0].numpy()
            total += np.tensordot(scores, shown, 1)
    return total / masks / 0.5


def cut_out(net: nn.Module, x: np.ndarray, samples: int) -> None:
    """Masked pictures made whole in NumPy, then handed over."""
    bound = pc.Superpixels().bind(x, None, Form(channels=1))
    z = np.random.default_rng(0).random((samples, len(bound.names))) < 0.5
    with torch.no_grad():
        for start in range(0, samples, BATCH):
            net(torch.tensor(bound.fill(z[start : start + BATCH])[:, 0, 0]))


def measured(task: Callable[[], Any]) -> tuple[float, float]:
    """CPU seconds, and MB that the process grew by at most."""
    process, stop, peak = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not stop.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.process_time()
    task()
    spent = time.process_time() - start
    stop.set()
    watcher.join()
    return spent, peak[0] / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", type=int, default=4000)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    photo = astronaut()[:448:2, 32:480:2].transpose(2, 0, 1) / 127.5 - 1
    net, x = small_network(), photo[None].astype(np.float32)
    rise, lime = pc.RISE(samples=options.masks), pc.LIME(samples=options.samples)
    segments = pc.Superpixels()
    tasks: dict[str, Callable[[], Any]] = {
        "RISE": lambda: pc.explain(net, x, rise, target=0),
        "forward alone, RISE": lambda: forward(net, x, options.masks),
        "plain RISE": lambda: plain_rise(net, x, options.masks),
        "LIME": lambda: pc.explain(net, x, lime, target=0, masker=segments),
        "forward alone, LIME": lambda: forward(net, x, options.samples),
        "cut out, LIME": lambda: cut_out(net, x, options.samples),
    }
    pc.explain(net, x, pc.RISE(samples=30), target=0), pc.explain(net, x, pc.Occlusion(), target=0, masker=segments)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(options.repeats):
        for name, task in tasks.items():
            found[name].append(measured(task))
    seconds = {name: float(np.median([s for s, _ in runs])) for name, runs in found.items()}
    memory = {name: max(mb for _, mb in runs) for name, runs in found.items()}
    for name in tasks:
        print(f"{name:<22} {seconds[name]:7.2f} s   {memory[name]:6.0f} MB")
    print(f"RISE / forward alone     {seconds['RISE'] / seconds['forward alone, RISE']:.3f}")
    print(f"plain RISE / RISE        {seconds['plain RISE'] / seconds['RISE']:.2f}")
    print(f"RISE's memory above the network's own  {memory['RISE'] - memory['forward alone, RISE']:.0f} MB")
    print(f"LIME / forward alone     {seconds['LIME'] / seconds['forward alone, LIME']:.3f}")
    print(f"cut out / LIME           {seconds['cut out, LIME'] / seconds['LIME']:.2f}")


if __name__ == "__main__":
    main()
