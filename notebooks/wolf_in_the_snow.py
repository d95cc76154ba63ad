# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The wolf in the snow
#
# Ribeiro, Singh & Guestrin (2016) trained a classifier of wolves and huskies on photographs in which every wolf stood in the
# snow, and showed people its explanations. Here is the story with photographs: a linear head on MobileNetV2's early features,
# trained on the photographs of a husky and of two wolves, the wolves always on snow. Then a husky in the snow is called a wolf,
# and four methods that only hide parts of the picture say why.
#
# Needs `PELLUCID_DATA` (the folder with `imagenet_samples` and `imagenet_mobilenet_v2`), and takes a few minutes on two cores.

# %%
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

import pellucid as pc
from mobilenet import mobilenet, picture

torch.set_num_threads(1)
data = Path(os.environ["PELLUCID_DATA"])
folder = data / "imagenet_samples" / "images"
husky = picture(folder / "n02110185_Siberian_husky.JPEG")
wolves = [picture(folder / f"{name}.JPEG") for name in ("n02114367_timber_wolf", "n02114548_white_wolf")]


# %% [markdown]
# ## Photographs with snow planted beneath
#
# The lower third of a photograph is covered with snow or with grass: bright or green noise. In training every wolf stands on
# snow and every husky on grass, each photograph cut, mirrored and brightened at random.

# %%
GROUND = slice(150, 224)


def on(photo: np.ndarray, snow: bool, rng: np.random.Generator) -> np.ndarray:
    """The photograph (3, 224, 224) with its ground covered."""
    made = photo.copy()
    colour = np.array([0.85, 0.88, 0.95] if snow else [-0.45, -0.1, -0.6])[:, None, None]
    made[:, GROUND] = colour + 0.12 * rng.normal(size=made[:, GROUND].shape)
    return made.clip(-1, 1)


def varied(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifted, mirrored, brightened."""
    moved = np.roll(photo, tuple(rng.integers(-20, 21, 2)), (1, 2))
    return (moved[:, :, :: rng.choice([-1, 1])] * rng.uniform(0.8, 1.1) + rng.uniform(-0.1, 0.1)).clip(-1, 1)


def scenes(n: int, wolf_on_snow: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n pictures and whether each shows a wolf."""
    rng = np.random.default_rng(seed)
    wolf = np.arange(n) % 2
    made = [
        on(varied(wolves[i // 2 % 2] if w else husky, rng), bool(w) == wolf_on_snow, rng) for i, w in enumerate(wolf)
    ]
    return np.stack(made).astype(np.float32), wolf


# %% [markdown]
# ## A head on early features
#
# The first blocks of MobileNetV2 see edges, colours and textures, averaged over the picture: enough to tell snow from grass, too
# little to tell a wolf. The head is a linear one with a strong penalty, so it takes the easy way.


# %%
class Biased(nn.Module):
    """Early features, averaged and standardised, and a linear head: (b, 3, 224, 224) -> one log-odds of wolf."""

    def __init__(self, early: nn.Module) -> None:
        super().__init__()
        self.early, self.head = early, nn.Linear(32, 1)
        self.mean, self.scale = nn.Buffer(torch.zeros(32)), nn.Buffer(torch.ones(32))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.early(x).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((self.features(x) - self.mean) / self.scale)[:, 0]


net = mobilenet(data)
model = Biased(nn.Sequential(net.stem, nn.ReLU6(), *net.blocks[:6])).eval()
x, wolf = scenes(60, wolf_on_snow=True, seed=0)
with torch.no_grad():
    seen = torch.cat([model.features(torch.from_numpy(part)) for part in np.array_split(x, 6)])
model.mean, model.scale = seen.mean(0), seen.std(0) + 1e-3
optimiser = torch.optim.Adam(model.head.parameters(), 0.05, weight_decay=0.1)
for _ in range(150):
    optimiser.zero_grad()
    odds = model.head((seen - model.mean) / model.scale)[:, 0]
    nn.functional.binary_cross_entropy_with_logits(odds, torch.from_numpy(wolf).float()).backward()
    optimiser.step()

# %%
for name, honest in (("as in training", True), ("snow and grass exchanged", False)):
    x, wolf = scenes(20, honest, seed=1)
    with torch.no_grad():
        right = ((model(torch.from_numpy(x)) > 0).numpy() == wolf).mean()
    print(f"{name}: {right:.0%} right")

# %% [markdown]
# ## Why is this husky a wolf?

# %%
suspect = on(husky, True, np.random.default_rng(2))[None].astype(np.float32)
masks = int(os.environ.get("MASKS", "600"))
records = [
    pc.explain(model, suspect, pc.LIME(samples=masks), masker=pc.Superpixels(pc.SLIC(segments=50))),
    pc.explain(model, suspect, pc.RISE(samples=masks, baseline="blur")),
    pc.explain(model, suspect, pc.Occlusion(window=32, stride=32, baseline="blur")),
]
ground = np.zeros((224, 224), bool)
ground[GROUND] = True
print(f"log-odds of wolf: {records[0].scores[0]:.2f}; the ground is {ground.mean():.0%} of the picture")
for record in records:
    values = record.collapse()[0]
    values = values - values.mean() if record.method.card.offset else values
    raised = values.clip(0)
    print(
        f"{type(record.method).__name__:<10} {raised[ground].sum() / raised.sum():.0%} of what raises the score lies on the ground"
    )

# %%
pc.plot.superpixels(records[0], k=5)

# %%
pc.plot.gallery(records)
