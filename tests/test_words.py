"""Where words and sentences are: any script, emoji, combining marks, runs of marks, nothing to find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.core.words import sentences, words


def found(spans, text):
    return [text[start:stop] for start, stop in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't boring.", ["It", "isn't", "boring", "."]),
        ("so good!!! 3.5/5 stars...", ["so", "good", "!!!", "3.5", "/", "5", "stars", "..."]),
        ("what?! no!", ["what", "?", "!", "no", "!"]),
        ("ha ha ha", ["ha", "ha", "ha"]),
        ("! !", ["!", "!"]),
        ("I ❤️ it 👩‍👩‍👧‍👦👍🏽🇩🇪🇫🇷", ["I", "❤️", "it", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "🇫🇷"]),
        ("😍😍 x", ["😍😍", "x"]),
        ("cafe\u0301 nai\u0308ve", ["cafe\u0301", "nai\u0308ve"]),
        ("שלום עולם, נהדר!", ["שלום", "עולם", ",", "נהדר", "!"]),
        ("فيلم رائع؟", ["فيلم", "رائع", "؟"]),
        ("电影很好。", ["电", "影", "很", "好", "。"]),
        ("a\u200b\u200fb\tc\u00a0d\r\ne", ["a", "b", "c", "d", "e"]),
        ("", []),
        (" \n\t\u3000\u200b", []),
        ("one", ["one"]),
        ("11 + 11", ["11", "+", "11"]),
    ],
)
def test_words_and_marks(text, expected):
    assert found(words(text), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was good. I left!", ["It was good.", "I left!"]),
        ('"Never!" he said. Why?', ['"Never!" he said.', "Why?"]),
        ("Dr. J. Smith vs. Mr. X. Yes... maybe.", ["Dr. J. Smith vs. Mr. X. Yes... maybe."]),
        ("It cost 3.5 dollars, i.e. much.", ["It cost 3.5 dollars, i.e. much."]),
        ("(One.) Two.", ["(One.)", "Two."]),
        ("first line\nsecond line\n\n third", ["first line", "second line", "third"]),
        ("好。我来！「好。」他说", ["好。", "我来！", "「好。」", "他说"]),
        ("هل؟ نعم.", ["هل؟", "نعم."]),
        ("  padded .  ", ["padded ."]),
        ("", []),
        ("\n \n", []),
        ("no end", ["no end"]),
    ],
)
def test_sentences(text, expected):
    assert found(sentences(text), text) == expected


@given(st.text(max_size=60))
def test_every_visible_character_is_in_one_word_and_in_one_sentence(text):
    for spans in (words(text), sentences(text)):
        stops = [0, *(stop for _, stop in spans)]
        assert all(start < stop for start, stop in spans)
        assert all(start >= before for (start, _), before in zip(spans, stops[:-1], strict=True))
        covered = "".join(found(spans, text))
        letters = [c for c in text if c.isalnum()]
        assert [c for c in covered if c.isalnum()] == letters
