"""Players of a text: words, sentences, or a tokenizer's pieces; absent ones are deleted or replaced.

The inputs are strings, x (n,), so a coalition is a text again: the shown players with the white space before each. `fill` says
what stands where a player is hidden: "delete" for nothing (the space before it goes too), "mask" and "pad" for the model's own
mask and padding token, "zero-embedding" and "mean-embedding" for one token whose embedding in a language model is zero, or the
mean of its vocabulary; anything else for itself, as in `Words(fill="UNKWORDZ")`. `neutral` gives single players a text of their
own to stand for them, as in `Words(neutral=(("MSFT", "one company"), ("NVDA", "another company")))`; `fill` is for the others.
Words that a model with a limit never sees are no players.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.masking import Bound, Form, Masker, TextForm
from pellucid.core.words import Span, clauses, places, sentences, words

NAMED = ("pad", "zero-embedding", "mean-embedding")  # fills that only some models have


@dataclass(frozen=True, repr=False)
class TextMasker(Masker):
    """Each text has players of its own; one hole, where they are."""

    fill: str = "delete"
    neutral: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)  # a player's text, and what stands for it

    apart: ClassVar[bool] = True

    @property
    def stays(self) -> bool:
        """Whether what stands between the players is no part of any, and stays when they go."""
        return False

    def __post_init__(self) -> None:
        if not isinstance(self.fill, str) or not self.fill:
            raise MethodError(
                f"{type(self).__name__}(fill={self.fill!r}): give 'delete', 'pad', 'mask', or the text that stands for what is "
                "hidden."
            )
        object.__setattr__(self, "neutral", _pairs(type(self).__name__, self.neutral))

    def __repr__(self) -> str:
        told = [(one.name, getattr(self, one.name)) for one in fields(self) if one.name != "neutral" or self.neutral]
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
        seen = np.array([a < stop and b > start for a, b in spans], dtype=bool)
        return Spans(text, spans, seen, self._put(form.text), stays=self.stays, own=dict(self.neutral))

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

    Where phrases are named, everything else stays.
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

    @property
    def stays(self) -> bool:
        return bool(self.phrases)

    def parts(self, text: str, form: TextForm) -> tuple[Span, ...]:
        return places(text, self.phrases) if self.phrases else clauses(text)


@dataclass(frozen=True, repr=False)
class Tokens(TextMasker):
    """Players are the pieces that the model's own tokenizer cuts a text into; of a prompt, those of the user's message."""

    span: Literal["user"] = "user"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.span != "user":
            raise MethodError(f"Tokens(span={self.span!r}): choose 'user', the message without its frame.")

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
    draws: int = 1
    stays: bool = False  # whether what is between the players stays when they go
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
        """(p + 1,) what stands before each player, and after the last; unseen parts at the ends are left out."""
        stops = [0, *(stop for _, stop in self._players)]
        starts = [*(start for start, _ in self._players), len(self.text)]
        gaps = [self.text[stop:start] for stop, start in zip(stops, starts, strict=True)]
        if not self.seen.all():
            gaps[0] = gaps[0] if self.seen[0] else ""
            gaps[-1] = gaps[-1] if self.seen[-1] else ""
        return gaps

    def said(self, words: Sequence[str]) -> str:
        """The text with words (p,) in the places of the players."""
        return "".join(gap + word for gap, word in zip(self._gaps, words, strict=False)) + self._gaps[-1]

    def _with(self, shown: np.ndarray) -> str:
        """The text of one coalition (p,)."""
        if shown.all():
            return self.text
        gaps, said = self._gaps, self.names
        if any(self._puts):
            said = tuple(
                name if there else put for name, put, there in zip(said, self._puts, shown.tolist(), strict=True)
            )
            shown = np.array([bool(word) for word in said])
        if self.stays:
            held = (
                gap + word if there else gap.rstrip(" ") for gap, word, there in zip(gaps, said, shown, strict=False)
            )
            return "".join(held) + gaps[-1]
        kept = np.flatnonzero(shown).tolist()
        rest = "".join([gaps[i] + said[i] for i in kept[1:]])
        return gaps[0] + (said[kept[0]] if kept else "") + rest + gaps[-1]
