"""What people did with and without explanations: the record of a study with people."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pellucid.core.errors import InputError
from pellucid.core.records import Record

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["accuracy", "seconds", "follows", "follows wrong", "improvement"]


@dataclass(frozen=True)
class Arm:
    """One measure in one condition: its mean over participants with a 95 % interval.

    `chance` is what guessing gets and `p_chance` how often guessing gets this much; NaN where there is nothing to guess.
    """

    kind: str
    measure: Measure
    condition: str
    participants: int
    answers: int
    mean: float
    low: float
    high: float
    chance: float = float("nan")
    p_chance: float = float("nan")


@dataclass(frozen=True)
class Contrast:
    """One condition against another: how much larger the mean is (seconds: how many times), its 95 % interval, and a test.

    `p` is the randomisation test's, two-sided and exact or by 9,999 draws; `p_holm` allows for all conditions of the measure;
    `p_fisher` and `p_barnard` are those of the two-by-two table where each participant gave one answer, else NaN.
    """

    kind: str
    measure: Measure
    condition: str
    against: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    p_fisher: float = float("nan")
    p_barnard: float = float("nan")


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyResult(Record):
    """Accuracy and time with and without explanations.

    `arms` has one line per kind of task, measure and condition; `contrasts` compares each condition with the first one.
    `participants` were analysed, `excluded` failed an attention check, `unfinished` stopped before the last page.
    """

    title: str
    conditions: tuple[str, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    participants: int
    excluded: int
    unfinished: int

    def arm(self, condition: str, measure: str = "accuracy", kind: str | None = None) -> Arm:
        """One line by its names; `kind` may be left out where a study asks one kind of question."""
        return self._one("arms", condition, measure, kind)

    def contrast(self, condition: str, measure: str = "accuracy", kind: str | None = None) -> Contrast:
        """One comparison with the first condition, by its names."""
        return self._one("contrasts", condition, measure, kind)

    def _one(self, field: str, condition: str, measure: str, kind: str | None):  # type: ignore[no-untyped-def]
        lines = getattr(self, field)
        found = [
            one for one in lines if (one.condition, one.measure) == (condition, measure) and kind in (None, one.kind)
        ]
        if len(found) != 1:
            known = "; ".join(f"{one.kind}, {one.measure}, {one.condition}" for one in lines) or "none"
            raise InputError(f"{len(found)} {field} are called {kind}, {measure}, {condition}: choose one of {known}.")
        return found[0]

    @property
    def sentences(self) -> tuple[str, ...]:
        """One per comparison of what people got right, or gained."""
        main = [one for one in self.contrasts if one.measure in ("accuracy", "improvement")]
        return tuple(map(_sentence, main)) or ("There is nothing to compare: one condition has no participants.",)

    @property
    def verdict(self) -> str:
        """The sentences in one text."""
        return " ".join(self.sentences)

    def to_frame(self) -> pd.DataFrame:
        """One line per kind, measure and condition; comparisons with the first condition beside the others."""
        import pandas as pd

        shared = ["kind", "measure", "condition"]
        left = pd.DataFrame([dataclasses.asdict(arm) for arm in self.arms])
        names = [field.name for field in dataclasses.fields(Contrast)]
        right = pd.DataFrame([dataclasses.asdict(one) for one in self.contrasts], columns=names)
        return left.merge(right, "left", shared, suffixes=("", "_difference"), validate="one_to_one")


def _sentence(one: Contrast) -> str:
    what = "more accurate" if one.measure == "accuracy" else "more gained"
    sure = "more than chance explains" if one.p_holm < 0.05 else "which chance may explain"
    points = f"{100 * one.difference:+.0f} points ({100 * one.low:+.0f} to {100 * one.high:+.0f})".replace("-", "−")
    return f"{one.kind.capitalize()}, “{one.condition}” against “{one.against}”: {points} {what}, {sure} (p = {one.p_holm:.2g})."
