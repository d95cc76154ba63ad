"""What is asked alike for several explanations of the same rows is asked once.

A random order is drawn from a row's own data, so it is the same whatever the explanation, and so are all the inputs that it leads
to. `compare` gives each metric one memo for all of its methods. What is kept is the model's answers, by a digest of everything that
makes up the question, so a hit is what the model said to this very question; the receipts count what was really asked, and name
what was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pellucid.core.budget import Meter


@dataclass(eq=False)
class Memo:
    """One metric's questions about one model, target and fill. Mutable, and gone with the comparison."""

    known: dict[bytes, tuple[np.ndarray, int]] = field(default_factory=dict)  # the answers, and the rows that they cost
    spared: int = 0  # model rows that were not asked again

    def recall(self, question: tuple[np.ndarray, ...], ask: Callable[[], np.ndarray], meter: Meter) -> np.ndarray:
        """What `ask` returns, which `question` determines; asked on the meter unless it was before."""
        key = _digest(question)
        if key in self.known:
            answers, rows = self.known[key]
            self.spared += rows
            return answers
        before = meter.rows_forward
        answers = ask()
        self.known[key] = answers, meter.rows_forward - before
        return answers


def _digest(question: tuple[np.ndarray, ...]) -> bytes:
    made = hashlib.blake2b(digest_size=16)
    for array in question:
        made.update(repr((array.shape, array.dtype.str)).encode())
        made.update(array.tobytes())
    return made.digest()
