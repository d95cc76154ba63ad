"""DeepLIFT's rules: what each function makes of a *change* of its inputs, so that contributions add up to the change of its output.

Shrikumar, Greenside & Kundaje, "Learning Important Features Through Propagating Activation Differences" (ICML 2017). With
multipliers m = contribution / change, the chain rule reads m_x = sum_y m_y * (m of y with respect to x), and

    elementwise f          (f(x) - f(x0)) / (x - x0)                                         (rescale)
    k changing factors     the derivative averaged along the diagonal: Shapley's share of each (k = 2: at the midpoint)
    softmax y              L (g - sum(g L) / sum(L)),  L = logarithmic mean of y and y0
    a / b, norms           ((a - a0) - bar(y) (b - b0)) / bar(b), bars for the mean of both passes
    maximum                shared between the place of the maximum at x and its place at x0

Linear functions keep their own gradient. Every rule is exact: sum_x m_x (x - x0) = sum_y m_y (y - y0).
"""

from __future__ import annotations

from pellucid.models.rewire.choices import CHOICES
from pellucid.models.rewire.conditional import CONDITIONAL
from pellucid.models.rewire.elementwise import rescale
from pellucid.models.rewire.engine import Rule, Table
from pellucid.models.rewire.functions import LINEAR
from pellucid.models.rewire.maxima import MAXIMA
from pellucid.models.rewire.norms import NORMS
from pellucid.models.rewire.parts import PARTS, STATISTICS
from pellucid.models.rewire.products import PRODUCTS
from pellucid.models.rewire.slopes import ELEMENTWISE
from pellucid.models.rewire.softmaxes import SOFTMAXES

RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, Rule(rescale, lambda call: True)),
    **PRODUCTS,
    **CHOICES,
    **SOFTMAXES,
    **NORMS,
    **MAXIMA,
    **CONDITIONAL,
}


def table(unruled: str = "error") -> Table:
    """DeepLIFT with the rescale rule."""
    return Table(RULES, LINEAR, PARTS | STATISTICS, unruled=unruled)
