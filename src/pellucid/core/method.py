"""The abstract methods: each class has one hole, `attribute`, and is named after what it needs of a model.

A method is a frozen dataclass of hyper-parameters: literals, or values of ours. It holds no data and no model, so
`spelling.parse(repr(m)) == m` and its fields are the command line's options and the report's table of parameters.
"""

from __future__ import annotations

import dataclasses
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.masking import Game, Masker
from pellucid.core.scalar import Attended, Captured, Differentiable, Scalar
from pellucid.core.schema import Schema

PACES = {0: "no", 1: "a few", 10: "tens", 100: "hundreds", 1000: "thousands"}  # a card's `rows` in words


@dataclass(frozen=True)
class Card:
    """What a reader must know of a method before believing it; the documentation's tables and `advise` come from here.

    `verb` is the question that the method answers, by the name of the verb that asks it ("fit" for a model that can be read).
    `rows` are the model rows of one explained row with the defaults and one reference row (of one training example, where those are
    asked about), to a power of ten; 0 means that the model is not asked. `fails` names a check that it is known to fail.
    `intrinsic` says that the values are the model's own computation, not a view of it from outside.
    """

    question: str
    scope: Literal["local", "global"]
    access: Literal["black box", "gradients", "inner layer", "structure", "training data"]
    inputs: tuple[str, ...]  # "table", "image", "volume", "signal", "text"
    output: str
    cost: str  # in model rows per explained row
    strengths: str
    weaknesses: str
    paper: str
    complete: bool = False  # values add up to score - base value
    sampled: bool = False  # draws random numbers, so `seed` matters and a standard error is due
    offset: bool = False  # values share an offset: only differences between them mean anything
    rows: int | None = None
    verb: str = "explain"
    fails: str = ""
    intrinsic: bool = False

    @property
    def agnostic(self) -> bool:
        """Whether any model will do, because it is only asked or not needed at all; a model that can be read is its own."""
        return (self.access == "black box" or self.rows == 0) and not self.intrinsic


@dataclass(frozen=True, eq=False)
class Parts:
    """What `attribute` returns: values in the input's shape or (n, p) over players, and what is known of them."""

    values: np.ndarray
    base_values: np.ndarray | None = None  # (n,)
    stderr: np.ndarray | None = None  # the shape of values
    converged: np.ndarray | None = None  # (n,) whether a stopping rule was met
    raw: np.ndarray | None = None
    fit: np.ndarray | None = None  # (n,)
    layer: str | None = None
    unruled: tuple[str, ...] = ()  # functions met without a backward rule of the method's own
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # plain facts of how it went


class Method(ABC):
    """The root: every method has a card."""

    card: ClassVar[Card]

    def stream(self) -> np.random.Generator:
        """The one stream of randomness of this (seed, method); the same for every row and every budget."""
        return np.random.default_rng((getattr(self, "seed", 0), zlib.crc32(type(self).__name__.encode())))


class GradientMethod(Method):
    """Needs the derivative of the number with respect to the input."""

    @abstractmethod
    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        """x (n, *features) -> values (n, *features)"""


class LayerMethod(Method):
    """Needs a layer's activations and the gradients there.

    Has a field `layer`, by name or None for the last one with space, and `grid` (h, w) for layers whose output is tokens.
    """

    layer: str | None
    grid: tuple[int, int] | None

    @abstractmethod
    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        """-> values (n, *input spatial), raw (n, *layer spatial)"""


class AttentionMethod(Method):
    """Needs the attention matrices of a transformer."""

    @abstractmethod
    def attribute(self, x: np.ndarray, batches: Iterable[Attended]) -> Parts:
        """Tokens x (n, t), and the attention of their rows in batches -> values (n, t)"""


def differentiate(
    method: GradientMethod | LayerMethod,
    f: Differentiable,
    x: np.ndarray,
    background: np.ndarray | None,
    rng: np.random.Generator,
) -> Parts:
    """Run a method that needs derivatives, whichever of the two kinds it is."""
    if isinstance(method, LayerMethod):
        return method.attribute(f, x, f.capture(x, method.layer, method.grid))
    return method.attribute(f, x, background=background, rng=rng)


class GameMethod(Method):
    """Needs only the answers of the model while players are hidden."""

    def masker(self, x: np.ndarray) -> Masker | None:
        """The masker that the method's own fields describe, if it has such fields."""
        return None

    def price(self, players: int) -> int | None:
        """How many coalitions a row takes, where that is known before: a row that the budget cannot pay is not begun."""
        return None

    @abstractmethod
    def attribute(self, game: Game, rng: np.random.Generator) -> Parts:
        """-> values (n, p) over players"""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What is known of the data around x: background rows (b, *features) and what their columns are."""

    background: np.ndarray
    schema: Schema | None


class SamplingMethod(Method):
    """Draws its own points around x; the draws are no 0/1 game."""

    @abstractmethod
    def attribute(self, f: Scalar, x: np.ndarray, neighbourhood: Neighbourhood, rng: np.random.Generator) -> Parts:
        """x (n, *features) -> values (n, *features)"""


class SurrogateMethod(SamplingMethod):
    """Draws its own points around a table's row; where parts of the input are hidden by a masker, it plays that game."""

    @abstractmethod
    def play(self, game: Game, rng: np.random.Generator) -> Parts:
        """-> values (n, p) over players"""


class MaskingMethod(Method):
    """Looks at x through masks of its own over places, which may be soft."""

    @abstractmethod
    def attribute(self, f: Scalar, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator) -> Parts:
        """x (n, *features) -> values (n, *space)"""


class TreeMethod(Method):
    """Reads the trees of an ensemble instead of asking the model."""

    @abstractmethod
    def attribute(self, trees: Any) -> Parts:
        """trees: a forest with rows, background and target bound (`models/tree/question.py`) -> values (n, p)"""


def check_positive(method: Any, *names: str) -> None:
    """Refuse hyper-parameters that are not positive, and counts that are not whole, when the method is made.

    NumPy's numbers become Python's, so that a method can be spelled and read back.
    """
    kinds = {field.name: str(field.type) for field in dataclasses.fields(method)}
    for name in names:
        value = getattr(method, name)
        if isinstance(value, np.generic):
            value = value.item()
            object.__setattr__(method, name, value)
        if not (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
            raise MethodError(f"{type(method).__name__}({name}={value!r}): expected a positive number.")
        if isinstance(value, float) and kinds[name] in ("int", "int | None"):
            raise MethodError(f"{type(method).__name__}({name}={value!r}): expected a whole number.")
