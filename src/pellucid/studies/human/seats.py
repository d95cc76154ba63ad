"""Who sees what: a seeded list of seats, one per participant, drawn before anybody takes part.

Between participants: conditions in random permuted blocks, so that after every block all conditions have equally many
participants. Within participants: seats come in groups as large as there are conditions; a group shares one random order, and
condition (rank + seat) mod k goes to the item of each rank, so that in every group each item meets every condition once and each
participant meets all conditions equally often (to one item).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.studies.human.item import ATTENTION, Item

_BLOCK = 2  # times the number of conditions


@dataclass(frozen=True)
class Seat:
    """One participant's questionnaire: the order of the items, and the condition of each item (by its place in the study)."""

    order: tuple[int, ...]
    conditions: tuple[int, ...]


def between(items: Sequence[Item], conditions: int, seats: int, rng: np.random.Generator) -> tuple[Seat, ...]:
    """One condition a participant."""
    blocks = -(-seats // (_BLOCK * conditions))
    drawn = [rng.permutation(np.tile(np.arange(conditions), _BLOCK)) for _ in range(blocks)]
    given = np.concatenate(drawn)[:seats].tolist()
    return tuple(Seat(_order(items, rng), (mine,) * len(items)) for mine in given)


def within(items: Sequence[Item], conditions: int, seats: int, rng: np.random.Generator) -> tuple[Seat, ...]:
    """Every condition for every participant."""
    made: list[Seat] = []
    while len(made) < seats:
        order = _order(items, rng)
        rank = {item: i for i, item in enumerate(i for i in order if items[i].kind != ATTENTION)}
        for seat in rng.permutation(conditions).tolist():
            given = tuple((rank.get(item, 0) + seat) % conditions for item in range(len(items)))
            made.append(Seat(order, given))
    return tuple(made[:seats])


def _order(items: Sequence[Item], rng: np.random.Generator) -> tuple[int, ...]:
    """Examples first and as given; then the questions, shuffled."""
    examples = [i for i, item in enumerate(items) if not item.asks]
    questions = [i for i, item in enumerate(items) if item.asks]
    return (*examples, *rng.permutation(questions).tolist())
