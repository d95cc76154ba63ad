"""Sets of examples of what a user may give: concepts by name, and random examples as one pool or as several sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import checked, plain_array
from pellucid.methods.concept.draws import Plan
from pellucid.models.text import as_texts

FEW = 20  # examples of a concept; with fewer, say so


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples one after the other (N, *features), and which of them are what."""

    x: np.ndarray
    plan: Plan


def as_examples(concepts: Any, random: Any, like: np.ndarray) -> Examples:
    """`like` are the inputs: examples are of their kind and shape."""
    named = _named(concepts, like)
    sets = [] if random is None else _sets(random, like)
    if random is None and len(named) < 2:
        raise InputError(
            "one concept and no random examples: there is nothing to tell it from. Give random=, examples of anything, or several "
            "concepts, which are then told from each other."
        )
    if len(sets) == 1 and len(sets[0]) < 4:
        raise InputError(f"random holds {len(sets[0])} examples: give at least 4, better 50, or several sets.")
    parts = [*named.values(), *sets]
    ends = np.cumsum([len(part) for part in parts])
    rows = [np.arange(end - len(part), end) for part, end in zip(parts, ends, strict=True)]
    plan = Plan(int(ends[-1]), dict(zip(named, rows, strict=False)), tuple(rows[len(named) :]), relative=random is None)
    return Examples(np.concatenate(parts), plan)


def _named(concepts: Any, like: np.ndarray) -> dict[str, np.ndarray]:
    if not isinstance(concepts, Mapping) or not concepts:
        raise InputError(
            f"concepts is a {type(concepts).__name__}{' without entries' if isinstance(concepts, Mapping) else ''}: expected "
            "{'name': examples}."
        )
    return {str(name): _set(given, like, f"concept {str(name)!r}") for name, given in concepts.items()}


def _sets(random: Any, like: np.ndarray) -> list[np.ndarray]:
    """One pool, or several sets: what holds sets is a list of them, a mapping, or an array with one more axis."""
    given = list(random.values()) if isinstance(random, Mapping) else random
    if not isinstance(random, Mapping) and not _holds_sets(given, like):
        return [_set(given, like, "random")]
    return [_set(one, like, f"random set {i}") for i, one in enumerate(given)]


def _holds_sets(given: Any, like: np.ndarray) -> bool:
    if like.dtype == object:
        return isinstance(given, Sequence) and len(given) > 0 and not isinstance(given[0], str)
    if hasattr(given, "ndim"):
        return bool(given.ndim == like.ndim + 1)
    return isinstance(given, Sequence) and len(given) > 0 and np.ndim(plain_array(given[0])) == like.ndim


def _set(given: Any, like: np.ndarray, who: str) -> np.ndarray:
    """(m, *features)"""
    if len(given) == 0:
        raise InputError(f"{who} is empty: give at least 2 examples, better {FEW} or more.")
    texts = as_texts(given)
    if (texts is not None) != (like.dtype == object):
        kinds = ("texts", "numbers") if texts is not None else ("numbers", "texts")
        raise InputError(f"{who} holds {kinds[0]} and the inputs are {kinds[1]}: examples are of the inputs' kind.")
    made = texts if texts is not None else checked(plain_array(given), who)
    if made.shape[1:] != like.shape[1:]:
        raise InputError(
            f"the examples of {who} have shape {made.shape[1:]}, the inputs {like.shape[1:]}: bring them to one shape."
        )
    if len(made) < 2:
        raise InputError(f"{who} has a single example: give at least 2, better {FEW} or more.")
    return made
