"""Pixel masks of concepts, as a user has them: one mask each, or a label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array

_SAYS = "{name: masks (n, h, w)}, a label map (n, h, w), or (label map, names) with a name for each label"


@dataclass(frozen=True, eq=False)
class Masks:
    """c concepts on n inputs: `arrays`, each (n, *space) of 0 and 1; or one label map with the label of each concept."""

    names: tuple[str, ...]
    arrays: tuple[np.ndarray, ...]
    labels: np.ndarray | None = None  # (c,) where `arrays` is one label map

    @property
    def space(self) -> tuple[int, ...]:
        return self.arrays[0].shape[1:]

    def of(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(pixels, c) in single precision, and which pixels (pixels,) anybody looked at"""
        if self.labels is None:
            marked = np.stack([array[row].ravel() for array in self.arrays], axis=1).astype(np.float32)
            return marked, np.ones(len(marked), bool)
        flat = self.arrays[0][row].ravel()
        return (flat[:, None] == self.labels).astype(np.float32), flat >= 0


def as_masks(given: Any, inputs: np.ndarray) -> Masks:
    """Masks that fit the inputs (n, channels, *space), or an error that says why they do not."""
    made = _named(given) if isinstance(given, Mapping) else _labelled(given)
    for name, array in zip(made.names, made.arrays, strict=False):
        what = "the label map" if made.labels is not None else f"the masks of {name!r}"
        if array.ndim != inputs.ndim - 1 or len(array) != len(inputs):
            raise InputError(
                f"{what} have shape {array.shape} for inputs of shape {inputs.shape}: expected one mask for each input, "
                f"({len(inputs)}, *{inputs.shape[2:]})."
            )
        if array.shape[1:] != made.space:
            raise InputError(
                f"{what} have {array.shape[1:]} pixels and others {made.space}: bring all masks to one size."
            )
    _check_size(made.space, inputs.shape[2:])
    return made


def _named(given: Mapping[Any, Any]) -> Masks:
    if not given:
        raise InputError(f"there are no concepts: give {_SAYS}.")
    arrays = {str(name): plain_array(masks) for name, masks in given.items()}
    for name, array in arrays.items():
        if array.dtype != bool and not ((array == 0) | (array == 1)).all():
            raise InputError(
                f"the masks of {name!r} hold other numbers than 0 and 1: give masks, or a label map with its names."
            )
    return Masks(tuple(arrays), tuple(arrays.values()))


def _labelled(given: Any) -> Masks:
    pair = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping | Sequence)
    labels, names = given if pair else (given, None)
    labels = plain_array(labels)
    if labels.dtype.kind not in "iu":
        raise InputError(f"a label map is whole numbers, and this one is {labels.dtype}: give {_SAYS}.")
    if names is None:
        found = np.unique(labels)
        names = {int(label): str(label) for label in found[found >= 0]}
    named = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
    if not named or not all(isinstance(label, int | np.integer) and label >= 0 for label in named):
        raise InputError(f"names={names!r}: give a name for each label from 0 on, or {{label: name}}.")
    return Masks(tuple(map(str, named.values())), (labels,), np.array(list(named)))


def _check_size(masks: tuple[int, ...], inputs: tuple[int, ...]) -> None:
    """Masks may be coarser or finer than inputs; they must show the same field."""
    scale = max(masks) / max(inputs[masks.index(max(masks))], 1)
    if any(abs(m - scale * x) > max(1.0, scale) for m, x in zip(masks, inputs, strict=True)):
        raise InputError(
            f"masks of {masks} pixels do not show what inputs of {inputs} pixels show: another size is fine, another shape is not; "
            "crop and resize the masks as the inputs were, without interpolation."
        )
