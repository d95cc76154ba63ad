"""Metrics beside Quantus: deletion, sensitivity and randomised weights for 32 pictures of 224 x 224, in one process.

    python -m benchmarks.metrics [--rows 32] [--repeats 3] [--steps 24] [--card]

The two take turns on one thread; process CPU seconds are printed, the smallest of all turns, with the ratio, and beside them what
the network's own passes cost that nobody can avoid. The network is a small one of four convolutions, or MobileNetV2 where
`PELLUCID_DATA` is set. Explanations are absolute gradients on both sides. Deletion follows one order in Quantus; ours follows its
own, its reverse and `--randoms` random ones, so a curve's price stands beside the whole. `--card` times `pc.compare` of six methods
on 8 pictures by its default metrics instead, with progress. Pictures are ImageNet's photographs where `PELLUCID_DATA` is set.

Quantus 0.6 still asks NumPy for `trapz`, which NumPy 2 dropped: it is put back here, for Quantus alone.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import pellucid as pc

SIDE = 224
METHODS = ("Saliency()", "InputXGradient()", "GradCAM()", "GradCAMPlusPlus()", "LayerCAM()", "LRP()")


def network() -> tuple[str, nn.Module]:
    """MobileNetV2 with its real weights where the folder of real data is named, else four convolutions with random ones."""
    folder = os.environ.get("PELLUCID_DATA")
    if folder:
        from notebooks.mobilenet import mobilenet

        return "MobileNetV2", mobilenet(Path(folder)).eval()
    torch.manual_seed(0)
    widths = (3, 8, 16, 16, 32)
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU())]
    return "four convolutions", nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).eval()


def pictures(rows: int) -> np.ndarray:
    """(rows, 3, h, w) ImageNet's photographs where the folder of real data is named, else uniform noise"""
    folder = os.environ.get("PELLUCID_DATA")
    if folder:
        from notebooks.mobilenet import samples

        return samples(Path(folder), rows)[0]
    return np.random.default_rng(0).uniform(size=(rows, 3, SIDE, SIDE)).astype("float32")


def gradients(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
    """What Quantus is given as the explanation: absolute gradients (n, 3, h, w)."""
    x = torch.as_tensor(inputs).requires_grad_()
    picked = model(x).gather(1, torch.as_tensor(np.asarray(targets))[:, None]).sum()
    return np.asarray(torch.autograd.grad(picked, x)[0].abs())


def cheapest(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """The smallest CPU time of each, taking turns."""
    found: dict[str, float] = dict.fromkeys(runs, np.inf)
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run()
            found[name] = min(found[name], time.process_time() - start)
    return found


def beside_quantus(net: nn.Module, args: argparse.Namespace) -> None:
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # type: ignore[attr-defined]
    import quantus

    x = pictures(args.rows)
    with torch.no_grad():
        y = net(torch.tensor(x)).argmax(1).numpy()
    values = gradients(net, x, y)
    record = pc.explain(net, x, pc.Saliency(), target=y)
    ways = {"model": net, "x_batch": x, "y_batch": y, "a_batch": values, "batch_size": args.rows, "device": "cpu"}
    again = {"explain_func": gradients}
    quiet = {"disable_warnings": True, "abs": False, "normalise": False}
    flipping = quantus.PixelFlipping(features_in_step=3 * SIDE * SIDE // args.steps, perturb_baseline=0.0, **quiet)
    sensitivity = quantus.MaxSensitivity(nr_samples=args.samples, lower_bound=0.02, **quiet)
    randomised = quantus.MPRT(layer_order="top_down", **quiet)
    layers = sum(1 for module in net.modules() if hasattr(module, "reset_parameters"))

    def own_passes(forward: int, backward: int = 0) -> Callable[[], Any]:
        def run() -> None:
            with torch.no_grad():
                for _ in range(forward):
                    net(torch.tensor(x))
            for _ in range(backward):
                gradients(net, x, y)

        return run

    deletion = pc.Deletion(steps=args.steps, fill=0.0, randoms=args.randoms)
    judged = {
        f"deletion, {args.steps} steps": (
            lambda: flipping(**ways, softmax=False),
            lambda: pc.evaluate(net, record, deletion),
            own_passes(args.steps),
            2 + args.randoms,
        ),
        f"sensitivity, {args.samples} steps": (
            lambda: sensitivity(**ways, **again, softmax=False),
            lambda: pc.evaluate(net, record, pc.MaxSensitivity(samples=args.samples)),
            own_passes(0, args.samples),
            1,
        ),
        f"random weights, {layers} layers": (
            lambda: randomised(**ways, **again, softmax=False),
            lambda: pc.evaluate(net, record, pc.ModelRandomization(stages=layers, draws=1, independent=False)),
            own_passes(0, layers),
            1,
        ),
    }
    print(f"{'':28}{'Quantus':>9}{'ours':>9}{'passes':>9}{'ratio':>8}  per curve")
    for name, (theirs, ours, passes, curves) in judged.items():
        took = cheapest({"theirs": theirs, "ours": ours, "passes": passes}, args.repeats)
        ratio = took["theirs"] / took["ours"]
        print(
            f"{name:28}{took['theirs']:9.2f}{took['ours']:9.2f}{took['passes']:9.2f}{ratio:8.2f}  {curves * ratio:.2f}",
            flush=True,
        )


def whole_card(net: nn.Module, rows: int) -> None:
    """Six methods by every default metric, with the rows asked so far every ten seconds, and what each receipt counts."""
    x, start, cpu = pictures(rows), time.perf_counter(), time.process_time()
    asked, shown = 0, start

    def progress(more: int) -> None:
        nonlocal asked, shown
        asked += more
        if (now := time.perf_counter()) - shown > 10:
            shown = now
            print(f"{now - start:6.0f} s {asked:9,} model rows", flush=True)

    made = pc.compare(net, x, METHODS, progress=progress)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    for name, card in zip(made.names, made.scorecards, strict=True):
        judged = ", ".join(f"{line.metric} {line.mean:.3g}" for line in card.lines)
        print(f"{name:18}{card.receipt.rows_forward:7,} rows forward{card.receipt.seconds:8.1f} s  {judged}")
    print(f"whole scorecard of {len(METHODS)} methods on {len(x)} pictures: {seconds:.0f} s, {cpu:.0f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--randoms", type=int, default=1)
    parser.add_argument("--card", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(2 if args.card else 1)
    name, net = network()
    print(f"{name}, {8 if args.card else args.rows} pictures of {SIDE} x {SIDE}")
    if args.card:
        whole_card(net, 8)
    else:
        beside_quantus(net, args)


if __name__ == "__main__":
    main()
