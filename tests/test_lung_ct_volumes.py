"""On patches of 64 voxels a side: what grows with the work, and what does not."""

import tracemalloc

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pellucid as pc  # noqa: E402

SIZE = 64


class Watched(torch.nn.Module):
    """A small network on volumes that notes how many patches it is given at a time."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.pool, self.wide, self.head = torch.nn.AvgPool3d(8), torch.nn.Linear(8**3, 16), torch.nn.Linear(16, 2)
        self.batches = []

    def forward(self, x):
        self.batches.append(len(x))
        return self.head(torch.relu(self.wide(self.pool(x).flatten(1))))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(-1, 1, (1, 1, SIZE, SIZE, SIZE)).astype(np.float32)


def test_the_memory_of_integrated_gradients_does_not_grow_with_steps(x):
    held, largest = [], []
    pc.explain(Watched(), x, pc.IntegratedGradients(steps=2), target=1)  # loads what is loaded once
    for steps in (16, 32):  # 16 points are as many as are held at a time
        net = Watched().eval()
        tracemalloc.start()
        pc.explain(net, x, pc.IntegratedGradients(steps=steps, baseline=-1.0), target=1)
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        largest.append(max(net.batches))
        assert sum(net.batches) == steps + 2  # the patch, the baseline, and the path
    assert held[1] <= 1.02 * held[0]  # arrays; of the network's own the largest batch says it
    assert largest[0] == largest[1] <= 4


def test_occlusion_asks_in_batches_and_says_what_a_plain_loop_says(x):
    net = Watched().eval()
    made = pc.explain(net, x, pc.Occlusion(window=16, baseline=-1.0), target=1)
    assert sum(net.batches) == 4**3 + 3 and len(net.batches) <= 4**3 / 4 + 3 and max(net.batches) == 4
    with torch.no_grad():
        whole, drops = net(torch.as_tensor(x))[0, 1], []
        for corner in np.ndindex(4, 4, 4):
            hidden = x.copy()
            hidden[(0, 0, *(slice(16 * c, 16 * c + 16) for c in corner))] = -1.0
            drops.append(float(whole - net(torch.as_tensor(hidden))[0, 1]))
    np.testing.assert_allclose(made.players.values[0], drops, atol=1e-5)
