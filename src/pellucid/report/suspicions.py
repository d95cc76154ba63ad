"""What the audit suspects of the model, in plain sentences: a place or a column that decides alone, no skill, unequal groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison
from pellucid.report.record import ColumnTest, RegionTest, Warn, warning
from pellucid.report.windows import window
from pellucid.report.words import Box, percent, place_name


def shortcuts(test: RegionTest, compared: Comparison | None, files: Mapping[str, str]) -> Iterator[Warn]:
    """A small place that carries a class."""
    for i in np.flatnonzero(test.suspicious).tolist():
        numbers = _numbers_of_place(test, i)
        numbers["weight_by_method"] = weight_there(compared, test, i)
        carried = f"{percent(test.area[i])} of the picture, carries {percent(test.share[i, 0])} of the score for “{test.names[i]}”"
        headline = f"A small place decides: {numbers['place']}, {carried}."
        said = f"{_said_of_place(test, i)}{_said_of_weights(numbers['weight_by_method'])} Should this place matter?"
        yield warning("shortcut", "model", headline, said, numbers, files.get("regions"))


def _said_of_place(test: RegionTest, i: int) -> str:
    name, (share, low, high), (rest, most) = test.names[i], test.share[i], test.elsewhere[i]
    box = _box(test, i)
    place = place_name(box, test.space)
    where = f"rows {box[0]} to {box[0] + box[2] - 1}, columns {box[1]} to {box[1] + box[3] - 1}"
    return (
        f"{place[0].upper()}{place[1:]}, {percent(test.area[i])} of the picture ({where}), carries {percent(share)} of the lead by "
        f"which pictures are called “{name}” ({percent(low)} to {percent(high)}); equally large places elsewhere carry "
        f"{percent(rest)} on average and {percent(most)} at most. Pasted into pictures of other classes, it turns "
        f"{percent(test.pasted[i, 0])} of them into “{name}”; replaced in pictures called “{name}”, it leaves "
        f"{percent(1 - test.removed[i, 0])} of them so called. It tells “{name}” from the rest {test.contrast[i]:.0f} times better "
        "than any other place does."
    )


def _said_of_weights(weights: Mapping[str, float]) -> str:
    """Which explanations show it."""
    if not weights:
        return ""
    each = ", ".join(f"{name} {percent(share)}" for name, share in sorted(weights.items(), key=lambda item: -item[1]))
    return f" Explanations of such pictures put there, of all their weight: {each}."


def _numbers_of_place(test: RegionTest, i: int) -> dict[str, Any]:
    box = _box(test, i)
    return {
        "class": test.names[i],
        "place": place_name(box, test.space),
        **dict(zip(("top", "left", "height", "width"), box, strict=True)),
        "area": float(test.area[i]),
        **_three("share", test.share[i]),
        "share_elsewhere": float(test.elsewhere[i, 0]),
        "share_elsewhere_most": float(test.elsewhere[i, 1]),
        "contrast": float(test.contrast[i]),
        **_three("pasted", test.pasted[i]),
        **_three("removed", test.removed[i]),
    }


def _three(name: str, numbers: np.ndarray) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), map(float, numbers), strict=True))


def _box(test: RegionTest, i: int) -> Box:
    top, left, height, width = (int(number) for number in test.boxes[i])
    return top, left, height, width


def weight_there(compared: Comparison | None, test: RegionTest, i: int) -> dict[str, float]:
    """How much of each method's weight (sum of magnitudes) lies in the place, over the explained rows of the class."""
    found = {}
    for name, record in zip(compared.names, compared.attributions, strict=True) if compared else ():
        rows = [row for row in range(len(record)) if record.done[row] and _column(record, row) == test.classes[i]]
        places = np.abs(record[rows].collapse("sum")).reshape(len(rows), *test.space)
        if places.sum() > 0:
            found[name] = float(places[window(_box(test, i), 3, (1, 2))].sum() / places.sum())
    return found


def _column(record: Attribution, row: int) -> int | None:
    """The class that a row's explanation is about."""
    label: Any = getattr(record.target, "label", None)
    return label[row] if isinstance(label, tuple) else label


def leaks(test: ColumnTest, files: Mapping[str, str]) -> Iterator[Warn]:
    """A column that carries the model alone."""
    whose = "the model's performance" if test.of_truth else "what the model says"
    for j in np.flatnonzero(test.suspicious).tolist():
        name, (share, low, high) = test.names[j], test.share[j]
        rest = float(np.delete(test.share[:, 0], j).max())
        yield warning(
            "leak",
            "model",
            f"One column decides: “{name}” carries {percent(share)} of {whose}.",
            f"The column “{name}” alone carries {percent(share)} of {whose} ({percent(low)} to {percent(high)}); the next one "
            f"carries {percent(rest)}. Is it known at the time of prediction, or does it hold the answer?",
            {"column": name, **_three("share", test.share[j]), "next": rest},
            files.get("columns"),
        )


def no_skill(performance: Mapping[str, Any]) -> Iterator[Warn]:
    """A model that does no better than a constant."""
    p = performance
    if p.get("right") is not None and p["right"] <= p["majority"]:
        said = (
            f"The model is right in {percent(p['right'])} of {p['rows']} rows ({percent(p['low'])} to {percent(p['high'])}); "
            f"always answering “{p['most_frequent']}” is right in {percent(p['majority'])}."
        )
    elif p.get("r2") is not None and p["r2"] <= 0:
        said = f"The model explains none of the variance of the {p['rows']} true values (R² = {p['r2']:.2f})."
    else:
        return
    headline = "The model does no better than always giving the same answer."
    yield warning(
        "no-skill", "model", headline, f"{said} Explanations of a model without skill explain noise.", p, None
    )


def uneven(groups: tuple[dict[str, Any], ...]) -> Iterator[Warn]:
    """A group in which the model is right less often than elsewhere, by intervals that do not meet."""
    for group in groups:
        others = group["others"]
        if "error" in group:
            yield from _further_off(group, others)
            continue
        if not others["rows"] or group["high"] >= others["low"]:
            continue
        yield warning(
            "group-gap",
            "model",
            f"The model does worse in the group “{group['group']}”.",
            f"In the group “{group['group']}” the model is right in {percent(group['right'])} of {group['rows']} rows "
            f"({percent(group['low'])} to {percent(group['high'])}), elsewhere in {percent(others['right'])} "
            f"({percent(others['low'])} to {percent(others['high'])}).",
            group,
            None,
        )


def _further_off(group: dict[str, Any], others: dict[str, Any]) -> Iterator[Warn]:
    """A group in which the model's numbers are further from the truth."""
    if group["low"] is None or others["low"] is None or group["low"] <= others["high"]:
        return
    yield warning(
        "group-gap",
        "model",
        f"The model does worse in the group “{group['group']}”.",
        f"In the group “{group['group']}” the model is off by {group['error']:.3g} on average over {group['rows']} rows "
        f"({group['low']:.3g} to {group['high']:.3g}), elsewhere by {others['error']:.3g} ({others['low']:.3g} to "
        f"{others['high']:.3g}).",
        group,
        None,
    )
