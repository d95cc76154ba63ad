"""ProtoPNet: a network that answers by "this looks like that".

Chen, Li, Tao, Barnett, Su & Rudin, "This Looks Like That: Deep Learning for Interpretable Image Recognition" (NeurIPS 2019). A
backbone and two 1 x 1 convolutions make a map z of patches (d, h, w). Each prototype p_j, a vector of d numbers, is compared with
all of them, and logits are weighted similarities, without a bias:

    d_j = min over patches |z - p_j|^2,   g_j = log((d_j + 1) / (d_j + 1e-4)),   logits = W g

The distance is squared, as in the paper (a later version of the authors' code takes its root). W begins as 1 for a prototype's own
class and -1/2 for the others. After `project` every prototype *is* the patch of a training image that it was nearest to, so that it
can be shown, unless `keep` has left it out. Training is in `proto_training.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError, MethodError, StoreError
from pellucid.core.inputs import plain_array
from pellucid.core.reasons import Reasons
from pellucid.core.registry import need
from pellucid.core.store import appearing

EPSILON = 1e-4
_ROWS = 64


class ProtoPNet(nn.Module):
    """`backbone` maps pictures to (b, channels, h, w); each of `classes` has `per_class` prototypes of `depth` numbers."""

    classes: Tensor
    source: Tensor
    source_place: Tensor

    def __init__(self, backbone: nn.Module, channels: int, classes: int, per_class: int = 10, depth: int = 128) -> None:
        super().__init__()
        for name, value in {"channels": channels, "classes": classes, "per_class": per_class, "depth": depth}.items():
            if not value > 0:
                raise MethodError(f"ProtoPNet({name}={value!r}): expected a positive number.")
        self.shape = (channels, classes, per_class, depth)
        count = classes * per_class
        self.backbone = backbone
        self.add_on = nn.Sequential(nn.Conv2d(channels, depth, 1), nn.ReLU(), nn.Conv2d(depth, depth, 1), nn.Sigmoid())
        self.prototypes = nn.Parameter(torch.rand(count, depth))
        self.last = nn.Linear(count, classes, bias=False)
        self.register_buffer("classes", torch.arange(classes).repeat_interleave(per_class))
        self.register_buffer("source", torch.full((count,), -1))
        self.register_buffer("source_place", torch.full((count, 2), -1))
        with torch.no_grad():
            own = functional.one_hot(self.classes, classes).T.float()
            self.last.weight.copy_(1.5 * own - 0.5)

    def patches(self, x: Tensor) -> Tensor:
        """x (b, channels, H, W) -> z (b, d, h, w)"""
        features = self.backbone(x)
        if features.ndim != 4 or features.shape[1] != self.shape[0]:
            raise MethodError(
                f"the backbone gives shape {tuple(features.shape)}: expected (b, {self.shape[0]}, h, w), a map with space."
            )
        made: Tensor = self.add_on(features)
        return made

    def distances(self, x: Tensor) -> Tensor:
        """x (b, channels, H, W) -> squared distances of every patch to every prototype (b, m, h, w)"""
        z = self.patches(x)
        across = torch.einsum("bdhw,md->bmhw", z, self.prototypes)
        away = (z**2).sum(dim=1, keepdim=True) - 2 * across + (self.prototypes**2).sum(dim=1)[:, None, None]
        return away.clamp_min(0)

    def answer(self, distances: Tensor) -> Tensor:
        """(b, m, h, w) -> logits (b, classes)"""
        made: Tensor = self.last(similarity(distances.flatten(2).amin(dim=2)))
        return made

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.distances(x))

    @torch.no_grad()
    def keep(self, which: Tensor) -> None:
        """Forget the prototypes outside `which (m,)`, a mask; the others keep their weights."""
        self.prototypes = nn.Parameter(self.prototypes[which])
        self.last.weight = nn.Parameter(self.last.weight[:, which])
        self.last.in_features = len(self.prototypes)
        self.classes, self.source = self.classes[which], self.source[which]
        self.source_place = self.source_place[which]

    @torch.no_grad()
    def reasons(self, x: Any) -> Reasons:
        """Why? The evidence of every prototype for every row of x (n, channels, H, W)."""
        meter, was, like = Meter(), self.training, self.prototypes
        rows = plain_array(x)
        try:
            self.eval()
            parts = [torch.as_tensor(rows[i : i + _ROWS]).to(like) for i in range(0, len(rows), _ROWS)]
            away = torch.cat([self.distances(part) for part in parts])
        finally:
            self.train(was)
        meter.add(forward=len(rows))
        maps = similarity(away).double()
        width = maps.shape[3]
        best = maps.flatten(2).argmax(dim=2)
        scores, weights = maps.flatten(2).amax(dim=2), self.last.weight.double()
        return Reasons(
            logits=_numbers(scores @ weights.T),
            similarity=_numbers(scores),
            maps=_numbers(maps),
            place=_numbers(torch.stack([best // width, best % width], dim=2)),
            weights=_numbers(weights),
            classes=_numbers(self.classes),
            source=_numbers(self.source),
            source_place=_numbers(self.source_place),
            receipt=receipt(f"ProtoPNet{self.shape}", meter, packages=("torch",)),
        )

    def save(self, path: str | Path) -> Path:
        """One safetensors file with everything but the backbone's code."""
        save = need("safetensors.torch", "ProtoPNet").save_file
        path = Path(path)
        state = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        with appearing(path) as partial:
            save(state, str(partial), metadata={"proto_p_net": ",".join(map(str, self.shape))})
        return path

    @classmethod
    def load(cls, path: str | Path, backbone: nn.Module) -> ProtoPNet:
        """The network of a file that `save` wrote, around a backbone of the same architecture."""
        opened = need("safetensors", "ProtoPNet").safe_open
        if not Path(path).is_file():
            raise InputError(f"there is no file {Path(path).name}.")
        try:
            with opened(str(path), framework="pt") as file:
                spelled = (file.metadata() or {}).get("proto_p_net", "")
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except Exception as error:
            raise StoreError(f"{Path(path).name} is no safetensors file: {error}") from error
        if not spelled:
            raise StoreError(f"{Path(path).name} holds no ProtoPNet: ProtoPNet.save writes one.")
        made = cls(backbone, *map(int, spelled.split(",")))
        made.keep(torch.arange(len(made.prototypes)) < len(state.get("prototypes", ())))
        try:
            made.load_state_dict(state)
        except RuntimeError as error:
            raise StoreError(
                f"{Path(path).name} does not fit this backbone: {str(error).splitlines()[1].strip()}"
            ) from error
        return made


def similarity(distance: Tensor) -> Tensor:
    """Squared distances -> similarities, log((d + 1) / (d + 1e-4)): 9.2 where a patch is the prototype"""
    return torch.log((distance + 1) / (distance + EPSILON))


def _numbers(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
