"""The smallest set of words, sentences or regions without which the model answers otherwise.

Martens & Provost, "Explaining data-driven document classifications" (MIS Quarterly, 2014): an explanation of a document's class is
a minimal set of words E whose removal changes the class,

    class(D \\ E) != class(D)     and     class(D \\ E') = class(D)   for every proper subset E' of E,

found by a best-first search (SEDC): sets of one word, then the best of them with one word more, and so on, best being the set
whose removal brings the other class nearest. Vermeire, Brughmans, Goethals, de Oliveira & Martens, "Explainable image
classification with evidence counterfactual" (2022), do the same with the segments of a picture and a fill for a segment.

Here the search keeps the `beam` best sets of each size, and stops at the first size with a set that flips. That alone does not
make a set minimal, since a model may answer otherwise without two words and not without three; so all proper subsets of a set of
at most `exhaustive` parts are asked, and the smallest that flips is taken. Of larger sets single parts are given back as
long as one can be: they are minimal part by part, and the receipt says so. An input of at most `exhaustive` parts without
an answer is *proven* to have none: all of its sets have been asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, check_positive
from pellucid.methods.counterfactual.base import CounterfactualMethod


@dataclass(frozen=True)
class SEDC(CounterfactualMethod):
    """`beam` is how many sets of one size are grown; `max_size` the most parts that may be hidden, None for any number;
    `exhaustive` up to how many parts all subsets are asked; `queries` how many model rows the search of one row may take."""

    beam: int = 1
    max_size: int | None = None
    exhaustive: int = 8
    queries: int = 20_000

    card: ClassVar[Card] = Card(
        question="Which words, or which regions, does the answer hang on?",
        scope="local",
        access="black box",
        inputs=("text", "image", "volume", "signal"),
        output="the smallest set found whose removal flips the answer, none of whose proper subsets does",
        cost="parts x size of the set + 2^size",
        strengths="an answer in words, checked on the model; proves of short inputs that there is none",
        weaknesses="removes and never replaces; greedy, so another set may be smaller; depends on what hides a part",
        paper="Martens & Provost 2014; Vermeire et al. 2022",
        rows=100,
        verb="counterfactual",
    )

    def __post_init__(self) -> None:
        names = ("beam", "exhaustive", "queries", *["max_size"] * (self.max_size is not None))
        check_positive(self, *names)
        for name in names:
            if not isinstance(getattr(self, name), int):
                raise MethodError(f"SEDC({name}={getattr(self, name)!r}): expected a whole number.")
        if self.exhaustive > 16:
            raise MethodError(f"SEDC(exhaustive={self.exhaustive}): all subsets of more than 16 parts are too many.")
