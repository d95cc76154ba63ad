"""The whole check: what fits the model and the budget is run in order of value, judged, and written down as it finishes.

    audit = pc.audit(model, X, y, budget="60s", out="audit")

writes `audit/audit.html` (one page that needs nothing else), `audit/audit.json` and every record in `audit/records/`. A record
is on disk as soon as it is finished; page and JSON follow at the end, or when the run is interrupted. No file is ever half
written. `resume=True` goes on from the records of an earlier run of the same audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.core.budget import Budget
from pellucid.report.check import Check, Wanted
from pellucid.report.folder import Folder
from pellucid.report.ledger import Progress, as_budget
from pellucid.report.publish import publish
from pellucid.report.record import Audit


def audit(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    budget: Budget | float | str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    by: Any = None,
    where: Any = None,
    methods: Any = None,
    rows: int = 8,
    background: Any = None,
    classes: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    held_out: bool | None = None,
    margin: float = 0.01,
    name: str = "model",
    concepts: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Explain chosen rows by several methods, judge every explanation, and look for what a model should not rest on.

    Parameters
    ----------
    model : a torch module, an estimator or pipeline of the scikit-learn kind, or any function of a batch.
    X : (n, *features) rows as the model will meet them; a shortcut that they do not show cannot be found.
    y : (n,) the true answers; without them, nothing is said of performance.
    budget : seconds, a text such as "60s", or a Budget; what it leaves out is listed.
    out : folder for the page, the JSON and the records; None writes nothing.
    resume : go on from what `out` holds of an earlier run, if model, data, methods, settings and versions are the same.
    by : a column of the frame X, or (n,) values: how well the model does in each group, and what it goes by there.
    where : (n, *space) masks, True where the answer is known to lie, all False where it is not known: explanations are held to it.
    methods : method values or spellings; None takes those that fit the model and its input.
    rows : how many rows are explained.
    background : (b, *features) reference rows; None takes some rows of X where a table needs them.
    classes : names of the classes, in the order of the model's outputs.
    names : names of the columns of an array.
    held_out : whether the model was trained without these rows; None says that nobody told.
    margin : how far behind the model a simple one may be (in accuracy, or R²) and still be named before all else.
    name : what the page calls the model.
    concepts : {name: (m, *features) examples}, which of them raise the answers of a network that tells classes of pictures; a set
        that is called "random" holds examples of anything.
    progress : called with what is being done, and the share that is done.

    Raises
    ------
    PellucidError : whatever is wrong with the model or the data, named with its remedy.
    """
    wanted = Wanted(by, methods, rows, background, classes, names, held_out, margin, name, concepts, where)
    check = Check(model, X, y, wanted, as_budget(budget), Folder.of(out), progress, resume)
    try:
        check.run()
    finally:
        made = check.audit()
        if out is not None:
            publish(Path(out), [made])
    return made
