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
from typing import TYPE_CHECKING, Any

from pellucid.core.errors import InputError
from pellucid.core.positional_words import log_odds, overall, p_text, strongest, unclear
from pellucid.core.records import Attribution, Record
from pellucid.core.replies import Combination, Reply, paired

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BiasLine", "Combination", "PositionalBias", "Remedy", "Reply", "RoleLine", "p_text", "paired"]

_PAIRS = 6


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
            sentence for sentence in (overall(self), strongest(self), log_odds(self), unclear(self)) if sentence
        )

    @property
    def verdict(self) -> str:
        """The sentences in one text."""
        return " ".join(self.sentences)

    def to_frame(self) -> pd.DataFrame:
        """One line per prompt: what was asked and answered."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(reply) for reply in self.replies])
