"""Labels marked by hand: the page in a real browser, by mouse and by keyboard, what it saves, and what is made of that."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid as pc
from pellucid.core.budget import Receipt
from pellucid.core.relabelling import SCHEMA
from pellucid.report.relabel import render

OWN = re.compile(r"file:|blob:|data:")
EVIL = "</script><script>document.title='gone'</script><img src=x onerror=\"document.title='gone'\">&amp;\"'  ,"
LABELS = np.array(["cat", "dog", "cat", EVIL, "dog", "emu"])


def errors(labels: Any = LABELS, wrong: Any = None) -> pc.LabelErrors:
    """A record in which the last rows are the most suspect; the model calls all of them a dog."""
    n = len(labels)
    return pc.LabelErrors(
        scores=np.arange(n, dtype=float),
        wrong=wrong,
        labels=np.asarray(labels),
        suggested=np.array(["dog"] * n),
        confidence=np.full(n, 0.75),
        support=np.full(n, 0.125),
        classes=tuple(dict.fromkeys(np.asarray(labels).tolist())),
        receipt=Receipt(method="LargestLoss()"),
    )


# what the page holds


def test_the_page_holds_rows_suggestions_and_nothing_that_runs_of_its_own(tmp_path: Path):
    file = pc.relabel_page(errors(), tmp_path / "labels.html", [EVIL] * 6, k=3, title=EVIL)
    text = file.read_text(encoding="utf-8")
    assert text.count("<article") == 3 and text.count("<script") == 2 and 'onerror="' not in text
    assert re.search(r"default-src 'none'.*script-src 'sha256-[^']+'.*connect-src 'none'", html.unescape(text))
    assert "3 of 6 labels" in text and "Row 5: “emu”" in text and "Row 2:" not in text
    assert "The model says “dog” with 75 %, and “emu” with 12 %" in " ".join(text.split())
    assert "The model says the same, with 75\u00a0%" in text


def test_what_is_shown_of_a_row_is_a_picture_a_text_or_its_columns():
    frame = pd.DataFrame(
        {"size": np.arange(6) + 0.5, "kind": ["<b>", None] * 3} | {f"c{j}": np.zeros(6) for j in range(12)}
    )
    page = render(errors(), frame, 6, None, "t")
    assert "<dt>size</dt><dd>5.5</dd>" in page and "<dd>&lt;b&gt;</dd>" in page and "<dd>missing</dd>" in page
    assert page.count("2 more columns") == 6
    assert render(errors(), np.ones((6, 2)), 1, ["a", "b"], "t").count("<dt>b</dt><dd>1</dd>") == 1
    assert render(errors(), np.ones((6, 2)), 1, None, "t").count("<dt>x1</dt>") == 1
    pictures = np.random.default_rng(0).random((6, 3, 500, 400))
    large = render(errors(), pictures, 2, None, "t")
    assert large.count('src="data:image/png;base64,') == 2 and len(large) < 400_000
    for none in (None, np.zeros((6, 2, 3, 4, 5))):
        assert "data:image/png" not in render(errors(), none, 2, None, "t")
    with pytest.raises(pc.InputError, match="X has 5 rows, the record 6"):
        pc.relabel_page(errors(), "never.html", np.zeros((5, 2)))


def test_the_precision_curve_is_there_where_the_truth_is_known():
    known = errors(wrong=np.array([0, 0, 0, 1, 0, 1], dtype=bool))
    assert "2 labels are known to be wrong" in render(known, None, 2, None, "t")
    assert "known to be wrong" not in render(errors(), None, 2, None, "t")


# in a browser


@pytest.fixture
def page(browser):
    """A page on which an error of a script, a breach of the content policy or any request fails the test."""
    made = browser.new_page(viewport={"width": 1000, "height": 800})
    made.set_default_timeout(10_000)
    troubles: list[str] = []
    made.on("console", lambda said: troubles.append(said.text))
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("request", lambda asked: OWN.match(asked.url) or troubles.append(asked.url))
    yield made
    made.close()
    assert not troubles


def saved(page: Any, kind: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=f"Save as {kind}").click()
    assert re.fullmatch(rf"labels-[0-9a-f]{{8}}\.{kind.lower()}", waiting.value.suggested_filename)
    file = folder / f"decisions.{kind.lower()}"
    waiting.value.save_as(file)
    return file


def status(page: Any) -> str:
    text: str = page.get_by_role("status").inner_text()
    return text


def test_marking_with_the_mouse_saving_and_applying(page, tmp_path: Path):
    page.goto(pc.relabel_page(errors(), tmp_path / "labels.html", [EVIL] * 6, title=EVIL).as_uri())
    assert page.title() == " ".join(EVIL.split()) and page.get_by_role("button", name="Save as JSON").is_disabled()
    assert status(page) == "Nothing is decided yet."
    first, second, third = (page.locator("article").nth(i) for i in range(3))  # rows 5, 4, 3
    first.get_by_role("combobox").select_option(EVIL)  # which means to relabel
    second.get_by_label("drop the row").check()
    third.get_by_label("keep").check()
    assert status(page) == "3 of 6 decided: 1 kept, 1 relabelled, 1 dropped."
    told = [json.loads(saved(page, "JSON", tmp_path).read_text(encoding="utf-8"))]
    assert told[0]["schema"] == SCHEMA and told[0]["rows"] == 6
    assert told[0]["decisions"] == [
        {"row": 5, "was": "emu", "decision": "relabel", "label": EVIL},
        {"row": 4, "was": "dog", "decision": "drop", "label": ""},
        {"row": 3, "was": EVIL, "decision": "keep", "label": EVIL},
    ]
    for kind in ("JSON", "CSV"):
        made = pc.relabel(LABELS, saved(page, kind, tmp_path))
        assert made.labels.tolist() == [*LABELS[:5], EVIL] and made.kept.tolist() == [True] * 4 + [False, True]
    assert page.title() == " ".join(EVIL.split())  # nothing of it ran


def test_marking_with_the_keyboard_alone_and_finding_it_again(page, tmp_path: Path):
    file = pc.relabel_page(errors(), tmp_path / "labels.html").as_uri()
    page.goto(file)
    for key in "j1j2j3":  # keep row 5, relabel row 4, drop row 3
        page.keyboard.press(key)
    assert status(page) == "3 of 6 decided: 1 kept, 1 relabelled, 1 dropped."
    page.keyboard.press("k")
    page.keyboard.press("0")  # row 4 is undecided again
    page.keyboard.press("ArrowRight")  # the browser's own: the next choice, to keep
    assert status(page) == "3 of 6 decided: 2 kept, 0 relabelled, 1 dropped."
    page.keyboard.press("2")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # in the list of labels, letters and digits are the list's own
    before = status(page)
    page.keyboard.press("3")
    assert status(page) == before
    page.goto(file)  # a reload forgets nothing
    assert status(page) == before
    held = json.loads(saved(page, "JSON", tmp_path).read_text(encoding="utf-8"))["decisions"]
    assert [(one["row"], one["decision"], one["label"]) for one in held] == [
        (5, "keep", "emu"),
        (4, "relabel", EVIL),  # the label after the first that is offered, cat
        (3, "drop", ""),
    ]
    page.once("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Start again").click()
    assert status(page) == "Nothing is decided yet."


def test_nothing_sticks_out_on_a_phone_and_the_suggestion_is_chosen(page, tmp_path: Path):
    frame = pd.DataFrame({f"a rather long name of a column {j}": np.arange(6) * 1e6 for j in range(14)})
    long = errors(np.array(["w" * 60, "dog", "x y " * 20, "dog", "dog", "emu"]))
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(pc.relabel_page(long, tmp_path / "labels.html", frame).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    chosen = page.locator("article").nth(0).locator("select option:checked")
    assert chosen.inner_text() == "dog"


# what is made of decisions


def line(row: Any, was: str, decision: str, label: str = "") -> dict[str, Any]:
    return {"row": row, "was": was, "decision": decision, "label": label}


def test_labels_keep_their_type():
    made = pc.relabel([1, 2, 2], [line(0, "1", "relabel", "2"), line(2, "2", "drop"), line(1, "2", "keep", "2")])
    assert (
        made.labels.tolist() == [2, 2, 2]
        and made.labels.dtype.kind == "i"
        and made.kept.tolist() == [True, True, False]
    )
    assert pc.relabel([1, 2], [line(0, "1", "relabel", "7")], classes=[7]).labels.tolist() == [7, 2]
    y = np.array(["a", "b"])
    assert (
        pc.relabel(y, []).labels.tolist() == ["a", "b"]
        and pc.relabel(y, [line(0, "a", "relabel", "b")]).labels[0] == "b"
    )
    assert y.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (line(2, "a", "keep"), "there is no row 2; the labels are numbered 0 to 1"),
        (line(-1, "a", "keep"), "there is no row -1"),
        (line("²", "a", "keep"), "there is no row"),
        (line(0, "b", "keep"), "row 0 was 'b' on the page and is 'a' here"),
        (line(0, "a", "relabel", "z"), "row 0 is relabelled 'z': expected one of a, b"),
        (line(0, "a", "burn"), "is no decision"),
        ({"row": 0}, "is no decision"),
        ("keep", "is no decision"),
    ],
)
def test_decisions_about_other_labels_are_refused(decision: Any, said: str):
    with pytest.raises(pc.InputError, match=re.escape(said)):
        pc.relabel(["a", "b"], [decision])


def test_files_that_hold_no_decisions_are_refused(tmp_path: Path):
    def refused(name: str, text: str, said: str) -> None:
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(pc.InputError, match=re.escape(said)):
            pc.relabel(["a", "b"], tmp_path / name)

    refused("d.txt", "", "d.txt is no file of decisions")
    refused("d.json", "[1", "d.json holds no decisions")
    refused("d.json", "{}", "d.json holds no decisions ('schema')")
    refused("d.json", '{"schema": "x"}', "its schema is 'x', expected 'pellucid-labels-1'")
    refused("d.json", f'{{"schema": "{SCHEMA}", "rows": 3, "decisions": []}}', "is about 3 labels and 2 were given")
    refused("d.csv", "row,was\n1,a\n", "expected the columns row, was, decision, label")
    with pytest.raises(pc.InputError, match="decided twice"):
        pc.relabel(["a", "b"], [line(0, "a", "keep"), line(0, "a", "drop")])
    with pytest.raises(pc.InputError, match=r"gone\.json is no file"):
        pc.relabel(["a"], "gone.json")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=8), st.data())
def test_a_row_changes_only_if_it_was_decided(y: list[str], data: st.DataObject):
    rows = data.draw(st.lists(st.integers(0, len(y) - 1), unique=True))
    decided = {row: data.draw(st.sampled_from(["keep", "drop", "relabel"])) for row in rows}
    lines = [line(row, y[row], what, y[0] if what == "relabel" else "") for row, what in decided.items()]
    made = pc.relabel(y, lines)
    assert made.kept.tolist() == [decided.get(row) != "drop" for row in range(len(y))]
    assert made.labels.tolist() == [y[0] if decided.get(row) == "relabel" else y[row] for row in range(len(y))]
