"""What a language model answered when the order of two options was changed: the record of a study of positional bias.

A combination is one question about options a and b. It was asked twice: order 0 names a first, order 1 names b first. With
the log-odds s of a against b (positive: towards a) in each order,

    swing = s_0 - s_1        position = swing / 2        content = (s_0 + s_1) / 2

so s_0 = content + position and s_1 = content - position: what the order adds, to whichever option is named first, and what
stays when it is changed. For a model whose log-odds are such a sum, averaging over both orders takes the order out exactly.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Record

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["same", "first", "second", "unclear"]
_PAIRS = 6


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


@dataclass(frozen=True)
class BiasLine:
    """Combinations that have something in common: how many go with the order, and in which direction.

    `unclear` of them had an answer that names neither option, or both. Of the `clear` ones, `same` answers stay, `first` follow
    the option named first and `second` the one named second. (low, high) are exact 95 % intervals: of the share of clear
    combinations that follow the first option, and of `first` among those that follow the order. `p` is the exact two-sided
    test that the two directions are equally likely, `p_holm` allows for all lines of its kind. `position` is the mean of the
    log-odds that being named first adds (half the swing), `asymmetry` the mean of b-first less a-first in size.
    """

    by: str
    name: str
    combinations: int
    unclear: int
    same: int
    first: int
    second: int
    first_share: float
    first_low: float
    first_high: float
    primacy: float
    primacy_low: float
    primacy_high: float
    p: float
    p_holm: float
    position: float
    content: float
    asymmetry: float

    @property
    def clear(self) -> int:
        """Combinations in which both answers name one option."""
        return self.combinations - self.unclear

    @property
    def discordant(self) -> int:
        """Combinations whose answer changes with the order."""
        return self.first + self.second


@dataclass(frozen=True)
class RoleLine:
    """What tokens of one role say, over the explained prompts: the mean of their summed values towards the option named
    first, with a 95 % interval over combinations, and the mean share of all absolute values. `order` is "both", "a first"
    or "b first"."""

    role: str
    order: str
    prompts: int
    mean: float
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class Remedy:
    """What is left of the bias when decisions are made in another way; all are by the sign of log-odds. `passes` of the
    model for each decision, `extra` ones once and for all; `kept` is the share of decisions on which both orders agreed
    before that stay the same."""

    name: str
    passes: float
    extra: int
    combinations: int
    first: int
    second: int
    position: float
    p: float
    kept: float

    @property
    def discordant(self) -> int:
        """Decisions that change with the order."""
        return self.first + self.second


@dataclass(frozen=True, eq=False, kw_only=True)
class PositionalBias(Record):
    """What a study of positional bias found.

    `replies` are all prompts and answers, in the order of the plan; `lines` are counts and tests (over all, by category,
    style and pair, and for the control of names without meaning); `attributions` explain the combinations with the numbers
    `explained`, two rows each, a first and b first; `roles` sum them up; `remedies` say what helps. `p_pairs` is the test
    that allows for all combinations of a pair moving together; `misnamed` counts questions about an option against itself
    that got another answer.
    """

    title: str
    model: str
    plan: dict[str, Any]
    replies: tuple[Reply, ...]
    lines: tuple[BiasLine, ...]
    p_pairs: float
    explained: tuple[int, ...]
    attributions: tuple[Attribution, ...]
    roles: tuple[RoleLine, ...]
    remedies: tuple[Remedy, ...]
    identical: int
    misnamed: int

    @property
    def combinations(self) -> tuple[Combination, ...]:
        """The questions, both orders side by side."""
        return paired(self.replies, "question")

    @property
    def discordant(self) -> tuple[int, ...]:
        """The numbers of the combinations whose answer changes with the order."""
        return tuple(i for i, one in enumerate(self.combinations) if one.discordant)

    def line(self, name: str = "all", by: str | None = None) -> BiasLine:
        """One line by its name, and by its kind where two have that name."""
        found = [line for line in self.lines if line.name == name and by in (None, line.by)]
        if len(found) != 1:
            known = "; ".join(f"{line.by} {line.name}" for line in self.lines)
            raise InputError(f"{len(found)} lines are called {name!r}: choose one of {known}.")
        return found[0]

    @property
    def biased(self) -> str | None:
        """Which option is favoured, "first" or "second", where chance does not explain it; else None.

        Both tests have to say so, that over combinations and that over pairs; fewer than six pairs can never pass the second
        one, so there the first decides, and speaks for these pairs alone.
        """
        whole = self.line("all", "all")
        if not whole.p < 0.05 or not (self.p_pairs < 0.05 or self.few_pairs):
            return None
        return "first" if whole.first > whole.second else "second"

    @property
    def few_pairs(self) -> bool:
        """Whether there are too few pairs to tell a bias from a habit of these pairs: 2 / 2 ** 5 is no less than 0.05."""
        return len([line for line in self.lines if line.by == "pair"]) < _PAIRS

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, in words."""
        return tuple(
            sentence for sentence in (_overall(self), _strongest(self), _log_odds(self), _unclear(self)) if sentence
        )

    @property
    def verdict(self) -> str:
        """The sentences in one text."""
        return " ".join(self.sentences)

    def to_frame(self) -> pd.DataFrame:
        """One line per prompt: what was asked and answered."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(reply) for reply in self.replies])


def paired(replies: tuple[Reply, ...], kind: str) -> tuple[Combination, ...]:
    """Replies of one kind, both orders of each combination side by side."""
    of_kind = [reply for reply in replies if reply.kind == kind]
    return tuple(Combination(a, b) for a, b in zip(of_kind[::2], of_kind[1::2], strict=True))


def _overall(result: PositionalBias) -> str:
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


def _strongest(result: PositionalBias) -> str:
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


def _log_odds(result: PositionalBias) -> str:
    position = result.line("all", "all").position
    if position != position:
        return ""
    added = f"{position:+.2f}".replace("-", "−")
    return f"Being named first adds {added} to the log-odds of an option on average."


def _unclear(result: PositionalBias) -> str:
    whole = result.line("all", "all")
    if not whole.unclear:
        return ""
    return f"{whole.unclear} of {whole.combinations} combinations are left out because an answer names neither option, or both."
