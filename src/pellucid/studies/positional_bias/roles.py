"""Values of tokens -> what each role says: the option named first, the one named second, the category, other words.

A token belongs to the role that most of its characters are in. Values speak for a; turned towards the option named first
(their sign is changed where b is first) they can be summed over both orders, over combinations and over pairs. Of names
with several tokens the first token and the others are told apart as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pellucid.core.positional import RoleLine
from pellucid.core.records import Attribution
from pellucid.studies.human.inference import student
from pellucid.studies.positional_bias.prompts import Prompt

OTHER = "other words"
ROLES = {"first": "option named first", "second": "option named second", "category": "category", "style": "style"}
ORDERS = ("both", "a first", "b first")
_HEAD, _TAIL = "first token", "other tokens"


def roles(labels: np.ndarray, prompt: Prompt, players: int) -> list[str]:
    """labels (characters,) the player of each -> the role of each player; of names, which of their tokens it is."""
    owner = np.full(len(labels), OTHER, dtype=object)
    for place, start, stop in prompt.parts:
        owner[start:stop] = ROLES[place]
    made, before = [], ""
    for player in range(players):
        names, counts = np.unique(owner[labels == player].astype(str), return_counts=True)
        role = str(names[counts.argmax()]) if len(names) else OTHER
        begins = role != before
        before = role
        made.append(f"{role}, {_HEAD if begins else _TAIL}" if role in (ROLES["first"], ROLES["second"]) else role)
    return made


def role_lines(records: Sequence[Attribution], both: Sequence[tuple[Prompt, Prompt]]) -> tuple[RoleLine, ...]:
    """Means over combinations, in both orders together and in each."""
    if not records:
        return ()
    sums = [[_sums(record, row, prompts[row]) for row in (0, 1)] for record, prompts in zip(records, both, strict=True)]
    names = sorted({name for orders in sums for one in orders for name in one}, key=_place)
    return tuple(_line(name, order, sums) for order in ORDERS for name in names)


def _sums(record: Attribution, row: int, prompt: Prompt) -> dict[str, tuple[float, float]]:
    """Each role's sum towards the option named first, and its share of all absolute values."""
    assert record.players is not None and record.players.labels is not None
    _, values, _ = record.players.row(row)
    towards = values if prompt.order == 0 else -values
    whole = np.abs(values).sum()
    found: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for role, value in zip(
        roles(record.players.labels[row][: len(prompt.user)], prompt, len(values)), towards, strict=True
    ):
        share = np.array([value, abs(value) / whole if whole else 0.0])
        found[role] += share
        if ", " in role:
            found[role.partition(", ")[0]] += share
    return {role: (float(value), float(share)) for role, (value, share) in found.items()}


def _line(role: str, order: str, sums: list[list[dict[str, tuple[float, float]]]]) -> RoleLine:
    rows = {"both": (0, 1), "a first": (0,), "b first": (1,)}[order]
    nothing = (0.0, 0.0)
    each = np.array([[orders[row].get(role, nothing) for row in rows] for orders in sums]).mean(axis=1)  # (m, 2)
    low, high = student(each[:, 0])
    return RoleLine(role, order, len(sums) * len(rows), float(each[:, 0].mean()), low, high, float(each[:, 1].mean()))


def _place(role: str) -> tuple[int, int]:
    """Roles in the order of reading, a whole name before its tokens."""
    name, _, part = role.partition(", ")
    order = [*ROLES.values(), OTHER]
    return order.index(name), ("", _HEAD, _TAIL).index(part)
