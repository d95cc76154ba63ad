"""A network's forward pass under a table of rules, and its backward pass: the whole propagation, in chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.errors import ModelError, PellucidError
from pellucid.core.inputs import plain_array
from pellucid.core.scalar import Rewired, finite, floats, fold, pieces
from pellucid.models.adapter import columns
from pellucid.models.layers import gradient
from pellucid.models.rewire.engine import Rewiring, Table
from pellucid.models.rewire.ledger import RowsUnclear
from pellucid.models.rewire.memory import Tape, Unshared

if TYPE_CHECKING:
    from pellucid.models.torch import TorchScalar


def rewired(f: TorchScalar, x: np.ndarray, reference: np.ndarray | None, table: Table) -> Rewired:
    """See `pellucid.core.scalar.Differentiable.rewired`."""
    _refuse_opaque(f.adapter.model)
    flat, rows, lead = fold(floats(x), f.inputs.x.shape[1:], len(f.inputs.x))
    before = None if reference is None else np.broadcast_to(reference, x.shape).reshape(flat.shape)
    values, base = np.empty(flat.shape), np.full(len(flat), np.nan)
    unruled: dict[str, None] = {}
    met: set[str] = set()
    for part in pieces(len(flat), f.size):
        one = _Propagation(f, table, rows[part])
        values[part], base[part] = one.back(flat[part], None if before is None else before[part])
        unruled |= one.unruled
        met |= one.met
    return Rewired(
        finite(values, "propagated values").reshape(x.shape),
        base.reshape(lead),
        tuple(unruled),
        frozenset(met),
    )


class _Propagation:
    """One chunk of rows: the reference pass if there is a reference, the forward pass, the backward pass."""

    def __init__(self, f: TorchScalar, table: Table, rows: np.ndarray) -> None:
        self.f, self.table, self.rows = f, table, rows
        self.unruled: dict[str, None] = {}
        self.met: set[str] = set()

    def back(self, x: np.ndarray, reference: np.ndarray | None) -> tuple[np.ndarray, Any]:
        """x, reference (b, *features) -> (b, *features) and the reference's own numbers (b,)"""
        if reference is None:
            return self._alone(x)
        if self._shares(reference):
            try:
                return self._compared(x, reference[:1])
            except Unshared:
                pass
        return self._compared(x, reference)

    def _alone(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """Without a reference: the base values are what was absorbed on the way, where that is counted."""
        try:
            values, mode = self._main(x, None)
        except RowsUnclear:
            return self._one_by_one(x)
        return values, np.nan if mode.ledger is None else plain_array(mode.ledger.absorbed, float)

    def _one_by_one(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        made = []
        for i, row in enumerate(self.rows[:, None]):
            one = _Propagation(self.f, self.table, row)
            made.append(one.back(x[i : i + 1], None))
            self.unruled |= one.unruled
            self.met |= one.met
        return tuple(np.concatenate(side) for side in zip(*made, strict=True))  # type: ignore[return-value]

    def _shares(self, reference: np.ndarray) -> bool:
        """Whether one reference row stands for all."""
        return len(reference) > 1 and not self.f.inputs.extra and bool((reference == reference[:1]).all())

    def _compared(self, x: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tape = Tape()
        with _forgetting():
            base = self._picked(self._leaf(reference), Rewiring(self.table, tape, recording=True))
        self.f.meter.add(forward=len(reference))
        return self._main(x, tape)[0], plain_array(base, float)

    def _main(self, x: np.ndarray, tape: Tape | None) -> tuple[np.ndarray, Rewiring]:
        leaf, mode = self._leaf(x), Rewiring(self.table, tape)
        picked = self._picked(leaf, mode)
        if picked.requires_grad:
            mode.audit(picked)
        made = _back(picked, leaf)
        self.unruled |= mode.unruled
        self.met |= mode.met
        self.f.meter.add(forward=len(x), backward=len(x))
        return plain_array(made, float), mode

    def _leaf(self, x: np.ndarray) -> Tensor:
        return self.f.adapter.tensor(x).requires_grad_()

    def _picked(self, leaf: Tensor, mode: Rewiring) -> Tensor:
        """leaf (b or 1, *features) -> (b,), with its graph; the network may write into its input."""
        f, own = self.f, self.rows[: len(leaf)]
        x = leaf.clone()
        self.table.begin(mode, x)
        with mode:
            out = columns(f.adapter.run(x, f.scale, f.extra(own)), f.pick)
            out = out if len(leaf) == len(self.rows) else out.expand(len(self.rows), *out.shape[1:])
            return self.table.close(mode, f.pick(out, self.rows))


def _back(picked: Tensor, leaf: Tensor) -> Tensor:
    """The backward pass; what goes wrong in it is the network's own doing, such as activation checkpointing."""
    try:
        return gradient(picked, leaf, "its input")
    except RuntimeError as error:
        if isinstance(error, PellucidError):
            raise
        said = str(error).partition("\n")[0]
        raise ModelError(
            f"the backward pass failed ({type(error).__name__}: {said}): switch activation checkpointing off, and "
            "write no activation in place that a later step still needs."
        ) from error


@contextmanager
def _forgetting() -> Iterator[None]:
    """Gradients on, so that the same tensors are live as in the main pass, but nothing saved for a backward pass."""
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: None, _never):
        yield


def _never(_: Any) -> Tensor:
    raise ModelError("the network runs a backward pass of its own inside its forward pass, which rules cannot follow.")


def _refuse_opaque(model: nn.Module) -> None:
    """Scripted and compiled modules run behind the mode's back: say so before they do."""
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or type(module).__name__ == "OptimizedModule":
            how = "compiled" if type(module).__name__ == "OptimizedModule" else "scripted"
            raise ModelError(
                f"module {name or '(the network itself)'} is {how}, so its functions cannot be given other backward rules: pass "
                "the module that it was made from, or use IntegratedGradients()."
            )
