"""The short list, from the methods' cards alone: a method that is registered tomorrow is considered tomorrow.

What fits: the verb that the question is asked by, the access that there is, the kind of input, and the cost of a row. In which
order: methods that fail no known check, then those whose values add up (so that their gap can be checked), then those that make
use of what is known of the model, then the cheaper, then those that sample, which can be stopped early and know how far they got.
So that the list is not five of a kind, it takes the best of every family (a folder of `methods/`) before the second of any.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.core.advice import Suggestion
from pellucid.core.errors import InputError
from pellucid.core.method import PACES, Card
from pellucid.core.registry import METHODS, VERBS, resolve

LONGEST = 5
_BRINGS = {  # who has this has that, too
    "black box": ("black box",),
    "gradients": ("black box", "gradients"),
    "inner layer": ("black box", "gradients", "inner layer"),
    "structure": ("black box", "structure"),
    "training data": ("black box", "training data"),
}
_SHARPER = (
    "structure",
    "inner layer",
    "gradients",
    "training data",
    "black box",
)  # the more it knows, the better it can be
_SCOPES = {
    "one": "local",
    "one prediction": "local",
    "model": "global",
    "the model": "global",
    "the whole model": "global",
}


@dataclass(frozen=True)
class Wish:
    """What is asked: by which verbs, with which access (None: any), of which kind of input, at how many model rows a row."""

    verbs: tuple[str, ...]
    access: tuple[str, ...] | None
    modality: str | None
    rows: float | None


@dataclass(frozen=True)
class _Known:
    """A registered method and its card."""

    name: str
    card: Card
    verbs: tuple[str, ...]

    @property
    def family(self) -> tuple[str, str]:
        return self.card.verb, METHODS[self.name].split(".")[2]


def known() -> list[_Known]:
    """Every registered method; those with a way to answer for pairs are asked by `interact`, too."""
    found = []
    for name in METHODS:
        cls = resolve(name)
        found.append(_Known(name, cls.card, (cls.card.verb, *(["interact"] if hasattr(cls, "interact") else []))))
    return found


def asked(verb: str) -> str:
    """A verb's question, as its docstring says it."""
    return (inspect.getdoc(resolve(verb)) or verb).partition("?")[0].replace("\n", " ") + "?"


def as_verbs(question: str | None) -> tuple[str, ...]:
    """The verbs of what a user asks: a verb, "local" or "global" (or "one prediction", "the model"), or a question in words."""
    there = {verb: each for each in known() for verb in each.verbs}
    if question is None:
        return ("explain",)
    said = question.strip().casefold()
    if said in there:
        return (said,)
    scope = _SCOPES.get(said, said)
    if scope in ("local", "global"):
        return tuple(dict.fromkeys(each.card.verb for each in known() if each.card.scope == scope))
    return (_nearest(said, there),)


def _nearest(said: str, there: Iterable[str]) -> str:
    """The verb whose question, or that of one of its methods, is nearest in words."""
    words = {asked(verb).casefold(): verb for verb in there}
    words |= {each.card.question.casefold(): each.card.verb for each in known()}
    near = difflib.get_close_matches(said, words, n=1, cutoff=0.6)
    if not near:
        listed = "; ".join(f"{verb!r} ({asked(verb)})" for verb in there)
        raise InputError(f"question {said!r} is none that is known: give 'local', 'global', or one of {listed}.")
    return words[near[0]]


def as_access(access: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """All that comes with the access that a user has."""
    if access is None:
        return None
    given = [access] if isinstance(access, str) else list(access)
    wrong = [one for one in given if one not in _BRINGS]
    if wrong:
        raise InputError(f"access {wrong[0]!r} is none that is known: give one or several of {', '.join(_BRINGS)}.")
    return tuple(dict.fromkeys(part for one in given for part in _BRINGS[one]))


def check_modality(modality: str | None) -> str | None:
    kinds = sorted({kind for each in known() for kind in each.card.inputs})
    if modality is not None and modality not in kinds:
        raise InputError(f"modality {modality!r} is none that is known: give one of {', '.join(kinds)}.")
    return modality


def shortlist(wish: Wish, longest: int | None = LONGEST) -> tuple[list[str], list[tuple[str, str]]]:
    """Names that fit, best first, and (name, why) of the others that answer the question."""
    asked_for = [each for each in known() if set(each.verbs) & set(wish.verbs)]
    unfit = {each.name: why for each in asked_for if (why := _unfit(each.card, wish)) is not None}
    fit = sorted((each for each in asked_for if each.name not in unfit), key=lambda each: _order(each.card))
    ordered = _by_family(fit, [each.card.verb for each in asked_for])
    kept = ordered[:longest]
    further = [(each.name, "fits, but further down the list") for each in ordered[len(kept) :]]
    return [each.name for each in kept], [*unfit.items(), *further]


def _unfit(card: Card, wish: Wish) -> str | None:
    if wish.access is not None and card.access not in wish.access and not card.agnostic:
        return f"needs {card.access}"
    if wish.modality is not None and wish.modality not in card.inputs:
        return f"is for {', '.join(card.inputs)}"
    if wish.rows is not None and (card.rows or 0) > wish.rows:
        return f"costs {_rows(card)} a row"
    return None


def _order(card: Card) -> tuple[bool, bool, int, int, bool]:
    return bool(card.fails), not card.complete, _SHARPER.index(card.access), card.rows or 0, not card.sampled


def _by_family(ordered: list[_Known], verbs: list[str]) -> list[_Known]:
    """The best of every family, then the second of every family, and so on; what fails a check comes last."""
    place: dict[tuple[str, str], int] = {}
    rounds = []
    for each in ordered:
        place[each.family] = place.get(each.family, -1) + 1
        rounds.append((bool(each.card.fails), place[each.family], verbs.index(each.card.verb)))
    return [each for _, each in sorted(zip(rounds, ordered, strict=True), key=lambda pair: pair[0])]


def suggestion(name: str, verb: str) -> Suggestion:
    """A method in words, all of them its card's."""
    card = resolve(name).card
    reasons = [card.strengths, f"needs {_needs(card)}", f"asks for {_rows(card)} a row"]
    if card.complete:
        reasons.append("its values add up, and the gap says how nearly")
    if card.sampled:
        reasons.append("every value has an error bar")
    beware = f"fails {card.fails}; {card.weaknesses}" if card.fails else card.weaknesses
    return Suggestion(name, verb, card.question, tuple(reasons), beware)


def _rows(card: Card) -> str:
    rows = card.rows or 0
    return f"{PACES[rows]}{' of' if rows >= 10 else ''} model rows"


def _needs(card: Card) -> str:
    if card.rows == 0:
        return "no model"
    if card.agnostic:
        return "only answers of the model"
    return {
        "gradients": "gradients at the input",
        "inner layer": "a look at inner layers",
        "structure": "the model's inner structure",
        "training data": "the training data and the network",
    }[card.access]


def verb_of(name: str, verbs: tuple[str, ...]) -> str:
    """By which of the asked verbs a method is asked."""
    own: str = resolve(name).card.verb
    return own if own in verbs else next(verb for verb in verbs if verb in VERBS)
