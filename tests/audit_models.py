"""Small models to audit, each with a known answer to the question whether something decides alone."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from pellucid.report import demo


@cache
def small_digits(planted: int | None = None, place: tuple[int, int] = (0, 6), value: float = 1.0, seed: int = 0):
    """Digits at their own size (n, 1, 8, 8) with a 2 x 2 mark in the pictures of one class: train and test."""
    data = load_digits()
    pictures = (data.images / 16)[:, None].astype(np.float32)
    if planted is not None:
        top, left = place
        pictures[data.target == planted, :, top : top + 2, left : left + 2] = value
    order = np.random.default_rng(seed).permutation(len(pictures))
    return demo.Split(
        (pictures[order[:1200]], data.target[order[:1200]]), (pictures[order[1200:]], data.target[order[1200:]])
    )


@cache
def small_network(planted: int | None = None, place: tuple[int, int] = (0, 6), value: float = 1.0, seed: int = 0):
    """A network of two convolutions trained on them, on one thread in a second."""
    pictures, answers = (torch.as_tensor(part) for part in small_digits(planted, place, value, seed).train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)),
        )
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        for _ in range(8):
            for batch in torch.randperm(len(pictures)).split(64):
                loss = nn.functional.cross_entropy(net(pictures[batch]), answers[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return net.eval()


class Clock:
    """A clock that moves on by `step` whenever it is read."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now
