"""A plan -> its prompts: every pair, category and style in both orders, and the controls, with the places of their parts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pellucid.studies.positional_bias.plan import Plan

Kind = str  # "question", or a control: "identical", "nonsense"
Key = tuple[str, str, str, str, str, int]


@dataclass(frozen=True)
class Prompt:
    """What one pass asks. `order` 0 names `a` first, 1 names `b` first; `parts` are (place, start, stop) in `user`."""

    kind: Kind
    a: str
    b: str
    category: str
    style: str
    order: int
    system: str
    user: str
    parts: tuple[tuple[str, int, int], ...]

    @property
    def key(self) -> Key:
        """What tells it from the others of its plan."""
        return self.kind, self.a, self.b, self.category, self.style, self.order

    @property
    def combination(self) -> tuple[str, str, str, str]:
        """What it has in common with the same question in the other order."""
        return self.a, self.b, self.category, self.style


def questions(plan: Plan) -> tuple[Prompt, ...]:
    """Both orders of each combination, one after the other."""
    return tuple(_prompts(plan, "question", plan.pairs, (0, 1)))


def controls(plan: Plan) -> tuple[Prompt, ...]:
    """Options against themselves, once; and pairs of names without meaning, in both orders."""
    same = tuple((name, name) for name in dict.fromkeys(itertools.chain(*plan.pairs))) if plan.identical else ()
    unknown = tuple(itertools.combinations(plan.nonsense, 2))
    return (*_prompts(plan, "identical", same, (0,)), *_prompts(plan, "nonsense", unknown, (0, 1)))


def _prompts(plan: Plan, kind: Kind, pairs: tuple[tuple[str, str], ...], orders: tuple[int, ...]) -> Iterator[Prompt]:
    for (a, b), (category, about), (style, manner) in itertools.product(pairs, plan.categories, plan.styles):
        for order in orders:
            first, second = (a, b) if order == 0 else (b, a)
            words = {"first": first, "second": second, "category": about, "style": manner}
            user, parts = fill(plan.question, words)
            yield Prompt(kind, a, b, category, style, order, fill(plan.system, words)[0], user, parts)


def fill(template: str, words: dict[str, str]) -> tuple[str, tuple[tuple[str, int, int], ...]]:
    """The text, and where in it each place was filled; what stands in braces inside the words is left alone."""
    text, parts = "", []
    for piece in re.split(r"(\{[a-z]+\})", template):
        place = piece[1:-1]
        said = words[place] if piece.startswith("{") and place in words else piece
        if said is not piece:
            parts.append((place, len(text), len(text) + len(said)))
        text += said
    return text, tuple(parts)
