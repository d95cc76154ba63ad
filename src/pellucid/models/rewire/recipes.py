"""The rules by which layer-wise relevance propagation passes relevance through a linear layer, as plain values.

With z_ij = x_i w_ij, z_j = sum_i z_ij + b_j, and ( )+ and ( )- for the positive and negative part, the relevance of input i is

    Epsilon      sum_j  z_ij / (z_j + epsilon sign z_j) R_j                         epsilon = 0 is LRP-0
    Gamma        sum_j  (z_ij + gamma z_ij+) / (z_j + gamma z_j+) R_j               where z_j > 0; with - for + where z_j < 0
    AlphaBeta    sum_j  (alpha z_ij+ / z_j+  -  beta z_ij- / z_j-) R_j              alpha - beta = 1
    ZPlus        AlphaBeta(1, 0)
    WSquare      sum_j  w_ij^2 / (sum_k w_kj^2) R_j
    Flat         sum_j  1 / (number of inputs of j) R_j
    ZBox         sum_j  (z_ij - low_i w_ij+ - high_i w_ij-) / (sum_k of the same) R_j

Bach et al. (2015), Montavon et al. (2017, 2019), Lapuschkin et al. (2019) for Flat. The last three give relevance also to
inputs that are zero, and stand at the first layer only. z_j+ contains b_j+; biases keep what falls to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.core.errors import MethodError

Bound = float | tuple[float, ...]


@dataclass(frozen=True)
class LayerRule:
    """One way through a linear layer."""


@dataclass(frozen=True)
class Epsilon(LayerRule):
    """Relevance in proportion to contributions; a weak unit passes on less. 0 is LRP-0."""

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        _check(self, self.epsilon >= 0, "epsilon is zero or positive")


@dataclass(frozen=True)
class Gamma(LayerRule):
    """Contributions that agree with the unit's sign count more; a large gamma approaches ZPlus."""

    gamma: float = 0.25

    def __post_init__(self) -> None:
        _check(self, self.gamma >= 0, "gamma is zero or positive")


@dataclass(frozen=True)
class AlphaBeta(LayerRule):
    """Positive and negative contributions separately, `alpha` times the one less `beta` times the other."""

    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        right = self.beta >= 0 and abs(self.alpha - self.beta - 1) < 1e-9
        _check(self, right, "beta is zero or positive and alpha - beta = 1, or relevance would not be conserved")


@dataclass(frozen=True)
class ZPlus(LayerRule):
    """Positive contributions only."""


@dataclass(frozen=True)
class WSquare(LayerRule):
    """By squared weights, whatever the input: for first layers with unbounded inputs."""


@dataclass(frozen=True)
class Flat(LayerRule):
    """Evenly over a unit's inputs: blurs the first layer, and does not mind how inputs are shifted."""


@dataclass(frozen=True)
class ZBox(LayerRule):
    """For first layers whose inputs lie between `low` and `high`: numbers, or one per channel."""

    low: Bound = 0.0
    high: Bound = 1.0


FIRST_ONLY = (WSquare, Flat, ZBox)

NAMES: dict[str, type[LayerRule]] = {
    "epsilon": Epsilon,
    "gamma": Gamma,
    "alpha-beta": AlphaBeta,
    "z-plus": ZPlus,
    "w-square": WSquare,
    "flat": Flat,
    "z-box": ZBox,
}


def as_rule(given: LayerRule | str) -> LayerRule:
    """A rule, or its name with the usual numbers."""
    if isinstance(given, LayerRule):
        return given
    if given not in NAMES:
        raise MethodError(
            f"{given!r} is no relevance rule: give one of {', '.join(NAMES)}, or a value such as Gamma(0.25)."
        )
    return NAMES[given]()


def _check(rule: LayerRule, right: bool, said: str) -> None:
    if not right:
        raise MethodError(f"{rule!r}: {said}.")
