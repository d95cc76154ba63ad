"""DeepSHAP on a picture network with in-place ReLUs and background pictures, drawn in red and blue."""

import numpy as np
import torch
from torch import nn

import pellucid as pc


class Vgg(nn.Module):
    """Convolutions in pairs, in-place ReLUs, max-pooling, a classifier with dropout: VGG's plan in small."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        relu = nn.ReLU(inplace=True)  # one module used again and again
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), relu, nn.Conv2d(8, 8, 3, padding=1), relu, nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1), relu, nn.Conv2d(12, 12, 3, padding=1), relu, nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(12 * 16, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def pictures(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3, 16, 16)).astype(np.float32)


def test_it_adds_up_against_fifty_background_pictures():
    net, x, background = Vgg(), pictures(2, 0), pictures(50, 1)
    record = pc.explain(net, x, pc.DeepShap(), target=2, background=background)
    with torch.no_grad():
        scores, base = (net.eval()(torch.from_numpy(rows))[:, 2].numpy() for rows in (x, background))
    assert record.values.shape == x.shape and not record.receipt.warnings
    np.testing.assert_allclose(record.scores, scores, atol=1e-5)
    np.testing.assert_allclose(record.base_values, base.mean(), atol=1e-5)
    np.testing.assert_allclose(record.values.sum((1, 2, 3)), scores - base.mean(), atol=1e-4)
    assert (record.stderr > 0).mean() > 0.9


def test_the_picture_is_red_where_the_score_rises_and_blue_where_it_falls():
    record = pc.explain(Vgg(), pictures(1, 0), pc.DeepShap(), target=2, background=pictures(10, 1))
    ax = pc.plot.image(record)
    pixels, values = np.asarray(ax.images[0].get_array())[..., :3], record.collapse("sum")[0]
    scale = pixels.shape[0] // 16
    cells = pixels.reshape(16, scale, 16, scale, 3).mean((1, 3))
    strong = np.abs(values) > np.quantile(np.abs(values), 0.9)
    redder = cells[..., 0] > cells[..., 2]
    assert (redder == (values > 0))[strong].all()
    assert strong.any() and len(set(redder[strong])) == 2
