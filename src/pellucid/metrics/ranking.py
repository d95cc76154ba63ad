"""Watch the score while places go, or come, in the order of an explanation: the area under that curve.

Petsiuk, Das & Saenko, "RISE" (BMVC 2018), section 4.2. With places hidden in the order of falling value and s + 1 scores
a_0 ... a_s at equal shares of the places,

    area = (a_0 / 2 + a_1 + ... + a_{s-1} + a_s / 2) / s

the trapezoid rule on [0, 1] (kept at the true shares where they cannot be equal). No area means anything alone: it depends
on the model, the row and the fill. So every row is also run with the same fill through random orders, drawn in pairs, each
order with its reverse, which makes their mean exact for additive models, and through its own order backwards, least
important first. The area between an order and its reverse is that of Samek et al., "Evaluating the Visualization of What a Deep
Neural Network Has Learned" (2017) and Bluecher et al. (2024), who find that it ranks methods alike under different fills.

What an order is: values keep their sign, so the place that raises the score most comes first and the one that lowers
it most comes last; `absolute` orders by magnitude instead, for methods whose sign says something else (a gradient's). Equal
values are ordered by chance, not from the top left. What comes and goes at once, and what is seen in its place, is `hiding.py`;
the fill is the metric's own: the explainer's would favour it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from pellucid.core.maskers import Size
from pellucid.core.scalar import pieces
from pellucid.metrics.base import Case, Metric, Reading, check_counts
from pellucid.metrics.hiding import Cut, FillLike, Fills, Painter, Shows, check_fills, check_window, cut, fills
from pellucid.metrics.on_texts import on_common_axis, on_texts
from pellucid.models.adapter import BlackBox

Hidden = Callable[[np.ndarray, np.ndarray], np.ndarray]  # positions and a count -> what is hidden

_CELLS = 2**22  # numbers of filled inputs held at once
_ALONE = 2**13  # numbers of a row from which on it is asked about by itself


@dataclass(frozen=True)
class RankingCurve(Metric):
    """`steps` points beyond the start (fewer where there are fewer parts), `randoms` random orders to compare with.

    `fill`: "zeros", "mean", "blur", a number or one per feature, `NoisyLinear()`, "own-mean" or "inpaint" of each part; several
    of them in a tuple are averaged. None is documented by each metric. `window` hides whole windows of places at once, by their
    mean value; None hides the record's own players (superpixels, windows, groups), and single places where it has none.
    `absolute` orders by magnitude. Of texts, `fill` is "delete" (None) or "mask", the model's own mask token.
    """

    steps: int = 32
    fill: FillLike = None
    randoms: int = 6
    window: Size | None = None
    absolute: bool = False
    seed: int = 0

    spatial_fill: ClassVar[str]

    def __post_init__(self) -> None:
        check_counts(self, "steps", "randoms")
        check_fills(type(self).__name__, self.fill)
        check_window(type(self).__name__, self.window)

    @abstractmethod
    def hidden(self, ranks: np.ndarray, count: np.ndarray) -> np.ndarray:
        """ranks (n, *space) from 0 = first, NaN = never hidden, count broadcastable against (s, n, *space) -> what is hidden"""

    def measure(self, case: Case) -> Reading:
        if case.record.texts is not None:
            told = on_texts(case, self.fill, replace(self, fill="zeros").measure)
            return replace(told, labels=(str(self.fill or "delete"),))
        parts = cut(case, self.window, self.absolute, type(self).__name__)
        shown, streams = fills(self.fill, self.spatial_fill, case, parts.labels), self.streams(case)
        sizes = np.maximum(1, np.minimum(self.steps, parts.total))  # (n,) points beyond the start
        axes: list[np.ndarray] = [np.empty(0)] * len(sizes)
        scores: list[np.ndarray] = [np.empty(0)] * len(sizes)
        for size in np.unique(sizes):
            for rows in blocks(case, np.flatnonzero(sizes == size)):
                counts = np.rint(np.linspace(0, 1, size + 1) * parts.total[rows, None]).astype(int)  # (rows, s)
                orders = ordered(parts, rows, streams, self.randoms)
                asked = Asked(case, rows, parts, shown)
                ends = asked.scores(orders[:, :1], counts[:, [0, -1]], self.hidden)  # the same in every order
                ends = np.broadcast_to(ends, (len(rows), orders.shape[1], *ends.shape[2:]))
                inner = asked.scores(orders, counts[:, 1:-1], self.hidden)
                curves = np.concatenate([ends[..., :1], inner, ends[..., 1:]], axis=-1)
                for i, row in enumerate(rows):
                    axes[row], scores[row] = counts[i] / max(1, parts.total[row]), curves[i]
        return _reading(axes, scores, shown)


def blocks(case: Case, rows: np.ndarray) -> list[np.ndarray]:
    """Rows whose filled inputs, at one step, fit in memory; large pictures one by one, with all their masks at once."""
    cells = int(np.prod(case.x.shape[1:]))
    return [rows[part] for part in pieces(len(rows), 1 if cells >= _ALONE else max(1, _CELLS // cells))]


def ordered(parts: Cut, rows: np.ndarray, streams: list[np.random.Generator], randoms: int) -> np.ndarray:
    """Positions (rows, 2 + randoms, p): the explanation's own order, its reverse, then the random ones."""
    made = np.full((len(rows), 2 + randoms, parts.values.shape[1]), np.nan)
    for i, row in enumerate(rows):
        rng, total = streams[row], int(parts.total[row])
        own = ranks(parts.values[row, None, :total], rng.permutation(total)[None])[0]
        made[i, :, :total] = np.vstack([own, total - 1 - own, random_ranks(rng, randoms, total)])
    return made


@dataclass(frozen=True, eq=False)
class Asked:
    """Some rows of a case in their parts, and what is shown where a part is hidden."""

    case: Case
    rows: np.ndarray  # (n,)
    parts: Cut
    shown: Fills

    def scores(self, orders: np.ndarray, counts: np.ndarray, hidden: Hidden) -> np.ndarray:
        """orders (n, k, p), counts (n, s) -> scores (n, k, fills, s)"""
        values = np.empty((*orders.shape[:2], len(self.shown.painters), counts.shape[1]))
        x, places = self._x, self.parts.placed(self.rows, orders)
        for k in range(orders.shape[1]):
            for part in pieces(counts.shape[1], max(1, _CELLS // x.size)):
                count = counts[:, part].T.reshape(-1, len(x), *[1] * (places.ndim - 2))  # (s, n, 1...)
                values[:, k, :, part] = np.moveaxis(self._known(hidden(places[:, k], count)), -1, 0)
        return values

    def _known(self, gone: np.ndarray) -> np.ndarray:
        """gone (s, n, *space) -> scores (fills, s, n). Random orders are asked once for all explanations that are compared.

        The metric, and so its fills, is the memo's own; fills of each part know the parts, which the labels say.
        """
        if self.case.memo is None:
            return self._under_each_fill(gone)
        question = (self.rows, self._x, self.parts.labels[self.rows], gone)
        return self.case.memo.recall(question, lambda: self._under_each_fill(gone), self._f.meter)

    def _under_each_fill(self, gone: np.ndarray) -> np.ndarray:
        """gone (s, n, *space) -> scores (fills, s, n), the mean over each fill's references"""
        return np.stack([np.mean([self._under(paint, gone) for paint in each], axis=0) for each in self.shown.painters])

    def _under(self, paint: Painter, gone: np.ndarray) -> np.ndarray:
        """gone (s, n, *space) -> scores (s, n). A single row with space is put together where the model is: only masks travel."""
        if isinstance(paint, Shows) and len(self.rows) == 1 and self._x.ndim > 2:
            return self._f.blend(self._x, ~gone[:, 0], paint.reference[self.rows]).T
        return self._f(paint(self._x, gone, self.rows))

    @cached_property
    def _f(self) -> BlackBox:
        return self.case.f.take(self.rows)

    @cached_property
    def _x(self) -> np.ndarray:
        return self.case.x[self.rows]


def ranks(values: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """values, tie (n, g) -> (n, g) each place's position, 0 = largest value; equals in the order of `tie`."""
    first = np.argsort(tie, axis=1)
    falling = np.argsort(-np.take_along_axis(values, first, axis=1), axis=1, kind="stable")
    order = np.take_along_axis(first, falling, axis=1)
    position = np.empty_like(order)
    np.put_along_axis(position, order, np.arange(values.shape[1])[None], axis=1)
    return position


def random_ranks(rng: np.random.Generator, randoms: int, total: int) -> np.ndarray:
    """(randoms, total) positions, every second one the reverse of the one before."""
    drawn = [rng.permutation(total) for _ in range((randoms + 1) // 2)]
    return np.stack([order for one in drawn for order in (one, total - 1 - one)])[:randoms]


def _reading(axes: list[np.ndarray], scores: list[np.ndarray], shown: Fills) -> Reading:
    """Of each row its axis (s,) and scores (2 + randoms, fills, s)."""
    areas = np.stack([np.trapezoid(row, axis) for axis, row in zip(axes, scores, strict=True)])  # (n, k, fills)
    curves = [row.mean(axis=1) for row in scores]  # (k, s) each: the mean over fills
    x, each = on_common_axis(axes, curves)  # (s,), (n, k, s)
    mean = areas.mean(axis=2)
    return Reading(
        value=mean[:, 0],
        chance=mean[:, 2:].mean(axis=1),
        reverse=mean[:, 1],
        x=x,
        curves=each[:, 0],
        chance_curves=each[:, 2:].mean(axis=1),
        reverse_curves=each[:, 1],
        detail={
            "chance_areas": mean[:, 2:],
            "relative": np.array([_relative(area, curve[0]) for area, curve in zip(mean[:, 0], curves, strict=True)]),
            "nine_tenths": np.array([_gone_for_good(x_, curve[0]) for x_, curve in zip(axes, curves, strict=True)]),
            "by_fill": areas[:, 0],
            "chance_by_fill": areas[:, 2:].mean(axis=1),
            "reverse_by_fill": areas[:, 1],
        },
        labels=shown.names,
        warnings=shown.warnings,
    )


def _gone_for_good(x: np.ndarray, own: np.ndarray) -> float:
    """The share from which on at least nine tenths of the way between the curve's ends are gone; NaN where the ends are alike.

    The effective complexity of Nguyen & Martinez (2020), of an insertion curve: how few parts are enough.
    """
    if np.ptp(own[[0, -1]]) <= 1e-6 * np.abs(own).max():
        return np.nan
    short = np.flatnonzero((own - own[0]) / (own[-1] - own[0]) < 0.9)
    return float(x[short[-1] + 1])


def _relative(area: float, own: np.ndarray) -> float:
    """The area on a scale where the lower end of the curve (s,) is 0 and the upper 1; NaN where the ends hardly differ."""
    low, high = sorted((own[0], own[-1]))
    room = np.ptp(own)
    known = high - low > 0.1 * room and room > 1e-6 * np.abs(own).max()
    return float((area - low) / (high - low)) if known else np.nan
