"""A picture of every method and metric, drawn by running it, with the call that made it and the facts of its receipt."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from sklearn.base import clone

import pellucid as pc
import photographs
from handbook import worlds
from pellucid import api
from pellucid.core.registry import VERBS, resolve
from pellucid.metrics.of_influence import InfluenceMetric
from pellucid.plot._style import Sheet

DOTS = 140  # an inch


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A picture in a file, or words where a record has no picture, and what stands below."""

    file: Path | None
    call: str
    world: str
    receipt: pc.Receipt
    words: str = ""


def method(name: str, folder: Path) -> Drawn:
    """Run a method where it belongs and draw what it says."""
    said = worlds.answer(name)
    asked, world, receipt = call(said.method, said.record), said.world.name, said.record.receipt
    if type(said.record) not in pc.plot.show.registry:
        told = next(name for name in ("sentence", "words", "to_frame") if hasattr(said.record, name))
        return Drawn(None, f"{asked}\nprint(record.{told}())", world, receipt, str(getattr(said.record, told)()))
    file = _saved(_picture(said.record), folder, name)
    return Drawn(file, f"{asked}\npc.plot.show(record)", world, receipt)


def metric(name: str, folder: Path) -> Drawn:
    """Judge relevance on the collage, or Shapley values of the table where a metric knows only tables."""
    judge = worlds.SHOWN.get(name) or resolve(name)()
    if isinstance(judge, InfluenceMetric):
        return _traced(judge, folder, name)
    relevance = pc.SmoothGrad(samples=10) if "error bars" in judge.card.needs else pc.LRP()
    try:
        curve, world, judged, given = _judged(judge, worlds.pictures(), relevance)
    except pc.PellucidError:
        curve, world, judged, given = _judged(judge, worlds.tables(8), pc.KernelShap())
    told = f"card = pc.evaluate(model, pc.explain(model, x, pc.{spelt(judged)}), [pc.{spelt(judge)}]{given})"
    return Drawn(
        _saved(pc.plot.show(curve), folder, name), f"{told}\npc.plot.show(card.curves[0])", world, curve.receipt
    )


def _traced(judge: Any, folder: Path, name: str) -> Drawn:
    """Judge the influence of training rows on a few queries."""
    train, queries = worlds.measured()
    record = pc.influence(worlds.logistic(*train), train, queries, pc.InfluenceFunctions(l2=worlds.PENALTY))
    card = pc.evaluate(None, record, [judge], truth=queries, train=train, retrain=worlds.logistic)
    told = [
        f"record = pc.influence(model, (X, y), queries, pc.InfluenceFunctions(l2={worlds.PENALTY:g}))",
        f"card = pc.evaluate(model, record, [pc.{spelt(judge)}], truth=queries, train=(X, y), retrain=fit)",
        "pc.plot.show(card.curves[0])",
    ]
    file = _saved(pc.plot.show(card.curves[0]), folder, name)
    return Drawn(file, "\n".join(told), "a logistic model of ten measurements of tumours", card.curves[0].receipt)


def _judged(judge: Any, world: Any, judged: Any) -> tuple[Any, str, Any, str]:
    model = world.model()
    record = pc.explain(model, world.x, judged, target=world.target, background=world.background)
    train = worlds.lessons() if "lessons" in judge.card.needs else worlds.table()
    known = {"truth": _truth(record), "train": train, "retrain": lambda X, y: clone(worlds.trees()).fit(X, y)}
    wanted = {*getattr(judge.card, "takes", ()), *judge.card.needs} - set(_without(judge))
    given = {name: value for name, value in known.items() if name in wanted and value is not None}
    card = pc.evaluate(model, record, [judge], background=world.background, **given)
    words = {"truth": ", truth=where", "train": ", train=(X, y)", "retrain": ", retrain=fit"}
    return card.curves[0], world.name, judged, "".join(words[name] for name in given)


def _truth(record: Any) -> Any:
    """Where the class is, for a record on the collage."""
    if record.layout != "channels-first":
        return None
    where = photographs.collage(*worlds.COLLAGE)[1]
    return (where == photographs.NAMES.index(worlds.TARGET))[None].astype(float)


def _without(judge: Any) -> tuple[str, ...]:
    return ("truth",) if getattr(judge, "others", ()) else ()


def _picture(record: Any) -> Axes:
    """The usual plot; a picture's map stands beside the picture."""
    if not (isinstance(record, pc.Attribution) and len(record.spatial) == 2):
        return pc.plot.show(record)
    figure = Sheet(figsize=(7.2, 3.2), layout="compressed")
    left, right = figure.subplots(1, 2)
    pc.plot.picture(record, ax=left)
    return pc.plot.show(record, ax=right)


def _saved(ax: Any, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.png"
    first = np.ravel(ax)[0]
    first.get_figure(root=True).savefig(file, dpi=DOTS)
    return file


def call(made: Any, record: Any) -> str:
    """The line that a reader would write to get this record."""
    verb = verb_of(record)
    given = {
        "importance": "model, X, y",
        "effect": f"model, X, {worlds.COLUMN!r}",
        "prototypes": "X",
        "influence": "model, (X, y), (x, y)",
        "hardest": "model, X",
        "label_errors": "model, X, y",
        "visualize": "model, 1",
        "concepts": "model, sets",
        "probe": "model, X, y",
    }.get(verb, "model, x")
    more = {"concepts": ", layer=name, inputs=x, random=others", "probe": ", layer=names"}.get(verb, "")
    return f"record = pc.{verb}({given}, pc.{spelt(made)}{more})"


def verb_of(record: Any) -> str:
    """The verb that hands back records of this type."""
    names = [name for name in VERBS if VERBS[name] == "pellucid.api"]
    return next(
        (n for n in names if inspect.signature(getattr(api, n)).return_annotation == type(record).__name__), "explain"
    )


def spelt(value: Any) -> str:
    """A value with those fields only that are not at their defaults."""
    if not dataclasses.is_dataclass(value):
        return repr(value)
    told = [
        f"{f.name}={spelt(getattr(value, f.name))}" for f in dataclasses.fields(value) if f.init and _changed(value, f)
    ]
    return f"{type(value).__name__}({', '.join(told)})"


def _changed(value: Any, field: dataclasses.Field[Any]) -> bool:
    return bool(repr(getattr(value, field.name)) != repr(field.default))
