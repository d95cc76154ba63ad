"""Which answers count as the same: what an anchor holds the model to.

| the target is | the answer is | the same means |
|---|---|---|
| a class (or none, with several outputs) | the class of the largest output | that class still, or still another one |
| `Margin(a, b)` | whether a's output exceeds b's | the same side |
| one number (a regressor, a single output, a function of the outputs) | that number | equal, or no further than `within` |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.inputs import plain_array
from pellucid.core.target import Class, Pick, Target
from pellucid.methods.anchor.cuts import spelled
from pellucid.models.adapter import BlackBox

_LABELS = 20  # different numbers that may still be labels


@dataclass(frozen=True, eq=False)
class Answer:
    """A pick (outputs, rows) -> (b,): the answer to each row as a number."""

    bound: Any  # Pick or FunctionPick

    @property
    def target(self) -> Target:
        made: Target = self.bound.target
        return made

    @property
    def sided(self) -> bool:
        """Whether two outputs are compared."""
        return isinstance(self.bound, Pick) and self.bound.minus is not None

    @property
    def classed(self) -> bool:
        """Whether the answer is a class, the same question for every row."""
        return isinstance(self.bound, Pick) and not self.sided and isinstance(self.bound.target, Class)

    def __call__(self, outputs: Any, rows: np.ndarray) -> Any:
        if self.classed and outputs.shape[1] > 1:
            return plain_array(outputs).argmax(axis=1)
        picked = self.bound(outputs, rows)
        return picked > 0 if self.sided else picked

    def take(self, rows: slice | np.ndarray) -> Answer:
        return replace(self, bound=self.bound.take(rows))


@dataclass(frozen=True, eq=False)
class Decision:
    """The model's answers to the n rows, and the comparison of other answers with them."""

    f: BlackBox
    own: np.ndarray  # (n,)
    wanted: np.ndarray | None  # (n,) the class that is asked for, where answers are classes
    outputs: int  # columns of the model's output
    within: float | None

    @classmethod
    def of(cls, f: BlackBox, outputs: int, within: float | None) -> Decision:
        """f, a scalar with a target bound -> the decision that the target is about."""
        answer = Answer(f.pick)
        asked = replace(f, pick=answer)  # type: ignore[arg-type]
        classed = answer.classed and outputs > 1
        return cls(asked, asked(f.inputs.x), f.pick.columns if classed else None, outputs, within)  # type: ignore

    @property
    def shared(self) -> bool:
        """Whether the answer to an input is the same whichever row it is a perturbation of."""
        if self.f.inputs.extra:
            return False
        bound = self.f.pick.bound  # type: ignore[union-attr]
        return self.wanted is not None or not isinstance(bound, Pick) or not isinstance(_label(bound.target), tuple)

    def same(self, answers: np.ndarray, rows: np.ndarray | int) -> np.ndarray:
        """answers (m,) to perturbations of rows (m,) -> (m,) bool"""
        own = self.own[rows]
        if self.wanted is not None:
            return np.asarray((answers == self.wanted[rows]) == (own == self.wanted[rows]))
        return np.asarray(np.abs(answers - own) <= (self.within or 0.0))

    def words(self, row: int, classes: Sequence[Any] | None) -> str:
        """What the answer to a row is."""
        own, bound = self.own[row], self.f.pick.bound  # type: ignore[union-attr]
        if self.wanted is not None:
            kept = own == self.wanted[row] or self.outputs == 2
            return _name(own, classes) if kept else f"not {_name(self.wanted[row], classes)}"
        if isinstance(bound, Pick) and bound.minus is not None:
            sides = (bound.columns[row], bound.minus[row])[:: 1 if own else -1]
            return " rather than ".join(_name(side, classes) for side in sides)
        return spelled(own) if not self.within else f"{own:.4g} ± {self.within:g}"

    def check(self, known: np.ndarray) -> None:
        """Refuse numbers that hardly ever repeat; known: answers to x and to the background."""
        values = np.unique(known)
        if self.wanted is not None or self.within is not None or len(values) <= 2:
            return
        if len(values) > _LABELS and len(values) > len(known) / 4:
            raise MethodError(
                f"the model answers with numbers ({spelled(values[0])} to {spelled(values[-1])}), which hardly ever repeat: say "
                "how far they may differ and count as the same answer, Anchors(within=...), or ask a yes-or-no question, "
                "target=lambda outputs: outputs[:, 0] > limit."
            )


def _label(target: Target) -> Any:
    sides = [getattr(target, name, None) for name in ("label", "a", "b")]
    return next((side for side in sides if isinstance(side, tuple)), None)


def _name(column: Any, classes: Sequence[Any] | None) -> str:
    return str(int(column)) if classes is None else str(classes[int(column)])
