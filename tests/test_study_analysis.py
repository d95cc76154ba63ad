"""From answers to a result: by hand on small studies, by simulated participants on whole ones."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pellucid as pc
from pellucid.studies import human
from study_world import WRONG, every_task, simple, world


def answers(study, right, seconds=None):
    """Lines of participants on the first seats; right[seat][item] says who got what right."""
    lines = human.rehearse(study, dict.fromkeys(study.conditions, 1.0), participants=len(right))
    for line in lines:
        item = study.by_id[line["item"]]
        if not right[line["seat"]][int(line["item"]) - 1]:
            line["answer"] = [option for option in item.options if option not in item.right][:1]
        if seconds is not None:
            line["seconds"], line["away"] = seconds(line) + 1.0, 1.0
    return lines


def with_help(study, seat):
    return study.plan[seat].conditions[0] == 1


def test_accuracy_time_and_tests_by_hand():
    study = simple(4, seats=8)
    # with help 4, 4, 3, 3 of 4 right, without 2, 2, 1, 1
    counts = {True: iter((4, 4, 3, 3)), False: iter((2, 2, 1, 1))}
    right = [[i < n for i in range(4)] for n in (next(counts[with_help(study, seat)]) for seat in range(8))]
    result = human.analyze(study, answers(study, right, lambda line: 4.0 if with_help(study, line["seat"]) else 8.0))
    helped, plain, contrast = result.arm("with"), result.arm("without"), result.contrast("with")
    assert (helped.mean, plain.mean, helped.participants, helped.answers) == (14 / 16, 6 / 16, 4, 16)
    assert plain.chance == 0.5 and plain.p_chance == pytest.approx(stats.binom.sf(5, 16, 0.5))
    assert contrast.difference == pytest.approx(0.5)
    assert contrast.p == contrast.p_holm == pytest.approx(2 / math.comb(8, 4))  # the most extreme of 70 either way
    assert math.isnan(contrast.p_fisher)  # several answers each: the table's test would be wrong
    assert helped.low < 14 / 16 < helped.high and contrast.low < 0.5 < contrast.high
    seconds = result.contrast("with", "seconds")
    assert seconds.difference == pytest.approx(0.5) and result.arm("with", "seconds").mean == pytest.approx(4.0)
    assert "+50 points" in result.verdict and "more than chance explains" in result.verdict


def test_groups_of_unlike_size_are_told_apart():
    study = simple(4, seats=7)
    helped = np.array([with_help(study, seat) for seat in range(7)])
    shares = np.where(helped, 1.0, np.array([0.0, 0.25, 0.5, 0.75, 0.25, 0.5, 0.75]))
    line = human.analyze(study, answers(study, [[i < 4 * share for i in range(4)] for share in shares])).contrast(
        "with"
    )
    k, seen = int(helped.sum()), shares[helped].mean() - shares[~helped].mean()
    assert k != 7 - k and line.difference == pytest.approx(seen)
    away = [
        abs(shares[list(chosen)].mean() - np.delete(shares, chosen).mean())
        for chosen in itertools.combinations(range(7), k)
    ]
    assert line.p == pytest.approx(np.mean(np.array(away) >= seen - 1e-9))


def test_with_one_answer_each_fishers_and_barnards_tests_are_given():
    study = simple(1, seats=20)
    right = [[with_help(study, seat) or seat % 3 == 0] for seat in range(20)]
    line = human.analyze(study, answers(study, right)).contrast("with")
    plain = sum(ok for [ok], seat in zip(right, range(20), strict=True) if not with_help(study, seat))
    table = [[plain, 10 - plain], [10, 0]]
    assert line.p_fisher == pytest.approx(stats.fisher_exact(table).pvalue) == pytest.approx(line.p)
    assert line.p_barnard == pytest.approx(stats.barnard_exact(np.transpose(table)).pvalue)
    assert human.analyze(study, answers(study, [[True]] * 20)).contrast("with").p_fisher == 1.0


def test_within_participants_each_is_compared_with_himself():
    study = simple(4, within=True, seats=12)
    right = []
    for seat in range(12):  # all questions with help right, and as many without as the participant is good
        right.append([study.plan[seat].conditions[i] == 1 or seat % 2 == 0 for i in range(4)])
    result = human.analyze(study, answers(study, right))
    line = result.contrast("with")
    assert line.difference == pytest.approx(0.5)  # half of them gain 1, half nothing
    assert line.p == pytest.approx(2 * 0.5**6)
    away = stats.ttest_1samp([1.0, 0.0] * 6, 0).confidence_interval()
    assert (line.low, line.high) == pytest.approx((away.low, away.high))
    assert result.arm("without").participants == 12 and result.arm("without").answers == 24


def test_who_misses_an_attention_check_is_left_out_and_who_stops_counts():
    study = human.Study("A", (simple(3).items, human.attention_check("Choose b.", ("a", "b"), "b")), seats=10)
    lines = human.rehearse(study, {"without": 0.5, "with": 0.5}, participants=10)
    for line in lines:
        if line["seat"] == 4 and line["item"] == "4":
            line["answer"] = ["a"]
    lines = [line for line in lines if not (line["seat"] == 7 and line["position"] > 1)]
    result = human.analyze(study, lines)
    assert (result.participants, result.excluded, result.unfinished) == (9, 1, 1)
    assert human.analyze(study, lines, misses=1).excluded == 0


def test_careless_people_are_mostly_noticed():
    study = human.Study(
        "A", (simple(3).items, [human.attention_check(f"{i}: b.", ("a", "b", "c"), "b") for i in range(2)])
    )
    lines = human.rehearse(study, {"without": 1.0, "with": 1.0}, participants=200, careless=0.3, seed=3)
    assert human.analyze(study, lines).excluded == pytest.approx(0.3 * 200 * 8 / 9, abs=25)


def test_following_the_machine_is_measured_where_it_is_wrong_too():
    w = world()
    machine = np.where(np.arange(12) < 4, np.where(w.truth == "benign", "malignant", "benign"), w.truth)
    study = human.Study("Decide", human.decide(w.record, machine, w.truth, accuracy=0.7), seats=24)
    lines = human.rehearse(study, dict.fromkeys(study.conditions, 1.0), participants=24)
    for line in lines:  # with the label shown everybody follows it; nobody does otherwise
        if "label" in line["condition"]:
            line["answer"] = [study.by_id[line["item"]].machine]
    result = human.analyze(study, lines)
    assert result.arm("no help").mean == 1.0 and result.arm("explanation + label").mean == pytest.approx(8 / 12)
    assert result.arm("no help", "follows").mean == pytest.approx(8 / 12)
    assert result.arm("explanation + label", "follows").mean == 1.0
    wrong = result.contrast("explanation + label", "follows wrong")
    assert wrong.difference == 1.0 and wrong.p_holm <= 3 * wrong.p < 0.05
    assert result.arm("no help", "follows wrong").answers == 6 * 4


def test_what_removing_features_gains_is_measured():
    w = world()
    study = human.Study("Features", human.drop_features(w.record_broken[:2], [WRONG]), seats=12)
    lines = human.rehearse(study, {"without": 0.0, "with": 1.0}, participants=12)
    for line in lines:
        if line["condition"] == "without":
            line["answer"] = []
    retrain = human.retraining(w.broken, (w.X[w.train], w.y[w.train]), (w.X[w.test], w.y[w.test]))
    result = human.analyze(study, lines, retrain=retrain)
    gain = retrain((WRONG,)) - retrain(())
    assert result.arm("with", "improvement").mean == pytest.approx(gain) and gain > 0.05
    assert result.arm("without", "improvement").mean == 0.0
    assert result.contrast("with", "improvement").difference == pytest.approx(gain)
    assert result.contrast("with", "improvement").p == pytest.approx(2 / math.comb(12, 6))
    assert all(arm.measure != "improvement" for arm in human.analyze(study, lines).arms)


def test_a_rehearsal_finds_the_effect_that_was_put_in_and_no_other():
    study = simple(8, seats=400)
    result = human.analyze(study, human.rehearse(study, {"without": 0.6, "with": 0.8}, participants=400, icc=0.2))
    line = result.contrast("with")
    assert line.low < 0.2 < line.high and line.p < 1e-6 and abs(line.difference - 0.2) < 0.06
    assert result.contrast("with", "seconds").low < 1 < result.contrast("with", "seconds").high


def test_where_there_is_no_effect_few_rehearsals_find_one():
    study = simple(4, seats=40)
    results = [
        human.analyze(study, human.rehearse(study, {"without": 0.7, "with": 0.7}, participants=40, icc=0.3, seed=seed))
        for seed in range(20)
    ]
    found = [result.contrast("with").p < 0.05 for result in results]
    assert sum(found) <= 4  # more would come up in 3 of 1,000 sets of 20
    assert all(
        ("more than chance explains" in result.verdict) == sure for result, sure in zip(results, found, strict=True)
    )


def test_every_kind_of_task_is_analysed_by_itself():
    study = every_task()
    result = human.analyze(study, human.rehearse(study, {"without": 0.5, "with": 0.95}, participants=40, icc=0.0))
    assert {arm.kind for arm in result.arms} == {item.kind for item in study.questions}
    with pytest.raises(pc.InputError, match="choose one of"):
        result.arm("with")
    assert result.arm("with", kind="better model").mean > result.arm("without", kind="better model").mean


def test_a_result_is_a_table_a_file_a_picture_and_a_page(tmp_path):
    study = simple(4, seats=32)
    result = human.analyze(study, human.rehearse(study, {"without": 0.5, "with": 0.9}, participants=32))
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame) and list(frame["condition"]) == ["without", "with"] * 2
    assert frame["difference"].isna().tolist() == [True, False] * 2
    assert frame.loc[1, "difference"] == result.contrast("with").difference
    read = pc.load(result.save(tmp_path / "result.npz"))
    assert read.to_frame().equals(frame) and read.receipt == result.receipt and read.verdict == result.verdict
    ax = pc.plot.show(result)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["without (16)", "with (16)"]
    assert ax.get_xlim() == (-0.02, 1.02)
    with pytest.raises(pc.InputError, match="it has accuracy, seconds"):
        pc.plot.study(result, "improvement")
    page = human.write_result(result, tmp_path / "result.html").read_text()
    assert (
        result.verdict.replace("&", "&amp;")[:40] in page
        and page.count("data:image/png") == 2
        and "<script" not in page
    )
    assert f"{result.contrast('with').p:.3g}" in page


def test_an_evil_title_stays_text_on_the_page_of_results(tmp_path):
    study = human.Study("<script>alert(1)</script>", simple().items)
    result = human.analyze(study, human.rehearse(study, {"without": 0.5, "with": 0.9}, participants=10))
    assert "<script" not in human.write_result(result, tmp_path / "result.html").read_text()


def test_a_condition_without_participants_is_left_out():
    study = simple(2, seats=2, seed=0)
    result = human.analyze(study, human.rehearse(study, {"without": 1.0, "with": 1.0}, participants=1))
    assert len(result.arms) == 2 and not result.contrasts and "nothing to compare" in result.verdict
    assert len(result.to_frame()) == 2


def test_files_are_read_and_what_is_wrong_in_them_is_named(tmp_path):
    study = simple(2)
    lines = human.rehearse(study, {"without": 1.0, "with": 1.0}, participants=2)
    file, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines[:2]) + "\n")
    other.write_text("".join(f"{json.dumps(line)}\n" for line in lines[1:]))
    read = human.read(study, [file, other])
    assert len(read.lines) == 4 and read.repeated == 1 and len(read.people) == 2
    assert human.analyze(study, read).participants == 2
    assert human.read(study, [*lines, {**lines[0], "answer": ["no"]}]).lines == tuple(lines)  # the first one counts
    other.write_text(json.dumps(lines[2])[:40])
    with pytest.raises(pc.InputError, match=r"b.jsonl, line 1 is not JSON: was the file cut off"):
        human.read(study, [file, other])
    other.write_text(json.dumps({**lines[2], "study": "0" * 12}))
    with pytest.raises(pc.InputError, match=r"b.jsonl, line 1: it answers another study"):
        human.read(study, other)
    with pytest.raises(pc.InputError, match="sits on two seats"):
        human.read(study, [lines[0], {**lines[2], "participant": lines[0]["participant"], "item": lines[2]["item"]}])
    with pytest.raises(pc.InputError, match="nothing to analyse"):
        human.analyze(study, [])


def test_an_option_may_hold_any_sign_and_a_file_any_bytes(tmp_path):
    odd = "two\u2028lines\x85"
    study = human.Study("A", human.Item("quiz", "Which?", (odd, "no"), (odd,), help={"without": (), "with": ()}))
    lines, file = human.rehearse(study, {"without": 1.0, "with": 1.0}, participants=2), tmp_path / "a.jsonl"
    file.write_text(
        "".join(f"{json.dumps(line, ensure_ascii=False)}\r\n" for line in lines), encoding="utf-8-sig", newline=""
    )
    assert human.read(study, file).lines == tuple(lines)
    file.write_bytes(b"\xff\xfe{")
    with pytest.raises(pc.InputError, match="line 1 is not JSON"):
        human.read(study, file)


def test_a_condition_that_the_seat_does_not_have_is_noticed():
    study = simple(2)
    line = human.rehearse(study, {"without": 1.0, "with": 1.0}, participants=1)[0]
    other = next(name for name in study.conditions if name != line["condition"])
    with pytest.raises(pc.InputError, match="another condition"):
        human.read(study, [{**line, "condition": other}])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"accuracy": {"with": 1.0}}, "the conditions without, with"),
        ({"participants": 999}, "200 seats"),
        ({"icc": 1.0}, "icc=1.0"),
    ],
)
def test_impossible_rehearsals_are_refused(options, said):
    with pytest.raises(pc.InputError, match=said):
        human.rehearse(simple(), **{"accuracy": {"without": 0.5, "with": 0.5}, "participants": 4, **options})
