"""Which number of a language model is explained: a token, one answer rather than another, a whole answer.

A language model gives, after a prompt, a distribution p(. | prompt) = softmax(z) over the next token. A target names what is
asked of it, as text; the model's own tokenizer cuts the text, and only the columns that are asked for are ever kept:

    Token(a)                     z_a                              of the first token of a
    LogOdds(a, b)                z_a - z_b                        of their first tokens, which have to differ
    LogOdds(a, b, tokens="all")  log p(a | prompt) - log p(b | prompt),   log p(a | prompt) = sum_t log p(a_t | prompt, a_<t)
    Answer(a)                    log p(a | prompt)                without a text: of what the model itself answers, greedily

Tickers, names and numbers are usually several tokens ("MS" + "FT"), so that "first" looks at a piece and "all" at the whole answer.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from pellucid.core.errors import TargetError
from pellucid.core.target import Label, Pick, Target

Answers = str | tuple[str, ...]


class LanguageTarget(Target):
    """What is asked of a language model; every field that holds texts has one for all rows, or a tuple with one a row."""

    @property
    @abstractmethod
    def asked(self) -> tuple[Label, ...]:
        """What the columns of the outputs are about: (k,)"""

    @property
    def whole(self) -> bool:
        """Whether whole answers are asked for, rather than their first tokens."""
        return False

    def bind(self, outputs: np.ndarray) -> Pick:
        """outputs (n, k): one column for each thing asked, each row's own"""
        columns = np.zeros(len(outputs), np.int64)
        return Pick(self, columns, columns + 1 if len(self.asked) == 2 else None)

    def named(self, classes: Any) -> Target:
        raise TargetError(
            f"{self!r} asks what a language model says next, and this model is none: wrap a network with a language-model head "
            "in CausalLM(model, tokenizer)."
        )


@dataclass(frozen=True)
class Token(LanguageTarget):
    """The next token: a text's first token as the model's tokenizer cuts it, or a token's number."""

    token: Label
    scale: str | None = None

    @property
    def asked(self) -> tuple[Label, ...]:
        return (self.token,)

    def take(self, rows: np.ndarray) -> Token:
        return replace(self, token=of_rows(self.token, rows))


@dataclass(frozen=True)
class LogOdds(LanguageTarget):
    """Why this answer *rather than* that one; `tokens` says whether first tokens or whole answers are compared."""

    a: Answers
    b: Answers
    tokens: Literal["first", "all"] = "first"
    scale: str | None = None

    def __post_init__(self) -> None:
        if self.tokens not in ("first", "all"):
            raise TargetError(f"LogOdds(tokens={self.tokens!r}): choose 'first' or 'all'.")
        if self.scale == "probability":
            raise TargetError("LogOdds compares logits or log-probabilities: leave scale=None.")
        pairs = zip(_listed(self.a, self.b), _listed(self.b, self.a), strict=True)
        if any(a == b for a, b in pairs):
            raise TargetError(f"{self!r} contrasts an answer with itself: give two different answers.")

    @property
    def asked(self) -> tuple[Label, ...]:
        return (self.a, self.b)

    @property
    def whole(self) -> bool:
        return self.tokens == "all"

    def take(self, rows: np.ndarray) -> LogOdds:
        return replace(self, a=of_rows(self.a, rows), b=of_rows(self.b, rows))


@dataclass(frozen=True)
class Answer(LanguageTarget):
    """The log-probability of a whole answer; None for the one that the model gives greedily, up to `longest` tokens of it."""

    text: Answers | None = None
    longest: int = 32
    scale: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.longest, int) and self.longest > 0):
            raise TargetError(f"Answer(longest={self.longest!r}): expected a positive number of tokens.")

    @property
    def asked(self) -> tuple[Label, ...]:
        if self.text is None:
            raise TargetError("Answer() has no text before the model was asked for one.")
        return (self.text,)

    @property
    def whole(self) -> bool:
        return True

    def take(self, rows: np.ndarray) -> Answer:
        return self if self.text is None else replace(self, text=of_rows(self.text, rows))


def of_rows(label: Any, rows: np.ndarray) -> Any:
    """One answer for all rows, or those of some rows."""
    return tuple(label[i] for i in np.arange(len(label))[rows]) if isinstance(label, tuple) else label


def _listed(label: Answers, beside: Answers) -> tuple[str, ...]:
    """One answer a row, as many as there are of either."""
    if isinstance(label, tuple):
        return label
    return (label,) * (len(beside) if isinstance(beside, tuple) else 1)
