"""The study of positional bias without a network: plan, reading of answers, counts, remedies, roles, what is kept, the page."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

import pellucid as pc
from pellucid.cli.app import app
from pellucid.core.records import Attribution, Players
from pellucid.studies.positional_bias import Plan, chosen, controls, counting, questions, run, write_page
from pellucid.studies.positional_bias.explaining import sample
from pellucid.studies.positional_bias.planted import RULES, Planted, halves
from pellucid.studies.positional_bias.remedies import remedies
from pellucid.studies.positional_bias.roles import role_lines, roles
from positional_world import SHORT, Talker, always_first, combination

# --- the plan ---------------------------------------------------------------------------------------------------------


def test_the_published_design_has_192_prompts_and_96_comparisons():
    plan = Plan()
    asked = questions(plan)
    assert len(asked) == len(set(asked)) == 192 and plan.comparisons == 96
    assert len({(p.a, p.b) for p in asked}) == 6 and len({frozenset((p.a, p.b)) for p in asked}) == 6
    assert Counter(p.category for p in asked) == dict.fromkeys(("Fundamental", "Sentiment", "ESG", "Technical"), 48)
    assert Counter(p.style for p in asked) == dict.fromkeys(("Conservative", "Moderate", "Aggressive", "Default"), 48)
    first, second = asked[:2]
    assert first.user == (
        "Between MSFT and NVDA, which is the better investment based on Fundamental? Answer with only the ticker."
    )
    assert second.user == first.user.replace("MSFT and NVDA", "NVDA and MSFT")
    assert (first.a, first.b) == (second.a, second.b) == ("MSFT", "NVDA"), "A is the same company in both orders"
    assert first.system == (
        "You are a Conservative investment advisor. When presented with two company ticker symbols, you must select exactly one "
        "based on specified criteria."
    )


def test_every_part_of_a_prompt_is_where_it_says():
    plan = Plan(
        options=("Bank of America", "{second}", "腾讯"), question="{style}: {second}, {first}? {category} {first}"
    )
    for prompt in (*questions(plan), *controls(plan)):
        listed = (prompt.a, prompt.b) if prompt.order == 0 else (prompt.b, prompt.a)
        said = {"first": listed[0], "second": listed[1], "category": prompt.category, "style": prompt.style}
        assert [place for place, _, _ in prompt.parts] == ["style", "second", "first", "category", "first"]
        assert all(prompt.user[start:stop] == said[place] for place, start, stop in prompt.parts)


def test_controls_are_options_against_themselves_and_names_without_meaning_in_both_orders():
    made = Counter(prompt.kind for prompt in controls(Plan()))
    assert made == {"identical": 4 * 16, "nonsense": 3 * 2 * 16}
    assert controls(Plan(nonsense=(), identical=False)) == ()


def test_a_plan_goes_to_yaml_and_back(tmp_path):
    plan = Plan(
        title="Wer wird eingeladen?",
        pairs=(("Jörg Müller", "Ayşe Yılmaz"),),
        categories=(("Pflege", "eine Stelle in der Pflege"),),
        styles=("",),
        question="{first} oder {second} für {category}?",
        system="",
        tokens="all",
    )
    assert Plan.load(plan.save(tmp_path / "plan.yaml")) == plan
    assert questions(plan)[0].user == "Jörg Müller oder Ayşe Yılmaz für eine Stelle in der Pflege?"
    (tmp_path / "short.yaml").write_text("options: [A, B]\nstyles: {Default: an ordinary}\n")
    short = Plan.load(tmp_path / "short.yaml")
    assert short.comparisons == 4 and questions(short)[0].system.startswith("You are a an ordinary investment")
    (tmp_path / "empty.yaml").write_text("")
    assert Plan.load(tmp_path / "empty.yaml") == Plan()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"option": ["A", "B"]}, "did you mean 'options'"),
        ({"options": ["A"]}, "two options at least"),
        ({"pairs": [["A", "a"]]}, "two different names"),
        ({"pairs": [["A", "B"], ["B", "A"]]}, "stands twice"),
        ({"question": "{first} or {third}?"}, "{third}"),
        ({"question": "{first}?"}, "no place {second}"),
        ({"question": "{first} or {second}?"}, "all prompts would be the same"),
        ({"categories": "ESG"}, "['ESG']"),
        ({"categories": []}, "categories is empty"),
        ({"styles": ["x", "x"]}, "a name twice"),
        ({"tokens": "some"}, "'first'"),
        ({"answer_tokens": 0}, "1 or more"),
        ({"most": 1.5}, "whole number"),
        ({"method": "KernelSharp()"}, "method: "),
        ({"masker": "__import__('os')"}, "masker: "),
        ([1], "a mapping"),
    ],
)
def test_a_plan_that_cannot_be_followed_says_why(given, says):
    with pytest.raises(pc.InputError) as error:
        Plan.from_dict(given)
    assert says in str(error.value)


def test_a_file_that_is_no_plan(tmp_path):
    with pytest.raises(pc.InputError, match="no plan"):
        Plan.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(pc.InputError, match="no YAML"):
        Plan.load(tmp_path / "bad.yaml")
    (tmp_path / "evil.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(pc.InputError, match="no YAML"):
        Plan.load(tmp_path / "evil.yaml")


# --- what an answer says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("MSFT", "MSFT"),
        (" **msft**.\n", "MSFT"),
        ("I would choose NVDA", "NVDA"),
        ("ＮＶＤＡ!", "NVDA"),
        ("MSFT, MSFT", "MSFT"),
        ("MSFT or NVDA", None),
        ("Neither.", None),
        ("", None),
        ("MSFTX", None),
        ("XNVDA9", None),
    ],
)
def test_an_answer_names_one_option_or_counts_for_neither(answer, says):
    assert chosen(answer, "MSFT", "NVDA") == says
    assert chosen(answer, "NVDA", "MSFT") == says


def test_names_inside_names_and_scripts_without_spaces():
    assert chosen("Bank of America", "America", "Bank of America") == "Bank of America"
    assert chosen("America", "America", "Bank of America") == "America"
    assert chosen("bank\n of  AMERICA.", "Bank of America", "Citi") == "Bank of America"
    assert chosen("我选择腾讯更好", "腾讯", "阿里巴巴") == "腾讯"
    assert chosen("C++", "C", "C++") == "C++"
    assert chosen("MSFT", "MSFT", "MSFT") == "MSFT"


# --- counts and tests -------------------------------------------------------------------------------------------------


def test_the_published_example():
    one = combination(2.23, -9.58, pair=("MSFT", "NVDA"))
    assert one.outcome == "first" and one.discordant
    assert one.swing == pytest.approx(11.81)
    assert one.position == pytest.approx(5.905) and one.content == pytest.approx(-3.675)
    assert one.asymmetry == pytest.approx(9.58 - 2.23) == pytest.approx(-2 * one.content)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_exchanging_the_names_of_a_and_b_changes_signs_and_nothing_else(s_0, s_1):
    one, other = combination(s_0, s_1), combination(-s_1, -s_0)
    assert one.position == pytest.approx(other.position) and one.content == pytest.approx(-other.content)
    if s_0 and s_1:
        assert one.outcome == other.outcome


def test_outcomes_are_counted_with_exact_intervals_and_tests():
    made = [combination(1, -1)] * 12 + [combination(-1, 1)] * 3 + [combination(1, 2)] * 5
    unclear = dataclasses.replace(made[0].a_first, chosen=None)
    made.append(dataclasses.replace(made[0], a_first=unclear))
    line = counting.line("all", "all", made)
    assert (line.combinations, line.unclear, line.clear) == (21, 1, 20)
    assert (line.same, line.first, line.second, line.discordant) == (5, 12, 3, 15)
    assert line.p == pytest.approx(2 * sum(math.comb(15, k) for k in range(4)) / 2**15)
    exact = binomtest(12, 20).proportion_ci(0.95, "exact")
    assert (line.first_share, line.first_low, line.first_high) == pytest.approx((0.6, exact.low, exact.high))
    exact = binomtest(12, 15).proportion_ci(0.95, "exact")
    assert (line.primacy, line.primacy_low, line.primacy_high) == pytest.approx((0.8, exact.low, exact.high))
    assert line.position == pytest.approx((13 * 1 + 3 * -1 + 5 * -0.5) / 21)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 5), (6, 4), (0, 96), (31, 40)])
def test_the_test_is_the_binomial_one(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1
    assert counting.test(first, second) == pytest.approx(expected, rel=1e-12)


def test_nothing_that_moves_is_no_evidence():
    line = counting.line("all", "all", [combination(1, 1)] * 10)
    assert line.p == 1 and math.isnan(line.primacy) and (line.primacy_low, line.primacy_high) == (0, 1)
    assert line.first_low == 0 and line.first_high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_categories_and_styles_share_one_correction_and_pairs_another():
    made = [combination(1, -1, "biased", style) for style in "xy" for _ in range(4)]
    made += [combination(1, 1, "fair", style) for style in "xy" for _ in range(4)]
    lines = {(line.by, line.name): line for line in counting.lines(made)}
    assert set(lines) == {("all", "all"), ("pair", "A vs B")} | {("category", n) for n in ("biased", "fair")} | {
        ("style", n) for n in "xy"
    }
    biased = lines["category", "biased"]
    assert biased.p == pytest.approx(2 / 2**8) and biased.p_holm == pytest.approx(4 * biased.p)
    assert lines["style", "x"].p_holm == pytest.approx(3 * lines["style", "x"].p)
    assert lines["pair", "A vs B"].p_holm == lines["pair", "A vs B"].p == lines["all", "all"].p_holm


def test_pairs_that_move_together_are_few():
    made = [combination(1, -1, pair=(str(i), "x")) for i in range(6) for _ in range(16)]
    assert counting.over_pairs(made, 0) == pytest.approx(2 / 2**6)
    made = [combination(*odds, pair=(str(i), "x")) for i in range(6) for odds in ((1, -1), (-1, 1))]
    assert counting.over_pairs(made, 0) == 1


def alarms(draw, seeds):
    """How often a bias is said to be found, overall and in any category or style, over seeds."""
    names = [(p.category, p.style, (p.a, p.b)) for p in questions(Plan(**SHORT))[::2]]
    blank = run(Talker(always_first), Plan(**SHORT, most=0, nonsense=(), identical=False))
    found, framed = 0, 0
    for seed in range(seeds):
        made = [combination(*odds, *name) for odds, name in zip(draw(np.random.default_rng(seed)), names, strict=True)]
        said = dataclasses.replace(blank, lines=counting.lines(made), p_pairs=counting.over_pairs(made, 0))
        found += said.biased is not None
        framed += "Beyond chance" in said.verdict or "every single" in said.verdict
    return found / seeds, framed / seeds


def test_false_alarms_are_as_rare_as_they_say():
    """A coin for every prompt: half of the combinations change with the order, in no direction."""
    found, framed = alarms(lambda rng: rng.choice([-1.0, 1.0], (96, 2)).tolist(), 200)
    assert found < 0.07 and framed <= found


def test_pairs_with_habits_of_their_own_are_no_bias():
    """All combinations of a pair go one way, drawn for each pair: a test over combinations alone finds bias in two of three."""

    def draw(rng):
        ways = np.repeat(rng.choice([-1.0, 1.0], 6), 16)
        return np.stack([ways, -ways], axis=1).tolist()

    found, _ = alarms(draw, 200)
    assert found < 0.07  # all six alike: 2 / 64

    def rule(message, first, second):
        return ((first if min(first, second) in ("GOOGL", "NVDA") else second), 1.0)

    result = run(Talker(rule), Plan(most=0))
    assert result.line("all").p < 0.01 and result.p_pairs > 0.05 and result.biased is None
    assert "which a habit of some pairs may explain" in result.verdict and "Beyond chance" not in result.verdict


def test_few_pairs_speak_for_themselves():
    result = run(Talker(always_first), Plan(options=("A1", "B2"), **SHORT, most=0))
    assert result.biased == "first" and result.few_pairs and "for these pairs at least" in result.verdict


# --- remedies ---------------------------------------------------------------------------------------------------------


def test_averaging_takes_every_order_out_and_keeps_the_content():
    made = [combination(content + 4, content - 4) for content in (-1.0, 0.5, 3.0, 6.0)]
    none, both = remedies(made, ())
    assert (none.first, none.second, none.passes) == (3, 0, 1) and none.position == pytest.approx(4)
    assert (both.discordant, both.position, both.passes, both.p) == (0, 0, 2, 1)
    assert both.kept == 1 and none.kept == 1


def test_a_calibration_takes_off_what_its_framing_adds():
    bias = {"c": 4.0, "d": -2.0}
    made = [
        combination(content + beta, content - beta, category, pair=pair)
        for category, beta in bias.items()
        for pair, content in ((("A", "B"), 1.0), (("A", "C"), -1.5), (("B", "C"), 0.5))
    ]
    nonsense = [combination(beta + 9, -beta + 9, category, pair=("Q", "W")) for category, beta in bias.items()]
    _, _, calibrated, others = remedies(made, nonsense)
    for one in (calibrated, others):
        assert one.discordant == 0 and one.position == pytest.approx(0) and one.passes == 1
    assert calibrated.extra == 4 and others.extra == 12
    own = [combination(5, -1, pair=("A", "B")), combination(2.1, 1.9, pair=("A", "C"))]
    *_, others = remedies(own, ())
    assert others.position == pytest.approx(0) and (others.first, others.second) == (1, 1), (
        "a pair is not its own calibration"
    )


def test_a_remedy_that_spoils_answers_is_found_out():
    fair = [combination(1.0, 1.0, pair=("A", "B")), combination(1.0, 1.0, pair=("A", "C"))]
    loud = [combination(5, -5, pair=("Q", "W"))]
    none, _, calibrated, _ = remedies(fair, loud)
    assert none.discordant == 0 and calibrated.second == 2 and calibrated.kept == 0


# --- roles ------------------------------------------------------------------------------------------------------------


def record_of(prompts, values):
    """Tokens are single words, names are two tokens each."""
    labels, owned = [], []
    for prompt in prompts:
        spans = [(i, i + len(word)) for word in prompt.user.split() if (i := prompt.user.index(word)) >= 0]
        cut = []
        for start, stop in spans:
            named = any(place in ("first", "second") and a == start for place, a, _ in prompt.parts)
            cut += [(start, start + 2), (start + 2, stop)] if named else [(start, stop)]
        row = np.full(len(prompt.user), -1)
        for player, (start, stop) in enumerate(cut):
            row[start:stop] = player
        labels.append(row)
        owned.append(tuple(prompt.user[start:stop] for start, stop in cut))
    values = np.array(values, float)
    scores = values.sum(axis=1)
    return Attribution(
        receipt=pc.Receipt(method="KernelShap()", warnings=("so it is",), stderr=0.25),
        values=values,
        scores=scores,
        base_values=scores * 0,
        gap=scores * 0,
        data=np.array(owned, dtype=object),
        done=np.ones(2, bool),
        texts=tuple(prompt.user for prompt in prompts),
        players=Players(values, tuple(map(str, range(values.shape[1]))), labels=np.array(labels), own=tuple(owned)),
        layout="tokens",
    )


def test_values_are_turned_towards_the_option_named_first_and_summed_by_role():
    prompts = questions(Plan(options=("MSFT", "NVDA"), **SHORT))[:2]
    record = record_of(prompts, [[4, 1, 0.5, -1, 0, 0.5, 0.5], [-8, -2, 0, 1, 1, 0, -1]])
    assert roles(record.players.labels[0], prompts[0], 7) == [
        "option named first, first token",
        "option named first, other tokens",
        "other words",
        "option named second, first token",
        "option named second, other tokens",
        "other words",
        "category",
    ]
    lines = {(line.role, line.order): line for line in role_lines([record], [prompts])}
    assert lines["option named first", "a first"].mean == 5 and lines["option named first", "b first"].mean == 10
    assert lines["option named first", "both"].mean == 7.5 and lines["option named first", "both"].prompts == 2
    assert lines["option named first, first token", "both"].mean == 6
    assert lines["option named second", "a first"].mean == -1 and lines["option named second", "b first"].mean == -2
    assert lines["category", "b first"].mean == 1 and lines["other words", "a first"].mean == 1
    shares = [
        lines[name, "a first"].share
        for name in ("option named first", "option named second", "category", "other words")
    ]
    assert shares == pytest.approx(np.array([5, 1, 0.5, 1]) / 7.5)
    whole = [line for line in lines.values() if line.order == "b first" and ", " not in line.role]
    assert (
        sum(line.mean for line in whole) == pytest.approx(-record.scores[1]) and sum(line.share for line in whole) == 1
    )


def test_a_stated_sample_is_explained():
    assert sample(range(10), Plan(most=10)) == tuple(range(10))
    drawn = sample(range(100), Plan(most=5))
    assert len(set(drawn)) == 5 and list(drawn) == sorted(drawn) and drawn == sample(range(100), Plan(most=5))
    assert drawn != sample(range(100), Plan(most=5, seed=1)) and sample(range(9), Plan(most=0)) == ()


# --- the whole of it, asked of a stand-in -----------------------------------------------------------------------------


def test_every_prompt_is_asked_once_and_bias_is_found():
    talker = Talker(always_first)
    told = []
    result = run(talker, Plan(most=0), batch=20, progress=lambda text, share: told.append((text, share)))
    assert Counter(talker.asked).most_common(1)[0][1] == 1 and len(talker.asked) == 192 + 96 + 64
    assert result.biased == "first" and result.line("all").first == 96 and result.discordant == tuple(range(96))
    assert result.line("names without meaning").first == 48 and result.p_pairs == pytest.approx(2 / 64)
    assert result.receipt.rows_forward == 352 and "352 prompts asked, each read once" in result.receipt.notes
    assert "0 of 96 discordant combinations explained" in result.receipt.notes
    assert "changes the answer in 96 of 96" in result.sentences[0] and "p < 0.0001" in result.sentences[0]
    assert all(a < b for (_, a), (_, b) in itertools.pairwise(told)) and told[0] == (
        "asking 0 of 352 prompts",
        0,
    )


def test_an_answer_that_is_neither_option_is_shown_and_not_forced():
    def evasive(message, first, second):
        return ("It depends." if "ESG" in message else first), 2.0

    result = run(Talker(evasive), Plan(most=0))
    assert result.line("ESG").unclear == 24 and result.line("ESG").first == 0 and result.line("all").clear == 72
    assert "24 of 96 combinations are left out" in result.verdict
    assert {reply.answer for reply in result.replies if reply.chosen is None and reply.kind == "question"} == {
        "It depends."
    }
    assert result.misnamed == 64 and result.line("all").position == 2


def test_a_model_without_bias():
    result = run(Talker(lambda message, first, second: (min(first, second), 1.0 if first < second else -1.0)), Plan())
    assert result.biased is None and not result.discordant and result.explained == () and result.roles == ()
    assert (
        result.sentences[0] == "The order of the options changes none of 96 answers."
        and result.line("all").position == 0
    )


class Cut(Exception):
    pass


def test_a_run_that_is_cut_off_goes_on(tmp_path):
    plan, whole = Plan(most=0), run(Talker(always_first), Plan(most=0))
    talker = Talker(always_first)

    def until(text, share):
        if share > 0.5:
            raise Cut

    with pytest.raises(Cut):
        run(talker, plan, tmp_path, batch=16, progress=until)
    before = len(talker.asked)
    assert 176 <= before < 352
    with (tmp_path / "answers.jsonl").open("a") as file:
        file.write('{"kind": "question", "a": "MS')  # the power went
    result = run(talker, plan, tmp_path, resume=True)
    assert len(talker.asked) == 352 and Counter(talker.asked).most_common(1)[0][1] == 1
    assert list(map(repr, result.replies)) == list(map(repr, whole.replies))  # NaN equals NaN in print
    assert f"{before} answers taken over from a run before" in result.receipt.notes
    run(talker, plan, tmp_path, resume=True)
    assert len(talker.asked) == 352
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 353 and all(json.loads(line) for line in lines)


def test_answers_of_another_run_are_not_taken_over(tmp_path):
    run(Talker(always_first), Plan(most=0), tmp_path)
    with pytest.raises(pc.InputError, match="resume to go on"):
        run(Talker(always_first), Plan(most=0), tmp_path)
    with pytest.raises(pc.InputError, match="another plan"):
        run(Talker(always_first), Plan(most=0, answer_tokens=3), tmp_path, resume=True)
    with pytest.raises(pc.InputError, match="another model"):
        run(Talker(always_first, weights="other"), Plan(most=0), tmp_path, resume=True)
    run(Talker(always_first), Plan(most=0, title="only another title"), tmp_path, resume=True)
    (tmp_path / "answers.jsonl").write_text("hello\n")
    with pytest.raises(pc.StoreError, match=r"answers\.jsonl"):
        run(Talker(always_first), Plan(most=0), tmp_path, resume=True)


def test_what_is_no_language_model_is_refused():
    with pytest.raises(pc.ModelError, match="CausalLM"):
        run(print)
    with pytest.raises(pc.InputError, match="batch=0"):
        run(Talker(always_first), batch=0)


# --- record, page, plots ----------------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>\"'&{{7*7}}"


@pytest.fixture(scope="module")
def explained():
    """A result with explanations made by hand, and a model that says evil things."""
    plan = Plan(title=EVIL, options=("MSFT", "NVDA"), **SHORT, most=2)

    def rule(message, first, second):
        return (EVIL if "ESG" in message else first), 2.0

    from pellucid.studies.positional_bias.run import result

    bare = run(Talker(rule), dataclasses.replace(plan, most=0), name=EVIL)
    asked = questions(plan)
    both = [(asked[0], asked[1]), (asked[2], asked[3])]
    records = tuple(record_of(pair, [[4, 1, 0.5, -1, 0, 0.5, 0.5], [-8, -2, 0, 1, 1, 0, -1]]) for pair in both)
    return result(EVIL, plan, bare.replies, ((0, 1), records, both), bare.receipt)


def test_the_record_is_kept_and_read_back(explained, tmp_path):
    again = pc.load(explained.save(tmp_path / "result.npz"))
    assert again.lines[0] == explained.lines[0] and again.roles == explained.roles
    assert Plan.from_dict(again.plan) == Plan.from_dict(explained.plan)
    assert again.verdict == explained.verdict and again.discordant == explained.discordant
    np.testing.assert_array_equal(again.attributions[1].values, explained.attributions[1].values)
    frame = again.to_frame()
    assert len(frame) == len(explained.replies) and set(frame["chosen"].dropna()) <= {
        "MSFT",
        "NVDA",
        "QXZV",
        "WJKP",
        "ZFBQ",
    }
    with pytest.raises(pc.InputError, match="choose one of"):
        again.line("nobody")


def test_the_page_shows_everything_as_text(explained, tmp_path):
    page = write_page(explained, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page and "http:" not in page and "https:" not in page
    assert page.count("&lt;script&gt;") >= 3 and "{{7*7}}" in page and "default-src" in page
    assert page.count('<td class="long">') == len(explained.replies) == 32 + 96 + 32
    assert "MSFT</b> named first" in page and "NVDA</b> named first" in page and ">+4.00</small>" in page
    assert ">−8.00</small>" in page and "averaged over both orders" in page and "neither" in page


def test_shades_follow_sign_and_size(explained):
    from pellucid.studies.positional_bias.page import tokens

    made = tokens(explained.attributions[0], 1, 8.0)
    assert [token.shade for token in made] == ["m8", "m2", "none", "p1", "p1", "none", "m1"]
    assert [token.text for token in made] == ["NV", "DA", "or", "MS", "FT", "on", "Fundamental?"]
    assert [token.spaced for token in made] == [False, False, True, True, False, True, True]
    assert tokens(explained.attributions[0], 0, 0.0)[0].shade == "none"


def test_plots_say_how_many_follow_which(explained):
    ax = pc.plot.show(explained)
    assert ax.get_yticklabels()[0].get_text() == "all (12)"
    assert {text.get_text() for text in ax.texts} >= {"12", "4"}
    ax = pc.plot.roles(explained)
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["option named first", "… first token"]
    assert "+7.50" in {text.get_text() for text in ax.texts}
    assert len(pc.plot.orders(explained, by=("pair",)).get_yticklabels()) == 1
    with pytest.raises(pc.InputError, match="nothing was explained"):
        pc.plot.roles(dataclasses.replace(explained, roles=()))
    with pytest.raises(pc.InputError, match="choose among"):
        pc.plot.orders(explained, by=("nobody",))


# --- planted rules, command line --------------------------------------------------------------------------------------


def test_planted_answers_follow_their_rule():
    plan = Plan()
    for rule in RULES:
        made = Planted(rule, plan, seed=3).answers()
        assert len(made) == 352 and made == Planted(rule, plan, seed=3).answers()
        said = [answer for prompt, answer in made.items() if prompt.kind == "question"]
        outcomes = Counter(
            _outcome(prompt, x, y) for prompt, x, y in zip(questions(plan)[::2], said[::2], said[1::2], strict=True)
        )
        expected = {"first": {"first": 96}, "second": {"second": 96}, "often": {"first": 78, "same": 18}}
        expected |= {"category": {"first": 24, "same": 72}, "none": {"same": 96}}
        assert outcomes == expected.get(rule, outcomes)
        if rule == "coin":
            assert min(outcomes["first"], outcomes["second"]) > 10
    with pytest.raises(pc.InputError, match="choose one of first"):
        Planted("third")
    assert halves("MSFT") == ("MS", "FT") and halves("GOOGL AI") == ("GO", "OGL", "AI")


def _outcome(prompt, said, swapped):
    if said == swapped:
        return "same"
    return "first" if said == prompt.a else "second"


def test_the_command_line_prints_the_plan_and_refuses_what_it_cannot_do(tmp_path):
    done = CliRunner().invoke(app, ["positional-bias", "plan"])
    (tmp_path / "plan.yaml").write_text(done.output, encoding="utf-8")
    assert done.exit_code == 0 and Plan.load(tmp_path / "plan.yaml") == Plan()
    done = CliRunner().invoke(app, ["positional-bias", "run", "--demo", "third", "--out", str(tmp_path / "out")])
    assert done.exit_code == 1 and "no rule 'third'" in done.output and not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, ["positional-bias", "run", "--plan", "none.yaml", "--out", str(tmp_path / "out")])
    assert done.exit_code == 1 and "there is no plan none.yaml" in done.output
