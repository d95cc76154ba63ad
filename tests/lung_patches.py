"""Patches with a ball in every other one and readers' masks, and networks on them that are known in closed form."""

import json

import numpy as np

from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import network as networks
from pellucid.studies.lung_ct import patches as files
from test_lung_ct_train import balls


def marked(folder, size=16, many=(4, 4, 8), patients=3):
    """`balls` with the masks of two readers, the second one's ball smaller, and so many patients in each split."""
    balls(folder, size, many)
    index = lung_ct.read_index(folder)
    away = np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0)
    votes = (away < 4).astype(np.uint8) + (away < 3)
    for name in index.loc[index["label"] == 1, "name"]:
        files.save(folder / "masks" / f"{name}.npy", votes)
    index["patient"] = [f"p{split[:2]}{i // 2 % patients}" for i, split in enumerate(index["split"])]
    files.write_index(folder, index.to_dict("records"))
    return folder


def saved(folder, patches, seed=0):
    """A narrow network with random weights, as `train` keeps it."""
    recipe = json.loads((patches / "recipe.json").read_text())
    networks.save(networks.build("narrow", seed), folder, {"network": "narrow", "recipe": recipe})
    return folder
