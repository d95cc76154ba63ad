"""Other libraries that tests and benchmarks compare with, where importing them takes more than an import."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn


@contextlib.contextmanager
def _stand_ins(stubs: dict[str, tuple[str, ...]]) -> Iterator[None]:
    """Modules that are missing here, of names that a peer imports and that what is compared never calls."""
    absent = {module: names for module, names in stubs.items() if module not in sys.modules}
    for module, names in absent.items():
        sys.modules[module] = ModuleType(module)
        for name in names:
            setattr(sys.modules[module], name, None)
    try:
        yield
    finally:
        for module in absent:
            del sys.modules[module]


TORCHVISION = {  # has no build for every torch
    "torchvision": (),
    "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
    "torchvision.transforms.functional": ("resize",),
}
PKG_RESOURCES = {"pkg_resources": ("get_distribution", "parse_version")}  # setuptools no longer has it


def grad_cam() -> Any:
    """The package `pytorch_grad_cam`, or skip."""
    if "pytorch_grad_cam" in sys.modules:
        return sys.modules["pytorch_grad_cam"]
    with contextlib.nullcontext() if "torchvision" in sys.modules else _stand_ins(TORCHVISION):
        return pytest.importorskip("pytorch_grad_cam", reason="grad-cam is a peer, installed for tests only")


def dalex() -> Any:
    """The package `dalex`, or skip."""
    with _stand_ins(PKG_RESOURCES):
        return pytest.importorskip("dalex", reason="dalex is a peer, installed for tests only")


def dalex_orders(rows: int, columns: int, seed: int) -> np.ndarray:
    """The orders in which dalex shuffles each column in its first repeat, all rows taken (columns, rows)."""
    stream = np.random.RandomState(seed)
    return np.stack([stream.choice(range(rows), rows, replace=False) for _ in range(1 + columns)])[
        1:
    ]  # the first is y's


def quantus() -> Any:
    """The package `quantus`, or skip. It asks NumPy for `trapz`, which NumPy 2 dropped: put back for it alone."""
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("quantus", reason="quantus is a peer, installed for tests only")


def raw_map(method: str, model: nn.Module, layer: nn.Module, x: Tensor, column: int) -> np.ndarray:
    """Its map of x (n, c, *space) at the layer's own size (n, *layer space), before it scales each map to [0, 1]."""
    package = grad_cam()
    targets = [lambda outputs: outputs[column]] * len(x)
    with getattr(package, method)(model=model, target_layers=[layer]) as cam:
        if hasattr(cam, "batch_size") or method == "ScoreCAM":
            cam.batch_size = len(x)
        cam(input_tensor=x, targets=targets)
        seen = cam.activations_and_grads
        slopes = seen.gradients[0].numpy() if seen.gradients else None
        made = cam.get_cam_image(x, layer, targets, seen.activations[0].numpy(), slopes, False)
    return np.maximum(made, 0)
