"""A trained language model of 230,976 parameters: its own text, and explanations of what it says next."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pellucid as pc

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def lm():
    tiny_lm = pytest.importorskip("tiny_lm", reason="transformers is an optional framework")
    folder = tiny_lm.folder()
    if folder is None:
        pytest.skip("set PELLUCID_DATA to the folder that holds tiny_lm")
    net = tiny_lm.network(folder / "aidreams260K.bin")
    assert sum(p.numel() for p in net.parameters()) == 230_976
    return pc.CausalLM(net, tiny_lm.tokenizer(folder / "tok512.bin"))


def test_its_own_text_is_written_again(lm):
    """What the file's source states that it writes from its first token on."""
    ids = [1]
    with torch.no_grad():
        for _ in range(30):
            ids.append(int(lm.model(torch.tensor([ids])).logits[0, -1].argmax()))
    text = lm.tokenizer.decode(ids[1:])
    assert text.startswith('"Echoes of vectors unfold, a gentle hum of precision, as I sense the nodes')
    assert lm.tokenizer(text)["input_ids"] == ids
    start = '"Echoes of vectors unfold, a gentle hum'
    assert lm.ask([start], longest=8).texts[0].startswith("of precision")


def test_what_makes_it_say_the_next_word(lm):
    prompts = ['"Echoes of vectors unfold, a gentle', '"Echoes of vectors unfold, a']
    target = pc.Answer((" hum", " gentle"))
    a = pc.explain(lm, prompts, pc.PartitionShap(), target=target)
    np.testing.assert_allclose(a.gap, 0, atol=1e-5)
    assert (np.exp(a.scores) > 0.15).all() and (a.scores > a.base_values).all()
    plain = pc.explain(pc.CausalLM(lm.model, lm.tokenizer, cache=False), prompts, pc.PartitionShap(), target=target)
    np.testing.assert_allclose(plain.values, a.values, atol=1e-4)
    joined = a.joined()
    assert joined.data[0, :4].tolist() == ['"', "Echoes", "of", "vectors"]
    np.testing.assert_allclose(joined.values.sum(axis=1), a.values.sum(axis=1), atol=1e-9)


@pytest.mark.parametrize("method", [pc.LRP(), pc.DeepLift(), pc.IntegratedGradients(steps=64)], ids=repr)
def test_relevance_of_real_weights(lm, method):
    a = pc.explain(lm, ['"Echoes of vectors unfold, a gentle'], method, target=pc.Token(" hum"))
    assert a.receipt.unruled == () and np.abs(a.values).max() > 0.1
    if not isinstance(method, pc.IntegratedGradients):
        np.testing.assert_allclose(a.gap, 0, atol=1e-3)


def test_a_prompt_beyond_its_128_tokens(lm):
    with pytest.raises(pc.InputError, match="reads 128"):
        pc.explain(lm, ["Echoes of vectors unfold, " * 20], pc.Occlusion(), target=pc.Token(" hum"))
