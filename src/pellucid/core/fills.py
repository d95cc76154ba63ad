"""What a hidden part of a picture shows: a baseline, or something made of the picture itself, part by part.

`"own-mean"`: every part shows its own mean colour (the lime package's default). `"inpaint"`: every part is painted over from
the places around it, as a soap film stretched over the hole: inside the part each place is the mean of its neighbours (the
Laplace equation; Bertalmio et al., "Image Inpainting", 2000, call it isotropic diffusion). A part is painted as if it alone
were hidden, so one picture serves all coalitions, and a hidden part never depends on what else is hidden.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, dia_array
from scipy.sparse.linalg import splu

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.errors import InputError
from pellucid.core.masking import Form

BY_PART = ("own-mean", "inpaint")


def check_fill(fill: BaselineLike) -> None:
    """Refuse what is no fill, when the masker is made."""
    if fill not in BY_PART:
        check_baseline(fill)


def filled(
    fill: BaselineLike, x: np.ndarray, background: np.ndarray | None, form: Form, labels: np.ndarray | None
) -> np.ndarray:
    """x (n, *features), labels (*space) the part of each place, None where parts overlap -> (draws, n, *features)"""
    if fill not in BY_PART:
        return references(fill, x, background, channels=form.channels, schema=form.schema)
    if labels is None:
        raise InputError(
            f"fill={fill!r} is made part by part, and these windows overlap: leave stride=None and choose a window that "
            "divides every side, or another fill."
        )
    cells = _by_place(x, labels, form.channels)  # (P, n * c)
    made = cells.copy()
    hidden = labels.ravel() >= 0
    made[hidden] = (_own_mean if fill == "own-mean" else _inpainted)(cells, labels)[hidden]
    return _as_before(made, x, labels, form.channels)[None].astype(x.dtype)


def _by_place(x: np.ndarray, labels: np.ndarray, channels: int | None) -> np.ndarray:
    """x (n, *features) -> (places, n * channels) float64"""
    last = x[..., None] if channels is None else np.moveaxis(x, channels, -1)
    return np.moveaxis(last, 0, -2).reshape(labels.size, -1).astype(float)


def _as_before(cells: np.ndarray, x: np.ndarray, labels: np.ndarray, channels: int | None) -> np.ndarray:
    back = np.moveaxis(cells.reshape(*labels.shape, len(x), -1), -2, 0)  # (n, *space, c)
    return back[..., 0] if channels is None else np.moveaxis(back, -1, channels)


def _own_mean(cells: np.ndarray, labels: np.ndarray) -> np.ndarray:
    flat = labels.ravel()
    places = np.flatnonzero(flat >= 0)
    size = np.bincount(flat[places])
    if size.max() == 1:
        raise InputError(
            "fill='own-mean' hides nothing where every part is a single place, whose mean is itself: choose larger parts or "
            "another fill."
        )
    member = csr_array((np.ones(len(places)), (flat[places], places)), shape=(len(size), flat.size))
    return np.asarray((member @ cells)[flat] / size[flat][:, None])


def _inpainted(cells: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Solve `degree * v_i - sum of v_j (same part) = sum of x_j (other parts)` over the neighbours j of each place i."""
    flat = labels.ravel()
    i, j = _neighbours(labels.shape)
    within = flat[i] == flat[j]
    if within.all():
        raise InputError(
            "fill='inpaint' has nothing to paint from where one part covers the whole picture: choose smaller parts or "
            "another fill."
        )
    size = flat.size
    degree = np.bincount(i, minlength=size).astype(float)
    film = csr_array(dia_array((degree[None], [0]), shape=(size, size))) - _links(i[within], j[within], size)
    edge = _links(i[~within], j[~within], size) @ cells
    made = cells.copy()
    order = np.argsort(flat, kind="stable")
    for part in np.split(order, np.cumsum(np.bincount(flat - flat.min()))[:-1]):
        if len(part) and flat[part[0]] >= 0:
            made[part] = splu(film[part][:, part].tocsc(), permc_spec="MMD_AT_PLUS_A").solve(edge[part])
    return made


def _links(i: np.ndarray, j: np.ndarray, size: int) -> csr_array:
    return csr_array((np.ones(len(i)), (i, j)), shape=(size, size))


def _neighbours(space: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of places that touch along an axis, as flat indices."""
    index = np.arange(int(np.prod(space))).reshape(space)
    near, far = [], []
    for axis, side in enumerate(space):
        near.append(index.take(range(side - 1), axis).ravel())
        far.append(index.take(range(1, side), axis).ravel())
    one, other = np.concatenate(near), np.concatenate(far)
    return np.concatenate([one, other]), np.concatenate([other, one])
