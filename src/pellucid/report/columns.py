"""Does one column alone carry the model? The same game of two players as for pictures: one column, and all the others.

Take row i's value of column j and row i' s other columns: a hybrid h. Judged against i's true answer, the model's answer to h
says what the column can do alone; judged against i' s, what the others can do without it. With q the quality of an answer
(1 for the right class, or the negative squared error) and q0 the quality of answers dealt out at random,

    share(j) = ( [q(h, y_i) - q0] + [q - q(h, y_i')] ) / 2 / [q - q0]

is the column's Shapley value over the whole. Without true answers the model's own are used, so that the share is of what it
says. A column near 1 makes the others redundant: often a leak of the answer, an identifier, or a copy of the label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.intervals import ratio
from pellucid.core.maskers import column_names
from pellucid.core.scalar import pieces
from pellucid.report.record import ColumnTest
from pellucid.report.subject import Subject

SHARE = 0.8  # of the quality that a column must carry, with confidence, to be worth a warning
FEWEST_ROWS, FEWEST_COLUMNS = 20, 3
_CELLS = 2**22  # numbers of hybrid rows held at once


@dataclass(frozen=True)
class ColumnSearch:
    """The search for a column that decides alone, over `repeats` ways to pair rows; `seed` draws them."""

    repeats: int = 3
    seed: int = 0


def applies(subject: Subject) -> str | None:
    """Why the test says nothing of this model, or None."""
    if len(subject) < FEWEST_ROWS:
        return f"it needs {FEWEST_ROWS} rows, and there are {len(subject)}"
    if subject.x.shape[1] < FEWEST_COLUMNS:
        return f"it needs {FEWEST_COLUMNS} columns, and there are {subject.x.shape[1]}"
    return None


def search(subject: Subject, method: ColumnSearch = ColumnSearch()) -> ColumnTest:
    """Test every column of a table."""
    subject = replace(subject, meter=Meter())
    y = subject.predicted if subject.truth is None else subject.truth
    rng, n, p = np.random.default_rng(method.seed), *subject.x.shape
    partners = [derangement(rng, n) for _ in range(method.repeats)]
    own, chance = quality(subject, subject.outputs, y), _chance(subject, y)
    level = 1 - 0.05 / p  # all intervals hold together
    shares = np.full((p, 3), np.nan)
    if (own - chance).mean() > 0:
        gains = np.mean([_gains(subject, pair, own, chance, y) for pair in partners], axis=0)
        shares = np.array([ratio(gain, own - chance, level) for gain in gains])
    return ColumnTest(
        names=column_names(subject.x, subject.ready.inputs.form),
        share=shares,
        quality=float(own.mean()),
        chance=float(chance.mean()),
        of_truth=subject.truth is not None,
        level=level,
        suspicious=shares[:, 1] > SHARE,
        receipt=receipt(method, subject.meter, packages=subject.ready.adapter.packages, scale=subject.scale),
    )


def _gains(subject: Subject, pair: np.ndarray, own: np.ndarray, chance: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(p, n) each column's Shapley value of the quality: row i's value among the other columns of row pair[i]"""
    n, p = subject.x.shape
    gains = np.empty((p, n))
    for part in pieces(p, max(1, _CELLS // subject.x.size)):
        tested = np.arange(p)[part]
        hybrids = np.repeat(subject.x[pair][None], len(tested), axis=0)  # (columns, n, p)
        hybrids[np.arange(len(tested)), :, tested] = subject.x[:, tested].T
        for j, said in zip(tested, np.split(subject.ask(hybrids.reshape(-1, p)), len(tested)), strict=True):
            alone, without = quality(subject, said, y), quality(subject, said, y[pair])
            gains[j] = (alone - chance + own[pair] - without) / 2
    return gains


def quality(subject: Subject, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(b,) 1 for the right class, else 0; or the negative squared error"""
    if subject.task == "classification":
        return np.asarray(outputs.argmax(axis=1) == y, dtype=float)
    return np.asarray(-((outputs[:, 0] - y) ** 2))


def _chance(subject: Subject, y: np.ndarray) -> np.ndarray:
    """(n,) the quality of every true answer with the answers dealt out at random"""
    said = subject.predicted
    if subject.task == "regression":
        return np.asarray(-((y - said.mean()) ** 2 + said.var()))
    shares = np.bincount(said, minlength=len(subject.classes)) / len(said)
    return np.asarray(shares[y])


def derangement(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n,) a partner for each row, never itself"""
    order = rng.permutation(n)
    partner = np.empty(n, dtype=int)
    partner[order] = np.roll(order, 1)
    return partner
