"""What is enough: each row's rule in words, its precision with the bounds that it is promised to lie in, and how far it reaches."""

from __future__ import annotations

from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.rules import ALWAYS, Rules
from pellucid.plot._labels import plain
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, paper, wrap

_LEAST, _ROOM = 0.5, 0.25  # the axis starts here, or so far below the lowest bound


def rules(record: Rules, k: int = 12, ax: Axes | None = None) -> Axes:
    """The first k rows' rules from the top down; a full dot reached the threshold, the dashed line."""
    if k < 1:
        raise InputError(f"k={k}: show at least one rule.")
    shown = record[: min(k, len(record))]
    ax = paper(ax, 1.1 + 0.72 * len(shown))
    start = min(_LEAST, float(shown.low.min()) - _ROOM)
    threshold = getattr(record.method, "threshold", None)
    ax.set_xlim(start, 1 + 0.01 * (1 - start))
    ax.set_ylim(len(shown) - 0.35, -0.75)
    for place in range(len(shown)):
        _line(ax, shown, place, start)
    if threshold is not None:
        ax.axvline(threshold, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=0)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= 1])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    return dress(ax, f"What is enough · {record.receipt.method.partition('(')[0]}", _footer(record, len(shown)))


def _line(ax: Axes, record: Rules, place: int, start: float) -> None:
    """One rule: its words, and below them its interval and its coverage."""
    ax.plot([start, 1], [place + 0.2] * 2, color=FAINT, linewidth=0.6, zorder=0)
    ax.plot([record.low[place], record.high[place]], [place + 0.2] * 2, color=INK, linewidth=1.6, solid_capstyle="butt")
    face = INK if record.reached[place] else "white"
    ax.plot(record.precision[place], place + 0.2, marker="o", markersize=7, markerfacecolor=face, markeredgecolor=INK)
    condition = ALWAYS if record.words(place) == ALWAYS else f"if {record.words(place)}"
    lines = wrap(ax, plain(f"{condition}, then {record.answers[place]}"), SMALL).split("\n")
    words = "\n".join([lines[0], lines[1] + " …" * (len(lines) > 2)] if len(lines) > 1 else lines)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    ax.text(start, place, words, fontsize=SMALL, color=INK, va="bottom", linespacing=1.05, bbox=ground).set_in_layout(
        False
    )
    reach = f"applies to {record.coverage[place]:.1%}"
    ax.text(start, place + 0.2, reach, fontsize=SMALL, color=GREY, va="center", bbox=ground)


def _footer(record: Rules, shown: int) -> str:
    left = len(record) - shown
    whole = "perturbed inputs" if record.covered is None else f"{record.background_rows:,} background rows"
    more = f"; {left} more not shown" if left else ""
    return f"precision, with its bounds; applies to: share of {whole}\nhollow: below the threshold{more}"
