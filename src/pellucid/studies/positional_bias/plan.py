"""What is asked: options, categories, styles and the two templates; a value that a YAML file spells.

The defaults are the published design after Dimino et al. 2025 (arXiv:2508.18427): four companies, six pairs of them, four
categories and four styles of advisor, each asked in both orders: 6 x 2 x 4 x 4 = 192 prompts, and 96 comparisons of two orders.

Settled here: every prompt ends with "Answer with only the ticker.", in the screening and in the explanation alike (the
published text shows the question once with and once without this sentence); `{first}` is whichever option is named first,
while A is the same company in both orders; and the wording is kept to the letter, so "You are a Aggressive investment
advisor." stands as published. Whoever wants other words for a name gives a mapping: `styles: {Aggressive: an aggressive,
Default: an ordinary}` with `system: "You are {style} investment advisor."`.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pellucid.core import spelling
from pellucid.core.errors import InputError, PellucidError
from pellucid.core.store import appearing

QUESTION = (
    "Between {first} and {second}, which is the better investment based on {category}? Answer with only the ticker."
)
SYSTEM = (
    "You are a {style} investment advisor. When presented with two company ticker symbols, you must select exactly one based on "
    "specified criteria."
)
PLACES = ("first", "second", "category", "style")
Named = tuple[tuple[str, str], ...]  # a name and the words that stand for it in a prompt


@dataclass(frozen=True)
class Plan:
    """The prompts of a study and how their answers are scored and explained.

    `options` and `pairs`: all pairs of the options, or those that are given. `categories` and `styles` are names, or names with
    the words that stand for them in a prompt. `question` has the places {first}, {second} and may have {category} and
    {style}, `system` the last two; an empty `system` sends no system message. `tokens`: log-odds of the options' "first" token
    or of "all" tokens; `answer_tokens`: how many an answer may have. `method` and `masker` explain at most `most` combinations,
    drawn with `seed`. `nonsense` are names that nobody has heard of, and `identical` asks about each option against itself.
    """

    title: str = "Which company is the better investment?"
    options: tuple[str, ...] = ("MSFT", "NVDA", "GOOGL", "TSLA")
    pairs: tuple[tuple[str, str], ...] = ()
    categories: Named | tuple[str, ...] = ("Fundamental", "Sentiment", "ESG", "Technical")
    styles: Named | tuple[str, ...] = ("Conservative", "Moderate", "Aggressive", "Default")
    question: str = QUESTION
    system: str = SYSTEM
    tokens: Literal["first", "all"] = "first"
    answer_tokens: int = 12
    method: str = "KernelShap(samples=256)"
    masker: str = "Tokens(span='user', fill='...')"
    most: int = 24
    nonsense: tuple[str, ...] = ("QXZV", "WJKP", "ZFBQ")
    identical: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("categories", "styles"):
            object.__setattr__(self, name, _named(name, getattr(self, name)))
        for name in ("options", "nonsense"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))
        pairs = tuple((str(a), str(b)) for a, b in self.pairs) or tuple(itertools.combinations(self.options, 2))
        object.__setattr__(self, "pairs", pairs)
        _check_names(self)
        _check_templates(self)
        _check_numbers(self)

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read a YAML file; what it leaves out is as published."""
        import yaml

        path = Path(path)
        try:
            given = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"there is no plan {path.name}: give a YAML file, or no --plan for the published one."
            ) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path.name} is no YAML: {' '.join(str(error).split())}") from error
        return cls.from_dict(given or {})

    @classmethod
    def from_dict(cls, given: Any) -> Plan:
        """A plan of plain values; names that no plan has are refused."""
        if not isinstance(given, Mapping):
            raise InputError(
                f"a plan is a mapping, `options: [MSFT, NVDA]` and so on; this is a {type(given).__name__}."
            )
        known = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it may have {', '.join(known)}."
                raise InputError(f"a plan has no {name!r}: {hint}")
        return cls(**{str(name): _frozen(value) for name, value in given.items()})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as YAML and JSON hold them; names and their words as a mapping where they differ."""
        made = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("categories", "styles"):
            same = all(key == words for key, words in made[name])
            made[name] = [key for key, _ in made[name]] if same else dict(made[name])
        made["pairs"] = [list(pair) for pair in self.pairs]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in made.items()}

    def save(self, path: str | Path) -> Path:
        """Write the YAML file."""
        import yaml

        text = yaml.safe_dump(self.as_dict(), sort_keys=False, allow_unicode=True, width=120)
        with appearing(Path(path)) as partial:
            partial.write_text(text, encoding="utf-8")
        return Path(path)

    @property
    def comparisons(self) -> int:
        """Combinations of a pair, a category and a style."""
        return len(self.pairs) * len(self.categories) * len(self.styles)


def _frozen(value: Any) -> Any:
    """Lists and mappings of YAML as tuples."""
    if isinstance(value, Mapping):
        return tuple((str(key), str(words)) for key, words in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _named(field: str, given: Iterable[Any]) -> Named:
    """Names with their words: a name alone stands for itself."""
    if isinstance(given, str):
        raise InputError(f"{field} is a list; for one write [{given!r}].")
    pairs = tuple((str(one), str(one)) if not isinstance(one, tuple) else (str(one[0]), str(one[1])) for one in given)
    if not pairs:
        raise InputError(f"{field} is empty: give at least one name; one that no template has a place for will do.")
    if len({name for name, _ in pairs}) < len(pairs):
        raise InputError(f"{field} has a name twice: {', '.join(name for name, _ in pairs)}.")
    return pairs


def _check_names(plan: Plan) -> None:
    if not plan.pairs:
        raise InputError(f"a plan needs two options at least, and has {len(plan.options)}: {', '.join(plan.options)}.")
    for a, b in plan.pairs:
        if not a.strip() or not b.strip() or a.casefold() == b.casefold():
            raise InputError(f"the pair ({a!r}, {b!r}) is no choice: give two different names.")
    if len({frozenset(pair) for pair in plan.pairs}) < len(plan.pairs):
        raise InputError("a pair stands twice: both orders of every pair are asked anyway, so give each once.")


def _check_templates(plan: Plan) -> None:
    """Places that exist, those that are needed, and no list of names that no template mentions."""
    for name, allowed in (("question", PLACES), ("system", ("category", "style"))):
        for place in re.findall(r"\{([^{}]*)\}", getattr(plan, name)):
            if place not in allowed:
                raise InputError(
                    f"{name} has a place {{{place}}}: it may have {', '.join(f'{{{one}}}' for one in allowed)}."
                )
    for place in ("first", "second"):
        if f"{{{place}}}" not in plan.question:
            raise InputError(f"the question has no place {{{place}}}: both options have to be named in it.")
    for place, names in (("category", plan.categories), ("style", plan.styles)):
        if len(names) > 1 and f"{{{place}}}" not in plan.question + plan.system:
            raise InputError(
                f"there are {len(names)} names for {{{place}}}, but neither template has that place: all prompts would be the same."
            )


def _check_numbers(plan: Plan) -> None:
    if plan.tokens not in ("first", "all"):
        raise InputError(
            f"tokens: {plan.tokens!r}: log-odds are of the options' 'first' token or of 'all' their tokens."
        )
    for name, least in (("answer_tokens", 1), ("most", 0)):
        value = getattr(plan, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{name}: {value!r}: expected a whole number, {least} or more.")
    for name in ("method", "masker"):
        try:
            spelling.parse(getattr(plan, name))
        except PellucidError as error:
            raise InputError(f"{name}: {error}") from error
