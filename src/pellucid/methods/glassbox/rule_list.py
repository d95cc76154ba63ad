"""Rule lists: if ..., else if ..., otherwise ...; the first rule that holds decides.

The list minimises, over all lists of conjunctions of a mined pool, per unit of weight,

    objective(list) = loss(list) + penalty * rules

where the loss is the share of wrong answers (Angelino et al., "Learning certifiably optimal rule lists for categorical
data", 2018), or minus the logarithm of the marginal likelihood of the answers when each rule has a Dirichlet prior on
its classes (Letham, Rudin, McCormick & Madigan, "Interpretable classifiers using rules and Bayesian analysis", 2015; a
geometric prior on the length stands in place of their truncated Poisson, and nothing is said of how many conditions a
rule has). Theirs is sampled by MCMC; here both losses are searched by the same branch and bound, and the list comes
with the bound that no other list of the pool can go below.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

import numpy as np

from pellucid.core.budget import Receipt, versions
from pellucid.core.errors import InputError
from pellucid.core.method import Card
from pellucid.core.model_card import RuleCard
from pellucid.methods.glassbox.deciding import FirstRule
from pellucid.methods.glassbox.fitting import Material, Progress, check_counts, check_share
from pellucid.methods.glassbox.list_search import Search
from pellucid.methods.glassbox.list_task import Task, errors, first_of, surprise
from pellucid.methods.glassbox.mining import Limits, Pool, mine

_LOSSES = {"likelihood": surprise, "errors": errors}
_BEAM = 30


class RuleList(FirstRule):
    """The best short list of rules, with a proof of how far from the best it may be.

    `loss` "likelihood" makes rules whose probabilities can be used, "errors" the list with the fewest wrong answers; a
    rule has to earn `penalty` per unit of weight. Rules are conjunctions of up to `max_conditions` conditions, each
    with at least `min_support` of the weight to decide about; numbers are cut into `bins`; the best `max_candidates`
    conjunctions are searched. The search ends after `max_nodes` prefixes or `time_limit` seconds. Afterwards `rules_`,
    `objective_`, `bound_`, `gap_` = 1 - bound / objective.
    """

    card: ClassVar[Card] = Card(
        question="Which short list of rules predicts about as well, each read only where those before it do not hold?",
        scope="global",
        access="training data",
        inputs=("table",),
        output="a classifier: rules in order with their probabilities, and how far from the best list it may be",
        cost="no row of another model; up to `max_nodes` beginnings of lists",
        strengths="read as it predicts; says how far from the best it may be; probabilities that can be used",
        weaknesses="a rule means what it says only where those before it fail; numbers are cut into bins; large gaps where many "
        "rules are needed",
        paper="Letham, Rudin, McCormick & Madigan 2015; Angelino, Larus-Stone, Alabi, Seltzer & Rudin 2018",
        rows=0,
        verb="fit",
        intrinsic=True,
    )

    def __init__(
        self,
        loss: Literal["likelihood", "errors"] = "likelihood",
        penalty: float = 0.001,
        max_rules: int = 12,
        max_conditions: int = 2,
        min_support: float = 0.005,
        bins: int = 5,
        max_candidates: int = 300,
        max_nodes: int = 1000,
        time_limit: float | None = None,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.max_rules = max_rules
        self.max_conditions = max_conditions
        self.min_support = min_support
        self.bins = bins
        self.max_candidates = max_candidates
        self.max_nodes = max_nodes
        self.time_limit = time_limit

    def _learn(self, material: Material, began: float, progress: Progress | None) -> None:
        k = len(self.classes_)
        limits = Limits(self.bins, self.max_conditions, self.min_support, self.max_candidates)
        pool = mine(material, k, limits)
        by_class, whole = material.by_class(k), material.weights.sum()
        least, cost = self.min_support * whole, self.penalty * whole
        task = Task(pool.held, by_class, _LOSSES[self.loss], cost, least, self.max_rules)
        search = Search(task, self._clock(began, progress))
        search.run(_BEAM)
        self._tell(search, pool.take(list(search.best)), pool.held[list(search.best)], by_class)

    def _check(self) -> None:
        if self.loss not in _LOSSES or not self.penalty >= 0:
            raise InputError(
                f"RuleList(loss={self.loss!r}, penalty={self.penalty!r}): expected 'likelihood' or 'errors', and a penalty >= 0."
            )
        check_share(self, min_support=self.min_support)
        check_counts(self, max_rules=self.max_rules, max_conditions=self.max_conditions, bins=self.bins - 1)
        check_counts(self, max_candidates=self.max_candidates, max_nodes=self.max_nodes)

    def _clock(self, began: float, progress: Progress | None) -> Any:
        """Whether the search may go on, told to whoever listens."""

        def go(nodes: int) -> bool:
            seconds = time.monotonic() - began
            late = self.time_limit is not None and seconds >= self.time_limit
            if progress is not None:
                share = nodes / self.max_nodes if self.time_limit is None else seconds / self.time_limit
                progress("searching rule lists", min(1.0, share))
            return nodes < self.max_nodes and not late

        return go

    def _tell(self, search: Search, pool: Pool, held: np.ndarray, by_class: np.ndarray) -> None:
        """What was found, per unit of weight; held (m, n) of the list's rules."""
        whole = by_class.sum()
        place = first_of(held)
        counts = np.stack([by_class[place == at].sum(axis=0) for at in range(len(held) + 1)])
        self._decide(pool, counts, counts.sum(axis=1).tolist())
        self.objective_, self.bound_ = search.objective / whole, max(search.bound, 0.0) / whole
        self.gap_ = 0.0 if self.objective_ == 0 else max(0.0, 1 - self.bound_ / self.objective_)
        self.n_nodes_ = search.nodes

    def on_a_page(self) -> RuleCard:
        """The list as a record that is drawn, printed and kept."""
        found = "proven to be the best list of these conjunctions" if not self.gap_ else f"gap {self.gap_:.1%}"
        return RuleCard(
            kind="rule list",
            classes=self._names(),
            rules=self.rules_,
            ordered=True,
            objective=self.objective_,
            bound=self.bound_,
            receipt=Receipt(
                method=repr(self),
                seconds=self._seconds,
                converged=bool(self.gap_ == 0),
                notes=(f"{self.n_nodes_:,} prefixes looked at; {found}",),
                versions=versions("scikit-learn"),
            ),
        )
