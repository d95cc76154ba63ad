"""Token ids are explained at their embeddings and summed to tokens."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pc


class Bag(nn.Module):
    """Mean of embeddings, then a linear head: each token adds w.e_t / T exactly."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.position, self.word = nn.Embedding(6, 4), nn.Embedding(10, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        e = self.word(ids) + 0 * self.position(torch.arange(ids.shape[1]))
        e = e if mask is None else e * mask[..., None]
        return self.head(e.mean(1))


IDS = np.array([[1, 2, 3, 3], [4, 0, 9, 1]])


def share(net: Bag, ids: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return ((net.word(torch.tensor(ids)) @ net.head.weight[1]) / ids.shape[1]).numpy()


@pytest.mark.parametrize("method", [pc.IntegratedGradients(steps=3), pc.InputXGradient()])
def test_tokens_of_a_bag_of_words(method):
    net = Bag()
    record = pc.explain(net, IDS, method, target=1)
    np.testing.assert_allclose(record.values, share(net, IDS), atol=1e-6)
    assert record.layout == "tokens" and record.values.shape == IDS.shape
    np.testing.assert_array_equal(record.data, IDS)


def test_zero_embeddings_are_the_reference_and_values_add_up():
    record = pc.explain(Bag(), IDS, pc.IntegratedGradients(), target=1)
    np.testing.assert_allclose(record.gap, 0, atol=1e-6)


def test_background_ids_are_embedded_too():
    net, background = Bag(), np.array([[5, 5, 5, 5]])
    record = pc.explain(net, IDS, pc.IntegratedGradients(), target=1, background=background)
    np.testing.assert_allclose(record.values, share(net, IDS) - share(net, background), atol=1e-6)


def test_extra_inputs_stay_and_sampled_methods_keep_an_error_bar():
    net = Bag()
    mask = np.array([[1.0, 1, 0, 1]] * 2, dtype=np.float32)
    record = pc.explain(net, IDS, pc.InputXGradient(), target=1, extra={"mask": mask})
    np.testing.assert_allclose(record.values, share(net, IDS) * mask, atol=1e-6)
    smooth = pc.explain(net, IDS, pc.SmoothGrad(samples=3), target=1)
    assert smooth.stderr.shape == IDS.shape


def test_the_network_is_left_as_found():
    net = Bag()
    pc.explain(net, IDS, pc.Saliency(), target=1)
    assert not net.word._forward_hooks and not net.word._forward_pre_hooks and net.training
    with pytest.raises(pc.TargetError):
        pc.explain(net, IDS, pc.Saliency(), target=7)
    assert not net.word._forward_hooks


def test_a_network_that_hides_its_lookup():
    class Hidden(Bag):
        def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
            return super().forward(ids.clamp(0, 8), mask)

    with pytest.raises(pc.ModelError, match=r"no nn.Embedding of this network is fed the ids"):
        pc.explain(Hidden(), np.array([[9, 9]]), pc.Saliency())
