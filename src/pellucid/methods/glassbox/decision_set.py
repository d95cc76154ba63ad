"""Decision sets: rules that stand each for itself, in no order (Lakkaraju, Bach & Leskovec 2016; the objective is in `set_search`).

A row that several rules hold for is decided by the one with the best F1 score on the training rows, as in the paper; a
row that none holds for by the classes of the training rows that none held for. Each conjunction stands for the class
that most of its rows have.
"""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np

from pellucid.core.budget import Receipt, versions
from pellucid.core.errors import InputError
from pellucid.core.method import Card
from pellucid.core.model_card import RuleCard
from pellucid.methods.glassbox.deciding import FirstRule
from pellucid.methods.glassbox.fitting import Material, Progress, check_counts, check_share
from pellucid.methods.glassbox.mining import Limits, Pool, mine
from pellucid.methods.glassbox.set_search import Task, search


class DecisionSet(FirstRule):
    """Independent rules, few, short, right, with little overlap, by a local search that is within 1/3 of the best.

    The prices are those of the paper as shares of all rows: a rule has to earn `rule`, each of its conditions
    `condition`; a row that two rules hold for costs `overlap` if they say the same, `conflict` if not, divided by the
    candidates; a row that a rule is wrong about costs `wrong`, a row that some rule is right about earns `cover`, and a
    class with a rule earns `class_bonus`. Afterwards `rules_`, `objective_`, `bound_` (three times it, or what no set
    can exceed, whichever is less) and `local_optimum_`.
    """

    card: ClassVar[Card] = Card(
        question="Which few rules, each true by itself, say what is what?",
        scope="global",
        access="training data",
        inputs=("table",),
        output="a classifier: rules in no order with the rows they hold for, and a bound of what no set can exceed",
        cost="no row of another model; a local search over mined rules",
        strengths="every rule can be read alone; short, few, with little overlap",
        weaknesses="seven prices to choose; within a third of the best only where the search ends; where rules "
        "contradict each other, their F1 score decides",
        paper="Lakkaraju, Bach & Leskovec 2016",
        rows=0,
        verb="fit",
        intrinsic=True,
    )

    def __init__(
        self,
        rule: float = 0.002,
        condition: float = 0.0005,
        overlap: float = 1.0,
        conflict: float = 1.0,
        class_bonus: float = 0.01,
        wrong: float = 1.0,
        cover: float = 1.0,
        max_conditions: int = 2,
        min_support: float = 0.005,
        bins: int = 5,
        max_candidates: int = 300,
        time_limit: float | None = None,
    ) -> None:
        self.rule = rule
        self.condition = condition
        self.overlap = overlap
        self.conflict = conflict
        self.class_bonus = class_bonus
        self.wrong = wrong
        self.cover = cover
        self.max_conditions = max_conditions
        self.min_support = min_support
        self.bins = bins
        self.max_candidates = max_candidates
        self.time_limit = time_limit

    def _learn(self, material: Material, began: float, progress: Progress | None) -> None:
        k = len(self.classes_)
        pool = mine(material, k, Limits(self.bins, self.max_conditions, self.min_support, self.max_candidates))
        by_class = material.by_class(k)
        task = self._task(pool, by_class)

        def go(steps: int) -> bool:
            seconds = time.monotonic() - began
            if progress is not None:
                progress("choosing rules", 1 - 1 / (1 + steps / 10))
            return self.time_limit is None or seconds < self.time_limit

        chosen, self.objective_, self.local_optimum_ = search(task, go)
        self.bound_ = min(self._limit(task), 3 * self.objective_ if self.local_optimum_ else np.inf)
        self._tell(pool, task, np.flatnonzero(chosen).tolist())

    def _check(self) -> None:
        wrong = [name for name, price in zip(_PRICES, self._prices(), strict=True) if not price >= 0]
        if wrong:
            raise InputError(f"DecisionSet({wrong[0]}={getattr(self, wrong[0])!r}): expected a price of 0 or more.")
        check_share(self, min_support=self.min_support)
        check_counts(self, max_conditions=self.max_conditions, bins=self.bins - 1, max_candidates=self.max_candidates)

    def _prices(self) -> tuple[float, ...]:
        return tuple(float(getattr(self, name)) for name in _PRICES)

    def _task(self, pool: Pool, by_class: np.ndarray) -> Task:
        says = (pool.held @ by_class).argmax(axis=1)
        return Task(pool.held, says, np.array([len(rule) for rule in pool.rules]), by_class, self._prices())

    def _limit(self, task: Task) -> float:
        """What no set can exceed: nothing costs anything, and every row and class earns."""
        reachable = task.weights[task.right.any(axis=0)].sum()
        classes = self.class_bonus * task.weights.sum() * len(np.unique(task.says))
        return float(task.most + self.cover * reachable + classes)

    def _tell(self, pool: Pool, task: Task, chosen: list[int]) -> None:
        """The rules by falling F1 score, each with the classes of all rows that it holds for."""
        counts = pool.held[chosen] @ task.by_class  # (r, k)
        says = task.says[chosen]
        right = counts[np.arange(len(chosen)), says]
        f1 = 2 * right / (counts.sum(axis=1) + task.by_class.sum(axis=0)[says])
        order = np.argsort(-f1, kind="stable")
        rest = task.by_class[~pool.held[chosen].any(axis=0)].sum(axis=0)
        counts = np.vstack([counts[order], rest if rest.sum() > 0 else task.by_class.sum(axis=0)])
        rows = [*counts[:-1].sum(axis=1).tolist(), float(rest.sum())]
        self._decide(pool.take([chosen[i] for i in order]), counts, rows)

    def on_a_page(self) -> RuleCard:
        """The set as a record that is drawn, printed and kept."""
        found = "no addition, deletion or exchange helps" if self.local_optimum_ else "the time was up before the end"
        return RuleCard(
            kind="decision set",
            classes=self._names(),
            rules=self.rules_,
            objective=self.objective_,
            bound=self.bound_,
            receipt=Receipt(
                method=repr(self),
                seconds=self._seconds,
                converged=bool(self.local_optimum_),
                notes=(f"{found}; the objective is {self.objective_ / self.bound_:.1%} of what no set can exceed",),
                versions=versions("scikit-learn"),
            ),
        )


_PRICES = ("rule", "condition", "overlap", "conflict", "class_bonus", "wrong", "cover")
