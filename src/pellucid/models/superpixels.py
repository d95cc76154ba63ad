"""Players that follow the picture: superpixels by scikit-image's algorithms, or any label map that the user has.

Ribeiro, Singh & Guestrin (KDD 2016) hide superpixels; SLIC is Achanta et al. (PAMI 2012), quickshift Vedaldi & Soatto (ECCV
2008), felzenszwalb Felzenszwalb & Huttenlocher (IJCV 2004). Each picture is scaled to [0, 1] by its own smallest and largest
value first, so that an algorithm's numbers mean the same whatever a network wants its inputs to be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from pellucid.core.baseline import BaselineLike
from pellucid.core.errors import InputError, MethodError
from pellucid.core.fills import check_fill, filled
from pellucid.core.maskers import Cells, space_of
from pellucid.core.masking import Bound, Form, Masker
from pellucid.core.method import check_positive
from pellucid.core.registry import need


class Segmentation(ABC):
    """A way to cut a picture into parts."""

    @abstractmethod
    def labels(self, picture: np.ndarray) -> np.ndarray:
        """picture (*space, channels) in [0, 1] -> (*space) integers"""


@dataclass(frozen=True)
class SLIC(Segmentation):
    """About `segments` parts of like size, in two or three dimensions; `spacing` is the size of a voxel along each axis.

    `compactness` weighs nearness against colour, in units of Lab for three channels (10 is usual) and of hundredths of
    the range of values otherwise.
    """

    segments: int = 50
    compactness: float = 10.0
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_positive(self, "segments", "compactness")

    def labels(self, picture: np.ndarray) -> np.ndarray:
        space, colours = picture.shape[:-1], picture.shape[-1]
        if self.spacing is not None and len(self.spacing) != len(space):
            raise MethodError(f"SLIC(spacing={self.spacing}) has {len(self.spacing)} numbers for {len(space)} axes.")
        lab = colours == 3 and len(space) == 2
        return np.asarray(
            _segmentation(self).slic(
                picture,
                n_segments=self.segments,
                compactness=self.compactness if lab else self.compactness / 100,
                spacing=self.spacing,
                convert2lab=lab,
                channel_axis=-1,
                start_label=0,
            )
        )


@dataclass(frozen=True)
class Quickshift(Segmentation):
    """The lime package's superpixels of pictures, with its numbers: fewer and larger with a larger `kernel` or `max_dist`."""

    kernel: float = 4.0
    max_dist: float = 200.0
    ratio: float = 0.2

    def __post_init__(self) -> None:
        check_positive(self, "kernel", "max_dist", "ratio")

    def labels(self, picture: np.ndarray) -> np.ndarray:
        flat = _flat(self, picture)
        colours = flat if flat.shape[-1] == 3 else np.repeat(flat.mean(-1, keepdims=True), 3, -1)
        return np.asarray(
            _segmentation(self).quickshift(
                np.ascontiguousarray(colours),
                kernel_size=self.kernel,
                max_dist=self.max_dist,
                ratio=self.ratio,
                rng=0,  # breaks ties; the same for every picture
            )
        )


@dataclass(frozen=True)
class Felzenszwalb(Segmentation):
    """Parts of any size of a picture: larger with a larger `scale`, none below `smallest` places."""

    scale: float = 100.0
    sigma: float = 0.8
    smallest: int = 20

    def __post_init__(self) -> None:
        check_positive(self, "scale", "smallest")
        if self.sigma < 0:
            raise MethodError(f"Felzenszwalb(sigma={self.sigma}): expected 0 or more.")

    def labels(self, picture: np.ndarray) -> np.ndarray:
        cut = _segmentation(self).felzenszwalb
        return np.asarray(
            cut(_flat(self, picture), scale=self.scale, sigma=self.sigma, min_size=self.smallest, channel_axis=-1)
        )


@dataclass(frozen=True)
class Superpixels(Masker):
    """Players are the parts that `by` cuts each picture or volume into; an absent one shows `fill`.

    `fill` is any baseline, `"own-mean"` or `"inpaint"` (`core/fills.py`). Each row has players of its own.
    """

    by: Segmentation = SLIC()
    fill: BaselineLike = "own-mean"

    apart: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.by, Segmentation):
            raise MethodError(
                f"Superpixels(by={self.by!r}): give SLIC(), Quickshift() or Felzenszwalb(); a label map of your own is "
                "masker=LabelMap(labels)."
            )
        check_fill(self.fill)

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        space = space_of(x, form.channels)
        if len(space) not in (2, 3):
            raise MethodError(
                f"Superpixels() is for pictures and volumes; x has shape {x.shape}: use Columns() for tables, Grid() for signals."
            )
        if not np.isfinite(x).all():
            raise InputError(
                "x holds NaN or infinity, so no superpixels can be found: fill the gaps, or give masker=LabelMap(labels)."
            )
        _, labels = np.unique(self.by.labels(_scaled(x[0], form.channels)), return_inverse=True)
        labels = labels.reshape(space)
        names = tuple(f"superpixel {k}" for k in range(labels.max() + 1))
        return Cells(x, filled(self.fill, x, background, form, labels), labels, names, form.channels)


@dataclass(frozen=True, eq=False)
class LabelMap(Masker):
    """Players are the parts of a label map of your own: `labels` (*space) for all rows, or a list of n maps, one a row.

    Whole numbers from 0; a place labelled -1 is never hidden. `names` in the order of the labels: regions of an atlas,
    objects. The one masker that holds data: its spelling leaves the labels out, and records keep them in `players.labels`.
    """

    labels: Any = field(default=None, repr=False)
    names: tuple[str, ...] | None = None
    fill: BaselineLike = "own-mean"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    @property
    def apart(self) -> bool:  # type: ignore[override]
        return isinstance(self.labels, list | tuple)

    def of(self, rows: slice | np.ndarray) -> Masker:
        if not self.apart:
            return self
        return replace(self, labels=[self.labels[row] for row in np.arange(len(self.labels))[rows]])

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        labels = self._fitting(space_of(x, form.channels))
        count = int(labels.max()) + 1
        names = tuple(f"part {k}" for k in range(count)) if self.names is None else tuple(map(str, self.names))
        if len(names) != count:
            raise MethodError(f"LabelMap has {len(names)} names for labels 0 to {count - 1}: give one name a label.")
        return Cells(x, filled(self.fill, x, background, form, labels), labels, names, form.channels)

    def _fitting(self, space: tuple[int, ...]) -> np.ndarray:
        if self.labels is None:
            raise MethodError("this LabelMap has no labels (a spelling leaves them out): give LabelMap(labels).")
        if self.apart and len(self.labels) != 1:
            raise InputError("LabelMap has fewer maps than there are rows: give one map for all rows, or one a row.")
        labels = np.asarray(self.labels[0] if self.apart else self.labels)
        if labels.shape != space or labels.dtype.kind not in "iu":
            raise InputError(
                f"labels have shape {labels.shape} and dtype {labels.dtype}: expected whole numbers of shape {space}, a "
                "label a place."
            )
        known = np.unique(labels[labels >= 0])
        if labels.min() < -1 or not np.array_equal(known, np.arange(len(known))) or not len(known):
            raise InputError(
                "labels count from 0 without a gap, and -1 marks places that are never hidden: renumber them with "
                "numpy.unique(labels, return_inverse=True)."
            )
        return labels


def _scaled(picture: np.ndarray, channels: int | None) -> np.ndarray:
    """One input (*features) -> (*space, channels) in [0, 1]"""
    last = picture[..., None] if channels is None else np.moveaxis(picture, channels - 1, -1)
    low, high = float(last.min()), float(last.max())
    return np.ascontiguousarray((last.astype(float) - low) / (high - low or 1.0))


def _flat(by: Segmentation, picture: np.ndarray) -> np.ndarray:
    if picture.ndim > 3:
        raise MethodError(f"{type(by).__name__} cuts pictures, not volumes: use Superpixels(by=SLIC(...)).")
    return picture


def _segmentation(by: Segmentation) -> Any:
    return need("skimage.segmentation", f"Superpixels(by={type(by).__name__}())")
