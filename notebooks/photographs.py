"""Photographs that scikit-image ships, and a small network that is trained on them on the spot: no download, seconds.

The task is to say which of five photographs a crop was cut from. Crops differ in size, brightness and colour, half of them
are grey, so the network has to know shapes and textures. A collage puts several subjects into one picture: then it is known
where the evidence for each class is, and an explanation can be wrong.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from skimage import data as files
from torch import Tensor, nn
from torch.nn import functional as F

NAMES = ("astronaut", "cat", "coffee", "motorcycle", "rocket")
SIDE = 96  # of what the network sees
_SHORT = 160  # of the photographs that crops are cut from

# Where the subject sits in its photograph: centre and half a side, in shares of the shorter side.
_SUBJECT = {
    "astronaut": (0.30, 0.44, 0.30),
    "cat": (0.48, 0.84, 0.48),
    "coffee": (0.48, 0.75, 0.44),
    "motorcycle": (0.50, 0.75, 0.48),
    "rocket": (0.48, 0.74, 0.46),
}


@cache
def photograph(name: str) -> Tensor:
    """One photograph, (3, h, w) in [-1, 1], its shorter side 160."""
    raw = {
        "astronaut": files.astronaut,
        "cat": files.chelsea,
        "coffee": files.coffee,
        "motorcycle": lambda: files.stereo_motorcycle()[0],
        "rocket": files.rocket,
    }[name]()
    picture = torch.as_tensor(np.array(raw)).permute(2, 0, 1).float() / 127.5 - 1
    factor = _SHORT / min(picture.shape[1:])
    return _resized(picture, (round(picture.shape[1] * factor), round(picture.shape[2] * factor)))


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(picture[None], size, mode="bilinear", antialias=True, align_corners=False)[0]


def subjects() -> np.ndarray:
    """Each subject in the middle of its picture, (5, 3, 96, 96) in [-1, 1]; row i shows class i."""
    return np.stack([_subject(name, SIDE) for name in NAMES])


def _subject(name: str, side: int) -> np.ndarray:
    down, right, half = (round(_SHORT * share) for share in _SUBJECT[name])
    cut = photograph(name)[:, max(0, down - half) : down + half, max(0, right - half) : right + half]
    return _resized(cut, (side, side)).numpy()


def collage(*names: str) -> tuple[np.ndarray, np.ndarray]:
    """Four subjects in four quarters -> picture (1, 3, 96, 96), and the class that each place shows (96, 96)."""
    half = SIDE // 2
    picture, where = np.empty((1, 3, SIDE, SIDE), np.float32), np.empty((SIDE, SIDE), int)
    for place, name in enumerate(names):
        down, right = half * (place // 2), half * (place % 2)
        picture[0, :, down : down + half, right : right + half] = _subject(name, half)
        where[down : down + half, right : right + half] = NAMES.index(name)
    return picture, where


def crops(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random crops (count, 3, 96, 96) in random light, and the photographs they were cut from (count,)."""
    labels = rng.integers(len(NAMES), size=count)
    return torch.stack([_crop(photograph(NAMES[label]), rng) for label in labels]), torch.as_tensor(labels)


def _crop(picture: Tensor, rng: np.random.Generator) -> Tensor:
    side = int(rng.integers(48, _SHORT))
    down, right = (int(rng.integers(size - side + 1)) for size in picture.shape[1:])
    cut = _resized(picture[:, down : down + side, right : right + side], (SIDE, SIDE))
    if rng.random() < 0.5:
        cut = cut.flip(2)
    if rng.random() < 0.5:
        cut = cut.mean(0, keepdim=True).expand(3, -1, -1)
    light = torch.as_tensor(rng.uniform(0.6, 1.3, (3, 1, 1)), dtype=torch.float32)
    return (cut * light + float(rng.uniform(-0.2, 0.2))).clamp(-1, 1)


def network(steps: int = 160, seed: int = 0) -> nn.Sequential:
    """Four convolutions, global average pooling, one linear layer; `steps` batches of 32 from 960 crops, always the same."""
    rng = np.random.default_rng(seed)
    pictures, labels = crops(960, rng)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = _layers()
        optimiser = torch.optim.AdamW(made.parameters(), weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
        for _ in range(steps):
            batch = torch.as_tensor(rng.integers(len(pictures), size=32))
            optimiser.zero_grad()
            F.cross_entropy(made(pictures[batch]), labels[batch]).backward()
            optimiser.step()
            schedule.step()
    return made.eval()


def _layers() -> nn.Sequential:
    def block(given: int, made: int, stride: int = 2) -> list[nn.Module]:
        return [nn.Conv2d(given, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]

    body = [*block(3, 16), *block(16, 32), *block(32, 48), *block(48, 64, 1)]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(NAMES)))
