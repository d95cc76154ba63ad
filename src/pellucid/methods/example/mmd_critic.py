"""MMD-critic: prototypes that make their own distribution like the data's, and criticisms that show where it is not.

Kim, Khanna & Koyejo, "Examples are not enough, learn to criticize!" (NeurIPS 2016). With the kernel k, n rows x and m
prototypes z,

    MMD^2 = mean_ij k(x_i, x_j) - 2 mean_ij k(x_i, z_j) + mean_ij k(z_i, z_j)
    witness(x) = mean_i k(x, x_i) - mean_j k(x, z_j)

Prototypes are added one by one, each the row that makes MMD^2 smallest with those before. Criticisms C are the other rows
with the largest sum of |witness| + log det K_CC, added one by one too; the determinant keeps them apart. (The authors' code
leaves out the logarithm in its sparse branch; the paper has it.) With many prototypes |witness| is small beside the
determinant, which then picks the rows most unlike the others; `regularize=False` picks by |witness| alone.

`per_class` is the paper's local kernel: rows of different classes count as unlike, so that each class is represented by its
own rows.

An added row changes the sums by one column of the kernel, so a pick costs n kernel values, and all memory is
O(n) beyond the rows and a block of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card
from pellucid.methods.example.base import Found, Progress, PrototypeMethod, check_fields, check_room
from pellucid.methods.example.kernels import RBF, Bound, Kernel

_SINGULAR = 1e-10  # of a row's own kernel value: what is left of it beside rows that are all but equal to it


@dataclass(frozen=True)
class MMDCritic(PrototypeMethod):
    """`prototypes` is how many rows stand for the data; `criticisms` how many show where they do not.

    `kernel` is how alike two rows are, RBF(gamma=...) or Precomputed(); `per_class` makes only rows of one class alike;
    `regularize` spreads the criticisms out.
    """

    prototypes: int = 10
    criticisms: int = 5
    kernel: Kernel = RBF()
    per_class: bool = False
    regularize: bool = True

    card: ClassVar[Card] = Card(
        question="Which rows stand for the data, and which do they not stand for?",
        scope="global",
        access="training data",
        inputs=("table", "image", "volume", "signal"),
        output="prototypes, criticisms, and how far each row is from being stood for",
        cost="no model rows; n^2 kernel values once, n for each row picked",
        strengths="real rows, typical and untypical ones; says how much of the distribution they miss",
        weaknesses="as good as the kernel: on raw pixels, alike means alike in brightness; the greedy choice is not the best one",
        paper="Kim, Khanna & Koyejo 2016",
        rows=0,
        verb="prototypes",
    )

    def __post_init__(self) -> None:
        check_fields(self, prototypes=(self.prototypes, 1), criticisms=(self.criticisms, 0))

    def find(self, kernel: Bound, progress: Progress | None = None) -> Found:
        check_room(self, kernel.n, self.criticisms)
        means = kernel.means(progress)  # (n,)
        indices, curve, near = _prototypes(kernel, means, self.prototypes)
        witness = means - near / self.prototypes
        criticisms = self._criticisms(kernel, witness, indices)
        return Found(
            indices,
            np.full(self.prototypes, 1 / self.prototypes),
            curve,
            witness,
            criticisms,
            _warnings(curve, len(criticisms), self.criticisms),
        )

    def _criticisms(self, kernel: Bound, witness: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
        """witness (n,) -> rows in the order of picking (c,)"""
        free, picked = np.ones(kernel.n, dtype=bool), []
        free[prototypes] = False
        left, factor = (
            kernel.diagonal.astype(float),
            np.empty((0, kernel.n)),
        )  # what the rows picked leave of each kernel value
        for _ in range(self.criticisms):
            free &= left > _SINGULAR * kernel.diagonal
            if not free.any():
                break
            gain = np.abs(witness) + (np.log(left, where=free, out=np.zeros(kernel.n)) if self.regularize else 0)
            best = int(np.where(free, gain, -np.inf).argmax())
            picked.append(best)
            column = (kernel.columns(np.array([best]))[:, 0] - factor[:, best] @ factor) / np.sqrt(left[best])
            factor, left = np.vstack([factor, column]), left - column**2
            free[best] = False
        return np.array(picked, dtype=int)


def _prototypes(kernel: Bound, means: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """means (n,) -> rows picked (m,), MMD^2 after each (m,), the sum of the kernel with all of them (n,)"""
    near, free = np.zeros(kernel.n), np.ones(kernel.n, dtype=bool)
    total, inside, beside = (
        means.mean(),
        0.0,
        0.0,
    )  # sums of the kernel: data with data, picked with picked, data with picked
    picked, curve = [], []
    for size in range(1, count + 1):
        grown = inside + 2 * near + kernel.diagonal
        value = total - 2 * (beside + means) / size + grown / size**2
        best = int(np.where(free, value, np.inf).argmin())
        picked.append(best)
        curve.append(value[best])
        inside, beside, free[best] = grown[best], beside + means[best], False
        near += kernel.columns(np.array([best]))[:, 0]
    return np.array(picked), np.array(curve), near


def _warnings(curve: np.ndarray, found: int, asked: int) -> tuple[str, ...]:
    said = []
    if curve.argmin() < len(curve) - 1:
        least = int(curve.argmin()) + 1
        said.append(f"the first {least} prototypes stand for the data better than all {len(curve)} together")
    if found < asked:
        said.append(f"{found} of {asked} criticisms were found: every other row equals one of them")
    return tuple(said)
