"""What a pass remembers of tensors: copies made only when someone writes, a tape between passes, and marks."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pellucid.core.errors import ModelError, PellucidError


class Unshared(PellucidError):
    """Never leaves the library: one reference row does not stand for all rows: the network folds rows into other axes."""


class Kept:
    """A tensor as it was when it was kept; `Keeper` copies it before anyone writes into its memory."""

    __slots__ = ("__weakref__", "_tensor", "_version")

    def __init__(self, tensor: Tensor) -> None:
        self._tensor, self._version = tensor, tensor._version

    def get(self) -> Tensor:
        """The tensor; an error if something wrote into it unseen."""
        if self._tensor._version != self._version:
            raise ModelError(
                f"an activation of shape {tuple(self._tensor.shape)} was overwritten after a backward rule had read it, by code "
                "that torch's function mode does not see: make that step out of place."
            )
        return self._tensor

    def copy(self) -> None:
        self._tensor = self._tensor.clone()
        self._version = self._tensor._version


class Keeper:
    """Copy on write: kept tensors by the memory they lie in."""

    def __init__(self) -> None:
        self._kept: dict[int, list[weakref.ref[Kept]]] = {}

    def keep(self, tensor: Tensor) -> Kept:
        kept = Kept(tensor.detach())
        self._kept.setdefault(_memory(tensor), []).append(weakref.ref(kept))
        return kept

    def before_write(self, target: Tensor) -> None:
        """Copy what lies in the memory of `target`, which is about to be overwritten."""
        for reference in self._kept.pop(_memory(target), []) if self._kept else []:
            kept = reference()
            if kept is not None:
                kept.copy()


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class Tape:
    """What rules read in the reference pass, in order; the main pass takes it off again."""

    def __init__(self) -> None:
        self._entries: deque[tuple[str, list[Kept]]] = deque()

    def record(self, name: str, tensors: Sequence[Tensor], keeper: Keeper) -> None:
        self._entries.append((name, [keeper.keep(tensor) for tensor in tensors]))

    def take(self, name: str, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors that the same call read in the reference pass."""
        met, kept = self._entries.popleft() if self._entries else ("nothing", [])
        if met != name or len(kept) != len(tensors):
            raise _diverged(name, met)
        before = [one.get() for one in kept]
        for now, then in zip(tensors, before, strict=True):
            _check_shapes(name, now, then)
        return before

    def check_empty(self) -> None:
        if self._entries:
            raise _diverged("nothing", self._entries[0][0])


def _check_shapes(name: str, now: Tensor, then: Tensor) -> None:
    if now.shape == then.shape:
        return
    if now.ndim == then.ndim and all(b in (a, 1) for a, b in zip(now.shape, then.shape, strict=True)):
        return  # one reference row for all
    raise Unshared(f"{name}: {tuple(now.shape)} against {tuple(then.shape)} in the reference pass")


def _diverged(now: str, then: str) -> ModelError:
    return ModelError(
        f"the network ran {now} on x where it ran {then} on the reference: its control flow depends on the values, which a "
        "comparison with a reference cannot follow; use IntegratedGradients()."
    )


class Marks:
    """Facts about tensors as they are now: forgotten with the tensor, or when someone writes into it."""

    def __init__(self) -> None:
        self._facts: dict[int, tuple[weakref.ref[Tensor], int, Any]] = {}

    def put(self, tensor: Tensor, fact: Any) -> None:
        self._facts[id(tensor)] = (weakref.ref(tensor), tensor._version, fact)

    def get(self, tensor: Tensor) -> Any:
        """The fact put for this very tensor, or None."""
        reference, version, fact = self._facts.get(id(tensor), (None, 0, None))
        known = reference is not None and reference() is tensor and tensor._version == version
        return fact if known else None

    def move(self, source: Tensor, target: Tensor) -> None:
        """What is known of `source` now holds of `target`, which was overwritten with it."""
        fact = self.get(source)
        self._facts.pop(id(target), None)
        if fact is not None:
            self.put(target, fact)
