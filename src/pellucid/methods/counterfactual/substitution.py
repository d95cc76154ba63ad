"""The fewest words that have to be other words for another answer.

A counterfactual text reads like a text: words are not taken away but stand there as others (Ross, Marasovic & Peters,
"Explaining NLP models via minimal contrastive edits", 2021, where a language model proposes them). Here the words of the
background texts do:

    C_i = the `candidates` words of the background that stood most often beside the neighbours of word i, then the commonest
    w_i = the word c of C_i for which the text with c in place of word i brings the wanted answer nearest
    E   = a smallest set of places that have to change,   class(D with w_i at every i in E) is the wanted one,
          and is not for any proper subset of E

Places are searched as `SEDC` searches what to hide, with w_i in the place of "nothing", so all proper subsets of a set of at
most `search.exhaustive` places are asked. Each place has its one word, so a pair of other words may do as well or better; and where
nothing is found, that is no proof. Words are told apart without their case, and written in that of the word they replace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, check_positive
from pellucid.methods.counterfactual.base import CounterfactualMethod
from pellucid.methods.counterfactual.sedc import SEDC


@dataclass(frozen=True)
class Substitution(CounterfactualMethod):
    """`candidates` is how many words are tried in each place; `search` says how places are searched, and how many model rows one
    text may take."""

    candidates: int = 30
    search: SEDC = SEDC()

    reads: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        question="Which words, had they been others, would have changed the answer?",
        scope="local",
        access="black box",
        inputs=("text",),
        output="the smallest set found of words and what stands in their place, none of whose proper subsets does",
        cost="words x `candidates`, and a search over sets of words",
        strengths="reads like a text, in words of the background; checked on the model; nothing has to be hidden",
        weaknesses="one word for each place, greedy; grammar only as far as neighbours say; meaning is not looked at",
        paper="Ross, Marasovic & Peters 2021; Martens & Provost 2014",
        rows=100,
        verb="counterfactual",
    )

    def __post_init__(self) -> None:
        check_positive(self, "candidates")
        if not isinstance(self.candidates, int):
            raise MethodError(f"Substitution(candidates={self.candidates!r}): expected a whole number.")

    @property
    def queries(self) -> int:  # type: ignore[override]
        return self.search.queries
