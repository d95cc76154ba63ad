"""Watch the score while places go, or come, in the order of an explanation: the area under that curve.

Petsiuk, Das & Saenko, "RISE" (BMVC 2018), section 4.2. With places hidden in the order of falling value and s + 1 scores
a_0 ... a_s at equal shares of the places,

    area = (a_0 / 2 + a_1 + ... + a_{s-1} + a_s / 2) / s

the trapezoid rule on [0, 1] (kept at the true shares where they cannot be equal). No area means anything alone: it depends
on the model, the row and the fill. So every row is also run through random orders with the same fill, drawn in pairs, each
order with its reverse, which makes their mean exact for additive models.

What an order is: values keep their sign, so the place that raises the score most comes first and the one that lowers
it most comes last; `absolute` orders by magnitude instead, for methods whose sign says something else (a gradient's). Equal
values are ordered by chance, not from the top left. The fill is the metric's own: the explainer's would favour it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pellucid.core.baseline import BaselineLike, check_baseline, references, several
from pellucid.core.errors import MethodError
from pellucid.core.maskers import Size, sizes
from pellucid.core.scalar import pieces
from pellucid.metrics.base import Case, Metric, Reading, check_counts
from pellucid.metrics.on_texts import FILLS, measured
from pellucid.models.adapter import BlackBox

_CELLS = 2**22  # numbers of filled inputs held at once


@dataclass(frozen=True)
class RankingCurve(Metric):
    """`steps` points beyond the start (fewer where there are fewer places), `randoms` random orders to compare with.

    `fill`: "zeros", "mean", "blur", a number or one per feature; None is documented by each metric. `window` hides whole
    windows of places at once, by their mean value; None hides single places. `absolute` orders by magnitude. Of texts, `fill` is
    "delete" (None) or "mask", the model's own mask token.
    """

    steps: int = 32
    fill: BaselineLike = None
    randoms: int = 6
    window: Size | None = None
    absolute: bool = False
    seed: int = 0

    spatial_fill: ClassVar[str]

    def __post_init__(self) -> None:
        check_counts(self, "steps", "randoms")
        if self.fill not in FILLS:
            check_baseline(self.fill)
        if several(self.fill):
            raise MethodError(
                f"{type(self).__name__}(fill={self.fill!r}): one fill a row; give 'mean' for the background's centre, or "
                "Noise(draws=1)."
            )
        if self.window is not None and min(np.atleast_1d(self.window)) < 1:
            raise MethodError(f"{type(self).__name__}(window={self.window!r}): a size is at least 1 place.")

    @abstractmethod
    def hidden(self, ranks: np.ndarray, count: np.ndarray) -> np.ndarray:
        """ranks (n, *space) from 0 = first, count broadcastable against (s, n, *space) -> what is hidden"""

    def measure(self, case: Case) -> Reading:
        if case.record.texts is not None:
            return measured(case, self.fill, self.steps, replace(self, fill="zeros").measure)
        if self.fill in FILLS:
            raise MethodError(
                f"{type(self).__name__}(fill={self.fill!r}) is for texts: give 'mean', 'blur' or a number."
            )
        grains = tiles(case.places.shape[1:], self._window(case))
        total = int(grains.max()) + 1
        counts = np.rint(np.linspace(0, total, min(self.steps, total) + 1)).astype(int)
        (fill, warnings), values, streams = self._fill(case), self._values(case, grains, total), self.streams(case)
        curves = np.concatenate(
            [
                self._scores(
                    case.f.take(rows),
                    fill[rows],
                    self._orders(values[rows], streams[rows])[..., grains],
                    counts,
                    case.channels,
                )
                for rows in pieces(len(values), _rows_at_once(case.x))
            ]
        )
        return _reading(counts / total, curves[:, 0], curves[:, 1:], warnings)

    def _orders(self, values: np.ndarray, streams: list[np.random.Generator]) -> np.ndarray:
        """values (n, g) -> positions (n, 1 + randoms, g): the explanation's own order, then the random ones."""
        total = values.shape[1]
        own = ranks(values, np.stack([rng.permutation(total) for rng in streams]))
        return np.stack(
            [np.vstack([row, random_ranks(rng, self.randoms, total)]) for row, rng in zip(own, streams, strict=True)]
        )

    def _window(self, case: Case) -> Size | None:
        if self.window is not None and case.x.ndim == 2:
            raise MethodError(
                f"{type(self).__name__}(window={self.window}) is for inputs with space; columns of a table are hidden one by one."
            )
        return self.window

    def _values(self, case: Case, grains: np.ndarray, total: int) -> np.ndarray:
        """(n, grains) the mean value of each grain's places."""
        values = np.abs(case.places) if self.absolute else case.places
        labels, size = grains.ravel(), np.bincount(grains.ravel())
        if total == labels.size:
            return values.reshape(len(values), -1)
        return np.stack([np.bincount(labels, row.ravel(), total) / size for row in values])

    def _fill(self, case: Case) -> tuple[np.ndarray, tuple[str, ...]]:
        """(n, *features) what a hidden place shows, and what to say about it."""
        chosen, said = self.fill, []
        if chosen is None and case.x.ndim > 2:
            chosen = self.spatial_fill
        elif chosen is None and case.background is not None:
            chosen = "mean"
        elif chosen is None:
            chosen = "zeros"
            said.append("hidden columns were set to zero, for want of background rows")
        made = references(chosen, case.x, case.background, channels=case.channels, schema=case.f.schema)[0]
        same = (made == case.x).reshape(len(made), -1).all(axis=1)
        if same.any():
            said.append(f"the fill equals the data in {int(same.sum())} of {len(same)} rows, so hiding changes nothing")
        return made, tuple(said)

    def _scores(
        self, f: BlackBox, fill: np.ndarray, orders: np.ndarray, counts: np.ndarray, channels: int | None
    ) -> np.ndarray:
        """fill (n, *features), orders (n, k, *space), counts (s,) -> scores (n, k, s)"""
        x, values = f.inputs.x, np.empty((*orders.shape[:2], len(counts)))
        for k in range(orders.shape[1]):
            for steps in pieces(len(counts), max(1, _CELLS // x.size)):
                count = counts[steps].reshape(-1, *[1] * (orders.ndim - 1))
                gone = self.hidden(orders[:, k], count)  # (s, n, *space)
                gone = gone if channels is None else np.expand_dims(gone, channels + 1)
                values[:, k, steps] = f(np.where(gone, fill, x)).T
        return values


def ranks(values: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """values, tie (n, g) -> (n, g) each place's position, 0 = largest value; equals in the order of `tie`."""
    order = np.lexsort((tie, -values))
    position = np.empty_like(order)
    np.put_along_axis(position, order, np.arange(values.shape[1])[None], axis=1)
    return position


def random_ranks(rng: np.random.Generator, randoms: int, total: int) -> np.ndarray:
    """(randoms, total) positions, every second one the reverse of the one before."""
    drawn = [rng.permutation(total) for _ in range((randoms + 1) // 2)]
    return np.stack([order for one in drawn for order in (one, total - 1 - one)])[:randoms]


def tiles(space: tuple[int, ...], window: Size | None) -> np.ndarray:
    """(*space) the number of the window that each place is in; windows at the far edges may be smaller."""
    if window is None:
        return np.arange(int(np.prod(space))).reshape(space)
    size = sizes(window, space, "window")
    grid = np.meshgrid(*(np.arange(side) // w for side, w in zip(space, size, strict=True)), indexing="ij")
    return np.ravel_multi_index(tuple(grid), tuple(-(-side // w) for side, w in zip(space, size, strict=True)))


def _rows_at_once(x: np.ndarray) -> int:
    """Rows whose filled inputs, at one step, fit in memory."""
    return max(1, _CELLS // int(np.prod(x.shape[1:])))


def _reading(x: np.ndarray, own: np.ndarray, random: np.ndarray, warnings: tuple[str, ...]) -> Reading:
    """x (s,), own (n, s), random (n, randoms, s)"""
    area, chance = np.trapezoid(own, x), np.trapezoid(random, x)
    return Reading(
        value=area,
        chance=chance.mean(axis=1),
        x=x,
        curves=own,
        chance_curves=random.mean(axis=1),
        detail={"chance_areas": chance, "relative": _relative(area, own)},
        warnings=warnings,
    )


def _relative(area: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(n,) the area on a scale where the lower end of the curve is 0 and the upper 1; NaN where the ends hardly differ."""
    ends = own[:, [0, -1]]
    width, room = np.ptp(ends, axis=1), np.ptp(own, axis=1)
    known = (width > 0.1 * room) & (room > 1e-6 * np.abs(own).max(axis=1))
    return np.divide(area - ends.min(axis=1), width, out=np.full(len(area), np.nan), where=known)
