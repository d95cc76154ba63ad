"""Gradient methods and class activation maps beside captum and grad-cam: ResNet-18 on pictures and on volumes, in one process.

    python -m benchmarks.gradient [--only CAM] [--rows 1] [--repeats 3] [--small]

They take turns on one thread; process CPU seconds are printed, the median and the smallest of all turns, with ratios to
the peer and to the network's own passes: a forward pass and a backward pass that ends at the layer for maps, one forward
and backward pass to the input for LRP, two for DeepLIFT, `steps` for integrated gradients, a forward row per channel for
Score-CAM. Peers are given what they need, a network whose activations are modules of their own, not in place and not
reused; the random weights are the same.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from captum import attr
from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
from tests.peers import grad_cam
from torch import Tensor, nn

import pellucid as pc

STEPS = {2: 20, 3: 10}
LAST, EARLY = (
    "11",
    "4",
)  # the last block, which is also the layer that maps choose by themselves; the first, of 64 channels


class Basic(nn.Module):
    """Two convolutions with batch norm around a skip connection."""

    def __init__(self, rank: int, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        conv, norm = KINDS[rank][:2]
        self.one, self.two = conv(cin, cout, 3, stride, 1, bias=False), conv(cout, cout, 3, 1, 1, bias=False)
        self.norm_one, self.norm_two = norm(cout), norm(cout)
        self.relu_one, self.relu_two = nn.ReLU(), nn.ReLU()
        self.short = (
            nn.Sequential() if stride == 1 else nn.Sequential(conv(cin, cout, 1, stride, bias=False), norm(cout))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_two(self.two(self.relu_one(self.norm_one(self.one(x)))))
        return self.relu_two(y + self.short(x))


KINDS = {
    2: (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d),
    3: (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d, nn.AdaptiveAvgPool3d),
}


def resnet18(rank: int, channels: int, classes: int) -> nn.Sequential:
    """ResNet-18 in two or three dimensions, its batch norms with statistics as after training."""
    torch.manual_seed(0)
    conv, norm, pool, average = KINDS[rank]
    stem = [conv(channels, 64, 7, 2, 3, bias=False), norm(64), nn.ReLU(), pool(3, 2, 1)]
    widths = [
        (64, 64, 1),
        (64, 64, 1),
        (64, 128, 2),
        (128, 128, 1),
        (128, 256, 2),
        (256, 256, 1),
        (256, 512, 2),
        (512, 512, 1),
    ]
    blocks = [Basic(rank, *width) for width in widths]
    model = nn.Sequential(*stem, *blocks, average(1), nn.Flatten(), nn.Linear(512, classes)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, 0, 0.1)
    return model


def own_passes(model: nn.Module, x: Tensor, count: int) -> Callable[[], Any]:
    """The network's forward and backward passes to the input, parameters frozen, as often as a method needs them."""

    def run() -> Any:
        for _ in range(count):
            leaf = x.clone().requires_grad_()
            torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)

    return run


def map_passes(model: nn.Sequential, x: Tensor) -> Callable[[], Any]:
    """A forward pass, and a backward pass from the head to the last block."""
    cut = int(LAST) + 1

    def run() -> Any:
        with torch.no_grad():
            seen = model[:cut](x)
        torch.autograd.grad(model[cut:](seen.requires_grad_())[:, 1].sum(), seen)

    return run


def forward_passes(model: nn.Module, x: Tensor, count: int, batch: int = 16) -> Callable[[], Any]:
    """A forward pass on `count` rows for every row of x."""

    def run() -> Any:
        with torch.no_grad():
            for start in range(0, count * len(x), batch):
                model(x[:1].expand(min(batch, count * len(x) - start), *x.shape[1:]).contiguous())

    return run


def theirs(name: str, model: nn.Module, x: Tensor, layer: str) -> Callable[[], Any]:
    """A map of grad-cam's, with the layer that ours finds."""

    def run() -> Any:
        with getattr(grad_cam(), name)(model=model, target_layers=[model.get_submodule(layer)]) as cam:
            return cam(input_tensor=x, targets=[lambda outputs: outputs[1]] * len(x))

    return run


def lrp(model: nn.Module, x: Tensor) -> Callable[[], Any]:
    """captum's LRP with our default rules: epsilon for linear layers, gamma for convolutions."""

    def run() -> Any:
        for module in model.modules():
            module.rule = GammaRule() if isinstance(module, nn.Conv2d | nn.Conv3d) else EpsilonRule()
        return attr.LRP(model).attribute(x, target=1)

    return run


def ours(model: nn.Module, x: Tensor, method: Any) -> Callable[[], Any]:
    return lambda: pc.explain(model, x, method, target=1).values


def maps(model: nn.Sequential, x: Tensor) -> dict[str, dict[str, Callable[[], Any]]]:
    """map -> who -> what to run"""
    made = {
        name: {
            "pellucid": ours(model, x, getattr(pc, name)()),
            "peer": theirs(name, model, x, LAST),
            "passes": map_passes(model, x),
        }
        for name in ("GradCAM", "GradCAMPlusPlus", "LayerCAM")
    }
    if x.ndim == 4:  # the peer's Score-CAM knows pictures only
        made["ScoreCAM"] = {
            "pellucid": ours(model, x, pc.ScoreCAM(EARLY)),
            "peer": theirs("ScoreCAM", model, x, EARLY),
            "passes": forward_passes(model, x, 64),
        }
    return made


def gradients(model: nn.Sequential, x: Tensor) -> dict[str, dict[str, Callable[[], Any]]]:
    """method -> who -> what to run; integrated gradients of volumes on every other cell, for the sake of time"""
    reference, steps = torch.zeros_like(x), STEPS[x.ndim - 2]
    few = x if x.ndim == 4 else x[..., ::2, ::2, ::2].contiguous()
    return {
        "DeepLift": {
            "pellucid": ours(model, x, pc.DeepLift()),
            "peer": lambda: attr.DeepLift(model).attribute(x, reference, target=1),
            "passes": own_passes(model, x, 2),
        },
        "LRP epsilon": {"pellucid": ours(model, x, pc.LRP(conv=None)), "passes": own_passes(model, x, 1)},
        "LRP epsilon-gamma": {
            "pellucid": ours(model, x, pc.LRP()),
            "peer": lrp(model, x),
            "passes": own_passes(model, x, 1),
        },
        f"IntegratedGradients({steps})": {
            "pellucid": ours(model, few, pc.IntegratedGradients(steps=steps)),
            "peer": lambda: attr.IntegratedGradients(model).attribute(
                few, torch.zeros_like(few), 1, n_steps=steps, internal_batch_size=8
            ),
            "passes": own_passes(model, few, steps),
        },
    }


def timed(task: Callable[[], Any]) -> float | None:
    """CPU seconds of one run, or None where it fails."""
    start = time.process_time()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            task()
    except Exception as error:  # a peer does not know every layer
        print(f"      {type(error).__name__}: {str(error).splitlines()[0][:110]}")
        return None
    return time.process_time() - start


def compare(title: str, tasks: dict[str, dict[str, Callable[[], Any]]], repeats: int, only: str) -> None:
    for method, who in tasks.items():
        if only not in method:
            continue
        spent: dict[str, list[float]] = {name: [] for name in who}
        for turn in range(repeats + 1):
            for name in [name for name in who if name in spent]:
                seconds = timed(who[name])
                if seconds is None:
                    del spent[name]
                elif turn:  # the first turn warms up
                    spent[name].append(seconds)
        print(f"{title}  {method:23s}", *_words(spent), sep="   ", flush=True)


def _words(spent: dict[str, list[float]]) -> list[str]:
    """Medians and minima, and what they come to."""
    said = [f"{name} {np.median(times):.3f} (min {min(times):.3f}) s" for name, times in spent.items()]
    for above, below in (("peer", "pellucid"), ("pellucid", "passes")):
        if above in spent and below in spent:
            ratio = [float(of(spent[above]) / of(spent[below])) for of in (np.median, min)]
            said.append(f"{above} / {below} {ratio[0]:.2f} (min {ratio[1]:.2f})")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a part of the methods' names")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="pictures of 96 and volumes of 32 cells a side")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # captum announces its hooks
    sides = {2: 96, 3: 32} if chosen.small else {2: 224, 3: 64}
    for rank, channels in ((2, 3), (3, 1)):
        x = torch.randn(chosen.rows, channels, *[sides[rank]] * rank, generator=torch.Generator().manual_seed(0))
        model = resnet18(rank, channels, 10)
        compare(f"{rank}-D", maps(model, x) | gradients(model, x), chosen.repeats, chosen.only)


if __name__ == "__main__":
    main()
