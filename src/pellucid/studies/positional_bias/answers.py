"""What an answer says: one of the two options, or neither. Nothing is forced.

An answer counts for an option if it names that option and not the other one: "MSFT", "**msft**." and "I would choose MSFT"
count, "MSFT or NVDA", "both" and an empty answer do not. Names are compared in Unicode's compatible form without regard to
case and white space, as whole words where their script separates words; the longer name is looked for first, so that "Bank
of America" does not name "America" too.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"


def chosen(answer: str, a: str, b: str) -> str | None:
    """`a`, `b`, or None if the answer names neither or both."""
    left, found = _plain(answer), []
    for name in sorted({a, b}, key=lambda name: -len(_plain(name))):
        left, times = _pattern(_plain(name)).subn("\0", left)
        if times:
            found.append(name)
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@cache
def _pattern(name: str) -> Any:
    """The name as a whole word; an edge in a script without spaces may stand beside anything."""
    import regex

    before, after = (
        "" if regex.match(_UNSPACED, edge) or not edge.isalnum() else guard
        for edge, guard in ((name[0], r"(?<![\p{L}\p{N}])"), (name[-1], r"(?![\p{L}\p{N}])"))
    )
    return regex.compile(before + regex.escape(name) + after)
