"""Counterfactuals: what would have to be different for another answer, or why nothing that may change would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.constraints import Rule
from pellucid.core.errors import InputError
from pellucid.core.records import Layout, Record, per_row
from pellucid.core.relations import spelled
from pellucid.core.schema import Schema
from pellucid.core.target import Target

if TYPE_CHECKING:
    import pandas as pd

_MANY, _NAMED = 5, 3  # of more than so many changes a sentence names so few


@dataclass(frozen=True, eq=False, kw_only=True)
class Counterfactuals(Record):
    """What would change it? The nearest row with the wanted answer, for each of n rows, and further ones beside it.

    `original (n, *features)` and `values` of the same shape in readable values; `valid (n,)` says whether the model itself gave the
    wanted answer to `values` when it was asked once more at the end, with every constraint kept: only such rows are handed
    back, elsewhere `values` is NaN (None in columns of levels). `changed` has the shape of values, `cost (n,)` is the method's
    own distance or cost, `reason (n,)` says in words why there is no answer (or that none is needed), and `proof (n,)` whether
    that is proven or only what a search came to. `scores` and `new_scores (n,)` are the watched number before and after,
    `plausibility (n,)` the share of background rows that stand at least as far from their neighbours as this row does.
    `alternatives (n, k, *features)` are all answers, `values` first, with their `costs (n, k)`; unused places are NaN.
    `acted (n, *features)` says which of the changes were acted upon where others follow from them, None elsewhere. Where parts
    were hidden instead of columns changed, `removed` names them for each row, in their order, and `instead` what stands in
    the place of each where something does.
    """

    values: np.ndarray = per_row()
    original: np.ndarray = per_row()
    valid: np.ndarray = per_row()
    changed: np.ndarray = per_row()
    cost: np.ndarray = per_row()
    reason: tuple[str, ...] = per_row()
    proof: np.ndarray = per_row()
    scores: np.ndarray = per_row()
    new_scores: np.ndarray = per_row()
    answers: tuple[str, ...] = per_row()  # the wanted answer, in words
    plausibility: np.ndarray | None = per_row(None)
    alternatives: np.ndarray = per_row()
    costs: np.ndarray = per_row()
    acted: np.ndarray | None = per_row(None)
    removed: tuple[tuple[str, ...], ...] | None = per_row(None)
    instead: tuple[tuple[str, ...], ...] | None = per_row(None)
    done: np.ndarray = per_row()
    constraints: tuple[str, ...] = ()
    feature_names: tuple[str, ...] | None = None
    schema: Schema | None = None
    layout: Layout = "table"
    target: Target | None = None
    method: Any = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def sparsity(self) -> np.ndarray:
        """(n,) how many features changed, or parts were hidden"""
        if self.removed is not None:
            return np.array([len(parts) for parts in self.removed])
        return np.asarray(self.changed.reshape(len(self), -1).sum(axis=1))

    def changes(self, row: int = 0) -> dict[str, tuple[Any, Any]]:
        """What changes in one row and nothing else: {feature: (before, after)}; of a hidden part, (itself, None) or
        (itself, what stands there)."""
        if self.removed is not None:
            there = (None,) * len(self.removed[row]) if self.instead is None else self.instead[row]
            return {part: (part, put) for part, put in zip(self.removed[row], there, strict=True)}
        return self._changes(row, self.values[row])

    def _changes(self, row: int, values: np.ndarray) -> dict[str, tuple[Any, Any]]:
        before, after = self.original[row].ravel().tolist(), values.ravel().tolist()
        names = self.feature_names or tuple(f"x{j}" for j in range(len(before)))
        return {name: (a, b) for name, a, b in zip(names, before, after, strict=True) if not _alike(a, b)}

    def sentence(self, row: int = 0, k: int = 0) -> str:
        """One answer in words: "If you increased income by 15,000 and changed job from clerk to nurse, it would be yes."; `k`
        chooses
        among the alternatives."""
        if not self.valid[row] or k >= self.costs.shape[1] or np.isnan(self.costs[row, k]):
            said = self.reason[row] if not self.valid[row] else "there is no further answer for this row"
            return said[:1].upper() + said[1:] + "."
        if self.removed is not None and self.removed[row]:
            said = _without(self.removed[row], self.layout) if self.instead is None else self._with_others(row)
            return f"{said}, it would be {self.answers[row]}."
        changes = {} if self.removed is not None else self._changes(row, self.alternatives[row, k])
        if not changes:
            return f"Nothing has to change: it is {self.answers[row]} already."
        acts = _few([_act(name, *change) for name, change in changes.items() if self._is_act(row, name, k)])
        follows = _few([_act(name, *change) for name, change in changes.items() if not self._is_act(row, name, k)])
        then = f" (which would have {_joined(follows)})" if follows else ""
        return f"If you {_joined(acts)}{then}, it would be {self.answers[row]}."

    def _with_others(self, row: int) -> str:
        """Replaced parts in words: "With 'fine' for 'boring'"."""
        assert self.removed is not None and self.instead is not None
        pairs = zip(self.instead[row], self.removed[row], strict=True)
        return f"With {_joined(_named([f'{put!r} for {part!r}' for put, part in pairs]))}"

    def _is_act(self, row: int, name: str, k: int) -> bool:
        if self.acted is None or self.feature_names is None or k:
            return True
        return bool(self.acted[row, self.feature_names.index(name)])

    def to_frame(self) -> pd.DataFrame:
        """One line per row and changed feature: row, feature, before, after; rows without an answer have one line with the
        reason."""
        import pandas as pd

        if self.values.ndim != 2 and self.removed is None:
            raise InputError(f"to_frame() is for tables; these values have shape {self.values.shape}.")
        lines = []
        for row in range(len(self)):
            shared = {"row": row, "valid": bool(self.valid[row]), "cost": self.cost[row]}
            changes = self.changes(row) if self.valid[row] else {}
            for name, (before, after) in changes.items():
                lines.append({**shared, "feature": name, "before": before, "after": after, "reason": ""})
            if not changes:
                lines.append({**shared, "feature": None, "before": None, "after": None, "reason": self.reason[row]})
        return pd.DataFrame(lines, columns=["row", "valid", "cost", "feature", "before", "after", "reason"])


def spelled_rules(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    """Constraints as a record keeps them; a relation of several comparisons is told once."""
    from pellucid.core.constraints import written

    return tuple(dict.fromkeys(written(rule) for rule in rules))


def _alike(a: Any, b: Any) -> bool:
    return bool(a == b) or (_missing(a) and _missing(b))


def _missing(value: Any) -> bool:
    return value is None or value != value


def _act(name: str, before: Any, after: Any) -> str:
    """One change as something to do: "increased income by 15,000"."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) and not _missing(v) for v in (before, after))
    if not numbers:
        was = "" if _missing(before) else f" from {before}"
        return f"changed {name}{was} to {after}"
    verb = "increased" if after > before else "decreased"
    return f"{verb} {name} by {spelled(abs(after - before))}"


def _without(parts: tuple[str, ...], layout: Layout) -> str:
    """Hidden parts as something that is gone: "Without 'boring' and 'dull'"."""
    if layout == "tokens":
        return f"Without {_joined(_named([repr(part) for part in parts]))}"
    return f"With {_joined(_named(list(parts)))} hidden"


def _few(acts: list[str]) -> list[str]:
    """Acts that a reader can take in; of many, a few and how many more there are."""
    return acts if len(acts) <= _MANY else [*acts[:_NAMED], f"made {len(acts) - _NAMED} further changes"]


def _named(parts: list[str]) -> list[str]:
    """Parts that a reader can take in."""
    return parts if len(parts) <= _MANY else [*parts[:_NAMED], f"{len(parts) - _NAMED} more"]


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
