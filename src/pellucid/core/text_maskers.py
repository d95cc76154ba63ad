"""Players of a text: words, sentences, or a tokenizer's pieces; absent ones are deleted or replaced.

The inputs are strings, x (n,), so a coalition is a text again: the shown players with the white space before each. `fill` says
what stands where a player is hidden: "delete" for nothing (the space before it goes too), "mask" and "pad" for the model's own
mask and padding token, "zero-embedding" and "mean-embedding" for one token whose embedding in a language model is zero, or the
mean of its vocabulary; anything else for itself, as in `Words(fill="UNKWORDZ")`. `neutral` gives single players a text of their
own to stand for them, as in `Words(neutral=(("MSFT", "one company"), ("NVDA", "another company")))`; `fill` is for the others.
Words that a model with a limit never sees are no players, nor is what lies outside the `span` that a masker is given: it stays.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.masking import Bound, Form, Masker, TextForm
from pellucid.core.pairs import BREAK, carrying, ranges
from pellucid.core.words import Span, clauses, places, sentences, visible, words

Part = str | tuple[int, int]  # of a text that may be hidden: by what it says, or by its characters
NAMED = ("pad", "zero-embedding", "mean-embedding")  # fills that only some models have


@dataclass(frozen=True, repr=False)
class TextMasker(Masker):
    """Each text has players of its own; one hole, where they are.

    `span` is what may be hidden: "user", the message without its frame; of a pair, "question" or "context"; any other text
    wherever it stands in the row; characters (start, stop) of the row; or a tuple of these. Parts that reach into it are players.
    """

    fill: str = "delete"
    span: Part | tuple[Part, ...] = field(default="user", kw_only=True)
    neutral: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)  # a player's text, and what stands for it

    apart: ClassVar[bool] = True
    _usual: ClassVar[dict[str, Any]] = {"span": "user", "neutral": ()}  # goes without saying

    def __post_init__(self) -> None:
        if not isinstance(self.fill, str) or not self.fill:
            raise MethodError(
                f"{type(self).__name__}(fill={self.fill!r}): give 'delete', 'pad', 'mask', or the text that stands for what is "
                "hidden."
            )
        for part in _listed(self.span):
            if not (_is_place(part) or (isinstance(part, str) and part)):
                raise MethodError(
                    f"{type(self).__name__}(span={self.span!r}): give 'user', the message without its frame, 'question' or "
                    "'context' of a pair, a text that stands in it, its characters as in (10, 24), or a tuple of these."
                )
        object.__setattr__(self, "neutral", _pairs(type(self).__name__, self.neutral))

    def __repr__(self) -> str:
        told = [(one.name, getattr(self, one.name)) for one in fields(self)]
        told = [(name, value) for name, value in told if name not in self._usual or value != self._usual[name]]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in told)})"

    @abstractmethod
    def parts(self, text: str, form: TextForm) -> tuple[Span, ...]:
        """Spans of the players, in order of reading, none of which overlap"""

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        if form.text is None:
            raise MethodError(
                f"{self!r} is for texts; x has shape {x.shape}: use Columns() for tables, Grid() for pictures."
            )
        (text,) = x
        spans = self.parts(text, form.text)
        start, stop = form.text.seen(text)
        known = np.array([a < stop and b > start for a, b in spans], dtype=bool)
        asked = [where for part in _listed(self.span) for where in _places(part, text, repr(self))]
        inside = np.array([any(a < d and b > c for c, d in asked) for a, b in spans], dtype=bool)
        spots = None if form.spots is None else form.spots[0]
        made = Spans(
            text,
            spans,
            known & inside,
            self._put(form.text),
            (start, stop),
            int((~known).sum()),
            spots,
            own=dict(self.neutral),
        )
        check_spots(made, repr(self))
        return made

    def _put(self, form: TextForm) -> str:
        if self.fill in form.fills:
            return form.fills[self.fill]
        if self.fill in NAMED:
            raise MethodError(
                f"{self!r}: this model knows no {self.fill!r}; delete hidden parts, or say what stands in their place, as in "
                f"{type(self).__name__}(fill='something')."
            )
        if self.fill == "mask" and form.mask is None:
            raise MethodError(
                f"{self!r}: this model names no mask token of its own; say what stands for a hidden part, as in "
                f"{type(self).__name__}(fill='[UNK]'), or delete it."
            )
        return {"delete": "", "mask": form.mask or ""}.get(self.fill, self.fill)


def _pairs(name: str, given: object) -> tuple[tuple[str, str], ...]:
    """Players and what stands for them, a mapping or pairs."""
    found = tuple(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(found, tuple | list) or not all(
        isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in found
    ):
        raise MethodError(f"{name}(neutral={given!r}): give pairs of texts, as in neutral=(('MSFT', 'a company'),).")
    if any(not player.strip() for player, _ in found) or len({player for player, _ in found}) < len(found):
        raise MethodError(f"{name}(neutral={given!r}): name each player once, by what it says.")
    return tuple((player, text) for player, text in found)


@dataclass(frozen=True, repr=False)
class Words(TextMasker):
    """Players are words and punctuation marks; a word that stands twice is two players."""

    def parts(self, text: str, form: TextForm) -> tuple[Span, ...]:
        return words(text)


@dataclass(frozen=True, repr=False)
class Sentences(TextMasker):
    """Players are sentences."""

    def parts(self, text: str, form: TextForm) -> tuple[Span, ...]:
        return sentences(text)


@dataclass(frozen=True, repr=False)
class Phrases(TextMasker):
    """Players are phrases: those of `phrases`, wherever they stand, or, without any, what stands between punctuation marks.

    Where phrases are named, all else stays.
    """

    phrases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        given = (self.phrases,) if isinstance(self.phrases, str) else tuple(self.phrases)
        if not all(isinstance(phrase, str) and phrase.strip() for phrase in given):
            raise MethodError(
                f"Phrases(phrases={self.phrases!r}): give texts, as in Phrases(phrases=('MSFT', 'ESG reasons'))."
            )
        object.__setattr__(self, "phrases", given)

    def parts(self, text: str, form: TextForm) -> tuple[Span, ...]:
        return places(text, self.phrases) if self.phrases else clauses(text)


@dataclass(frozen=True, repr=False)
class Tokens(TextMasker):
    """Players are the pieces that the model's own tokenizer cuts a text into; of a prompt, those of the user's message."""

    _usual: ClassVar[dict[str, Any]] = {"neutral": ()}

    def parts(self, text: str, form: TextForm) -> tuple[Span, ...]:
        if form.pieces is None:
            raise MethodError(
                "Tokens() asks the model's tokenizer, and this model shows none: give TextModel(model, tokenizer), or hide Words()."
            )
        return form.pieces(text)


@dataclass(frozen=True, eq=False)
class Spans:
    """One text and its t parts; those that are `seen` are the players."""

    text: str
    spans: tuple[Span, ...]  # (t,)
    seen: np.ndarray  # (t,) bool
    put: str = ""  # what stands where a player is hidden
    within: Span | None = None  # the characters that the model reads; None for all
    cut: int = 0  # parts that it never sees
    spots: np.ndarray | None = None  # (k, 2) characters that the model is asked about, wherever a coalition puts them
    draws: int = 1
    own: Mapping[str, str] = field(default_factory=dict)  # what stands for single players

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """(t,) what each part says"""
        return tuple(self.text[start:stop] for start, stop in self.spans)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(part for part, seen in zip(self.parts, self.seen, strict=True) if seen)

    @cached_property
    def labels(self) -> np.ndarray:
        """(characters,) the player of each character, -1 for none."""
        owner = np.full(len(self.text), -1)
        for player, (start, stop) in enumerate(self._players):
            owner[start:stop] = player
        return owner

    @cached_property
    def sections(self) -> np.ndarray:
        """(p,) the sentence that each player is in."""
        starts = [start for start, _ in sentences(self.text)]
        return -1 + np.searchsorted(starts, [start for start, _ in self._players], side="right")

    def fill(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> texts (m, 1, 1)"""
        return np.fromiter(map(self._with, z), dtype=object, count=len(z))[:, None, None]

    def lift(self, values: np.ndarray) -> np.ndarray:
        """values (1, p) -> (1, t), 0 for what the model never sees"""
        whole = np.zeros((len(values), len(self.spans)))
        whole[:, self.seen] = values
        return whole

    @cached_property
    def _puts(self) -> tuple[str, ...]:
        """(p,) what stands where each player is hidden, "" for nothing."""
        return tuple(self.own.get(name.strip(), self.put) for name in self.names)

    @cached_property
    def _players(self) -> list[Span]:
        return [span for span, seen in zip(self.spans, self.seen, strict=True) if seen]

    @cached_property
    def _gaps(self) -> list[str]:
        """(p + 1,) what stands before each player, and after the last; what the model never reads is left out."""
        return [self.text[a:b] for a, b in list(pairwise(self._edges))[::2]]

    @cached_property
    def _edges(self) -> list[int]:
        """(2 p + 2,) where the gap before each player starts, the player, and so on, to the end of the last gap"""
        start, stop = self.within or (0, len(self.text))
        return [start, *(at for player in self._players for at in player), max(stop, *(b for _, b in self._players), 0)]

    @cached_property
    def stays(self) -> bool:
        """Whether words stand between the players, which are no part of any and stay when they go."""
        return any(map(visible, self._gaps))

    def said(self, words: Sequence[str]) -> str:
        """The text with words (p,) in the places of the players."""
        return "".join(gap + word for gap, word in zip(self._gaps, words, strict=False)) + self._gaps[-1]

    def _with(self, shown: np.ndarray) -> str:
        """The text of one coalition (p,)."""
        if self.spots is None and shown.all():
            return self.text
        written = self._written(shown.tolist())
        text = "".join(written)
        return text if self.spots is None else carrying(text, self._moved(written, shown))

    def _written(self, shown: list[bool]) -> list[str]:
        """The gaps and parts of one coalition, as they stand in its text: (2 p + 1,)"""
        parts = [name if there else put for name, put, there in zip(self.names, self._puts, shown, strict=True)]
        gaps = (self._closed if self.stays else self._left)(list(map(bool, parts)))
        return [*(said for both in zip(gaps, parts, strict=True) for said in both), self._gaps[-1]]

    def _closed(self, shown: list[bool]) -> list[str]:
        """Gaps that hold words of their own: the space before what is deleted goes."""
        return [gap if there else gap.rstrip(" ") for gap, there in zip(self._gaps, shown, strict=False)]

    def _left(self, shown: list[bool]) -> list[str]:
        """Gaps of space: that before what is deleted goes, and that before the first part left, but not the first of all."""
        made, first = [], True
        for number, (gap, there) in enumerate(zip(self._gaps, shown, strict=False)):
            if BREAK in gap:
                gap, first = gap if there and not first else BREAK, True
            elif number and (first or not there):
                gap = ""
            made.append(gap)
            first = first and not there
        return made

    def _moved(self, written: list[str], shown: np.ndarray) -> np.ndarray:
        """The spots (k, 2) in the text of a coalition; of one whose part is hidden, what stands in its stead"""
        assert self.spots is not None
        edges, lengths = np.array(self._edges), np.array(list(map(len, written)))
        starts = np.concatenate([[0], np.cumsum(lengths)])
        whole = np.ones(len(written), dtype=bool)
        whole[1::2] = shown
        first = np.searchsorted(edges, self.spots[:, 0], side="right") - 1
        last = np.searchsorted(edges, self.spots[:, 1], side="left") - 1
        a = starts[first] + np.where(whole[first], self.spots[:, 0] - edges[first], 0)
        b = starts[last] + np.where(whole[last], self.spots[:, 1] - edges[last], lengths[last])
        return np.stack([a, b], axis=1)


def _is_place(part: Any) -> bool:
    """Whether it is a span of characters (start, stop)."""
    return (
        isinstance(part, tuple)
        and len(part) == 2
        and all(isinstance(at, int) for at in part)
        and 0 <= part[0] < part[1]
    )


def _listed(span: Part | tuple[Part, ...]) -> tuple[Part, ...]:
    """One part of a text, or several."""
    one = not isinstance(span, tuple) or not span or isinstance(span[0], int)
    return (span,) if one else span  # type: ignore[return-value]


def _places(part: Part, text: str, who: str) -> list[Span]:
    """Where a part that may be hidden stands in a text."""
    if isinstance(part, tuple):
        if part[1] > len(text):
            raise MethodError(f"{who}: characters {part[0]} to {part[1]} lie beyond a text of {len(text)} characters.")
        return [part]
    if part == "user":
        return [(0, len(text))]
    known = ranges(text)
    if part in ("question", "context") and len(known) == 2:
        return [known[part == "context"]]
    found, at = [], text.find(part)
    while at >= 0:
        found.append((at, at + len(part)))
        at = text.find(part, at + len(part))
    if not found:
        raise MethodError(
            f"{who}: {part!r} stands nowhere in {text[:60]!r}: give it as it is written there, or its characters."
        )
    return found


def check_spots(made: Spans, who: str) -> None:
    """Refuse to delete what the model is asked about."""
    if made.spots is None:
        return
    left_out = [span for span, put in zip(made._players, made._puts, strict=True) if not put]
    for start, stop in made.spots.tolist():
        gone = [made.text[a:b] for a, b in left_out if a < stop and b > start]
        if gone:
            raise MethodError(
                f"{who} deletes the answer {made.text[start:stop]!r} itself, and then its number can be read nowhere: keep its "
                "place, as in Words(fill='mask'), or hide the question alone, span='question'."
            )
