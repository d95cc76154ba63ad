"""The study finds what was planted in a small trained network, nothing where nothing was planted, and Shapley values say where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import pellucid as pc
from pellucid.cli.app import app
from pellucid.core.positional import PositionalBias
from pellucid.studies.positional_bias import Plan, Planted, controls, questions, run
from pellucid.studies.positional_bias.explaining import explain_orders
from pellucid.studies.positional_bias.journal import Journal
from pellucid.studies.positional_bias.roles import role_lines
from positional_world import SHORT, planted

torch = pytest.importorskip("torch", reason="torch is an optional framework")
pytest.importorskip("transformers", reason="transformers is an optional framework")
pytestmark = [
    pytest.mark.slow,  # networks are trained
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
FIRST, SECOND = "option named first", "option named second"


def quiet(text: str, share: float) -> None:
    """Nobody is told."""


def shares(result: PositionalBias) -> dict[str, float]:
    """Each role's share of all absolute values."""
    return {line.role: line.share for line in result.roles if line.order == "both" and ", " not in line.role}


@pytest.fixture(scope="module")
def first():
    return planted("first", controls=True)


@pytest.fixture(scope="module")
def found(first):
    model, plan = first
    return run(model, plan, name="planted")


# --- what was planted is found, and where -----------------------------------------------------------------------------


def test_always_first_is_found_and_the_first_name_carries_it(found):
    assert found.biased == "first" and found.line("all").first_low > 0.95
    assert all(line.first == line.clear == line.combinations for line in found.lines)
    said = shares(found)
    assert max(said, key=said.get) == FIRST and said[FIRST] > 0.6 and len(found.explained) == 4
    by_order = {line.order: line for line in found.roles if line.role == FIRST}
    assert all(line.low > 0 and line.mean > 1 for line in by_order.values())
    assert found.receipt.gap < 1e-5 and found.misnamed == 0
    none, both, unknown, others = found.remedies
    assert none.discordant == 96 and both.discordant == 0 and both.position == pytest.approx(0, abs=1e-9)
    assert abs(unknown.position) < 0.5 * none.position and abs(others.position) < 1e-6


def test_shapley_values_are_those_of_all_coalitions(first, found):
    """At most twelve tokens: the kernel's sampled coalitions are all there are, and the values are exact."""
    model, plan = first
    number, record = found.explained[0], found.attributions[0]
    both = questions(plan)[2 * number : 2 * number + 2]
    (exact,) = explain_orders(model, [both], replace(plan, method="ExactShapley()"), Journal(None, {}, False), quiet)
    np.testing.assert_allclose(record.values, exact.values, atol=1e-4)
    assert record.players.values.shape[1] <= 12


@pytest.mark.parametrize("rule", ["second", "often", "category"])
def test_other_rules_are_found_within_their_intervals(rule):
    model, plan = planted(rule)
    result = run(model, plan)
    whole, said = result.line("all"), shares(result)
    if rule == "second":
        assert result.biased == "second" and whole.second == 96 and whole.primacy_high < 0.05
        assert max(said, key=said.get) == SECOND
        return
    assert result.biased == "first" and max(said, key=said.get) == FIRST
    share = {"often": 78 / 96, "category": 24 / 96}[rule]
    assert whole.first_low <= share <= whole.first_high and whole.second <= 2
    if rule == "category":
        sure = {line.name for line in result.lines if line.by == "category" and line.p_holm < 0.05}
        assert sure == {"Fundamental"} and result.line("Fundamental").first_low > 0.8
        assert all(result.line(name).first_high < 0.2 for name in ("Sentiment", "ESG", "Technical"))


def test_a_category_without_the_bias_has_other_words_for_it():
    """Where the content decides, the winning name is the largest in both orders, whichever place it has."""
    model, plan = planted("category")
    asked = [prompt for prompt in questions(plan) if (prompt.a, prompt.style) == ("MSFT", "Moderate")]
    both = [(a, b) for a, b in zip(asked[::2], asked[1::2], strict=True)]
    records = explain_orders(model, both, plan, Journal(None, {}, False), quiet)
    for (a, b), record in zip(both, records, strict=True):
        lines = {line.role: line for line in role_lines([record], [(a, b)]) if line.order == "both"}
        if a.category == "Fundamental":
            assert lines[FIRST].mean > 1 and lines[FIRST].share > lines[SECOND].share
        else:
            leads = [lines_of(record, (a, b), order)[FIRST].mean for order in ("a first", "b first")]
            assert np.sign(leads[0]) != np.sign(leads[1]) or abs(sum(leads)) < max(map(abs, leads))


def lines_of(record, both, order):
    return {line.role: line for line in role_lines([record], [both]) if line.order == order}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_is_found_where_nothing_was_planted(seed):
    model, plan = planted("none", seed)
    result = run(model, plan)
    assert result.biased is None and result.line("all").discordant <= 2
    assert not [line for line in result.lines if line.p_holm < 0.05]


def test_answers_that_change_by_chance_are_no_bias():
    """A coin for each prompt: answers change with the order, in favour of either position."""
    plan = Plan(**SHORT, most=0, nonsense=(), identical=False)
    result = run(pc.CausalLM(*Planted("coin", plan, 0).train(width=32, steps=300)), plan)
    whole = result.line("all")
    assert result.biased is None and min(whole.first, whole.second) >= 4
    assert not [line for line in result.lines if line.by in ("category", "style") and line.p_holm < 0.05]


# --- the answers are the network's own --------------------------------------------------------------------------------


def test_answers_and_log_odds_are_those_of_transformers_and_every_prompt_is_read_once(first):
    model, plan = first
    fed = Counter()

    def count(module, args, given):
        ids = given.get("input_ids", args[0] if args else None)
        fed["tokens"] += ids.numel()

    handle = model.model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        result = run(model, replace(plan, most=0))
    finally:
        handle.remove()
    prompts = {prompt.key: prompt for prompt in (*questions(plan), *controls(plan))}
    whole = 0
    for reply in result.replies:
        prompt = prompts[reply.kind, reply.a, reply.b, reply.category, reply.style, reply.order]
        turns = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        ids = model.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        whole += ids.shape[1]
    assert fed["tokens"] < whole + 5 * len(result.replies), "prompts are read once, then a token at a time"
    for reply in result.replies[:24:5]:
        turns = [{"role": "system", "content": reply.system}, {"role": "user", "content": reply.user}]
        fed_in = model.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
        with torch.no_grad():
            logits = model.model(**fed_in).logits[0, -1].double()
            said = model.model.generate(**fed_in, do_sample=False, max_new_tokens=12)
        a, b = (model.tokenizer(name, add_special_tokens=False)["input_ids"][0] for name in (reply.a, reply.b))
        assert reply.log_odds == pytest.approx(float(logits[a] - logits[b]), abs=1e-5)
        assert reply.answer == model.tokenizer.decode(said[0, fed_in["input_ids"].shape[1] :], skip_special_tokens=True)


def test_names_that_begin_alike_need_whole_answers(first):
    model, plan = first
    alike = replace(plan, options=("MSFT", "MSXX"), pairs=(), nonsense=(), identical=False, most=0)
    with pytest.raises(pc.TargetError, match="tokens='all'"):
        run(model, alike)
    whole = run(model, replace(alike, tokens="all"))
    assert np.isfinite([reply.log_odds for reply in whole.replies]).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_answers(first, found):
    model, plan = first
    try:
        model.model.to("cuda")
        again = run(model, plan)
    finally:
        model.model.to("cpu")
    assert [reply.answer for reply in again.replies] == [reply.answer for reply in found.replies]
    np.testing.assert_allclose(
        [reply.log_odds for reply in again.replies], [reply.log_odds for reply in found.replies], atol=1e-3
    )


# --- from the command line --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(first, tmp_path_factory):
    """The model and its plan as files."""
    model, plan = first
    where = tmp_path_factory.mktemp("model")
    model.model.save_pretrained(where / "model")
    model.tokenizer.save_pretrained(where / "model")
    plan.save(where / "plan.yaml")
    return where


def command(folder, out, *more):
    given = ["--model", folder / "model", "--plan", folder / "plan.yaml", "--out", out, "--most", 2, *more]
    return [sys.executable, "-m", "pellucid", "positional-bias", "run", *map(str, given)]


def test_a_run_killed_in_the_middle_goes_on_from_there(folder, found, tmp_path):
    answers = tmp_path / "answers.jsonl"
    with subprocess.Popen(command(folder, tmp_path, "--batch", 2), stderr=subprocess.PIPE, env=os.environ) as killed:
        try:
            while killed.poll() is None and (not answers.exists() or answers.read_bytes().count(b"\n") < 40):
                time.sleep(0.02)
        finally:
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        kept = answers.read_bytes().count(b"\n") - 1
        assert 30 < kept < 352, killed.stderr.read().decode()
    done = CliRunner().invoke(app, command(folder, tmp_path, "--resume", "--json")[3:])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["biased"] == "first" and told["lines"][0]["first"] == 96 and told["model"] == "model"
    assert any(f"{kept} answers taken over" in note for note in told["receipt"]["notes"])
    result = pc.load(tmp_path / "result.npz")
    assert [reply.answer for reply in result.replies] == [reply.answer for reply in found.replies]
    assert len(answers.read_text().splitlines()) == 353 and (tmp_path / "positional_bias.html").exists()
    assert str(folder) not in (tmp_path / "positional_bias.html").read_text() + (tmp_path / "answers.jsonl").read_text()
    assert (
        Plan.load(tmp_path / "plan.yaml").most == 2 and len((tmp_path / "answers.csv").read_text().splitlines()) >= 353
    )


def test_a_model_that_cannot_be_had_says_how_to_get_one(tmp_path):
    done = CliRunner().invoke(app, ["positional-bias", "run", "--out", str(tmp_path / "out")])
    assert done.exit_code == 1 and not (tmp_path / "out").exists()
    assert "Qwen/Qwen2.5-1.5B-Instruct" in done.output and "--model FOLDER" in done.output and "--demo" in done.output


def test_a_device_that_is_not_there_is_one_line(folder, tmp_path):
    given = ["--model", str(folder / "model"), "--out", str(tmp_path / "out"), "--device", "cuda:77"]
    done = CliRunner().invoke(app, ["positional-bias", "run", *given])
    assert done.exit_code == 1 and "--device cuda:77" in done.output and "Traceback" not in done.output


def test_a_plan_in_another_language_about_other_things(first):
    """Hiring, names of several words, no system message: the same study."""
    model, _ = first
    plan = Plan(
        pairs=(("Jörg Müller", "Ayşe Yılmaz"), ("Jörg Müller", "李 明")),
        categories=(("Pflege", "die Pflege"), ("IT", "die IT")),
        styles=("",),
        question="Wer passt besser für {category}: {first} oder {second}? Nur den Namen.",
        system="",
        nonsense=("Xaq Zov", "Wib Uhm"),
        method="PermutationShap(orders=1)",
        most=1,
    )
    result = run(model, plan)
    assert len(result.combinations) == 4 and result.line("names without meaning").combinations == 2
    assert len(result.explained) == min(1, len(result.discordant))


def test_short_templates_are_a_plan_like_any_other():
    assert Plan(**SHORT).comparisons == 96
