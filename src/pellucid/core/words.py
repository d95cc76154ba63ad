"""Where the words and sentences of a text are: spans (start, stop) of its characters, in any script.

Words end where Unicode says so (UAX #29, default word boundaries): "don't" and "3.5" are one word each, an emoji with its
skin tone and joiners is one, a combining mark stays with its letter, and Chinese, Japanese and Thai, which write no spaces, are cut
into single signs. Punctuation counts as a word of its own, because it may well decide ("!!!" in a review); a run of the same
mark is one. White space and invisible characters belong to no word.

Sentences end at . ! ? and their relatives in other scripts, and at the end of a line; not after an initial or a title, nor before a
small letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

Span = tuple[int, int]

_TITLES = "Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\\.g|i\\.e|cf|No|approx"
_CLAUSE_ENDS = ",;:.!?…—–()、，；：。！？"
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


def words(text: str) -> tuple[Span, ...]:
    """Words and marks in order of reading."""
    found: list[Span] = []
    stop = 0
    for piece in _word_ends().split(text):
        start, stop = stop, stop + len(piece)
        if not visible(piece):
            continue
        if found and found[-1][1] == start and _repeats(text[found[-1][0] : start], piece):
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return tuple(found)


def sentences(text: str) -> tuple[Span, ...]:
    """Sentences in order of reading, without the white space between them."""
    title = _pattern(rf"(?:\b(?:{_TITLES})|(?<![\p{{L}}\p{{N}}])\p{{Lu}})\.$")
    cuts = [m.start() for m in _sentence_ends().finditer(text) if not title.search(text, 0, m.start())]
    spans = (_trimmed(text, start, stop) for start, stop in pairwise([0, *cuts, len(text)]))
    return tuple(span for span in spans if visible(text[slice(*span)]))


def clauses(text: str) -> tuple[Span, ...]:
    """What stands between punctuation marks, in order of reading; the marks go with what they end."""
    spans, start = [], 0
    for first, last in words(text):
        if not any(c.isalnum() for c in text[first:last]) and text[first:last][-1] in _CLAUSE_ENDS:
            spans.append(_trimmed(text, start, last))
            start = last
    spans.append(_trimmed(text, start, len(text)))
    return tuple((a, b) for a, b in spans if a < b and visible(text[a:b]))


def places(text: str, phrases: Sequence[str]) -> tuple[Span, ...]:
    """Where phrases stand in a text, whole words only, in order of reading; of two that overlap the longer."""
    ends = {start for start, _ in words(text)}, {stop for _, stop in words(text)}
    found: list[Span] = []
    for phrase in sorted(set(phrases), key=lambda one: (-len(one), one)):
        at = text.find(phrase)
        while at >= 0:
            span = (at, at + len(phrase))
            free = all(span[1] <= start or span[0] >= stop for start, stop in found)
            if free and span[0] in ends[0] and span[1] in ends[1]:
                found.append(span)
            at = text.find(phrase, at + 1)
    return tuple(sorted(found))


def _repeats(before: str, piece: str) -> bool:
    """Whether a mark goes on: `before` is a run of the same `piece`, which is no letter or digit."""
    return not any(c.isalnum() for c in piece) and before == piece * (len(before) // len(piece))


def visible(piece: str) -> bool:
    """Whether a piece of text shows anything."""
    return any(unicodedata.category(c) not in _INVISIBLE for c in piece)


def _trimmed(text: str, start: int, stop: int) -> Span:
    inner = text[start:stop]
    return start + len(inner) - len(inner.lstrip()), stop - len(inner) + len(inner.rstrip())


@cache
def _pattern(pattern: str) -> Any:
    import regex  # knows Unicode's boundaries; loaded when the first text is met

    return regex.compile(pattern, regex.V1)


def _word_ends() -> Any:
    return _pattern(r"(?w)\b")


def _sentence_ends() -> Any:
    spaced = r"(?<=[.!?…؟۔।]['\"’”»)\]]*)\s+(?=\P{Ll})"
    unspaced = r"(?<=[。！？][」』”’]*)(?![」』”’。！？])(?=.)"
    return _pattern(rf"{spaced}|{unspaced}|[\n\x1e]+")
