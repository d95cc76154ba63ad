"""Agreement: do other methods put the same places first?

Krishna et al., "The Disagreement Problem in Explainable Machine Learning" (2022): Spearman's rank correlation of the signed
values, and the share of the k largest magnitudes that both explanations have. Independent rankings of p places get
0 on average, and k / p. `alike` is the one function behind this metric and behind the matrix of `compare`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.core.method import Method
from pellucid.core.records import Attribution
from pellucid.methods.run import as_method
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts, places
from pellucid.metrics.similarity import flat, kendall, mean_known, rank_correlation, top_overlap

_MEASURES = ("rank_correlation", "top_overlap", "kendall")


@dataclass(frozen=True)
class Agreement(Metric):
    """`others`: methods or their spellings; without them `truth=` of `evaluate`, a record or array. `k` None: a tenth."""

    others: tuple[Method | str, ...] = ()
    k: int | None = None

    card: ClassVar[MetricCard] = MetricCard(
        question="Do other explanations of the same output rank the places alike?",
        direction="higher",
        range=(-1.0, 1.0),
        chance="0 for the rank correlation, k / places for the shared top",
        cost="an explanation by each other method",
        weaknesses="methods agree when they share a mistake, and answer different questions when they do not: a derivative "
        "and a contribution need not rank alike; maps with many ties correlate weakly",
        paper="Krishna et al. 2022",
        takes=("truth",),
    )

    def __post_init__(self) -> None:
        given = self.others if isinstance(self.others, Sequence) and not isinstance(self.others, str) else [self.others]
        object.__setattr__(self, "others", tuple(as_method(other) for other in given))
        if self.k is not None:
            check_counts(self, "k")

    def measure(self, case: Case) -> Reading:
        maps, labels = self._compared(case), tuple(map(repr, self.others)) or ("truth",)
        own = flat(case.places)
        k = top_of(own.shape[1], self.k)
        ranked, shared = zip(*(alike(own, flat(map_), k) for map_ in maps), strict=True)
        return Reading(
            mean_known(np.array(ranked), axis=0),
            chance=np.zeros(len(own)),
            detail={
                "rank_correlation": np.stack(ranked, axis=1),  # (n, others)
                "top_overlap": np.stack(shared, axis=1),
                "top_overlap_by_chance": np.full(len(own), k / own.shape[1]),
            },
            labels=labels,
        )

    def _compared(self, case: Case) -> list[np.ndarray]:
        """Maps (n, *space) of the other explanations."""
        if self.others:
            made = [case.by(other) for other in self.others]  # type: ignore[arg-type]
            return [places(other.values, case.x, case.channels) for other in made]
        if case.truth is None:
            raise InputError(
                "Agreement() has nothing to compare with: give others=('Saliency()', ...), or truth= to evaluate, a record "
                "or an array in the shape of the values."
            )
        values = case.truth.values if isinstance(case.truth, Attribution) else plain_array(case.truth, float)
        return [places(values, case.x, case.channels)]


def alike(a: np.ndarray, b: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """a, b (n, p) -> rank correlation (n,), NaN where a map is constant, and shared top k (n,)."""
    return rank_correlation(a, b), top_overlap(a, b, k)


def top_of(size: int, k: int | None) -> int:
    """How many places are the top: k, or a tenth of them."""
    return min(size, k) if k is not None else max(1, round(size / 10))


def matrix(records: Sequence[Attribution], k: int | None = None) -> dict[str, Any]:
    """Every record with every other: `rank_correlation`, `kendall` and `top_overlap`, (n, m, m) each, and the k it took."""
    if any(record.texts is not None for record in records):
        return _of_texts(records, k)
    maps = [flat(record.collapse("sum")) for record in records]
    if len({map_.shape for map_ in maps}) > 1:
        raise InputError(
            f"these maps have {sorted({map_.shape[1] for map_ in maps})} places: only like can be compared."
        )
    n, p, m = *maps[0].shape, len(maps)
    k = top_of(p, k)
    found = {name: np.empty((n, m, m)) for name in _MEASURES}
    for i, j in itertools.combinations_with_replacement(range(m), 2):
        pair = (*alike(maps[i], maps[j], k), kendall(maps[i], maps[j]))
        for name, value in zip(_MEASURES, pair, strict=True):
            found[name][:, i, j] = found[name][:, j, i] = value
    return {**found, "k": k}


def _of_texts(records: Sequence[Attribution], k: int | None) -> dict[str, Any]:
    """Texts have different numbers of parts, so each is compared by itself, without the padding."""
    if len({(record.texts, record.data.shape) for record in records}) > 1 or any(
        (record.data != records[0].data).any() for record in records
    ):
        raise InputError("these records cut the texts into different parts (words, tokens): only like can be compared.")
    rows: list[dict[str, Any]] = []
    for row in range(len(records[0])):
        masks = [record.mask[row] for record in records if record.mask is not None]
        there = np.flatnonzero(masks[0])
        if not len(there):
            rows.append({**dict.fromkeys(_MEASURES, np.full((1, len(records), len(records)), np.nan)), "k": 0})
            continue
        single = [replace(record[row], values=record.values[[row]][:, there], texts=None) for record in records]
        rows.append(matrix(single, k))
    joined = {name: np.concatenate([found[name] for found in rows]) for name in _MEASURES}
    return {**joined, "k": max(found["k"] for found in rows)}
