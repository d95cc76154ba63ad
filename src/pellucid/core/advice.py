"""Which method should be asked? Suggestions with their reasons, and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.core.errors import InputError
from pellucid.core.records import Record
from pellucid.core.rivals import Rivals
from pellucid.core.scores import Scorecard

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Suggestion:
    """A method that fits the question, from its card: the question it answers, why it was chosen, and what to beware of."""

    name: str
    verb: str
    answers: str
    reasons: tuple[str, ...]
    beware: str


@dataclass(frozen=True)
class Trial:
    """A method that was tried: means over rows with 95 % intervals, and what an explained row cost in model rows.

    `faithfulness` is the mean advantage over a random order in deletion and insertion, in units of the score; `stability` the
    mean cosine under small noise. `front`: no other method is at least as good in all three and better in one.
    """

    name: str
    faithfulness: float
    faithfulness_low: float
    faithfulness_high: float
    stability: float
    stability_low: float
    stability_high: float
    rows: float  # model rows of an explained row
    seconds: float  # of an explained row
    judged: int  # rows that it was judged on
    front: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Advice(Record):
    """The short list for a question, best first; `first` is what to consider before any explanation.

    `left_out` are pairs (method, why), `trials` what was measured where a model and rows were given, `rivals` the simple models
    beside the model where labels were given too.
    """

    question: str  # the verb
    asked: str  # the question in words
    access: tuple[str, ...]
    modality: str | None
    first: str
    suggestions: tuple[Suggestion, ...]
    left_out: tuple[tuple[str, str], ...]
    trials: tuple[Trial, ...] = ()
    rivals: Rivals | None = None
    scorecards: tuple[Scorecard, ...] = ()

    @property
    def choice(self) -> str | None:
        """The most faithful method of the front; without a measurement the first of the list. None where nothing fits."""
        front = [trial for trial in self.trials if trial.front]
        if front:
            return max(front, key=lambda trial: trial.faithfulness).name
        return self.suggestions[0].name if self.suggestions else None

    def why(self, name: str) -> tuple[str, ...]:
        """The reasons for a method of the list, or why it was left out."""
        for suggestion in self.suggestions:
            if suggestion.name == name:
                return suggestion.reasons
        reasons = tuple(why for left, why in self.left_out if left == name)
        if not reasons:
            raise InputError(f"this advice does not speak of {name!r}.")
        return reasons

    def to_frame(self) -> pd.DataFrame:
        """One line per suggestion: name, verb, what it answers, reasons, what to beware of; with trials their numbers."""
        import dataclasses

        import pandas as pd

        tried = {trial.name: dataclasses.asdict(trial) for trial in self.trials}
        lines = [
            {**dataclasses.asdict(one), "reasons": "; ".join(one.reasons), **tried.get(one.name, {})}
            for one in self.suggestions
        ]
        names = [f.name for f in dataclasses.fields(Suggestion)]
        more = [f.name for f in dataclasses.fields(Trial) if f.name not in names] if self.trials else []
        return pd.DataFrame(lines, columns=[*names, *more])
