"""Activations: what layers say is what torch says when asked by hand, whatever the batch, and padding is no number."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pellucid as pc
from nets import cnn, mlp
from small_bert import bert, byte_tokenizer, gpt, tokenizer

TEXTS = ["a great film", "boring", "so boring , not fun !", "the film ended"]


def by_hand(net, x, name):
    """The layer's output as an independent hook sees it, copied at once; one call with all rows."""
    kept = []
    handle = net.get_submodule(name).register_forward_hook(lambda m, i, o: kept.append(o.detach().clone()))
    net.eval()
    with torch.no_grad():
        net(torch.as_tensor(x))
    handle.remove()
    return kept[-1].numpy()


def test_layers_are_what_torch_says_in_one_pass():
    """Also in front of an in-place activation, which must not change what was seen."""
    net, x = cnn().train(), np.random.default_rng(0).normal(size=(5, 2, 8, 8)).astype(np.float32)
    calls = []
    handle = net.register_forward_hook(lambda m, i, o: calls.append(len(o)))
    found = pc.activations(net, x, ["4", "0", "1", "9"], batch_size=2)
    handle.remove()
    assert list(found) == ["4", "0", "1", "9"] and calls == [2, 2, 1]
    assert net.training and not any(m._forward_hooks for m in net.modules())
    assert all(p.requires_grad for p in net.parameters())
    for name, seen in found.items():
        np.testing.assert_allclose(seen, by_hand(net, x, name), atol=1e-6)
    assert (found["1"] < 0).any()


@pytest.mark.parametrize("kind", [list, torch.tensor, np.asarray])
def test_rows_of_any_kind_and_whole_numbers(kind):
    net = mlp()
    rows = [[1, 2, 3, 4], [0, 0, 1, 0]]
    found = pc.activations(net, kind(rows), "1")
    expected = torch.tanh(net[0](torch.tensor(rows).float())).detach().numpy()
    np.testing.assert_allclose(found["1"], expected, atol=1e-6)


def test_patterns_name_the_layers_of_one_depth():
    model = bert()
    found = pc.activations(pc.TextModel(model, tokenizer()), TEXTS, "bert.encoder.layer.*")
    assert list(found) == ["bert.encoder.layer.0", "bert.encoder.layer.1"]


@pytest.mark.parametrize("size", [1, 8192])
def test_texts_are_tokens_and_padding_is_nan(monkeypatch, size):
    """Every text as if it were alone; in the order given, whatever the batches were."""
    monkeypatch.setattr("pellucid.models.tokenized._TOKENS", size)
    model, tok = bert(), tokenizer()
    names = ["bert.embeddings", "bert.encoder.layer.1", "bert.pooler"]
    found = pc.activations(pc.TextModel(model, tok), TEXTS, names)
    lengths = [len(tok(text)["input_ids"]) for text in TEXTS]
    assert found["bert.encoder.layer.1"].shape == (4, max(lengths), 16) and found["bert.pooler"].shape == (4, 16)
    model.eval()
    for row, (text, length) in enumerate(zip(TEXTS, lengths, strict=True)):
        with torch.no_grad():
            alone = model.bert(**tok([text], return_tensors="pt"), output_hidden_states=True)
        for name, states in (("bert.embeddings", 0), ("bert.encoder.layer.1", 2)):
            tokens = found[name][row]
            np.testing.assert_allclose(tokens[:length], alone.hidden_states[states][0].numpy(), atol=1e-5)
            assert np.isnan(tokens[length:]).all()
        np.testing.assert_allclose(found["bert.pooler"][row], alone.pooler_output[0].numpy(), atol=1e-5)


def test_an_encoder_without_a_head_will_do():
    """Its own output is no score, and is not asked for."""
    whole = bert()
    found = pc.activations(pc.TextModel(whole.bert, tokenizer()), TEXTS, "encoder.layer.0")
    other = pc.activations(pc.TextModel(whole, tokenizer()), TEXTS, "bert.encoder.layer.0")
    np.testing.assert_allclose(found["encoder.layer.0"], other["bert.encoder.layer.0"], atol=1e-6)


def test_padding_on_the_left_leaves_tokens_first():
    model = gpt()
    model.config.pad_token_id = 0
    tok = byte_tokenizer(pad_token="!", padding_side="left")
    both = pc.activations(pc.TextModel(model, tok), ["ab", "abcd"], "transformer.h.0")["transformer.h.0"]
    alone = pc.activations(pc.TextModel(model, tok), ["abcd"], "transformer.h.0")["transformer.h.0"]
    np.testing.assert_allclose(both[1], alone[0], atol=1e-5)
    assert np.isfinite(both[0, :2]).all() and np.isnan(both[0, 2:]).all()


def test_ids_with_a_mask_of_ones_own():
    model, tok = bert(), tokenizer()
    fed = tok(TEXTS[:2], padding=True, return_tensors="np")
    mask = fed["attention_mask"]
    found = pc.activations(model, fed["input_ids"], "bert.encoder.layer.1", extra={"attention_mask": mask})
    texts = pc.activations(pc.TextModel(model, tok), TEXTS[:2], "bert.encoder.layer.1")
    np.testing.assert_allclose(found["bert.encoder.layer.1"], texts["bert.encoder.layer.1"], atol=1e-5)


Pair = namedtuple("Pair", "one two")


class Several(nn.Module):
    """Layers that give tuples, named tuples and dictionaries, one that runs twice and one that never runs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.twice, self.idle = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 4), nn.Linear(4, 4)
        self.named, self.keyed, self.turned = Gives(lambda x: Pair(x + 1, x)), Gives(lambda x: {"a": x * 2}), Turn()

    def forward(self, x):
        y, _ = self.lstm(x)
        y = self.twice(F.relu(self.twice(y)))
        y = self.keyed(self.named(y).one)["a"]
        return self.turned(y).sum((0, 2))


class Gives(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        return self.what(x)


class Turn(nn.Module):
    def forward(self, x):
        return x.transpose(0, 1)


def test_the_first_of_several_outputs_and_the_last_of_several_calls():
    net, x = Several(), np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    found = pc.activations(net, x, ["lstm", "twice", "named", "keyed"])
    lstm = net.lstm(torch.tensor(x))[0]
    twice = net.twice(F.relu(net.twice(lstm)))
    for name, wanted in (("lstm", lstm), ("twice", twice), ("named", twice + 1), ("keyed", 2 * (twice + 1))):
        np.testing.assert_allclose(found[name], wanted.detach().numpy(), atol=1e-6)


def test_the_wrong_layers_are_named_with_a_remedy():
    net, x = Several(), np.ones((3, 5, 3), np.float32)
    with pytest.raises(pc.MethodError, match=r"no layer 'twise'; the nearest are twice"):
        pc.activations(net, x, "twise")
    with pytest.raises(pc.MethodError, match=r"'idle' does not run.*it has lstm, twice, named, keyed, turned"):
        pc.activations(net, x, ["lstm", "idle"])
    with pytest.raises(pc.ModelError, match=r"'turned' gives shape \(5, 3, 4\) for 3 rows: rows must come first"):
        pc.activations(net, x, "turned")
    with pytest.raises(pc.MethodError, match=r"layers=\[\]"):
        pc.activations(net, x, [])
    with pytest.raises(pc.MethodError, match=r"function shows none: give a torch module"):
        pc.activations(lambda x: x, x, "0")
    with pytest.raises(pc.ModelError, match=r"the model raised"):
        pc.activations(net, np.ones((3, 5, 7)), "lstm")
    with pytest.raises(pc.InputError, match=r"empty"):
        pc.activations(net, np.ones((0, 5, 3)), "lstm")
    assert not any(m._forward_hooks for m in net.modules()) and net.training


def test_a_layer_whose_shape_follows_the_text_is_refused(monkeypatch):
    monkeypatch.setattr("pellucid.models.tokenized._TOKENS", 1)
    model = bert()
    model.set_attn_implementation("eager")
    with pytest.raises(pc.ModelError, match=r"for some rows and .* for others"):
        pc.activations(pc.TextModel(Flat(model.bert), tokenizer()), TEXTS, "flat")


class Flat(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.flat = encoder, nn.Flatten()

    def forward(self, input_ids, **more):
        return self.flat(self.encoder(input_ids, **more).last_hidden_state)
