"""One output: why it is what it is, what would be enough for it, what would change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pellucid.core.budget import Budget
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.masking import Masker
from pellucid.core.method import Method
from pellucid.core.records import Attribution, Interactions
from pellucid.core.rules import Rules
from pellucid.core.selection import ExplainWhen, Selection

if TYPE_CHECKING:
    from pellucid.methods.anchor.anchors import Anchors
    from pellucid.methods.counterfactual.base import CounterfactualMethod


def explain(
    model: Any,
    x: Any,
    method: Method | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Attribution:
    """Why this output?

    Parameters
    ----------
    model : a torch module, an estimator or pipeline of the scikit-learn kind, or any function of a batch.
    x : (n, *features) the rows to explain; a frame's columns are its features.
    method : a method value or its spelling; None takes IntegratedGradients for networks, TreeShap
        where a score is a sum of leaves that can be read, KernelShap for other tables.
    target : an output column, a class name, one of either per row, a function of the outputs, or a target value.
    background : (b, *features) reference rows, for methods that need them; x is never its own background.
    masker : what is hidden and how, for methods that hide; None follows the input.
    names : names of the features of an array.
    extra : further inputs `{name: (n, ...)}` that are passed along unexplained.
    budget : hard limits, a Budget, seconds or "60s"; rows that it leaves out are marked `done=False`.
    batch_size : rows per model call; None bounds memory.
    progress : called with the number of model rows after each call.

    Raises
    ------
    PellucidError : whatever is wrong with the input, named with its remedy.
    """
    from pellucid.methods import run

    return run.explain(
        model,
        x,
        method,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        budget=budget,
        batch_size=batch_size,
        progress=progress,
    )


def explain_each(
    model: Any,
    x: Any,
    method: Method | str,
    targets: int | Sequence[Any],
    *,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
) -> tuple[Attribution, ...]:
    """Why this output, for each of several targets? The model is asked once where the method only asks.

    targets : a list of targets, each as in `explain`, or a number k for each row's k highest outputs, from the highest down.
    """
    from pellucid.methods import several

    return several.explain_each(
        model,
        x,
        method,
        targets,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        batch_size=batch_size,
    )


def explain_when(
    model: Any,
    x: Any,
    policy: ExplainWhen | str,
    method: Method | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
) -> Selection:
    """Why these outputs, of all? Only where the policy calls for it, the most uncertain first, and within its limits.

    The model is asked for class probabilities once; `ExplainWhen(above=0.5, lead=0.2, seconds=60)` explains what has at least
    probability 0.5 first, then what is undecided, and stops after a minute. The record says of every row whether it was
    explained and why, and what was saved. All other arguments are those of `explain`.
    """
    from pellucid.methods import selecting

    return selecting.explain_when(
        model,
        x,
        policy,
        method,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        budget=budget,
        batch_size=batch_size,
    )


def interact(
    model: Any,
    x: Any,
    method: Method | str,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
) -> Interactions:
    """Which features act together? Pairs in halves, rows that add up to the attribution of the same method.

    TreeShap and ExactShapley find them exactly, KernelShap from sampled coalitions and with a standard error.
    """
    from pellucid.methods import interacting

    return interacting.interact(model, x, method, target=target, background=background, masker=masker)


def anchor(
    model: Any,
    x: Any,
    method: Anchors | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Rules:
    """What is enough for this answer? One rule per row, "Education <= High School and Hours <= 40", with its precision.

    Parameters
    ----------
    method : a method value or its spelling; None takes Anchors().
    target : what counts as the same answer: None the class that the model predicts, a class (it, or not it), `Margin(a, b)`
        (which of the two is ahead), a function of the outputs (equal values; numbers within `Anchors(within=)`).
    background : (b, *features) rows that rules are tried on; tables need them, and coverage is counted there.
    masker : what is hidden, where rules speak of parts that are there; None follows the input, and tables hide nothing.

    The rest is as in `explain`. A budget stops the search: what was found by then is returned, and a warning says so.
    """
    from pellucid.methods.anchor import run

    return run.anchor(
        model,
        x,
        method,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        budget=budget,
        batch_size=batch_size,
        progress=progress,
    )


def counterfactual(
    model: Any,
    x: Any,
    method: CounterfactualMethod | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    constraints: Any = None,
    scm: Any = None,
    density: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Counterfactuals:
    """What would change it? The nearest row with the wanted answer, checked on the model and against every constraint.

    Parameters
    ----------
    method : a method value or its spelling; None takes Wachter(). SEDC() hides words of texts or regions of pictures.
    target : the wanted answer: a class (its name or number; an array (n,) gives one a row), an interval `(low, high)` of the score,
        None any other class than the one that the model gives.
    background : (b, *features) rows of the data: what distances are measured in, where answers are looked for.
    constraints : what may change, `[Immutable("sex"), Increasing("age"), Range("hours", 0, 60), Step("income", 500), "debt <=
    income"]`. scm : how columns follow from each other, for CausalCounterfactual.
    density : what likely rows are: "neighbours", "lof", or a function of rows (larger is likelier) such as an autoencoder's.
    masker : for SEDC, what the parts are and what hides them: Words(), Sentences(), Superpixels(), Grid(fill="blur").

    The rest is as in `explain`. A row without an answer has `valid=False` and a `reason`; `proof` says whether that is proven.
    """
    from pellucid.methods.counterfactual import run

    return run.counterfactual(
        model,
        x,
        method,
        target=target,
        background=background,
        constraints=constraints,
        scm=scm,
        density=density,
        masker=masker,
        names=names,
        extra=extra,
        budget=budget,
        batch_size=batch_size,
        progress=progress,
    )
