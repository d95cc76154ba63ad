"""Infidelity: do the values say how the score moves when parts of the input are removed or shaken?

Yeh et al., "On the (In)fidelity and Sensitivity of Explanations" (NeurIPS 2019), definition 2.1, with the optimal scale of the
authors' code,

    E_I [ (beta I . phi - (f(x) - f(x - I)))^2 ],   beta = E[I . phi (f(x) - f(x - I))] / E[(I . phi)^2]

for slopes phi. Contributions are slopes times what would be removed, so for them I . phi is the sum of what is removed (Ancona et
al.'s sensitivity-n, as in the paper's section 2.3), and only removal makes sense. Removal: random squares of pictures (segments,
cubes), random sets of a table's columns or of a record's players, as many as drawn evenly. Gaussian: noise on every cell.

The authors' beta may be negative, as captum's is, and then the opposite of an explanation is exactly as good as the explanation.
Here it is never below 0: values that point the wrong way say nothing (`unexplained` is 1).

By chance: the same row's values dealt out to its places at random, under the same perturbations, so it costs no further model row.
`unexplained` divides by E[(f(x) - f(x - I))^2], which an explanation of zeros gets: 0 is perfect, 1 says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.maskers import Size, sizes
from pellucid.core.scalar import pieces
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.hiding import Cut, FillLike, Fills, check_fills, check_window, cut, fills
from pellucid.metrics.on_texts import on_texts
from pellucid.metrics.slopes import are_slopes
from pellucid.metrics.stability import noise_unit, noisy
from pellucid.models.adapter import BlackBox

_CELLS = 2**22  # numbers of perturbed inputs held at once


@dataclass(frozen=True)
class Infidelity(Metric):
    """`samples` perturbations a row; `perturbation` is "removal" or "gaussian"; `scaled` by the optimal beta; `randoms` shuffles.

    `window` is the side of removed squares, None draws it evenly up to a third of the shorter side; `fill` as for `Deletion`, a
    picture's own mean by default. `sigma` is the noise's standard deviation in units of the data, as for `Stability`. `slopes` says
    what the values are; None takes the method's word (gradients are slopes) and contributions where there is none.
    """

    perturbation: Literal["removal", "gaussian"] = "removal"
    samples: int = 100
    fill: FillLike = None
    window: Size | None = None
    sigma: float = 0.1
    slopes: bool | None = None
    scaled: bool = True
    randoms: int = 10
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Do the values say how the score moves when parts of the input change?",
        direction="lower",
        range=(0.0, np.inf),
        chance="measured on every row with its own values at shuffled places",
        cost="`samples` rows, for each fill",
        weaknesses="in units of the squared score, so rows with large changes rule the mean (see unexplained); asks for slopes or "
        "sums, so a map that only ranks (a CAM) is judged harshly; what is removed looks like nothing the model was trained on",
        paper="Yeh et al. 2019",
        texts=True,
    )

    def __post_init__(self) -> None:
        check_counts(self, "samples", "randoms")
        check_fills("Infidelity", self.fill)
        check_window("Infidelity", self.window)
        if self.perturbation not in ("removal", "gaussian"):
            raise MethodError(f"Infidelity(perturbation={self.perturbation!r}): choose 'removal' or 'gaussian'.")
        if isinstance(self.sigma, bool) or not isinstance(self.sigma, int | float) or not self.sigma > 0:
            raise MethodError(f"Infidelity(sigma={self.sigma!r}): expected a positive standard deviation.")

    def measure(self, case: Case) -> Reading:
        slopes = are_slopes(case.record) if self.slopes is None else self.slopes
        self._check(case, slopes)
        if case.record.texts is not None:
            return on_texts(case, self.fill, replace(self, fill="zeros", slopes=False).measure)
        parts = cut(case, None, absolute=False, who="Infidelity")
        shown, streams = fills(self.fill, "mean", case, parts.labels), self.streams(case)
        unit = np.broadcast_to(noise_unit(case.x, case.background, case.f.schema), case.x.shape)
        found = []
        for row, rng in enumerate(streams):
            one = _Row(case, row, parts, shown, slopes, self.randoms, rng)
            moved = (
                one.removed(self._masks(case, parts, row, rng))
                if self.perturbation == "removal"
                else one.shaken(self.sigma * unit[row], self.samples)
            )
            found.append(_errors(*moved, scaled=self.scaled))
        return _reading(found, () if self.perturbation == "gaussian" else shown.warnings)

    def _check(self, case: Case, slopes: bool) -> None:
        if self.perturbation == "gaussian" and not slopes:
            raise MethodError(
                f"Infidelity(perturbation='gaussian') applies to slopes, such as those of Saliency(), and this record "
                f"({case.record.receipt.method}) holds contributions: use perturbation='removal', or say slopes=True."
            )
        if slopes and case.record.texts is None and case.record.values.shape != case.x.shape:
            raise MethodError(
                f"Infidelity(slopes=True) needs a slope for every cell of {case.x.shape[1:]}, and the values have shape "
                f"{case.record.values.shape[1:]}: leave slopes=None or give False."
            )

    def _masks(self, case: Case, parts: Cut, row: int, rng: np.random.Generator) -> np.ndarray:
        """(samples, parts) True where a part is removed"""
        if case.x.ndim == 2 or case.record.players is not None:
            return _subsets(rng, self.samples, int(parts.total[row]), parts.values.shape[1])
        return _squares(rng, self.samples, case.places.shape[1:], self.window)


def _subsets(rng: np.random.Generator, samples: int, total: int, wide: int) -> np.ndarray:
    """(samples, wide) sets of 1 to `total` parts, every size alike"""
    ranks = rng.random((samples, total)).argsort(axis=1).argsort(axis=1)
    masks = np.zeros((samples, wide), bool)
    masks[:, :total] = ranks < rng.integers(1, total + 1, (samples, 1))
    return masks


def _squares(rng: np.random.Generator, samples: int, space: tuple[int, ...], window: Size | None) -> np.ndarray:
    """(samples, places) squares, or whatever they are called in other dimensions, wholly inside"""
    masks = np.zeros((samples, *space), bool)
    for mask in masks:
        side = int(rng.integers(1, max(1, min(space) // 3) + 1)) if window is None else window
        size = [min(s, whole) for s, whole in zip(sizes(side, space, "window"), space, strict=True)]
        corner = [int(rng.integers(0, whole - s + 1)) for s, whole in zip(size, space, strict=True)]
        mask[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = True
    return masks.reshape(samples, -1)


@dataclass(frozen=True, eq=False)
class _Row:
    """One row, its values (k, p) as they are and dealt out at random, and what changes do to the score and were said to do."""

    case: Case
    row: int
    parts: Cut
    shown: Fills
    slopes: bool
    randoms: int
    rng: np.random.Generator

    def removed(self, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """masks (m, p) -> said (k, fills * m), moved (fills * m,)"""
        phi, place = self._phi(), np.array([self.row])
        said, moved = [], []
        for painters in self.shown.painters:
            for part in pieces(len(masks), max(1, _CELLS // self._x.size)):
                wide = np.pad(masks[part], ((0, 0), (0, 1)))[:, self.parts.labels[self.row]]  # label -1 is never hidden
                filled = [paint(self._x, wide[:, None], place) for paint in painters]
                moved.append(self._score - np.mean([self._f(one)[:, 0] for one in filled], axis=0))
                said.append(phi @ self._steps(np.mean(filled, axis=0)) if self.slopes else phi @ masks[part].T)
        return np.concatenate(said, axis=1), np.concatenate(moved)

    def shaken(self, scale: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """scale (*features) -> said (k, m), moved (m,)"""
        phi, said, moved = self._phi(), [], []
        for part in pieces(samples, max(1, _CELLS // self._x.size)):
            noise = self.rng.standard_normal((part.stop - part.start, *self._x.shape))
            other = noisy(np.broadcast_to(self._x, noise.shape), -noise * scale)
            said.append(phi @ self._steps(other))
            moved.append(self._score - self._f(other)[:, 0])
        return np.concatenate(said, axis=1), np.concatenate(moved)

    def _phi(self) -> np.ndarray:
        """(1 + randoms, p): slopes cell by cell, dealt out with all the channels of a place; contributions part by part"""
        if not self.slopes:
            known = np.nan_to_num(self.parts.values[self.row])
            total = int(self.parts.total[self.row])
            made = np.zeros((1 + self.randoms, len(known)))
            made[:, :total] = [known[:total], *(self.rng.permutation(known[:total]) for _ in range(self.randoms))]
            return made
        values = self.case.record.values[self.row].astype(float)
        channels = self.case.channels
        cells = values[None] if channels is None else np.moveaxis(values, channels - 1, 0)  # (c, *space)
        flat = cells.reshape(len(cells), -1)
        dealt = [flat, *(flat[:, self.rng.permutation(flat.shape[1])] for _ in range(self.randoms))]
        return np.stack(dealt).reshape(1 + self.randoms, -1)

    def _steps(self, other: np.ndarray) -> np.ndarray:
        """other (m, 1, *features) -> x - other (c * places, m), in the order of the slopes"""
        steps = (self._x - other.astype(float))[:, 0]
        channels = self.case.channels
        return (steps if channels is None else np.moveaxis(steps, channels, 1)).reshape(len(steps), -1).T

    @property
    def _x(self) -> np.ndarray:
        return self.case.x[[self.row]]

    @property
    def _score(self) -> float:
        return float(self.case.scores[self.row])

    @property
    def _f(self) -> BlackBox:
        return self.case.f.take(np.array([self.row]))


def _errors(said: np.ndarray, moved: np.ndarray, scaled: bool) -> dict[str, float]:
    """said (k, m), moved (m,) -> the numbers of one row; the first of k is the explanation"""
    power = (said**2).mean(axis=1)
    beta = np.maximum(0, np.divide((said * moved).mean(axis=1), power, out=np.zeros(len(said)), where=power > 0))
    scale = beta if scaled else np.ones(len(said))
    squares = (scale[:, None] * said - moved) ** 2  # (k, m)
    errors, all_of_it = squares.mean(axis=1), float((moved**2).mean())
    return {
        "value": errors[0],
        "chance": errors[1:].mean(),
        "unexplained": errors[0] / all_of_it if all_of_it > 0 else np.nan,
        "unexplained_by_chance": errors[1:].mean() / all_of_it if all_of_it > 0 else np.nan,
        "scale": scale[0],
        "stderr": squares[0].std(ddof=1) / np.sqrt(len(moved)) if len(moved) > 1 else np.nan,
    }


def _reading(found: list[dict[str, float]], warnings: tuple[str, ...]) -> Reading:
    columns = {name: np.array([one[name] for one in found]) for name in found[0]}
    return Reading(columns.pop("value"), chance=columns.pop("chance"), detail=columns, warnings=warnings)
