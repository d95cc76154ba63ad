"""What a network was trained on: one loss for each example of a batch.

Any function `task(model, batch) -> (n,)` will do. The two losses here also know the curvature of the loss at the network's output,
which a function alone does not tell: `roots` gives R (k, n, c) with sum_k R_k R_k' the Hessian of the loss in the c outputs. The
Gauss-Newton matrix of the parameters is then the mean of J' R R' J, without labels and without sampling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


class Loss(ABC):
    """A batch is (*inputs, y): the model is called with the inputs, and y is what it should have said."""

    def __call__(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        """-> (n,)"""
        if len(batch) < 2:
            raise InputError(f"{self!r} needs examples (inputs, y), and each has {len(batch)} part: give (X, y).")
        return self.each(self.outputs(model, batch), batch[-1])

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        """-> (n, c), also of a model that gives (n,) or an object with `logits`"""
        made = model(*batch[:-1])
        out: Tensor = getattr(made, "logits", made)
        return out[:, None] if out.ndim == 1 else out

    @abstractmethod
    def each(self, outputs: Tensor, y: Tensor) -> Tensor:
        """outputs (n, c), y (n,) or (n, c) -> (n,)"""

    @abstractmethod
    def roots(self, outputs: Tensor) -> Tensor:
        """outputs (n, c) -> (k, n, c)"""


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Minus the log-probability of the label: softmax over c outputs, or the logistic function of a single one."""

    def each(self, outputs: Tensor, y: Tensor) -> Tensor:
        from torch.nn import functional

        if outputs.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(outputs[:, 0], y.to(outputs.dtype), reduction="none")
        return functional.cross_entropy(outputs, y.long(), reduction="none")

    def roots(self, outputs: Tensor) -> Tensor:
        import torch

        if outputs.shape[1] == 1:
            p = torch.sigmoid(outputs)
            return torch.sqrt(p * (1 - p))[None]
        p = torch.softmax(outputs, dim=1)
        away = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)[:, None] - p  # (k, n, c), one label each
        return away * torch.sqrt(p).T[..., None]


@dataclass(frozen=True)
class SquaredError(Loss):
    """Half the squared distance between outputs and y."""

    def each(self, outputs: Tensor, y: Tensor) -> Tensor:
        return ((outputs - y.reshape(outputs.shape)) ** 2).sum(dim=1) / 2

    def roots(self, outputs: Tensor) -> Tensor:
        import torch

        one = torch.eye(outputs.shape[1], dtype=outputs.dtype, device=outputs.device)
        return one[:, None].expand(-1, len(outputs), -1)
