"""One page of a questionnaire: what everybody sees, what each condition sees besides, a question, and the right answer.

The right answer stays with the researcher: `for_page` leaves it out of what participants are handed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pellucid.core.errors import InputError
from pellucid.studies.human import blocks
from pellucid.studies.human.blocks import Block, Prose

WITHOUT, WITH = "without", "with"
ATTENTION = "attention"


@dataclass(frozen=True)
class Item:
    """A question, or, without `options`, an example to read before the questions.

    `shown` is what everybody sees and `help` what each condition sees below it; `right` the right answer or answers; `several` says
    that any number of options may be ticked; `machine` is what the model said, where a person decides with its help.
    """

    kind: str
    question: str
    options: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    shown: tuple[Block, ...] = ()
    help: dict[str, tuple[Block, ...]] = field(default_factory=dict)
    several: bool = False
    machine: str = ""
    id: str = ""  # given by the study

    def __post_init__(self) -> None:
        if self.asks and len(set(self.options)) < max(2, len(self.options)):
            raise InputError(f"{self.question!r} has the options {self.options}: give two or more, each once.")
        strange = set(self.right) - set(self.options)
        if strange or (self.asks and not self.several and len(self.right) != 1):
            raise InputError(
                f"{self.question!r} has the right answer {self.right}: it is one of the options {self.options}."
            )

    @property
    def asks(self) -> bool:
        """Whether this page has a question at all."""
        return bool(self.options)

    @property
    def chance(self) -> float:
        """How often somebody who guesses is right."""
        return 1 / (2 ** len(self.options) if self.several else len(self.options))

    def for_page(self) -> dict[str, Any]:
        """What participants are handed: never the right answer."""
        return {
            "id": self.id,
            "question": self.question,
            "options": self.options,
            "several": self.several,
            "shown": [blocks.as_json(block) for block in self.shown],
            "help": {name: [blocks.as_json(block) for block in said] for name, said in self.help.items()},
        }

    def as_json(self) -> dict[str, Any]:
        """The whole item, for the researcher's own file."""
        return {**self.for_page(), "kind": self.kind, "right": self.right, "machine": self.machine}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Item:
        """The inverse of `as_json`."""
        shown = tuple(map(blocks.from_json, data["shown"]))
        help = {name: tuple(map(blocks.from_json, said)) for name, said in data["help"].items()}
        read: dict[str, Any] = {**data, "options": tuple(data["options"]), "right": tuple(data["right"])}
        return cls(**{**read, "shown": shown, "help": help})


def attention_check(instruction: str, options: tuple[str, ...], right: str) -> Item:
    """A question that everybody who reads it answers right: who does not is left out of the analysis."""
    return Item(ATTENTION, instruction, tuple(options), (right,), (Prose("This question only asks that you read it."),))


def with_and_without(explanation: tuple[Block, ...]) -> dict[str, tuple[Block, ...]]:
    """The usual two conditions."""
    return {WITHOUT: (), WITH: explanation}
