"""The verbs: each asks one question of a model and returns one record.

The model comes first, then the data, then the method; everything after `*` is optional. `x` and `X` are batch-first:
an array, a tensor or a data frame.
"""

from pellucid.api.data import hardest, influence, label_errors, prototypes
from pellucid.api.files import load
from pellucid.api.inside import activations, concepts, probe, similarity, visualize
from pellucid.api.judging import advise, compare, estimate, evaluate
from pellucid.api.outputs import anchor, counterfactual, explain, explain_each, explain_when, interact
from pellucid.api.overall import cohorts, distill, effect, importance, rivals, summarize

__all__ = [
    "activations",
    "advise",
    "anchor",
    "cohorts",
    "compare",
    "concepts",
    "counterfactual",
    "distill",
    "effect",
    "estimate",
    "evaluate",
    "explain",
    "explain_each",
    "explain_when",
    "hardest",
    "importance",
    "influence",
    "interact",
    "label_errors",
    "load",
    "probe",
    "prototypes",
    "rivals",
    "similarity",
    "summarize",
    "visualize",
]
