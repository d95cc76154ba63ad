"""Causal language models: the numbers are transformers' own, whatever the batch and the kept prefixes; what they are asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pellucid as pc

pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

SYSTEM = "You are a Conservative financial advisor."
ODDS = pc.LogOdds("MSFT", "NVDA")


@pytest.fixture(scope="module")
def small():
    """The library is loaded by the first test, not when tests are collected."""
    return pytest.importorskip("small_lm", reason="transformers is an optional framework")


@pytest.fixture(scope="module")
def net(small):
    return small.qwen()


@pytest.fixture(scope="module")
def cut(small):
    return small.tokenizer()


def first(cut, text):
    return cut(text, add_special_tokens=False)["input_ids"][0]


# --- the numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("chat", [True, False])
def test_log_odds_are_the_networks_own(small, net, cache, chat):
    cut = small.tokenizer(chat=chat, pad=chat)
    own = torch.stack([small.own_logits(net, cut, text, SYSTEM) for text in small.PROMPTS])
    expected = own[:, first(cut, "MSFT")] - own[:, first(cut, "NVDA")]
    model = pc.CausalLM(net, cut, system=SYSTEM, cache=cache)
    for size in (None, 1, 2):
        a = pc.explain(model, small.PROMPTS, pc.Occlusion(), target=ODDS, batch_size=size)
        np.testing.assert_allclose(a.scores, expected, atol=1e-5)
    chance = pc.explain(model, small.PROMPTS, pc.Occlusion(), target=pc.Token("MSFT", scale="probability"))
    np.testing.assert_allclose(chance.scores, torch.softmax(own, 1)[:, first(cut, "MSFT")], rtol=1e-4)


def test_every_coalition_is_asked_as_the_prompt_that_it_is(small, net, cut):
    """Occlusion by hand: each message written anew, put into its template and asked alone."""
    text, model = "Which company is better, MSFT or NVDA?", pc.CausalLM(net, cut, system=SYSTEM)
    a = pc.explain(model, [text], pc.Occlusion(), target=pc.Token("MSFT"))
    assert a.data[0].tolist() == ["Which", "company", "is", "better", ",", "MSFT", "or", "NVDA", "?"]
    whole = small.own_logits(net, cut, text, SYSTEM)[first(cut, "MSFT")]
    for part, written in [(1, "Which is better, MSFT or NVDA?"), (5, "Which company is better, or NVDA?")]:
        without = small.own_logits(net, cut, written, SYSTEM)[first(cut, "MSFT")]
        assert a.values[0, part] == pytest.approx(float(whole - without), abs=1e-5)


def test_whole_answers_are_the_sum_of_their_tokens(small, net, cut):
    """By hand: the answer's tokens are appended and the network is asked once, without a cache."""
    text = small.PROMPTS[0]
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    prompt = cut.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]

    def slow(answer):
        ids = cut(answer, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            told = torch.log_softmax(net(torch.tensor([prompt + ids])).logits[0].double(), -1)
        return sum(float(told[len(prompt) + i - 1, token]) for i, token in enumerate(ids)), len(ids)

    (msft, many), (sentiment, _) = slow("MSFT"), slow("the Sentiment")
    assert many == 2
    for cache in (True, False):
        model = pc.CausalLM(net, cut, system=SYSTEM, cache=cache)
        odds = pc.LogOdds("MSFT", "the Sentiment", tokens="all")
        a = pc.explain(model, [text, small.PROMPTS[1]], pc.Occlusion(), target=odds)
        assert a.scores[0] == pytest.approx(msft - sentiment, abs=1e-5) and a.receipt.scale == "log probability"
        b = pc.explain(model, [text], pc.Occlusion(), target=pc.Answer("MSFT"))
        assert b.scores[0] == pytest.approx(msft, abs=1e-5)
        c = pc.explain(model, [text], pc.Occlusion(), target=pc.Answer("MSFT", scale="probability"))
        assert c.scores[0] == pytest.approx(np.exp(msft), rel=1e-4)


def test_answers_are_what_generate_says(small, net, cut):
    model = pc.CausalLM(net, cut)
    found = model.ask(small.PROMPTS, target=pc.LogOdds("MSFT", "NVDA", tokens="all"), longest=6)
    for text, ids in zip(small.PROMPTS, found.ids, strict=True):
        fed = cut.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt"
        )
        made = net.generate(**fed, max_new_tokens=6, do_sample=False, pad_token_id=0)[0, fed["input_ids"].shape[1] :]
        expected = made.tolist()
        assert list(ids) == (expected[: expected.index(2)] if 2 in expected else expected)
    a = pc.explain(model, small.PROMPTS, pc.Occlusion(), target=pc.LogOdds("MSFT", "NVDA", tokens="all"))
    np.testing.assert_allclose(found.scores, a.scores, atol=1e-5)
    assert found.rows == 3 and len(found.texts) == 3
    alone = pc.CausalLM(net, cut, cache=False).ask(small.PROMPTS, longest=6)
    assert alone.ids == found.ids and alone.scores is None


def test_an_answer_ends_where_the_model_ends_it(small, cut):
    net = small.qwen(seed=3)
    with torch.no_grad():
        net.lm_head.weight[2] = 4 * net.lm_head.weight[2]  # the end of an answer becomes likely
    found = pc.CausalLM(net, cut).ask(small.PROMPTS * 3, longest=30)
    lengths = {len(ids) for ids in found.ids}
    assert min(lengths) < 30 and all(2 not in ids for ids in found.ids)


def test_each_row_has_its_own_question(small, net, cut):
    model = pc.CausalLM(net, cut)
    target = pc.LogOdds(("MSFT", "GOOGL", "NVDA"), ("NVDA", "TSLA", "MSFT"))
    a = pc.explain(model, small.PROMPTS, pc.KernelShap(samples=80), target=target)
    for row, (one, other) in enumerate(zip(target.a, target.b, strict=True)):
        alone = pc.explain(model, [small.PROMPTS[row]], pc.KernelShap(samples=80), target=pc.LogOdds(one, other))
        np.testing.assert_allclose(alone.values[0], a.values[row, : alone.values.shape[1]], atol=1e-5)
    assert a.target == pc.LogOdds(target.a, target.b, scale="raw")


def test_the_default_target_is_the_token_that_the_answer_begins_with(small, net, cut):
    model = pc.CausalLM(net, cut)
    a = pc.explain(model, small.PROMPTS, pc.Occlusion())
    own = torch.stack([small.own_logits(net, cut, text) for text in small.PROMPTS])
    np.testing.assert_allclose(a.scores, own.max(dim=1).values, atol=1e-5)
    b = pc.explain(model, small.PROMPTS, pc.Occlusion(), target=a.target)
    np.testing.assert_allclose(b.values, a.values, atol=1e-6)
    named = pc.explain(model, small.PROMPTS, pc.Occlusion(), target="MSFT")
    np.testing.assert_allclose(named.scores, own[:, first(cut, "MSFT")], atol=1e-5)
    most = pc.explain(model, small.PROMPTS, pc.Occlusion(), target=lambda outputs: outputs.max(axis=1))
    np.testing.assert_allclose(most.scores, a.scores, atol=1e-5)


# --- the values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", [pc.KernelShap(samples=120), pc.PermutationShap(orders=4), pc.PartitionShap(orders=4)], ids=repr
)
@pytest.mark.parametrize("target", [ODDS, pc.LogOdds("MSFT", "NVDA", tokens="all")], ids=repr)
def test_values_add_up_on_every_prompt(small, net, cut, method, target):
    a = pc.explain(pc.CausalLM(net, cut, system=SYSTEM), small.PROMPTS, method, target=target)
    assert np.abs(a.values).max() > 1e-2
    np.testing.assert_allclose(a.gap, 0, atol=1e-5)
    empty = small.own_logits(net, cut, "", SYSTEM)
    if target == ODDS:
        base = float(empty[first(cut, "MSFT")] - empty[first(cut, "NVDA")])
        np.testing.assert_allclose(a.base_values, base, atol=1e-5)  # the template without a message


def test_exact_values_of_a_short_prompt(small, net, cut):
    model = pc.CausalLM(net, cut)
    exact = pc.explain(model, ["is MSFT better, NVDA?"], pc.ExactShapley(), target=ODDS)
    assert exact.values.shape[1] <= 12
    all_of_them = pc.explain(model, ["is MSFT better, NVDA?"], pc.KernelShap(samples=2**12), target=ODDS)
    np.testing.assert_allclose(all_of_them.values, exact.values, atol=1e-5)


@pytest.mark.parametrize("method", [pc.KernelShap(samples=100), pc.PartitionShap(), pc.LIME(samples=60)], ids=repr)
def test_kept_prefixes_change_nothing_but_the_work(small, net, cut, method):
    shared = pc.explain(pc.CausalLM(net, cut, SYSTEM), small.PROMPTS, method, target=ODDS)
    plain = pc.explain(pc.CausalLM(net, cut, SYSTEM, cache=False), small.PROMPTS, method, target=ODDS)
    np.testing.assert_allclose(shared.values, plain.values, atol=1e-5)
    (note,) = shared.receipt.notes[-1:]
    computed, whole = (int(word.replace(",", "")) for word in note.split() if word.replace(",", "").isdigit())
    assert note.startswith("shared prefixes") and computed < 0.6 * whole and not plain.receipt.notes


def test_a_network_that_looks_back_a_bounded_way(small, cut):
    """Its window counts places, which padding between what is kept and what is new would take up."""
    import transformers

    torch.manual_seed(0)
    config = transformers.MistralConfig(
        vocab_size=420,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=24,
        max_position_embeddings=160,
        initializer_range=0.2,
    )
    net = transformers.MistralForCausalLM(config).eval()
    a, b = (
        pc.explain(pc.CausalLM(net, cut, cache=cache), small.PROMPTS, pc.KernelShap(samples=40), target=ODDS)
        for cache in (True, False)
    )
    np.testing.assert_allclose(a.values, b.values, atol=1e-5)
    own = torch.stack([small.own_logits(net, cut, text) for text in small.PROMPTS])
    np.testing.assert_allclose(a.scores, own[:, first(cut, "MSFT")] - own[:, first(cut, "NVDA")], atol=1e-5)
    assert a.receipt.notes and "shared prefixes" in a.receipt.notes[-1]


def test_a_network_with_learnt_positions(small, cut):
    """Unlike rotations, these tell where a token stands, not only how far it is from others."""
    import transformers

    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=420,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=160,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    net = transformers.GPT2LMHeadModel(config).eval()
    a = pc.explain(pc.CausalLM(net, cut), small.PROMPTS, pc.KernelShap(samples=40), target=ODDS)
    b = pc.explain(pc.CausalLM(net, cut, cache=False), small.PROMPTS, pc.KernelShap(samples=40), target=ODDS)
    own = torch.stack([small.own_logits(net, cut, text) for text in small.PROMPTS])
    np.testing.assert_allclose(a.scores, own[:, first(cut, "MSFT")] - own[:, first(cut, "NVDA")], atol=1e-5)
    np.testing.assert_allclose(a.values, b.values, atol=1e-5)


def test_a_network_that_looks_back_a_bounded_way_in_some_layers(small, cut):
    """Prompts inside the window share prefixes; longer ones are computed whole, because layers want different masks."""
    import transformers

    torch.manual_seed(0)
    for window, shares in ((200, True), (12, False)):
        config = transformers.Qwen2Config(
            vocab_size=420, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, sliding_window=window, use_sliding_window=True, max_window_layers=1,
            max_position_embeddings=160, initializer_range=0.25,
        )  # fmt: skip
        net = transformers.Qwen2ForCausalLM(config).eval()
        assert set(config.layer_types) == {"full_attention", "sliding_attention"}
        a = pc.explain(pc.CausalLM(net, cut), small.PROMPTS, pc.KernelShap(samples=40), target=ODDS)
        own = torch.stack([small.own_logits(net, cut, text) for text in small.PROMPTS])
        np.testing.assert_allclose(a.scores, own[:, first(cut, "MSFT")] - own[:, first(cut, "NVDA")], atol=1e-5)
        assert bool(a.receipt.notes) == shares


# --- the tree of tokens -----------------------------------------------------------------------------------------------


def branching(seed, count, longest, letters=3):
    """Sequences that begin alike in many ways, some of them twice, some a beginning of others."""
    rng = np.random.default_rng(seed)
    made = [rng.integers(5, 5 + letters, rng.integers(1, longest)).tolist() for _ in range(count)]
    return [*made, *made[:3], made[0][:1]]


@pytest.mark.parametrize("tokens", [1, 7, 40, 10**6])
def test_pieces_hold_every_token_of_the_tree_once_and_each_sees_its_own_sequence(tokens):
    from pellucid.models.token_tree import tree

    sequences = branching(0, 60, 12)
    distinct = {tuple(s[:n]) for s in sequences for n in range(1, len(s) + 1)}
    pieces, seen, last = list(tree(sequences, tokens, 10**6)), [], []
    assert sum(len(piece.ids) for piece in pieces) == len(distinct)
    assert sorted(row for piece in pieces for row in piece.rows) == list(range(len(sequences)))
    for piece in pieces:
        assert len(piece.ids) <= max(tokens, 12)
        known = [*last[: piece.kept], *piece.ids.tolist()]  # every kept place is the path to the one before
        mask = piece.seen(None)
        for row, where, end in zip(piece.rows, piece.where, piece.ends, strict=True):
            assert [known[i] for i in where] == sequences[row]
            if mask is not None and end >= 0:
                assert np.flatnonzero(mask[0, end]).tolist() == where.tolist()
            near = piece.seen(3)
            assert near is not None and np.flatnonzero(near[0, end]).tolist() == where[-3:].tolist()
        seen += piece.places.tolist()
        last = [known[i] for i in piece.where[-1]]
    assert max(seen) == max(map(len, sequences)) - 1


@pytest.mark.parametrize("tokens", [8, 50])
@pytest.mark.parametrize("window", [None, 5])
def test_the_tree_gives_the_logits_of_each_sequence_alone(small, monkeypatch, tokens, window):
    """And those after more tokens, and the greedy answers; a window counts places of the sequence."""
    import transformers

    from pellucid.models import prefixes

    monkeypatch.setitem(prefixes._PIECE, "cpu", tokens)
    net = small.qwen()
    if window:
        torch.manual_seed(0)
        config = transformers.MistralConfig(
            vocab_size=420, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, sliding_window=window, max_position_embeddings=160, initializer_range=0.25,
        )  # fmt: skip
        net = transformers.MistralForCausalLM(config).eval()
    sequences, network, met = branching(1, 40, 14), prefixes.Network(net), []

    def alone(ids):
        with torch.no_grad():
            return net(torch.tensor([ids])).logits[0]

    def use(end):
        met.extend(end.rows)
        some = np.arange(len(end.rows))[::2]
        onward, said = end.after([6, 7], some), end.greedily(3, frozenset())
        for i, row in enumerate(end.rows):
            torch.testing.assert_close(end.logits[i], alone(sequences[row])[-1], atol=1e-5, rtol=0)
        for i, logits in zip(some, onward, strict=True):
            torch.testing.assert_close(logits, alone([*end.sequences[i], 6, 7])[-2:], atol=1e-5, rtol=0)
        ids = list(end.sequences[0])
        for token in said[0]:
            assert token == int(alone(ids)[-1].argmax())
            ids.append(token)
        assert end.greedily(2, frozenset()) == [one[:2] for one in said]  # what went on before changed nothing

    network.read(sequences, use)
    assert network.cached and sorted(met) == list(range(len(sequences)))


def test_a_network_that_is_not_the_same_in_pieces_is_asked_the_plain_way(small, cut):
    """One that looks at how far a token stands in its row, whatever its place: no mask and no position say so."""
    net = small.qwen()
    inner = net.model.layers[1].forward

    def counting(hidden, *args, **given):
        drift = torch.arange(hidden.shape[1], dtype=hidden.dtype)[None, :, None] / 50
        return inner(hidden + drift, *args, **given)

    net.model.layers[1].forward = counting
    a = pc.explain(pc.CausalLM(net, cut), small.PROMPTS[:1], pc.KernelShap(samples=40), target=ODDS)
    b = pc.explain(pc.CausalLM(net, cut, cache=False), small.PROMPTS[:1], pc.KernelShap(samples=40), target=ODDS)
    assert not a.receipt.notes
    np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)


def test_an_attention_that_takes_no_mask_of_its_own_shares_nothing(small):
    from pellucid.models.prefixes import Network

    net = small.qwen()
    assert Network(net).cached
    net.config._attn_implementation = "flash_attention_2"
    assert not Network(net).cached


# --- the frame --------------------------------------------------------------------------------------------------------


def test_a_template_that_trims_is_followed(small, net):
    cut = small.tokenizer()
    cut.chat_template = small.TEMPLATE.replace("message['content']", "message['content'] | trim")
    model, text = pc.CausalLM(net, cut), "  Which, MSFT or NVDA?  "
    a = pc.explain(model, [text], pc.Occlusion(), target=ODDS)
    own = small.own_logits(net, cut, text)
    assert a.scores[0] == pytest.approx(float(own[first(cut, "MSFT")] - own[first(cut, "NVDA")]), abs=1e-5)
    assert a.data[0].tolist() == ["Which", ",", "MSFT", "or", "NVDA", "?"]


def test_a_template_of_the_users_own(small, net):
    cut = small.tokenizer(chat=False)
    model = pc.CausalLM(net, cut, system="Answer.", template="{system} Q: {user} A:")
    a = pc.explain(model, ["MSFT or NVDA?"], pc.Occlusion(), target=ODDS)
    with torch.no_grad():
        own = net(**cut("Answer. Q: MSFT or NVDA? A:", return_tensors="pt")).logits[0, -1]
    assert a.scores[0] == pytest.approx(float(own[first(cut, "MSFT")] - own[first(cut, "NVDA")]), abs=1e-5)
    with pytest.raises(pc.ModelError, match=r"hold \{user\} once"):
        pc.CausalLM(net, cut, template="Q: A:")
    with pytest.raises(pc.ModelError, match=r"write \{system\} into it"):
        pc.CausalLM(net, cut, system="Answer.", template="{user}")


def test_a_template_that_refuses_a_system_message(small, net):
    cut = small.tokenizer()
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    cut.chat_template = refusal + "{{ messages[-1]['content'] }}"
    with pytest.raises(pc.ModelError, match=r"refused this conversation.*template="):
        pc.explain(pc.CausalLM(net, cut, system="x"), ["MSFT"], pc.Occlusion(), target=ODDS)
    assert pc.explain(pc.CausalLM(net, cut), ["MSFT"], pc.Occlusion(), target=ODDS).gap is not None


def test_saved_and_loaded_from_a_folder(small, net, cut, tmp_path):
    net.save_pretrained(tmp_path)
    cut.save_pretrained(tmp_path)
    loaded = pc.CausalLM.load(str(tmp_path), system=SYSTEM)
    a = pc.explain(loaded, small.PROMPTS, pc.PartitionShap(orders=2), target=ODDS)
    b = pc.explain(pc.CausalLM(net, cut, SYSTEM), small.PROMPTS, pc.PartitionShap(orders=2), target=ODDS)
    np.testing.assert_allclose(a.values, b.values, atol=1e-6)
    a.save(tmp_path / "record.npz")
    assert pc.load(tmp_path / "record.npz").target == a.target == pc.LogOdds("MSFT", "NVDA", scale="raw")


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_answers_that_begin_with_the_same_token(small, net, cut):
    model = pc.CausalLM(net, cut)
    assert first(cut, "AMD") == first(cut, "AMZN")
    with pytest.raises(pc.TargetError, match=r"'AMD' and 'AMZN' begin with the same token 'AM'.*tokens='all'"):
        pc.explain(model, small.PROMPTS, pc.Occlusion(), target=pc.LogOdds("AMD", "AMZN"))
    a = pc.explain(model, small.PROMPTS, pc.Occlusion(), target=pc.LogOdds("AMD", "AMZN", tokens="all"))
    assert np.isfinite(a.scores).all()
    with pytest.raises(pc.TargetError, match="contrasts an answer with itself"):
        pc.LogOdds("MSFT", "MSFT")
    with pytest.raises(pc.TargetError, match="choose 'first' or 'all'"):
        pc.LogOdds("MSFT", "NVDA", tokens="last")


def test_prompts_that_cannot_be_asked(small, net, cut):
    model = pc.CausalLM(net, cut)
    with pytest.raises(pc.InputError, match="row 1 of x is an empty message"):
        pc.explain(model, ["MSFT?", "  "], pc.Occlusion(), target=ODDS)
    with pytest.raises(pc.InputError, match=r"prompt 1 of 2 has \d+ tokens.*reads 160"):
        pc.explain(model, ["MSFT?", "Which company is better? " * 40], pc.Occlusion(), target=ODDS)
    with pytest.raises(pc.InputError, match="reads 160"):
        pc.explain(model, ["MSFT or NVDA " * 8], pc.Occlusion(), target=ODDS, masker=pc.Tokens(fill="hmm " * 40))
    with pytest.raises(pc.InputError, match="takes texts"):
        pc.explain(model, np.ones((2, 3)), pc.Occlusion(), target=ODDS)
    with pytest.raises(pc.TargetError, match=r"asks for columns.*Token"):
        pc.explain(model, ["MSFT?"], pc.Occlusion(), target=pc.Output(3))
    with pytest.raises(pc.TargetError, match="out of range"):
        pc.explain(model, ["MSFT?"], pc.Occlusion(), target=10**6)
    with pytest.raises(pc.TargetError, match="no logit of its own"):
        pc.explain(model, ["MSFT?"], pc.Occlusion(), target=pc.Answer("MSFT", scale="raw"))
    with pytest.raises(pc.TargetError, match="1 answers for 2 rows: give one, or one a row"):
        pc.explain(model, ["a?", "b?"], pc.Occlusion(), target=pc.Token(("MSFT",)))


def test_models_that_are_no_causal_language_models(small, net, cut):
    import transformers

    small_bert = pytest.importorskip("small_bert")
    for other in (small_bert.bert(), small_bert.gpt()):
        with pytest.raises(pc.ModelError, match=r"from left to right.*TextModel"):
            pc.CausalLM(other, small_bert.tokenizer())
    masked = transformers.BertLMHeadModel(small_bert.bert().config)
    with pytest.raises(pc.ModelError, match="from left to right"):
        pc.CausalLM(masked, small_bert.tokenizer())
    config = transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    with pytest.raises(pc.ModelError, match="encoder before its decoder"):
        pc.CausalLM(transformers.T5ForConditionalGeneration(config), cut)
    with pytest.raises(pc.TargetError, match="wrap a network with a language-model head in CausalLM"):
        pc.explain(pc.TextModel(small_bert.bert(), small_bert.tokenizer()), ["so"], pc.Occlusion(), target=ODDS)
    with pytest.raises(pc.ModelError, match="holds no causal language model"):
        pc.CausalLM.load("/tmp")


def test_left_as_found(small, cut):
    net = small.qwen()
    net.train()
    backend = cut.backend_tokenizer
    backend.enable_truncation(9)
    before = backend.truncation, cut.padding_side, cut.pad_token
    try:
        pc.explain(pc.CausalLM(net, cut), small.PROMPTS, pc.KernelShap(samples=40), target=ODDS)
        assert (backend.truncation, cut.padding_side, cut.pad_token) == before
    finally:
        backend.no_truncation()
    assert all(module.training for module in net.modules()) and all(p.requires_grad for p in net.parameters())
