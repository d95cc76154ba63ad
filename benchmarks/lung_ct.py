"""Explanations of one 64^3 patch: beside one forward pass, occlusion beside a plain loop, and memory against steps; one process.

    python -m benchmarks.lung_ct [--network narrow] [--device cpu] [--size 64] [--repeats 2]

The network has random weights, which costs what trained ones do. On a processor seconds are of CPU time, on a GPU of the clock with
the device waited for. "Plain loop" hides one window after the other in a copy of the patch and asks for each by itself. Ours and
the loop take turns; ratios are of the quickest runs. Memory is the device's own peak, or how far the process grew, sampled every
2 ms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from benchmarks.removal import measured

import pellucid as pc
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct.network import build


def patch(size: int) -> np.ndarray:
    """Lung with a nodule in the middle, (1, 1, size, size, size)"""
    rng = np.random.default_rng(0)
    away = np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0)
    values = np.where(away < size / 8, 0.3, -0.8) + rng.normal(0, 0.05, (size,) * 3)
    return np.clip(values, -1, 1).astype(np.float32)[None, None]


def plain_occlusion(net: Any, x: np.ndarray, window: int, baseline: float, device: str) -> np.ndarray:
    """Window by window: how far the number of a nodule falls, (windows,)"""
    size, drops = x.shape[-1], []
    with torch.no_grad():
        whole = float(net(torch.as_tensor(x).to(device))[0, 1])
        for z in range(0, size, window):
            for y in range(0, size, window):
                for across in range(0, size, window):
                    hidden = x.copy()
                    hidden[:, :, z : z + window, y : y + window, across : across + window] = baseline
                    drops.append(whole - float(net(torch.as_tensor(hidden).to(device))[0, 1]))
    return np.array(drops)


class Meter:
    """Seconds of a task, and the MB that it held at most."""

    def __init__(self, device: str) -> None:
        self.gpu = device.startswith("cuda")

    def seconds(self, task: Callable[[], Any]) -> float:
        if not self.gpu:
            start = time.process_time()
            task()
            return time.process_time() - start
        torch.cuda.synchronize()
        start = time.perf_counter()
        task()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    def megabytes(self, task: Callable[[], Any]) -> float:
        if self.gpu:
            torch.cuda.reset_peak_memory_stats()
            floor = torch.cuda.memory_allocated()
            task()
            return (torch.cuda.max_memory_allocated() - floor) / 1e6
        return measured(task)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["narrow", "resnet18"], default="narrow")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    net, x = build(options.network).eval().to(options.device), patch(options.size)
    meter, ready = Meter(options.device), torch.as_tensor(x).to(options.device)
    layer = lung_ct.map_layer(net, options.size)
    methods = {one.name: one.method for one in lung_ct.standard(options.size, layer)}

    def explain(method: Any) -> Any:
        return pc.explain(net, x, method, target=1)

    def forward() -> None:
        with torch.no_grad():
            net(ready)

    for task in (forward, lambda: explain(pc.GradCAM(layer=layer)), lambda: explain(pc.Saliency())):
        task()  # what is loaded once
    one = min(meter.seconds(forward) for _ in range(10))
    print(f"{options.network}, {options.size}^3, {options.device}: one forward pass {1e3 * one:.2f} ms")
    for name, method in methods.items():
        seconds = min(meter.seconds(lambda method=method: explain(method)) for _ in range(options.repeats))  # type: ignore[misc]
        rows = explain(method).receipt
        asked = f"{rows.rows_forward:5d} rows forward {rows.rows_backward:3d} backward"
        print(f"  {name:<30} {1e3 * seconds:9.1f} ms  {seconds / one:8.1f} forward passes  {asked}")
    occlusion = methods["Occlusion (air)"]
    ours, loops = [], []
    for _ in range(options.repeats):
        ours.append(meter.seconds(lambda: explain(occlusion)))
        loops.append(meter.seconds(lambda: plain_occlusion(net, x, occlusion.window, -1.0, options.device)))
    found = explain(occlusion).players.values[0]
    assert np.allclose(found, plain_occlusion(net, x, occlusion.window, -1.0, options.device), atol=1e-4)
    print(f"occlusion: {min(ours):.3f} s, plain loop {min(loops):.3f} s, ratio {min(loops) / min(ours):.2f}")
    for steps in (16, 64, 256):
        grown = meter.megabytes(lambda steps=steps: explain(pc.IntegratedGradients(steps=steps, baseline=-1.0)))  # type: ignore[misc]
        print(f"integrated gradients, {steps:3d} steps: {grown:6.0f} MB")


if __name__ == "__main__":
    main()
