"""Sparsity: on how few places does an explanation rest?

With the magnitudes a_1 <= ... <= a_p of the places' values and their shares q_i = a_i / sum(a),

    value     = 1 - 2 sum_i q_i (p - i + 1/2) / p      Gini's index, Chalasani et al. (ICML 2020), section 4
    entropy   = - sum_i q_i ln q_i                     the complexity of Bhatt, Weller & Moura (IJCAI 2020), section 3.3
    effective = exp(entropy)                           how many equal places would have that entropy

and `nine_tenths`, how many places it takes to carry nine tenths of all magnitude. The index is 0 where all places are equal and
1 - 1/p where one has everything; it does not depend on the scale of the values, and repeating every place leaves it alone. How
few places are enough for the *model* (Nguyen & Martinez 2020, effective complexity) cannot be read off the values: it stands in
the detail of `Insertion`, under `nine_tenths`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import entr

from pellucid.metrics.base import Case, Metric, MetricCard, Reading


@dataclass(frozen=True)
class Sparsity(Metric):
    """No hyper-parameters. Channels are summed first, because a place is seen as one; of texts the padding is left out."""

    card: ClassVar[MetricCard] = MetricCard(
        question="On how few places does the explanation rest?",
        direction="higher",
        range=(0.0, 1.0),
        chance="0.41 for normal noise, 0.33 for uniform one, 0 for a constant map",
        cost="none",
        weaknesses="a sparse explanation may be wrong and a right one may be spread out: one place drawn at random gets the best "
        "number there is; only for choosing among explanations that are equally faithful",
        paper="Chalasani et al. 2020; Bhatt, Weller & Moura 2020",
        texts=True,
    )

    def measure(self, case: Case) -> Reading:
        rows = case.places.reshape(len(case.places), -1)
        mask = case.record.mask if case.record.texts is not None else None
        found = [_spread(np.abs(row if mask is None else row[mask[i]])) for i, row in enumerate(rows)]
        gini, entropy, effective, carried = np.array(found).T
        return Reading(gini, detail={"entropy": entropy, "effective": effective, "nine_tenths": carried})


def _spread(a: np.ndarray) -> tuple[float, float, float, float]:
    """a (p,) magnitudes -> Gini's index, entropy, effective number of places, places that carry nine tenths; NaN of zeros."""
    if not a.any():
        return (np.nan,) * 4
    p, q = len(a), np.sort(a / a.max())
    q = q / q.sum()
    gini = 1 - 2 * (q * (p - np.arange(1, p + 1) + 0.5)).sum() / p
    entropy = float(entr(q).sum())
    carried = int(np.searchsorted(np.cumsum(q[::-1]), 0.9 - 1e-12)) + 1
    return max(0.0, float(gini)), entropy, float(np.exp(entropy)), carried
