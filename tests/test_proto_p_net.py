"""ProtoPNet: similarities, logits that are the sum of what is shown, prototypes that are training patches, training on digits."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import pellucid as pc
from oracles import oracle
from pellucid.models.proto_p_net import similarity
from pellucid.models.proto_training import project, pure


def backbone():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    )


@pytest.fixture(scope="module")
def trained():
    """A network of three digits, with 2 prototypes each: (net, training pictures, labels, test pictures, labels)."""
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 3].reshape(-1, 1, 8, 8) / 16, y[y < 3]
    torch.manual_seed(0)
    net = pc.ProtoPNet(backbone(), channels=24, classes=3, per_class=2, depth=8)
    losses = pc.ProtoTraining(warm=3, joint=25, last=30, rate=1e-2, backbone_rate=5e-3).fit(net, X[:300], y[:300])
    return net, X[:300], y[:300], X[300:], y[300:], losses


def test_the_similarity_is_the_papers():
    known = oracle("PPNET")["expected"]
    away = torch.tensor([float(d) for d in known], dtype=torch.float64)
    np.testing.assert_allclose(similarity(away), list(known.values()), atol=1e-6)


def test_the_logits_are_the_sum_of_the_evidence_that_is_shown(trained):
    net, _, _, X, y, _ = trained
    told = net.reasons(X)
    with torch.no_grad():
        own = net(torch.tensor(X, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(told.logits, own, atol=1e-5)
    for row in range(5):
        for c in range(3):
            assert told.evidence(row, c).sum() == pytest.approx(told.logits[row, c], abs=1e-12)
    np.testing.assert_array_equal(told.maps.max(axis=(2, 3)), told.similarity)
    rows, columns = told.place[..., 0], told.place[..., 1]
    n, m = told.similarity.shape
    np.testing.assert_array_equal(told.maps[np.arange(n)[:, None], np.arange(m), rows, columns], told.similarity)
    assert (told.logits.argmax(axis=1) == y).mean() > 0.95
    assert net.last.bias is None


def test_prototypes_are_patches_of_training_pictures_of_their_class(trained):
    net, X, y, *_ = trained
    told = net.reasons(X)
    for j, (image, place, c) in enumerate(zip(told.source, told.source_place, told.classes, strict=True)):
        assert y[image] == c
        with torch.no_grad():
            z = net.patches(torch.tensor(X[image : image + 1], dtype=torch.float32))[0, :, place[0], place[1]]
        np.testing.assert_allclose(net.prototypes[j].detach(), z, atol=1e-6)
        assert told.similarity[image, j] == pytest.approx(np.log(1 / 1e-4), abs=0.01)
        assert tuple(told.place[image, j]) == tuple(place)


def test_projection_finds_the_nearest_patch_of_the_class():
    torch.manual_seed(1)
    net = pc.ProtoPNet(backbone(), channels=24, classes=2, per_class=3, depth=4)
    x, y = torch.rand(10, 1, 8, 8), torch.arange(10) % 2
    with torch.no_grad():
        before, z = net.prototypes.clone(), net.eval().patches(x)
        project(net, x, y, batch=3)
        for j, c in enumerate(net.classes):
            flat = z[y == c].permute(0, 2, 3, 1).reshape(-1, 4)
            nearest = flat[((flat - before[j]) ** 2).sum(dim=1).argmin()]
            torch.testing.assert_close(net.prototypes[j], nearest)


def test_prototypes_that_stand_for_no_class_are_left_out():
    """Pictures show their class in one corner and the same background elsewhere; a class keeps its purest prototype."""
    net = pc.ProtoPNet(nn.Identity(), channels=2, classes=2, per_class=3, depth=2)
    net.add_on = nn.Identity()
    x, y = torch.zeros(8, 2, 2, 2), torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])
    x[torch.arange(8), y, 0, 0] = 1.0
    background = torch.tensor([0.0, 0.0])
    with torch.no_grad():
        net.prototypes.copy_(torch.stack([torch.eye(2)[0], background, background, *[background + 0.1] * 3]))
        net.prototypes[5] = torch.eye(2)[0]  # of class 1, and like pictures of class 0
        net.last.weight.copy_(torch.arange(12.0).reshape(2, 6))
    assert pure(net, x, y, neighbours=4, same=3).tolist() == [True, False, False, True, True, False]
    assert pure(net, x, y, neighbours=4, same=2).tolist() == [True, True, True, True, True, False]
    before = net.reasons(x)
    net.keep(torch.tensor([True, False, False, True, True, False]))
    told = net.reasons(x)
    np.testing.assert_allclose(told.similarity, before.similarity[:, [0, 3, 4]])
    assert told.weights.tolist() == [[0, 3, 4], [6, 9, 10]] and told.classes.tolist() == [0, 1, 1]


def test_the_loss_is_the_papers():
    """Cross entropy, near to a prototype of the own class, far from those of others."""
    torch.manual_seed(3)
    net = pc.ProtoPNet(nn.Identity(), channels=2, classes=2, per_class=2, depth=2)
    net.add_on = nn.Identity()
    x, y = torch.rand(5, 2, 3, 3), torch.tensor([0, 1, 1, 0, 1])
    with torch.no_grad():
        away = net.distances(x)
        near = away.flatten(2).amin(dim=2)  # (5, 4); prototypes 0 and 1 are of class 0
        own = torch.stack([near[i, 2 * c : 2 * c + 2].min() for i, c in enumerate(y.tolist())]).mean()
        other = torch.stack([near[i, 2 - 2 * c : 4 - 2 * c].min() for i, c in enumerate(y.tolist())]).mean()
        expected = nn.functional.cross_entropy(net(x), y) + 0.7 * own - 0.3 * other
        told = pc.ProtoTraining(cluster=0.7, separation=0.3)._loss(net, away, y)
    torch.testing.assert_close(told, expected)


def test_the_last_stage_shrinks_what_speaks_for_other_classes():
    torch.manual_seed(4)
    net = pc.ProtoPNet(nn.Identity(), channels=2, classes=2, per_class=2, depth=2)
    net.add_on = nn.Identity()
    y = torch.arange(20) % 2
    x = net.prototypes.detach()[2 * y][..., None, None].expand(20, 2, 3, 3)  # like a prototype of their class
    others = net.classes != torch.arange(2)[:, None]
    before = net.last.weight.detach().abs()
    pc.ProtoTraining(last=30, rate=0.01, sparsity=100.0)._last(net, x, y, np.random.default_rng(0))
    after = net.last.weight.detach().abs()
    assert (after[others] < 0.6 * before[others]).all() and (after[~others] > 0.9 * before[~others]).all()


def test_training_follows_its_stages(trained):
    _, X, y, *_, losses = trained
    assert len(losses) == 3 + 25 + 30 and losses[27] < losses[0]
    fresh = pc.ProtoPNet(backbone(), channels=24, classes=3, per_class=2, depth=8)
    own = torch.arange(3).repeat_interleave(2) == torch.arange(3)[:, None]
    assert (fresh.last.weight[own] == 1).all() and (fresh.last.weight[~own] == -0.5).all()
    kept = [value.clone() for value in fresh.backbone.parameters()]
    pc.ProtoTraining(warm=1, joint=0, last=0, same=0).fit(fresh, X, y)
    assert all(
        torch.equal(a, b) for a, b in zip(kept, fresh.backbone.parameters(), strict=True)
    )  # held while warming up
    assert (fresh.source >= 0).all() and (fresh.last.weight[own] == 1).all()
    again = [pc.ProtoPNet(backbone(), channels=24, classes=3, per_class=2, depth=8) for _ in range(2)]
    for one in again:
        with torch.no_grad():
            one.load_state_dict(fresh.state_dict())
        torch.manual_seed(id(one) % 1000)
        pc.ProtoTraining(warm=0, joint=1, last=1, same=0, seed=4).fit(one, X, y)
    assert all(torch.equal(a, b) for a, b in zip(again[0].parameters(), again[1].parameters(), strict=True))


def test_it_is_kept_and_read_back(trained, tmp_path):
    net, _, _, X, *_ = trained
    path = net.save(tmp_path / "net.safetensors")
    back = pc.ProtoPNet.load(path, backbone())
    np.testing.assert_array_equal(back.reasons(X[:9]).logits, net.reasons(X[:9]).logits)
    np.testing.assert_array_equal(back.source, net.source)
    fewer = deepcopy(net)
    fewer.keep(torch.arange(len(net.prototypes)) != 1)
    back = pc.ProtoPNet.load(fewer.save(tmp_path / "fewer.safetensors"), backbone())
    np.testing.assert_array_equal(back.reasons(X[:9]).logits, fewer.reasons(X[:9]).logits)
    told = pc.load(net.reasons(X[:4]).save(tmp_path / "told.npz"))
    assert told[1:3].sentence(0) == net.reasons(X[1:2]).sentence(0)
    with pytest.raises(pc.StoreError, match="does not fit this backbone"):
        pc.ProtoPNet.load(path, nn.Conv2d(1, 24, 3))
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(pc.StoreError, match="is no safetensors file"):
        pc.ProtoPNet.load(tmp_path / "other.safetensors", backbone())


def test_the_reasons_in_words_and_as_a_picture(trained):
    net, X, _, asked, *_ = trained
    told = net.reasons(asked[:3])
    said = told.sentence(0, k=2)
    best = int(told.evidence(0).argmax())
    assert said.startswith(f"class {told.logits[0].argmax()} (")
    assert (
        f"of training image {told.source[best]} ({told.evidence(0)[best]:+.2f})" in said
        and said.count("looks like") == 2
    )
    axes = pc.plot.reasons(told, asked[:3], X, row=1, k=2)
    assert axes.shape == (2, 3) and f"training row {told.source[told.evidence(1).argmax()]}" == axes[0, 2].get_title(
        loc="left"
    )
    with pytest.raises(pc.InputError, match="give those that the reasons are of"):
        pc.plot.reasons(told, asked[:2], X)
    assert pc.explain(net, asked[:2].astype(np.float32), pc.GradCAM(layer="add_on")).values.shape == (2, 8, 8)


def test_what_cannot_be_done_is_refused_with_its_remedy(trained):
    _, X, y, *_ = trained
    net = pc.ProtoPNet(backbone(), channels=24, classes=4, per_class=1, depth=4)
    with pytest.raises(pc.InputError, match="the network has 4, 0 to 3, and each needs pictures"):
        pc.ProtoTraining().fit(net, X, y)
    with pytest.raises(pc.InputError, match="expected finite pictures"):
        pc.ProtoTraining().fit(net, X[:, 0], y)
    flat = pc.ProtoPNet(nn.Flatten(), channels=64, classes=3)
    with pytest.raises(pc.MethodError, match=r"expected \(b, 64, h, w\), a map with space"):
        flat(torch.tensor(X[:2], dtype=torch.float32))
    with pytest.raises(pc.MethodError, match="expected a positive number"):
        pc.ProtoPNet(backbone(), channels=24, classes=0)
