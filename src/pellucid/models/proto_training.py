"""How a ProtoPNet is trained: warm-up, all layers together, projection and pruning of the prototypes, the last layer.

Chen et al. (NeurIPS 2019), section 2.2. The first two stages minimise, over pictures i,

    mean_i [ cross entropy + cluster * min_{j of class y_i} d_ij - separation * min_{j of other classes} d_ij ]

first with the backbone held, then with all but the last layer free. Projection replaces each prototype by the nearest patch of
any training picture of its class and remembers which. Pruning (their supplement) drops prototypes that stand for no class, such
as a background: of the `neighbours` training pictures with the nearest patches, fewer than `same` are of the prototype's class.
A class keeps its purest prototype in any case. The last layer is then fitted alone, to cross entropy and an L1 penalty on the
weights of other classes' prototypes, so that reasons are mostly "it looks like" and seldom "it does not look like".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.core.method import check_positive
from pellucid.models.proto_p_net import ProtoPNet


@dataclass(frozen=True)
class ProtoTraining:
    """Epochs of the three stages, and what the losses weigh."""

    warm: int = 5
    joint: int = 10
    last: int = 10
    batch: int = 64
    rate: float = 3e-3
    backbone_rate: float = 1e-3
    cluster: float = 0.8
    separation: float = 0.08
    sparsity: float = 1e-4
    neighbours: int = 6
    same: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(self, "batch", "rate", "backbone_rate", "neighbours")

    def fit(self, net: ProtoPNet, X: Any, y: Any) -> list[float]:
        """All stages, on X (n, channels, H, W) and y (n,); returns the mean loss of each epoch, and leaves `net` in eval mode."""
        x, labels = _data(net, X, y)
        rng, losses = np.random.default_rng(self.seed), list[float]()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            own = [*net.add_on.parameters(), net.prototypes]
            groups = [{"params": own, "lr": self.rate}]
            losses += self._stage(net, x, labels, groups, self.warm, rng)
            groups.append({"params": list(net.backbone.parameters()), "lr": self.backbone_rate})
            losses += self._stage(net, x, labels, groups, self.joint, rng)
            project(net, x, labels, self.batch)
            net.keep(pure(net, x, labels, self.neighbours, self.same, self.batch))
            losses += self._last(net, x, labels, rng)
        return losses

    def _stage(
        self,
        net: ProtoPNet,
        x: Tensor,
        y: Tensor,
        groups: Iterable[dict[str, Any]],
        epochs: int,
        rng: np.random.Generator,
    ) -> list[float]:
        descent, losses = torch.optim.Adam(list(groups)), []
        net.train()
        for _ in range(epochs):
            total = 0.0
            for rows in self._batches(len(x), rng):
                descent.zero_grad()
                loss = self._loss(net, net.distances(x[rows]), y[rows])
                loss.backward()
                descent.step()
                total += float(loss.detach()) * len(rows)
            losses.append(total / len(x))
        return losses

    def _loss(self, net: ProtoPNet, distances: Tensor, y: Tensor) -> Tensor:
        nearest, own = distances.flatten(2).amin(dim=2), net.classes == y[:, None]  # (b, m)
        cluster = nearest.masked_fill(~own, torch.inf).amin(dim=1).mean()
        apart = nearest.masked_fill(own, torch.inf).amin(dim=1).mean()
        return functional.cross_entropy(net.answer(distances), y) + self.cluster * cluster - self.separation * apart

    def _last(self, net: ProtoPNet, x: Tensor, y: Tensor, rng: np.random.Generator) -> list[float]:
        """The last layer alone: what it sees does not change, so it is computed once."""
        seen = nearest(net, x, self.batch)[..., None, None]
        others = net.classes != torch.arange(net.shape[1], device=x.device)[:, None]
        descent, losses = torch.optim.Adam(net.last.parameters(), self.rate), []
        for _ in range(self.last):
            total = 0.0
            for rows in self._batches(len(x), rng):
                descent.zero_grad()
                loss = functional.cross_entropy(net.answer(seen[rows]), y[rows])
                (loss + self.sparsity * net.last.weight[others].abs().sum()).backward()
                descent.step()
                total += float(loss.detach()) * len(rows)
            losses.append(total / len(x))
        return losses

    def _batches(self, n: int, rng: np.random.Generator) -> Iterator[Tensor]:
        return iter(torch.from_numpy(rng.permutation(n)).split(self.batch))


@torch.no_grad()
def nearest(net: ProtoPNet, x: Tensor, batch: int = 64) -> Tensor:
    """(n, m) the squared distance of each picture's nearest patch to each prototype"""
    net.eval()
    return torch.cat([net.distances(x[i : i + batch]).flatten(2).amin(dim=2) for i in range(0, len(x), batch)])


def pure(net: ProtoPNet, x: Tensor, y: Tensor, neighbours: int, same: int, batch: int = 64) -> Tensor:
    """(m,) which prototypes stand for their class: at least `same` of their nearest pictures are of it, or none of it has more"""
    near = nearest(net, x, batch).argsort(dim=0, stable=True)[:neighbours]  # (neighbours, m)
    own = (y[near] == net.classes).sum(dim=0)
    best = torch.stack([own[net.classes == c].max() for c in range(net.shape[1])])
    return own >= torch.minimum(best[net.classes], torch.tensor(same, device=x.device))


@torch.no_grad()
def project(net: ProtoPNet, x: Tensor, y: Tensor, batch: int = 64) -> None:
    """Every prototype becomes the nearest patch of the training pictures of its class, and remembers which."""
    net.eval()
    least = torch.full((len(net.prototypes),), torch.inf, device=x.device)
    found = net.prototypes.detach().clone()
    for start in range(0, len(x), batch):
        rows = slice(start, start + batch)
        z, away = net.patches(x[rows]), net.distances(x[rows])
        away = away.masked_fill((net.classes != y[rows, None])[..., None, None], torch.inf)
        flat = away.transpose(0, 1).flatten(1)  # (m, b * h * w)
        value, at = flat.min(dim=1)
        height, width = away.shape[2:]
        for j in (value < least).nonzero()[:, 0].tolist():
            image, place = divmod(int(at[j]), height * width)
            found[j] = z[image, :, place // width, place % width]
            least[j], net.source[j] = value[j], start + image
            net.source_place[j] = torch.tensor(divmod(place, width))
    net.prototypes.copy_(found)


def _data(net: ProtoPNet, X: Any, y: Any) -> tuple[Tensor, Tensor]:
    like = next(net.parameters())
    pictures, labels = plain_array(X), plain_array(y)
    if pictures.ndim != 4 or labels.shape != (len(pictures),) or not np.isfinite(pictures).all():
        raise InputError(
            f"X has shape {pictures.shape} and y {labels.shape}: expected finite pictures (n, channels, H, W) and as "
            "many classes, (n,)."
        )
    if set(labels.tolist()) != set(range(net.shape[1])):
        raise InputError(
            f"y has the classes {sorted(set(labels.tolist()))[:12]}: the network has {net.shape[1]}, 0 to {net.shape[1] - 1}, and "
            "each needs pictures."
        )
    return torch.as_tensor(pictures).to(like), torch.as_tensor(labels, device=like.device).long()
