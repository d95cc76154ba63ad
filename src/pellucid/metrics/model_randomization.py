"""Model randomisation: an explanation of the model has to change when the model's weights are drawn anew.

Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018), section 3: layers are randomised from the output inwards,
cascading, and the map of the same target is compared with the original one; and each layer is randomised by itself, which shows
layers that an explanation does not look at. The value is Spearman's rank correlation of the *signed* maps after full
randomisation: magnitudes of maps that are multiplied with the input stay alike (about 0.9 on pictures with a black ground)
whatever the weights, so correlations of absolute values hide the change. They stand beside it, to be seen for what they are.

Structural similarity (Wang et al. 2004) is the paper's other measure, here of signed maps with two or three axes, each divided by
its largest magnitude, in windows of up to 7 places a side; it needs scikit-image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.core.errors import MethodError, MissingDependency
from pellucid.core.registry import need
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.similarity import constant, flat, still_alike, unit_scale

_WINDOW = 7  # of structural similarity, scikit-image's own


@dataclass(frozen=True)
class ModelRandomization(Metric):
    """`stages` depths, evenly spread up to all layers (fewer where there are fewer); the last is averaged over `draws`.

    With `independent` the layer at each of these depths is also drawn anew by itself.
    """

    stages: int = 6
    draws: int = 4
    independent: bool = True
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the explanation change when the model's weights are drawn anew?",
        direction="closer to 0",
        range=(-1.0, 1.0),
        chance="0 on average; maps of p places vary by 1 / sqrt(p - 1) around it, so little is learned from small tables",
        cost="`stages` + `draws` - 1 explanations, and `stages` more with `independent`",
        weaknesses="all rows share the draws of weights, so the interval over rows knows nothing of other draws (see by_draw); "
        "an edge detector fails and so does a right explanation of a task whose answer is the edges; passing is necessary, "
        "not sufficient; 0.4 is a convention",
        paper="Adebayo et al. 2018",
        needs=("again", "network"),
        bar=0.4,
    )

    def __post_init__(self) -> None:
        check_counts(self, "stages", "draws")

    def measure(self, case: Case) -> Reading:
        from pellucid.models.torch import parametrized

        names = [name for name, _ in parametrized(case.model)][::-1]
        if not names:
            raise MethodError("ModelRandomization draws weights anew, and this network has no parameters.")
        depths = np.unique(np.rint(np.linspace(0, len(names), min(self.stages, len(names)) + 1)).astype(int))[1:]
        cascade = [self._map(case, int(depth), 0) for depth in depths]
        ends = [cascade[-1], *(self._map(case, int(depths[-1]), draw) for draw in range(1, self.draws))]
        alone = [self._map(case, int(depth), 0, alone=True) for depth in depths] if self.independent else []
        detail, said = _compared(case, cascade, alone)
        by_draw = _each(still_alike, flat(case.record.values), [flat(map_) for map_ in ends])  # (n, draws)
        detail["by_depth"][:, -1] = by_draw.mean(axis=1)
        dead = np.mean([constant(flat(map_)) for map_ in ends], axis=0)
        return Reading(
            by_draw.mean(axis=1),
            detail={**detail, "by_draw": by_draw, "degenerate_share": dead},
            labels=tuple(f"{depth}: {names[depth - 1]}" for depth in depths),
            warnings=said,
        )

    def _map(self, case: Case, depth: int, draw: int, alone: bool = False) -> np.ndarray:
        """The maps (n, ...) of the model whose last `depth` layers, or whose one layer there, are drawn anew."""
        from pellucid.models.torch import randomized

        seed = int(np.random.SeedSequence((self.seed, draw)).generate_state(1)[0])
        return case.explained(case.x, randomized(case.model, depth, seed, alone))


def _compared(
    case: Case, cascade: list[np.ndarray], alone: list[np.ndarray]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Maps of other weights -> (n, depths) each: how like the record's own they are."""
    own, maps = flat(case.record.values), [flat(map_) for map_ in cascade]
    detail = {
        "by_depth": _each(still_alike, own, maps),
        "by_depth_of_magnitudes": _each(still_alike, np.abs(own), [np.abs(map_) for map_ in maps]),
    }
    if alone:
        detail["by_layer"] = _each(still_alike, own, [flat(map_) for map_ in alone])
    try:
        similar = _structural(case.places.shape[1:])
    except MissingDependency as error:
        return detail, (f"no structural similarity: {error}",)
    if similar is not None:
        detail["ssim_by_depth"] = _each(similar, case.places, [case.on_places(map_) for map_ in cascade])
    return detail, ()


def _each(alike: Callable[..., np.ndarray], own: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """(n, others)"""
    return np.stack([alike(own, other) for other in others], axis=1)


def _structural(space: tuple[int, ...]) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Structural similarity of maps (n, *space), (n, *space) -> (n,); None where maps are too small or have one axis."""
    if len(space) < 2 or min(space) < 3:
        return None
    metrics: Any = need("skimage.metrics", "structural similarity")
    window = min(_WINDOW, (min(space) - 1) // 2 * 2 + 1)

    def similar(own: np.ndarray, other: np.ndarray) -> np.ndarray:
        a, b = (unit_scale(flat(maps)).reshape(maps.shape) for maps in (own, other))
        made = [metrics.structural_similarity(p, q, win_size=window, data_range=2.0) for p, q in zip(a, b, strict=True)]
        return np.where(constant(flat(own)), np.nan, np.array(made))

    return similar
