"""The questionnaire in a real browser, from the first page to the analysis: by file and by server, by mouse and by keyboard."""

from __future__ import annotations

import contextlib
import json
import re
import threading

import pytest

from pellucid.studies import human
from pellucid.studies.human import blocks
from pellucid.studies.human.item import Item
from study_world import every_task, simple

OWN = re.compile(r"file:|blob:|data:|http://127\.0\.0\.1:")
REHEARSED = "503 (Service Unavailable)"  # what a test lets the server say
EVIL = "</script><script>document.title='gone'</script><img src=x onerror=\"document.title='gone'\">&amp;\"'"


@pytest.fixture
def page(browser):
    """A page on which an error of a script, a breach of the content policy or a request to anywhere else fails the test."""
    made = browser.new_page(viewport={"width": 1000, "height": 800})
    made.set_default_timeout(10_000)
    troubles = []
    made.on("console", lambda said: REHEARSED in said.text or troubles.append(said.text))
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("request", lambda asked: OWN.match(asked.url) or troubles.append(asked.url))
    yield made
    made.close()
    assert not troubles


def begin(page):
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Begin").click()


def answer_all(page, choose):
    """Go through all pages; `choose(question, options)` says what is ticked. Returns the questions in their order."""
    asked = []
    while (where := page.locator("#where").inner_text()) != "done":
        asked.append(page.locator("#page h1").inner_text())
        options = page.locator("#choices .choice").all_inner_texts()
        for option in choose(asked[-1], options) if options else ():
            page.locator("#choices").get_by_label(option, exact=True).check()
        assert page.evaluate(
            "document.documentElement.scrollWidth <= window.innerWidth"
        )  # nothing sticks out to the side
        page.get_by_role("button", name="Next").click()
        page.wait_for_function("was => document.getElementById('where').textContent !== was", arg=where)
    return asked


def saved(page, path):
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Save my answers").click()
    assert re.fullmatch(r"answers-[0-9a-f]{16}\.jsonl", waiting.value.suggested_filename)
    waiting.value.save_as(path)
    return path


def test_a_participant_from_the_first_page_to_the_analysis(page, tmp_path):
    study, files = simple(3, who="Ada <ada@example.org>"), []
    url = human.write(study, tmp_path / "study.html").as_uri()
    for seat in range(2):
        page.goto(f"{url}#seat={seat}")
        page.reload()
        assert page.title() == "A quiz" and "Ask Ada <ada@example.org>." in page.locator("#start").inner_text()
        page.get_by_role("button", name="Begin").click()
        assert "tick the box" in page.get_by_role("alert").first.inner_text()
        begin(page)
        page.get_by_role("button", name="Next").click()
        assert page.get_by_role("alert").inner_text() == "Please choose an answer."
        asked = answer_all(
            page, lambda question, options, seat=seat: ["yes" if study.plan[seat].conditions[0] else "no"]
        )
        assert asked == [study.items[i].question for i in study.plan[seat].order]
        files.append(saved(page, tmp_path / f"{seat}.jsonl"))
        assert page.locator("#copy").input_value() == files[-1].read_text()
    result = human.analyze(study, files)
    assert result.participants == 2
    assert [result.arm(study.conditions[study.plan[seat].conditions[0]]).mean for seat in range(2)] == [
        float(study.plan[seat].conditions[0]) for seat in range(2)
    ]


@pytest.mark.slow
def test_what_a_study_says_stays_text(page, tmp_path):
    shown = (
        blocks.Prose(EVIL, EVIL),
        blocks.Facts(((EVIL, EVIL),), EVIL, (EVIL,)),
        blocks.Bars(((EVIL, 1.0),), EVIL, EVIL),
        blocks.Words(((EVIL, -1.0),), EVIL, EVIL),
        blocks.Panel(EVIL, (blocks.Prose(EVIL),)),
    )
    study = human.Study(EVIL, Item("quiz", EVIL, (EVIL, "no"), (EVIL,), shown, {"without": (), "with": shown}))
    page.goto(human.write(study, tmp_path / "study.html").as_uri())
    begin(page)
    assert page.locator("#page h1").inner_text() == " ".join(EVIL.split())
    assert page.locator("script").count() == 2 and page.locator("img").count() == 0
    answer_all(page, lambda question, options: ["no"])
    assert page.title() == EVIL and json.loads(page.locator("#copy").input_value())["answer"] == ["no"]


@pytest.mark.slow
def test_time_is_taken_from_page_to_answer_less_the_time_away(page, tmp_path):
    page.clock.install()
    page.goto(human.write(simple(2), tmp_path / "study.html").as_uri())
    begin(page)
    for spent in (7000, 1000):
        page.clock.run_for(spent)
        hide(page, True)
        page.clock.run_for(2000)
        hide(page, False)
        page.get_by_label("yes").check()
        page.get_by_role("button", name="Next").click()
    page.locator("#end").wait_for()
    first, second = map(json.loads, page.locator("#copy").input_value().splitlines())
    assert 9.0 <= first["seconds"] < 10.5 and 3.0 <= second["seconds"] < 4.5
    assert 2.0 <= first["away"] < 3.0 and 2.0 <= second["away"] < 3.0


def hide(page, hidden):
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


@pytest.mark.slow
@pytest.mark.parametrize("wide", [1100, 360])
def test_every_kind_of_task_by_keyboard_on_a_desk_and_on_a_phone(page, tmp_path, wide):
    study = every_task()
    seat = next(i for i, seat in enumerate(study.plan) if seat.conditions[0] == 1)
    right = {item.id: item.right for item in study.items}
    page.set_viewport_size({"width": wide, "height": 700})
    page.goto(f"{human.write(study, tmp_path / 'study.html').as_uri()}#seat={seat}")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    for i in study.plan[seat].order:
        item = study.items[i]
        assert page.evaluate("document.activeElement === document.querySelector('#page h1')")
        assert page.locator("#page h1").inner_text() == item.question
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        if wide < 400:
            assert min(box["height"] for box in boxes(page.locator(".choice, button"))) >= 44  # a thumb's width
        choose_by_keyboard(page, item)
        ticked = page.locator("#choices input:checked").evaluate_all("all => all.map(one => one.value)")
        assert sorted(ticked) == sorted(right[item.id])
        page.locator("#page button").focus()
        page.keyboard.press("Enter")
    result = human.analyze(study, saved(page, tmp_path / "a.jsonl"))
    assert all(arm.mean == 1.0 for arm in result.arms if arm.measure == "accuracy") and result.unfinished == 0


def boxes(locator):
    return [box for one in locator.all() if (box := one.bounding_box())]


def choose_by_keyboard(page, item):
    if not item.asks:
        return
    page.keyboard.press("Tab")
    if item.several:
        for option in item.options:
            if option in item.right:
                page.keyboard.press("Space")
            page.keyboard.press("Tab")
        return
    page.keyboard.press("Space")
    for _ in range(item.options.index(item.right[0])):
        page.keyboard.press("ArrowDown")


@pytest.mark.slow
def test_every_answer_and_picture_has_a_name(page, tmp_path):
    study = every_task()
    page.goto(human.write(study, tmp_path / "study.html").as_uri())
    begin(page)

    def look(question, options):
        for name in page.locator("#choices input").evaluate_all("all => all.map(one => one.labels[0].textContent)"):
            assert name in options
        assert page.get_by_role("group", name="Your answer").is_visible()
        assert all(page.locator("img").evaluate_all("all => all.map(one => one.alt)"))
        return [options[0]]

    answer_all(page, look)


@pytest.mark.slow
def test_nothing_ticked_is_an_answer_only_after_asking_again(page, tmp_path):
    item = Item("remove", "Tick what is wrong", ("a", "b"), ("a",), help={"without": (), "with": ()}, several=True)
    page.goto(human.write(human.Study("A", item), tmp_path / "study.html").as_uri())
    begin(page)
    page.get_by_role("button", name="Next").click()
    assert "Nothing is ticked" in page.locator("#page .problem").inner_text()
    page.get_by_role("button", name="Next").click()
    page.locator("#end").wait_for()
    assert json.loads(page.locator("#copy").input_value())["answer"] == []


@contextlib.contextmanager
def serving(study, file):
    with human.serve(study, file, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_answers_go_to_the_server_as_they_are_given(page, tmp_path):
    study, file = simple(3), tmp_path / "answers.jsonl"
    with serving(study, file) as server:
        page.goto(server.url)
        begin(page)
        page.get_by_label("yes").check()
        page.get_by_role("button", name="Next").click()
        page.wait_for_function("() => document.getElementById('where').textContent === 'page 2 of 3'")
        assert len(human.read(study, file).lines) == 1  # whoever stops here has answered one
        answer_all(page, lambda question, options: ["no"])
        assert page.locator("#stored").is_visible() and not page.locator("#handing-in").is_visible()
    result = human.analyze(study, file)
    assert (result.participants, result.arms[0].answers, result.arms[0].mean) == (1, 3, pytest.approx(1 / 3))


@pytest.mark.slow
def test_an_answer_that_did_not_arrive_is_told_and_not_lost(page, tmp_path):
    study, file = simple(1), tmp_path / "answers.jsonl"
    with serving(study, file) as server:
        page.goto(server.url)
        begin(page)
        page.get_by_label("yes").check()
        page.route("**/answer", lambda route: route.fulfill(status=503, json={"error": "the disk is full"}), times=1)
        page.get_by_role("button", name="Next").click()
        page.get_by_text("This did not work: the disk is full. Please try again.").wait_for()
        assert not file.exists()
        page.get_by_role("button", name="Next").click()
        page.locator("#stored").wait_for()
    assert [line["answer"] for line in human.read(study, file).lines] == [["yes"]]


@pytest.mark.slow
def test_leaving_in_the_middle_is_asked_about_and_after_saving_it_is_not(page, tmp_path):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(human.write(simple(1), tmp_path / "study.html").as_uri())
    begin(page)
    page.reload()
    assert asked == ["beforeunload"]
    begin(page)
    answer_all(page, lambda question, options: ["no"])
    saved(page, tmp_path / "a.jsonl")
    page.reload()
    assert asked == ["beforeunload"]
