"""Elementwise functions under a change of input: the rescale rule, change over change."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.models.rewire.engine import Call
from pellucid.models.rewire.paths import along_path
from pellucid.models.rewire.slopes import slope


def rescale(call: Call) -> Tensor:
    """An elementwise function of one live tensor; of several by their common path."""
    if len(call.live) > 1:
        return along_path(call)
    (i,) = call.live
    shape = call.tensors[i].shape
    assert call.before is not None
    with torch.no_grad():
        y, y0 = call.plain(), call.run(call.before)
        steep = slope(call.name, call.with_one(i), call.tensors[i].detach(), call.before[i], y, y0)
    return call.bend(y, lambda g: ((g * steep).sum_to_size(shape),))
