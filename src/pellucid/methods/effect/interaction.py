"""The engine of `FriedmanH`: draw rows, ask about them at one another's points, account and warn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Cost, Meter, receipt
from pellucid.core.errors import InputError
from pellucid.core.groups import grouped
from pellucid.core.inputs import take_rows
from pellucid.core.maskers import column_names
from pellucid.core.records import Importance
from pellucid.methods.effect.effecting import Varied, check_same, walked
from pellucid.methods.effect.friedman_h import FriedmanH, asked_points
from pellucid.methods.effect.grid import Axis
from pellucid.methods.effect.off_data import off_data
from pellucid.methods.effect.summing import stderr
from pellucid.models.adapter import Inputs
from pellucid.models.prepare import prepare

_WEAK = 0.01  # of the score's variance: a share of a joint effect that is weaker says little
_TRIED = 20  # rows on which a price is found
_SAID = 3  # columns whose points lie off the data that are named


def of_interaction(
    model: Any, X: Any, method: FriedmanH, groups: Mapping[str, Sequence[str | int]], target: Any
) -> Importance:
    """H² of every column or group of columns, on some of the rows."""
    drawn, n = _drawn(X, method)
    ready, meter = prepare(model, drawn), Meter()
    names = column_names(_checked(ready.inputs), ready.inputs.form)
    players = grouped(groups, names)
    beside = _place(method.beside, names, tuple(players))
    with ready.adapter.session():
        f, scores = ready.bind(target, meter)
        check_same(f.pick.target)
        points = asked_points(ready.inputs.x, list(players.values()), beside)
        responses = Varied(f, walked(f, scores, points), many=0)
        size = float(np.abs(scores).max())
        values, pseudo, spreads = method.measure(responses, list(players.values()), beside, size)
    about = () if beside is None else (f"a column has no H² with itself, so that of {tuple(players)[beside]!r} is NaN",)
    sample = () if len(scores) == n else (f"on {len(scores)} rows drawn from {n}",)
    errors = stderr(pseudo)
    return Importance(
        mean=values,
        stderr=errors,
        samples=pseudo,
        names=tuple(players),
        metric="H²" if beside is None else f"H² with {tuple(players)[beside]}",
        baseline=float(scores.mean()),
        receipt=receipt(
            method,
            meter,
            packages=ready.adapter.packages,
            target=repr(f.pick.target),
            scale=f.scale,
            stderr=float(np.nanmax(errors)) if np.isfinite(errors).any() else None,
            warnings=(
                *ready.inputs.warnings,
                *_doubtful(tuple(players), beside, values, spreads, float(scores.var())),
                *_off_the_data(responses, names),
            ),
            notes=sample + about,
        ),
    )


def price(model: Any, X: Any, method: FriedmanH, target: Any, clock: Callable[[], float]) -> Cost:
    """The model rows that H² of all columns takes, counted, and the seconds that a few of them took. Where there are enough of
    them trees are walked instead, which is cheaper."""
    drawn, _ = _drawn(X, method)
    inputs = prepare(model, drawn).inputs
    names = column_names(_checked(inputs), inputs.form)
    groups = [np.array([j]) for j in range(len(names))]
    rows = len(inputs.x) * (1 + asked_points(inputs.x, groups, _place(method.beside, names, names)))
    few, meter = take_rows(drawn, np.arange(min(_TRIED, len(inputs.x)))), Meter(Budget(clock=clock))
    tried = of_interaction(model, few, method, {}, target).receipt
    return Cost(rows, 0, meter.seconds * rows / tried.rows_forward, tried.peak_bytes)


def _drawn(X: Any, method: FriedmanH) -> tuple[Any, int]:
    """The rows of X that are looked at, and how many X has."""
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    rows = method.draw(n)
    return (X if len(rows) == n else take_rows(X, rows)), n


def _checked(inputs: Inputs) -> np.ndarray:
    x = inputs.x
    if inputs.form.own is not None:
        raise InputError("FriedmanH moves whole columns, and X is a sparse matrix: give X.toarray().")
    if x.ndim != 2:
        raise InputError(f"FriedmanH is of the columns of a table (n, p); X has shape {x.shape}.")
    if len(x) < 2:
        raise InputError("X has one row: there are no other points to put it at; give many.")
    return x


def _place(beside: str | int | None, names: tuple[str, ...], players: tuple[str, ...]) -> int | None:
    """The partner's place among the columns and groups."""
    if beside is None:
        return None
    name = names[beside] if isinstance(beside, int) and 0 <= beside < len(names) else beside
    if name not in players:
        raise InputError(
            f"FriedmanH(beside={beside!r}): there is no such column or group; there are {', '.join(players[:20])}."
        )
    if len(players) < 2:
        raise InputError(f"FriedmanH(beside={beside!r}): there is no other column to pair it with.")
    return players.index(str(name))


def _doubtful(
    players: tuple[str, ...], beside: int | None, values: np.ndarray, spreads: np.ndarray, variance: float
) -> tuple[str, ...]:
    """Warnings of shares of nothing, and of next to nothing."""
    if beside is None:
        return ("the score does not vary over these rows, so H² is 0/0",) if np.isnan(values).any() else ()
    other, said = np.arange(len(players)) != beside, []
    if (none := other & np.isnan(values)).any():
        said.append(f"{_listed(players, none)}: does nothing together with {players[beside]!r}, so H² is 0/0")
    if (weak := other & ~np.isnan(values) & (spreads < _WEAK * variance)).any():
        said.append(
            f"{_listed(players, weak)}: does little together with {players[beside]!r}, less than {_WEAK:.0%} of the score's "
            "variance: H² is a share of that little, and may be large where nothing of weight interacts"
        )
    return tuple(said)


def _listed(players: tuple[str, ...], which: np.ndarray) -> str:
    named = [repr(players[i]) for i in np.flatnonzero(which)]
    return ", ".join(named[:5]) + (" ..." if len(named) > 5 else "")


def _off_the_data(responses: Varied, names: tuple[str, ...]) -> tuple[str, ...]:
    """Interaction found where there are no data is the model's guess there."""
    said: list[str] = []
    for place, name in enumerate(names):
        if responses.coded[place]:
            continue
        codes = np.unique(responses.x[:, place].astype(float))
        codes = codes[~np.isnan(codes)]
        said += off_data(responses.x, Axis(name, place, codes, codes, True), names, responses.coded)
    return tuple(said[:_SAID])
