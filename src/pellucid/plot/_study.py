"""A study with people: each condition's mean with its 95 % interval, one panel per measure."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.study import Arm, StudyResult
from pellucid.plot._labels import number, shorten
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, name_rows, paper

_LINE = 0.42  # inches
_AXES = {
    "accuracy": "right answers",
    "seconds": "seconds per page (geometric mean)",
    "follows": "answers that follow the machine",
    "follows wrong": "answers that follow the machine where it is wrong",
    "improvement": "accuracy gained by training again",
}
_SHARES = ("accuracy", "follows", "follows wrong")


def study(record: StudyResult, measure: str = "accuracy", kind: str | None = None, ax: Axes | None = None) -> Axes:
    """One measure in every condition; `kind` chooses among the kinds of task (None: the first that has the measure)."""
    arms = [arm for arm in record.arms if arm.measure == measure and kind in (None, arm.kind)]
    if not arms:
        known = ", ".join(dict.fromkeys(arm.measure for arm in record.arms if kind in (None, arm.kind))) or "nothing"
        raise InputError(f"this study has no {measure!r} of {kind or 'any kind of task'}; it has {known}.")
    arms = [arm for arm in arms if arm.kind == arms[0].kind]
    ax = paper(ax, 1.25 + _LINE * len(arms))
    for line, arm in enumerate(arms):
        _draw(ax, line, arm)
    if measure == "accuracy":
        ax.axvline(arms[0].chance, color=GREY, linewidth=1, linestyle=(0, (3, 2)), zorder=0)
    name_rows(ax, [f"{shorten(arm.condition, 32)} ({arm.participants})" for arm in arms])
    _limits(ax, arms, measure)
    footer = f"{_AXES[measure]}; whiskers: 95\u00a0% intervals; in brackets: participants"
    guess = "\ndashed: guessing" if measure == "accuracy" else ""
    return dress(ax, f"{shorten(record.title, 60)} · {arms[0].kind}", footer + guess)


def _draw(ax: Axes, line: int, arm: Arm) -> None:
    ax.axhline(line, color=FAINT, linewidth=0.6, zorder=0)
    reach = np.nan_to_num([[arm.mean - arm.low], [arm.high - arm.mean]])
    ax.errorbar([arm.mean], [line], xerr=reach, fmt="o", color=INK, markersize=6, linewidth=1.6, capsize=3)
    said = f"{100 * arm.mean:.0f}\u00a0%" if arm.measure in _SHARES else number(arm.mean)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    ax.annotate(
        said, (arm.mean, line), (0, 7), textcoords="offset points", ha="center", fontsize=SMALL, color=INK, bbox=ground
    )


def _limits(ax: Axes, arms: list[Arm], measure: str) -> None:
    if measure in _SHARES:
        ax.set_xlim(-0.02, 1.02)
        ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}\u00a0%")
    elif measure == "seconds":
        ax.set_xlim(0, 1.08 * np.nanmax([[arm.high, arm.mean] for arm in arms]))
