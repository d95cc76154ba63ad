"""A conditional variational autoencoder over the columns of a table, learned by slopes that come from outside.

Kingma & Welling (2014), conditional as in Sohn, Lee & Yan (2015): an encoder and a decoder of one hidden layer each,

    q(h | x, y') = N(mu(x, y'), diag sigma^2(x, y'))        x' = decoder(h, y'),  h = mu + sigma * noise

Numbers come out along a line, in units of their spread; 0/1 columns by a logistic function, blocks of them by a softmax; columns
that are held are copied. What a row x' should be like is not known here: `learn` is told the derivative of that loss by x',
adds that of `divergence` * KL(q || N(0, I)), and takes a step of Adam. Weights, batches and noise come from one seed, none
from torch's own stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Pull = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # x (m, p), x' (m, p), y' (m,) -> slopes (m, p)


@dataclass(frozen=True, eq=False)
class Coding:
    """`centre` and `spread` (p,) of numbers, 0/1 columns, blocks of which one is 1, and columns that are held."""

    centre: np.ndarray
    spread: np.ndarray
    switches: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]
    held: np.ndarray

    def into(self, x: np.ndarray) -> Tensor:
        """x (m, p) in units of its columns"""
        return torch.as_tensor((np.nan_to_num(x) - self.centre) / self.spread)

    def outof(self, raw: Tensor, x: np.ndarray) -> Tensor:
        """The decoder's outputs (m, p) -> rows (m, p)"""
        rows = raw * torch.as_tensor(self.spread) + torch.as_tensor(self.centre)
        columns = list(rows.unbind(1))
        for j in self.switches:
            columns[j] = torch.sigmoid(raw[:, j])
        for block in self.blocks:
            for j, share in zip(block, torch.softmax(raw[:, list(block)], dim=1).unbind(1), strict=True):
                columns[j] = share
        return torch.where(torch.as_tensor(self.held), torch.as_tensor(x), torch.stack(columns, dim=1))


class Generator:
    """Rows x' for rows x and whether they are to have the wanted answer, y' in {0, 1}."""

    def __init__(self, coding: Coding, latent: int, hidden: int, seed: int) -> None:
        self.coding, self.latent, self.seed = coding, latent, seed
        self.random = torch.Generator().manual_seed(seed)
        p = len(coding.centre)
        sizes = [(p + 1, hidden), (hidden, 2 * latent), (latent + 1, hidden), (hidden, p)]
        self.weights = [tensor for size in sizes for tensor in self._layer(*size)]

    def _layer(self, ins: int, outs: int) -> tuple[Tensor, Tensor]:
        """A matrix (outs, ins) of Glorot & Bengio's (2010) size, and zeros."""
        scale = (6 / (ins + outs)) ** 0.5
        matrix = scale * (2 * torch.rand(outs, ins, generator=self.random, dtype=torch.float64) - 1)
        return matrix.requires_grad_(), torch.zeros(outs, dtype=torch.float64, requires_grad=True)

    def encode(self, x: np.ndarray, wanted: np.ndarray) -> tuple[Tensor, Tensor]:
        """x (m, p), y' (m,) -> mu and log sigma^2, (m, latent) each"""
        told = torch.as_tensor(wanted.astype(float))[:, None]
        mean, spread = self._through(0, torch.cat([self.coding.into(x), told], dim=1)).chunk(2, dim=1)
        return mean, spread.clamp(-10, 10)

    def decode(self, h: Tensor, x: np.ndarray, wanted: np.ndarray) -> Tensor:
        """h (m, latent), x (m, p), y' (m,) -> x' (m, p)"""
        told = torch.as_tensor(wanted.astype(float))[:, None]
        return self.coding.outof(self._through(4, torch.cat([h, told], dim=1)), x)

    def _through(self, first: int, x: Tensor) -> Tensor:
        a, b, c, d = self.weights[first : first + 4]
        return functional.linear(functional.silu(functional.linear(x, a, b)), c, d)

    def learn(
        self, x: np.ndarray, pull: Pull, *, batches: int, size: int, rate: float, divergence: float
    ) -> Iterator[int]:
        """x (b, p): steps of Adam, one a batch; yields after each how many were taken"""
        adam = torch.optim.Adam(self.weights, lr=rate)
        for step in range(batches):
            rows = x[torch.randint(len(x), (size,), generator=self.random).numpy()]
            wanted = torch.randint(2, (size,), generator=self.random).numpy()
            with torch.enable_grad():
                mean, spread = self.encode(rows, wanted)
                noise = torch.randn(mean.shape, generator=self.random, dtype=torch.float64)
                made = self.decode(mean + (spread / 2).exp() * noise, rows, wanted)
                apart = 0.5 * (mean**2 + spread.exp() - spread - 1).sum(dim=1).mean()
            slope = torch.as_tensor(pull(rows, made.detach().numpy(), wanted) / size)
            adam.zero_grad()
            torch.autograd.backward([made, divergence * apart], [slope, torch.ones_like(apart)])
            adam.step()
            yield step + 1

    def draw(self, x: np.ndarray, draws: int) -> np.ndarray:
        """x (m, p) -> rows with y' = 1, (m, draws, p); the first without noise, and noise is shared by rows"""
        wanted = np.ones(len(x))
        random = torch.Generator().manual_seed(self.seed + 1)  # its own, so that it depends on no training
        noise = torch.randn((draws, self.latent), generator=random, dtype=torch.float64)
        noise[0] = 0.0
        with torch.no_grad():
            mean, spread = self.encode(x, wanted)
            made = [self.decode(mean + (spread / 2).exp() * one, x, wanted).numpy() for one in noise]
        return np.stack(made, axis=1)
