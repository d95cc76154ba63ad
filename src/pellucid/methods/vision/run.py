"""The engine of `visualize`: the ascent, step by step, on a network that is left as found."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Budget, Meter, as_budget, receipt
from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.inputs import plain_array
from pellucid.core.registry import need
from pellucid.core.visualization import Unit, Visualization
from pellucid.methods.vision.activation_maximization import ActivationMaximization


def visualize(
    model: Any,
    unit: Any,
    method: ActivationMaximization | str | None = None,
    *,
    like: Any = None,
    budget: Budget | float | str | None = None,
) -> Visualization:
    """See `pellucid.api.visualize`."""
    chosen, asked, meter = as_method(method), as_unit(unit), Meter(as_budget(budget))
    torch = need("torch", "visualize")
    if not isinstance(model, torch.nn.Module):
        raise MethodError(
            f"{type(chosen).__name__} needs gradients, and a {type(model).__name__} has none: give a torch module; the rows of any "
            "model are explained by KernelShap()."
        )
    from pellucid.models.dreaming import Watched
    from pellucid.models.torch import TorchAdapter

    real = None if like is None else _real(like)
    adapter = TorchAdapter(model)
    watched = Watched(adapter, asked)
    with adapter.session(), watched.watching():
        images, activations, curve, warnings = _ascend(chosen, watched, real, meter)
        natural = np.nan if real is None else _largest(watched, real, meter)
    return Visualization(
        images=images,
        activations=activations,
        curve=curve,
        natural=natural,
        unit=asked,
        method=chosen,
        receipt=receipt(chosen, meter, packages=adapter.packages, target=repr(asked), warnings=warnings),
    )


def as_method(method: Any) -> ActivationMaximization:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = ActivationMaximization if method is None else method
    says = "does not visualize units: give ActivationMaximization(shape=(3, 64, 64))."
    made: ActivationMaximization = spelling.as_value(given, (ActivationMaximization,), says)
    return made


def as_unit(unit: Any) -> Unit:
    """A unit of what a user may give: a number, an output of the network; a `Unit`, or its spelling."""
    if isinstance(unit, int) and not isinstance(unit, bool):
        return Unit(channel=unit)
    made: Unit = spelling.as_value(
        unit, (Unit,), "is no unit: give an output's number, or Unit(channel=3, layer='features.4')."
    )
    return made


def _real(like: Any) -> np.ndarray:
    pictures = plain_array(like)
    if pictures.ndim < 3 or len(pictures) == 0 or not np.isfinite(pictures).all():
        raise InputError(f"like has shape {pictures.shape}: expected finite pictures, (n, channels, *space).")
    return pictures


def _ascend(
    method: ActivationMaximization, watched: Any, real: np.ndarray | None, meter: Meter
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """-> images (k, ...), activations (k,), curve (s, k), warnings"""
    import torch

    from pellucid.models.dreaming import Canvas, Shake, alike, variation

    shape = method.shape if real is None else real.shape[1:]
    canvas, rng = Canvas(method.images, shape, method.seed, real), method.stream()
    shake = Shake(method.jitter, method.scale, method.rotate)
    ascent, curve, warnings = torch.optim.Adam([canvas.spectrum], method.rate), [], tuple[str, ...]()
    for step in range(method.steps):
        ascent.zero_grad()
        pictures = canvas.pictures()
        said = watched.activation(shake(pictures, rng).to(watched.adapter.device, watched.adapter.dtype))
        goal = said.float().mean() - method.smooth * variation(pictures).mean()
        goal = goal - method.diversity * alike(watched.gram().float()) if method.diversity else goal
        if not torch.isfinite(goal):
            raise ModelError(
                f"the unit's activation is NaN or infinite at step {step}: take a smaller rate, or check the weights."
            )
        (-goal).backward()
        ascent.step()
        curve.append(said.detach().double().cpu().numpy())
        meter.add(forward=len(said), backward=len(said))
        if meter.spent:
            warnings = (f"the budget ended the ascent after {step + 1} of {method.steps} steps: {meter.limit()}",)
            break
    if not np.any(curve):
        warnings += ("the unit gave 0 at every step, so no slope led anywhere: name the layer before its activation",)
    with torch.no_grad():
        images = canvas.pictures()
        activations = watched.activation(images.to(watched.adapter.device, watched.adapter.dtype))
        meter.add(forward=len(images))
    return images.double().numpy(), activations.double().cpu().numpy(), np.stack(curve), warnings


def _largest(watched: Any, real: np.ndarray, meter: Meter) -> float:
    import torch

    found = -np.inf
    for start in range(0, len(real), 32):
        with torch.no_grad():
            said = watched.activation(watched.adapter.input(real[start : start + 32]))
        found = max(found, float(said.max()))
        meter.add(forward=len(said))
    return found
