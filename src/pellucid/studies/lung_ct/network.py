"""The network: a three-dimensional ResNet-18 with one channel in and two classes out, background and nodule (MONAI's).

`narrow` has an eighth of the channels and begins at half resolution: it learns the phantom on a processor in a minute or two.
Weights of MedicalNet (Chen, Ma & Zheng 2019, arXiv:1904.00625; 8 or 23 data sets) fit the full one. They are taken over key by key:
a key that is missing, left over or of another shape is an error, but for the classifier, which they do not have, and the
segmentation head, which is not wanted.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError, MissingDependency, StoreError
from pellucid.core.registry import need
from pellucid.core.store import appearing

KINDS = ("resnet18", "narrow")
CLASSES = ("background", "nodule")
BLOCKS = ("layer1", "layer2", "layer3", "layer4")
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
_HEAD, _UNWANTED = "fc.", "conv_seg."
_FEWEST = 4  # cells of a map along each side, for a class activation map to say where


def build(kind: str, seed: int = 0) -> Any:
    """A network with random weights; the global random state is left as it was."""
    torch, monai = need("torch", "The network"), need("monai.networks.nets.resnet", "The network")
    if kind not in KINDS:
        raise InputError(f"network {kind!r}: expected {' or '.join(KINDS)}.")
    narrow = kind == "narrow"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return monai.ResNet(
            "basic",
            [2, 2, 2, 2],
            [8, 16, 32, 64] if narrow else [64, 128, 256, 512],
            spatial_dims=3,
            n_input_channels=1,
            conv1_t_size=3 if narrow else 7,
            conv1_t_stride=2 if narrow else 1,
            no_max_pool=narrow,
            shortcut_type="B" if narrow else "A",
            bias_downsample=not narrow,
            num_classes=len(CLASSES),
        )


def map_layer(network: Any, size: int) -> str:
    """The last block whose map has at least four cells along each side, for patches of this size."""
    torch = need("torch", "The network")
    shapes: dict[str, int] = {}
    hooks = [
        getattr(network, name).register_forward_hook(
            lambda _m, _i, out, name=name: shapes.update({name: out.shape[-1]})
        )
        for name in BLOCKS
    ]
    mode = network.training
    try:
        network.eval()
        first = next(network.parameters())
        with torch.no_grad():
            network(torch.zeros(1, 1, size, size, size, device=first.device, dtype=first.dtype))
    finally:
        network.train(mode)
        for hook in hooks:
            hook.remove()
    return max((name for name in BLOCKS if shapes[name] >= _FEWEST), default=BLOCKS[0])


def start_from(network: Any, path: str | Path) -> str:
    """Take over MedicalNet's weights, all but the classifier's; the SHA-256 of their file."""
    torch, path = need("torch", "Weights"), Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path.name!r}: give MedicalNet's weights of a ResNet-18.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    given = _read(path)
    given = {key.removeprefix("module."): value for key, value in given.items()}
    given = {key: value for key, value in given.items() if not key.startswith((_HEAD, _UNWANTED))}
    ours = {key: value for key, value in network.state_dict().items() if not key.startswith(_HEAD)}
    optional = {key for key in ours if key.endswith("num_batches_tracked")}  # files of old versions lack these counters
    wrong = [f"{key} holds values that are no numbers" for key in given if not bool(torch.isfinite(given[key]).all())]
    wrong += [f"{key} is missing" for key in ours if key not in given and key not in optional]
    wrong += [f"{key} is left over" for key in given if key not in ours]
    wrong += [
        f"{key} is {tuple(given[key].shape)} instead of {tuple(ours[key].shape)}"
        for key in given
        if key in ours and given[key].shape != ours[key].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InputError(
            f"{path.name} does not fit this network: {'; '.join(wrong[:3])}{more}. Expected MedicalNet's ResNet-18."
        )
    with torch.no_grad():
        network.load_state_dict(given, strict=False)
    return digest


def _read(path: Path) -> dict[str, Any]:
    """Tensors by name, of a safetensors file or of a torch file, which is read without running what is in it"""
    try:
        if path.suffix == ".safetensors":
            found: Any = need("safetensors.torch", "Weights").load_file(path)
        else:
            found = need("torch", "Weights").load(path, map_location="cpu", weights_only=True)
        found = dict(found.get("state_dict", found))
        if not all(isinstance(value, need("torch", "Weights").Tensor) for value in found.values()):
            raise TypeError("something else than tensors")
    except Exception as error:  # readers raise whatever they hit first
        raise InputError(f"{path.name} holds no weights that can be read safely ({type(error).__name__}).") from None
    return dict(found)


def save(network: Any, folder: Path, description: dict[str, Any]) -> None:
    """Keep the weights and what is to be known of them; each file whole or not at all."""
    store = need("safetensors.torch", "Weights")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    with appearing(folder / WEIGHTS) as partial:
        store.save_file(tensors, partial)
    with appearing(folder / DESCRIPTION) as partial:
        partial.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def load_network(folder: str | Path) -> tuple[Any, dict[str, Any]]:
    """A trained network in evaluation mode, and its description."""
    store, folder = need("safetensors.torch", "Weights"), Path(folder)
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        network = build(described["network"])
        network.load_state_dict(store.load_file(folder / WEIGHTS))
    except MissingDependency:
        raise
    except Exception as error:  # damaged files raise whatever they hit first
        raise StoreError(f"{folder.name!r} holds no network of ours: give a folder that `train` wrote.") from error
    return network.eval(), described
