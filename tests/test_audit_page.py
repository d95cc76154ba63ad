"""The page: one file that needs nothing else, in which everything that a user named is text and nothing but text."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
from audit_models import small_digits, small_network
from pellucid.report.bars import bars
from pellucid.report.page import render
from pellucid.report.publish import as_json
from pellucid.report.words import number, percent, signed

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "{{ 7 * 70707 }} {% raw %}",
    "$\\frac{1}{$ </style><svg/onload=alert(3)>",
]
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Tags, attributes and text of a page; complains of tags that do not match."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.texts, self.events, self.open = [], [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]
        self.events += [name for name, _ in attributes if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.texts.append(data)


def evil_audit():
    """Columns, classes, groups and the model itself have names that would do harm."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(size=60) for name in EVIL})
    frame["group"] = rng.choice(EVIL[:2], 60)
    y = np.where(frame[EVIL[0]] + 0.3 * rng.normal(size=60) > 0, EVIL[0], EVIL[1])

    def model(rows):
        score = rows[EVIL[0]].to_numpy() + 0.1 * rows[EVIL[3]].to_numpy()
        return np.stack([score, -score], axis=1)

    return pc.audit(
        model, frame, y, by="group", classes=[EVIL[0], EVIL[1]], name=EVIL[0], methods=["ExactShapley", "LIME"], rows=3
    )


@pytest.fixture(scope="module")
def harmful():
    return evil_audit()


@pytest.fixture(scope="module")
def evil(harmful):
    return render([harmful], EVIL[1])


@pytest.fixture(scope="module")
def pictures():
    made = pc.audit(small_network(3), *small_digits(3).test, methods=["IntegratedGradients", "GradCAM"], rows=3)
    return made, render([made], "Digits")


def test_what_a_user_named_is_only_text(evil):
    page = Reader(evil)
    assert "script" not in page.tags and "svg" not in page.tags and page.events == []
    assert page.tags.count("style") == 1
    text = "".join(page.texts)
    for name in EVIL:
        assert name in text
    assert "494949" not in text


def test_rules_name_columns_and_classes_as_text_too(harmful):
    made = harmful
    text = " ".join("".join(Reader(render([made])).texts).split())
    named = [name for name in EVIL for rule in made.rules.rules for one in rule if one.feature == name]
    assert set(named) >= {EVIL[0]} and set(made.rules.answers) == {EVIL[0], EVIL[1]}
    for i in range(3):
        title = "Enough for this answer" if made.rules.reached[i] else "The most precise rule that was found"
        assert f"{title}: if {made.rules.words(i)}, then “{made.rules.answers[i]}”." in text
        low, high = (percent(end).replace(" %", "\u00a0%") for end in (made.rules.low[i], made.rules.high[i]))
        assert f"of {made.rules.samples[i]:,} perturbed rows ({low} to {high})" in render([made])
        assert f"applies to {percent(made.rules.coverage[i])} of 57 other rows" in text.replace("\u00a0", " ")


def test_changes_are_text_too_and_say_that_nothing_is_known_of_acting(harmful):
    made = harmful
    text = " ".join("".join(Reader(render([made])).texts).split())
    assert made.changes.valid.all()
    for i in range(3):
        assert f"Smallest change that was found to flip it: {made.changes.sentence(i)}" in text
    assert text.count("Nothing was said about what can be acted on") == 3
    none = replace(made.changes, valid=np.zeros(3, bool), reason=("it is so",) * 3)
    text = " ".join("".join(Reader(render([replace(made, changes=none)])).texts).split())
    assert text.count("No change was found to flip it: It is so.") == 3
    known = replace(made, changes=replace(made.changes, constraints=("age stays",)))
    assert "Nothing was said about what can be acted on" not in render([known])
    assert "flip it:" not in render([replace(made, changes=None)])


def test_a_rule_that_falls_short_says_so_and_no_condition_is_said_as_such(harmful):
    made = harmful
    short = replace(made, rules=replace(made.rules, reached=np.zeros(3, bool), rules=((),) * 3))
    text = " ".join("".join(Reader(render([short])).texts).split())
    assert text.count("No rule was found to reach 95 %.") == 3
    assert text.count("The most precise rule that was found: nothing") == 3
    assert f"nothing, the answer is “{made.rules.answers[0]}” whatever the row." in text
    kept = replace(made, rules=replace(made.rules, reached=np.ones(3, bool)))
    assert "No rule was found" not in render([kept]) and render([kept]).count("Enough for this answer:") == 3
    assert 'class="rule"' not in render([replace(made, rules=None)])


def test_drawings_hold_names_as_text_too(evil):
    drawings = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", evil)
    assert drawings
    for drawing in drawings:
        code = base64.b64decode(drawing).decode()
        assert "<script" not in code and "onload" not in re.sub(r">[^<]*<", "><", code) and "<img" not in code


def test_the_page_needs_nothing_else(pictures, evil):
    for page in (pictures[1], evil):
        for link in Reader(page).links:
            assert link.startswith(("data:image/", "#")), link
        assert not re.search(r"url\(|@import|<link|<iframe|<object|<script", page)
        assert "default-src 'none'" in page


def test_every_link_inside_has_its_target(pictures):
    page = pictures[1]
    for link in Reader(page).links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page


def test_the_page_is_small_and_the_same_twice(pictures):
    made, page = pictures
    assert len(page) < 3_000_000 and render([made], "Digits") == page


def test_the_headline_the_numbers_and_the_limits_are_there(pictures):
    made, page = pictures
    (warning,) = [w for w in made.warnings if w["code"] == "shortcut"]
    text = "".join(Reader(page).texts).replace("\u00a0", " ")
    assert warning["sentence"] in text and text.index(warning["headline"]) < text.index("What matters overall")
    assert warning["record"] in text and f"{warning['numbers']['contrast']:.3g}" in text
    for words in ("How to read this", "What these explanations do not prove", "Nobody told whether", "receipts"):
        assert words in text
    for name in ("IntegratedGradients", "GradCAM"):
        assert name in text
    assert "IntegratedGradients(steps=50, baseline=None)" in text


def test_several_audits_share_a_page(pictures):
    made = pictures[0]
    page = Reader(render([made, made], "Both"))
    assert {"#model-0", "#model-1"} <= set(page.links)
    assert len(as_json([made, made])["models"]) == 2


def test_what_a_budget_left_out_is_on_the_page():
    x = np.random.default_rng(0).normal(size=(40, 4))
    made = pc.audit(lambda b: b.sum(axis=1), x, methods=["Occlusion"], rows=3, budget=pc.Budget(rows=60))
    text = "".join(Reader(render([made])).texts)
    assert made.left_out and "Left out" in text
    for left in made.left_out:
        assert f"{left['part']}: {left['why']}" in text


# -- its parts ---------------------------------------------------------------------------------------------------------


def test_bars_begin_at_zero_and_keep_their_proportions():
    record = pc.Attribution.from_arrays(
        np.array([[3.0, -1.0, 0.5, 0.25, -0.25]]), data=np.arange(5.0)[None], target=0, names=list("abcde")
    )
    drawn, zero = bars(record, 0, k=3)
    assert [bar.name for bar in drawn] == ["a = 0", "b = 1", "c = 2", "2 others together"]
    assert zero == pytest.approx(25)
    assert [bar.length for bar in drawn] == pytest.approx([75, 25, 12.5, 0])
    assert [bar.start for bar in drawn] == pytest.approx([25, 0, 25, 25])
    assert [bar.text for bar in drawn] == ["+3", "−1", "+0.5", "0"] and [bar.negative for bar in drawn][:2] == [
        False,
        True,
    ]


def test_rounding_is_no_value():
    record = pc.Attribution.from_arrays(np.array([[2.0, -3e-16]]), data=np.zeros((1, 2)), target=0)
    assert [bar.text for bar in bars(record, 0)[0]] == ["+2", "0"]


def test_whiskers_stay_inside():
    record = pc.Attribution.from_arrays(np.array([[1.0, -1.0]]), data=np.zeros((1, 2)), target=0)
    wide = type(record)(**{**vars(record), "stderr": np.array([[0.5, 0.0]])})
    drawn, zero = bars(wide, 0)
    start, length = drawn[0].whisker
    assert drawn[1].whisker is None and start + length == pytest.approx(100) and 0 <= start < zero + drawn[0].length


def test_numbers_are_written_for_people():
    assert [percent(value) for value in (0.684, 0.004, 0.0, 1.0, np.nan)] == [
        "68 %",
        "0.4 %",
        "0 %",
        "100 %",
        "unknown",
    ]
    assert [signed(value) for value in (0.5, -1234.5, None)] == ["+0.5", "−1.23e+03", "unknown"]
    assert [number(value) for value in (None, np.nan, 4e-16, -0.02, 3, "x", [1, 2.5])] == [
        *("–", "–", "0", "−0.02", "3", "x", "1, 2.5")
    ]
