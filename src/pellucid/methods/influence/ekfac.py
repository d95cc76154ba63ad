"""EK-FAC influence: influence functions for networks whose Hessian cannot be made, one layer at a time.

Grosse et al., "Studying Large Language Model Generalization with Influence Functions" (arXiv 2308.03296, 2023). In place of the
Hessian stands the Gauss-Newton matrix, which is never indefinite, block by block for each layer, in the form of `factors.py`:

    score_i = grad m' (G + l2 + damping)^-1 grad l_i / n,   (G + lambda)^-1 V = Q_G [ (Q_G' V Q_A) / (Lambda + lambda) ] Q_A'

Linear layers (attention's projections among them), convolutions and embeddings have factors; other parameters (norms, grouped
convolutions) are held fixed, which the notes say. With `CrossEntropy()` or `SquaredError()` as the task the curvature at the output
is known, so G is that of the model's own predictions: exactly, one backward pass for each output (`draws=None`), or `draws` random
mixtures of them. Of a task that is a plain function only labels are known, and G is the empirical Fisher matrix, with a warning.

`damping=None` takes a tenth of each layer's mean curvature, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError, ModelError
from pellucid.core.method import Card, check_positive
from pellucid.methods.influence import factors as kept
from pellucid.methods.influence.base import Found, InfluenceMethod, Progress, check_parameters
from pellucid.methods.influence.factors import Block, Factors, Key
from pellucid.models.training.losses import Loss

if TYPE_CHECKING:
    from pellucid.models.training.gradients import Training

_SHARE = 0.1  # of a layer's mean curvature: the damping of the paper


@dataclass(frozen=True)
class EKFAC(InfluenceMethod):
    """`l2` is the penalty of training; `damping` what is added to the curvature, None for a tenth of each layer's mean.

    `draws` is how many random mixtures of the outputs stand for all of them, None goes through all; `parameters` are patterns of
    names to look at, None for all; `seed` draws the mixtures.
    """

    l2: float = 0.0
    damping: float | None = None
    draws: int | None = None
    parameters: tuple[str, ...] | None = None
    seed: int = 0

    unit: ClassVar[Literal["loss", "none"]] = "loss"
    card: ClassVar[Card] = Card(
        question="Which training examples shaped this answer of a large network?",
        scope="local",
        access="training data",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one signed number for every query and training example",
        cost="two passes over the training data for the factors (which can be kept), one more for the scores",
        strengths="inverts the curvature of millions of parameters; needs no minimum",
        weaknesses="layers are taken as independent and their bases as given: ranks examples, and its unit is rough",
        paper="Grosse et al. 2023",
        rows=10,
        verb="influence",
    )

    def __post_init__(self) -> None:
        check_parameters(self)
        check_positive(self, *([] if self.draws is None else ["draws"]))
        for name in ("l2", "damping"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise MethodError(f"EKFAC({name}={value!r}): expected a number from 0 on.")

    def score(self, training: Training, progress: Progress) -> Found:
        factors = self._factors(training, progress)
        if not factors:
            raise ModelError("none of the chosen parameters belongs to a linear layer, a convolution or an embedding.")
        solved = self._solved(training, factors)
        scores, own = np.zeros((training.q, training.n)), np.zeros(training.n)
        for rows in training.blocks("train"):
            for key, (a, g) in training.layered("train", rows).items():
                turned = factors[key].turned(a, g)
                scores[:, rows] += np.einsum("qcd,bcd->qb", solved[key], turned, optimize=True)
                own[rows] += (turned**2 / self._ridged(factors[key])).sum(axis=(1, 2))
            progress(len(rows))
        return Found(
            scores / training.n, own / training.n, warnings=self._warnings(training), notes=_notes(training, factors)
        )

    def _factors(self, training: Training, progress: Progress) -> Factors:
        path = None if training.factors is None else Path(training.factors)
        mark = "" if path is None else kept.fingerprint(training, repr((self.draws, self.seed, self.parameters)))
        if path is not None and path.exists():
            return kept.load(path, mark)
        made = kept.measure(training, self.draws, self.stream, progress)
        if path is not None:
            kept.save(made, path, mark)
        return made

    def _solved(self, training: Training, factors: Factors) -> dict[Key, np.ndarray]:
        """Each layer's (q, c, d): the queries' gradients in its bases, over its curvature"""
        found: dict[Key, list[np.ndarray]] = {key: [] for key in factors}
        for rows in training.blocks("query"):
            sides = training.layered("query", rows)
            for key, block in factors.items():
                turned = block.turned(*sides[key]) if key in sides else np.zeros((len(rows), *block.curvature.shape))
                found[key].append(turned / self._ridged(block))
        return {key: np.concatenate(parts) for key, parts in found.items()}

    def _ridged(self, block: Block) -> np.ndarray:
        """(c, d) curvature and what is added to it"""
        damping = _SHARE * block.curvature.mean() if self.damping is None else self.damping
        ridged: np.ndarray = block.curvature + self.l2 + damping
        if not ridged.min() > 0:
            raise MethodError(
                "EKFAC(damping=0): some directions have no curvature at all; leave damping at None or give some."
            )
        return ridged

    def _warnings(self, training: Training) -> tuple[str, ...]:
        if isinstance(training.task, Loss):
            return ()
        return (
            "the task is a plain function, so the curvature is the empirical Fisher matrix of the labels; CrossEntropy() or "
            "SquaredError() as the task give that of the model's predictions",
        )


def _notes(training: Training, factors: Factors) -> tuple[str, ...]:
    met: set[Any] = {name for key in factors for name in key}
    fixed = [name for name in training.names if name not in met]
    return (f"held fixed, being of no layer with factors: {', '.join(fixed)}",) if fixed else ()
