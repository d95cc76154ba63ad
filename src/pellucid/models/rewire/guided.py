"""Guided backpropagation and the deconvolutional network: what a ReLU lets through on the way back.

With the cotangent R at the output of f = ReLU(z):

    gradient   R * 1[z > 0]        guided   R * 1[z > 0] * 1[R > 0]        deconvnet   R * 1[R > 0]

Springenberg et al., "Striving for Simplicity" (2014); Zeiler & Fergus, "Visualizing and Understanding Convolutional
Networks" (2013). Everything else keeps its own gradient. The ReLU family is treated as one.
"""

from __future__ import annotations

from torch import Tensor

from pellucid.models.rewire.engine import Call, Rule, Table, bend

FAMILY = ("relu", "relu6", "leaky_relu", "prelu", "rrelu", "threshold", "elu", "celu", "selu")


def _guided(call: Call) -> Tensor:
    value = call.plain()
    return bend(value.detach(), lambda r: (r.clamp(min=0),), value)


def _deconvnet(call: Call) -> Tensor:
    return call.bend(call.value(), lambda r: (r.clamp(min=0),))


guided = Table({name: Rule(_guided) for name in FAMILY})
deconvnet = Table({name: Rule(_deconvnet) for name in FAMILY})
