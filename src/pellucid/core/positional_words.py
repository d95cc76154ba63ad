"""What a study of positional bias found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.core.positional import BiasLine, PositionalBias


def overall(result: PositionalBias) -> str:
    whole = result.line("all", "all")
    if not whole.discordant:
        return f"The order of the options changes none of {whole.clear} answers."
    changed = f"The order of the options changes the answer in {whole.discordant} of {whole.clear} combinations"
    ways = f"{whole.first} times in favour of the option named first, {whole.second} times of the one named second"
    return f"{changed}: {ways}, {_sure(result)}."


def _sure(result: PositionalBias) -> str:
    """How far chance explains it."""
    p = p_text(result.line("all", "all").p)
    if result.biased is not None:
        return f"more than chance explains{', for these pairs at least' * result.few_pairs} (p {p})"
    if result.line("all", "all").p < 0.05:
        over = p_text(result.p_pairs)
        return f"which a habit of some pairs may explain (p {p} if combinations are independent, p {over} if only pairs are)"
    return f"which chance may explain (p {p})"


def p_text(p: float) -> str:
    """`= 0.03`, and nothing smaller than one in ten thousand."""
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"


def strongest(result: PositionalBias) -> str:
    """The categories and styles in which chance does not explain it."""
    found = [line for line in result.lines if line.by in ("category", "style") and line.p_holm < 0.05]
    if not found or result.biased is None:
        return ""
    if len(found) == len([line for line in result.lines if line.by in ("category", "style")]):
        return "So it is in every single category and style, all of them allowed for."
    told = (f"{line.name} ({line.discordant} of {line.clear}, {_side(line)})" for line in found)
    return f"Beyond chance on their own, all categories and styles allowed for: {', '.join(told)}."


def _side(line: BiasLine) -> str:
    return "first" if line.first > line.second else "second"


def log_odds(result: PositionalBias) -> str:
    position = result.line("all", "all").position
    if position != position:
        return ""
    added = f"{position:+.2f}".replace("-", "−")
    return f"Being named first adds {added} to the log-odds of an option on average."


def unclear(result: PositionalBias) -> str:
    whole = result.line("all", "all")
    if not whole.unclear:
        return ""
    return f"{whole.unclear} of {whole.combinations} combinations are left out because an answer names neither option, or both."
