"""ImageNet's MobileNetV2 in plain torch, with the int8 weights of the real-data folder: for the notebooks, the gallery and the
tests marked `realdata`.

Architecture, padding and preprocessing are those of the folder's SOURCE.txt. Batch norm is folded into the convolutions.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Same(nn.Conv2d):
    """A 3 x 3 convolution with TensorFlow's padding: a stride of 2 pads below and to the right only."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1) if self.stride[0] == 2 else (1, 1, 1, 1)))


class Block(nn.Module):
    """Expand, filter each channel, project; a residual where nothing changes shape."""

    def __init__(self, cin: int, cout: int, factor: int, stride: int) -> None:
        super().__init__()
        wide = cin * factor
        self.expand = nn.Conv2d(cin, wide, 1) if factor > 1 else None
        self.depthwise = Same(wide, wide, 3, stride, groups=wide)
        self.project = nn.Conv2d(wide, cout, 1)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Pictures (n, 3, 224, 224) in [-1, 1] -> 1,000 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Same(3, 32, 3, 2)
        blocks, cin = [], 32
        for factor, cout, repeats, stride in STAGES:
            for i in range(repeats):
                blocks.append(Block(cin, cout, factor, stride if i == 0 else 1))
                cin = cout
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(320, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.head(self.blocks(F.relu6(self.stem(x)))))
        return self.classifier(y.mean((2, 3)))


def mobilenet(data_dir: Path) -> MobileNetV2:
    """The network with its real weights, in evaluation mode."""
    with np.load(data_dir / "imagenet_mobilenet_v2" / "mobilenet_v2_1.0_224_int8.npz") as file:
        stored = {name: torch.from_numpy(file[name]) for name in file.files}
    model = MobileNetV2()
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            _fill(layer, _named(name), stored)
    return model.eval()


def _named(module: str) -> str:
    """blocks.3.expand -> block4.expand"""
    if not module.startswith("blocks."):
        return module
    _, index, part = module.split(".")
    return f"block{int(index) + 1}.{part}"


def _fill(layer: nn.Conv2d | nn.Linear, name: str, stored: dict[str, Tensor]) -> None:
    """weight = int8 * scale, a scale for each output channel"""
    whole, scale = stored[f"{name}.weight_int8"].float(), stored[f"{name}.scale"]
    layer.weight.data = (whole * scale.reshape(-1, *[1] * (whole.ndim - 1))).reshape(layer.weight.shape)
    layer.bias.data = stored[f"{name}.bias"].clone()


def picture(path: Path) -> np.ndarray:
    """A photograph as the network wants it: (3, 224, 224) in [-1, 1]."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    wide, high = image.size
    factor = 256 / min(wide, high)
    image = image.resize((round(wide * factor), round(high * factor)), Image.Resampling.BILINEAR)
    left, top = (image.size[0] - 224) // 2, (image.size[1] - 224) // 2
    cells = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return cells.transpose(2, 0, 1) / 127.5 - 1


def samples(data_dir: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` ImageNet photographs (n, 3, 224, 224) and their class numbers (n,)."""
    with (data_dir / "imagenet_samples" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:count]
    pictures = [picture(data_dir / "imagenet_samples" / "images" / row["file"]) for row in rows]
    return np.stack(pictures), np.array([int(row["class_index"]) for row in rows])
