"""The study on what it is not made for: other languages, long prompts, names alike, plain tokenizers, coarse numbers, gates."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import pellucid as pc
from pellucid.cli.app import app
from pellucid.studies.positional_bias import Plan, run

pytest.importorskip("torch", reason="torch is an optional framework")
pytest.importorskip("transformers", reason="transformers is an optional framework")
pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
HIRING = """
title: Wer wird eingeladen?
pairs: [[Jörg Müller, Ayşe Yılmaz], [Jörg Müller, Li Ming]]
categories: {Pflege: die Pflege, IT: die IT}
styles: [""]
question: "Wer passt besser für {category}: {first} oder {second}? Nur den Namen."
system: ""
tokens: all
nonsense: [Xaq Zov, Wib Uhm]
method: KernelShap(samples=60)
masker: Phrases(phrases=('Jörg Müller', 'Ayşe Yılmaz', 'Li Ming', 'Pflege', 'IT'), neutral=(('Jörg Müller', 'jemand'),), fill='...')
most: 2
"""
SMALL = Plan(
    options=("MSFT", "NVDA"),
    categories=("ESG",),
    styles=("",),
    system="",
    question="{category}: {first} or {second}?",
    nonsense=(),
    method="Occlusion()",
)


@pytest.fixture(scope="module")
def small():
    return pytest.importorskip("small_lm")


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    """A network with random weights and its tokenizer, as files."""
    where = tmp_path_factory.mktemp("lm")
    small.qwen().save_pretrained(where)
    small.tokenizer().save_pretrained(where)
    return where


def asked(folder, plan, out, *more):
    plan.save(out / "asked.yaml")
    given = ["--model", folder, "--plan", out / "asked.yaml", "--out", out / "out", *more]
    return CliRunner().invoke(app, ["positional-bias", "run", *map(str, given)])


def test_hiring_in_german_by_a_file_with_controls_remedies_and_neutral_words(tmp_path):
    (tmp_path / "plan.yaml").write_text(HIRING, encoding="utf-8")
    given = ["--demo", "first", "--plan", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, ["positional-bias", "run", *given])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    lines = {(line["by"], line["name"]): line for line in told["lines"]}
    assert lines["all", "all"]["first"] == 4 and lines["control", "names without meaning"]["combinations"] == 2
    assert ("style", "") not in lines and lines["category", "IT"]["first"] == 2
    assert told["identical"] == 6 and told["misnamed"] == 0
    before, both, unknown, others = told["remedies"]
    assert before["first"] == 4 and both["first"] == both["second"] == 0 and abs(both["position"]) < 1e-9
    assert abs(unknown["position"]) < abs(before["position"]) and abs(others["position"]) < 1e-6
    page = (tmp_path / "out" / "positional_bias.html").read_text(encoding="utf-8")
    assert "Ayşe Yılmaz" in page and "Wer passt besser für die Pflege" in page
    assert "neutral=(('Jörg Müller', 'jemand'),)" in told["receipt"]["masker"]
    result = pc.load(tmp_path / "out" / "result.npz")
    assert {len(record.target.a) for record in result.attributions} == {2}
    assert max(np.abs(record.gap).max() for record in result.attributions) < 1e-4
    roles = {line.role: line for line in result.roles if line.order == "both"}
    assert roles["option named first"].mean > 1 and roles["option named first"].share > 0.5


def test_names_that_begin_with_the_same_token_are_compared_whole_or_not_at_all(folder, tmp_path):
    plan = replace(SMALL, options=("AMD", "AMZN"), pairs=())
    done = asked(folder, plan, tmp_path)
    assert done.exit_code == 1 and "begin with the same token 'AM'" in done.output and "tokens='all'" in done.output
    done = asked(folder, replace(plan, tokens="all"), tmp_path, "--resume", "--json")
    assert (
        done.exit_code == 1 and "another plan" in done.output
    )  # nothing was asked, but the folder is the first plan's
    whole = tmp_path / "whole"
    whole.mkdir()
    done = asked(folder, replace(plan, tokens="all"), whole, "--json")
    assert done.exit_code == 0, done.output
    assert all(np.isfinite(reply.log_odds) for reply in pc.load(whole / "out" / "result.npz").replies[:2])


def test_a_prompt_beyond_the_context_stops_the_run_and_what_was_answered_stays(folder, small, tmp_path):
    plan = replace(SMALL, categories=(("short", "ESG"), ("long", "ESG reasons " * 60)), identical=False)
    done = asked(folder, plan, tmp_path, "--batch", 2)
    assert done.exit_code == 1 and "reads 160" in done.output and "Traceback" not in done.output
    kept = (tmp_path / "out" / "answers.jsonl").read_text().splitlines()
    assert len(kept) == 3  # what is asked, and the short question in both orders
    model = pc.CausalLM.load(str(folder))
    model.model.config.max_position_embeddings = 900  # rotations reach as far as one likes
    assert json.loads(kept[1])["category"] == "short"
    result = run(model, plan)
    assert [reply.answer for reply in result.replies[:2]] == [json.loads(line)["answer"] for line in kept[1:]]


@pytest.mark.parametrize("given", [{"chat": False}, {"pad": False}, {"chat": False, "pad": False}], ids=str)
def test_a_tokenizer_without_padding_or_a_template(small, given):
    cut = small.tokenizer(**given)
    result = run(pc.CausalLM(small.qwen(), cut), replace(SMALL, categories=("ESG", "Fundamental")))
    first, other = (cut(name, add_special_tokens=False)["input_ids"][0] for name in SMALL.options)
    for reply in result.replies[:4]:
        own = small.own_logits(small.qwen(), cut, reply.user)
        assert reply.log_odds == pytest.approx(float(own[first] - own[other]), abs=1e-5)


def test_answers_that_are_neither_option_are_counted_for_none(small):
    """Random weights answer anything."""
    result = run(pc.CausalLM(small.qwen(), small.tokenizer()), SMALL)
    line = result.line("all")
    assert (
        line.unclear == 1
        and line.clear == 0
        and {reply.chosen for reply in result.replies[:2]} <= {None, *SMALL.options}
    )
    assert all(reply.answer for reply in result.replies) and result.biased is None and not result.explained
    assert result.misnamed == result.identical == 2


def test_half_precision_on_a_processor_says_that_it_is_coarse(small):
    net = small.qwen().bfloat16()
    result = run(pc.CausalLM(net, small.tokenizer()), SMALL)
    exact = run(pc.CausalLM(small.qwen(), small.tokenizer()), SMALL)
    near = [abs(a.log_odds - b.log_odds) for a, b in zip(result.replies[:2], exact.replies[:2], strict=True)]
    assert 0 < max(near) < 0.5 and all(np.isfinite(near))
    assert any("16-bit" in warning for warning in result.receipt.warnings) and not exact.receipt.warnings


def test_a_gated_model_says_how_to_get_in(monkeypatch, tmp_path):
    import transformers

    def refused(*_names, **_more):
        raise OSError("You are trying to access a gated repo.\nMake sure to have access to it.")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refused)
    done = CliRunner().invoke(app, ["positional-bias", "run", "--model", "some/model", "--out", str(tmp_path / "out")])
    assert done.exit_code == 1 and "gated" in done.output and "HF_TOKEN" in done.output and "--demo" in done.output


def test_empty_names_make_no_prompt():
    with pytest.raises(pc.InputError, match="is no choice"):
        replace(SMALL, options=("MSFT", " "), pairs=())
    with pytest.raises(pc.InputError, match="no place"):
        replace(SMALL, question="")
