"""EK-FAC's picture of the curvature: for each layer two bases and the curvature along every pair of their directions.

George, Laurent, Bouthillier, Ballas & Vincent, "Fast Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis"
(NeurIPS 2018). With inputs a and slopes g of a layer, A = E[a a'] = Q_A D_A Q_A' and G = E[g g'] = Q_G D_G Q_G'; in the basis
Q_G (x) Q_A the curvature is taken to be diagonal, with the true second moments of the gradients on its diagonal:

    Lambda = E[(Q_G' (sum_t g_t a_t') Q_A)^2]

Factors cost passes over the training data and do not depend on the queries, so they can be kept: one `.npz`, no pickle, with a
fingerprint of what they were made of.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.scalar import pieces
from pellucid.core.store import appearing

if TYPE_CHECKING:
    from pellucid.models.training.gradients import Sides, Training

Key = tuple[str, str | None]  # a weight and the bias beside it

_CELLS = 2**23  # numbers of per-example gradients held at once


@dataclass(frozen=True, eq=False)
class Block:
    """One layer: bases q_a (d, d) and q_g (c, c), curvature (c, d) along their pairs."""

    q_a: np.ndarray
    q_g: np.ndarray
    curvature: np.ndarray

    def turned(self, a: np.ndarray, g: np.ndarray) -> np.ndarray:
        """a (b, t, d), g (b, t, c) -> each example's gradient in the bases (b, c, d)"""
        return np.einsum("btc,btd->bcd", g @ self.q_g, a @ self.q_a, optimize=True)


Factors = dict[Key, Block]


def measure(
    training: Training, draws: int | None, rng: Callable[[], np.random.Generator], progress: Callable[[int], None]
) -> Factors:
    """Two passes over the training data: the bases, then the curvature in them, both with the same `draws` (None: all roots)."""
    bases = _bases(training, draws, rng())
    curvature = {key: np.zeros((q_g.shape[0], q_a.shape[0])) for key, (q_a, q_g) in bases.items()}
    stream = rng()
    for rows in training.blocks("train"):
        for sides in training.roots(rows, draws, stream):
            for key, (a, g) in sides.items():
                block = Block(*bases[key], curvature[key])
                for some in pieces(len(a), max(1, _CELLS // block.curvature.size)):
                    curvature[key] += (block.turned(a[some], g[some]) ** 2).sum(axis=0)
        progress(len(rows))
    return {key: Block(*bases[key], curvature[key] / training.n) for key in bases}


def _bases(
    training: Training, draws: int | None, stream: np.random.Generator
) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
    moments: dict[Key, list[np.ndarray]] = {}
    for rows in training.blocks("train"):
        for sides in training.roots(rows, draws, stream):
            _add(moments, sides)
    return {key: (np.linalg.eigh(A)[1], np.linalg.eigh(G)[1]) for key, (A, G) in moments.items()}


def _add(moments: dict[Key, list[np.ndarray]], sides: Sides) -> None:
    for key, pair in sides.items():
        flat = [side.reshape(-1, side.shape[-1]) for side in pair]
        found = [side.T @ side for side in flat]
        known = moments.setdefault(key, [np.zeros_like(moment) for moment in found])
        for total, moment in zip(known, found, strict=True):
            total += moment


def fingerprint(training: Training, spelled: str) -> str:
    """What factors depend on: the chosen parameters' values, the training data's number and losses, the method."""
    made = zlib.crc32(np.ascontiguousarray(training.theta()).tobytes())
    made = zlib.crc32(training.losses("train").tobytes(), made)
    return f"{zlib.crc32(spelled.encode(), made):08x}"


def save(factors: Factors, path: Path, mark: str) -> None:
    """One file, whole or not at all."""
    keys = list(factors)
    arrays = {
        f"{i}.{name}": getattr(factors[key], name) for i, key in enumerate(keys) for name in ("q_a", "q_g", "curvature")
    }
    with appearing(path) as partial, partial.open("xb") as file:
        np.savez(file, header=np.array(json.dumps({"of": mark, "layers": keys})), **arrays)


def load(path: Path, mark: str) -> Factors:
    """Factors that `save` wrote for the same training; others are refused."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            header = json.loads(str(kept["header"]))
            layers = [(str(weight), None if bias is None else str(bias)) for weight, bias in header["layers"]]
            blocks = [Block(*(kept[f"{i}.{name}"] for name in ("q_a", "q_g", "curvature"))) for i in range(len(layers))]
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path.name} holds no factors of EKFAC: delete it, or name another file ({error})."
        ) from error
    if header["of"] != mark:
        raise InputError(
            f"{path.name} holds factors of another training (other parameters, data, loss or fields of EKFAC): delete it or name "
            "another file."
        )
    return dict(zip(layers, blocks, strict=True))
