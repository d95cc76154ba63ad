"""Which methods and metrics fit a model and its input."""

from __future__ import annotations

from typing import Any

from pellucid.core.errors import PellucidError
from pellucid.core.method import Method, SamplingMethod
from pellucid.core.registry import resolve
from pellucid.core.target import Predicted, Target
from pellucid.methods.run import as_method, explain
from pellucid.methods.shapley.suited import has_trees
from pellucid.report.subject import Subject

SLOPES = ("Saliency", "LIME")  # how fast the score moves, not what was contributed to it
_EXACT = 10  # columns up to which all coalitions are asked
_COALITIONS = 512  # asked where there are more; what that leaves open is in the error bars
_GRAINS = 8  # windows along each side that deletion and insertion hide


def methods(subject: Subject, given: Any = None) -> tuple[Method, ...]:
    """The methods asked for, or those that fit."""
    if given is not None:
        listed: list[Any] = [given] if isinstance(given, str | Method | type) else list(given)
        return tuple(as_method(one) for one in listed)
    return tuple(as_method(spelling) for spelling in _spellings(subject))


def _spellings(subject: Subject) -> list[str]:
    network = subject.kind == "torch"
    if subject.shape == "table":
        return [*["IntegratedGradients"] * network, _shapley(subject), "LIME", "Occlusion"]
    if not network:
        return ["Occlusion"]
    maps = ["GradCAM", "LayerCAM"] if subject.shape == "picture" else ["GradCAM"]
    return ["IntegratedGradients", "LRP(conv=Gamma())", "Saliency", *maps, "Occlusion"]


def _shapley(subject: Subject) -> str:
    """Trees are read, exactly and at once; few columns are enumerated; more are sampled."""
    if _reads_trees(subject):
        return "TreeShap"
    return "ExactShapley" if subject.x.shape[1] <= _EXACT else f"KernelShap(samples={_COALITIONS})"


def _reads_trees(subject: Subject) -> bool:
    """Whether TreeShap answers for one row: the steps of a pipeline and the scale decide too."""
    if not has_trees(subject.model):
        return False
    try:
        explain(subject.model, subject.take([0]), resolve("TreeShap")(), target=target(subject))
    except PellucidError:
        return False
    return True


def target(subject: Subject) -> Target | None:
    """Why did it say that? Each row's own class; a single number is the only one there is."""
    return Predicted() if subject.task == "classification" and subject.columns > 1 else None


def faithfulness(subject: Subject, method: Method) -> list[Any]:
    """Deletion and insertion, in windows where there is space; by magnitude for slopes, whose sign says something else."""
    window = None if subject.shape == "table" else tuple(max(1, side // _GRAINS) for side in subject.space)
    return [resolve(name)(window=window, absolute=is_slope(method)) for name in ("Deletion", "Insertion")]


def localisation(method: Method) -> list[Any]:
    """The checks against places that are known; by magnitude for slopes."""
    return [resolve(name)(absolute=is_slope(method)) for name in ("PointingGame", "Localization")]


def is_slope(method: Any) -> bool:
    """Whether a method says how fast the score moves, not what was contributed to it."""
    return type(method).__name__ in SLOPES


def sanity(method: Method) -> list[Any]:
    """The check that draws the weights anew."""
    return [resolve("ModelRandomization")(stages=3, draws=2, independent=False)]


def stability(method: Method) -> list[Any]:
    """The check that adds a little noise."""
    return [resolve("Stability")()]


def needs_background(subject: Subject, chosen: tuple[Method, ...]) -> bool:
    """Whether reference rows are wanted: tables have no natural zero."""
    return subject.shape == "table" or any(isinstance(method, SamplingMethod) for method in chosen)
