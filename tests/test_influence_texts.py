"""Influence of training texts on a transformers classifier, against gradients of each text alone."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

import pellucid as pc
from pellucid.cli.app import app

pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
TEXTS = ["a great film !", "a boring film .", "so great", "boring", "not great , not boring"]
LABELS = np.array([1, 0, 1, 0, 0])


def alone(net, tokenizer, text: str, label: int) -> np.ndarray:
    """The gradient of one text's loss, without any padding."""
    loss = functional.cross_entropy(net(**tokenizer([text], return_tensors="pt")).logits, torch.tensor([label]))
    found = torch.autograd.grad(loss, list(net.parameters()))
    return np.concatenate([part.double().numpy().ravel() for part in found])


def small():
    return pytest.importorskip("small_bert", reason="transformers is an optional framework")


def test_padding_changes_nothing():
    net, tokenizer = small().bert().eval(), small().tokenizer()
    gradients = np.stack([alone(net, tokenizer, text, int(label)) for text, label in zip(TEXTS, LABELS, strict=True)])
    model = pc.TextModel(net, tokenizer)
    made = pc.influence(model, (TEXTS, LABELS), (TEXTS[:2], LABELS[:2]), pc.GradientSimilarity())
    np.testing.assert_allclose(made.scores, gradients[:2] @ gradients.T, rtol=2e-3, atol=1e-3)
    losses = [
        -np.log(model_chances(net, tokenizer, text)[label]) for text, label in zip(TEXTS[:2], LABELS, strict=False)
    ]
    np.testing.assert_allclose(made.losses, losses, rtol=1e-4)
    assert made.receipt.target == "CrossEntropy()" and not any(p.grad is not None for p in net.parameters())


def model_chances(net, tokenizer, text: str) -> np.ndarray:
    with torch.no_grad():
        return net(**tokenizer([text], return_tensors="pt")).logits.softmax(dim=1)[0].double().numpy()


def test_curvature_of_the_head_and_a_loss_of_ones_own():
    net, tokenizer = small().bert().eval(), small().tokenizer()
    model, method = pc.TextModel(net, tokenizer), pc.InfluenceFunctions(l2=0.1, parameters=("classifier.*",))
    usual = pc.influence(model, (TEXTS, LABELS), (TEXTS[:2], LABELS[:2]), method)

    def own(network, batch):
        ids, mask, labels = batch
        out = network(input_ids=ids, attention_mask=mask).logits
        return functional.cross_entropy(out, labels.long(), reduction="none")

    spelled = pc.influence(model, (TEXTS, LABELS), (TEXTS[:2], LABELS[:2]), method, task=own)
    np.testing.assert_allclose(usual.losses, spelled.losses, rtol=1e-6)
    assert np.corrcoef(usual.scores.ravel(), spelled.scores.ravel())[0, 1] > 0.99


def test_what_does_not_fit_is_refused():
    net, tokenizer = small().bert().eval(), small().tokenizer()
    with pytest.raises(pc.InputError, match="train of a model of texts"):
        pc.influence(pc.TextModel(net, tokenizer), (np.ones((2, 3)), [0, 1]), (TEXTS, LABELS))
    with pytest.raises(pc.MethodError, match="no padding token"):
        unpadded = pc.TextModel(small().gpt().eval(), small().byte_tokenizer())
        pc.influence(unpadded, (TEXTS, LABELS), (TEXTS, LABELS))


def test_on_the_command_line_words_are_the_names_of_the_network_s_classes(tmp_path):
    net, tokenizer = small().bert().eval(), small().tokenizer()
    net.config.id2label = {0: "worth it", 1: "avoid"}  # not in the order of the alphabet
    net.save_pretrained(tmp_path / "net")
    tokenizer.save_pretrained(tmp_path / "net")
    words = np.array(["worth it", "avoid"])[LABELS]
    pd.DataFrame({"review": TEXTS, "said": words}).to_csv(tmp_path / "train.csv", index=False)
    arguments = [
        "influence",
        "--model",
        str(tmp_path / "net"),
        "--data",
        str(tmp_path / "train.csv"),
        "--label",
        "said",
    ]
    told = CliRunner().invoke(app, [*arguments, "--method", "GradientSimilarity", "--rows", "0:2", "--json"])
    assert told.exit_code == 0, told.output
    made = pc.influence(pc.TextModel(net, tokenizer), (TEXTS, LABELS), (TEXTS[:2], LABELS[:2]), pc.GradientSimilarity())
    found = json.loads(told.stdout)
    np.testing.assert_allclose(found["scores"], made.scores, rtol=1e-4, atol=1e-4)
    assert found["classes"] == ["worth it", "avoid"]
