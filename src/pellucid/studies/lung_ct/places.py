"""Where a training runs: a processor, a GPU, or several that torchrun started; NVIDIA and AMD alike."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pellucid.core.registry import need


@dataclass(frozen=True)
class Where:
    """One process of `size`; `device` is where its tensors are."""

    device: str
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    @property
    def gpu(self) -> bool:
        return self.device.startswith("cuda")

    def wrap(self, network: Any) -> Any:
        """The network on its device, its gradients averaged over all processes."""
        torch = need("torch", "Training")
        network = network.to(self.device)
        if self.size == 1:
            return network
        wanted = [int(self.device.partition(":")[2])] if self.gpu else None
        return torch.nn.parallel.DistributedDataParallel(network, device_ids=wanted, find_unused_parameters=True)

    def mixed(self) -> Any:
        """Half precision where the device is a GPU: bfloat16 where it has it"""
        torch = need("torch", "Training")
        if not self.gpu:
            return contextlib.nullcontext()
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", dtype=kind)

    def needs_scaling(self) -> bool:
        """float16 gradients vanish without it"""
        return self.gpu and not need("torch", "Training").cuda.is_bf16_supported()

    def gather(self, parts: Any) -> list[Any]:
        """What every process has, in the order of their ranks"""
        if self.size == 1:
            return [parts]
        found: list[Any] = [None] * self.size
        need("torch.distributed", "Training").all_gather_object(found, parts)
        return found


@contextlib.contextmanager
def where(device: str | None = None) -> Iterator[Where]:
    """The place that torchrun names in the environment, or this process alone; `device` None takes a GPU if there is one."""
    torch = need("torch", "Training")
    found = "cuda" if torch.cuda.is_available() else "cpu"
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Where(device or found)
        return
    distributed, rank = need("torch.distributed", "Training"), int(os.environ["RANK"])
    chosen = (device or found).partition(":")[0]
    if chosen == "cuda":
        torch.cuda.set_device(local := int(os.environ["LOCAL_RANK"]))
        chosen = f"cuda:{local}"
    distributed.init_process_group("nccl" if chosen.startswith("cuda") else "gloo")
    try:
        yield Where(chosen, rank, size)
    finally:
        distributed.destroy_process_group()
