"""A model card -> one HTML page that needs nothing else, and the same numbers as JSON for programs."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.core.sealed import environment, policy
from pellucid.core.store import appearing
from pellucid.studies.human.report import three
from pellucid.studies.lung_ct.assess import Assessment
from pellucid.studies.lung_ct.card import THRESHOLD, Card, points

_BLUE, _RED, _GREY = "#2166ac", "#c1272d", "#6b6b6b"


def write_card(card: Card, folder: str | Path) -> Path:
    """Write `card.html` and `card.json`, each whole or not at all; the page's path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with appearing(folder / "card.json") as partial:
        partial.write_text(json.dumps(facts(card), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with appearing(folder / "card.html") as partial:
        partial.write_text(render(card), encoding="utf-8")
    return folder / "card.html"


def facts(card: Card) -> dict[str, Any]:
    """Plain values by name; None for what is not known"""
    told = {field.name: getattr(card, field.name) for field in dataclasses.fields(card)}
    found = card.explanations
    lines = None if found is None else {"about": found.about, "methods": [line.facts() for line in found.lines]}
    plain: dict[str, Any] = _plain(told | {"explanations": lines})
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def render(card: Card) -> str:
    """The page as text."""
    style = (files("pellucid.studies.lung_ct") / "templates" / "card.css").read_text(encoding="utf-8")
    env = environment("pellucid.studies.lung_ct")
    env.filters |= {"three": lambda value: "–" if value is None else three(value), "percent": percent}
    found = card.explanations
    page: str = env.get_template("card.html").render(
        card=card,
        lines=assessment_of(card).lines(),
        sure=assessment_of(card),
        threshold=THRESHOLD,
        methods=[] if found is None else [(line, points(line)) for line in found.lines],
        training=_svg(lambda ax: _training(ax, card)) if card.training else None,
        calibration=_svg(lambda ax: _calibration(ax, card)),
        style=Markup(style),
        policy=policy(style),
    )
    return page


def assessment_of(card: Card) -> Assessment:
    """The numbers of the card's assessment as the record that they came from"""
    names = {field.name for field in dataclasses.fields(Assessment)}
    return Assessment(**{name: value for name, value in card.assessment.items() if name in names})


def percent(share: float | None) -> str:
    """68 %; a dash for what is not known"""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.0f} %"


def _svg(draw: Callable[[Axes], None]) -> str:
    """A drawing as a data URI; as an image, nothing in it can run or reach out"""
    figure, buffer = Figure(figsize=(4.4, 2.9), layout="constrained"), io.BytesIO()
    ax = figure.subplots()
    draw(ax)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=9)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "pellucid"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _training(ax: Axes, card: Card) -> None:
    epochs = [int(line["epoch"]) for line in card.training]
    for name, label, colour, dashes in (
        ("loss", "loss, training", _GREY, "--"),
        ("validation_loss", "loss, validation", _RED, "-."),
        ("validation_auc", "AUC, validation", _BLUE, "-"),
    ):
        ax.plot(epochs, [float(line[name]) for line in card.training], dashes, color=colour, label=label)
    ax.axvline(card.network["best_epoch"], color=_GREY, linewidth=0.8, linestyle=":", label="the epoch that was kept")
    ax.set_ylim(0, None)
    ax.set_xlabel("epoch", fontsize=9)
    ax.legend(fontsize=8, frameon=False)


def _calibration(ax: Axes, card: Card) -> None:
    said, seen, count = np.array(card.assessment["bins"], float).reshape(-1, 3).T
    ax.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
    ax.scatter(said, seen, s=18 + 90 * count / count.max(), color=_BLUE, alpha=0.8, linewidth=0)
    ax.set_xlim(-0.04, 1.04)
    ax.set_ylim(-0.06, 1.06)
    ax.set_xlabel("probability that the network says (larger dots: more patches)", fontsize=9)
    ax.set_ylabel("share of nodules", fontsize=9)
