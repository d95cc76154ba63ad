"""Counterfactuals by a generator that is trained once and then asked about any row: a conditional variational autoencoder.

Mahajan, Tan & Sharma, "Preserving causal constraints in counterfactual explanations for machine learning classifiers" (2019): for
a differentiable model f, an encoder and a decoder are trained on the data, by the model's own slopes, so that x' is near to
x, has the answer y', and keeps to what is known of the world:

    minimise  mean over x and y'  of  E_q(h | x, y') [ d(x, x') + validity * max(0, margin - m_y'(x')) + lawful * broken(x') ]
                                      + divergence * KL(q(h | x, y') || N(0, I)),        x' = decoder(h, y')

    d(x, x') = mean_j |x'_j - e_j| / s_j        e_j = x_j, or, where column j follows from others, x_j + F_j(x'_pa) - F_j(x_pa)

m is the margin of the wanted answer in units of its spread over the data, and m_y' = -m for y' = 0; `broken` says by how much
columns that may only rise fall, or relations between columns fail, in units of the columns (their monotonicity losses). e_j is
what the structural model says that the column would have become: their causal proximity, with the row's own noise kept
(abduction) where they have F_j(x'_pa) alone.

What a generator says is a proposal. `draws` of them are brought to values that the columns can take, those of columns that
follow are replaced by what follows from the acts among them (`structure.py`), and each is asked of the model and held to
every constraint, as the answers of all methods are. With `tidy`, changes that the answer does not need are taken back and
the others drawn in, which halves distances and more, and brings answers to the border; without it they lie where the
generator learned that rows with this answer lie. One generator is trained for each wanted answer among the rows, from the
same seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Card, check_positive
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.base import ColumnMethod, Outcome
from pellucid.methods.counterfactual.distance import Distance, parse, units

if TYPE_CHECKING:
    from pellucid.methods.counterfactual.problem import Problem

_WHOLE = ("answers", "latent", "hidden", "batches", "size", "draws", "queries")
_WEIGHTS = ("diversity", "validity", "margin", "lawful", "divergence")


@dataclass(frozen=True)
class VariationalCounterfactual(ColumnMethod):
    """`distance` is a norm alone or with the unit of its columns, as of Wachter; it prices answers, and its units are those
    of training.

    `answers` is how many a row gets; `diversity` how much they are to differ. `latent` and `hidden` are the sizes of the code and
    of the hidden layers; `batches` of `size` rows are trained on, by steps of `rate`. `validity` is the weight of the wanted
    answer and `margin` how far beyond the border it is wanted, in the margin's spread over the data; `lawful` the weight of
    constraints, `divergence` that of the code's distance from a normal one. `draws` proposals are made for a row; `tidy`
    takes back what an answer does not need; `queries` is how many model rows one row may take beside the training, which
    takes up to three times `batches` * `size`.
    """

    distance: str = "l1-mad"
    answers: int = 1
    diversity: float = 0.5
    latent: int = 8
    hidden: int = 32
    batches: int = 600
    size: int = 64
    rate: float = 0.01
    validity: float = 4.0
    margin: float = 0.3
    lawful: float = 4.0
    divergence: float = 0.01
    draws: int = 40
    tidy: bool = True
    seed: int = 0
    queries: int = 5_000

    card: ClassVar[Card] = Card(
        question="Which rows like those of the data have another answer, and lie near?",
        scope="local",
        access="gradients",
        inputs=("table",),
        output="rows with the wanted answer that a trained generator proposes, or that there is none among them",
        cost="a training of `batches` x `size` rows once, then tens of rows for each row",
        strengths="looks like the data; keeps what follows from what; after its training a row costs little",
        weaknesses="trained, so a row may get no answer that has one, and its answer is not the nearest; needs a network",
        paper="Mahajan, Tan & Sharma 2019",
        rows=100,
        verb="counterfactual",
    )

    def __post_init__(self) -> None:
        parse(self.distance)
        check_positive(self, *_WHOLE, "rate")
        for name in _WHOLE:
            if not isinstance(getattr(self, name), int):
                raise MethodError(
                    f"VariationalCounterfactual({name}={getattr(self, name)!r}): expected a whole number."
                )
        for name in _WEIGHTS:
            if not (isinstance(getattr(self, name), int | float) and getattr(self, name) >= 0):
                raise MethodError(
                    f"VariationalCounterfactual({name}={getattr(self, name)!r}): expected a number from 0 on."
                )

    def measured(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> Distance:
        if background is None:
            raise InputError(
                "VariationalCounterfactual is trained on rows like x: pass background=, for example 1,000 training rows."
            )
        coded = np.array([column.kind == "level" for column in columns])
        norm, unit = parse(self.distance)
        return Distance(norm, units(unit, background, coded), coded)

    def search(self, problem: Problem) -> Outcome:
        from pellucid.methods.counterfactual.generating import generated  # torch is needed from here on

        return generated(self, problem)
