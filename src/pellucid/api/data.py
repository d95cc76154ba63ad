"""The data behind a model: which rows stand for them, which taught it what it says, where it will err."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid.core.difficulty import Difficulty
from pellucid.core.examples import Examples
from pellucid.core.influence import Influence
from pellucid.core.label_errors import LabelErrors

if TYPE_CHECKING:
    from pellucid.methods.difficulty.base import DifficultyMethod
    from pellucid.methods.example.base import PrototypeMethod
    from pellucid.methods.influence.base import InfluenceMethod
    from pellucid.methods.label.base import LabelMethod


def prototypes(
    X: Any,
    method: PrototypeMethod | str | None = None,
    *,
    labels: Any = None,
    progress: Callable[[int], None] | None = None,
) -> Examples:
    """Which few rows stand for the data, and which do they not stand for?

    Parameters
    ----------
    X : (n, *features) rows: a table, pictures, or what a network makes of them (embeddings); a frame's numbers are divided by
        their standard deviation, and its levels are coordinates of their own.
    method : a method value or its spelling; None takes MMDCritic(prototypes=10, criticisms=5).
    labels : (n,) one label a row, to say how often the nearest prototype has a row's label; `per_class` methods need them.
    progress : called with the number of rows whose similarities to all others are summed.
    """
    from pellucid.methods.example import finding

    return finding.prototypes(X, method, labels=labels, progress=progress)


def influence(
    model: Any,
    train: Any,
    query: Any,
    method: InfluenceMethod | str | None = None,
    *,
    task: Callable[[Any, Any], Any] | None = None,
    measurement: Callable[[Any, Any], Any] | None = None,
    checkpoints: Any = None,
    factors: Any = None,
    progress: Callable[[int], None] | None = None,
) -> Influence:
    """Which training examples made the model say this, and which speak against it?

    Positive scores: training on this example lowers the query's loss.

    Parameters
    ----------
    model : a torch module, as it is after training; or TextModel(network, tokenizer).
    train, query : tuples of arrays with examples first, as in (X, y), or a torch Dataset; (texts, y) for a model of texts.
    method : a method value or its spelling; None takes InfluenceFunctions().
    task : `task(model, batch) -> (b,)`, the loss of each training example without penalties; None takes CrossEntropy() where
        the last part of an example is a whole number, else SquaredError().
    measurement : the same, of the queries; None takes the task.
    checkpoints : states during training, for TracIn: a folder that `Checkpoints(folder)` filled, or pairs (state or path,
        learning rate).
    factors : an `.npz` file, for EKFAC: what it found out about the curvature is kept there, and read from there if it is
        there already.
    progress : called with the number of training examples that are done.
    """
    from pellucid.methods.influence import run

    return run.influence(
        model,
        train,
        query,
        method,
        task=task,
        measurement=measurement,
        checkpoints=checkpoints,
        factors=factors,
        progress=progress,
    )


def hardest(
    model: Any,
    X: Any,
    method: DifficultyMethod | str | None = None,
    *,
    y: Any = None,
    background: Any = None,
    batch_size: int | None = None,
) -> Difficulty:
    """About which rows is the model most likely to be wrong?

    Parameters
    ----------
    model : a classifier, or a list of classifiers of the same classes, whose mean is what is predicted.
    method : a method value or its spelling; None takes SmallestMargin().
    y : (n,) the true classes, to see how well the scores tell errors: `.auroc()`, `.found(0.1)`.
    background : rows of which FarFromPrototypes picks its prototypes.
    batch_size : rows per model call; None bounds memory.
    """
    from pellucid.methods.difficulty import run

    return run.hardest(model, X, method, y=y, background=background, batch_size=batch_size)


def label_errors(
    model: Any,
    X: Any,
    y: Any,
    method: LabelMethod | str | None = None,
    *,
    truth: Any = None,
    trusted: Any = None,
    checkpoints: Any = None,
    batch_size: int | None = None,
) -> LabelErrors:
    """Which labels are likely to be wrong?

    Parameters
    ----------
    model : a classifier; X, y : rows with the labels that are looked at, for most methods those that it was trained on.
    method : a method value or its spelling; None takes LargestLoss().
    truth : (n,) labels known to be right, to see how well the ranking did: `.precision()`, `.found(0.25)`, `.auroc()`.
    trusted : (X, y) other rows with labels known to be right, for Opponents.
    checkpoints : states during training, for methods that hold a TracIn().
    batch_size : rows per model call; None bounds memory.
    """
    from pellucid.methods.label import run

    return run.label_errors(
        model, X, y, method, truth=truth, trusted=trusted, checkpoints=checkpoints, batch_size=batch_size
    )
