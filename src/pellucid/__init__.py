"""Pellucid: explanations of machine-learning models, each with its evidence.

    import pellucid as pc

    a = pc.explain(model, x, pc.IntegratedGradients(steps=64), target=3)
    pc.plot.show(a)
    card = pc.evaluate(model, a, [pc.Deletion(), pc.Insertion(), pc.Stability()])

Names load on first use (PEP 562): importing the package costs milliseconds and never loads a framework.
"""

from __future__ import annotations

import importlib
from typing import Any

from pellucid.core.registry import PUBLIC

__version__ = "0.1.0"
__all__ = [*PUBLIC, "plot"]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        value = getattr(importlib.import_module(PUBLIC[name]), name)
    elif name == "plot":
        value = importlib.import_module("pellucid.plot")
    else:
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
