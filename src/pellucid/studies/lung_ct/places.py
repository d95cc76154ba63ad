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

    def mixed(self, precision: str = "auto") -> Any:
        """What a pass runs in: "auto" is half precision where the device is a GPU, bfloat16 where it has it"""
        torch = need("torch", "Training")
        if precision == "float32" or (precision == "auto" and not self.gpu):
            return contextlib.nullcontext()
        kind = torch.float16 if self.needs_scaling(precision) else torch.bfloat16
        return torch.autocast("cuda" if self.gpu else "cpu", dtype=kind)

    def needs_scaling(self, precision: str = "auto") -> bool:
        """Whether it is float16, whose gradients vanish without it"""
        return precision == "auto" and self.gpu and not need("torch", "Training").cuda.is_bf16_supported()

    def align(self, network: Any) -> None:
        """The first process's batch statistics for all: theirs are of other patches, and its network is the one that is kept"""
        if self.size > 1:
            for buffer in network.buffers():
                need("torch.distributed", "Training").broadcast(buffer, 0)

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
