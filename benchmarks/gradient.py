"""DeepLIFT, LRP and integrated gradients beside captum: ResNet-18 on pictures and on volumes, in one process.

    python -m benchmarks.gradient [--rows 2] [--repeats 5] [--small]

They take turns; medians of process CPU seconds are printed, with ratios to captum and to the network's own passes: one
forward and backward pass for LRP, two for DeepLIFT, `steps` for integrated gradients. captum is given what it needs, a
network whose activations are modules of their own, not in place and not reused; the random weights are the same.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from captum import attr
from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
from torch import Tensor, nn

import pellucid as pc

STEPS = 20


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


def lrp(model: nn.Module, x: Tensor) -> Callable[[], Any]:
    """captum's LRP with our default rules: epsilon for linear layers, gamma for convolutions."""

    def run() -> Any:
        for module in model.modules():
            module.rule = GammaRule() if isinstance(module, nn.Conv2d | nn.Conv3d) else EpsilonRule()
        return attr.LRP(model).attribute(x, target=1)

    return run


def tasks(model: nn.Module, x: Tensor) -> dict[str, dict[str, Callable[[], Any]]]:
    """method -> who -> what to run"""
    reference = torch.zeros_like(x)

    def ours(method: Any) -> Callable[[], Any]:
        return lambda: pc.explain(model, x, method, target=1).values

    return {
        "DeepLift": {
            "pellucid": ours(pc.DeepLift()),
            "captum": lambda: attr.DeepLift(model).attribute(x, reference, target=1),
            "passes": own_passes(model, x, 2),
        },
        "LRP epsilon": {"pellucid": ours(pc.LRP(conv=None)), "passes": own_passes(model, x, 1)},
        "LRP epsilon-gamma": {"pellucid": ours(pc.LRP()), "captum": lrp(model, x), "passes": own_passes(model, x, 1)},
        f"IntegratedGradients({STEPS})": {
            "pellucid": ours(pc.IntegratedGradients(steps=STEPS)),
            "captum": lambda: attr.IntegratedGradients(model).attribute(
                x, reference, 1, n_steps=STEPS, internal_batch_size=8
            ),
            "passes": own_passes(model, x, STEPS),
        },
    }


def timed(task: Callable[[], Any]) -> float | None:
    """CPU seconds of one run, or None where it fails."""
    start = time.process_time()
    try:
        task()
    except Exception as error:  # captum does not know every layer
        print(f"      {type(error).__name__}: {str(error).splitlines()[0][:110]}")
        return None
    return time.process_time() - start


def compare(title: str, model: nn.Module, x: Tensor, repeats: int) -> None:
    for method, who in tasks(model, x).items():
        spent: dict[str, list[float]] = {name: [] for name in who}
        for turn in range(repeats + 1):
            for name in [name for name in who if name in spent]:
                seconds = timed(who[name])
                if seconds is None:
                    del spent[name]
                elif turn:  # the first turn warms up
                    spent[name].append(seconds)
        median = {name: float(np.median(times)) for name, times in spent.items()}
        ratios = [f"{name} / pellucid {median[name] / median['pellucid']:.2f}" for name in median if name == "captum"]
        ratios.append(f"pellucid / passes {median['pellucid'] / median['passes']:.2f}")
        print(
            f"{title}  {method:24s}", *(f"{name} {value:7.3f} s" for name, value in median.items()), *ratios, sep="   "
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="pictures of 96 and volumes of 32 cells a side")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # captum announces its hooks
    sides = {2: 96, 3: 32} if chosen.small else {2: 224, 3: 64}
    for rank, channels in ((2, 3), (3, 1)):
        x = torch.randn(chosen.rows, channels, *[sides[rank]] * rank, generator=torch.Generator().manual_seed(0))
        compare(f"ResNet-18 {rank}-D", resnet18(rank, channels, 10), x, chosen.repeats)


if __name__ == "__main__":
    main()
