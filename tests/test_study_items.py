"""What participants are asked: every kind of task has its right answers, keeps them out of the page, and refuses what is unfit."""

import dataclasses
import json
import re

import numpy as np
import pytest

import pellucid as pc
from pellucid.studies import human
from pellucid.studies.human import blocks, drawing, page
from pellucid.studies.human.item import Item
from study_world import COLUMNS, WRONG, every_task, simple, world

SPEAKS = {"speaks_for": "malignant"}


def test_forward_simulation_explains_examples_and_asks_about_others():
    w = world()
    made = human.forward_simulation(w.record, w.said, examples=3)
    assert [item.asks for item in made] == [False] * 3 + [True] * 9
    assert [item.right for item in made[3:]] == [(label,) for label in w.said[3:]]
    assert all(set(item.help) == {"without", "with"} and not item.help["without"] for item in made[:3])
    assert all(item.help == {} for item in made[3:])  # an explanation would give the answer away
    assert made[0].shown[-1] == blocks.Prose(w.said[0], "The model's answer")


def test_forward_simulation_beside_explains_what_it_asks_about():
    made = human.forward_simulation(world().record, world().said, examples=0, when="beside", **SPEAKS)
    assert all(
        item.asks and item.help["with"][0].rows == drawing.tidy(world().record.top(10, i))
        for i, item in enumerate(made)
    )
    assert "speak for malignant" in made[0].help["with"][0].caption


def test_a_counterfactual_marks_what_changed_and_asks_for_the_second_answer():
    w = world()
    changed = w.shown.assign(**{"worst area": 1.0})
    after = np.where(w.said == "benign", "malignant", "benign")
    made = human.counterfactual_simulation(w.record, w.said, changed[changed.columns[::-1]], after)
    assert [item.right[0] for item in made] == list(after)
    first, then = made[2].shown
    assert first.blocks[-1].text == w.said[2]
    assert then.blocks[0].marked == ("worst area",) and ("worst area", "1") in then.blocks[0].rows


def test_find_bug_shows_each_model_on_the_same_pages():
    w = world()
    made = human.find_bug(w.record, w.record_broken, (w.said, w.said_broken), truth=w.truth, cases=3, **SPEAKS)
    assert (
        len(made) == 8
        and sorted(item.right for item in made) == [("it seems sound",)] * 4 + [("something is wrong with it",)] * 4
    )
    for item in made:
        record = w.record if item.right == ("it seems sound",) else w.record_broken
        assert item.help["with"][0].rows in [drawing.tidy(record.top(10, i)) for i in (0, 3, 6, 9)]
    assert made != human.find_bug(
        w.record, w.record_broken, (w.said, w.said_broken), truth=w.truth, cases=3, seed=1, **SPEAKS
    )


def test_the_better_model_is_a_as_often_as_b_and_where_the_right_answer_says():
    w = world()
    made = human.better_model(w.record, w.record_broken, (w.said, w.said_broken))
    assert sorted(item.right[0] for item in made) == ["Model A"] * 6 + ["Model B"] * 6
    for row, item in enumerate(made):
        place = ("Model A", "Model B").index(item.right[0])
        assert item.help["with"][place].blocks[0].rows == drawing.tidy(w.record.top(10, row))
        assert item.help["with"][1 - place].blocks[0].rows == drawing.tidy(w.record_broken.top(10, row))
        assert [shown.text for shown in item.shown[1:]][place] == w.said[row]


def test_a_wrong_label_is_shown_and_the_right_one_asked_for():
    w = world()
    given = np.where(np.arange(12) < 6, w.truth, np.where(w.truth == "benign", "malignant", "benign"))
    made = human.fix_label(w.record, given, w.truth)
    assert [item.shown[-1].text for item in made] == list(given) and [item.right[0] for item in made] == list(w.truth)


def test_removing_features_lists_them_and_retraining_measures_them():
    w = world()
    (item,) = human.drop_features(w.record_broken[:2], [WRONG])
    assert item.several and item.options == (*COLUMNS, WRONG) and item.right == (WRONG,) and item.chance == 2**-7
    retrain = human.retraining(w.broken, (w.X[w.train], w.y[w.train]), (w.X[w.test], w.y[w.test]))
    assert retrain(()) == pytest.approx((w.broken.predict(w.X[w.test]) == w.y[w.test]).mean())
    assert retrain((WRONG,)) > retrain(()) + 0.05
    most = (w.y[w.test] == "benign").mean()
    assert retrain((*COLUMNS, WRONG)) == pytest.approx(most)


def test_removing_features_goes_by_importance_too():
    w = world()
    record = pc.importance(w.broken, w.X[w.test][:60], w.y[w.test][:60], pc.PermutationImportance(repeats=2))
    (item,) = human.drop_features(record, [WRONG])
    assert item.help["with"][0].rows == drawing.tidy(record.top(20))


def test_deciding_has_more_help_from_condition_to_condition():
    w = world()
    made = human.decide(w.record, w.said, w.truth, accuracy=0.87)
    help = made[0].help
    assert list(help) == ["no help", "explanation", "explanation + label", "explanation + label + accuracy"]
    assert [len(said) for said in help.values()] == [0, 1, 2, 3]
    assert help["explanation + label"][1].text == w.said[0] == made[0].machine
    assert "87%" in help["explanation + label + accuracy"][2].text


def test_texts_and_pictures_are_drawn_as_what_they_are():
    model = lambda texts: np.array([text.count("good") - text.count("bad") for text in texts], float)  # noqa: E731
    told = pc.explain(model, ["a good film", "a bad, bad film"], pc.ExactShapley(), masker=pc.Words())
    assert drawing.seen(told, 1) == (blocks.Prose("a bad, bad film", "Text"),)
    (words,) = drawing.explained(told, 1)
    assert "".join(part for part, _ in words.parts) == "a bad, bad film" and words.parts[2] == ("bad", -1.0)
    assert dict(words.parts)["film"] == 0 and min(value for _, value in words.parts) < 0
    images = np.random.default_rng(0).random((2, 8, 8, 1))
    seen = pc.explain(lambda x: x[:, :4].sum((1, 2, 3)), images, pc.Occlusion(window=4, baseline=0.0))
    for picture in (*drawing.seen(seen, 0), *drawing.explained(seen, 0)):
        assert picture.uri.startswith("data:image/png;base64,") and picture.alt
    other = human.counterfactual_simulation(told, ["yes", "no"], ["a bad film", "a film"], ["no", "yes"])
    assert other[0].shown[1].blocks[0].text == "a bad film"


def test_right_answers_are_not_in_the_page_and_are_in_the_own_file(tmp_path):
    study = every_task()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page.render(study))[1])
    fields = {name for item in data["items"] for name in item}
    assert fields == {"id", "question", "options", "several", "shown", "help"}
    assert [item["id"] for item in data["items"]] == [str(i + 1) for i in range(len(study.items))]
    read = human.Study.load(study.save(tmp_path / "study.json"))
    assert read == study and read.id == study.id and read.plan == study.plan


def test_the_id_changes_with_anything():
    study = simple()
    ids = {
        dataclasses.replace(study, **change).id
        for change in ({}, {"seed": 1}, {"title": "B"}, {"within": True}, {"seats": 9})
    }
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda w: human.forward_simulation(w.record, w.said[:3]), "3 labels for a record of 12 rows"),
        (lambda w: human.forward_simulation(w.record, w.said, examples=12), "leave rows to ask about"),
        (lambda w: human.forward_simulation(w.record, w.said, examples=0), "at least 1"),
        (lambda w: human.forward_simulation(w.record, w.said, when="after"), "'before' or 'beside'"),
        (lambda w: human.forward_simulation(w.record, ["one"] * 12), "two or more"),
        (lambda w: human.counterfactual_simulation(w.record, w.said, np.ones((12, 2)), w.said), r"shape \(12, 2\)"),
        (lambda w: human.find_bug(w.record, w.record[:3], (w.said, w.said)), "same rows"),
        (lambda w: human.find_bug(w.record, w.record, (w.said, w.said), cases=13), "12 rows to share out"),
        (lambda w: human.better_model(w.record, w.record[:3], (w.said, w.said)), "same rows"),
        (lambda w: human.drop_features(w.record, ["ghost"]), "ghost are no features"),
        (lambda w: human.decide(w.record, w.said, w.truth, accuracy=87), "between 0 and 1"),
        (lambda w: Item("quiz", "Why?", ("yes", "no"), ("maybe",)), "one of the options"),
        (lambda w: Item("quiz", "Why?", ("yes", "no"), ("yes", "no")), "one of the options"),
        (lambda w: Item("quiz", "Why?", ("yes", "yes"), ("yes",)), "each once"),
        (lambda w: blocks.Picture("https://example.org/a.png", "a"), "data URI"),
        (lambda w: blocks.Picture("data:image/svg+xml;base64,AAAA", "a"), "data URI"),
        (lambda w: human.Study("A", ()), "at least one question"),
        (lambda w: human.Study("A", human.attention_check("b?", ("a", "b"), "b")), "at least one question"),
        (lambda w: human.Study("A", Item("quiz", "Why?", ("a", "b"), ("a",))), "one set of conditions"),
        (
            lambda w: human.Study("A", (simple().items, human.decide(w.record, w.said, w.truth, accuracy=0.9))),
            "a study of each",
        ),
        (lambda w: human.Study("A", (simple().items[0], simple().items[0])), "same id"),
        (lambda w: simple(seats=0), "plan for 1"),
        (lambda w: human.Study("A", human.forward_simulation(w.record, w.said), within=True), "not unlearned"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_remedy(make, said):
    with pytest.raises(pc.InputError, match=said):
        make(world())


def test_a_row_that_a_budget_left_out_is_refused():
    record = dataclasses.replace(world().record, done=np.arange(12) != 5)
    with pytest.raises(pc.InputError, match="row 5 was left out"):
        human.fix_label(record, world().said, world().truth)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "title": "A", "items": [{"a": 1}]}'])
def test_what_is_no_study_file_is_refused(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(pc.PellucidError, match=r"is not a study|at least one question"):
        human.Study.load(tmp_path / "study.json")


def test_nothing_evil_in_a_study_gets_out_of_its_place():
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&\"'"
    item = Item("quiz", evil, (evil, "no"), ("no",), (blocks.Prose(evil, evil),), {"without": (), "with": ()})
    text = page.render(human.Study(evil, item, consent=evil, welcome=evil, thanks=evil, who=evil))
    assert "<script>alert" not in text and "<img" not in text
    assert (
        text.count("</script>") == 2
        and json.loads(re.search(r'id="data">(.*?)</script>', text)[1])["items"][0]["question"] == evil
    )


def test_the_page_may_reach_nothing_and_names_no_address():
    text = page.render(every_task())
    assert not re.search(r"(src|href|url\()\s*=?\s*[\"']?(https?:)?//", text)
    assert "connect-src &#39;none&#39;" in text and "default-src &#39;none&#39;" in text
    assert "connect-src &#39;self&#39;" in page.render(every_task(), "token")


def luminance(colour):
    """Of WCAG 2: (r, g, b) of 0 to 255."""
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot((0.2126, 0.7152, 0.0722), parts))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_can_be_read():
    css = (page._TEMPLATES / "study.css").read_text(encoding="utf-8")
    named = {
        name: [int(code[i : i + 2], 16) for i in (0, 2, 4)] for name, code in re.findall(r"--(\w+): #(\w{6})", css)
    }
    white, ground = (255, 255, 255), named["page"]
    for name in ("ink", "quiet", "link", "bad"):
        assert contrast(named[name], white) >= 4.5 and contrast(named[name], ground) >= 4.5, name
    for name in ("red", "blue"):  # the strongest ground of a word: 45 % of the colour
        strongest = [0.45 * c + 0.55 * 255 for c in named[name]]
        assert contrast(named["ink"], strongest) >= 4.5


def test_parts_of_an_unknown_text_are_joined_by_spaces():
    texts = {"values": np.array([[1.0, -2.0, 0.0]]), "data": np.array([["not", "bad", ""]], object)}
    told = dataclasses.replace(
        world().record[:1], layout="tokens", mask=np.array([[True, True, False]]), players=None, **texts
    )
    assert drawing.explained(told, 0)[0].parts == (("not", 1.0), (" ", 0.0), ("bad", -2.0), (" ", 0.0))
    assert drawing.seen(told, 0)[0].text == "not bad "
