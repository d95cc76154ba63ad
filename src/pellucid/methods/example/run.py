"""The engine of `summarize`: explanations as a matrix, rows by features, of which a few are picked."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.errors import InputError
from pellucid.core.examples import Examples
from pellucid.core.records import Attribution
from pellucid.methods.example.counterfactual_summary import CounterfactualSummary
from pellucid.methods.example.submodular_pick import SubmodularPick


def summarize(attribution: Attribution | Counterfactuals, method: Any = None) -> Examples:
    """See `pellucid.api.summarize`."""
    if isinstance(attribution, Counterfactuals):
        given = CounterfactualSummary if method is None else method
        says = "does not summarize counterfactuals: give CounterfactualSummary(k=5)."
        return spelling.as_value(given, (CounterfactualSummary,), says).read(attribution)
    chosen, meter = as_method(method), Meter()
    if not isinstance(attribution, Attribution):
        raise InputError(
            f"summarize picks from an attribution and got a {type(attribution).__name__}: explain some rows first, "
            "as in summarize(explain(model, X, LIME(), background=B))."
        )
    done = np.flatnonzero(attribution.done)
    if not len(done):
        raise InputError("no row of this attribution was finished: there is nothing to pick from.")
    W, names = _matrix(attribution[done])
    rows, gains, importance = chosen.pick(W)
    return Examples(
        indices=done[rows],
        weights=gains,
        curve=gains.cumsum(),
        importance=importance,
        names=names,
        method=chosen,
        receipt=receipt(chosen, meter, warnings=_warnings(chosen, attribution, W, gains)),
    )


def as_method(method: Any) -> SubmodularPick:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = SubmodularPick if method is None else method
    says = "does not summarize explanations: give SubmodularPick(k=5)."
    made: SubmodularPick = spelling.as_value(given, (SubmodularPick,), says)
    return made


def _matrix(attribution: Attribution) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """W (n, p): the players' values where there are players, each word in its column, else the cells."""
    players = attribution.players
    if players is None:
        return attribution.values.reshape(len(attribution), -1), attribution.feature_names
    if players.own is None:
        return players.values, players.names
    if attribution.layout != "tokens":
        raise InputError(
            "each row has parts of its own (superpixels), and no feature is common to two rows: explain with shared players, "
            "such as masker=Grid()."
        )
    words = sorted({name for names in players.own for name in names})
    place = {word: j for j, word in enumerate(words)}
    W = np.zeros((len(attribution), len(words)))
    for row in range(len(attribution)):
        names, values, _ = players.row(row)
        np.add.at(W[row], [place[name] for name in names], values)
    return W, tuple(words)


def _warnings(method: SubmodularPick, attribution: Attribution, W: np.ndarray, gains: np.ndarray) -> tuple[str, ...]:
    """What a reader must know of these rows."""
    said = list(attribution.receipt.warnings)
    if method.k > len(W):
        said.append(f"{method.k} rows were asked for and only {len(W)} are explained")
    idle = int((gains == 0).sum())
    if idle:
        dense = (
            ""
            if method.share < 1
            else "; where every row has a value for every feature, SubmodularPick(share=0.8) tells them apart"
        )
        said.append(f"{idle} of {len(gains)} rows add no feature to those before: fewer rows show as much{dense}")
    return tuple(said)
