"""Whether values are slopes, how fast the score moves, or contributions, how much of it they claim."""

from __future__ import annotations

from pellucid.core.records import Attribution

_SLOPES = ("Saliency", "GuidedBackprop", "Deconvnet")


def are_slopes(record: Attribution) -> bool:
    """By the record's method: gradients, what wraps one, and LIME's coefficients of a table's columns. Else contributions."""
    method = record.method
    while hasattr(method, "method"):
        method = method.method
    name = type(method).__name__
    return name in _SLOPES or (name == "LIME" and record.receipt.masker is None)
