"""Players of a message and what stands for absent ones; values of tokens added up to words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid as pc
from pellucid.core.spelling import parse
from pellucid.core.words import clauses, places

SYSTEM = "You are a Conservative financial advisor."
ODDS = pc.LogOdds("MSFT", "NVDA")
transformers_only = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def small():
    """The library is loaded by the first test, not when tests are collected."""
    return pytest.importorskip("small_lm", reason="transformers is an optional framework")


@pytest.fixture(scope="module")
def lm(small):
    return pc.CausalLM(small.qwen(), small.tokenizer(), system=SYSTEM)


def cut_up(spans, text):
    return [text[start:stop] for start, stop in spans]


def test_clauses():
    text = "Between A and B, which one? Reply (only once): now"
    assert cut_up(clauses(text), text) == ["Between A and B,", "which one?", "Reply (", "only once)", ":", "now"]
    assert clauses("") == () and cut_up(clauses("no marks"), "no marks") == ["no marks"]


def test_places_of_phrases():
    text = "MSFT or NVDA? MSFT, not MSFTX; NVDA? MSFT"
    assert cut_up(places(text, ["MSFT", "NVDA"]), text) == ["MSFT", "NVDA", "MSFT", "NVDA", "MSFT"]
    assert cut_up(places(text, ["NVDA", "NVDA? MSFT"]), text) == ["NVDA? MSFT", "NVDA? MSFT"]
    assert places(text, ["AMD"]) == ()


def test_refused_fills_and_phrases():
    def length(texts):
        return np.array([len(text) for text in texts], float)

    for fill in ("pad", "zero-embedding"):
        with pytest.raises(pc.MethodError, match=f"knows no '{fill}'"):
            pc.explain(length, ["one two"], pc.Occlusion(), masker=pc.Words(fill=fill))
    with pytest.raises(pc.MethodError, match="give texts"):
        pc.Phrases(phrases=("MSFT", ""))
    with pytest.raises(pc.MethodError, match="'system' stands nowhere in 'one two'"):
        pc.explain(length, ["one two"], pc.Occlusion(), masker=pc.Words(span="system"))
    a = pc.explain(length, ["one two, three"], pc.Occlusion(), masker=pc.Phrases(phrases="three"))
    assert a.data.tolist() == [["three"]] and a.values.tolist() == [[6.0]]


def test_what_is_between_named_phrases_stays():
    asked = []

    def read(texts):
        asked.extend(texts)
        return np.array([len(text) for text in texts], float)

    pc.explain(read, ["MSFT or NVDA, now?"], pc.ExactShapley(), masker=pc.Phrases(phrases=("MSFT", "NVDA")))
    assert set(asked) == {"MSFT or NVDA, now?", " or NVDA, now?", "MSFT or, now?", " or, now?"}
    asked.clear()
    pc.explain(read, ["MSFT or NVDA"], pc.ExactShapley(), masker=pc.Phrases(fill="it", phrases=("MSFT", "NVDA")))
    assert set(asked) == {"MSFT or NVDA", "it or NVDA", "MSFT or it", "it or it"}


# --- joined -----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["so", "great", "don't", "!", "3.5", "films", "é"]), min_size=1, max_size=6),
    st.integers(0, 9),
)
def test_joined_values_are_sums_of_their_characters(words, seed):
    """Players are single signs (every word is hidden sign by sign): joined, each word has the sum of its signs."""
    text, rng = " ".join(words), np.random.default_rng(seed)
    signs = [i for i, sign in enumerate(text) if sign != " "]
    labels = np.full((1, len(text)), -1)
    labels[0, signs] = np.arange(len(signs))
    values = rng.normal(size=(1, len(signs)))
    plain = pc.explain(lambda texts: np.array([len(t) for t in texts], float), [text], pc.Occlusion())
    from dataclasses import replace

    players = pc.Players(values, (), np.abs(values), labels, (tuple(text[i] for i in signs),))
    record = replace(plain, values=values, players=players)
    joined = record.joined()
    assert joined.data[0].tolist() == plain.data[0].tolist()
    at = 0
    for word, value in zip(joined.data[0], joined.values[0], strict=True):
        assert value == pytest.approx(values[0, at : at + len(word)].sum(), abs=1e-12)
        at += len(word)
    assert joined.values.sum() == pytest.approx(values.sum(), abs=1e-12)
    assert joined.stderr.sum() == pytest.approx(np.abs(values).sum(), abs=1e-12)


def test_joined_to_sentences_and_back_to_larger_parts():
    def marks(texts):
        return np.array([text.count("!") + 0.1 * len(text) for text in texts])

    texts = ["So good! Not bad.", "one"]
    words, sentences = (pc.explain(marks, texts, pc.KernelShap(), masker=m) for m in (pc.Words(), pc.Sentences()))
    by_sentence = words.joined("sentences")
    assert by_sentence.data[0].tolist() == ["So good!", "Not bad."] and by_sentence.mask.tolist() == [
        [True, True],
        [True, False],
    ]
    assert by_sentence.values[0, 0] == pytest.approx(words.values[0, :3].sum(), abs=1e-12)
    assert sentences.joined("words").data[0].tolist() == ["So good!", "Not bad."]  # no part is divided
    np.testing.assert_array_equal(sentences.joined("words").values, sentences.values)
    assert by_sentence[np.array([1])].players.row(0)[0] == ("one",)
    with pytest.raises(pc.InputError, match="choose 'words' or 'sentences'"):
        words.joined("letters")
    with pytest.raises(pc.InputError, match="for texts"):
        pc.explain(lambda x: x.sum(1), np.ones((2, 3)), pc.Occlusion(), masker=pc.Baseline(0)).joined()


def written(masker, text):
    """What the model is asked where each player is hidden alone, then all."""
    asked = []

    def model(texts):
        asked.extend(texts)
        return np.array([float(len(one)) for one in texts])

    a = pc.explain(model, [text], pc.Occlusion(), masker=masker)
    return a, asked


def test_single_players_have_a_neutral_text_of_their_own():
    text = "Buy MSFT or NVDA now"
    masker = pc.Words(neutral={"MSFT": "one company", "NVDA": "another"})
    a, asked = written(masker, text)
    assert {"Buy one company or NVDA now", "Buy MSFT or another now", "Buy MSFT NVDA now"} <= set(asked)
    assert "one company another" in asked  # all hidden: the others are deleted
    assert a.receipt.masker == "Words(fill='delete', neutral=(('MSFT', 'one company'), ('NVDA', 'another')))"
    assert parse(a.receipt.masker) == masker
    assert a.values[0, 1] == len("MSFT") - len("one company")
    _, asked = written(pc.Words(fill="...", neutral=(("MSFT", ""),)), text)
    assert {"Buy or NVDA now", "Buy MSFT ... NVDA now", "... ... ... ..."} <= set(asked)
    _, asked = written(pc.Phrases(phrases=("MSFT", "NVDA"), neutral=(("MSFT", "it"),)), text)
    assert {"Buy it or NVDA now", "Buy MSFT or now", "Buy it or now"} <= set(asked)
    assert repr(pc.Words()) == "Words(fill='delete')"


@pytest.mark.parametrize("given", ["MSFT", (("MSFT",),), ((1, "x"),), (("a", "x"), ("a", "y")), ((" ", "x"),)])
def test_neutral_texts_that_are_none(given):
    with pytest.raises(pc.MethodError, match="neutral="):
        pc.Words(neutral=given)


class TestLanguageModels:
    pytestmark = transformers_only

    def test_tokens_add_up_to_words(self, small, lm):
        a = pc.explain(lm, ["Wwhich of GOOGLers, AMZNs?"], pc.KernelShap(samples=60), target=ODDS)
        joined = a.joined()
        assert joined.data[0].tolist() == ["Wwhich", "of", "GOOGLers", ",", "AMZNs", "?"]
        np.testing.assert_allclose(joined.values.sum(axis=1), a.values.sum(axis=1), atol=1e-12)
        assert joined.values[0, 4] == pytest.approx(a.values[0, 10:12].sum(), abs=1e-12)  # AMZN + s
        np.testing.assert_array_equal(joined.gap, a.gap)

    def test_a_padding_token_takes_the_place_of_a_token(self, small, lm):
        """By hand: the token's number is exchanged, and the prompt keeps its length."""
        text, cut = small.PROMPTS[0], lm.tokenizer
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        ids = cut.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        a = pc.explain(lm, [text], pc.Occlusion(), target=ODDS, masker=pc.Tokens(fill="pad"))
        at = ids[0].tolist().index(cut.convert_tokens_to_ids("Ġcompany"))
        hidden = ids.clone()
        hidden[0, at] = cut.pad_token_id
        with torch.no_grad():
            own = [lm.model(one).logits[0, -1].double() for one in (ids, hidden)]
        first, other = (cut(name, add_special_tokens=False)["input_ids"][0] for name in ("MSFT", "NVDA"))
        drop = (own[0] - own[1])[first] - (own[0] - own[1])[other]
        assert a.data[0, 1] == "company" and a.values[0, 1] == pytest.approx(float(drop), abs=1e-5)

    @pytest.mark.parametrize("fill", ["zero-embedding", "mean-embedding"])
    def test_embeddings_of_no_word(self, small, lm, fill):
        text, cut = small.PROMPTS[0], lm.tokenizer
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        ids = cut.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        at = ids[0].tolist().index(cut.convert_tokens_to_ids("Ġcompany"))
        lookup = lm.model.get_input_embeddings()
        with torch.no_grad():
            vectors = lookup(ids).clone()
            whole = lm.model(inputs_embeds=vectors).logits[0, -1].double()
            vectors[0, at] = 0 if fill.startswith("zero") else lookup.weight.mean(dim=0)
            hidden = lm.model(inputs_embeds=vectors).logits[0, -1].double()
        first, other = (cut(name, add_special_tokens=False)["input_ids"][0] for name in ("MSFT", "NVDA"))
        drop = (whole - hidden)[first] - (whole - hidden)[other]
        for cache in (True, False):
            model = pc.CausalLM(lm.model, cut, SYSTEM, cache=cache)
            a = pc.explain(model, [text], pc.Occlusion(), target=ODDS, masker=pc.Tokens(fill=fill))
            assert a.values[0, 1] == pytest.approx(float(drop), abs=1e-5)

    def test_every_absence_is_told_and_adds_up(self, small, lm):
        base = {}
        size = len(lm.tokenizer)
        fills = ("delete", "pad", "zero-embedding", "mean-embedding", "it")
        for masker in [pc.Tokens(fill=fill) for fill in fills] + [pc.Words(), pc.Phrases(), pc.Sentences()]:
            a = pc.explain(lm, small.PROMPTS, pc.PartitionShap(orders=2), target=ODDS, masker=masker)
            np.testing.assert_allclose(a.gap, 0, atol=1e-5)
            assert a.receipt.masker == repr(masker)
            base[repr(masker)] = a.base_values[0]
        assert len({round(float(one), 4) for one in base.values()}) == len(fills)  # the last three delete too
        assert len(lm.tokenizer) == size and "\ue0b1" not in str(lm.tokenizer.get_added_vocab())

    def test_compare_shows_how_much_the_absence_matters(self, small, lm):
        fills = [pc.Deletion(fill=fill) for fill in ("delete", "pad")]
        found = pc.compare(lm, small.PROMPTS[:2], [pc.Occlusion(), pc.LIME(samples=40)], metrics=fills, target=ODDS)
        lines = {line.metric: line.mean for card in found.scorecards for line in card.lines}
        assert [curve.labels for curve in found.scorecards[0].curves] == [("delete",), ("pad",)]
        assert len(lines) == 2 and len({round(value, 6) for value in lines.values()}) == 2

    def test_no_padding_token(self, small):
        model = pc.CausalLM(small.qwen(), small.tokenizer(pad=False))
        with pytest.raises(pc.MethodError, match="knows no 'pad'"):
            pc.explain(model, small.PROMPTS, pc.Occlusion(), target=ODDS, masker=pc.Tokens(fill="pad"))
