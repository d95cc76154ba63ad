"""What has a label: whole rows, words of texts, or tokens at places of arrays; and its type, for control tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.words import Span

Texts = tuple[list[str], list[list[Span]]]


@dataclass(frozen=True, eq=False)
class Labels:
    """m labelled examples: `y (m,)` class numbers, `row (m,)` and `place (m,)` where they are (place -1: all of the row).

    `types (m,)` numbers of types, None where examples have none; `spans`, for words, the characters of each word of each text.
    """

    y: np.ndarray
    classes: tuple[Any, ...]
    row: np.ndarray
    place: np.ndarray
    types: np.ndarray | None
    unit: str
    spans: list[list[Span]] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, kept: np.ndarray) -> Labels:
        """Some of the examples."""
        types = None if self.types is None else self.types[kept]
        return Labels(self.y[kept], self.classes, self.row[kept], self.place[kept], types, self.unit, self.spans)


def is_words(X: Any) -> bool:
    """Whether X is a list of texts that are lists of words."""
    return (
        isinstance(X, Sequence)
        and not isinstance(X, str)
        and len(X) > 0
        and isinstance(X[0], list | tuple)
        and len(X[0]) > 0
        and isinstance(X[0][0], str)
    )


def as_texts_of_words(X: Any) -> Texts:
    """Lists of words -> texts, words joined by spaces, and the characters of each word."""
    texts, spans = [], []
    for row, words in enumerate(X):
        if not all(isinstance(word, str) and word for word in words):
            raise InputError(f"row {row} of X holds something that is no word: expected lists of non-empty strings.")
        ends = np.cumsum([len(word) + 1 for word in words]).tolist()
        spans.append([(end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True)])
        texts.append(" ".join(words))
    return texts, spans


def words_of(text: str) -> list[Span]:
    """The characters of the words of a text that is cut at white space."""
    spans, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    return spans


def as_labels(y: Any, control: Any, x: np.ndarray, spans: list[list[Span]] | None) -> Labels:
    """`x` as the network is fed it (texts, ids, rows); `spans` where X was lists of words."""
    if len(y) != len(x):
        raise InputError(f"y has {len(y)} entries and X {len(x)} rows: give one label, or one list of labels, a row.")
    if _nested(y):
        texts = x.dtype == object
        if not texts:
            raise InputError("y holds a list a row, and X numbers: give labels of places as an array (n, t).")
        return _of_words(y, control, x, spans if spans is not None else [words_of(text) for text in x])
    array = np.asarray(y)
    if array.ndim == 2:
        return _of_tokens(array, control, x)
    if array.ndim != 1:
        raise InputError(f"y has shape {array.shape}: expected (n,), (n, t), or a list of labels for each text.")
    numbers, classes = _classes(list(array.tolist()))
    n = np.arange(len(x))
    types = None if control is None else _types(list(control), len(x))
    return Labels(numbers, classes, n, np.full(len(x), -1), types, "row")


def _nested(y: Any) -> bool:
    return not hasattr(y, "ndim") and any(isinstance(one, list | tuple) for one in y)


def _of_words(y: Any, control: Any, texts: np.ndarray, spans: list[list[Span]]) -> Labels:
    given = (
        [[text[a:b] for a, b in words] for text, words in zip(texts, spans, strict=True)]
        if control is None
        else control
    )
    for row, (labels, words) in enumerate(zip(y, spans, strict=True)):
        if len(labels) != len(words):
            raise InputError(
                f"row {row} has {len(labels)} labels for {len(words)} words: give one for each (None for none), or X as "
                "lists of words."
            )
        if len(given[row]) != len(words):
            raise InputError(
                f"row {row} of control has {len(given[row])} types for {len(words)} words: give one for each."
            )
    places = [(row, place) for row, labels in enumerate(y) for place, label in enumerate(labels) if label is not None]
    if not places:
        raise InputError("no word has a label.")
    row, place = np.array(places).T
    numbers, classes = _classes([y[i][j] for i, j in places])
    types = _types([given[i][j] for i, j in places], len(places))
    return Labels(numbers, classes, row, place, types, "word", spans)


def _of_tokens(y: np.ndarray, control: Any, x: np.ndarray) -> Labels:
    """y (n, t), a negative number for none; the types of ids are the ids themselves."""
    if x.dtype == object:
        raise InputError("y is an array of places and X holds texts: give a list of labels, one a word, for each text.")
    if x.ndim < 2 or y.shape[1] != x.shape[1]:
        raise InputError(f"y has shape {y.shape} and X {x.shape}: labels of places need y (n, t) for X (n, t, ...).")
    there = y >= 0 if y.dtype.kind in "iuf" else np.ones(y.shape, bool)
    row, place = np.nonzero(there)
    numbers, classes = _classes(y[there].tolist())
    ids = x if control is None and x.ndim == 2 and x.dtype.kind in "iu" else control
    types = None if ids is None else _types(np.asarray(ids)[there].tolist(), len(row))
    return Labels(numbers, classes, row, place, types, "token")


def _classes(labels: list[Any]) -> tuple[np.ndarray, tuple[Any, ...]]:
    if any(label is None or label != label for label in labels):
        raise InputError("y has missing labels: leave those rows out.")
    if any(isinstance(label, float) and label != int(label) for label in labels):
        raise InputError("y holds numbers that are no classes: probes classify; cut the numbers into classes first.")
    classes = sorted(set(labels), key=lambda label: (str(type(label)), label))
    if len(classes) < 2:
        raise InputError(f"y has a single class, {classes[0]!r}: there is nothing to tell apart.")
    number = {label: i for i, label in enumerate(classes)}
    return np.array([number[label] for label in labels]), tuple(classes)


def _types(given: list[Any], m: int) -> np.ndarray:
    if len(given) != m:
        raise InputError(f"control has {len(given)} types for {m} examples: give one for each.")
    number: dict[Any, int] = {}
    return np.array([number.setdefault(one, len(number)) for one in given])
