"""The verbs: each asks one question of a model and returns one record.

The model comes first, then the data, then the method; everything after `*` is optional. `x` and `X` are batch-first:
an array, a tensor or a data frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.core import store
from pellucid.core.advice import Advice
from pellucid.core.budget import Budget, Cost
from pellucid.core.cohort import Cohorts
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.difficulty import Difficulty
from pellucid.core.effect import Effect
from pellucid.core.examples import Examples
from pellucid.core.influence import Influence
from pellucid.core.masking import Masker
from pellucid.core.method import Method
from pellucid.core.records import Attribution, Comparison, Importance, Interactions, Scorecard
from pellucid.core.rivals import Rivals
from pellucid.core.rules import Rules
from pellucid.core.visualization import Visualization

if TYPE_CHECKING:
    from pellucid.methods.anchor.anchors import Anchors
    from pellucid.methods.counterfactual.base import CounterfactualMethod
    from pellucid.methods.difficulty.base import DifficultyMethod
    from pellucid.methods.example.base import PrototypeMethod
    from pellucid.methods.influence.base import InfluenceMethod
    from pellucid.methods.vision.activation_maximization import ActivationMaximization


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
    budget: Budget | None = None,
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
    budget : hard limits; rows that it leaves out are marked `done=False`.
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
    budget: Budget | None = None,
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
    budget: Budget | None = None,
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


def importance(
    model: Any,
    X: Any,
    y: Any = None,
    method: Any = None,
    *,
    metric: Any = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
) -> Importance:
    """What matters overall? Larger = more important, whether the metric is a score or a loss.

    Parameters
    ----------
    X : (n, p) rows that the model was not trained on; y : (n,) or (n, k) their true labels or values.
    method : a method value or its spelling; None takes PermutationImportance. ShapImportance needs no y.
    metric : a scikit-learn scorer's name, or `(function(y, prediction), greater_is_better)`, where prediction is what an
        estimator predicts, or the outputs of a function or a network; None takes an estimator's accuracy or r2.
    groups : columns that count as one, `{name: [column, ...]}`; a column in no group stands alone, after them.
    target, background, masker : of the values that ShapImportance sums up, as in `explain`.
    """
    from pellucid.methods.effect import run

    return run.importance(
        model, X, y, method, metric=metric, groups=groups, target=target, background=background, masker=masker
    )


def effect(
    model: Any,
    X: Any,
    feature: str | int | Sequence[str | int],
    method: Any = None,
    *,
    target: Any = None,
    grid: Any = None,
) -> Effect:
    """How does the score move with this column, or with these two?

    Parameters
    ----------
    X : (n, p) rows; the effect is the mean over all of them.
    feature : a column's name or number, or two of them for a surface.
    method : a method value or its spelling; None takes PartialDependence.
    target : an output column or class name; needed where the model has more than one output and is no binary classifier.
    grid : the values to go along, in the column's own terms; two lists for two columns. None follows the data; a column of
        free text has no such values, and is compared at texts that you name.
    """
    from pellucid.methods.effect import effecting

    return effecting.effect(model, X, feature, method, target=target, grid=grid)


def cohorts(verb: Callable[..., Any] | str, model: Any, X: Any, *arguments: Any, by: Any, **options: Any) -> Cohorts:
    """Does the answer differ between groups of rows? Any question about a table, asked of each group by itself.

    `pc.cohorts(pc.importance, model, X, y, by="sex")`, `pc.cohorts("effect", model, X, "age", by="race")`

    Parameters
    ----------
    verb : the question, or its name; it is handed model, the group's rows, then `arguments` and `options`. What has one
        entry a row (labels, targets) is split with the rows.
    by : a column of the frame X, or one label a row; numbers of many values are cut into quarters of the rows.
    """
    from pellucid.methods import cohorts as engine

    return engine.cohorts(verb, model, X, *arguments, by=by, options=options)


def rivals(model: Any, X: Any, y: Any, *, metric: Any = None, margin: float = 0.01, folds: int = 5) -> Rivals:
    """Would a simpler model do? A linear one and a small tree, cross-validated beside the model on the same folds.

    Parameters
    ----------
    model : an estimator or pipeline; it is cloned and fitted anew on each fold, and itself left alone.
    metric : a scikit-learn scorer's name, or `(function(y, prediction), greater_is_better)`; None takes accuracy or r2.
    margin : how far behind the model a simple one may be, in the metric's unit, and still be enough.
    """
    from pellucid.methods.glassbox import rivals as engine

    return engine.rivals(model, X, y, metric=metric, margin=margin, folds=folds)


def summarize(attribution: Attribution | Counterfactuals, method: Any = None) -> Examples:
    """Which few rows show what matters? Rows of any attribution, picked so that together they cover most of all importance.

    Counterfactuals are summed up by CounterfactualSummary(k=5, by=None): the changes that flip most rows, recourse by group.
    None takes SubmodularPick(k=5). `attribution[examples.indices]` are the explanations of the rows picked.
    """
    from pellucid.methods.example import run

    return run.summarize(attribution, method)


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
    model : a torch module, as it is after training.
    train, query : tuples of arrays with examples first, as in (X, y), or a torch Dataset.
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


def evaluate(
    model: Any,
    record: Attribution | Influence,
    metrics: Sequence[Any],
    *,
    method: Method | str | None = None,
    again: Callable[[Any, Any], Attribution] | None = None,
    truth: Any = None,
    train: tuple[Any, Any] | None = None,
    retrain: Callable[[Any, Any], Any] | None = None,
    background: Any = None,
    masker: Masker | str | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scorecard:
    """Is this explanation any good? One line per metric, whoever computed the record.

    Parameters
    ----------
    metrics : metric values or their spellings, several or one; each metric's card says what it needs.
    again : `again(model, x) -> Attribution` explains anew, for metrics that need it; a record of ours knows its own method, and
        `method` names one for a record that does not.
    truth : what is known: where the answer is, as masks (n, *space) or boxes (n, boxes, axes, 2), or another explanation; of an
        Influence, its queries and their true labels (X, y).
    train, retrain : (X, y), and a function (X, y) -> a new model, for metrics that train anew.
    background, masker, extra, progress : as in `explain`.
    """
    from pellucid.metrics import run

    return run.evaluate(
        model,
        record,
        metrics,
        method=method,
        again=again,
        truth=truth,
        train=train,
        retrain=retrain,
        background=background,
        masker=masker,
        extra=extra,
        progress=progress,
    )


def compare(
    model: Any,
    x: Any,
    methods: Sequence[Method | str],
    *,
    metrics: Sequence[Any] | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Do the methods agree, and which does the evidence support?

    Every pair of methods is a `Dispute`: the rows that the two rank differently, what lies furthest apart there, and the paired
    difference of every metric that measures against chance, on exactly those rows.

    Parameters
    ----------
    methods : method values or their spellings, one target for all of them.
    metrics : metric values or their spellings; None takes Deletion, Insertion, Stability and Completeness, each where it applies.
        Random orders are the same for every method and asked once: the first one's receipt has their cost, and the others' say so.

    The rest is as in `explain`.
    """
    from pellucid.metrics import run

    return run.compare(
        model,
        x,
        methods,
        metrics=metrics,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        progress=progress,
    )


def advise(
    *,
    question: str | None = None,
    model: Any = None,
    x: Any = None,
    y: Any = None,
    access: str | Sequence[str] | None = None,
    modality: str | None = None,
    budget: Budget | float | str | None = None,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    margin: float = 0.01,
) -> Advice:
    """Which method should I use? A short list with reasons, from the methods' cards; with a model and rows, measured.

    Says first whether a model that needs no explaining is accurate enough.

    Parameters
    ----------
    question : a verb ("explain", "importance", "anchor", ...), "local" (one prediction) or "global" (the whole model), or a
        question in words; None takes "explain".
    model, x : what is to be explained, as in `explain`; candidates are tried on at most 16 of the rows.
    y : labels of x; an estimator is then cross-validated beside simple models, as `rivals` does within `margin`.
    access : what one may do with the model: "black box" (ask), "gradients", "inner layer", "structure" (read its trees), "training
        data", or several of them; None takes what the model at hand allows, without one anything.
    modality : "table", "image", "volume", "signal" or "text"; None takes that of x.
    budget : hard limits of all trials together: a Budget, seconds, or "60s". Without a model, `Budget(rows=)` is what a row may
        cost.

    The rest is as in `explain`.
    """
    from pellucid.metrics.advice import run

    return run.advise(
        question=question,
        model=model,
        x=x,
        y=y,
        access=access,
        modality=modality,
        budget=budget,
        target=target,
        background=background,
        masker=masker,
        names=names,
        extra=extra,
        margin=margin,
    )


def estimate(
    model: Any,
    x: Any,
    method: Method | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
    budget: Budget | None = None,
) -> Cost:
    """What would `explain` cost? Explains one row, then two, and extrapolates; `budget` only brings its clock."""
    from pellucid.methods import estimating

    return estimating.estimate(
        model,
        x,
        method,
        target=target,
        background=background,
        masker=masker,
        extra=extra,
        batch_size=batch_size,
        budget=budget,
    )


def load(path: str | Path) -> Any:
    """Read a record that `record.save(path)` wrote."""
    return store.load(path)
