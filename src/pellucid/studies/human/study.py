"""A study is a value: its pages, its conditions, who sees what, and the words around them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, StoreError
from pellucid.core.store import appearing
from pellucid.studies.human import seats as seating
from pellucid.studies.human.item import ATTENTION, Item
from pellucid.studies.human.seats import Seat

SCHEMA = 1  # of answers and of study files
LONGEST = 7 * 24 * 3600  # seconds on one page that are still counted
_MOST = 10_000  # seats: all of them are in the page

CONSENT = (
    "You are asked to take part in a study about explanations of machine-learning models. You will see a number of pages, each "
    "with one question. Taking part is voluntary: you may stop at any time, without a reason, by closing this page. Stored are "
    "your answers, how long each of them took, and a random number that was drawn for you. Your name, address, device and the time "
    "of day are not stored, so your answers cannot be traced back to you, nor be found again after you have handed them in."
)
WELCOME = "There is no trick in the questions. If you are not sure, give the answer that seems most likely to you."
THANKS = "That was the last question. Thank you for taking part!"


@dataclass(frozen=True)
class Study:
    """Pages and who sees what.

    `within` False gives each participant one condition, True all of them in turn; `seats` is the number of participants that the
    seeded assignment is drawn for; the first condition is the one that others are compared with. `who` names whom to ask.
    """

    title: str
    items: tuple[Item, ...]
    within: bool = False
    seats: int = 200
    seed: int = 0
    consent: str = CONSENT
    welcome: str = WELCOME
    thanks: str = THANKS
    who: str = ""

    def __post_init__(self) -> None:
        named = (dataclasses.replace(item, id=item.id or f"{i + 1}") for i, item in enumerate(_flat(self.items)))
        object.__setattr__(self, "items", tuple(named))
        self._check()

    def _check(self) -> None:
        if not self.questions:
            raise InputError(
                "a study needs at least one question: give items, as `forward_simulation(...)` makes them."
            )
        if len({item.id for item in self.items}) < len(self.items):
            raise InputError("two items of a study have the same id: leave ids empty, and they are numbered.")
        helped = {tuple(item.help) for item in self.items if item.help}
        if len(helped) != 1:
            told = "; ".join(map(", ".join, sorted(helped))) or "none"
            raise InputError(
                f"all items of a study share one set of conditions; these have {told}: make a study of each."
            )
        if not 1 <= self.seats <= _MOST:
            raise InputError(f"Study(seats={self.seats}): plan for 1 to {_MOST:,} participants.")
        if self.within and len(self.questions) < len(self.items) - len(self.checks):
            raise InputError(
                "Study(within=True): what an example taught is not unlearned, so a study with examples is between."
            )

    @property
    def conditions(self) -> tuple[str, ...]:
        """Their names; the first is the one that others are compared with."""
        return next(tuple(item.help) for item in self.items if item.help)

    @property
    def questions(self) -> tuple[Item, ...]:
        """The items whose answers count."""
        return tuple(item for item in self.items if item.asks and item.kind != ATTENTION)

    @property
    def checks(self) -> tuple[Item, ...]:
        """The items that only ask for attention."""
        return tuple(item for item in self.items if item.kind == ATTENTION)

    @cached_property
    def by_id(self) -> dict[str, Item]:
        """Items by their id."""
        return {item.id: item for item in self.items}

    @cached_property
    def plan(self) -> tuple[Seat, ...]:
        """The seats, in the order in which they are given away."""
        draw = seating.within if self.within else seating.between
        return draw(self.items, len(self.conditions), self.seats, np.random.default_rng(self.seed))

    def condition(self, seat: int, item: str) -> str:
        """The condition in which the participant on this seat meets this item."""
        place = next(i for i, one in enumerate(self.items) if one.id == item)
        return self.conditions[self.plan[seat].conditions[place]]

    @cached_property
    def id(self) -> str:
        """Twelve digits that change with anything in the study: answers of another one are noticed by it."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        """The whole study with the right answers."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"schema": SCHEMA, **fields, "items": [item.as_json() for item in self.items]}

    def save(self, path: str | Path) -> Path:
        """Write the researcher's own file: right answers and all. Participants never need it."""
        with appearing(Path(path)) as partial:
            partial.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Study:
        """Read what `save` wrote."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            return cls(**{**data, "items": tuple(Item.from_json(item) for item in data["items"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{Path(path).name} is not a study: expected the JSON that `Study.save` wrote.") from error


def _flat(items: Item | Sequence[Any]) -> list[Item]:
    """One item, or items and tuples of items as the tasks hand them out."""
    return [items] if isinstance(items, Item) else [one for item in items for one in _flat(item)]
