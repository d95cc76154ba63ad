"""What speaks against an explanation, in plain sentences: no better than chance, unstable, blind to the model, incomplete."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.core.scores import Comparison, Line
from pellucid.report.plan import is_slope
from pellucid.report.record import Warn, warning
from pellucid.report.words import percent, signed

AGREE = 0.3  # mean rank correlation below which methods are said to disagree

Files = Mapping[str, str]


def unfaithful(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Rankings that neither deletion nor insertion can tell from random ones."""
    for name, lines in _lines(compared):
        tested = [lines[metric] for metric in ("Deletion", "Insertion") if metric in lines]
        if not tested or any(line.verdict.startswith(("better", "one row")) for line in tested):
            continue
        worse = all(line.verdict.startswith("worse") for line in tested)
        how = " and ".join(f"{line.metric.lower()} {_advantage(line)}" for line in tested)
        said = "ranks worse than at random" if worse else "cannot be told from a random ranking"
        yield warning(
            "no-better-than-random",
            "explanation",
            f"{name} ranks {'worse' if worse else 'no better'} than chance.",
            f"{name} {said} on these rows: advantage by {how}. Do not rely on its order.",
            {"method": name, **{line.metric: _numbers(line) for line in tested}},
            files.get(f"{name} scorecard"),
        )


def elsewhere(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Maps that are no nearer to the place that is known than maps without an opinion."""
    for name, lines in _lines(compared):
        tested = [lines[metric] for metric in ("PointingGame", "Localization") if metric in lines]
        if not tested or any(line.rows < 2 or line.verdict.startswith("better") for line in tested):
            continue
        inside = tested[-1]
        yield warning(
            "misplaced",
            "explanation",
            f"{name} does not point to where the answer is known to lie.",
            f"{percent(inside.mean)} of what {name} shows lies inside the places that are known ({percent(inside.low)} to "
            f"{percent(inside.high)}), {percent(inside.chance or 0.0)} if it were spread evenly. Either the model goes by "
            "something else, or this method does not show what it goes by.",
            {"method": name, **{line.metric: _numbers(line) for line in tested}},
            files.get(f"{name} scorecard"),
        )


def unstable(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Explanations that change under a little noise."""
    for name, line in _failed(compared, "Stability"):
        yield warning(
            "unstable",
            "explanation",
            f"{name} changes when the input barely does.",
            f"{name} gives different explanations of nearly the same input: mean similarity {_mean(line)}.",
            {"method": name, **_numbers(line)},
            files.get(f"{name} scorecard"),
        )


def blind(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Explanations that stay when the model's weights are drawn anew."""
    for name, line in _failed(compared, "ModelRandomization"):
        yield warning(
            "fails-sanity-check",
            "explanation",
            f"{name} hardly depends on what the model learned.",
            f"{name} hardly changes when the model's weights are drawn anew: rank correlation {_mean(line)} with the map of a "
            "random model. It shows the input more than the model.",
            {"method": name, **_numbers(line)},
            files.get(f"{name} scorecard"),
        )


def incomplete(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Values that should add up, and do not."""
    for name, line in _failed(compared, "Completeness"):
        card = getattr(compared.attributions[compared.names.index(name)].method, "card", None)
        if not getattr(card, "complete", False):
            continue
        yield warning(
            "gap",
            "explanation",
            f"{name} does not add up.",
            f"The values of {name} miss the score by {percent(line.mean)} of the way from the base value ({percent(line.low)} to "
            f"{percent(line.high)}): part of the score is nowhere in the explanation.",
            {"method": name, **_numbers(line)},
            files.get(f"{name} scorecard"),
        )


def disagreeing(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Methods that share out the same score and rank its parts differently."""
    alike = [i for i, record in enumerate(compared.attributions) if not is_slope(record.method)]
    pairs = [(i, j) for i, j in itertools.combinations(alike, 2) if np.isfinite(compared.agreement[i, j])]
    values = np.array([compared.agreement[i, j] for i, j in pairs])
    if not pairs or values.mean() >= AGREE:
        return
    first, second = (compared.names[i] for i in pairs[int(values.argmin())])
    where = next((one.sentence for one in compared.disputes if {one.first, one.second} == {first, second}), "")
    advice = f"{where}." if where else "Look at which are faithful before believing one."
    yield warning(
        "methods-disagree",
        "explanation",
        "The methods disagree on what matters.",
        f"Methods that share out the score rank its parts with a mean rank correlation of {values.mean():.2f}, below {AGREE}; "
        f"the furthest apart are {first} and {second} ({values.min():.2f}). {advice}",
        {"mean": float(values.mean()), "lowest": float(values.min()), "pair": [first, second], "bar": AGREE},
        files.get(f"{first} values"),
    )


def degenerate(compared: Comparison, files: Files) -> Iterator[Warn]:
    """Maps that say the same of every place."""
    for name, record in zip(compared.names, compared.attributions, strict=True):
        rows = np.flatnonzero(record.done)
        flat = sum(bool(np.ptp(record.values[row]) == 0) for row in rows)
        if flat:
            yield warning(
                "degenerate",
                "explanation",
                f"{name} says nothing of some rows.",
                f"{name} gives the same value everywhere in {flat} of {len(rows)} rows: that is no explanation.",
                {"method": name, "rows": flat, "of": len(rows)},
                files.get(f"{name} values"),
            )


def _lines(compared: Comparison) -> Iterator[tuple[str, dict[str, Line]]]:
    for name, card in zip(compared.names, compared.scorecards, strict=True):
        yield name, {line.metric: line for line in card.lines}


def _failed(compared: Comparison, metric: str) -> Iterator[tuple[str, Line]]:
    """Methods whose whole interval is beyond the metric's bar."""
    for name, lines in _lines(compared):
        if metric in lines and lines[metric].verdict.startswith("fails"):
            yield name, lines[metric]


def _numbers(line: Line) -> dict[str, Any]:
    names = ("mean", "low", "high", "chance", "advantage", "advantage_low", "advantage_high", "rows")
    return {name: getattr(line, name) for name in names if getattr(line, name) is not None}


def _mean(line: Line) -> str:
    return f"{line.mean:.2f} ({line.low:.2f} to {line.high:.2f})"


def _advantage(line: Line) -> str:
    return f"{signed(line.advantage)} ({signed(line.advantage_low)} to {signed(line.advantage_high)})"
