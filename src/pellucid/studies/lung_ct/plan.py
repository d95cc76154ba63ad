"""How a network is trained: two phases, one schedule."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.network import BLOCKS, KINDS

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Plan:
    """First `warmup` epochs of the head alone, then up to `epochs` in all of the blocks from `upper` on ("all": everything).

    AdamW with `decay`, the learning rate falling from `rate` to zero along half a cosine in each phase; labels smoothed by
    `smoothing`; the epoch with the best validation AUC is kept, and training ends after `patience` epochs without a better one.
    `batch` patches a step, over all processes together; patches are mirrored at random. `balanced`: both classes weigh alike in
    the loss, however many patches they have (probabilities then belong to a world with as many nodules as backgrounds).
    `precision`: auto (half where the device is a GPU), float32, or bfloat16.
    """

    network: str = "resnet18"
    warmup: int = 3
    epochs: int = 40
    upper: str = "layer3"
    rate: float = 3e-4
    warmup_rate: float = 1e-3
    decay: float = 1e-2
    smoothing: float = 0.05
    batch: int = 16
    patience: int = 10
    balanced: bool = False
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in KINDS:
            raise InputError(f"network={self.network!r}: expected {' or '.join(KINDS)}.")
        if self.upper != "all" and self.upper not in BLOCKS:
            raise InputError(f"upper={self.upper!r}: expected all or one of {', '.join(BLOCKS)}.")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision={self.precision!r}: expected {', '.join(PRECISIONS)}.")
        if not 0 <= self.warmup < self.epochs or self.batch < 2 or self.patience < 1:
            raise InputError(f"{self}: expected 0 <= warmup < epochs, batch >= 2 and patience >= 1.")
        if not 0 <= self.smoothing < 1 or min(self.rate, self.warmup_rate) <= 0 or self.decay < 0:
            raise InputError(f"{self}: expected rates above 0, decay of at least 0 and smoothing in [0, 1).")

    def phase(self, epoch: int) -> str:
        """ "head" or "upper", of an epoch counted from zero"""
        return "head" if epoch < self.warmup else "upper"

    def rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch: half a cosine over its phase"""
        if self.phase(epoch) == "head":
            start, done, length = self.warmup_rate, epoch, self.warmup
        else:
            start, done, length = self.rate, epoch - self.warmup, self.epochs - self.warmup
        return start * (1 + math.cos(math.pi * done / length)) / 2

    def learns(self, name: str, epoch: int) -> bool:
        """Whether the parameter or module of this name learns in this epoch"""
        if name.startswith("fc"):
            return True
        if self.phase(epoch) == "head":
            return False
        return self.upper == "all" or any(name.startswith(block) for block in BLOCKS[BLOCKS.index(self.upper) :])


def phantom_plan(**changes: object) -> Plan:
    """The plan for synthetic chests: a narrow network, all of which learns."""
    quick = Plan(network="narrow", warmup=1, epochs=10, upper="all", rate=2e-3, patience=4)
    return dataclasses.replace(quick, **changes)  # type: ignore[arg-type]
