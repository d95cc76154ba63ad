"""Models that can be read, on one page: rules as a list to go through, points as a table to add up."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.model_card import PointsCard, Rule, RuleCard
from pellucid.plot._labels import plain
from pellucid.plot._style import BLUE, FAINT, GREY, INK, PLAIN, RED, SMALL, dress, paper, wrap

_LINE = 0.42  # inches of a rule


def rule_card(card: RuleCard, k: int = 20, ax: Axes | None = None) -> Axes:
    """The first k rules from the top down; a bar is as long as the share of rows that the rule decides about, full where right."""
    shown = card.rules[:k]
    ax = paper(ax, 1.0 + 1.15 * _LINE * len(shown))
    ax.set_xlim(0, 1)
    ax.set_ylim(len(shown) - 0.35, -0.65)
    largest = max([rule.rows for rule in card.rules], default=1.0) or 1.0
    for place, rule in enumerate(shown):
        _rule(ax, card, rule, place, largest)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    more = f"; {len(card.rules) - k} more not shown" if len(card.rules) > k else ""
    return dress(ax, f"{card.kind.capitalize()} for {' / '.join(card.classes) or 'a number'}", f"{_known(card)}{more}")


def _known(card: RuleCard | PointsCard) -> str:
    return "; ".join(card.receipt.notes) or "bars: rows that a rule decides about, filled: those that it is right about"


def _rule(ax: Axes, card: RuleCard, rule: Rule, place: int, largest: float) -> None:
    """One rule: what it asks for, what it says, and a bar of its rows."""
    start = f"{'else if' if card.ordered and place else 'if'} {rule.words}" if rule.conditions else "otherwise"
    lines = wrap(ax, plain(f"{start}, then {rule.answer}"), SMALL / 0.68).split("\n")
    words = "\n".join([lines[0], lines[1] + " …" * (len(lines) > 2)] if len(lines) > 1 else lines)
    ax.text(0, place, words, fontsize=SMALL, color=INK, va="center", linespacing=1.1)
    length, sure = 0.12 * rule.rows / largest, max(rule.shares, default=1.0)
    ax.barh(place, length, 0.34, left=0.7, color="white", edgecolor=PLAIN, linewidth=0.9)
    ax.barh(place, length * sure, 0.34, left=0.7, color=PLAIN)
    share = f"{sure:.0%} of " if rule.shares else ""
    ax.text(1.0, place, f"{share}{rule.rows:,.6g}", fontsize=SMALL, color=INK, va="center", ha="right")
    ax.axhline(place + 0.5, color=FAINT, linewidth=0.6)


def points_card(card: PointsCard, ax: Axes | None = None) -> Axes:
    """The points of each term, and below them what each sum stands for; a linear model has weights and no sums."""
    whole = card.kind == "scoring system"
    bands = _bands(card) if whole else []
    height = len(card.terms) + (1.6 + len(bands) if bands else 0)
    ax = paper(ax, 0.9 + 0.27 * height)
    ax.set_xlim(0, 1)
    ax.set_ylim(height - 0.4, -0.6)
    for place, (term, points) in enumerate(zip(card.terms, card.points.tolist(), strict=True)):
        colour = RED if points > 0 else BLUE
        ax.text(0, place, plain(term), fontsize=SMALL, color=INK, va="center")
        ax.text(1, place, _signed(points, whole), fontsize=SMALL, color=colour, va="center", ha="right")
        ax.axhline(place + 0.5, color=FAINT, linewidth=0.6)
    for line, (totals, chance, observed, rows) in enumerate(bands):
        _band(ax, len(card.terms) + 1.2 + line, (totals, chance, observed, rows))
    if bands:
        _heads(ax, len(card.terms) + 0.2)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return dress(
        ax,
        f"{card.kind.capitalize()}: {'add up the points for' if whole else 'weights for'} {card.answer}",
        _known(card),
    )


def _signed(points: float, whole: bool) -> str:
    return (f"{points:+.0f}" if whole else f"{points:+.3g}").replace("-", "−")


def _heads(ax: Axes, place: float) -> None:
    for x, words, side in (
        (0.0, "sum of points", "left"),
        (0.36, "chance", "right"),
        (0.86, "seen", "right"),
        (1.0, "rows", "right"),
    ):
        ax.text(x, place, words, fontsize=SMALL, color=GREY, va="center", ha=side)


def _band(ax: Axes, place: float, band: tuple[str, float, float, float]) -> None:
    """One line of the table of sums: a bar of the chance, a tick where the training rows were."""
    totals, chance, observed, rows = band
    ax.text(0, place, totals, fontsize=SMALL, color=INK, va="center")
    ax.text(0.36, place, f"{chance:.0%}", fontsize=SMALL, color=INK, va="center", ha="right")
    ax.barh(place, 0.35 * chance, 0.55, left=0.4, color=PLAIN)
    ax.plot([0.4 + 0.35 * observed] * 2, [place - 0.36, place + 0.36], color=INK, linewidth=1.4)
    ax.text(0.86, place, f"{observed:.0%}", fontsize=SMALL, color=INK, va="center", ha="right")
    ax.text(1.0, place, f"{rows:,.6g}", fontsize=SMALL, color=GREY, va="center", ha="right")


def _bands(card: PointsCard, most: int = 12) -> list[tuple[str, float, float, float]]:
    """Sums of points in at most so many lines, neighbours together where there are more, each with about as many rows."""
    parts = min(most, len(card.totals))
    share = np.cumsum(card.rows) - card.rows / 2
    place = (
        np.minimum((share / card.rows.sum() * parts).astype(int), parts - 1)
        if len(card.totals) > most
        else np.arange(parts)
    )
    made = []
    for part in np.unique(place):
        here = place == part
        rows, totals = card.rows[here], card.totals[here].astype(int)
        name = str(totals[0]) if len(totals) == 1 else f"{totals[0]} to {totals[-1]}"
        mean = [float((values[here] * rows).sum() / rows.sum()) for values in (card.risks, card.observed)]
        made.append((name.replace("-", "−"), mean[0], mean[1], float(rows.sum())))
    return made
