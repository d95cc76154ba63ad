"""What rules say of a picture's or a text's parts, and the perturbations that keep to a rule: the other parts come and go.

A statement is the number of a part (a superpixel, a window, a word) and says that it is there. Every other part is hidden with
probability one half, as the masker hides it. A rule of k parts then applies to 2^-k of all perturbed inputs, its coverage.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.core.masking import Bound, Masker
from pellucid.core.records import Layout
from pellucid.core.rules import Condition
from pellucid.methods.anchor.anchors import Anchors
from pellucid.methods.anchor.search import Pull, Rule
from pellucid.models.adapter import Inputs

_BLOCK = 1024  # samples whose noise is drawn together
_KEPT = 0.5


@dataclass(eq=False)
class Masks:
    """n rows, each with its own parts."""

    method: Anchors
    bounds: list[Bound]
    layout: Layout
    cells: int  # numbers of one perturbed input, all its draws together
    _noise: dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of(cls, method: Anchors, masker: Masker, inputs: Inputs, layout: Layout) -> Masks:
        rows = [inputs.take(slice(i, i + 1)) for i in range(len(inputs.x))]
        bounds = [masker.bind(row.x, row.background, row.form) for row in rows]
        size = max(map(len, inputs.x)) if inputs.x.ndim == 1 else int(np.prod(inputs.x.shape[1:]))
        return cls(method, bounds, layout, max(1, size) * max(bound.draws for bound in bounds))

    def grown(self, row: int, rule: Rule) -> list[Rule]:
        """The rule with one more part."""
        return [tuple(sorted((*rule, part))) for part in range(len(self.bounds[row].names)) if part not in rule]  # type: ignore

    def widened(self, row: int, rule: Rule) -> list[Rule]:
        """The rule without one of its parts."""
        return [rule[:k] + rule[k + 1 :] for k in range(len(rule))]

    def coverage(self, rule: Rule) -> float:
        return float(_KEPT ** len(rule))

    def draw(self, pull: Pull, known: bool) -> tuple[np.ndarray, np.ndarray]:
        """Perturbed inputs (m, *features), all of which the model has to be asked."""
        bound = self.bounds[pull.row]
        noise, which = self._stream(pull, len(bound.names))
        z = noise < _KEPT
        z[:, list(_parts(pull.rule))] = True
        filled = bound.fill(z)[:, :, 0]  # (m, draws, *features)
        return filled[np.arange(len(z)), (which * bound.draws).astype(int)], np.empty(0, dtype=int)

    def _stream(self, pull: Pull, parts: int) -> tuple[np.ndarray, np.ndarray]:
        """Uniform noise (m, parts) for the parts, (m,) for which of several references hides them."""
        first, last = pull.start // _BLOCK, (pull.stop - 1) // _BLOCK
        blocks = [self._block(pull.level, block, parts) for block in range(first, last + 1)]
        span = slice(pull.start - first * _BLOCK, pull.stop - first * _BLOCK)
        return np.concatenate([b[0] for b in blocks])[span], np.concatenate([b[1] for b in blocks])[span]

    def _block(self, level: int, block: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
        key = (level, block, parts)
        if key not in self._noise:
            rng = self.method.noise(level, block)
            self._noise[key] = (rng.random((_BLOCK, parts)), rng.random(_BLOCK))
        return self._noise[key]

    def conditions(self, row: int, rule: Rule) -> tuple[Condition, ...]:
        """A rule as a reader knows it."""
        names = self.bounds[row].names
        return tuple(Condition(names[part], part, self._words(names[part])) for part in _parts(rule))

    def _words(self, name: str) -> str:
        return f"{name!r} is there" if self.layout in ("tokens", "table") else f"{name} is shown"

    @property
    def labels(self) -> np.ndarray | None:
        """(n, *space) the part of each place, where parts are places of pictures of one size."""
        found = [bound.labels for bound in self.bounds]
        if any(labels is None for labels in found) or len({labels.shape for labels in found if labels is not None}) > 1:
            return None
        return np.stack([labels for labels in found if labels is not None])


def _parts(rule: Rule) -> tuple[int, ...]:
    """The numbers of a rule's parts."""
    return rule  # type: ignore[return-value]
