"""The inside of a network: what its units and layers hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.core.budget import Budget
from pellucid.core.visualization import Visualization

if TYPE_CHECKING:
    from pellucid.methods.vision.activation_maximization import ActivationMaximization


def visualize(
    model: Any,
    unit: Any,
    method: ActivationMaximization | str | None = None,
    *,
    like: Any = None,
    budget: Budget | None = None,
) -> Visualization:
    """What does this unit look for?

    Parameters
    ----------
    model : a torch module that takes pictures, volumes or signals, (b, channels, *space).
    unit : an output's number, or a `Unit`: a channel of a layer, one place of it, or a direction in its channels.
    method : a method value or its spelling; None takes ActivationMaximization().
    like : (n, channels, *space) ordinary inputs: made pictures get their shape, range and colours, and the largest activation
        on them is reported beside.
    budget : hard limits, which end the ascent early.
    """
    from pellucid.methods.vision import run

    return run.visualize(model, unit, method, like=like, budget=budget)
