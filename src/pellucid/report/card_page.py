"""A model that can be read -> one HTML page to be printed: its rules, or its points and what their sums mean; no
script, no network."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.model_card import PointsCard, RuleCard
from pellucid.core.sealed import environment
from pellucid.core.store import appearing
from pellucid.report.words import number, percent


def card_page(card: RuleCard | PointsCard, path: str | Path, title: str | None = None) -> Path:
    """Write a model's card as one HTML file.

    Parameters
    ----------
    card : what `model_card` handed back.
    path : the .html file.
    title : the heading; None says what kind of model it is.
    """
    with appearing(Path(path)) as partial:
        partial.write_text(render(card, title), encoding="utf-8")
    return Path(path)


def render(card: RuleCard | PointsCard, title: str | None = None) -> str:
    """The page."""
    env = environment("pellucid.report")
    env.filters |= {"percent": percent, "number": number}
    return env.get_template("card.html").render(
        card=card,
        title=title or card.kind.capitalize(),
        rules=card.rules if isinstance(card, RuleCard) else (),
        largest=max((rule.rows for rule in card.rules), default=1) if isinstance(card, RuleCard) else 1,
        totals=_totals(card) if isinstance(card, PointsCard) else [],
        terms=list(zip(card.terms, card.points.tolist(), strict=True)) if isinstance(card, PointsCard) else [],
    )


def _totals(card: PointsCard) -> list[tuple[int, float, float, float]]:
    """Every sum of points with its risk, what was seen, and the rows."""
    columns = (card.totals.astype(int), card.risks, card.observed, card.rows)
    return list(zip(*(column.tolist() for column in columns), strict=True))
