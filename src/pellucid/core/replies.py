"""One question about two options in both orders: what a language model answered, and what the two answers come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["same", "first", "second", "unclear"]


@dataclass(frozen=True)
class Reply:
    """One prompt: which option was named first, what the model answered, and which option that says, if any.

    `log_odds` of `a` against `b` where the answer begins; NaN where an option is asked about against itself.
    """

    kind: str
    a: str
    b: str
    category: str
    style: str
    order: int
    system: str
    user: str
    answer: str
    chosen: str | None
    log_odds: float

    @property
    def first(self) -> str:
        """The option that is named first."""
        return self.a if self.order == 0 else self.b

    @property
    def second(self) -> str:
        """The option that is named second."""
        return self.b if self.order == 0 else self.a


@dataclass(frozen=True)
class Combination:
    """One question in both orders."""

    a_first: Reply
    b_first: Reply

    @property
    def outcome(self) -> Outcome:
        """Whether both answers name the same option, each time the one named first, or each time the one named second."""
        return outcome(self.a_first.chosen, self.b_first.chosen, self.a_first.a)

    @property
    def discordant(self) -> bool:
        """Whether the two orders name different options."""
        return self.outcome in ("first", "second")

    @property
    def swing(self) -> float:
        """By how much the log-odds change with the order."""
        return self.a_first.log_odds - self.b_first.log_odds

    @property
    def position(self) -> float:
        """The log-odds that being named first adds."""
        return self.swing / 2

    @property
    def content(self) -> float:
        """The log-odds of a against b that both orders agree on."""
        return (self.a_first.log_odds + self.b_first.log_odds) / 2

    @property
    def asymmetry(self) -> float:
        """How much further from zero the log-odds are when b is named first than when a is."""
        return abs(self.b_first.log_odds) - abs(self.a_first.log_odds)

    @property
    def name(self) -> str:
        """`MSFT vs NVDA, Fundamental, Moderate`"""
        one = self.a_first
        return ", ".join(part for part in (f"{one.a} vs {one.b}", one.category, one.style) if part)


def outcome(said: str | None, said_swapped: str | None, a: str) -> Outcome:
    """What two answers to the same question come to."""
    if said is None or said_swapped is None:
        return "unclear"
    if said == said_swapped:
        return "same"
    return "first" if said == a else "second"


def paired(replies: tuple[Reply, ...], kind: str) -> tuple[Combination, ...]:
    """Replies of one kind, both orders of each combination side by side."""
    of_kind = [reply for reply in replies if reply.kind == kind]
    return tuple(Combination(a, b) for a, b in zip(of_kind[::2], of_kind[1::2], strict=True))
