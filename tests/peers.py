"""Other libraries that tests and benchmarks compare with, where importing them takes more than an import."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn


@contextlib.contextmanager
def _torchvision() -> Iterator[None]:
    """A stand-in for torchvision, which has no build for every torch: names that are imported and, for maps, never called."""
    stubs = {
        "torchvision": (),
        "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
        "torchvision.transforms.functional": ("resize",),
    }
    for module, names in stubs.items():
        sys.modules[module] = ModuleType(module)
        for name in names:
            setattr(sys.modules[module], name, None)
    try:
        yield
    finally:
        for module in stubs:
            del sys.modules[module]


def grad_cam() -> Any:
    """The package `pytorch_grad_cam`, or skip."""
    if "pytorch_grad_cam" in sys.modules:
        return sys.modules["pytorch_grad_cam"]
    with contextlib.nullcontext() if "torchvision" in sys.modules else _torchvision():
        return pytest.importorskip("pytorch_grad_cam", reason="grad-cam is a peer, installed for tests only")


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
